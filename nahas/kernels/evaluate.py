"""Access counts of one mapping of one layer, exact to the word.

[docs/equations.md 1 to 4]
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nahas.kernels._jit import kernel
from nahas.kernels.halo import (
    PATTERNS,
    Side,
    axis,
    fetched_together,
    moves,
    rows_used,
    side,
)
from nahas.kernels.nest import (
    DIMS,
    TOP,
    IntArray,
    Nest,
    constant,
    fan_out,
    loops_above,
    points,
    steps,
)
from nahas.kernels.records import LayerRow
from nahas.kernels.reuse import (
    FIRST,
    contexts,
    first_visits,
    kept_still,
    moved,
    operands,
    visits,
    working_copies,
)
from nahas.vocabulary import Access, Dim, Tensor

READS, FILLS, UPDATES = int(Access.READS), int(Access.FILLS), int(Access.UPDATES)
WEIGHTS, INPUTS, OUTPUTS = (constant(tensor) for tensor in Tensor)
N, G, K, C, P, Q, R, S = (constant(dim) for dim in Dim)
WEIGHT_DIMS = constant(1 << G | 1 << K | 1 << C | 1 << R | 1 << S)
OUTPUT_DIMS = constant(1 << N | 1 << G | 1 << K | 1 << P | 1 << Q)

BoolArray = npt.NDArray[np.bool_]


@kernel()
def extents_of(layer: LayerRow) -> IntArray:
    """The dims of a layer [8] in the order of `Dim`."""
    return np.array(
        (layer.n, layer.g, layer.k, layer.c, layer.p, layer.q, layer.r, layer.s), np.int64
    )


@kernel()
def nest_of(loops: IntArray) -> Nest:
    """The nest of loops [loops, 3] of slot, dim and count, outermost first."""
    table = np.ascontiguousarray(loops.T)
    step = np.empty(loops.shape[0], np.int64)
    steps(table[1], table[2], step)
    return Nest(table[0], table[1], table[2], step)


@kernel()
def parent_of(keep: BoolArray, level: int, tensor: int) -> int:
    """The next level outside `level` that stores `tensor`; DRAM stores all."""
    parent = level - 1
    while parent > 0 and not keep[parent, tensor]:
        parent -= 1
    return parent


@kernel()
def innermost(keep: BoolArray, tensor: int) -> int:
    """The level that feeds the datapath with `tensor`."""
    return parent_of(keep, keep.shape[0], tensor)


@kernel()
def add_weights(nest: Nest, extents: IntArray, level: int, parent: int, counts: IntArray) -> None:
    """Add the weights that move between a level and its parent."""
    end, parent_end = loops_above(nest.slot, level), loops_above(nest.slot, parent)
    counts[level, WEIGHTS, FILLS] += visits(nest, extents, WEIGHT_DIMS, (end, end))
    counts[parent, WEIGHTS, READS] += visits(nest, extents, WEIGHT_DIMS, (end, parent_end))


@kernel()
def add_outputs(nest: Nest, extents: IntArray, level: int, parent: int, counts: IntArray) -> None:
    """Add the outputs that move between a level and its parent.

    Every visit ends in a drain. It begins with a refill, unless it is the first.
    """
    end, parent_end = loops_above(nest.slot, level), loops_above(nest.slot, parent)
    held = visits(nest, extents, OUTPUT_DIMS, (end, end))
    drained = visits(nest, extents, OUTPUT_DIMS, (end, parent_end))
    first_held = first_visits(nest, extents, OUTPUT_DIMS, end)
    first_drained = first_visits(nest, extents, OUTPUT_DIMS, parent_end)
    counts[level, OUTPUTS, FILLS] += held - first_held
    counts[parent, OUTPUTS, READS] += drained - first_drained
    counts[parent, OUTPUTS, UPDATES] += drained


@kernel()
def joined(rows: IntArray, columns: IntArray) -> int:
    """Words new to some instance, from the patterns [16] of both axes, where no channel moves."""
    words = 0
    for x in range(PATTERNS):
        for y in range(PATTERNS):
            if rows[x] > 0 and columns[y] > 0 and fetched_together(x, y):
                words += int(rows[x] * columns[y])
    return words


@kernel()
def fetched(blocks: tuple[int, int], h: IntArray, w: IntArray) -> int:
    """Input words fetched, from `blocks` of channels (all, unmoved) and two axes [3].

    Columns of an axis: all words, words of tiles that stay, words that a slide spares. Nothing
    is fetched where all three stay; a slide along one axis alone spares what it still holds.
    """
    whole, still = blocks
    spared = h[2] * w[1] + h[1] * w[2]
    return int(whole * h[0] * w[0] - still * (h[1] * w[1] + spared))


@kernel()
def input_arrivals(
    nest: Nest,
    extents: IntArray,
    ends: tuple[int, int],
    loop: int,
    sides: tuple[Side, Side, Side, Side],
    exact: bool,
) -> tuple[int, int]:
    """Fills of a level and reads of its parent for inputs, when `loop` advances."""
    end, parent_end = ends
    whole = contexts(nest, K, extents[K], loop)
    still = whole
    for dim in (N, G, C):
        whole *= moved(nest, dim, extents[dim], loop, end)
        still *= kept_still(nest, dim, extents[dim], loop, end)
    h, w = np.empty((2, 3), np.int64), np.empty((2, 3), np.int64)
    rows = np.empty(PATTERNS if exact else 0, np.int64)
    columns = np.empty(PATTERNS if exact else 0, np.int64)
    a, b, c, d = sides
    axis(a, b, (moves(nest, a, loop, end), moves(nest, b, loop, end)), h, rows)
    axis(c, d, (moves(nest, c, loop, end), moves(nest, d, loop, end)), w, columns)
    fills = fetched((whole, still), h[0], w[0])
    if exact:
        reads = (whole - still) * int(rows[1:].sum()) * int(columns[1:].sum())
        reads += still * joined(rows, columns)
    else:
        reads = fetched((whole, still), h[1], w[1])
    return fills * fan_out(nest, K, TOP, end), reads * fan_out(nest, K, TOP, parent_end)


@kernel()
def sides_of(nest: Nest, layer: LayerRow, ends: tuple[int, int]) -> tuple[Side, Side, Side, Side]:
    """The sides of both input axes: P and R of the rows, Q and S of the columns."""
    return (
        side(nest, P, layer.p, layer.stride_p, ends),
        side(nest, R, layer.r, layer.dilation_r, ends),
        side(nest, Q, layer.q, layer.stride_q, ends),
        side(nest, S, layer.s, layer.dilation_s, ends),
    )


@kernel()
def add_inputs(
    nest: Nest, layer: LayerRow, levels: tuple[int, int], exact: bool, counts: IntArray
) -> None:
    """Add the inputs that move between the two `levels`: a level and its parent."""
    level, parent = levels
    ends = (loops_above(nest.slot, level), loops_above(nest.slot, parent))
    extents = extents_of(layer)
    sides = sides_of(nest, layer, ends)
    fills, reads = input_arrivals(nest, extents, ends, FIRST, sides, exact)
    for loop in range(ends[0]):
        if nest.slot[loop] % 2 == 0 and nest.trips[loop] > 1:
            more = input_arrivals(nest, extents, ends, loop, sides, exact)
            fills += more[0]
            reads += more[1]
    counts[level, INPUTS, FILLS] += fills
    counts[parent, INPUTS, READS] += reads


@kernel()
def add_operands(nest: Nest, layer: LayerRow, keep: BoolArray, counts: IntArray) -> None:
    """Add what the multiply-accumulates read and write at the innermost level of each tensor."""
    extents = extents_of(layer)
    loops = nest.dim.size
    level = innermost(keep, WEIGHTS)
    end = loops_above(nest.slot, level)
    counts[level, WEIGHTS, READS] += operands(nest, extents, WEIGHT_DIMS, end)
    level = innermost(keep, OUTPUTS)
    end = loops_above(nest.slot, level)
    words = operands(nest, extents, OUTPUT_DIMS, end)
    counts[level, OUTPUTS, UPDATES] += words
    counts[level, OUTPUTS, READS] += words - working_copies(nest, extents, OUTPUT_DIMS, end)
    level = innermost(keep, INPUTS)
    end = loops_above(nest.slot, level)
    a, b, c, d = sides_of(nest, layer, (end, end))
    words = layer.n * layer.g * layer.c * points(nest, K, layer.k, loops, end, loops)
    counts[level, INPUTS, READS] += words * rows_used(nest, a, b, end) * rows_used(nest, c, d, end)


@kernel()
def executed_cycles(nest: Nest, extents: IntArray) -> int:
    """Temporal steps in which the instance at spatial index 0 has a real point."""
    cycles = 1
    for dim in range(DIMS):
        cycles *= points(nest, dim, extents[dim], nest.dim.size, TOP, nest.dim.size)
    return cycles


@kernel()
def evaluate(
    layer: LayerRow, loops: IntArray, keep: BoolArray, exact_multicast: bool, counts: IntArray
) -> int:
    """Write the access counts of a mapping; the cycles it computes for.

    `loops` [loops, 3] holds slot, dim and count, outermost first and sorted by slot. `keep`
    [3 levels, 3 tensors] says what each level stores; its DRAM row is taken as true. `counts`
    [3 levels, 3 tensors, 3 accesses] are words over all instances and the whole layer. With
    `exact_multicast` a parent reads a word once per step however the halos of the instances
    below it overlap; without it only instances that ask for the same slab share a read.
    """
    counts[:] = 0
    nest = nest_of(loops)
    extents = extents_of(layer)
    for level in range(1, keep.shape[0]):
        if keep[level, WEIGHTS]:
            add_weights(nest, extents, level, parent_of(keep, level, WEIGHTS), counts)
        if keep[level, OUTPUTS]:
            add_outputs(nest, extents, level, parent_of(keep, level, OUTPUTS), counts)
        if keep[level, INPUTS]:
            levels = (level, parent_of(keep, level, INPUTS))
            add_inputs(nest, layer, levels, exact_multicast, counts)
    add_operands(nest, layer, keep, counts)
    return executed_cycles(nest, extents)


@kernel()
def first_touches(layer: LayerRow, loops: IntArray, out: IntArray) -> None:
    """Write the output words that instances of each level begin [3], summed over instances.

    An instance that never sees a real point begins nothing.
    """
    nest = nest_of(loops)
    for level in range(out.size):
        end = loops_above(nest.slot, level)
        out[level] = working_copies(nest, extents_of(layer), OUTPUT_DIMS, end)


@kernel()
def tile_words(layer: LayerRow, loops: IntArray, out: IntArray) -> None:
    """Write the words of the first tile of each level and tensor [3, 3], the largest there is."""
    nest = nest_of(loops)
    extents = extents_of(layer)
    for level in range(out.shape[0]):
        end = loops_above(nest.slot, level)
        tile = np.empty(DIMS, np.int64)
        for dim in range(DIMS):
            tile[dim] = points(nest, dim, extents[dim], TOP, TOP, end)
        rows = (tile[P] - 1) * layer.stride_p + (tile[R] - 1) * layer.dilation_r + 1
        columns = (tile[Q] - 1) * layer.stride_q + (tile[S] - 1) * layer.dilation_s + 1
        out[level, WEIGHTS] = tile[G] * tile[K] * tile[C] * tile[R] * tile[S]
        out[level, INPUTS] = tile[N] * tile[G] * tile[C] * rows * columns
        out[level, OUTPUTS] = tile[N] * tile[G] * tile[K] * tile[P] * tile[Q]
