"""The best mapping of a pair in the full mapspace of the edge template.

Beside the members of `kernels.search`, from whose optimum the search starts, the space holds any
number of SIMD units, lanes and PEs along any dim, every number of DRAM tiles along every dim, and
every register-file tile. The search decides units, then lanes, then PEs, and drops a choice
whose bound is not better than the best member so far. [docs/mapspace.md, The full space]
"""

from __future__ import annotations

from typing import NamedTuple

from numpy import ceil

from nahas.kernels._jit import kernel
from nahas.kernels.edge import cost, count
from nahas.kernels.menu import blocks_along
from nahas.kernels.nest import constant
from nahas.kernels.parts import (
    ONCE,
    Cut,
    FloatArray,
    Floor,
    Open,
    Pair,
    Part,
    exact,
    floor_of,
    floor_with,
    has_gaps,
    held_positions,
    held_weights,
    is_better,
    lanes_along,
    largest_part,
    may_win,
    may_win_cut,
    pes_along,
    smaller_part,
    spills,
)
from nahas.kernels.records import HardwareRow, LayerRow
from nahas.kernels.search import DRAM_ORDERS, is_repeated, rank
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
    fits,
    local_tile_words,
    next_count,
)
from nahas.vocabulary import Mapspace

FULL, FULL_WEIGHT, FULL_OUTPUT = (
    constant(space) for space in (Mapspace.FULL, Mapspace.FULL_WEIGHT, Mapspace.FULL_OUTPUT)
)
MEMBER_FIELDS = 20
"""Numbers that `write_member` writes."""


class Trial(NamedTuple):
    """A tiling in the making: all dims but C, the part it is of, and its tiles along C."""

    part: Part
    g: Split
    k: Split
    p: Split
    q: Split
    c_tiles: float


@kernel()
def costed(pair: Pair, trial: Trial, at: Placement, best: FloatArray, chosen: FloatArray) -> None:
    """Cost a placement in every order of the DRAM loops, if it is legal; keep a better one."""
    if not fits(pair.layer, pair.hw, pair.stay.reserved_bytes, at):
        return
    for order in range(DRAM_ORDERS):
        if is_repeated(at, order):
            continue
        row = cost(count(pair.layer, at, order), pair.hw, pair.stay)
        first, second = rank(row.cycles, row.energy_pj, pair.objective)
        best[2] += 1.0
        if is_better(first, second, best):
            best[0], best[1] = first, second
            write_member(trial, at, order, chosen)


@kernel()
def write_member(trial: Trial, at: Placement, order: int, chosen: FloatArray) -> None:
    """Write what `placed` needs to make the placement again."""
    part = trial.part
    chosen[0], chosen[1], chosen[2] = part.axes.x, part.axes.y, part.axes.lane
    chosen[3], chosen[4], chosen[5] = part.x, part.y, part.lanes
    chosen[6], chosen[7] = part.blocks.simd_g, part.blocks.simd_k
    chosen[8], chosen[9], chosen[10] = at.g.dram, at.k.dram, at.c.dram
    chosen[11], chosen[12] = at.p.dram, at.q.dram
    chosen[13], chosen[14] = order, at.output_stationary
    chosen[15], chosen[16] = at.local_r, at.local_s
    chosen[17], chosen[18], chosen[19] = at.c.register, at.p.register, at.q.register


@kernel()
def weight_stationary(pair: Pair, trial: Trial, best: FloatArray, chosen: FloatArray) -> bool:
    """Cost the weight-stationary members of a tiling: what of the window and of C is held.

    True where one holds all that a lane needs, so that nothing of the reduction is a loop of
    local memory. A nest whose local memory has no loop over P or Q, but over the reduction, is
    output-stationary.
    """
    layer, blocks = pair.layer, trial.part.blocks
    g, k, p, q = trial.g, trial.k, trial.p, trial.q
    work = ceil(ceil(blocks.c / trial.c_tiles) / lanes_along(trial.part, C))
    most = held_weights(pair, blocks)
    alone = g.dram * k.dram * g.local * k.local * trial.c_tiles == 1.0
    moving = p.local * q.local > 1.0
    for window in range(3):
        rows = layer.r if window == 0 else 1
        columns = layer.s if window < 2 else 1
        if (window == 1 and layer.r == 1) or (window == 2 and layer.s == 1):
            continue
        held = largest_part(work, most // (rows * columns))
        while held > 0.0:
            c, asked = exact(blocks.c, trial.c_tiles, held, trial.part, C)
            local_r, local_s = float(layer.r / rows), float(layer.s / columns)
            is_all = c.local * local_r * local_s == 1.0
            buffers = 1.0 if alone and is_all else 2.0
            if asked and (moving or is_all) and buffers * held * rows * columns <= most:
                at = Placement(g, k, c, p, q, blocks, local_r, local_s, False, True)
                costed(pair, trial, at, best, chosen)
                if is_all:
                    return True
            held = smaller_part(work, held)
    return False


@kernel()
def output_stationary(pair: Pair, trial: Trial, best: FloatArray, chosen: FloatArray) -> None:
    """Cost the output-stationary members of a tiling: how many positions are held.

    Positions are held only along dims that DRAM leaves whole.
    """
    layer, part = pair.layer, trial.part
    room = held_positions(pair, part.blocks)
    c, asked = exact(part.blocks.c, trial.c_tiles, 1.0, part, C)
    if not asked or room < 1.0 or c.dram * c.local * layer.r * layer.s == 1.0:
        return
    p_work, q_work = trial.p.local, trial.q.local
    held_q = largest_part(q_work, room if trial.q.dram == 1.0 else 1.0)
    while held_q > 0.0:
        q, q_asked = exact(float(layer.q), trial.q.dram, held_q, part, Q)
        held_p = largest_part(p_work, room // held_q if trial.p.dram == 1.0 else 1.0)
        while held_p > 0.0:
            p, p_asked = exact(float(layer.p), trial.p.dram, held_p, part, P)
            if q_asked and p_asked:
                at = Placement(
                    trial.g, trial.k, c, p, q, part.blocks,
                    float(layer.r), float(layer.s), True, True,
                )  # fmt: skip
                costed(pair, trial, at, best, chosen)
            held_p = smaller_part(p_work, held_p)
        held_q = smaller_part(q_work, held_q)


@kernel()
def tiling(pair: Pair, part: Part, cut: Cut, best: FloatArray, chosen: FloatArray) -> bool:
    """Cost the members with these tiles at DRAM; whether the part can take them as asked."""
    layer, blocks = pair.layer, part.blocks
    g, g_asked = exact(blocks.g, cut.g, 1.0, part, G)
    k, k_asked = exact(blocks.k, cut.k, 1.0, part, K)
    p, p_asked = exact(float(layer.p), cut.p, 1.0, part, P)
    q, q_asked = exact(float(layer.q), cut.q, 1.0, part, Q)
    if not (g_asked and k_asked and p_asked and q_asked):
        return False
    trial = Trial(part, g, k, p, q, cut.c)
    is_cut = cut.g * cut.k * cut.c * cut.p * cut.q > 1.0
    # Where both PE axes spread P, or Q, held positions may leave fewer PEs with a halo to read.
    is_cut = is_cut or (part.axes.x == part.axes.y and part.axes.x >= P and part.x * part.y > 1.0)
    settled = False
    if pair.space != FULL_OUTPUT:
        settled = weight_stationary(pair, trial, best, chosen)
    if pair.space != FULL_WEIGHT and (is_cut or not settled):
        output_stationary(pair, trial, best, chosen)
    return True


@kernel()
def cut_channels(
    pair: Pair, part: Part, floor: Floor, pixels: Cut, best: FloatArray, chosen: FloatArray
) -> None:
    """Cost the tilings of G, K and C beside tiles along P and Q.

    With tiles along G and K given, the first bound that cannot win ends the loop over C, unless
    smaller tiles could come to fit register files.
    """
    blocks = part.blocks
    g = 1.0
    while g <= blocks.g:
        g_cut, g_asked = exact(blocks.g, g, 1.0, part, G)
        k = 1.0
        while k <= blocks.k and g_asked:
            k_cut, k_asked = exact(blocks.k, k, 1.0, part, K)
            c = 1.0
            while c <= blocks.c and k_asked:
                cut = Cut(g, k, c, pixels.p, pixels.q)
                loops = spills(pair, part, cut)
                several = loops or g_cut.local * k_cut.local > 1.0
                if may_win_cut(pair, floor, cut, several, best):
                    if g * k * c * pixels.p * pixels.q > 1.0:
                        tiling(pair, part, cut, best, chosen)
                elif not loops:
                    break
                c = next_count(blocks.c, c)
            k = next_count(blocks.k, k)
        g = next_count(blocks.g, g)


@kernel()
def cut_pixels(pair: Pair, part: Part, best: FloatArray, chosen: FloatArray) -> None:
    """Cost the tilings of a part.

    Bounds do not fall as Q is cut further, unless tiles skip columns; so the first that cannot win
    ends the loop.
    """
    layer, floor = pair.layer, floor_of(pair, part)
    gaps = has_gaps(layer)
    p = 1.0
    while p <= layer.p:
        p_cut, p_asked = exact(float(layer.p), p, 1.0, part, P)
        q = 1.0
        while q <= layer.q and p_asked:
            q_cut, q_asked = exact(float(layer.q), q, 1.0, part, Q)
            here = floor_with(pair, part, floor, p_cut, q_cut)
            pixels = Cut(1.0, 1.0, 1.0, p, q)
            if may_win_cut(pair, here, pixels, False, best):
                if q_asked:
                    cut_channels(pair, part, here, pixels, best, chosen)
            elif not gaps:
                break
            q = next_count(float(layer.q), q)
        p = next_count(float(layer.p), p)


@kernel()
def explore(pair: Pair, part: Part, best: FloatArray, chosen: FloatArray) -> None:
    """Cost the members of a part, the whole layer in one tile first.

    Where it fits local memory even beside partial sums, cutting it gains nothing, but for rows
    that tiles skip between windows, which the space leaves out. In a region of the space what is
    as good may lie outside of the region. [docs/mapspace.md]
    """
    placed = tiling(pair, part, ONCE, best, chosen)
    gains_nothing = (placed and pair.space == FULL) or has_gaps(pair.layer)
    if gains_nothing and fits_whole(pair, part):
        return
    cut_pixels(pair, part, best, chosen)


@kernel()
def largest_share(pair: Pair, part: Part, dim: int) -> Split:
    """The uncut split of P or Q of which a PE holds most, whatever register files hold."""
    positions = blocks_along(pair.layer, part.blocks, dim)
    largest, _ = exact(positions, 1.0, 1.0, part, dim)
    work = largest.local
    held = largest_part(work, held_positions(pair, part.blocks))
    while held > 0.0:
        cut, asked = exact(positions, 1.0, held, part, dim)
        if asked and cut.reach > largest.reach:
            largest = cut
        held = smaller_part(work, held)
    return largest


@kernel()
def fits_whole(pair: Pair, part: Part) -> bool:
    """Whether PEs hold their shares of the whole layer and of all partial sums.

    Held positions make shares along P and Q larger: the largest count.
    """
    layer, blocks = pair.layer, part.blocks
    g, _ = exact(blocks.g, 1.0, 1.0, part, G)
    k, _ = exact(blocks.k, 1.0, 1.0, part, K)
    c, _ = exact(blocks.c, 1.0, 1.0, part, C)
    p = largest_share(pair, part, P)
    q = largest_share(pair, part, Q)
    at = Placement(g, k, c, p, q, blocks, 1.0, 1.0, True, True)
    weights, inputs, outputs = local_tile_words(layer, at)
    held = weights * pair.hw.weight_bytes + inputs * pair.hw.activation_bytes
    room = pair.hw.local_memory_bytes - pair.stay.reserved_bytes
    return bool(held + outputs * pair.hw.partial_sum_bytes <= room)


@kernel(inline=True)
def fewer_rounds(blocks: float, before: float, count: float) -> bool:
    """Whether `count` instances, each of `before`, need fewer rounds than one instance less."""
    return count == 1.0 or ceil(blocks / (before * count)) < ceil(blocks / (before * (count - 1.0)))


@kernel()
def every_y(pair: Pair, part: Part, best: FloatArray, chosen: FloatArray) -> None:
    """Decide PE y, the last axis, and cost what may win."""
    layer, hw, axes = pair.layer, pair.hw, part.axes
    for dim in (G, K, P, Q):
        whole = blocks_along(layer, part.blocks, dim)
        before = pes_along(part, dim) * lanes_along(part, dim)
        count = 1.0 if dim == G else 2.0
        while count <= hw.pes_y:
            swaps = part.x <= hw.pes_y and count <= hw.pes_x
            mirrored = swaps and dim < axes.x  # one dim on both is not: rows of y are rounded
            if fewer_rounds(whole, before, count) and not (
                mirrored and count > 1.0 and part.x > 1.0
            ):
                y = K if count == 1.0 else dim
                here = Part(Axes(axes.x, y, axes.lane), part.x, count, part.lanes, part.blocks)
                if may_win(pair, here, Open(1.0, 1.0), best):
                    explore(pair, here, best, chosen)
            count += 1.0


@kernel()
def every_x(pair: Pair, part: Part, best: FloatArray, chosen: FloatArray) -> None:
    """Decide PE x."""
    layer, hw, axes = pair.layer, pair.hw, part.axes
    for dim in (G, K, P, Q):
        whole = blocks_along(layer, part.blocks, dim)
        count = 1.0 if dim == G else 2.0
        while count <= hw.pes_x:
            if fewer_rounds(whole, lanes_along(part, dim), count):
                x = K if count == 1.0 else dim
                here = Part(Axes(x, axes.y, axes.lane), count, 1.0, part.lanes, part.blocks)
                if may_win(pair, here, Open(1.0, hw.pes_y), best):
                    every_y(pair, here, best, chosen)
            count += 1.0


@kernel()
def every_lane(pair: Pair, blocks: Blocks, best: FloatArray, chosen: FloatArray) -> None:
    """Decide the lanes."""
    layer, hw = pair.layer, pair.hw
    for dim in (G, K, C, P, Q):
        whole = blocks_along(layer, blocks, dim)
        count = 1.0 if dim == G else 2.0
        while count <= hw.lanes:
            if fewer_rounds(whole, 1.0, count):
                lane = K if count == 1.0 else dim
                part = Part(Axes(K, K, lane), 1.0, 1.0, count, blocks)
                if may_win(pair, part, Open(1.0, hw.pes_x * hw.pes_y), best):
                    every_x(pair, part, best, chosen)
            count += 1.0


@kernel(inline=True)
def blocks_with(layer: LayerRow, hw: HardwareRow, simd_g: float, simd_k: float) -> Blocks:
    """What these numbers of units along G and K leave of a layer."""
    dot = min(hw.macs_per_simd, float(layer.c))
    return Blocks(
        float(ceil(layer.g / simd_g)), float(ceil(layer.k / simd_k)), float(ceil(layer.c / dot)),
        simd_g, simd_k, dot,
    )  # fmt: skip


@kernel()
def every_unit(pair: Pair, best: FloatArray, chosen: FloatArray) -> None:
    """Decide the SIMD units: all counts along K that save a round, and along G what has room."""
    layer, hw = pair.layer, pair.hw
    part = Part(Axes(K, K, K), 1.0, 1.0, 1.0, blocks_with(layer, hw, 1.0, 1.0))
    simd_k = largest_part(float(layer.k), hw.simd_units)
    while simd_k > 0.0:
        simd_g = largest_part(float(layer.g), hw.simd_units // simd_k)
        while simd_g > 0.0:
            blocks = blocks_with(layer, hw, simd_g, simd_k)
            part = Part(Axes(K, K, K), 1.0, 1.0, 1.0, blocks)
            if may_win(pair, part, Open(hw.lanes, hw.pes_x * hw.pes_y), best):
                every_lane(pair, blocks, best, chosen)
            simd_g = smaller_part(float(layer.g), simd_g)
        simd_k = smaller_part(float(layer.k), simd_k)


@kernel()
def placed(
    layer: LayerRow, hw: HardwareRow, chosen: FloatArray
) -> tuple[Placement, Axes, float, int]:
    """The placement that `write_member` wrote, its axes, its PEs along y and its order."""
    axes = Axes(int(chosen[0]), int(chosen[1]), int(chosen[2]))
    blocks = blocks_with(layer, hw, chosen[6], chosen[7])
    part = Part(axes, chosen[3], chosen[4], chosen[5], blocks)
    g, _ = exact(blocks.g, chosen[8], 1.0, part, G)
    k, _ = exact(blocks.k, chosen[9], 1.0, part, K)
    c, _ = exact(blocks.c, chosen[10], chosen[17], part, C)
    p, _ = exact(float(layer.p), chosen[11], chosen[18], part, P)
    q, _ = exact(float(layer.q), chosen[12], chosen[19], part, Q)
    at = Placement(g, k, c, p, q, blocks, chosen[15], chosen[16], chosen[14] == 1.0, True)
    return at, axes, chosen[4], int(chosen[13])
