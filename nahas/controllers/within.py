"""Any controller within the values that are allowed: it sees a smaller space.

A controller of the whole space with a mask would have to be taught masks, as plug-ins are not,
and would still decide what is decided already. Instead it is made for the space of the allowed
values alone, without the decisions that are fixed, and its choices are put back into the whole.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from nahas.controllers.allowed import Allowed, checked
from nahas.controllers.base import Applicable, Controller, MultiObjective, State
from nahas.spaces.space import ChoiceArray, Decision, Space

Make = Callable[[Space, Applicable | None], Controller]
"""Makes a controller of a space, given which of its decisions matter."""


class Within:
    """A controller of some values of a space.

    It has `tell_objectives` where the controller inside has.

    Args:
        space: the whole space.
        allowed: [D, K] the values that may be proposed.
        make: the controller of the smaller space.
        applicable: tells of choices [B, D] of the whole space which decisions matter [B, D].

    Raises:
        SpaceError: when the mask means nothing.
    """

    tell_objectives: Callable[[ChoiceArray, NDArray[np.float64]], None]

    def __init__(
        self, space: Space, allowed: Allowed, make: Make, applicable: Applicable | None = None
    ) -> None:
        self._part = Part(space, allowed)
        self._controller = inside = make(
            self._part.space, self._part.applicable(applicable) if applicable else None
        )
        if isinstance(inside, MultiObjective):
            self.tell_objectives = lambda choices, objectives: inside.tell_objectives(
                self._part.taken(choices), objectives
            )

    def ask(self, count: int) -> ChoiceArray:
        """Propose choices of the whole space: [count, D]."""
        return self._part.put_back(self._controller.ask(count))

    def tell(self, choices: ChoiceArray, rewards: NDArray[np.float64]) -> None:
        """Learn from the rewards [count] of the proposed choices."""
        self._controller.tell(self._part.taken(choices), rewards)

    def state(self) -> State:
        """The state of the controller inside."""
        return self._controller.state()

    def restore(self, state: State) -> None:
        """Continue from a `state`."""
        self._controller.restore(state)


class Part:
    """The part of a space that a mask allows, as a space [F decisions] of its own.

    Attributes:
        space: the decisions that have a choice left, with the values left to them; where none
            has, the first decision with its one value.
    """

    def __init__(self, space: Space, allowed: Allowed) -> None:
        masks = checked(space, allowed)
        counts = masks.sum(axis=1)
        free = np.flatnonzero(counts > 1)
        self._free = free if free.size else np.zeros(1, np.int64)
        self._first = masks.argmax(axis=1)
        decisions = [space.decisions[d] for d in self._free]
        values = [np.flatnonzero(masks[d]) for d in self._free]
        self.space = Space(space.name, tuple(map(_part_of, decisions, values)))
        self._values = np.zeros((len(values), masks.shape[1]), np.int64)
        self._ranks = np.zeros_like(self._values)
        for row, indices in enumerate(values):
            self._values[row, : len(indices)] = indices
            self._ranks[row, indices] = np.arange(len(indices))

    def put_back(self, choices: ChoiceArray) -> ChoiceArray:
        """Choices [B, D] of the whole space, from [B, F] of the part."""
        whole = np.repeat(self._first[None], len(choices), axis=0)
        whole[:, self._free] = self._values[np.arange(len(self._free)), choices]
        return whole

    def taken(self, choices: ChoiceArray) -> ChoiceArray:
        """Choices [B, F] of the part, from [B, D] of the whole space; the reverse."""
        part: ChoiceArray = self._ranks[np.arange(len(self._free)), choices[:, self._free]]
        return part

    def applicable(self, whole: Applicable) -> Applicable:
        """Which decisions [B, F] of the part's choices matter, by what tells it of the whole."""
        return lambda choices: whole(self.put_back(choices))[:, self._free]


def _part_of(decision: Decision, indices: NDArray[np.int64]) -> Decision:
    values = tuple(decision.values[i] for i in indices)
    return Decision(decision.name, values, decision.widths)
