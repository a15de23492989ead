"""Hardware spaces: seven decisions each, that make an accelerator.

`paper` has the paper's lists, 50,000 accelerators (paper notes, section 3.2), each of which can
run every network of the packaged spaces. `wide` extends them, mostly towards small memories, so
that a part of its accelerators cannot run some networks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from nahas.datafiles import nearest, packaged, read_mapping
from nahas.errors import SpaceError
from nahas.hardware import Hardware, preset
from nahas.spaces.space import Decision, Space

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


@cache
def _baseline() -> Hardware:
    return preset(str(read_mapping(packaged(DATA_FILE))["baseline"]))
