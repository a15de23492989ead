"""Decisions that change a network only where other decisions have certain values."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.errors import SpaceError
from nahas.spaces.space import ChoiceArray, Space


@dataclass(frozen=True)
class Condition:
    """A decision that changes the network only where another one has certain values.

    Attributes:
        decision: which one.
        given: the other one. Where that one changes nothing, neither does `decision`.
        values: those of `given` with which `decision` applies.
    """

    decision: str
    given: str
    values: tuple[Any, ...]


@dataclass(frozen=True)
class Conditions:
    """Says of choices which of their decisions apply: a `NetworkSpace.applies`.

    Attributes:
        space: of the decisions.
        conditions: all of a decision's must hold; a decision without any always applies.

    Raises:
        SpaceError: when a condition names a decision or value that is not there, or is given a
            decision that does not stand before its own.
    """

    space: Space
    conditions: tuple[Condition, ...]

    def __post_init__(self) -> None:
        _ = self._columns

    def __call__(self, choices: ChoiceArray) -> NDArray[np.bool_]:
        """[B, D] whether a decision of choices [B, D] changes the network."""
        applies = np.ones(choices.shape, dtype=np.bool_)
        for column, given, allowed in self._columns:
            applies[:, column] &= applies[:, given] & allowed[choices[:, given]]
        return applies

    @cached_property
    def _columns(self) -> list[tuple[int, int, NDArray[np.bool_]]]:
        """Columns of the decision and of what it goes by, and with which indices it applies.

        In the order of the decisions, so that what a decision goes by is settled before it.
        """
        columns = {decision.name: i for i, decision in enumerate(self.space.decisions)}
        found = []
        for condition in self.conditions:
            for name in (condition.decision, condition.given):
                if name not in columns:
                    raise SpaceError(
                        f"space '{self.space.name}': a condition names '{name}', "
                        "which is no decision"
                    )
            column, given = columns[condition.decision], columns[condition.given]
            if given >= column:
                raise SpaceError(
                    f"space '{self.space.name}': a condition of '{condition.decision}' is given "
                    f"'{condition.given}', which does not stand before it: put it there"
                )
            allowed = np.zeros(self.space.cardinalities[given], dtype=np.bool_)
            allowed[[self.space.decisions[given].index(value) for value in condition.values]] = True
            found.append((column, given, allowed))
        return sorted(found, key=lambda of: of[0])
