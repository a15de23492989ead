"""A space of one's own: an ordinary network function that chooses by name.

::

    @network_space
    def mine(on, choose):
        width = choose("width", (16, 24, 32), widths=True)
        x = on.conv(on.input(32, 32, 3), width, kernel=3)
        for block in range(choose("depth", (1, 2, 3))):
            x = on.depthwise(x, kernel=choose(f"kernel{block}", (3, 5, 7)))
        return on.dense(on.global_pool(x), 10)

`mine` is a `nahas.spaces.networks.NetworkSpace`, as those of nahas are. Its decisions are found by
running the function (`nahas.spaces.explore`): `kernel2` is met where `depth` is 3, and applies
there alone. `docs/own_spaces.md` says when to write a space as several functions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from math import prod
from threading import Lock
from typing import Any, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from nahas.errors import SpaceError
from nahas.spaces.builder import Builder
from nahas.spaces.choosing import Choose, Chooser, Part, Shape, name_of, run, shape_after, spelt
from nahas.spaces.explore import Found, explore
from nahas.spaces.networks import Link, NetworkSpace, Values
from nahas.spaces.space import ChoiceArray, Space

__all__ = ["Choose", "network_space"]

MOST_CHOICES = 2**50
"""Choices that one part may have: they are numbered, together with the shapes that it reads."""

KEPT_STEPS = 100_000
"""Choices of parts of which it is remembered what they ask for: some 30 MB."""

_NAME = re.compile(r"[A-Za-z_][\w-]*", re.ASCII)


@overload
def network_space(
    *, name: str | None = None, reference: Values | None = None
) -> Callable[[Part], NetworkSpace]: ...


@overload
def network_space(
    *parts: Part, name: str | None = None, reference: Values | None = None
) -> NetworkSpace: ...


def network_space(
    *parts: Part, name: str | None = None, reference: Values | None = None
) -> NetworkSpace | Callable[[Part], NetworkSpace]:
    """The space of the networks that a function describes, or a chain of functions.

    A function must do the same whenever it is given the same values. What a later part of a chain
    adds may depend on its own choices and on the channels of its tensor alone; so it is read once
    for each, and a chain is quicker to search than one function.

    Args:
        parts: functions of the network's parts, first to last; without any, a decorator.
        name: of the space; None takes that of the one function.
        reference: values of the network that relative targets of a search go by; decisions that
            are not named have their first value.

    Raises:
        SpaceError: when a function fails for a choice, asks for no decision, or for one name with
            different values; when a later part of a chain shrinks its map by a choice; when
            `name` or `reference` means nothing. A choice that was not tried raises it when it
            is met.
    """
    if not parts:
        return lambda part: network_space(part, name=name, reference=reference)
    if name is None and len(parts) > 1:
        raise SpaceError("a space of several parts has no name: give network_space a name=...")
    called = name_of(parts[0]) if name is None else name
    if not _NAME.fullmatch(called):
        raise SpaceError(
            f"a space cannot be called '{called}': use letters, digits, '_' and '-', a letter first"
        )
    chain = _Chain(called, parts, explore(called, parts))
    made = NetworkSpace(
        chain.space,
        chain.links(),
        chain.spell,
        chain.read,
        applies=chain.applies,
        reference=dict(reference or {}),
    )
    _ = made.reference_choice  # raises where the reference is not of the space
    return made


class _Step(NamedTuple):
    """What a part does to a tensor of one shape, its decisions made.

    Attributes:
        shape: number of the shape of the tensor that it gives.
        asks: [A] which of its decisions it asks for.
    """

    shape: int
    asks: list[bool]


class _Chain:
    """What a `NetworkSpace` of parts is made of."""

    def __init__(self, name: str, parts: tuple[Part, ...], found: Found) -> None:
        if not found.decisions:
            raise SpaceError(
                f"space '{name}': its network makes no choice: "
                "a search needs at least one choose(name, values)"
            )
        self.space = Space(name, found.decisions)
        self._parts = parts
        self._asks = found.asks
        self._decisions = {decision.name: decision for decision in found.decisions}
        names = list(self._decisions)
        self._columns = [[names.index(asked) for asked in of_part] for of_part in found.asks]
        self._shapes: list[Shape | None] = [None]
        self._steps: dict[tuple[int, int, int], _Step] = {}
        self._lock = Lock()
        for part, columns in zip(parts, self._columns, strict=True):
            size = prod(self.space.cardinalities[columns].tolist())
            if size > MOST_CHOICES:
                raise SpaceError(
                    f"space '{name}': '{name_of(part)}' has {size:.2g} choices, more than the "
                    f"{MOST_CHOICES:.2g} that one part may have: write it as a chain of parts"
                )

    def links(self) -> tuple[Link, ...]:
        """A link for every part."""
        return tuple(Link(asks, partial(self._build, i)) for i, asks in enumerate(self._asks))

    def _build(self, part: int, on: Builder[Any], x: Any, values: Values) -> Any:
        chooser = Chooser(self.space.name, self._decisions, values)
        return run(self._parts[part], on, x if part else None, chooser)

    def applies(self, choices: ChoiceArray) -> NDArray[np.bool_]:
        """[B, D] whether the network asks for a decision: it is run to see."""
        asked = np.zeros(choices.shape, dtype=np.bool_)
        shapes = np.zeros(len(choices), np.int64)
        with self._lock:
            for part, columns in enumerate(self._columns):
                radix = (max(1, len(self._shapes)), *self.space.cardinalities[columns])
                code = np.ravel_multi_index((shapes, *choices[:, columns].T), radix)
                _, first, which = np.unique(code, return_index=True, return_inverse=True)
                steps = [self._step(part, int(shapes[at]), choices[at]) for at in first]
                asked[:, columns] |= np.array([step.asks for step in steps], bool)[which]
                shapes = np.array([step.shape for step in steps])[which]
        return asked

    def _step(self, part: int, shape: int, choice: ChoiceArray) -> _Step:
        columns = self._columns[part]
        radix = tuple(self.space.cardinalities[columns])
        code = int(np.ravel_multi_index(tuple(choice[columns]), radix)) if columns else 0
        key = (part, shape, code)
        if key not in self._steps:
            values = self.space.values(choice)
            own = {name: values[name] for name in self._asks[part]}
            chooser = Chooser(self.space.name, self._decisions, own)
            made = shape_after(self._parts[part], self._shapes[shape], chooser)
            if made not in self._shapes:
                self._shapes.append(made)
            if len(self._steps) >= KEPT_STEPS:
                self._steps.clear()
            asks = [name in chooser.asked for name in self._asks[part]]
            self._steps[key] = _Step(self._shapes.index(made), asks)
        return self._steps[key]

    def spell(self, values: Values) -> str:
        """Named values as text: those of the decisions that apply, `width=16,depth=2`."""
        return ",".join(f"{name}={spelt(values[name])}" for name in self._applying(values))

    def _applying(self, values: Values) -> Iterator[str]:
        (applies,) = self.applies(self.space.choice(values)[np.newaxis])
        return (d.name for d, used in zip(self.space.decisions, applies, strict=True) if used)

    def read(self, text: str) -> Values | None:
        """The reverse of `spell`, with first values where it says none; None for other texts."""
        values = {decision.name: decision.values[0] for decision in self.space.decisions}
        for entry in text.split(","):
            name, _, value = entry.partition("=")
            decision = self._decisions.get(name)
            found = [v for v in decision.values if spelt(v) == value] if decision else []
            if not found:
                return None
            values[name] = found[0]
        return values if self.spell(values) == text else None
