"""What a member of the general mapspace costs, and the least that members can cost.

[docs/templates.md 3]
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nahas.kernels._jit import kernel
from nahas.kernels.evaluate import OUTPUT_DIMS, WEIGHT_DIMS, extents_of
from nahas.kernels.members import (
    LOCAL,
    ORDERS,
    REGISTERS,
    C,
    FloatArray,
    G,
    K,
    Machine,
    N,
    P,
    Q,
    R,
    S,
    ceil_div,
    visits_of,
)
from nahas.kernels.nest import ANY, DIMS, IntArray, constant
from nahas.kernels.records import LayerRow
from nahas.vocabulary import Access, Level, Tensor

WEIGHTS, INPUTS, OUTPUTS = (constant(tensor) for tensor in Tensor)
READS, FILLS, UPDATES = (constant(access) for access in Access)
DRAM = constant(Level.DRAM)

INPUT_DIMS = constant(1 << N | 1 << G | 1 << C | 1 << P | 1 << Q | 1 << R | 1 << S)
RELEVANT = (int(WEIGHT_DIMS), int(INPUT_DIMS), int(OUTPUT_DIMS))
"""The dims that index each tensor, as bits."""


class Axis(NamedTuple):
    """One axis of the input: P and R along its rows, Q and S along its columns.

    Attributes:
        dim, window_dim: the two dims.
        positions, window: their extents.
        used: coordinates that a real point reads.
    """

    dim: int
    window_dim: int
    positions: int
    window: int
    stride: int
    dilation: int
    used: int


class Task(NamedTuple):
    """What stays the same while one layer is mapped.

    Attributes:
        sizes: [tensors] words; of inputs those that a real point uses.
        rows, columns: both axes of an input channel.
        objective: `vocabulary.Objective`.
        dataflow: `vocabulary.Dataflow`; ANY is the whole space.
    """

    layer: LayerRow
    machine: Machine
    sizes: FloatArray
    rows: Axis
    columns: Axis
    objective: int
    dataflow: int


class Cost(NamedTuple):
    """Cycles and energy of a member, or bounds on them from below."""

    cycles: float
    energy_pj: float


@kernel()
def refetches(
    extents: IntArray, counts: IntArray, orders: tuple[int, int], relevant: int, level: int
) -> float:
    """How often every word of a tensor comes to a level.

    Loops inside the innermost loop that moves the tile leave it in place; loops around it that
    do not index the tensor fetch it again. `orders` are those of DRAM and local memory.
    """
    times, moves, inner = 1.0, False, 0
    for at in range(level - 1, -1, -1):
        for place in range(DIMS - 1, -1, -1):
            dim = ORDERS[orders[at], place]
            if relevant >> dim & 1:
                moves = moves or counts[dim, 2 * at] > 1
            elif moves and at == 1:
                times *= visits_of(extents[dim], counts[dim])
                inner |= 1 << dim
            elif moves and not inner >> dim & 1:
                times *= counts[dim, 0]
    return times


@kernel()
def axis_words(axis: Axis, counts: IntArray, level: int, overlaps: bool) -> int:
    """The least words that come along one input axis, of `counts` [dims, slots].

    Without a slide every tile is fetched with its halo. With slides, and where the window is not
    cut, it is what the tiles cover: they overlap, or leave gaps that no tile has. Where
    instances spread the window, or the loops cut it, slides may spare all but the words in use.
    """
    tiles = ceil_div(axis.positions, int(counts[axis.dim, 2 * level :].prod()))
    windows = ceil_div(axis.window, int(counts[axis.window_dim, 2 * level :].prod()))
    covered = (axis.positions - 1) * axis.stride + (axis.window - 1) * axis.dilation + 1
    fetched = windows * (axis.positions - tiles) * axis.stride + tiles * windows
    fetched += tiles * (axis.window - windows) * axis.dilation
    if windows > 1 and (overlaps or counts[axis.window_dim, 1 : 2 * level : 2].prod() > 1):
        return axis.used
    return int(min(fetched, covered) if overlaps else fetched)


@kernel()
def covered_words(task: Task, counts: IntArray, level: int) -> float:
    """The least input words that come to a level, whatever the order of loops."""
    rows = axis_words(task.rows, counts, level, True)
    columns = axis_words(task.columns, counts, level, True)
    return float(task.layer.n * task.layer.g * task.layer.c * rows * columns)


@kernel()
def slides(axis: Axis, counts: IntArray, dim: int, at: int, level: int) -> bool:
    """Whether the next tile along an axis overlaps the last when a loop of `dim` advances.

    The loop stands at level `at`. Nothing else of the axis moves with it: loops inside it that
    do would set it back, and a tile that starts before the last one is fetched whole.
    """
    if dim != axis.dim and dim != axis.window_dim:
        return False
    step = counts[dim, 2 * at + 1 :].prod()
    step *= axis.stride if dim == axis.dim else axis.dilation
    reach = (counts[axis.dim, 2 * level :].prod() - 1) * axis.stride
    return bool(step <= reach + (counts[axis.window_dim, 2 * level :].prod() - 1) * axis.dilation)


@kernel()
def input_words(task: Task, counts: IntArray, orders: tuple[int, int], level: int) -> float:
    """The least input words that come to a level while no loop over K advances.

    Inputs slide only where the innermost loop that moves them advances, and along its axis.
    """
    inner, moved_at = ANY, level
    for at in range(level - 1, -1, -1):
        for place in range(DIMS - 1, -1, -1):
            dim = ORDERS[orders[at], place]
            if inner == ANY and dim != K and counts[dim, 2 * at] > 1:
                inner, moved_at = dim, at
    if inner == ANY or task.machine.exact_multicast:
        return covered_words(task, counts, level)
    rows_slide = slides(task.rows, counts, inner, moved_at, level)
    columns_slide = slides(task.columns, counts, inner, moved_at, level)
    rows = axis_words(task.rows, counts, level, rows_slide)
    columns = axis_words(task.columns, counts, level, columns_slide)
    return float(task.layer.n * task.layer.g * task.layer.c * rows * columns)


@kernel()
def copies(fan: IntArray, relevant: int, level: int) -> float:
    """Instances of a level that hold the same tile of a tensor, of a fan-out [3, dims]."""
    number = 1.0
    for dim in range(DIMS):
        if not relevant >> dim & 1:
            for at in range(level):
                number *= fan[at, dim]
    return number


@kernel()
def feeder(machine: Machine, tensor: int) -> int:
    """The level that feeds the datapath with a tensor."""
    if machine.keep[REGISTERS, tensor]:
        return int(REGISTERS)
    return int(LOCAL if machine.keep[LOCAL, tensor] else DRAM)


@kernel()
def operand_words(layer: LayerRow, machine: Machine, fan: IntArray, out: FloatArray) -> None:
    """Write the least accesses [tensors] that multiply-accumulates make at the innermost level.

    A word read serves at most the multiply-accumulates spread below the level along dims that
    do not index it; of inputs also along the window, for halos share words. `fan` [3, dims].
    """
    extents = extents_of(layer)
    macs = 1.0
    for dim in range(DIMS):
        macs *= extents[dim]
    for tensor in range(3):
        served = 1.0
        for dim in range(DIMS):
            shares = tensor == INPUTS and dim >= P
            if shares or not RELEVANT[tensor] >> dim & 1:
                for at in range(feeder(machine, tensor), 3):
                    served *= fan[at, dim]
        out[tensor] = macs / served


@kernel()
def cost_of(machine: Machine, layer: LayerRow, words: FloatArray, steps: int, pes: int) -> Cost:
    """Cycles and energy of words [levels, tensors, accesses] moved by all instances.

    Each instance of a level moves at most its bytes per cycle, averaged over the layer; the
    slowest level, or the computing, decides. [docs/templates.md 3]
    """
    energy, cycles = machine.mac_pj, float(steps)
    for dim in range(DIMS):
        energy *= extents_of(layer)[dim]
    for level in range(2):
        moved = 0.0
        for tensor in range(3):
            held = machine.word_bytes[level, tensor]
            if level == DRAM and tensor == OUTPUTS and words[DRAM, OUTPUTS, READS] > 0:
                held *= machine.spill
            for access in range(3):
                moved += words[level, tensor, access] * held
        share = moved / (pes if level == LOCAL else 1) / machine.bytes_per_cycle[level]
        cycles = max(cycles, np.ceil(share * (1 - 1e-12)))
    for level in range(3):
        for tensor in range(3):
            part = 0.0
            for access in range(3):
                part += words[level, tensor, access] * machine.pj[level, tensor, access]
            if level == DRAM and tensor == OUTPUTS and words[DRAM, OUTPUTS, READS] > 0:
                part *= machine.spill
            energy += part
    return Cost(cycles, energy)


@kernel()
def least_words(
    task: Task, fans: tuple[IntArray, IntArray], least: FloatArray, out: FloatArray
) -> None:
    """Write the least words [levels, tensors, accesses] of a member.

    `fans` are the most and the fewest instances [3, dims] that it may use: tiles of few blocks
    leave instances idle, and these hold no copies.
    `least` [levels, tensors] are the words that come to a level, copies apart. Every instance
    that holds a copy is filled; the parent is read once for all. At the level that feeds the
    datapath no more sums begin at zero than it holds copies of.
    """
    out[:] = 0.0
    machine, operands = task.machine, np.empty(3)
    fan, fewest = fans
    operand_words(task.layer, machine, fan, operands)
    for tensor in range(3):
        parent, size = DRAM, task.sizes[tensor]
        for level in range(1, 3):
            if not machine.keep[level, tensor]:
                continue
            came = least[level, tensor]
            held = copies(fewest, RELEVANT[tensor], level)
            if tensor == OUTPUTS:
                out[parent, tensor, UPDATES] += came
                out[parent, tensor, READS] += came - size
                out[level, tensor, FILLS] += (came - size) * held
            else:
                out[parent, tensor, READS] += came
                out[level, tensor, FILLS] += came * held
            parent = level
        begun = 0.0
        if tensor == OUTPUTS:
            out[parent, tensor, UPDATES] += operands[tensor]
            begun = size * copies(fan, RELEVANT[tensor], parent)
        out[parent, tensor, READS] += max(operands[tensor] - begun, 0.0)


@kernel()
def least_steps(extents: IntArray, fan: IntArray) -> int:
    """The fewest temporal steps that a spatial assignment [3, dims] allows."""
    steps = 1
    for dim in range(DIMS):
        spread = fan[0, dim] * fan[1, dim] * fan[2, dim]
        steps *= ceil_div(extents[dim], min(spread, extents[dim]))
    return steps
