"""Hardware spaces: seven decisions each, that make an accelerator.

`paper` has the paper's lists, 50,000 accelerators (paper notes, section 3.2), each of which can
run every network of the packaged spaces. `wide` extends them, mostly towards small memories, so
that a part of its accelerators cannot run some networks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from typing import Any

from nahas.datafiles import nearest, packaged, read_mapping
from nahas.errors import SpaceError
from nahas.hardware import Hardware, hardware_from, preset
from nahas.spaces.space import ChoiceArray, Decision, Space

DATA_FILE = "accelerator_space.yaml"

_SPACES = {
    "paper": ("accelerator", DATA_FILE),
    "wide": ("wide", "accelerator_space_wide.yaml"),
}
"""By the name that users type: the name of the space, and its lists."""

HARDWARE_SPACES = tuple(_SPACES)


@cache
def accelerator_space(name: str = "paper") -> Space:
    """The seven decisions of a hardware space; each is named as the field of `Hardware` it sets.

    Raises:
        SpaceError: for an unknown name, with those that are known.
    """
    if name not in _SPACES:
        raise SpaceError(
            f"unknown hardware space '{name}'{nearest(name, HARDWARE_SPACES)} "
            f"(known are {', '.join(HARDWARE_SPACES)})"
        )
    space, file = _SPACES[name]
    decisions = read_mapping(packaged(file))["decisions"]
    return Space(
        space,
        tuple(Decision(field, tuple(entry["values"])) for field, entry in decisions.items()),
    )


def hardware_space_name(space: Space) -> str:
    """What users type for a hardware space; the space's own name where they cannot."""
    return next((typed for typed, (name, _) in _SPACES.items() if name == space.name), space.name)


def hardware(values: Mapping[str, Any], space: Space | None = None) -> Hardware:
    """The accelerator with these values; clock, datapath and node are those of the baseline.

    Args:
        values: of every decision, by name.
        space: the hardware space they are of; None is the paper's.

    Raises:
        SpaceError: for an unknown or missing decision, or a value that the space lacks.
    """
    (space or accelerator_space()).choice(values)
    return replace(_baseline(), **values)


def accelerator_named(text: str, space: Space) -> ChoiceArray:
    """The choice [A] of an accelerator that a user names, which must be a point of the space.

    Args:
        text: a preset, a YAML file, or values like `pes_x=4,simd_units=32` in place of those of
            the baseline accelerator.
        space: the hardware space.

    Raises:
        SpaceError: when the space has no such accelerator, saying what it has.
        HardwareError: for an unknown preset or a bad file.
    """
    if "=" in text and not Path(text).is_file():
        return _with_values(text, space)
    return accelerator_point(hardware_from(text), space, text)


def accelerator_point(of: Hardware, space: Space, name: str) -> ChoiceArray:
    """The choice [A] of an accelerator called `name`, which must be a point of the space.

    Raises:
        SpaceError: naming the first field whose value the space lacks, and what it has.
    """
    decided = {decision.name: decision.values for decision in space.decisions}
    for field in fields(Hardware):
        value = getattr(of, field.name)
        has = decided.get(field.name, (getattr(_baseline(), field.name),))
        if value not in has:
            raise SpaceError(
                f"accelerator '{name}' is no point of hardware space "
                f"'{hardware_space_name(space)}': its {field.name} is {value!r}, but the space "
                f"has {', '.join(map(repr, has))}; name one like pes_x=4,pes_y=4"
            )
    return space.choice({name: getattr(of, name) for name in decided})


def _with_values(text: str, space: Space) -> ChoiceArray:
    decisions = {decision.name: decision for decision in space.decisions}
    values = {name: getattr(_baseline(), name) for name in decisions}
    for part in text.split(","):
        name, _, said = (word.strip() for word in part.partition("="))
        if name not in decisions:
            raise SpaceError(
                f"accelerator '{text}': '{name}' is no parameter of hardware space "
                f"'{hardware_space_name(space)}'{nearest(name, decisions)} "
                f"(it has {', '.join(decisions)})"
            )
        has = {f"{value:g}": value for value in decisions[name].values}
        if said not in has:
            raise SpaceError(
                f"accelerator '{text}': {name} is {said or 'nothing'}, but hardware space "
                f"'{hardware_space_name(space)}' has {', '.join(has)}"
            )
        values[name] = has[said]
    return space.choice(values)


@cache
def _baseline() -> Hardware:
    return preset(str(read_mapping(packaged(DATA_FILE))["baseline"]))
