"""The best mapping of a layer on any accelerator template.

[docs/templates.md]
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, product
from math import ceil, prod
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nahas.dataflow import dataflow_of
from nahas.energy import mac_energy_pj
from nahas.errors import MappingError
from nahas.layers import Layer
from nahas.mapping import Loop, Mapping, extent_of
from nahas.templates import Accelerator, Axis
from nahas.vocabulary import Access, Dataflow, Dim, Level, Objective, Slot, Tensor

if TYPE_CHECKING:
    from nahas.kernels.bounds import Task
    from nahas.kernels.members import Machine

BITS_PER_BYTE = 8


@dataclass(frozen=True, kw_only=True)
class MappedLayer:
    """The best mapping of one layer, and how it was found.

    Attributes:
        cycles: of computing, or of the slowest memory where that takes longer.
        compute_cycles: temporal steps.
        energy_pj: of multiply-accumulates and all accesses.
        bound_cycles: no mapping takes fewer: all multipliers busy, every word moved off chip once.
        assignments: spatial assignments that the space holds.
        members: of the whole space, whether they fit or not.
        counted: members that no bound ruled out, and that were therefore counted.
        dataflow: the one that was asked for; else that of the mapping (`dataflow_of`).
        bypassed: by level, the tensors that could rest there and are led past.
    """

    layer: Layer
    mapping: Mapping
    cycles: int
    compute_cycles: int
    energy_pj: float
    bound_cycles: float
    assignments: int
    members: float
    counted: int
    dataflow: Dataflow
    bypassed: dict[Level, tuple[Tensor, ...]]

    def document(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "layer": self.layer.name,
            "mapping": str(self.mapping),
            "cycles": self.cycles,
            "compute_cycles": self.compute_cycles,
            "energy_pj": self.energy_pj,
            "bound_cycles": self.bound_cycles,
            "assignments": self.assignments,
            "members": int(self.members),
            "counted": self.counted,
            "dataflow": self.dataflow.name.lower(),
            "bypassed": {
                level.name: [tensor.name.lower() for tensor in tensors]
                for level, tensors in self.bypassed.items()
            },
        }


def map_layer(
    layer: Layer,
    accelerator: Accelerator,
    objective: Objective = Objective.LATENCY,
    dataflow: Dataflow = Dataflow.ANY,
) -> MappedLayer:
    """Find the best mapping of the space of docs/templates.md, by branch and bound.

    Latency ties fall to energy, those of energy and EDP to latency, then to what bypasses least,
    then to the first member in the order of enumeration. A `dataflow` restricts the space to the
    region of its name.

    Raises:
        MappingError: for a layer of the vector path, or one that no member fits.
    """
    from nahas.kernels.evaluate import evaluate, extents_of
    from nahas.kernels.general import NOTHING, best_of
    from nahas.kernels.members import loops_of, space_size

    _everything_in_dram(layer).check(layer)
    fans = assignments(layer, accelerator)
    if dataflow is Dataflow.ROW:
        spread = fans[:, : len(Slot) // 2 - 1].prod(axis=1) > 1  # over PEs or lanes
        fans = fans[spread[:, Dim.R] & spread[:, Dim.P]]
    task = task_of(layer, accelerator, objective, dataflow)
    counts, orders = np.ones((len(Dim), len(Slot)), np.int64), np.zeros(2, np.int64)
    best, keep, members = NOTHING, task.machine.keep, 0.0
    for kept in _keeps(accelerator):
        task = task._replace(machine=task.machine._replace(keep=kept))
        found = best_of(task, fans, best, counts, orders)
        if (found.first, found.second) != (best.first, best.second):
            keep = kept
        best = found
        holds_positions = bool(kept[Level.REGISTER_FILE, 1:].any())
        members += space_size(extents_of(task.layer), fans, holds_positions, int(dataflow))
    if best.counted == 0:
        raise _nothing_fits(layer, accelerator, dataflow)
    table = np.empty((len(Dim) * len(Slot), 3), np.int64)
    table = table[: loops_of(counts, int(orders[0]), int(orders[1]), table)]
    words = np.zeros((len(Level), len(Tensor), len(Access)), np.int64)
    steps = evaluate(task.layer, table, keep, accelerator.exact_multicast, words)
    mapping = _mapping(table, keep)
    return MappedLayer(
        layer=layer,
        mapping=mapping,
        cycles=int(best.cycles),
        compute_cycles=int(steps),
        energy_pj=float(best.energy_pj),
        bound_cycles=bound_cycles(layer, accelerator),
        assignments=len(fans),
        members=members,
        counted=int(best.counted),
        dataflow=dataflow or dataflow_of(mapping, layer),
        bypassed=_bypassed(accelerator, mapping),
    )


def _mapping(table: npt.NDArray[np.int64], keep: npt.NDArray[np.bool_]) -> Mapping:
    """The nest of a loop table and a table of what levels keep."""
    loops = tuple(Loop(Slot(int(s)), Dim(int(d)), int(count)) for s, d, count in table)
    dram, local, registers = (frozenset(t for t in Tensor if row[t]) for row in keep)
    return Mapping(loops, (dram, local, registers))


def _bypassed(accelerator: Accelerator, mapping: Mapping) -> dict[Level, tuple[Tensor, ...]]:
    """By level, the tensors that the accelerator could keep there and the mapping does not."""
    return {
        level: tuple(sorted(memory.keeps - kept))
        for level, memory, kept in zip(Level, accelerator.memories, mapping.keep, strict=True)
        if memory.keeps - kept
    }


def _keeps(accelerator: Accelerator) -> list[npt.NDArray[np.bool_]]:
    """What the levels may keep [levels, tensors]: all first, then with ever more led past."""
    kept = np.array([[t in memory.keeps for t in Tensor] for memory in accelerator.memories])
    optional = [
        (level, tensor)
        for level in Level
        for tensor in Tensor
        if tensor in accelerator.memories[level].may_bypass
    ]
    found = []
    for size in range(len(optional) + 1):
        for chosen in combinations(optional, size):
            less = kept.copy()
            for place in chosen:
                less[place] = False
            found.append(less)
    return found


def _nothing_fits(layer: Layer, accelerator: Accelerator, dataflow: Dataflow) -> MappingError:
    name = f"template '{accelerator.name}'"
    if dataflow:
        return MappingError(
            f"layer '{layer.name}': {name} has no mapping of dataflow '{dataflow.name.lower()}': "
            "its axes cannot spread the layer so, or not even the smallest tiles fit its memories; "
            "leave --dataflow out to search all"
        )
    return MappingError(
        f"layer '{layer.name}': not even the smallest tiles fit the memories of {name}"
    )


def _everything_in_dram(layer: Layer) -> Mapping:
    """A mapping that always covers: what it refuses, no mapping can be counted for."""
    return Mapping(tuple(Loop(Slot.DRAM, dim, extent_of(layer, dim)) for dim in Dim))


def bound_cycles(layer: Layer, accelerator: Accelerator) -> float:
    """Cycles that no mapping beats: multiply-accumulates, or words off chip moved once."""
    sizes = _used_words(layer)
    moved = float((sizes * _word_bytes(accelerator)[Level.DRAM]).sum())
    compute = layer.macs / accelerator.macs_per_cycle
    return max(compute, moved / accelerator.memories[Level.DRAM].bytes_per_cycle)


def assignments(layer: Layer, accelerator: Accelerator) -> npt.NDArray[np.int64]:
    """Spatial assignments [assignments, 3 fan-outs, dims], those of fewest steps first.

    Every axis spreads one dim of its own, or two where it folds; each dim as wide as the axis
    allows and no wider than its rounds need. Assignments with the same fan-outs are one.
    """
    extents = np.array([extent_of(layer, dim) for dim in Dim])
    found: dict[bytes, tuple[int, npt.NDArray[np.int64]]] = {}
    for chosen in product(*(tuple(_spreads(extents, axis)) for axis in accelerator.axes)):
        fan = np.ones((len(Slot) // 2, len(Dim)), np.int64)
        for axis, spread in zip(accelerator.axes, chosen, strict=True):
            for dim, count in spread:
                fan[axis.slot // 2, dim] *= count
        fan = np.minimum(fan, extents)
        for dim in Dim:
            spreads = np.flatnonzero(fan[:, dim] > 1)
            if spreads.size == 1:  # no more instances than the rounds need
                rounds = ceil(extents[dim] / fan[spreads[0], dim])
                fan[spreads[0], dim] = ceil(extents[dim] / rounds)
        spread_over = np.minimum(fan.prod(axis=0), extents)
        steps = prod(int(count) for count in -(-extents // spread_over))
        found[fan.tobytes()] = (steps, fan)
    ordered = sorted(found.values(), key=lambda each: (each[0], each[1].ravel().tolist()))
    return np.array([fan for _, fan in ordered])


def _spreads(extents: npt.NDArray[np.int64], axis: Axis) -> Iterator[tuple[tuple[Dim, int], ...]]:
    """What one axis may spread: dims with their instances. Nothing where all are of size 1."""
    useful = [dim for dim in axis.dims if extents[dim] > 1]
    for dim in useful:
        extent = int(extents[dim])
        yield ((dim, min(axis.size, extent)),)
        if 2 * extent <= axis.size:
            for other in axis.folds:
                if other is not dim and extents[other] > 1:
                    room = min(axis.size // extent, int(extents[other]))
                    yield ((dim, extent), (other, room))
    if not useful:
        yield ()


def task_of(
    layer: Layer, accelerator: Accelerator, objective: Objective, dataflow: Dataflow
) -> Task:
    """The layer and the accelerator as the kernel reads them."""
    from nahas.kernels.bounds import Axis, Task

    rows, columns = _used_rows(layer)
    return Task(
        layer.row,
        _machine(accelerator),
        _used_words(layer),
        Axis(int(Dim.P), int(Dim.R), layer.p, layer.r, layer.stride_p, layer.dilation_r, rows),
        Axis(int(Dim.Q), int(Dim.S), layer.q, layer.s, layer.stride_q, layer.dilation_s, columns),
        int(objective),
        int(dataflow),
    )


def _used_rows(layer: Layer) -> tuple[int, int]:
    """Rows and columns of an input channel that some multiply-accumulate reads."""
    rows = np.add.outer(np.arange(layer.p) * layer.stride_p, np.arange(layer.r) * layer.dilation_r)
    columns = np.add.outer(
        np.arange(layer.q) * layer.stride_q, np.arange(layer.s) * layer.dilation_s
    )
    return np.unique(rows).size, np.unique(columns).size


def _used_words(layer: Layer) -> npt.NDArray[np.float64]:
    """Words of each tensor that are read or written at all [tensors]."""
    rows, columns = _used_rows(layer)
    inputs = layer.n * layer.g * layer.c * rows * columns
    return np.array([layer.weight_words, inputs, layer.output_words], np.float64)


def _word_bytes(accelerator: Accelerator) -> npt.NDArray[np.float64]:
    """Bytes of a word [levels, tensors]; an output takes its final width in DRAM."""
    bits = np.empty((len(Level), len(Tensor)))
    bits[:, Tensor.WEIGHTS] = accelerator.weight_bits
    bits[:, Tensor.INPUTS] = accelerator.activation_bits
    bits[:, Tensor.OUTPUTS] = accelerator.partial_sum_bits
    bits[Level.DRAM, Tensor.OUTPUTS] = accelerator.activation_bits
    return bits / BITS_PER_BYTE


def _machine(accelerator: Accelerator) -> Machine:
    from nahas.kernels.members import Machine

    memories, mac_pj = accelerator.memories, accelerator.mac_pj
    if mac_pj is None:
        widths = (
            accelerator.weight_bits,
            accelerator.activation_bits,
            accelerator.partial_sum_bits,
        )
        mac_pj = mac_energy_pj(accelerator.technology_nm, widths)
    word_bytes = _word_bytes(accelerator)
    capacity = np.full((len(Level), len(Tensor) + 1), np.inf)
    energy = np.empty((len(Level), len(Tensor), len(Access)))
    for level, memory in zip(Level, memories, strict=True):
        capacity[level, -1] = memory.capacity_bytes
        for tensor, limit in memory.tensor_bytes.items():
            capacity[level, tensor] = limit
        energy[level, :, Access.READS] = word_bytes[level] * memory.read_pj_per_byte
        for access in (Access.FILLS, Access.UPDATES):
            energy[level, :, access] = word_bytes[level] * memory.write_pj_per_byte
    return Machine(
        keep=np.array([[tensor in memory.keeps for tensor in Tensor] for memory in memories]),
        capacity=capacity,
        word_bytes=word_bytes,
        pj=energy,
        bytes_per_cycle=np.array([memory.bytes_per_cycle for memory in memories]),
        mac_pj=float(mac_pj),
        spill=accelerator.partial_sum_bits / accelerator.activation_bits,
        exact_multicast=accelerator.exact_multicast,
    )
