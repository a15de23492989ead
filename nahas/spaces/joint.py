"""The joint space: the decisions of a network space, then those of the accelerator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nahas.energy import Tables
from nahas.hardware import Hardware
from nahas.network import Network
from nahas.spaces.accelerator import accelerator_space, hardware, hardware_space_name
from nahas.spaces.networks import NetworkSpace
from nahas.spaces.space import ChoiceArray, Space, join
from nahas.spaces.tables import LayerTables
from nahas.vocabulary import Objective

if TYPE_CHECKING:  # these load Numba, which what is only named has no need of
    from nahas.spaces.pairs import PairCosts
    from nahas.spaces.points import Points

KEPT_ACCELERATORS = 65_536
"""The paper's space has 50,000."""

KEPT_NETWORKS = 512
"""Built networks kept for later batches: a converging search proposes the same ones again."""


@dataclass(frozen=True)
class JointSpace:
    """Networks times accelerators, decided by one row of indices."""

    network_space: NetworkSpace
    accelerator: Space = field(default_factory=accelerator_space)

    @cached_property
    def space(self) -> Space:
        """Network decisions, then accelerator decisions."""
        name = f"{self.network_space.name}+{self.accelerator.name}"
        return join(name, (self.network_space.space, self.accelerator))

    @property
    def hardware_space(self) -> str:
        """What users call the hardware space: 'paper', 'wide', or the name of its decisions."""
        return hardware_space_name(self.accelerator)

    def split(self, choices: ChoiceArray) -> tuple[ChoiceArray, ChoiceArray]:
        """Cut [B, D] into network choices and accelerator choices."""
        self.space.check(choices)
        networks, accelerators = self.space.split(
            choices, (self.network_space.space, self.accelerator)
        )
        return networks, accelerators

    def designs(self, choices: ChoiceArray) -> tuple[list[Network], list[Hardware]]:
        """The networks [B] and accelerators [B] of choices [B, D].

        Equal network choices give the same object, so callers may group by identity.
        """
        networks, accelerators = self.split(choices)
        return (
            [self._network(tuple(row)) for row in networks.tolist()],
            [self.hardware(row) for row in accelerators],
        )

    def hardware(self, choice: ChoiceArray) -> Hardware:
        """The accelerator of a choice [A] of its decisions; the same object for the same choice."""
        return self._hardware(tuple(choice.tolist()))

    def applicable(self, choices: ChoiceArray) -> NDArray[np.bool_]:
        """[B, D] whether a decision changes the design."""
        networks, accelerators = self.split(choices)
        used = np.ones(accelerators.shape, dtype=np.bool_)
        return np.concatenate([self.network_space.applicable(networks), used], axis=1)

    @cached_property
    def network_tables(self) -> LayerTables:
        """Layers of the networks of choices; it remembers what their links add."""
        return LayerTables(self.network_space)

    def points(self, tables: Tables) -> Points | None:
        """All accelerators of the hardware space; None where they are too many to be made."""
        from nahas.spaces.points import points_of

        if tables.fingerprint not in self._made_points:
            self._made_points[tables.fingerprint] = points_of(self.accelerator, tables)
        return self._made_points[tables.fingerprint]

    def pair_costs(self, tables: Tables, objective: Objective) -> PairCosts:
        """Costs of layers on accelerators; it remembers them."""
        from nahas.spaces.pairs import PairCosts

        return self._pair_costs.setdefault((tables.fingerprint, objective), PairCosts(objective))

    @cached_property
    def _pair_costs(self) -> dict[tuple[str, Objective], PairCosts]:
        return {}

    @cached_property
    def _made_points(self) -> dict[str, Points | None]:
        return {}

    @cached_property
    def _hardware(self) -> Callable[[tuple[int, ...]], Hardware]:
        @lru_cache(maxsize=KEPT_ACCELERATORS)
        def point(choice: tuple[int, ...]) -> Hardware:
            values = self.accelerator.values(np.array(choice, dtype=np.int64))
            return hardware(values, self.accelerator)

        return point

    @cached_property
    def _network(self) -> Callable[[tuple[int, ...]], Network]:
        @lru_cache(maxsize=KEPT_NETWORKS)
        def network(choice: tuple[int, ...]) -> Network:
            return self.network_space.network(np.array(choice, dtype=np.int64))

        return network
