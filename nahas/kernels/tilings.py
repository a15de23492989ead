"""How a layer is cut over the levels of the edge template, and whether the pieces fit.

Everything is counted in float64: divisions are several times quicker than in int64, and
exact while operands stay below 2**26 (`nahas.layers.MOST_EXTENT` is less).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy import ceil

from nahas.kernels._jit import kernel
from nahas.kernels.nest import constant
from nahas.kernels.records import HardwareRow, LayerRow
from nahas.vocabulary import Dim

G, K, C, P, Q = (constant(dim) for dim in (Dim.G, Dim.K, Dim.C, Dim.P, Dim.Q))


class Axes(NamedTuple):
    """The dims that the three outer spatial axes spread, as `vocabulary.Dim`."""

    x: int
    y: int
    lane: int


class Wish(NamedTuple):
    """Tile counts asked of DRAM, and the order of the local memory's loops."""

    g: float
    k: float
    c: float
    p: float
    q: float
    output_stationary: bool


class Blocks(NamedTuple):
    """How many blocks the datapath leaves of G, K and C, and how wide it is in each."""

    g: float
    k: float
    c: float
    simd_g: float
    simd_k: float
    dot: float


class Split(NamedTuple):
    """One dim cut into loops, counted in blocks of its datapath.

    Attributes:
        dram, pes, local, lanes, register: loop counts, outermost first.
        local_last: trips of the local-memory loop within the last DRAM tile.
        visits: trips of the DRAM and local-memory loops together.
        steps: trips of all temporal loops together.
        reach: blocks that one PE holds.
    """

    dram: float
    pes: float
    local: float
    lanes: float
    register: float
    local_last: float
    visits: float
    steps: float
    reach: float


class Placement(NamedTuple):
    """A candidate mapping: five cut dims, and what the register file holds of the window."""

    g: Split
    k: Split
    c: Split
    p: Split
    q: Split
    blocks: Blocks
    local_r: float
    local_s: float
    output_stationary: bool
    register_fits: bool


@kernel(inline=True)
def split(blocks: float, dram: float, axes: tuple[float, float, float], register: float) -> Split:
    """Cut `blocks` into `dram` tiles over PEs x, y and lanes, at most `register` in a lane.

    Work is balanced: with the loop count of a level given, the pieces below are as small as
    they can be; PEs fill before lanes. The last tile of every level may be smaller.
    """
    x, y, lanes = axes
    per_tile = ceil(blocks / dram)
    pes = min(x * y, per_tile)
    per_lane = ceil(per_tile / (pes * lanes))
    local = ceil(per_lane / register)
    held = ceil(per_lane / local)
    lanes = ceil(per_tile / (pes * local * held))
    reach = lanes * local * held
    pes = ceil(per_tile / reach)
    row = min(y, pes)
    pes = ceil(pes / row) * row
    tile = pes * reach
    dram = ceil(blocks / tile)
    edge = min(blocks - (dram - 1.0) * tile, reach)
    trip = lanes * held
    local_last = ceil(edge / trip)
    rest = min(edge - (local_last - 1.0) * trip, held)
    steps = (dram - 1.0) * local * held + (local_last - 1.0) * held + rest
    visits = (dram - 1.0) * local + local_last
    return Split(dram, pes, local, lanes, held, local_last, visits, steps, reach)


@kernel(inline=True)
def whole(blocks: float, axes: tuple[float, float, float]) -> Split:
    """`split` into one DRAM tile with one block held: the same loops in fewer divisions."""
    x, y, lanes = axes
    spread = x * y
    if spread * lanes == 1.0:
        return Split(1.0, 1.0, blocks, 1.0, 1.0, blocks, blocks, blocks, blocks)
    pes = min(spread, blocks)
    local = ceil(blocks / (pes * lanes))
    lanes = ceil(blocks / (pes * local))
    reach = lanes * local
    pes = ceil(blocks / reach)
    if y > 1.0:
        row = min(y, pes)
        pes = ceil(pes / row) * row
    steps = ceil(min(blocks, reach) / lanes)
    return Split(1.0, pes, local, lanes, 1.0, steps, steps, steps, reach)


@kernel(inline=True)
def axes_of(dim: int, axes: Axes, hw: HardwareRow) -> tuple[float, float, float]:
    """Instances of PE x, PE y and lanes that spread `dim`; 1 where an axis spreads another."""
    x = hw.pes_x if axes.x == dim else 1.0
    y = hw.pes_y if axes.y == dim else 1.0
    lanes = hw.lanes if axes.lane == dim else 1.0
    return x, y, lanes


@kernel(inline=True)
def balanced(words: float, units: float) -> float:
    """Units used so that `words` take the fewest rounds and no round is needlessly wide."""
    return float(ceil(words / ceil(words / units)))


@kernel(inline=True)
def blocks_of(layer: LayerRow, hw: HardwareRow) -> Blocks:
    """What a layer is cut into by the datapath.

    SIMD units spread the output channels of a group, and as many groups as then have room.
    """
    dot = min(hw.macs_per_simd, float(layer.c))
    simd_k = balanced(float(layer.k), hw.simd_units)
    simd_g = balanced(float(layer.g), hw.simd_units // simd_k)
    return Blocks(
        float(ceil(layer.g / simd_g)),
        float(ceil(layer.k / simd_k)),
        float(ceil(layer.c / dot)),
        simd_g,
        simd_k,
        dot,
    )


@kernel(inline=True)
def hold(cut: Split, blocks: float, most: float) -> Split:
    """The same cut of an undivided dim with as many blocks in the register file as fit.

    The held blocks divide the local-memory loop evenly, so PEs and lanes stay as they are.
    """
    held = min(most, cut.local)
    while cut.local % held > 0.0:
        held -= 1.0
    local = cut.local / held
    trip = cut.lanes * held
    edge = min(blocks, cut.reach)
    last = ceil(edge / trip)
    rest = min(edge - (last - 1.0) * trip, held)
    steps = (last - 1.0) * held + rest
    return Split(1.0, cut.pes, local, cut.lanes, held, last, last, steps, cut.reach)


@kernel(inline=True)
def window_held(layer: LayerRow, room: float, weight: float) -> tuple[float, float, float]:
    """Rows and columns of the window that stay loops of local memory, and dots that fit.

    The widest window (R x S, else S, else 1) of which the weights of at least one dot product,
    `weight` bytes each, fit twice (double buffered) in `room` bytes.
    """
    window = float(layer.r * layer.s)
    if room >= 2.0 * window * weight:
        return 1.0, 1.0, room // (2.0 * window * weight)
    if room >= 2.0 * layer.s * weight:
        return float(layer.r), 1.0, room // (2.0 * layer.s * weight)
    return float(layer.r), float(layer.s), room // (2.0 * weight)


@kernel(inline=True)
def place(layer: LayerRow, hw: HardwareRow, blocks: Blocks, axes: Axes, wish: Wish) -> Placement:
    """The placement for a spatial assignment and a wish, filling the register file.

    Weight-stationary: the widest window that fits, then as many input channels as fit; all of
    a lane's weights need room once only where they never change. Output-stationary: one dot
    product's weights, double buffered, then as many output positions along Q as fit.
    """
    simd = blocks.simd_g * blocks.simd_k
    weight = simd * blocks.dot * hw.weight_bytes
    sums = simd * hw.partial_sum_bytes
    g = split(blocks.g, wish.g, axes_of(G, axes, hw), 1.0)
    k = split(blocks.k, wish.k, axes_of(K, axes, hw), 1.0)
    p = split(float(layer.p), wish.p, axes_of(P, axes, hw), 1.0)
    q = split(float(layer.q), wish.q, axes_of(Q, axes, hw), 1.0)
    c_axes = axes_of(C, axes, hw)
    local_r, local_s, held = float(layer.r), float(layer.s), 1.0
    if wish.output_stationary:
        room = (hw.register_file_bytes - 2.0 * weight) // sums
        fit = room >= 1.0
        if q.dram == 1.0:
            q = hold(q, float(layer.q), max(room, 1.0))
        if p.dram == 1.0 and q.local == 1.0:
            p = hold(p, float(layer.p), max(room // q.register, 1.0))
    else:
        room = hw.register_file_bytes - sums
        all_held = ceil(ceil(blocks.c / wish.c) / c_axes[2])
        resident = g.dram * k.dram * g.local * k.local * wish.c == 1.0
        if resident and all_held * layer.r * layer.s * weight <= room:
            local_r, local_s, held = 1.0, 1.0, all_held
        else:
            local_r, local_s, held = window_held(layer, room, weight)
        fit = held >= 1.0
    c = split(blocks.c, wish.c, c_axes, max(held, 1.0))
    return Placement(g, k, c, p, q, blocks, local_r, local_s, wish.output_stationary, fit)


@kernel(inline=True)
def is_uniform(cut: Split) -> bool:
    """Whether the last DRAM tile loops in local memory exactly where the others do.

    Then which loops repeat a fetch does not depend on the tile, and the closed forms hold.
    """
    return (cut.local > 1.0) == (cut.local_last > 1.0)


@kernel(inline=True)
def extent(outputs: float, stride: float, window: float, dilation: float) -> float:
    """Input positions that `outputs` positions in a row touch."""
    return (outputs - 1.0) * stride + (window - 1.0) * dilation + 1.0


@kernel(inline=True)
def is_partial(at: Placement) -> bool:
    """Whether local memory holds partial sums: the reduction is not done in one visit."""
    reduction = at.c.visits * at.local_r * at.local_s
    if at.output_stationary:
        return at.c.dram > 1.0
    return at.c.dram > 1.0 or (reduction > 1.0 and at.p.local * at.q.local > 1.0)


@kernel(inline=True)
def local_tile_words(layer: LayerRow, at: Placement) -> tuple[float, float, float]:
    """Words of the weight, input and output tiles of one PE, single buffered."""
    g = min(at.g.reach * at.blocks.simd_g, float(layer.g))
    k = min(at.k.reach * at.blocks.simd_k, float(layer.k))
    c = min(at.c.reach * at.blocks.dot, float(layer.c))
    p = min(at.p.reach, float(layer.p))
    q = min(at.q.reach, float(layer.q))
    height = extent(p, layer.stride_p, layer.r, layer.dilation_r)
    width = extent(q, layer.stride_q, layer.s, layer.dilation_s)
    return g * k * c * layer.r * layer.s, g * c * height * width, g * k * p * q


@kernel(inline=True)
def local_tile_bytes(layer: LayerRow, hw: HardwareRow, at: Placement) -> tuple[float, float, float]:
    """Bytes of the weight, input and output tiles of one PE, single buffered."""
    weights, inputs, outputs = local_tile_words(layer, at)
    output = hw.partial_sum_bytes if is_partial(at) else hw.activation_bytes
    return weights * hw.weight_bytes, inputs * hw.activation_bytes, outputs * output


@kernel(inline=True)
def local_bytes(layer: LayerRow, hw: HardwareRow, at: Placement) -> float:
    """Local memory that one PE needs: a tile that changes over DRAM loops counts twice."""
    weights, inputs, outputs = local_tile_bytes(layer, hw, at)
    channels = at.g.dram * at.k.dram
    if channels * at.c.dram > 1.0:
        weights *= 2.0
    pixels = at.p.dram * at.q.dram
    if at.g.dram * at.c.dram * pixels > 1.0:
        inputs *= 2.0
    if channels * pixels > 1.0:
        outputs *= 2.0
    return weights + inputs + outputs


@kernel(inline=True)
def fits(layer: LayerRow, hw: HardwareRow, reserved_bytes: float, at: Placement) -> bool:
    """Whether the placement is legal: it fits both memories and its DRAM tiles are uniform."""
    uniform = is_uniform(at.g) and is_uniform(at.k) and is_uniform(at.c)
    uniform = uniform and is_uniform(at.p) and is_uniform(at.q)
    room = hw.local_memory_bytes - reserved_bytes
    return at.register_fits and uniform and local_bytes(layer, hw, at) <= room


@kernel(inline=True)
def next_count(blocks: float, tiles: float) -> float:
    """The next number of tiles whose tiles are smaller; infinite after tiles of one block."""
    size = ceil(blocks / tiles)
    return float(ceil(blocks / (size - 1.0))) if size > 1.0 else np.inf
