"""Which dims the spatial axes of the edge template may spread."""

from __future__ import annotations

from nahas.kernels._jit import kernel
from nahas.kernels.records import HardwareRow, LayerRow
from nahas.kernels.rows import RecordArray
from nahas.kernels.tilings import Blocks, C, G, K, P, Q

MOST_ASSIGNMENTS = 4 * 4 * 4


@kernel(inline=True)
def blocks_along(layer: LayerRow, blocks: Blocks, dim: int) -> float:
    """Blocks of a dim that loops and axes can divide."""
    if dim == G:
        return blocks.g
    if dim == K:
        return blocks.k
    if dim == C:
        return blocks.c
    return float(layer.p if dim == P else layer.q)


@kernel(inline=True)
def assignments(layer: LayerRow, hw: HardwareRow, blocks: Blocks, menu: RecordArray) -> int:
    """Write every spatial assignment to `menu` [MOST_ASSIGNMENTS, 3]; return how many.

    Only a dim of more than one block can be spread; where there is none, or the axis is one
    instance long, K stands in. A PE axis may spread K even where it is a single block, as in
    depthwise layers, and so rest: PEs that share out pixels read their halos separately. Where
    both PE axes are equally long, swapping them changes nothing, so one order is kept. Lanes
    spread P only where Q is 1: elsewhere Q serves as well.
    """
    pixels = Q if layer.q > 1 else P
    several = 0  # a bit for each dim of more than one block
    for dim in (G, K, C, P, Q):
        if blocks_along(layer, blocks, dim) > 1.0:
            several |= 1 << dim
    over_pes = several & ~(1 << C)
    over_lanes = several & (1 << G | 1 << K | 1 << C | 1 << pixels)
    over_x = (over_pes if hw.pes_x > 1.0 else 0) | 1 << K
    over_y = (over_pes if hw.pes_y > 1.0 else 0) | 1 << K
    over_lanes = over_lanes if over_lanes and hw.lanes > 1.0 else 1 << K
    size = 0
    for x in (G, K, P, Q):
        if not (over_x >> x) & 1:
            continue
        for y in (G, K, P, Q):
            if not (over_y >> y) & 1 or (hw.pes_x == hw.pes_y and y > x):
                continue
            for lane in (G, K, C, pixels):
                if (over_lanes >> lane) & 1:
                    menu[size, 0], menu[size, 1], menu[size, 2] = x, y, lane
                    size += 1
    return size
