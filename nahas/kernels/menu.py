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

    Only a dim of more than one block can be spread; where there is none, K stands in. Where
    both PE axes are equally long, swapping them changes nothing, so one order is kept. Lanes
    spread P only where Q is 1: elsewhere Q serves as well.
    """
    g, c = blocks.g > 1.0, blocks.c > 1.0
    k = blocks.k > 1.0 or not (g or layer.p > 1 or layer.q > 1)
    k_lane = blocks.k > 1.0 or not (g or c or layer.p > 1 or layer.q > 1)
    size = 0
    for x in (G, K, P, Q):
        if not may_spread(x, layer, g, k, c):
            continue
        for y in (G, K, P, Q):
            if (hw.pes_x == hw.pes_y and y > x) or not may_spread(y, layer, g, k, c):
                continue
            for lane in (G, K, C, Q if layer.q > 1 else P):
                if may_spread(lane, layer, g, k_lane, c):
                    menu[size, 0], menu[size, 1], menu[size, 2] = x, y, lane
                    size += 1
    return size


@kernel(inline=True)
def may_spread(dim: int, layer: LayerRow, g: bool, k: bool, c: bool) -> bool:
    """Whether an axis may spread `dim`, by what is known of G, K and C."""
    if dim == G:
        return g
    if dim == K:
        return k
    if dim == C:
        return c
    return layer.p > 1 if dim == P else layer.q > 1
