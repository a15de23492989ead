"""Rows of DOSA's Gemmini data: a layer, a mapping as text, and what it took.

A mapping names four memories, outermost first, each with the tensors that it keeps and its loops;
an X marks the loop that is spread over the array below::

    L3[WIO] K8 Q28 - L2[WI] N1 K4X - L1[O] K2 S7 R7 Q4 P7 C3X - L0[W] P16

L3 is DRAM, L2 the scratchpad, L1 the accumulators and L0 one register per PE. Columns of PEs take
different output channels, each with an accumulator of its own; rows take different input channels.
Scratchpad and accumulators keep different tensors and no loop stands between them, so our local
memory holds both: each word moves between the same two places as it does there, and since outputs
of two columns are different words, one memory of outputs counts what all accumulators count.
"""

from __future__ import annotations

import csv
import io
import re
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path

from nahas.errors import InteropError, NahasError
from nahas.layers import Layer
from nahas.mapping import Loop
from nahas.mapping import Mapping as LoopNest
from nahas.templates import ALL
from nahas.vocabulary import Dim, Slot, Tensor

RTL_FILE = "firesim_train.csv"
TIMELOOP_FILE = "timeloop_dataset.csv.tar.gz"
TIMELOOP_MEMBER = "dataset.csv"

_KEPT = {"L3": "WIO", "L2": "WI", "L1": "O", "L0": "W"}
_SPREAD = {"L2": Dim.K, "L1": Dim.C}
_TEMPORAL = {"L3": Slot.DRAM, "L1": Slot.LOCAL_MEMORY, "L0": Slot.REGISTER_FILE}
_LEVEL = re.compile(r"(L\d)\[([WIO]+)\] (.+)")
_FACTOR = re.compile(r"([NCKPQRS])([1-9]\d*)(X?)")


@dataclass(frozen=True)
class GemminiRow:
    """One row of the data.

    Attributes:
        text: the mapping as it was written.
        nest: the mapping; it covers the layer.
        cycles: what the row's source says the layer takes.
        energy_uj: likewise.
        architecture: the whole numbers of the columns `arch.*`, by the rest of their names.
    """

    layer: Layer
    text: str
    nest: LoopNest
    cycles: float
    energy_uj: float
    architecture: Mapping[str, int]

    @property
    def dram(self) -> tuple[tuple[Dim, int], ...]:
        """The loops of DRAM, outermost first."""
        return tuple((loop.dim, loop.count) for loop in self.nest.loops if loop.slot == Slot.DRAM)

    @property
    def tile(self) -> dict[Dim, int]:
        """How far the loops below DRAM reach, by dim."""
        inside = [loop for loop in self.nest.loops if loop.slot != Slot.DRAM]
        return {dim: prod(loop.count for loop in inside if loop.dim == dim) for dim in Dim}

    def spread(self, dim: Dim) -> int:
        """Over how many columns (K) or rows (C) of PEs a dim is spread."""
        return prod(loop.count for loop in self.nest.loops if loop.is_spatial and loop.dim == dim)


def parse_nest(text: str) -> LoopNest:
    """The mapping that a text such as the one above says; loops of count 1 are left out.

    Raises:
        InteropError: when the text is no such mapping, or one that has no place here.
    """
    parts = [_LEVEL.fullmatch(part) for part in text.split(" - ")]
    if [part and (part[1], part[2]) for part in parts] != list(_KEPT.items()):
        needed = " - ".join(f"{level}[{kept}] ..." for level, kept in _KEPT.items())
        raise InteropError(f"the mapping '{text}' does not have the form '{needed}'")
    loops: list[Loop] = []
    for level, factors in ((part[1], part[3]) for part in parts if part):
        for factor in factors.split(" "):
            read = _FACTOR.fullmatch(factor)
            if read is None:
                raise InteropError(
                    f"the factor '{factor}' in {level} of '{text}' is not a dim of N C K P Q R S, "
                    "a count of at least 1 and perhaps an X, as in 'K4X'"
                )
            loops += _loop(level, Dim[read[1]], int(read[2]), read[3] == "X")
    return LoopNest(tuple(sorted(loops, key=lambda loop: loop.slot)), _keep())


def _loop(level: str, dim: Dim, count: int, spread: bool) -> Iterator[Loop]:
    """A loop in its slot, or none when it counts 1."""
    if count == 1:
        return
    if spread and _SPREAD.get(level) != dim:
        raise InteropError(
            f"{level} spreads {dim.name}, but columns of PEs are given K in L2 and rows C in L1"
        )
    if not spread and level not in _TEMPORAL:
        raise InteropError(
            f"{level} has a loop {dim.name}{count} between scratchpad and accumulator, "
            "but both are one memory here, so there can be none"
        )
    yield Loop(Slot.LANE_ARRAY if spread else _TEMPORAL[level], dim, count)


def _keep() -> tuple[frozenset[Tensor], frozenset[Tensor], frozenset[Tensor]]:
    return (ALL, ALL, frozenset({Tensor.WEIGHTS}))


def row_of(columns: Mapping[str, str | None]) -> GemminiRow:
    """The row that the columns of a line hold.

    Raises:
        InteropError: when a column is missing or not a number, or the mapping is none.
        MappingError: when the mapping does not cover the layer.
    """
    layer = _layer_of(columns)
    text = columns.get("mapping.mapping") or ""
    nest = parse_nest(text)
    nest.check(layer)
    return GemminiRow(
        layer=layer,
        text=text,
        nest=nest,
        cycles=_number(columns, "target.cycle"),
        energy_uj=_number(columns, "target.energy"),
        architecture={
            name.removeprefix("arch."): int(value)
            for name, value in columns.items()
            if name.startswith("arch.") and value and value.isdigit()
        },
    )


def _layer_of(columns: Mapping[str, str | None]) -> Layer:
    """The layer, named after its shape; W is the axis of P and R, H that of Q and S."""
    names = ("N", "K", "C", "P", "Q", "R", "S", "Wstride", "Hstride", "Wdilation", "Hdilation")
    shape = {name: _whole(columns, f"prob.{name}") for name in names}
    return Layer(
        name=" ".join(f"{name}{value}" for name, value in shape.items()),
        n=shape["N"],
        k=shape["K"],
        c=shape["C"],
        p=shape["P"],
        q=shape["Q"],
        r=shape["R"],
        s=shape["S"],
        stride_p=shape["Wstride"],
        stride_q=shape["Hstride"],
        dilation_r=shape["Wdilation"],
        dilation_s=shape["Hdilation"],
    )


def read_rtl(folder: Path) -> list[GemminiRow]:
    """The rows whose cycles are those of simulated RTL.

    Raises:
        InteropError: when the file is missing, or a line is damaged.
    """
    path = folder / RTL_FILE
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return list(_rows(csv.DictReader(file), path))
    except OSError as problem:
        raise InteropError(f"{path}: cannot be read ({problem.strerror or problem})") from problem


def read_timeloop_lines(folder: Path) -> list[dict[str, str]]:
    """The lines whose cycles and energies are Timeloop's, by column; see `rows_of`.

    Raises:
        InteropError: when the archive is missing or is not one that holds them.
    """
    path = folder / TIMELOOP_FILE
    try:
        with tarfile.open(path) as archive:
            member = archive.extractfile(TIMELOOP_MEMBER)
            if member is None:
                raise InteropError(f"{path}: '{TIMELOOP_MEMBER}' in it is not a file")
            return list(csv.DictReader(io.TextIOWrapper(member, encoding="utf-8", newline="")))
    except (OSError, tarfile.TarError, KeyError) as problem:
        raise InteropError(
            f"{path}: is not a readable archive that holds '{TIMELOOP_MEMBER}' ({problem})"
        ) from problem


def rows_of(lines: Iterable[Mapping[str, str]], folder: Path) -> list[GemminiRow]:
    """The rows of some lines of `read_timeloop_lines`."""
    return list(_rows(lines, folder / TIMELOOP_FILE))


def _rows(lines: Iterable[Mapping[str, str | None]], path: Path) -> Iterator[GemminiRow]:
    for number, columns in enumerate(lines, start=1):
        try:
            yield row_of(columns)
        except NahasError as problem:
            raise InteropError(f"{path}: row {number}: {problem}") from problem


def _number(columns: Mapping[str, str | None], name: str) -> float:
    value = columns.get(name)
    try:
        number = float(value or "")
    except ValueError:
        number = -1.0
    if not 0 < number < float("inf"):
        raise InteropError(f"'{name}' is {value!r}, but it must be a number above 0")
    return number


def _whole(columns: Mapping[str, str | None], name: str) -> int:
    number = _number(columns, name)
    if number != int(number):
        raise InteropError(f"'{name}' is {columns[name]!r}, but it must be a whole number")
    return int(number)
