"""A controller on fewer values, for those that know nothing of fixed decisions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from nahas.controllers.allowed import Allowed, checked
from nahas.controllers.base import Controller, State
from nahas.spaces.space import ChoiceArray, Decision, Space

Applicable = Callable[[ChoiceArray], NDArray[np.bool_]]

Make = Callable[[Space, Applicable | None], Controller]
"""Makes a controller of a space, given which decisions of its choices matter."""


class Narrowed:
    """Shows another controller the open decisions with their allowed values, and no more.

    Args:
        space: what to choose from.
        allowed: [D, K] the values that may be proposed; at least one decision has two.
        make: makes the other controller.
        applicable: tells of choices [B, D] of `space` which decisions matter; None: all.

    Raises:
        SpaceError: when the mask is none of the space, or leaves nothing to choose.
    """

    def __init__(
        self, space: Space, allowed: Allowed, make: Make, applicable: Applicable | None = None
    ) -> None:
        values = [np.flatnonzero(row) for row in checked(space, allowed)]
        self._open = np.array([d for d, row in enumerate(values) if len(row) > 1], np.int64)
        self._values = [values[d] for d in self._open]
        self._fixed = np.array([row[0] for row in values])
        decisions = [space.decisions[d] for d in self._open]
        narrow = Space(
            space.name,
            tuple(
                Decision(decision.name, tuple(decision.values[i] for i in row), decision.widths)
                for decision, row in zip(decisions, self._values, strict=True)
            ),
        )
        self._controller = make(narrow, self._matter(applicable) if applicable else None)

    def ask(self, count: int) -> ChoiceArray:
        """Propose choices: [count, D]."""
        return self._widened(self._controller.ask(count))

    def tell(self, choices: ChoiceArray, rewards: NDArray[np.float64]) -> None:
        """Pass the rewards [count] of the proposed choices on."""
        places = [
            np.searchsorted(row, choices[:, d])
            for d, row in zip(self._open, self._values, strict=True)
        ]
        self._controller.tell(np.stack(places, axis=1).astype(np.int64), rewards)

    def state(self) -> State:
        """That of the other controller."""
        return self._controller.state()

    def restore(self, state: State) -> None:
        """Continue from a `state`."""
        self._controller.restore(state)

    def _widened(self, narrow: ChoiceArray) -> ChoiceArray:
        choices = np.tile(self._fixed, (len(narrow), 1))
        for column, (d, row) in enumerate(zip(self._open, self._values, strict=True)):
            choices[:, d] = row[narrow[:, column]]
        return choices

    def _matter(self, applicable: Applicable) -> Applicable:
        return lambda narrow: applicable(self._widened(narrow))[:, self._open]
