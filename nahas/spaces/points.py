"""All accelerators of a hardware space as the kernels read them, made at once.

What an access costs follows from the memories alone, and the rest is arithmetic. So for each
pair of memories the formulas of one accelerator are read once, with arrays in place of numbers.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nahas.energy import Tables, area_mm2
from nahas.errors import EnergyError
from nahas.hardware import Hardware
from nahas.kernels.records import HardwareRow
from nahas.sequence import row_of
from nahas.spaces.accelerator import hardware
from nahas.spaces.space import Space

ARITHMETIC = ("pes_x", "pes_y", "simd_units", "compute_lanes", "io_gb_per_s")
"""Fields of `Hardware` in which every formula of energy and area is plain arithmetic."""

MOST = 1 << 18
"""Accelerators of a space up to which all are made: some 50 MB. The wide space has 200,000."""


@dataclass(frozen=True)
class Points:
    """The accelerators of a space, A in all, by their number in the order of its decisions.

    Attributes:
        rows: [A, 23] float64, records.HARDWARE.
        clock_mhz, area_mm2: [A].
        known: [A] whether the tables hold its memories.
    """

    rows: NDArray[np.float64]
    clock_mhz: NDArray[np.float64]
    area_mm2: NDArray[np.float64]
    known: NDArray[np.bool_]


def points_of(space: Space, tables: Tables) -> Points | None:
    """The accelerators of a hardware space; None where there are more than `MOST`.

    Raises:
        HardwareError: when a value of a decision is none that an accelerator may have.
    """
    if space.size > MOST:
        return None
    found = Points(
        rows=np.zeros((space.size, len(HardwareRow._fields))),
        clock_mhz=np.zeros(space.size),
        area_mm2=np.zeros(space.size),
        known=np.zeros(space.size, np.bool_),
    )
    for members, one, columns in _groups(space):
        many = copy.copy(one)
        vars(many).update(columns)  # fields that are arrays [M]: the formulas do not mind
        try:
            row, area = row_of(many, tables), area_mm2(many, tables)
        except EnergyError:
            continue  # told where one of them is asked for
        for column, value in enumerate(row):
            found.rows[members, column] = value
        found.clock_mhz[members] = many.clock_mhz
        found.area_mm2[members] = area
        found.known[members] = True
    return found


def _groups(
    space: Space,
) -> Iterator[tuple[NDArray[np.int64], Hardware, Mapping[str, NDArray[np.float64]]]]:
    """Groups of accelerators that differ in `ARITHMETIC` alone.

    Gives the numbers [M] of each group's members, its first, and the fields [M] in which they
    differ.
    """
    cardinalities = tuple(space.cardinalities.tolist())
    choices = np.stack(np.unravel_index(np.arange(space.size), cardinalities), axis=1)
    plain = [i for i, d in enumerate(space.decisions) if d.name in ARITHMETIC]
    others = [i for i in range(len(space.decisions)) if i not in plain]
    radix = np.array([*cardinalities, 1])[others]
    group = np.zeros(space.size, np.int64)
    for column, size in zip(others, radix.tolist(), strict=True):
        group = group * size + choices[:, column]
    for number in range(int(radix.prod())):
        members = np.flatnonzero(group == number)
        one = hardware(space.values(choices[members[0]]), space)
        columns = {}
        for i in plain:
            decision = space.decisions[i]
            for value in decision.values:
                replace(one, **{decision.name: value})  # raises where it may not be
            columns[decision.name] = np.array(decision.values)[choices[members, i]]
        yield members, one, columns
