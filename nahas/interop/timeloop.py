"""Reference cases of Timeloop: a layer, a hierarchy, a mapping and what Timeloop counts for it.

A file holds `cases`, each with `id`, `problem`, `energy_pj_per_word`, `mapping` and `expected`.
Its hierarchy DRAM, GLB, RF with spatial loops under GLB and RF reads as our levels: GLB is the
local memory, its spatial loops spread the lane array, and no loop stands above it. A depthwise
problem has its channels in C; here they are groups. Other keys are passed over.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nahas.errors import InteropError, LayerError, MappingError
from nahas.layers import Layer
from nahas.mapping import READ, SHARED, WRITE, Loop, Mapping
from nahas.templates import ALL
from nahas.vocabulary import Access, Dim, LayerKind, Level, Slot, Tensor

LEVELS = {"DRAM": Level.DRAM, "GLB": Level.LOCAL_MEMORY, "RF": Level.REGISTER_FILE}
TENSORS = {"Weights": Tensor.WEIGHTS, "Inputs": Tensor.INPUTS, "Outputs": Tensor.OUTPUTS}
ACCESSES = {"reads": Access.READS, "fills": Access.FILLS, "updates": Access.UPDATES}
SLOTS = {
    "DRAM_temporal": Slot.DRAM,
    "GLB_temporal": Slot.LOCAL_MEMORY,
    "GLB_spatial_y": Slot.LANE_ARRAY,
    "GLB_spatial_x": Slot.LANE_ARRAY,
    "RF_temporal": Slot.REGISTER_FILE,
    "RF_spatial_x": Slot.DATAPATH,
}
BANDWIDTHS = {"read": READ, "write": WRITE, "shared": SHARED}
KINDS = ("conv", "depthwise")
NUMBER = (int, float)
MISSING = object()
MOST = 2**53
"""Larger counts would not be exact in the file's own arithmetic."""

SUMMARIES = ("computes", "utilized_macs")
FIGURES = (
    "utilized_instances",
    "tile_words",
    "partition_words",
    "temporal_reductions_per_instance",
    "energy_pj_total",
    *(f"{access}_per_instance" for access in ACCESSES),
)
"""Numbers that a file may give for a case, and for a level and tensor."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Variant:
    """One run of a case under bandwidth limits: words per cycle [levels, 3], and its cycles."""

    name: str
    words_per_cycle: npt.NDArray[np.float64]
    cycles: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """One case of the file.

    Attributes:
        has_neighbour_links: whether words also travel between neighbours, which we do not model.
        pj_per_word: float64 [levels, accesses].
        counts: int64 [levels, tensors, accesses], counts to hold to, over all instances.
        default_counts: the same from Timeloop's default analysis, which extrapolates; equal to
            `counts` unless that went wrong.
        summaries: those of SUMMARIES that the file gives.
        figures: those of FIGURES that it gives, by level name and tensor name.
    """

    name: str
    layer: Layer
    mapping: Mapping
    has_neighbour_links: bool
    pj_per_word: npt.NDArray[np.float64]
    mac_pj: float
    counts: npt.NDArray[np.int64]
    default_counts: npt.NDArray[np.int64]
    compute_cycles: int
    energy_pj: float
    variants: tuple[Variant, ...]
    summaries: dict[str, float]
    figures: dict[tuple[str, str], dict[str, float]]


@dataclass(frozen=True)
class Record:
    """A JSON object of the file, and where it stands, for messages."""

    where: str
    value: dict[str, Any]

    def read(self, key: str, *types: type, default: Any = MISSING) -> Any:
        """The value of `key`, which must be of one of the types.

        Raises:
            InteropError: when it is missing and has no default, or is of another type.
        """
        value = self.value.get(key, default)
        if value is MISSING:
            raise InteropError(f"{self.where}: '{key}' is missing")
        # In Python true is an int too; null says the same as leaving an optional key out.
        right = isinstance(value, types) and (bool in types or not isinstance(value, bool))
        if right or value is default:
            return value
        wanted = " or ".join(_SPOKEN[kind] for kind in types)
        raise InteropError(f"{self.where}: '{key}' is {value!r}, but it must be {wanted}")

    def part(self, key: str) -> Record:
        """The object under `key`."""
        return Record(f"{self.where}: {key}", self.read(key, dict))

    def count(self, key: str, *, least: int = 0, default: Any = MISSING) -> int:
        """The whole number under `key`, at least `least`."""
        value = self.read(key, int, default=default)
        if not least <= value <= MOST:
            raise InteropError(
                f"{self.where}: '{key}' is {value}, but it must be a whole number from {least} "
                f"to {MOST}"
            )
        return int(value)

    def amount(self, key: str, *, above_zero: bool = False) -> float:
        """The finite number under `key`, not negative."""
        value = float(self.read(key, *NUMBER))
        if not np.isfinite(value) or value < 0 or (above_zero and value == 0):
            least = "above 0" if above_zero else "from 0 on"
            raise InteropError(f"{self.where}: '{key}' is {value}, but it must be a number {least}")
        return value

    def given(self, keys: Sequence[str]) -> dict[str, float]:
        """The numbers under those of the keys that are there."""
        read = {key: self.read(key, *NUMBER, default=None) for key in keys}
        return {key: value for key, value in read.items() if value is not None}

    def parts(self, keys: Sequence[str]) -> dict[str, Record]:
        """The objects under those of the keys that are there."""
        there = (key for key in keys if self.read(key, dict, default=None) is not None)
        return {key: self.part(key) for key in there}


_SPOKEN: dict[type, str] = {
    dict: "an object",
    list: "a list",
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
}


def read_cases(path: Path) -> tuple[Case, ...]:
    """All cases of a file.

    Raises:
        InteropError: when the file cannot be read, or a key of a case is missing or wrong; the
            message names the case and the key.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InteropError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise InteropError(f"{path}: is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise InteropError(f"{path}: holds no object with 'cases'")
    listed = Record(str(path), document).read("cases", list)
    if not listed:
        raise InteropError(f"{path}: 'cases' is empty, so there is nothing to compare")
    cases = []
    for number, value in enumerate(listed, start=1):
        if not isinstance(value, dict):
            raise InteropError(f"{path}: case {number} of 'cases' is not an object")
        name = Record(f"{path}: case {number}", value).read("id", str)
        cases.append(_case(name, Record(f"{path}: case '{name}'", value)))
    return tuple(cases)


def _case(name: str, record: Record) -> Case:
    mapping, expected = record.part("mapping"), record.part("expected")
    energies = record.part("energy_pj_per_word")
    default_counts = _counts(expected.part("levels"), "_total")
    counts = default_counts
    if record.read("totals_without_extrapolation", dict, default=None) is not None:
        counts = _counts(record.part("totals_without_extrapolation"), "")
    try:
        layer = _layer(record.part("problem"))
        nest = _mapping(mapping, layer)
        nest.check(layer)
    except (LayerError, MappingError) as error:
        raise InteropError(f"{record.where}: {error}") from error
    return Case(
        name=name,
        layer=layer,
        mapping=nest,
        has_neighbour_links=mapping.read("neighbour_links", bool, default=False),
        pj_per_word=np.array([_energies(energies, level.lower()) for level in LEVELS]),
        mac_pj=energies.amount("mac"),
        counts=counts,
        default_counts=default_counts,
        compute_cycles=expected.count("compute_cycles", least=1),
        energy_pj=expected.amount("energy_pj_total"),
        variants=_variants(expected),
        summaries=expected.given(SUMMARIES),
        figures=_figures(expected.part("levels")),
    )


def _layer(record: Record) -> Layer:
    kind = record.read("kind", str, default="conv")
    if kind not in KINDS:
        raise InteropError(f"{record.where}: 'kind' is '{kind}', but it is one of {_list(KINDS)}")
    depthwise = kind == "depthwise"
    dims = {key.lower(): record.count(key, least=1) for key in "NCPQRS"}
    if depthwise:
        dims["g"] = dims.pop("c")
    else:
        dims["k"] = record.count("K", least=1)
    for key in ("stride_p", "stride_q", "dilation_r", "dilation_s"):
        dims[key] = record.count(key, least=1, default=1)
    return Layer(name=kind, kind=LayerKind.CONVOLUTION, **dims)


def _mapping(record: Record, layer: Layer) -> Mapping:
    loops: list[Loop] = []
    for key, slot in SLOTS.items():
        for value in record.read(key, list, default=[]):
            loops.append(_loop(record, key, slot, value))
            if layer.is_depthwise and loops[-1].dim is Dim.C:
                loops[-1] = Loop(slot, Dim.G, loops[-1].count)
    stores = record.part("keep")
    kept = [_kept(stores, level) for level in ("GLB", "RF")]
    return Mapping(tuple(loops), (ALL, kept[0], kept[1]))


def _loop(record: Record, key: str, slot: Slot, value: Any) -> Loop:
    right = isinstance(value, list) and len(value) == 2 and isinstance(value[1], int)
    if not right or value[0] not in ("N", "K", "C", "P", "Q", "R", "S") or value[1] < 1:
        raise InteropError(
            f"{record.where}: '{key}' holds {value!r}, but a loop is a dim out of N, K, C, P, Q, "
            "R, S and a whole number above 0"
        )
    return Loop(slot, Dim[value[0]], value[1])


def _kept(record: Record, level: str) -> frozenset[Tensor]:
    names: list[Any] = record.read(level, list)
    for name in names:
        if name not in TENSORS:
            raise InteropError(
                f"{record.where}: '{level}' holds {name!r}, but a level keeps {_list(TENSORS)}"
            )
    return frozenset(TENSORS[name] for name in names)


def _energies(record: Record, level: str) -> list[float]:
    if isinstance(record.read(level, dict, *NUMBER), dict):
        return [record.part(level).amount(key) for key in ("read", "fill", "update")]
    return [record.amount(level)] * len(Access)


def _counts(record: Record, ending: str) -> npt.NDArray[np.int64]:
    """Counts [levels, tensors, accesses]; a level or tensor that is not there has none."""
    counts = np.zeros((len(Level), len(Tensor), len(Access)), np.int64)
    for level, tensors in record.parts(tuple(LEVELS)).items():
        for tensor, words in tensors.parts(tuple(TENSORS)).items():
            for access, column in ACCESSES.items():
                counts[LEVELS[level], TENSORS[tensor], column] = words.count(access + ending)
    return counts


def _variants(record: Record) -> tuple[Variant, ...]:
    variants = []
    for number, value in enumerate(record.read("bandwidth_variants", list, default=[]), start=1):
        where = f"{record.where}: bandwidth_variants {number}"
        if not isinstance(value, dict):
            raise InteropError(f"{where} is not an object")
        variant = Record(where, value)
        limits = variant.part("bandwidth_words_per_cycle_per_instance")
        table = np.full((len(Level), len(BANDWIDTHS)), np.inf)
        for key in limits.value:
            level, _, which = key.removesuffix("_bandwidth").partition("_")
            if level.upper() not in LEVELS or which not in BANDWIDTHS:
                raise InteropError(f"{limits.where}: '{key}' is no bandwidth of DRAM, GLB or RF")
            table[LEVELS[level.upper()], BANDWIDTHS[which]] = limits.amount(key, above_zero=True)
        name = " ".join(
            f"{key.removesuffix('_bandwidth')}={limits.value[key]}" for key in limits.value
        )
        cycles = variant.count("cycles", least=1)
        variants.append(Variant(name=name, words_per_cycle=table, cycles=cycles))
    return tuple(variants)


def _figures(record: Record) -> dict[tuple[str, str], dict[str, float]]:
    return {
        (level, tensor): words.given(FIGURES)
        for level, tensors in record.parts(tuple(LEVELS)).items()
        for tensor, words in tensors.parts(tuple(TENSORS)).items()
    }


def _list(names: Sequence[str] | dict[str, Any]) -> str:
    return ", ".join(names)
