"""Search spaces: named categorical decisions, and choices as rows of small integers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.errors import SpaceError

ChoiceArray = NDArray[np.int64]

MOST_CODES = 1 << 62
"""What a code of int64 may count."""


@dataclass(frozen=True)
class Decision:
    """One named categorical decision and the values it may take, in order.

    Attributes:
        name: unique in its space.
        values: what may be chosen.
        widths: whether the values are widths, narrowest first. Networks that share weights take
            a slice of the widest; every other decision is one between operations.

    Raises:
        SpaceError: when there is no value, or a value stands twice.
    """

    name: str
    values: tuple[Any, ...]
    widths: bool = False

    def __post_init__(self) -> None:
        if not self.values:
            raise SpaceError(f"decision '{self.name}' has no values: a decision needs at least one")
        if len(set(self.values)) != len(self.values):
            raise SpaceError(f"decision '{self.name}' lists a value twice: {self.values}")

    def index(self, value: object) -> int:
        """The position of `value`, or a SpaceError that lists what is allowed."""
        for position, allowed in enumerate(self.values):
            if allowed == value and isinstance(allowed, bool) == isinstance(value, bool):
                return position
        raise SpaceError(f"decision '{self.name}' is {value!r}: allowed are {list(self.values)}")


@dataclass(frozen=True)
class Space:
    """A tuple of decisions. A choice is one value index per decision.

    Raises:
        SpaceError: when the space is empty or two decisions share a name.
    """

    name: str
    decisions: tuple[Decision, ...]

    def __post_init__(self) -> None:
        if not self.decisions:
            raise SpaceError(f"space '{self.name}' is empty: a search needs at least one decision")
        names = [decision.name for decision in self.decisions]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise SpaceError(f"space '{self.name}' names these decisions twice: {twice}")

    @cached_property
    def cardinalities(self) -> NDArray[np.int64]:
        """[D] number of values of each decision."""
        return np.array([len(decision.values) for decision in self.decisions], dtype=np.int64)

    @property
    def size(self) -> int:
        """Number of distinct choices, exact."""
        return prod(len(decision.values) for decision in self.decisions)

    def sample(self, count: int, rng: np.random.Generator) -> ChoiceArray:
        """Draw choices uniformly: [count, D]."""
        return rng.integers(
            0, self.cardinalities, size=(count, len(self.decisions)), dtype=np.int64
        )

    def check(self, choices: ChoiceArray) -> None:
        """Raise a SpaceError unless `choices` is [B, D] with every index in range."""
        if choices.ndim != 2 or choices.shape[1] != len(self.decisions):
            raise SpaceError(
                f"space '{self.name}' has {len(self.decisions)} decisions, "
                f"but the choices have shape {choices.shape}"
            )
        good = (choices >= 0) & (choices < self.cardinalities)
        if not good.all():
            row, column = np.argwhere(~good)[0]
            decision = self.decisions[column]
            raise SpaceError(
                f"choice {row}: index {choices[row, column]} of decision '{decision.name}' "
                f"is outside 0 to {len(decision.values) - 1}"
            )

    def values(self, choice: ChoiceArray) -> dict[str, Any]:
        """The named values of one choice [D]."""
        self.check(choice[None, :])
        return {d.name: d.values[int(i)] for d, i in zip(self.decisions, choice, strict=True)}

    def choice(self, values: Mapping[str, Any]) -> ChoiceArray:
        """The choice [D] with these named values; the reverse of `values`."""
        names = [decision.name for decision in self.decisions]
        for name in values:
            if name not in names:
                near = get_close_matches(name, names, 1)
                hint = f"; did you mean '{near[0]}'?" if near else ""
                raise SpaceError(f"space '{self.name}': unknown decision '{name}'{hint}")
        missing = [name for name in names if name not in values]
        if missing:
            raise SpaceError(f"space '{self.name}': no value for decisions {missing}")
        return np.array([d.index(values[d.name]) for d in self.decisions], dtype=np.int64)

    def split(self, choices: ChoiceArray, parts: Sequence[Space]) -> list[ChoiceArray]:
        """Cut [B, D] into the columns of the spaces it was joined from."""
        widths = np.cumsum([len(part.decisions) for part in parts])[:-1]
        return list(np.split(choices, widths, axis=1))


def join(name: str, parts: Sequence[Space]) -> Space:
    """One space of all decisions of `parts`, in order."""
    return Space(name, tuple(d for part in parts for d in part.decisions))


def codes(rows: ChoiceArray) -> NDArray[np.int64]:
    """Whole numbers [N] that stand in the order of rows [N, D], row by row; equal ones are alike.

    For sorting: one number a row is quicker to compare than D.
    """
    found, size = np.zeros(len(rows), np.int64), 1
    for column in (rows - rows.min(axis=0, initial=0)).T:
        radix = int(column.max(initial=0)) + 1
        if size * radix > MOST_CODES:
            found = np.unique(found, return_inverse=True)[1].reshape(-1)
            size = int(found.max(initial=0)) + 1
        found, size = found * radix + column, size * radix
    return found
