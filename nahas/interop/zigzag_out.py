"""A mapped layer as ZigZag reads it: accelerator, workload and mapping.

[docs/interchange.md]
"""

from __future__ import annotations

from math import isfinite, prod
from typing import Any

from nahas.errors import InteropError
from nahas.interop.nest import MappedPoint, Spread, merged, ragged_dims, spreads
from nahas.interop.tagged import Row, tagged_text
from nahas.mapping import Mapping, extent_of
from nahas.templates import Memory
from nahas.vocabulary import Dim, Level, Slot, Tensor

DIMS = {
    Dim.N: "B", Dim.G: "G", Dim.K: "K", Dim.C: "C", Dim.P: "OY", Dim.Q: "OX", Dim.R: "FY",
    Dim.S: "FX",
}  # fmt: skip
OPERANDS = {Tensor.WEIGHTS: "I2", Tensor.INPUTS: "I1", Tensor.OUTPUTS: "O"}
LINKS = {"O": "O", "W": "I2", "I": "I1"}
AXES = 4
"""ZigZag's mapping names at most so many dimensions of the array."""

UNLIMITED_BITS, UNLIMITED_BITS_PER_CYCLE = 10**12, 10**6
"""For a memory without a limit, where ZigZag wants a number."""

BITS_PER_BYTE = 8
CONVOLUTION = "Conv"
IDLE = "C, 1"
"""For an axis that spreads nothing; ZigZag would fill one that is left out."""


def zigzag_files(point: MappedPoint) -> dict[str, str]:
    """The files of one mapped layer, by name.

    Raises:
        InteropError: naming the layer, where its factors are ragged, its loops have no axes, or
            the array has more than four.
    """
    mapping = merged(point)
    ragged = ragged_dims(point.layer, mapping)
    if ragged:
        raise InteropError(
            f"layer '{point.layer.name}': the factors of {' '.join(dim.name for dim in ragged)} "
            "do not multiply to its extent, but ZigZag's loops do"
        )
    axes = _axes(point, mapping)
    comments = (
        f"Written by nahas: layer '{point.layer.name}' on '{point.accelerator.name}'.",
        "ZigZag allots the temporal loops to memories itself; only their order is given.",
    )
    contents: dict[str, Any] = {
        "accelerator.yaml": _accelerator(point, axes),
        "workload.yaml": [_layer(point)],
        "mapping.yaml": [_nest(mapping, axes, name) for name in ("default", CONVOLUTION)],
    }
    return {name: tagged_text(content, comments) for name, content in contents.items()}


Axes = dict[str, tuple[Slot, tuple[Spread, ...]]]


def _axes(point: MappedPoint, mapping: Mapping) -> Axes:
    """D1 to D4, from DRAM down: where there are more axes, those of the lowest slots share one."""
    groups: list[tuple[Slot, tuple[Spread, ...]]] = [
        (slot, (spread,)) for slot, found in spreads(point, mapping).items() for spread in found
    ]
    while len(groups) > AXES:
        pairs = [i for i in range(len(groups) - 1) if groups[i][0] is groups[i + 1][0]]
        if not pairs:
            break
        last = pairs[-1]
        slot, joined = groups[last][0], (*groups[last][1], *groups[last + 1][1])
        groups[last : last + 2] = [(slot, joined)]
    dims = [[loop.dim for spread in group for loop in spread.loops] for _, group in groups]
    if len(groups) > AXES or any(len(some) != len(set(some)) for some in dims):
        raise InteropError(
            f"layer '{point.layer.name}': ZigZag has {AXES} dimensions of the array, each with "
            "one loop of a dim, and the axes of this accelerator do not fit into them"
        )
    return {f"D{number}": group for number, group in enumerate(groups, start=1)}


def _accelerator(point: MappedPoint, axes: Axes) -> dict[str, Any]:
    of = point.accelerator
    memories = {}
    for level in reversed(Level):
        if point.keeps(level):
            below = [name for name, (slot, _) in axes.items() if slot > 2 * level]
            kept = [OPERANDS[tensor] for tensor in point.keeps(level)]
            memories[level.name] = _memory(of.memories[level], level, kept, below)
    sizes = [prod(spread.axis.size for spread in group) for _, group in axes.values()]
    return {
        "name": " ".join(of.name.split()),
        "memories": memories,
        "operational_array": {
            "input_precision": Row([of.activation_bits, of.weight_bits]),
            "unit_energy": float(point.mac_pj),
            "unit_area": 0.0,
            "dimensions": Row(axes),
            "sizes": Row(sizes),
        },
    }


def _memory(memory: Memory, level: Level, kept: list[str], below: list[str]) -> dict[str, Any]:
    size, rate = UNLIMITED_BITS, UNLIMITED_BITS_PER_CYCLE
    if isfinite(memory.capacity_bytes):
        size = int(memory.capacity_bytes) * BITS_PER_BYTE
    if isfinite(memory.bytes_per_cycle):
        rate = max(BITS_PER_BYTE, int(memory.bytes_per_cycle * BITS_PER_BYTE))
    bytes_per_access = rate / BITS_PER_BYTE
    port = {
        "name": "rw_port_1",
        "type": "read_write",
        "bandwidth_min": BITS_PER_BYTE,
        "bandwidth_max": rate,
        "allocation": [f"{name}, {way}" for name in kept for way in _ways(name, level)],
    }
    return {
        "size": size,
        "r_cost": float(memory.read_pj_per_byte * bytes_per_access),
        "w_cost": float(memory.write_pj_per_byte * bytes_per_access),
        "area": 0.0,
        "latency": 1,
        "auto_cost_extraction": False,
        "operands": Row(kept),
        "ports": [port],
        "served_dimensions": Row(below),
    }


def _ways(operand: str, level: Level) -> tuple[str, ...]:
    """Directions a memory moves an operand: to and from low; to and from high but at DRAM."""
    low = ("tl", "fl") if operand == "O" else ("tl",)
    high = () if level is Level.DRAM else (("fh", "th") if operand == "O" else ("fh",))
    return (*high, *low)


def _layer(point: MappedPoint) -> dict[str, Any]:
    layer, of = point.layer, point.accelerator
    return {
        "id": 0,
        "name": layer.name,
        "operator_type": CONVOLUTION,
        "equation": "O[b][g][k][oy][ox]+=W[g][k][c][fy][fx]*I[b][g][c][iy][ix]",
        "dimension_relations": [
            f"ix={layer.stride_q}*ox+{layer.dilation_s}*fx",
            f"iy={layer.stride_p}*oy+{layer.dilation_r}*fy",
        ],
        "loop_dims": Row(DIMS.values()),
        "loop_sizes": Row(extent_of(layer, dim) for dim in DIMS),
        "operand_precision": {
            "O": of.partial_sum_bits,
            "O_final": of.activation_bits,
            "W": of.weight_bits,
            "I": of.activation_bits,
        },
        "operand_source": {"I": 0, "W": 0},
    }


def _nest(mapping: Mapping, axes: Axes, name: str) -> dict[str, Any]:
    return {
        "name": name,
        "spatial_mapping": {
            axis: [f"{DIMS[loop.dim]}, {loop.count}" for spread in group for loop in spread.loops]
            or [IDLE]
            for axis, (_, group) in axes.items()
        },
        "temporal_ordering": [
            Row([DIMS[loop.dim], loop.count])
            for loop in reversed(mapping.loops)
            if not loop.is_spatial
        ],
        "memory_operand_links": LINKS,
    }
