"""Uniform random search: the baseline that every controller has to beat."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nahas.controllers.allowed import Allowed, checked
from nahas.controllers.base import State
from nahas.controllers.generator import generator_array, set_generator
from nahas.spaces.space import ChoiceArray, Space


class Random:
    """Proposes choices uniformly and independently, and learns nothing.

    Args:
        space: what to choose from.
        rng: the source of all randomness.
        allowed: [D, K] the values that may be proposed; None is all.
    """

    def __init__(
        self, space: Space, rng: np.random.Generator, allowed: Allowed | None = None
    ) -> None:
        self._rng = rng
        values = [np.flatnonzero(row) for row in checked(space, allowed)]
        self._counts = np.array([len(row) for row in values])
        self._values = np.zeros((len(values), self._counts.max()), np.int64)
        for decision, row in enumerate(values):
            self._values[decision, : len(row)] = row

    def ask(self, count: int) -> ChoiceArray:
        """Propose choices: [count, D]."""
        ranks = self._rng.integers(0, self._counts, size=(count, len(self._counts)))
        return self._values[np.arange(len(self._counts)), ranks]

    def tell(self, choices: ChoiceArray, rewards: NDArray[np.float64]) -> None:
        """Ignore the rewards."""

    def state(self) -> State:
        """The generator's state."""
        return {"rng": generator_array(self._rng)}

    def restore(self, state: State) -> None:
        """Continue from a `state`."""
        set_generator(self._rng, state["rng"])
