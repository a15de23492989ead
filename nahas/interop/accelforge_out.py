"""A mapped layer as AccelForge reads it: architecture, workload and mapping in one specification.

[docs/interchange.md]
"""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite
from typing import Any

from nahas.errors import InteropError
from nahas.interop.nest import TENSOR_NAMES, MappedPoint, merged, ragged_dims, spreads
from nahas.interop.tagged import Row, Tagged, tagged_text
from nahas.mapping import Loop, Mapping, extent_of
from nahas.vocabulary import Dim, Level, Slot, Tensor

COMPUTE = "MAC"
EINSUM = "Layer"
JOULES_PER_PJ = 1e-12
HERTZ_PER_MHZ = 1e6
BITS_PER_BYTE = 8
_INDEXES = {
    Tensor.WEIGHTS: frozenset((Dim.G, Dim.K, Dim.C, Dim.R, Dim.S)),
    Tensor.INPUTS: frozenset(Dim) - {Dim.K},
    Tensor.OUTPUTS: frozenset((Dim.N, Dim.G, Dim.K, Dim.P, Dim.Q)),
}


def accelforge_files(point: MappedPoint) -> dict[str, str]:
    """The files of one mapped layer, by name: `Spec.from_yaml` takes all three.

    Raises:
        InteropError: naming the layer, where its factors are ragged or its loops have no axes.
    """
    mapping = merged(point)
    ragged = ragged_dims(point.layer, mapping)
    if ragged:
        raise InteropError(
            f"layer '{point.layer.name}': the factors of {' '.join(dim.name for dim in ragged)} "
            "do not multiply to its extent, but AccelForge's model has tiles of one size"
        )
    comments = (f"Written by nahas: layer '{point.layer.name}' on '{point.accelerator.name}'.",)
    contents = {
        "architecture.yaml": {"arch": {"nodes": list(_architecture(point, mapping))}},
        "workload.yaml": {"workload": _workload(point)},
        "mapping.yaml": {"mapping": {"nodes": list(_nodes(point, mapping))}},
    }
    return {name: tagged_text(content, comments) for name, content in contents.items()}


def _architecture(point: MappedPoint, mapping: Mapping) -> Iterator[Tagged]:
    of, axes = point.accelerator, spreads(point, mapping)
    hertz = of.clock_mhz * HERTZ_PER_MHZ
    for level, memory in zip(Level, of.memories, strict=True):
        energies = {"read": memory.read_pj_per_byte, "write": memory.write_pj_per_byte}
        size: Any = "inf"
        if isfinite(memory.capacity_bytes):
            size = int(memory.capacity_bytes) * BITS_PER_BYTE
        rate: Any = "inf"
        if isfinite(memory.bytes_per_cycle):
            rate = memory.bytes_per_cycle * hertz
        outputs = of.activation_bits if level is Level.DRAM else of.partial_sum_bits
        kept = " | ".join(TENSOR_NAMES[tensor] for tensor in point.keeps(level)) or "Nothing"
        content = {
            "name": level.name,
            "size": size,
            "leak_power": 0,
            "area": 0,
            "tensors": {"keep": kept},
            "bits_per_value": {"Outputs": outputs},
            "actions": [
                {
                    "name": name,
                    "energy": energy * JOULES_PER_PJ,
                    "bits_per_action": BITS_PER_BYTE,
                    "throughput": rate,
                }
                for name, energy in energies.items()
            ],
        }
        yield Tagged("Memory", content)
        for spread in axes[Slot(2 * level + 1)]:
            fanout = [{"name": spread.name, "fanout": spread.axis.size}]
            yield Tagged("Container", {"name": f"{spread.name}_array", "spatial": fanout})
    action = {"name": "compute", "energy": point.mac_pj * JOULES_PER_PJ, "throughput": hertz}
    yield Tagged("Compute", {"name": COMPUTE, "leak_power": 0, "area": 0, "actions": [action]})


def _workload(point: MappedPoint) -> dict[str, Any]:
    layer, of = point.layer, point.accelerator
    names = [TENSOR_NAMES[tensor] for tensor in Tensor]
    widths = (of.weight_bits, of.activation_bits, of.partial_sum_bits)
    shape = {dim.name.lower(): extent_of(layer, dim) for dim in Dim}
    projections: tuple[dict[str, str], ...] = (
        _plain("g", "k", "c", "r", "s"),
        _plain("n", "g", "c")
        | {
            "H": f"{layer.stride_p} * p + {layer.dilation_r} * r",
            "W": f"{layer.stride_q} * q + {layer.dilation_s} * s",
        },
        _plain("n", "g", "k", "p", "q"),
    )
    accesses: list[dict[str, Any]] = [
        {"name": name, "projection": projection}
        for name, projection in zip(names, projections, strict=True)
    ]
    accesses[Tensor.OUTPUTS]["output"] = True
    renames = dict(zip(("weight", "input", "output"), names, strict=True))
    return {
        "iteration_space_shape": {
            name: f"0 <= {name} < {extent}" for name, extent in shape.items()
        },
        "bits_per_value": dict(zip(names, widths, strict=True)),
        "einsums": [{"name": EINSUM, "tensor_accesses": accesses, "renames": renames}],
    }


def _plain(*names: str) -> dict[str, str]:
    """Ranks that one loop walks alone."""
    return {name.upper(): name for name in names}


def _nodes(point: MappedPoint, mapping: Mapping) -> Iterator[Tagged]:
    """The nest from the outside: what each level stores, its loops, those of its axes.

    AccelForge fetches a tile anew in every step of a loop around its storage, also where the
    loop does not index the tensor. Storage therefore stands outside such loops where they are
    the innermost of the level above; the spatial loops then stand outside them too.
    """
    axes = spreads(point, mapping)
    steps = dict(zip(map(id, mapping.loops), mapping.steps(), strict=True))
    waiting: list[Tagged] = []
    temporal: list[Loop] = []
    for level in Level:
        spread = {loop.dim for loop in mapping.loops if loop.slot == 2 * level - 1}
        cuts = {tensor: _cut(temporal, _INDEXES[tensor] | spread) for tensor in point.keeps(level)}
        for place in range(len(temporal) + 1):
            stored = [tensor for tensor, cut in cuts.items() if cut == place]
            if stored or place == len(temporal):
                yield from waiting
                waiting = []
            for tensor in stored:
                names = Row([TENSOR_NAMES[tensor]])
                yield Tagged("Storage", {"tensors": names, "component": level.name})
            if place < len(temporal):
                loop = temporal[place]
                yield Tagged("Temporal", _loop(loop.dim, steps[id(loop)]))
        temporal = [loop for loop in mapping.loops if loop.slot == 2 * level]
        waiting = [
            Tagged(
                "Spatial",
                _loop(loop.dim, steps[id(loop)])
                | {"name": each.name, "component": f"{each.name}_array"},
            )
            for each in axes[Slot(2 * level + 1)]
            for loop in each.loops
        ]
    for loop in temporal:
        yield Tagged("Temporal", _loop(loop.dim, steps[id(loop)]))
    yield from waiting
    yield Tagged("Compute", {"einsum": EINSUM, "component": COMPUTE})


def _cut(temporal: list[Loop], moved_by: frozenset[Dim]) -> int:
    """How many outer loops stay outside a storage that none of `moved_by` may leave."""
    cut = len(temporal)
    while cut and temporal[cut - 1].dim not in moved_by:
        cut -= 1
    return cut


def _loop(dim: Dim, step: int) -> dict[str, Any]:
    return {"rank_variable": dim.name.lower(), "tile_shape": step}
