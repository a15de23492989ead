"""The paper's hardware space: seven decisions, 50,000 accelerators (paper notes, section 3.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from nahas.datafiles import packaged, read_mapping
from nahas.hardware import Hardware, preset
from nahas.spaces.space import Decision, Space

DATA_FILE = "accelerator_space.yaml"


@cache
def accelerator_space() -> Space:
    """The seven decisions; each is named as the field of `Hardware` that it sets."""
    decisions = read_mapping(packaged(DATA_FILE))["decisions"]
    return Space(
        "accelerator",
        tuple(Decision(name, tuple(entry["values"])) for name, entry in decisions.items()),
    )


def hardware(values: Mapping[str, Any]) -> Hardware:
    """The accelerator with these values; clock, datapath and node are those of the baseline.

    Raises:
        SpaceError: for an unknown or missing decision, or a value that the space lacks.
    """
    accelerator_space().choice(values)
    return replace(_baseline(), **values)


@cache
def _baseline() -> Hardware:
    return preset(str(read_mapping(packaged(DATA_FILE))["baseline"]))
