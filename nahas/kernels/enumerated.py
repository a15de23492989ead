"""Every member of the full mapspace, one after the other: the slow twin of `kernels.full`.

No bound, no dominance and no start from another search: loops over the space as docs/mapspace.md
defines it. `nahas tile-bench --space full --verify N` and the tests compare.
"""

from __future__ import annotations

import numpy as np
from numpy import ceil

from nahas.kernels._jit import kernel
from nahas.kernels.edge import cost, count
from nahas.kernels.full import (
    FULL_OUTPUT,
    FULL_WEIGHT,
    Trial,
    blocks_with,
    fits_whole,
    write_member,
)
from nahas.kernels.menu import blocks_along
from nahas.kernels.parts import (
    FloatArray,
    Pair,
    Part,
    exact,
    has_gaps,
    held_positions,
    held_weights,
    is_better,
    lanes_along,
    pes_along,
)
from nahas.kernels.search import DRAM_ORDERS, rank
from nahas.kernels.tilings import Axes, Blocks, C, G, K, P, Placement, Q, Split, fits, next_count


@kernel()
def saves(whole: float, before: float, instances: float) -> bool:
    """Whether so many instances, each of `before`, take fewer rounds than one less of them."""
    if instances == 1.0:
        return True
    return bool(ceil(whole / (before * instances)) < ceil(whole / (before * (instances - 1.0))))


@kernel()
def tally(
    pair: Pair, trial: Trial, at: Placement, wanted: int, best: FloatArray, chosen: FloatArray
) -> None:
    """Count a placement in all orders, if it is legal; write it where it is the wanted or best.

    `best` are the two figures of the best member and the members so far. A `wanted` of -1
    writes the best, any other number that member.
    """
    if not fits(pair.layer, pair.hw, pair.stay.reserved_bytes, at):
        return
    for order in range(DRAM_ORDERS):
        row = cost(count(pair.layer, at, order), pair.hw, pair.stay)
        first, second = rank(row.cycles, row.energy_pj, pair.objective)
        improves = is_better(first, second, best)
        if improves:
            best[0], best[1] = first, second
        if best[2] == wanted or (wanted == -1 and improves):
            write_member(trial, at, order, chosen)
        best[2] += 1.0


@kernel()
def register_tiles(
    pair: Pair, trial: Trial, wanted: int, best: FloatArray, chosen: FloatArray
) -> None:
    """Every weight-stationary member of a tiling, then every output-stationary one."""
    layer, part = pair.layer, trial.part
    blocks, g, k, p, q = part.blocks, trial.g, trial.k, trial.p, trial.q
    work = ceil(ceil(blocks.c / trial.c_tiles) / lanes_along(part, C))
    alone = g.dram * k.dram * g.local * k.local * trial.c_tiles == 1.0
    windows = 0 if pair.space == FULL_OUTPUT else 3
    for window in range(windows):
        if (window == 1 and layer.r == 1) or (window == 2 and layer.s == 1):
            continue
        rows, columns = layer.r if window == 0 else 1, layer.s if window < 2 else 1
        for held in range(1, int(work) + 1):
            c, asked = exact(blocks.c, trial.c_tiles, float(held), part, C)
            at = Placement(g, k, c, p, q, blocks, layer.r / rows, layer.s / columns, False, True)
            everything = c.local * at.local_r * at.local_s == 1.0
            buffers = 1.0 if alone and everything else 2.0
            room = held_weights(pair, blocks) // (buffers * rows * columns)
            if asked and held <= room and (everything or p.local * q.local > 1.0):
                tally(pair, trial, at, wanted, best, chosen)
    c, asked = exact(blocks.c, trial.c_tiles, 1.0, part, C)
    reduction = c.dram * c.local * layer.r * layer.s
    if not asked or reduction == 1.0 or pair.space == FULL_WEIGHT:
        return
    room = held_positions(pair, blocks)
    for held_p in range(1, int(p.local) + 1 if p.dram == 1.0 else 2):
        cut_p, asked_p = exact(float(layer.p), p.dram, float(held_p), part, P)
        for held_q in range(1, int(q.local) + 1 if q.dram == 1.0 else 2):
            cut_q, asked_q = exact(float(layer.q), q.dram, float(held_q), part, Q)
            if asked_p and asked_q and held_p * held_q <= room:
                at = Placement(g, k, c, cut_p, cut_q, blocks, layer.r / 1, layer.s / 1, True, True)
                tally(pair, trial, at, wanted, best, chosen)


@kernel()
def cut_into(whole: float, tiles: int, part: Part, dim: int) -> tuple[Split, bool]:
    """A dim in so many tiles, and whether that is a number of tiles of the space."""
    cut, asked = exact(whole, float(tiles), 1.0, part, dim)
    return cut, asked and saves(whole, 1.0, float(tiles))


@kernel()
def every_tiling(pair: Pair, part: Part, wanted: int, best: FloatArray, chosen: FloatArray) -> None:
    """Every number of tiles along every dim that changes the size of a tile.

    A layer whose tiles would skip rows between windows is not cut where it fits.
    """
    layer, blocks = pair.layer, part.blocks
    cuts = not (has_gaps(layer) and fits_whole(pair, part))
    for tiles_g in range(1, int(blocks.g) + 1):
        g, takes_g = cut_into(blocks.g, tiles_g, part, G)
        for tiles_k in range(1, int(blocks.k) + 1 if takes_g else 1):
            k, takes_k = cut_into(blocks.k, tiles_k, part, K)
            for tiles_p in range(1, layer.p + 1 if takes_k else 1):
                p, takes_p = cut_into(float(layer.p), tiles_p, part, P)
                for tiles_q in range(1, layer.q + 1 if takes_p else 1):
                    q, takes_q = cut_into(float(layer.q), tiles_q, part, Q)
                    for tiles_c in range(1, int(blocks.c) + 1 if takes_q else 1):
                        whole = tiles_g * tiles_k * tiles_p * tiles_q * tiles_c == 1
                        if (cuts or whole) and saves(blocks.c, 1.0, float(tiles_c)):
                            trial = Trial(part, g, k, p, q, float(tiles_c))
                            register_tiles(pair, trial, wanted, best, chosen)


@kernel()
def every_array(
    pair: Pair, blocks: Blocks, wanted: int, best: FloatArray, chosen: FloatArray
) -> None:
    """Every dim and every number of instances on lanes, then PE x, then PE y."""
    layer, hw = pair.layer, pair.hw
    for lane in (G, K, C, P, Q):
        for lanes in range(1 if lane == K else 2, int(hw.lanes) + 1):
            if not saves(blocks_along(layer, blocks, lane), 1.0, float(lanes)):
                continue
            bare = Part(Axes(K, K, lane), 1.0, 1.0, float(lanes), blocks)
            for x in (G, K, P, Q):
                for pes_x in range(1 if x == K else 2, int(hw.pes_x) + 1):
                    before = lanes_along(bare, x)
                    if not saves(blocks_along(layer, blocks, x), before, float(pes_x)):
                        continue
                    row = Part(Axes(x, K, lane), float(pes_x), 1.0, float(lanes), blocks)
                    for y in (G, K, P, Q):
                        for pes_y in range(1 if y == K else 2, int(hw.pes_y) + 1):
                            before = lanes_along(row, y) * pes_along(row, y)
                            if saves(blocks_along(layer, blocks, y), before, float(pes_y)):
                                axes = Axes(x, y, lane)
                                part = Part(axes, row.x, float(pes_y), row.lanes, blocks)
                                every_tiling(pair, part, wanted, best, chosen)


@kernel()
def enumerate_full(pair: Pair, wanted: int, best: FloatArray, chosen: FloatArray) -> None:
    """Go through all members of a pair's full mapspace.

    Args:
        pair: the layer, the accelerator, what stays on chip, and the objective.
        wanted: the member to write to `chosen`, counted from 0; -1 for the best.
        best: [3] float64, written: the figures of the best member, infinite without one, and the
            number of members.
        chosen: [20] float64, written; `kernels.full.placed` reads it.
    """
    best[0], best[1], best[2] = np.inf, np.inf, 0.0
    layer, hw = pair.layer, pair.hw
    for simd_k in range(1, min(layer.k, int(hw.simd_units)) + 1):
        if saves(float(layer.k), 1.0, float(simd_k)):
            for simd_g in range(1, min(layer.g, int(hw.simd_units) // simd_k) + 1):
                if saves(float(layer.g), 1.0, float(simd_g)):
                    blocks = blocks_with(layer, hw, float(simd_g), float(simd_k))
                    every_array(pair, blocks, wanted, best, chosen)


@kernel()
def tile_counts(whole: float) -> float:
    """How many numbers of tiles a dim may be cut into."""
    found, tiles = 0.0, 1.0
    while tiles <= whole:
        found += 1.0
        tiles = next_count(whole, tiles)
    return found


@kernel()
def arrays(pair: Pair, blocks: Blocks) -> float:
    """How many ways there are to spread a layer over lanes, PE x and PE y."""
    layer, hw, found = pair.layer, pair.hw, 0.0
    for lane in (G, K, C, P, Q):
        for lanes in range(1 if lane == K else 2, int(hw.lanes) + 1):
            if not saves(blocks_along(layer, blocks, lane), 1.0, float(lanes)):
                continue
            bare = Part(Axes(K, K, lane), 1.0, 1.0, float(lanes), blocks)
            for x in (G, K, P, Q):
                for pes_x in range(1 if x == K else 2, int(hw.pes_x) + 1):
                    before = lanes_along(bare, x)
                    if saves(blocks_along(layer, blocks, x), before, float(pes_x)):
                        row = Part(Axes(x, K, lane), float(pes_x), 1.0, float(lanes), blocks)
                        found += columns(pair, row)
    return found


@kernel()
def columns(pair: Pair, row: Part) -> float:
    """How many ways there are to spread a layer over PE y, the other axes given."""
    found = 0.0
    for y in (G, K, P, Q):
        before = lanes_along(row, y) * pes_along(row, y)
        whole = blocks_along(pair.layer, row.blocks, y)
        for pes_y in range(1 if y == K else 2, int(pair.hw.pes_y) + 1):
            found += saves(whole, before, float(pes_y))
    return found


@kernel()
def full_size(pair: Pair) -> float:
    """Members of a pair's full mapspace, whether they fit or not, without register-file tiles.

    The product, for every choice of units, of the ways to spread over the axes, the numbers of
    tiles along five dims, the orders of DRAM's loops and the two of local memory's.
    """
    layer, hw, found = pair.layer, pair.hw, 0.0
    pixels = tile_counts(float(layer.p)) * tile_counts(float(layer.q))
    for simd_k in range(1, min(layer.k, int(hw.simd_units)) + 1):
        if not saves(float(layer.k), 1.0, float(simd_k)):
            continue
        for simd_g in range(1, min(layer.g, int(hw.simd_units) // simd_k) + 1):
            if saves(float(layer.g), 1.0, float(simd_g)):
                blocks = blocks_with(layer, hw, float(simd_g), float(simd_k))
                channels = tile_counts(blocks.g) * tile_counts(blocks.k) * tile_counts(blocks.c)
                found += arrays(pair, blocks) * channels * pixels * DRAM_ORDERS * 2.0
    return found
