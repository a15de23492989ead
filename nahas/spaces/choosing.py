"""Named choices inside a network function: how they are asked for, answered and noted."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, TypeVar

import numpy as np

from nahas.errors import SpaceError
from nahas.network import NETWORK_INPUT
from nahas.spaces.builder import Builder, Feature, LayerBuilder
from nahas.spaces.networks import Values
from nahas.spaces.space import Decision

V = TypeVar("V", bound=bool | int | float | str)

Part = Callable[..., Any]
"""A function (builder, choose) of a whole network or of the first part of a chain, or a function
(builder, tensor, choose) of a later part. It gives the tensor that its last layer makes."""

Shape = tuple[int, int, int]
"""Height, width and channels of a tensor."""

Found = Callable[[Decision, tuple[str, ...]], None]
"""Told of a decision that was not known, and of what was asked for before it."""

_NAME = re.compile(r"[A-Za-z_][\w.-]*", re.ASCII)
_WORD = re.compile(r"[\w.+-]+", re.ASCII)


class Choose(Protocol):
    """Asks for the value of a decision."""

    def __call__(self, name: str, values: Iterable[V], *, widths: bool = False) -> V:
        """The chosen one of `values`.

        Args:
            name: of the decision. Asked for again it has the same value, in other parts too.
            values: truth values, numbers or words; the first is the reference network's.
            widths: whether they are widths, narrowest first: `nahas.spaces.space.Decision`.
        """
        ...


class Chooser:
    """Answers the questions of one run of a part, and notes them.

    Args:
        space: name of the space.
        known: the decisions that have been found.
        values: the choice. Without `found` it must hold whatever is asked for.
        found: told of decisions that are not known; what is not in `values` then gets its first
            value.

    Attributes:
        asked: the value of every decision that was asked for, in that order.
    """

    def __init__(
        self, space: str, known: Mapping[str, Decision], values: Values, found: Found | None = None
    ) -> None:
        self.space = space
        self.asked: dict[str, Any] = {}
        self._known = known
        self._values = values
        self._found = found

    def __call__(self, name: str, values: Iterable[V], *, widths: bool = False) -> V:
        """The chosen value, as `Choose` says."""
        listed = tuple(values)
        known = self._known.get(name)
        if known is None or known.values != listed or known.widths != widths:
            known = self._agreed(known, self._decision(name, listed, widths))
        if self._found is None and name not in self._values:
            raise SpaceError(
                f"space '{self.space}': decision '{name}' is asked for with {told(self.asked)}, "
                "which was not found when the space was made: ask for it under a condition on "
                "one decision at a time, or before any condition"
            )
        chosen: V = self._values.get(name, known.values[0])
        self.asked[name] = chosen
        return chosen

    def _agreed(self, known: Decision | None, asked: Decision) -> Decision:
        if known is None:
            if self._found is not None:
                self._found(asked, tuple(self.asked))
            return asked
        if known != asked:
            raise SpaceError(
                f"space '{self.space}': decision '{known.name}' is one of {_listed(known)} in one "
                f"place and of {_listed(asked)} in another: give one of them another name"
            )
        return known

    def _decision(self, name: str, values: tuple[Any, ...], widths: bool) -> Decision:
        """A decision whose values a study can keep and a network's name can spell."""
        plain = tuple(v.item() if isinstance(v, np.generic) else v for v in values)
        about = f"space '{self.space}': decision '{name}'"
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise SpaceError(
                f"{about} has no usable name: use letters, digits, '_', '.' and '-', a letter first"
            )
        for value in plain:
            if not isinstance(value, bool | int | float | str) or not _WORD.fullmatch(spelt(value)):
                raise SpaceError(
                    f"{about} has the value {value!r}: allowed are truth values, numbers, and "
                    "words of letters, digits, '_', '.', '+' and '-'"
                )
        if len({spelt(value) for value in plain}) < len(plain):
            raise SpaceError(f"{about} has values that are written alike: {plain}")
        if widths and (any(isinstance(v, str) for v in plain) or list(plain) != sorted(plain)):
            raise SpaceError(f"{about} has the widths {plain}: give numbers, the narrowest first")
        return Decision(name, plain, widths)


def run(part: Part, on: Builder[Any], x: Any, chooser: Chooser) -> Any:
    """Add a part to a tensor, or begin a network with it where there is none.

    Raises:
        SpaceError: naming the choice, whatever the part raises.
    """
    try:
        return part(on, chooser) if x is None else part(on, x, chooser)
    except SpaceError:
        raise
    except Exception as error:
        raise SpaceError(
            f"space '{chooser.space}': '{name_of(part)}' fails with {told(chooser.asked)} "
            f"({type(error).__name__}: {error}): every choice must make a network"
        ) from error


def shape_after(part: Part, shape: Shape | None, chooser: Chooser) -> Shape:
    """The shape of the tensor that a part makes of one of `shape`.

    Raises:
        SpaceError: when the part fails, or gives no tensor.
    """
    x = None if shape is None else Feature(NETWORK_INPUT, *shape)
    made = run(part, LayerBuilder(chooser.space), x, chooser)
    if not isinstance(made, Feature):
        raise SpaceError(
            f"space '{chooser.space}': '{name_of(part)}' returns {made!r}, no tensor, with "
            f"{told(chooser.asked)}: return what its last layer makes"
        )
    return made.height, made.width, made.channels


def name_of(part: Part) -> str:
    """What a part is called in sentences."""
    function = getattr(part, "func", part)
    return str(getattr(function, "__name__", type(function).__name__))


def spelt(value: bool | int | float | str) -> str:
    """A value as the name of a network has it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def told(values: Values) -> str:
    """A choice in a sentence."""
    return ", ".join(f"{name}={spelt(value)}" for name, value in values.items()) or "no choice made"


def _listed(decision: Decision) -> str:
    return f"{list(decision.values)}{' (widths)' if decision.widths else ''}"
