"""The best mapping of many layer/accelerator pairs on the edge template.

The mapspace (docs/mapspace.md; `nahas.mapspace` enumerates it): every assignment of dims to
PE x and PE y (G, K, P, Q) and lanes (G, K, C, Q), times the DRAM tilings of `tiled`, times
weight- or output-stationary loops in local memory. The search costs every member or skips it
by a bound that it cannot beat, so the result is the optimum of that space; ties fall to the
other figure, then to the first in the order of `search`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy import ceil
from numpy.typing import NDArray

from nahas.kernels._jit import kernel
from nahas.kernels.edge import (
    INPUTS_STAY_Q,
    OUTPUTS_STAY,
    WEIGHTS_STAY_P,
    WEIGHTS_STAY_Q,
    cost,
    count,
)
from nahas.kernels.menu import assignments, blocks_along
from nahas.kernels.nest import constant
from nahas.kernels.records import (
    CostRow,
    CountsRow,
    HardwareRow,
    LayerRow,
    ResidencyRow,
)
from nahas.kernels.tilings import (
    Axes,
    Blocks,
    C,
    G,
    K,
    P,
    Placement,
    Q,
    Split,
    Wish,
    axes_of,
    blocks_of,
    fits,
    is_partial,
    local_tile_bytes,
    local_tile_words,
    next_count,
    place,
    whole,
)
from nahas.vocabulary import DramOrder, Objective

RecordArray = NDArray[Any]

LATENCY, ENERGY = constant(Objective.LATENCY), constant(Objective.ENERGY)
DRAM_ORDERS = len(DramOrder)


class Found(NamedTuple):
    """The best candidate so far: its two figures, where it stands, and how many were seen."""

    first: float
    second: float
    axes: Axes
    wish: Wish
    order: int
    costed: int


@kernel(inline=True)
def rank(cycles: float, energy: float, objective: int) -> tuple[float, float]:
    """The figure to minimise, and the one that breaks ties."""
    if objective == LATENCY:
        return cycles, energy
    if objective == ENERGY:
        return energy, cycles
    return cycles * energy, energy


@kernel(inline=True)
def uncut(output_stationary: bool) -> Wish:
    """The wish for the whole layer in local memory."""
    return Wish(1.0, 1.0, 1.0, 1.0, 1.0, output_stationary)


@kernel(inline=True)
def is_cut(cuts: int, dim: int) -> bool:
    """Whether a dim is one of the cut ones, a set of bits."""
    return bool((cuts >> dim) & 1)


@kernel(inline=True)
def is_found(wish: Wish) -> bool:
    """Whether every dim has a tile."""
    return wish.g * wish.k * wish.c * wish.p * wish.q > 0.0


@kernel()
def fewest_tiles(
    layer: LayerRow, room: float, uncut: tuple[float, float, float], dim: int
) -> float:
    """A count below which cutting `dim` alone cannot fit; infinite where no count can.

    `uncut` are the bytes of the whole layer's tiles, single buffered. The tensors that `dim`
    does not index keep theirs. The others are double buffered, and n tiles leave at least
    1/2n of their words: a piece is never more than twice its share (the balanced rounding of
    `split`), nor less than it. Inputs count only where their boxes have no gaps.
    """
    weights, inputs, outputs = uncut
    if (layer.r - 1) * layer.dilation_r + 1 < layer.stride_p:
        inputs = 0.0
    if (layer.s - 1) * layer.dilation_s + 1 < layer.stride_q:
        inputs = 0.0
    cut, kept = weights + inputs + outputs, 0.0
    if dim == K:
        cut, kept = weights + outputs, inputs
    elif dim == C:
        cut, kept = weights + inputs, outputs
    elif dim in (P, Q):
        cut, kept = inputs + outputs, weights
    return cut / (room - kept) if room > kept else np.inf


@kernel()
def first_fit(
    layer: LayerRow, hw: HardwareRow, blocks: Blocks, reserved: float, axes: Axes,
    least: float, start: Wish,
) -> Wish:  # fmt: skip
    """The wish with the first count of the dim of 0 tiles in `start` that fits.

    Counts are those that make a difference, and not below `least`; where none fits, the wish
    still has 0 tiles.
    """
    dim = Q
    if start.g == 0.0:
        dim = G
    elif start.k == 0.0:
        dim = K
    elif start.c == 0.0:
        dim = C
    elif start.p == 0.0:
        dim = P
    most = blocks_along(layer, blocks, dim)
    tiles = next_count(most, 1.0)
    while tiles <= most:
        if tiles >= least:
            wish = Wish(
                start.g if start.g > 0.0 else tiles,
                start.k if start.k > 0.0 else tiles,
                start.c if start.c > 0.0 else tiles,
                start.p if start.p > 0.0 else tiles,
                start.q if start.q > 0.0 else tiles,
                start.output_stationary,
            )
            if fits(layer, hw, reserved, place(layer, hw, blocks, axes, wish)):
                return wish
        tiles = next_count(most, tiles)
    return start


@kernel(inline=True)
def better(best: Found, row: CostRow, axes: Axes, wish: Wish, order: int, objective: int) -> Found:
    """The better of the best so far and a new candidate; the earlier one on a tie."""
    first, second = rank(row.cycles, row.energy_pj, objective)
    if wins(first, second, best):
        return Found(first, second, axes, wish, order, best.costed + 1)
    return Found(best.first, best.second, best.axes, best.wish, best.order, best.costed + 1)


@kernel(inline=True)
def is_repeated(at: Placement, order: int) -> bool:
    """Whether an order moves what an earlier one does: they differ in loops of one trip only."""
    pixels = at.p.dram * at.q.dram
    if order == WEIGHTS_STAY_P:
        return False
    if order == WEIGHTS_STAY_Q:
        return bool(at.p.dram == 1.0 or at.q.dram == 1.0)
    if order == OUTPUTS_STAY:
        return bool(at.c.dram == 1.0 or pixels == 1.0)
    if order == INPUTS_STAY_Q and (at.p.dram == 1.0 or at.q.dram == 1.0):
        return True
    return bool(at.k.dram == 1.0 or at.c.dram * pixels == 1.0)


@kernel()
def every_order(
    layer: LayerRow, hw: HardwareRow, stay: ResidencyRow, best: Found, objective: int,
    axes: Axes, start: tuple[Wish, float],
) -> Found:  # fmt: skip
    """Cost the first tiling of a start that fits, in every order of the loops.

    `start` is a wish with one dim to be cut, and a count below which it cannot fit. Output-
    stationary only where the weight-stationary placement spills partial sums or does not fit.
    """
    blocks = blocks_of(layer, hw)
    begin, least = start
    for output_stationary in (False, True):
        wish = Wish(begin.g, begin.k, begin.c, begin.p, begin.q, output_stationary)
        wish = first_fit(layer, hw, blocks, stay.reserved_bytes, axes, least, wish)
        if not is_found(wish):
            continue
        at = place(layer, hw, blocks, axes, wish)
        for order in range(DRAM_ORDERS):
            if not is_repeated(at, order):
                row = cost(count(layer, at, order), hw, stay)
                best = better(best, row, axes, wish, order, objective)
        if not is_partial(at):
            break
    return best


@kernel(inline=True)
def coarser(tiles: float, most: float) -> float:
    """The count after `tiles` of a dim that is cut coarsely: 2, 4, 8, ..., and `most`."""
    return 2.0 * tiles if tiles == most or 2.0 * tiles < most else most


@kernel()
def tiled(
    layer: LayerRow, hw: HardwareRow, stay: ResidencyRow, best: Found,
    objective: int, axes: Axes, uncut_bytes: tuple[float, float, float],
) -> Found:  # fmt: skip
    """Cost the DRAM tilings of an assignment of which the whole layer does not fit.

    As few dims are cut as suffice. Of every set of so many dims, the last takes the first
    count that fits, for every coarse count of the others.
    """
    blocks = blocks_of(layer, hw)
    room = hw.local_memory_bytes - stay.reserved_bytes
    seen = best.costed
    for dim in (G, K, C, P, Q):
        if blocks_along(layer, blocks, dim) > 1.0:
            least = fewest_tiles(layer, room, uncut_bytes, dim)
            wish = starting(1 << dim, dim, 1.0, 1.0, 1.0, 1.0)
            best = every_order(layer, hw, stay, best, objective, axes, (wish, least))
    for dims in range(2, 6):
        if best.costed > seen:
            break
        for cuts in range(1 << G, 2 << Q):
            if is_set_of(layer, blocks, cuts, dims):
                best = coarsely(layer, hw, stay, best, objective, axes, cuts)
    return best


@kernel(inline=True)
def is_set_of(layer: LayerRow, blocks: Blocks, cuts: int, dims: int) -> bool:
    """Whether `cuts` are so many dims, of more than one block each."""
    size = 0
    for dim in (G, K, C, P, Q):
        if is_cut(cuts, dim):
            size += 1
            if blocks_along(layer, blocks, dim) == 1.0:
                return False
    return size == dims and cuts % 2 == 0


@kernel(inline=True)
def starting(cuts: int, last: int, g: float, k: float, c: float, p: float) -> Wish:
    """A wish of the given counts along cut dims, 0 along the `last` and 1 along the others."""
    return Wish(
        0.0 if last == G else (g if is_cut(cuts, G) else 1.0),
        0.0 if last == K else (k if is_cut(cuts, K) else 1.0),
        0.0 if last == C else (c if is_cut(cuts, C) else 1.0),
        0.0 if last == P else (p if is_cut(cuts, P) else 1.0),
        0.0 if last == Q else 1.0,
        False,
    )


@kernel()
def coarsely(
    layer: LayerRow, hw: HardwareRow, stay: ResidencyRow, best: Found,
    objective: int, axes: Axes, cuts: int,
) -> Found:  # fmt: skip
    """Cost the tilings that cut two dims or more, the bits of `cuts`."""
    blocks = blocks_of(layer, hw)
    last = G
    for dim in (K, C, P, Q):
        if is_cut(cuts, dim):
            last = dim
    # A dim that is not cut coarsely goes through its loop once.
    most_g = blocks.g if is_cut(cuts, G) else 2.0
    most_k = blocks.k if is_cut(cuts, K) and last != K else 2.0
    most_c = blocks.c if is_cut(cuts, C) and last != C else 2.0
    most_p = float(layer.p) if is_cut(cuts, P) and last != P else 2.0
    g = 2.0
    while g <= most_g:
        k = 2.0
        while k <= most_k:
            c = 2.0
            while c <= most_c:
                p = 2.0
                while p <= most_p:
                    start = (starting(cuts, last, g, k, c, p), 0.0)
                    best = every_order(layer, hw, stay, best, objective, axes, start)
                    p = coarser(p, most_p)
                c = coarser(c, most_c)
            k = coarser(k, most_k)
        g = coarser(g, most_g)
    return best


@kernel()
def explore(
    layer: LayerRow, hw: HardwareRow, blocks: Blocks, stay: ResidencyRow, best: Found,
    objective: int, axes: Axes,
) -> Found:  # fmt: skip
    """Cost every candidate of one spatial assignment.

    The whole layer in local memory where it fits in either order of the loops, else cut.
    """
    seen = best.costed
    tiles = (0.0, 0.0, 0.0)  # of the output-stationary order, which holds no partial sums
    for output_stationary in (False, True):
        wish = uncut(output_stationary)
        at = place(layer, hw, blocks, axes, wish)
        if fits(layer, hw, stay.reserved_bytes, at):
            row = cost(count(layer, at, WEIGHTS_STAY_P), hw, stay)
            best = better(best, row, axes, wish, WEIGHTS_STAY_P, objective)
            if not is_partial(at):
                break
        tiles = local_tile_bytes(layer, hw, at)
    if best.costed > seen:
        return best
    return tiled(layer, hw, stay, best, objective, axes, tiles)


@kernel(inline=True)
def ideal(layer: LayerRow, hw: HardwareRow, blocks: Blocks, axes: Axes) -> Placement:
    """The placement of the whole layer if everything fitted the register file."""
    c_lanes = axes_of(C, axes, hw)[2]
    held = ceil(blocks.c / c_lanes)
    c_lanes = ceil(blocks.c / held)
    return Placement(
        whole(blocks.g, axes_of(G, axes, hw)),
        whole(blocks.k, axes_of(K, axes, hw)),
        Split(1.0, 1.0, 1.0, c_lanes, held, 1.0, 1.0, held, c_lanes * held),
        whole(float(layer.p), axes_of(P, axes, hw)),
        whole(float(layer.q), axes_of(Q, axes, hw)),
        blocks, 1.0, 1.0, False, True,
    )  # fmt: skip


@kernel(inline=True)
def is_attained(layer: LayerRow, hw: HardwareRow, at: Placement) -> bool:
    """Whether the register file really holds what `ideal` says, so that it is a candidate."""
    simd = at.blocks.simd_g * at.blocks.simd_k
    weight = simd * at.blocks.dot * hw.weight_bytes
    room = hw.register_file_bytes - simd * hw.partial_sum_bytes
    buffers = 1.0 if at.g.local * at.k.local == 1.0 else 2.0
    return buffers * at.c.register * layer.r * layer.s * weight <= room


@kernel(inline=True)
def compute_cycles(layer: LayerRow, at: Placement) -> float:
    """Temporal steps of a placement; of `ideal`, the fewest that its assignment can take.

    A step covers at most all instances of every axis.
    """
    return at.g.steps * at.k.steps * at.c.steps * at.p.steps * at.q.steps * layer.r * layer.s


@kernel(inline=True)
def bound(
    layer: LayerRow, hw: HardwareRow, stay: ResidencyRow, at: Placement
) -> tuple[CostRow, bool]:
    """A cost that no candidate of an assignment can beat, and whether one attains it.

    Where the whole layer fits local memory beside partial sums, its candidates use the PEs
    and lanes of `ideal` (`at`) and can only move more. Where it does not, a candidate may use fewer
    PEs, but over Q: then multicast reaches those alone, and local memory is as quick as that
    of all PEs together.
    """
    weights, inputs, outputs = local_tile_words(layer, at)
    weights, inputs = weights * hw.weight_bytes, inputs * hw.activation_bytes
    counts = count(layer, at, WEIGHTS_STAY_P)
    room = hw.local_memory_bytes - stay.reserved_bytes
    whole_fits = weights + inputs + hw.partial_sum_bytes * outputs <= room
    if not whole_fits:
        counts = least_moved(counts, hw, layer)
    return cost(counts, hw, stay), whole_fits and is_attained(layer, hw, at)


@kernel(inline=True)
def least_moved(counts: CountsRow, hw: HardwareRow, layer: LayerRow) -> CountsRow:
    """Counts without halo, uneven use of PEs, or copies of weights and inputs."""
    weights = counts.dram_weight_reads
    rows = min(layer.p * layer.stride_p, layer.p * layer.r)
    columns = min(layer.q * layer.stride_q, layer.q * layer.s)
    inputs = float(layer.g) * layer.c * rows * columns
    return CountsRow(
        counts.compute_cycles, hw.pes_x * hw.pes_y, counts.macs, weights,
        counts.register_output_updates, counts.register_output_reads, 0.0, weights, weights,
        inputs, counts.local_input_reads, 0.0, counts.local_output_updates, 0.0,
        weights, inputs, 0.0, counts.dram_output_updates,
    )  # fmt: skip


@kernel()
def search(
    layer: LayerRow, hw: HardwareRow, blocks: Blocks, stay: ResidencyRow, objective: int,
    scratch: tuple[RecordArray, RecordArray],
) -> Found:  # fmt: skip
    """The best candidate of a pair.

    First the assignments whose bound is attained, in written order; then the others, unless
    the bound shows that none of their candidates is better than the best so far. `scratch` are
    int64 [MOST_ASSIGNMENTS, 4] and float64 [MOST_ASSIGNMENTS, 2].
    """
    menu, bounds = scratch
    size = assignments(layer, hw, blocks, menu)
    # Plain numbers in this loop, for it is the one that runs most: a `Found` would be copied.
    leader, least, tie, attained_ones, left = -1, np.inf, np.inf, 0, 0
    for i in range(size):
        axes = Axes(menu[i, 0], menu[i, 1], menu[i, 2])
        at = ideal(layer, hw, blocks, axes)
        if objective == LATENCY and compute_cycles(layer, at) > least:
            continue
        row, attained = bound(layer, hw, stay, at)
        first, second = rank(row.cycles, row.energy_pj, objective)
        attained_ones += attained
        if first > least or (first == least and second >= tie):
            continue
        if attained:
            leader, least, tie = i, first, second
        else:
            menu[left, 3], bounds[left, 0], bounds[left, 1] = i, first, second
            left += 1
    best = Found(least, tie, Axes(K, K, K), uncut(False), WEIGHTS_STAY_P, attained_ones)
    if leader >= 0:
        axes = Axes(menu[leader, 0], menu[leader, 1], menu[leader, 2])
        best = Found(least, tie, axes, uncut(False), WEIGHTS_STAY_P, attained_ones)
    for j in range(left):
        if wins(bounds[j, 0], bounds[j, 1], best):
            i = menu[j, 3]
            axes = Axes(menu[i, 0], menu[i, 1], menu[i, 2])
            best = explore(layer, hw, blocks, stay, best, objective, axes)
    return best


@kernel(inline=True)
def wins(first: float, second: float, best: Found) -> bool:
    """Whether these two figures are better than those of the best so far."""
    return first < best.first or (first == best.first and second < best.second)
