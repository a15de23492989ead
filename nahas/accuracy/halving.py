"""Which of the children that are trained together go on, and how far."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace

from nahas.accuracy.ledger import Child
from nahas.children.training import Reason
from nahas.errors import AccuracyError

Plan = Generator[tuple[Sequence[str], int], Mapping[str, Child], Mapping[str, Child]]
"""Gives names of children and the epochs to train them for, is sent what became of them, and
returns what became of all."""


@dataclass(frozen=True, kw_only=True)
class Halving:
    """Successive halving of the children that are asked for together.

    All are trained for `first` epochs, the best go on until they have had `factor` times as many,
    the best of those again, until the recipe's epochs are done (Jamieson and Talwalkar,
    arXiv 1502.07943).

    Attributes:
        first: epochs that every child gets.
        keep: share of the children that go on, rounded up.
        factor: of the epochs from rung to rung.

    Raises:
        AccuracyError: for a value that stops none or all.
    """

    first: int = 1
    keep: float = 0.5
    factor: int = 2

    def __post_init__(self) -> None:
        rules = {
            "first": (self.first >= 1, "at least 1"),
            "keep": (0 < self.keep < 1, "above 0 and below 1"),
            "factor": (self.factor >= 2, "at least 2"),
        }
        for name, (kept, allowed) in rules.items():
            if not kept:
                raise AccuracyError(
                    f"halving: {name} is {getattr(self, name)!r}, but it must be {allowed}"
                )

    def rungs(self, epochs: int) -> list[int]:
        """Epochs that a child has had where some are stopped, and at its end."""
        rungs, rung = [], self.first
        while rung < epochs:
            rungs.append(rung)
            rung *= self.factor
        return [*rungs, epochs]

    def plan(self, names: Sequence[str], epochs: int) -> Plan:
        """The rungs of some children, until the last has had so many epochs."""
        alive, children = list(names), dict[str, Child]()
        rungs = self.rungs(epochs)
        for rung in rungs:
            children |= yield alive, rung
            if rung != rungs[-1]:
                alive = self._sorted_out(alive, children)
        return children

    def _sorted_out(self, alive: Sequence[str], children: dict[str, Child]) -> list[str]:
        """Who goes on; the others are marked as stopped, unless they have ended by themselves."""
        going = [name for name in alive if children[name].reason == Reason.DONE]
        best = sorted(going, key=lambda name: -children[name].accuracy_percent)
        kept = set(best[: math.ceil(self.keep * len(going))])
        for name in going:
            if name not in kept:
                children[name] = replace(children[name], reason=Reason.STOPPED.value)
        return [name for name in going if name in kept]


def whole(names: Sequence[str], epochs: int) -> Plan:
    """All to their end."""
    children = yield names, epochs
    return children
