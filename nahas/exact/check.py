"""Designs drawn from all that were costed, and simulated again one by one."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from nahas.errors import UsageError
from nahas.exact.costs import Block, JointCosts
from nahas.problem import Problem

ROUNDING = 1e-12
"""How far an energy may be from the simulator's, as a part of it: the sum of the same terms in
another order. 100 terms in double precision differ by less than 100 x 2**-53 or 1.2e-14."""


@dataclass
class Checking:
    """Simulates some designs of every block again.

    Latency and area must be equal to the last bit, energy to `ROUNDING`.

    Args:
        problem: that simulates.
        costs: that the blocks are of.
        designs: about how many to draw of all blocks together.
        rng: that draws.

    Attributes:
        checked: designs simulated again so far.
        furthest: the most that an energy was off so far, as a part of it.
    """

    problem: Problem
    costs: JointCosts
    designs: int
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))
    checked: int = 0
    furthest: float = 0.0

    def take(self, block: Block) -> None:
        """Draw designs of a block, as many as fall to its part of all, and simulate them.

        Raises:
            UsageError: when the simulator says otherwise.
        """
        size = block.latency_ms.size
        count = min(size, -(-self.designs * size // len(self.costs)))
        places = self.rng.choice(size, count, replace=False)
        networks, at = np.divmod(places, len(block.accelerators))
        choices = self.costs.choices(networks, block.accelerators[at])
        simulated = self.problem.cost(choices)
        energy = block.energy_mj[networks, at]
        check_close("latency_ms", block.latency_ms[networks, at], simulated.latency_ms)
        check_close("area_mm2", block.area_mm2[at], simulated.area_mm2)
        check_close("energy_mj", energy, simulated.energy_mj, ROUNDING)
        runs = np.isfinite(energy)
        off = np.abs(energy[runs] / simulated.energy_mj[runs] - 1.0)
        self.furthest = max(self.furthest, float(off.max(initial=0.0)))
        self.checked += count


def check_close(
    what: str, found: NDArray[np.float64], simulated: NDArray[np.float64], by: float = 0.0
) -> None:
    """Raise unless what was summed up is what the simulator says, to a part `by` of it.

    Raises:
        UsageError: naming both figures.
    """
    agree = found == simulated
    finite = np.isfinite(simulated) & np.isfinite(found)
    off = np.abs(found[finite] - simulated[finite])
    agree[finite] = off <= by * np.abs(simulated[finite])
    if not agree.all():
        far = int(np.argmin(agree))
        raise UsageError(
            f"{what} of a design is {float(found[far])!r} by its layers but "
            f"{float(simulated[far])!r} by the simulator: this is an error of nahas, please report "
            "it"
        )
