"""Finds the decisions of network functions, by running them."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nahas.errors import SpaceError
from nahas.spaces.choosing import Chooser, Part, Shape, name_of, shape_after
from nahas.spaces.space import Decision

MOST_RUNS = 1000
"""Networks of a part that are looked at, but for those that every value of a decision needs."""


@dataclass(frozen=True)
class Found:
    """The decisions of a chain of parts.

    Attributes:
        decisions: of all, in the order in which networks ask for them.
        asks: names of those of each part, in that order.
    """

    decisions: tuple[Decision, ...]
    asks: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class _State:
    """What a part of a chain depends on, but for decisions of its own.

    Attributes:
        shape: of the tensor that it reads; None at the beginning.
        shared: values of decisions that several parts ask for, made in earlier parts.
    """

    shape: Shape | None
    shared: tuple[tuple[str, Any], ...] = ()


def explore(space: str, parts: Sequence[Part]) -> Found:
    """The decisions of a chain of parts.

    Every value of a decision is tried where the decision is first met: with what was chosen
    before it there, and with first values after it. This finds any decision whose conditions are on
    one decision each, however deep they are nested. Then networks that differ from those in one
    more value are tried, then in two, until none is left or `MOST_RUNS` are reached. So a part
    with no more networks than that is known entirely.

    Raises:
        SpaceError: as `nahas.spaces.own.network_space`.
    """
    explorer = _Explorer(space, parts)
    shared: frozenset[str] = frozenset()
    while more := explorer.run(shared):
        shared |= more
    order = explorer.order
    return Found(
        tuple(explorer.known[name] for name in order),
        tuple(tuple(n for n in order if n in asked) for asked in explorer.asks),
    )


class _Explorer:
    """What is known so far of a chain of parts.

    Attributes:
        known: the decisions by name.
        order: their names in the order in which networks ask for them.
        asks: names of those of each part.
    """

    def __init__(self, space: str, parts: Sequence[Part]) -> None:
        self.known: dict[str, Decision] = {}
        self.order: list[str] = []
        self.asks: list[set[str]] = []
        self._space = space
        self._parts = parts
        self._number = 0

    def run(self, shared: frozenset[str]) -> frozenset[str]:
        """Run every part in all states that it can be in.

        Returns:
            Decisions that several parts ask for and that are not among `shared`. Such a one ends
            the run: later parts were given values that do not belong to the tensor they read.
        """
        self.asks = [set() for _ in self._parts]
        states = {_State(None)}
        for number, part in enumerate(self._parts):
            self._number = number
            left: dict[_State, set[_State]] = {}
            try:
                for state in sorted(states, key=repr):
                    left[state] = self._left(number, state, shared)
                self._check_maps(part, left)
            except SpaceError:
                if not self._shared_with_earlier(number) - shared:
                    raise
            if more := self._shared_with_earlier(number) - shared:
                return more
            states = set().union(*left.values())
        return frozenset()

    def _shared_with_earlier(self, number: int) -> frozenset[str]:
        return frozenset(self.asks[number].intersection(set().union(*self.asks[:number])))

    def _left(self, number: int, entered: _State, shared: frozenset[str]) -> set[_State]:
        """The states in which a part leaves a network, over its choices."""
        made_before = dict(entered.shared)
        fresh, later = deque([made_before]), deque[dict[str, Any]]()
        tried: set[tuple[str, Any]] = set()
        left: set[_State] = set()
        runs = 0
        while fresh or later:
            given = (fresh or later).popleft()
            runs += 1
            chooser = Chooser(self._space, self.known, given, self._add)
            try:
                shape = shape_after(self._parts[number], entered.shape, chooser)
            finally:
                self.asks[number] |= chooser.asked.keys()
            kept = made_before | {n: v for n, v in chooser.asked.items() if n in shared}
            left.add(_State(shape, tuple(sorted(kept.items()))))
            so_far = dict(made_before)
            for name, value in chooser.asked.items():
                for other in () if name in given else self.known[name].values[1:]:
                    if (name, other) not in tried:
                        tried.add((name, other))
                        fresh.append({**so_far, name: other})
                    elif runs + len(later) < MOST_RUNS:
                        later.append({**so_far, name: other})
                so_far[name] = value
        return left

    def _add(self, decision: Decision, before: tuple[str, ...]) -> None:
        """Note a decision, behind those of earlier parts and the one that was asked before it."""
        self.known[decision.name] = decision
        self.order.insert(self._place(before), decision.name)

    def _place(self, before: tuple[str, ...]) -> int:
        earlier = set().union(*self.asks[: self._number], before[-1:])
        return max((self.order.index(name) for name in earlier), default=-1) + 1

    def _check_maps(self, part: Part, left: Mapping[_State, set[_State]]) -> None:
        """Refuse a later part that shrinks a map by a choice: `for_task` could not read it."""
        maps: dict[tuple[int, int], set[tuple[int, int]]] = {}
        for entered, states in left.items():
            if entered.shape is not None:
                made = {state.shape[:2] for state in states if state.shape is not None}
                maps.setdefault(entered.shape[:2], set()).update(made)
        for (height, width), made in maps.items():
            if len(made) > 1:
                told = " or ".join(f"{h} x {w}" for h, w in sorted(made))
                raise SpaceError(
                    f"space '{self._space}': part '{name_of(part)}' makes maps of {told} from "
                    f"one of {height} x {width}, as is chosen, but a later part of a chain must "
                    "shrink all alike: write the space as one function"
                )
