"""The ask/tell contract of every controller."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from nahas.spaces.space import ChoiceArray

State = Mapping[str, NDArray[np.generic]]

Applicable = Callable[[ChoiceArray], NDArray[np.bool_]]
"""Tells of choices [B, D] which decisions matter [B, D]."""


class Controller(Protocol):
    """Proposes choices and learns from their rewards.

    One round is `choices = ask(count)`, then `tell(choices, rewards)` with the same rows. Some
    rounds may be asked for before the first of them is told; they are told in the order in which
    they were asked for. `state` holds everything, the random generator too, so that `restore`
    makes another controller of the same space and options continue bit for bit.
    """

    def ask(self, count: int) -> ChoiceArray:
        """Propose choices: [count, D]."""
        ...

    def tell(self, choices: ChoiceArray, rewards: NDArray[np.float64]) -> None:
        """Learn from the rewards [count] of the proposed choices."""
        ...

    def state(self) -> State:
        """All that the next proposals depend on, as named arrays."""
        ...

    def restore(self, state: State) -> None:
        """Continue from a `state`."""
        ...


@runtime_checkable
class MultiObjective(Protocol):
    """What a controller has besides when it learns from several objectives, not from one reward.

    A search has it learn in either way from its first round to its last.
    """

    def tell_objectives(self, choices: ChoiceArray, objectives: NDArray[np.float64]) -> None:
        """Learn from objectives [count, M], all to be minimised, inf of what cannot run."""
        ...
