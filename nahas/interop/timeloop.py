"""Reference cases of Timeloop: a layer, a hierarchy, a mapping and what Timeloop counts for it.

A file holds `cases`, each with `id`, `problem`, `energy_pj_per_word`, `mapping` and `expected`.
Its hierarchy DRAM, GLB, RF with spatial loops under GLB and RF reads as our levels: GLB is the
local memory, its spatial loops spread the lane array, and no loop stands above it. A depthwise
problem has its channels in C; here they are groups. In these parts a key that is not known is
refused, for what it says would be passed over; beside them (`note`, more of `arch`) keys are free.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nahas.errors import InteropError, LayerError, MappingError
from nahas.interop.record import LEAST_AMOUNT, MOST, NUMBER, Record, read_object, shown
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
ARRAY = {"GLB_spatial_x": "pe_x", "GLB_spatial_y": "pe_y", "RF_spatial_x": "macs_per_pe"}
"""What bounds the spatial loops of each list, of `arch`."""

CAPACITIES = {"GLB": "glb_words", "RF": "rf_words"}
"""What bounds the tiles that a level keeps, of `arch`."""

DIMS = ("N", "K", "C", "P", "Q", "R", "S")
STEPS = ("stride_p", "stride_q", "dilation_r", "dilation_s")
BANDWIDTHS = {
    f"{level.lower()}_{which}_bandwidth": (LEVELS[level], column)
    for level in LEVELS
    for which, column in (("read", READ), ("write", WRITE), ("shared", SHARED))
}
KINDS = ("conv", "depthwise")

SUMMARIES = ("computes", "utilized_macs", "utilization", "energy_pj_mac")
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
    """One run of a case under bandwidth limits.

    Attributes:
        words_per_cycle: limits [levels, 3].
        cycles: under all limits.
        levels: what the file gives for a level under its own limits: cycles, throttling.
    """

    name: str
    words_per_cycle: npt.NDArray[np.float64]
    cycles: int
    levels: dict[str, dict[str, float]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """One case of the file.

    Attributes:
        has_neighbour_links: whether words also travel between neighbours, which we do not model.
        fan_out: how many instances the spatial loops of each key of ARRAY make.
        arch: those values of ARRAY and CAPACITIES that the file gives.
        pj_per_word: float64 [levels, accesses].
        counts: int64 [levels, tensors, accesses], counts to hold to, over all instances.
        default_counts: the same from Timeloop's default analysis, which extrapolates; equal to
            `counts` unless that went wrong.
        summaries: those of SUMMARIES that the file gives, and `macs`.
        figures: those of FIGURES that it gives and `kept`, by level name and tensor name.
    """

    name: str
    layer: Layer
    mapping: Mapping
    has_neighbour_links: bool
    fan_out: dict[str, int]
    arch: dict[str, int]
    pj_per_word: npt.NDArray[np.float64]
    mac_pj: float
    counts: npt.NDArray[np.int64]
    default_counts: npt.NDArray[np.int64]
    compute_cycles: int
    energy_pj: float
    variants: tuple[Variant, ...]
    summaries: dict[str, float]
    figures: dict[tuple[str, str], dict[str, float]]


def read_cases(path: Path) -> tuple[Case, ...]:
    """All cases of a file.

    Raises:
        InteropError: when the file cannot be read, or a key of a case is missing, wrong or
            unknown; the message names the case and the key.
    """
    listed = read_object(path).read("cases", list)
    if not listed:
        raise InteropError(f"{path}: 'cases' is empty, so there is nothing to compare")
    cases = []
    for number, value in enumerate(listed, start=1):
        if not isinstance(value, dict):
            raise InteropError(f"{path}: case {number} of 'cases' is not an object")
        numbered = Record(f"{path}: case {number}", value)
        name = numbered.read("id", str)
        if not name.isprintable():
            raise numbered.wrong("id", name, "a text that can be printed on a line")
        cases.append(_case(name, Record(f"{path}: case '{name}'", value)))
    return tuple(cases)


def _case(name: str, record: Record) -> Case:
    mapping, expected = record.part("mapping"), record.part("expected")
    default_counts = _counts(expected.part("levels"), "_total", (*FIGURES, "kept"))
    counts = default_counts
    if record.read("totals_without_extrapolation", dict, default=None) is not None:
        counts = _counts(record.part("totals_without_extrapolation"), "", ())
    try:
        layer = _layer(record.part("problem"))
        nest = _mapping(mapping, layer)
        nest.check(layer)
    except (LayerError, MappingError) as error:
        raise InteropError(f"{record.where}: {error}") from error
    energies = record.part("energy_pj_per_word")
    energies.only((*(level.lower() for level in LEVELS), "mac"))
    expected.only((*SUMMARIES, "compute_cycles", "energy_pj_total", "levels", "bandwidth_variants"))
    arch = _arch(record)
    summaries = expected.numbers(SUMMARIES) | record.part("problem").numbers(("macs",))
    if "utilization" in summaries and not arch.keys() >= set(ARRAY.values()):
        raise InteropError(
            f"{expected.where}: 'utilization' is a share of the array, but 'arch' does not give "
            f"all of {', '.join(ARRAY.values())}"
        )
    return Case(
        name=name,
        layer=layer,
        mapping=nest,
        has_neighbour_links=mapping.read("neighbour_links", bool, default=False),
        fan_out={key: prod(count for _, count in mapping.value.get(key) or []) for key in ARRAY},
        arch=arch,
        pj_per_word=np.array([_energies(energies, level.lower()) for level in LEVELS]),
        mac_pj=energies.amount("mac"),
        counts=counts,
        default_counts=default_counts,
        compute_cycles=expected.count("compute_cycles", least=1),
        energy_pj=expected.amount("energy_pj_total"),
        variants=_variants(expected),
        summaries=summaries,
        figures=_figures(expected.part("levels")),
    )


def _arch(record: Record) -> dict[str, int]:
    if record.read("arch", dict, default=None) is None:
        return {}
    arch = record.part("arch")
    known = (*ARRAY.values(), *CAPACITIES.values())
    return {
        key: arch.count(key, least=1)
        for key in known
        if arch.read(key, int, default=None) is not None
    }


def _layer(record: Record) -> Layer:
    record.only(("kind", *DIMS, *STEPS, "macs"))
    kind = record.read("kind", str, default="conv")
    if kind not in KINDS:
        raise record.wrong("kind", kind, f"one of {', '.join(KINDS)}")
    depthwise = kind == "depthwise"
    dims = {key.lower(): record.count(key, least=1) for key in DIMS if key != "K"}
    if depthwise:
        dims["g"] = dims.pop("c")
        if record.count("K", least=1, default=1) != 1:
            raise record.wrong("K", record.value["K"], "1 or left out where the kind is depthwise")
    else:
        dims["k"] = record.count("K", least=1)
    for key in STEPS:
        dims[key] = record.count(key, least=1, default=1)
    return Layer(name=kind, kind=LayerKind.CONVOLUTION, **dims)


def _mapping(record: Record, layer: Layer) -> Mapping:
    record.only((*SLOTS, "keep", "neighbour_links"))
    loops: list[Loop] = []
    for key, slot in SLOTS.items():
        for value in record.read(key, list, default=None) or []:
            loops.append(_loop(record, key, slot, value))
            if layer.is_depthwise and loops[-1].dim is Dim.C:
                loops[-1] = Loop(slot, Dim.G, loops[-1].count)
    stores = record.part("keep").only(LEVELS)
    if stores.read("DRAM", list, default=None) is not None and _kept(stores, "DRAM") != ALL:
        raise stores.wrong("DRAM", stores.value["DRAM"], f"all of {', '.join(TENSORS)}")
    return Mapping(tuple(loops), (ALL, _kept(stores, "GLB"), _kept(stores, "RF")))


def _loop(record: Record, key: str, slot: Slot, value: Any) -> Loop:
    right = isinstance(value, list) and len(value) == 2 and type(value[1]) is int
    if not right or value[0] not in DIMS or not 1 <= value[1] <= MOST:
        raise InteropError(
            f"{record.where}: '{key}' holds {shown(value)}, but a loop is a dim out of "
            f"{', '.join(DIMS)} and a whole number from 1 to {MOST}"
        )
    return Loop(slot, Dim[value[0]], value[1])


def _kept(record: Record, level: str) -> frozenset[Tensor]:
    names: list[Any] = record.read(level, list)
    for name in names:
        if not isinstance(name, str) or name not in TENSORS:
            raise InteropError(
                f"{record.where}: '{level}' holds {shown(name)}, but a level keeps "
                f"{', '.join(TENSORS)}"
            )
    return frozenset(TENSORS[name] for name in names)


def _energies(record: Record, level: str) -> list[float]:
    if isinstance(record.read(level, dict, *NUMBER), dict):
        each = record.part(level).only(("read", "fill", "update"))
        return [each.amount(key) for key in ("read", "fill", "update")]
    return [record.amount(level)] * len(Access)


def _counts(record: Record, ending: str, besides: tuple[str, ...]) -> npt.NDArray[np.int64]:
    """Counts [levels, tensors, accesses]; a level or tensor that is not there has none."""
    counts = np.zeros((len(Level), len(Tensor), len(Access)), np.int64)
    keys = {access + ending: column for access, column in ACCESSES.items()}
    for level, tensors in record.parts(LEVELS).items():
        for tensor, words in tensors.parts(TENSORS).items():
            words.only((*keys, *besides))
            for key, column in keys.items():
                counts[LEVELS[level], TENSORS[tensor], column] = words.count(key)
    return counts


def _variants(record: Record) -> tuple[Variant, ...]:
    variants = []
    listed = record.read("bandwidth_variants", list, default=None) or []
    for number, value in enumerate(listed, start=1):
        where = f"{record.where}: bandwidth_variants {number}"
        if not isinstance(value, dict):
            raise InteropError(f"{where} is not an object")
        variants.append(_variant(Record(where, value)))
    return tuple(variants)


def _variant(record: Record) -> Variant:
    record.only(("bandwidth_words_per_cycle_per_instance", "cycles", "per_level"))
    limits = record.part("bandwidth_words_per_cycle_per_instance").only(BANDWIDTHS)
    table = np.full((len(Level), 3), np.inf)
    for key in limits.value:
        table[BANDWIDTHS[key]] = limits.amount(key, least=LEAST_AMOUNT)
    levels = {}
    if record.read("per_level", dict, default=None) is not None:
        given = ("cycles", "throttling")
        parts = record.part("per_level").parts(LEVELS)
        levels = {level: part.only(given).numbers(given) for level, part in parts.items()}
    name = " ".join(f"{key.removesuffix('_bandwidth')}={limits.value[key]}" for key in limits.value)
    cycles = record.count("cycles", least=1)
    return Variant(name=name, words_per_cycle=table, cycles=cycles, levels=levels)


def _figures(record: Record) -> dict[tuple[str, str], dict[str, float]]:
    figures = {}
    for level, tensors in record.parts(LEVELS).items():
        for tensor, words in tensors.parts(TENSORS).items():
            figures[level, tensor] = words.numbers(FIGURES)
            kept = words.read("kept", bool, default=None)
            if kept is not None:
                figures[level, tensor]["kept"] = int(kept)
    return figures
