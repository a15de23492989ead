"""Costs of every design of a joint space, block by block.

Memory does not grow with the number of accelerators beyond a row for each, and is bounded by
`BLOCK`. Accelerators come by area, the smallest first, so that a front may be swept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.energy import Tables, area_mm2
from nahas.errors import UsageError
from nahas.exact.chains import END, Chains, chains_of
from nahas.kernels.exact import add_up
from nahas.kernels.records import HardwareRow
from nahas.sequence import Outcome, empty_outcome, hardware_rows, map_layers, sequence
from nahas.simulate import PJ_PER_MJ, clocks_mhz
from nahas.spaces.joint import JointSpace
from nahas.spaces.space import ChoiceArray, Space
from nahas.vocabulary import Objective

BLOCK = 1 << 22
"""Designs costed at a time: 64 MB of latencies and energies."""

MOST_NETWORKS = 100_000
"""Networks that are laid out side by side: some 500 MB of chains."""

MOST_DESIGNS = 20_000_000_000
"""About an hour on two cores."""


@dataclass(frozen=True)
class Block:
    """All N networks on A accelerators.

    Attributes:
        accelerators: [A] their numbers, in order of area, then number.
        latency_ms: [N, A]; inf where infeasible.
        energy_mj: [N, A]; inf where infeasible.
        area_mm2: [A].
    """

    accelerators: NDArray[np.int64]
    latency_ms: NDArray[np.float64]
    energy_mj: NDArray[np.float64]
    area_mm2: NDArray[np.float64]

    def __getitem__(self, part: slice) -> Block:
        """Some of its accelerators."""
        return Block(
            self.accelerators[part],
            self.latency_ms[:, part],
            self.energy_mj[:, part],
            self.area_mm2[part],
        )


@dataclass(frozen=True)
class _Links:
    """Of chains, every link as layers in sequence, P in all; see `_link_costs`.

    Attributes:
        picks: [P] nodes.
        starts: [M + 1] where the layers of each link begin.
        at: [M] where the link's own layer is.
    """

    picks: NDArray[np.int64]
    starts: NDArray[np.int64]
    at: NDArray[np.int64]


class JointCosts:
    """Every design of a joint space, each costed as `simulate_choices` costs it.

    Latencies are equal to the last bit, being sums of whole numbers of cycles. Energies are
    equal to 1e-12 of themselves: the simulator sums the same terms in another order.

    Args:
        joint: the space.
        objective: what each layer's mapping minimises.
        tables: energy and area tables; the packaged ones when None.

    Attributes:
        networks: [N, D] all choices of networks, in order.
        accelerators: [H, 7] all choices of accelerators, in order.
        pairs: mappings solved so far: pairs of a node and an accelerator.

    Raises:
        UsageError: when there are too many networks or designs.
        NetworkError: when a network cannot be simulated.
        EnergyError: when an accelerator is outside the tables.
    """

    def __init__(
        self,
        joint: JointSpace,
        objective: Objective = Objective.LATENCY,
        tables: Tables | None = None,
    ) -> None:
        check_size(joint)
        self.joint = joint
        self.networks = every_choice(joint.network_space.space)
        self.accelerators = every_choice(joint.accelerator)
        self.pairs = 0
        self._objective = objective
        hardware = [joint.hardware(row) for row in self.accelerators]
        self._points = hardware_rows(hardware, tables)
        self._area = np.array([area_mm2(point, tables) for point in hardware])
        self._clocks = clocks_mhz(hardware)
        self._chains, self._which = chains_of(joint.network_tables, self.networks, self._points)
        self._links = [_links(of) for of in self._chains]

    def __len__(self) -> int:
        """Designs in all."""
        return len(self.networks) * len(self.accelerators)

    def blocks(self) -> Iterator[Block]:
        """All designs, each once, in blocks of about `BLOCK`."""
        order = np.lexsort([self._area])
        width = max(1, BLOCK // len(self.networks))
        for begin in range(0, len(order), width):
            yield self._block(order[begin : begin + width])

    def choices(self, networks: NDArray[np.int64], accelerators: NDArray[np.int64]) -> ChoiceArray:
        """Joint choices [B, D] of numbers of networks [B] and of accelerators [B]."""
        return np.concatenate([self.networks[networks], self.accelerators[accelerators]], axis=1)

    def _block(self, accelerators: NDArray[np.int64]) -> Block:
        shape = (len(self.networks), len(accelerators))
        cycles, energy = np.empty(shape), np.empty(shape)
        for i in np.unique(self._which[accelerators]):
            columns = np.flatnonzero(self._which[accelerators] == i)
            chains, points = self._chains[i], self._points[accelerators[columns]]
            costs = _link_costs(chains, self._links[i], points, self._objective)
            self.pairs += len(chains.nodes.rows) * len(columns)
            walked = (chains.order, chains.chains, chains.lengths, chains.shared)
            add_up(walked, costs, columns, (cycles, energy))
        cycles /= self._clocks[accelerators] * 1e3
        energy /= PJ_PER_MJ
        return Block(accelerators, cycles, energy, self._area[accelerators])


def every_choice(space: Space) -> ChoiceArray:
    """All choices of a space, [size, D], the last decision changing first."""
    codes = np.unravel_index(np.arange(space.size), tuple(space.cardinalities))
    return np.stack(codes, axis=1).astype(np.int64)


def check_size(joint: JointSpace) -> None:
    """Raise a UsageError where there are too many designs to cost every one."""
    networks, designs = joint.network_space.space.size, joint.space.size
    if networks > MOST_NETWORKS or designs > MOST_DESIGNS:
        raise UsageError(
            f"space '{joint.network_space.name}' has {networks:,} networks, "
            f"{designs:,} designs, but every design is costed only of up to {MOST_NETWORKS:,} "
            f"networks and {MOST_DESIGNS:,} designs: search it without --exhaustive, or name a "
            "--table that lists some of its networks"
        )


def _links(chains: Chains) -> _Links:
    """Layers in sequence around every link.

    A link that does not come first has its own layer once before it, so that it is not the
    design's first; one that is not the last has the next layer behind it.
    """
    picks: list[int] = []
    starts, at = [0], []
    for comes_first, node, following in chains.links.tolist():
        before = [] if comes_first else [node]
        at.append(len(picks) + len(before))
        picks += [*before, node, *([] if following == END else [following])]
        starts.append(len(picks))
    return _Links(np.array(picks), np.array(starts), np.array(at))


def _link_costs(
    chains: Chains, links: _Links, points: NDArray[np.float64], objective: Objective
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Cycles and energy in pJ [M, A] of every link on accelerators [A, 23], waiting included.

    What `sequence` makes of a layer depends on its link alone, so it is asked about each in
    the smallest design that has it. Infinite where the layer cannot run.
    """
    size, count = len(links.at), len(points)
    ran = _sequenced(_mapped(chains, points, objective), links, len(chains.nodes.rows), points)
    own = (np.arange(count) * len(links.picks) + links.at[:, np.newaxis]).reshape(-1)
    waiting = ran.waiting.reshape(2, count, size).transpose(0, 2, 1)
    ends = np.stack([chains.links[:, 0] == 1, chains.links[:, 2] == END])
    waited = (waiting * ends[:, :, np.newaxis]).sum(axis=0)
    runs = ran.column("reason")[own].reshape(size, count) == 0
    leakage = points[:, HardwareRow._fields.index("leakage_pj_per_cycle")]
    cycles = ran.column("cycles")[own].reshape(size, count) + waited
    energy = ran.column("energy_pj")[own].reshape(size, count) + waited * leakage
    return np.where(runs, cycles, np.inf), np.where(runs, energy, np.inf)


def _mapped(chains: Chains, points: NDArray[np.float64], objective: Objective) -> Outcome:
    """Every node on every accelerator, accelerator by accelerator, each as if it ran alone."""
    nodes, count = chains.nodes, len(points)
    starts = np.arange(count + 1) * len(nodes.rows)
    outcome = empty_outcome(starts, np.tile(nodes.stays, (count, 1)))
    layers = (np.tile(nodes.rows, (count, 1)), points, np.tile(nodes.dram_words, count))
    map_layers(outcome, layers, objective)
    return outcome


def _sequenced(alone: Outcome, links: _Links, nodes: int, points: NDArray[np.float64]) -> Outcome:
    """Every link on every accelerator as a design of its own."""
    count, size = len(points), len(links.picks)
    here = np.arange(count)[:, np.newaxis]
    picks = (here * nodes + links.picks).reshape(-1)
    starts = np.append((here * size + links.starts[:-1]).reshape(-1), count * size)
    kept: dict[str, Any] = {"starts": starts, "costs": alone.costs[picks]}
    ran = replace(alone, **kept, waiting=np.zeros((2, len(starts) - 1)))
    sequence(ran, points.repeat(size, axis=0))
    return ran
