"""The ask/tell contract of every controller."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from nahas.spaces.space import ChoiceArray

State = Mapping[str, NDArray[np.generic]]


class Controller(Protocol):
    """Proposes choices and learns from their rewards.

    One round is `choices = ask(count)`, then `tell(choices, rewards)` with the same rows.
    `state` between rounds holds everything, the random generator too, so that `restore` makes
    another controller of the same space and options continue bit for bit.
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
