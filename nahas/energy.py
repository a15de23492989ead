"""Energy per access, leakage and area of an accelerator, from tables whose every row has a source.

On-chip memories come from CACTI (data/sram.csv), arithmetic, DRAM and the area of a MAC from
data/energy_constants.csv. A user replaces either file by one of the same name in a folder.
"""

from __future__ import annotations

import csv
import hashlib
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from functools import cache, cached_property
from itertools import pairwise
from math import exp, isfinite, log
from pathlib import Path

from nahas.datafiles import nearest, packaged
from nahas.errors import EnergyError
from nahas.hardware import BYTES_PER_KB, BYTES_PER_MB, Hardware

SRAM_FILE = "sram.csv"
CONSTANTS_FILE = "energy_constants.csv"
SRAM_NUMBERS = ("size_kb", "read_pj_per_byte", "write_pj_per_byte", "area_mm2", "leakage_mw")
CONSTANTS = {
    "mac_energy": "pJ",
    "vector_op_energy": "pJ",
    "dram_read_energy": "pJ/byte",
    "dram_write_energy": "pJ/byte",
    "mac_area": "um2",
}
MM2_PER_UM2 = 1e-6


@dataclass(frozen=True, kw_only=True)
class AccessEnergies:
    """What one event costs on one accelerator, in pJ, and what the chip leaks.

    Attributes:
        mac_pj: a multiply and its accumulation, at the accelerator's widths.
        vector_op_pj: one element of a vector layer: a rescaled add, comparison or product of
            activations.
        register_file_read_pj_per_byte: a byte read from the register file of one lane, in
            rows of 64 bytes; the other fields of memories likewise.
        leakage_mw: static power of all on-chip memories of the chip; logic is left out.
    """

    mac_pj: float
    vector_op_pj: float
    register_file_read_pj_per_byte: float
    register_file_write_pj_per_byte: float
    local_memory_read_pj_per_byte: float
    local_memory_write_pj_per_byte: float
    dram_read_pj_per_byte: float
    dram_write_pj_per_byte: float
    leakage_mw: float


@dataclass(frozen=True)
class Sram:
    """One memory: its size, energy per byte in rows of 64 bytes, area and leakage."""

    size_kb: float
    read_pj_per_byte: float
    write_pj_per_byte: float
    area_mm2: float
    leakage_mw: float


@dataclass(frozen=True)
class Tables:
    """The numbers behind every energy and area.

    Attributes:
        srams: by node in nm, the computed memories by rising size; at least two of each node.
        constants: by name (`CONSTANTS`) and node.
    """

    srams: Mapping[int, tuple[Sram, ...]]
    constants: Mapping[tuple[str, int], float]

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hex digits of all numbers; sources and row order do not count."""
        numbers = sorted((node, *astuple(s)) for node, row in self.srams.items() for s in row)
        content = repr((numbers, sorted(self.constants.items())))
        return hashlib.sha256(content.encode()).hexdigest()[:16]

    def sram(
        self, size_kb: float, technology_nm: int, field: str = "size_kb", value: float | None = None
    ) -> Sram:
        """The memory of this size, log-log between the two computed sizes around it.

        Energy, area and leakage of CACTI's memories follow powers of the size piecewise, and
        a line in log-log is a power law through both neighbours.

        Args:
            size_kb: in 2**10 bytes.
            technology_nm: node of the tables.
            field: what the user calls the size; its name ends in its unit, kb or mb.
            value: what the user gave, in that unit.

        Raises:
            EnergyError: naming `field`, where the size is outside the table; an array of
                another size would need another CACTI run.
        """
        points = self.srams[self.node(technology_nm)]
        smallest, largest = points[0].size_kb, points[-1].size_kb
        if not smallest <= size_kb <= largest:
            unit = field.rpartition("_")[2]
            kb = BYTES_PER_MB / BYTES_PER_KB if unit == "mb" else 1.0
            raise EnergyError(
                f"{field} is {size_kb if value is None else value:g}, but the SRAM table at "
                f"{technology_nm} nm holds {smallest / kb:g} to {largest / kb:g} {unit.upper()}"
            )
        above = bisect_left(points, size_kb, lo=1, key=lambda point: point.size_kb)
        low, high = points[above - 1], points[above]
        for computed in (low, high):
            if computed.size_kb == size_kb:  # not through exp and log, which lose the last digit
                return computed
        share = log(size_kb / low.size_kb) / log(high.size_kb / low.size_kb)
        return Sram(
            *(
                exp((1 - share) * log(a) + share * log(b))
                for a, b in zip(astuple(low), astuple(high), strict=True)
            )
        )

    def constant(self, name: str, technology_nm: int) -> float:
        """A constant of `CONSTANTS` at a node, in the unit given there."""
        return self.constants[name, self.node(technology_nm)]

    def node(self, technology_nm: int) -> int:
        """The node itself, or an EnergyError that lists the nodes of the tables."""
        if technology_nm not in self.srams:
            nodes = ", ".join(str(node) for node in sorted(self.srams))
            raise EnergyError(
                f"technology_nm is {technology_nm}, but the energy tables hold {nodes} nm only"
            )
        return technology_nm


def access_energies(hardware: Hardware, tables: Tables | None = None) -> AccessEnergies:
    """Energy of each kind of access on this accelerator; `tables` default to the packaged ones.

    Raises:
        EnergyError: when the node or a memory size is outside the tables.
    """
    tables = tables or packaged_tables()
    node = hardware.technology_nm
    registers, local = _memories(hardware, tables)
    lanes = hardware.pes * hardware.compute_lanes
    _, activation, partial_sum = hardware.widths
    on_activations = (activation, activation, partial_sum)
    return AccessEnergies(
        mac_pj=mac_energy_pj(node, hardware.widths, tables),
        vector_op_pj=tables.constant("vector_op_energy", node) * _relative_energy(on_activations),
        register_file_read_pj_per_byte=registers.read_pj_per_byte,
        register_file_write_pj_per_byte=registers.write_pj_per_byte,
        local_memory_read_pj_per_byte=local.read_pj_per_byte,
        local_memory_write_pj_per_byte=local.write_pj_per_byte,
        dram_read_pj_per_byte=tables.constant("dram_read_energy", node),
        dram_write_pj_per_byte=tables.constant("dram_write_energy", node),
        leakage_mw=hardware.pes * local.leakage_mw + lanes * registers.leakage_mw,
    )


def mac_energy_pj(
    technology_nm: int,
    widths: tuple[int, int, int] = (8, 8, 32),
    tables: Tables | None = None,
) -> float:
    """Energy of a multiply-accumulate of these widths: weight, activation and partial sum, bits.

    Raises:
        EnergyError: when the node is outside the tables.
    """
    tables = tables or packaged_tables()
    return tables.constant("mac_energy", technology_nm) * _relative_energy(widths)


def _relative_energy(widths: tuple[int, int, int]) -> float:
    """Energy of a multiply-accumulate of these widths, in ones of int8 into int32.

    Of an int8 multiply into an int32 sum Horowitz gives 0.2 pJ to the multiplier and 0.1 pJ to the
    adder (ISSCC 2014, 45 nm). A multiplier scales with the product of its widths (Aladdin's rule:
    quadratically with width), an adder with its width. [paper notes 10.5]
    """
    return _scaled(widths, 2 / 3, 1 / 3)


def _relative_area(widths: tuple[int, int, int]) -> float:
    """Area of a multiply-accumulator of these widths, in ones of int8 into int32.

    Aladdin gives 397 square micrometres to the 8-bit multiplier and 278 to the 32-bit adder
    (40 nm), and the same rule of scaling. [paper notes 10.5; the row mac_area]
    """
    return _scaled(widths, 397 / 675, 278 / 675)


def _scaled(widths: tuple[int, int, int], multiplier: float, adder: float) -> float:
    """Shares of an int8 multiplier and an int32 adder, at other widths."""
    weight, activation, partial_sum = widths
    return multiplier * (weight * activation / (8 * 8)) + adder * (partial_sum / 32)


def area_mm2(hardware: Hardware, tables: Tables | None = None) -> float:
    """Area of the PEs: local memories, register files and multiply-accumulators.

    PEs x (local memory + lanes x (register file + SIMD units x MACs each)). Left out, for want
    of published numbers: I/O and DRAM interface, network on chip, instruction memories, control.
    Compare areas as multiples of `edge-baseline` (paper notes 10.4).

    Raises:
        EnergyError: when the node or a memory size is outside the tables.
    """
    tables = tables or packaged_tables()
    registers, local = _memories(hardware, tables)
    mac_um2 = tables.constant("mac_area", hardware.technology_nm)
    mac_mm2 = mac_um2 * _relative_area(hardware.widths) * MM2_PER_UM2
    lane = registers.area_mm2 + hardware.simd_units * hardware.macs_per_simd * mac_mm2
    return hardware.pes * (local.area_mm2 + hardware.compute_lanes * lane)


@cache
def packaged_tables() -> Tables:
    """The tables that ship with nahas."""
    return _read_tables(packaged(SRAM_FILE), packaged(CONSTANTS_FILE))


def load_tables(path: str | Path) -> Tables:
    """Tables of a user's folder; where one of the two files is absent, the packaged one serves.

    Raises:
        EnergyError: when neither file is there, or a row is incomplete.
    """
    folder = Path(path)
    if not any((folder / name).is_file() for name in (SRAM_FILE, CONSTANTS_FILE)):
        raise EnergyError(
            f"{folder}: holds neither {SRAM_FILE} nor {CONSTANTS_FILE}; "
            "give a folder with one of them or both"
        )
    sram, constants = (
        folder / name if (folder / name).is_file() else packaged(name)
        for name in (SRAM_FILE, CONSTANTS_FILE)
    )
    return _read_tables(sram, constants)


def _memories(hardware: Hardware, tables: Tables) -> tuple[Sram, Sram]:
    """Register file and local memory of the accelerator."""
    node, registers_kb = hardware.technology_nm, hardware.register_file_kb
    local_kb = hardware.local_memory_bytes / BYTES_PER_KB
    return (
        tables.sram(registers_kb, node, "register_file_kb", registers_kb),
        tables.sram(local_kb, node, "local_memory_mb", hardware.local_memory_mb),
    )


def _read_tables(sram_path: Path, constants_path: Path) -> Tables:
    srams = _read_srams(sram_path)
    constants = _read_constants(constants_path)
    for node in srams:
        for name in CONSTANTS:
            if (name, node) not in constants:
                raise EnergyError(
                    f"{constants_path}: has no {name} at {node} nm, a node of {sram_path}"
                )
    return Tables(srams, constants)


def _read_srams(path: Path) -> dict[int, tuple[Sram, ...]]:
    rows: dict[int, list[Sram]] = {}
    for where, row in _rows(path, ("technology_nm", *SRAM_NUMBERS, "source")):
        node = int(_number(where, row, "technology_nm"))
        rows.setdefault(node, []).append(Sram(*(_number(where, row, n) for n in SRAM_NUMBERS)))
    for node, points in rows.items():
        points.sort(key=lambda point: point.size_kb)
        if len(points) < 2:
            raise EnergyError(f"{path}: has one size at {node} nm, but two or more are needed")
        for low, high in pairwise(points):
            if low.size_kb == high.size_kb:
                raise EnergyError(f"{path}: has {low.size_kb:g} KB at {node} nm twice")
    return {node: tuple(points) for node, points in rows.items()}


def _read_constants(path: Path) -> dict[tuple[str, int], float]:
    constants: dict[tuple[str, int], float] = {}
    for where, row in _rows(path, ("quantity", "technology_nm", "value", "unit", "source")):
        name, node = row["quantity"], int(_number(where, row, "technology_nm"))
        if name not in CONSTANTS:
            raise EnergyError(f"{where}: unknown quantity '{name}'{nearest(name, [*CONSTANTS])}")
        if row["unit"] != CONSTANTS[name]:
            raise EnergyError(
                f"{where}: {name} is in '{row['unit']}', but {CONSTANTS[name]} is due"
            )
        if (name, node) in constants:
            raise EnergyError(f"{where}: {name} at {node} nm stands twice")
        constants[name, node] = _number(where, row, "value")
    return constants


def _rows(path: Path, columns: tuple[str, ...]) -> list[tuple[str, dict[str, str]]]:
    """The rows of a CSV file, each with 'file:line', all columns there and no source empty."""
    try:
        with path.open(newline="", encoding="utf-8") as lines:
            reader = csv.DictReader(lines)
            header = reader.fieldnames or ()
            rows = [(f"{path}:{reader.line_num}", row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as problem:
        raise EnergyError(f"{path}: cannot be read ({problem})") from problem
    missing = [name for name in columns if name not in header]
    if missing or not rows:
        raise EnergyError(f"{path}: lacks {f'the columns {missing}' if missing else 'any row'}")
    for where, row in rows:
        empty = [name for name in columns if not (row[name] or "").strip()]
        if empty:
            raise EnergyError(f"{where}: '{empty[0]}' is empty")
    return rows


def _number(where: str, row: dict[str, str], name: str) -> float:
    try:
        value = float(row[name])
    except ValueError:
        value = float("nan")
    if not isfinite(value) or value <= 0:
        raise EnergyError(f"{where}: {name} is '{row[name]}', but it must be a number above 0")
    return value
