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
    instance long, K stands in. Where both PE axes are equally long, swapping them changes
    nothing, so one order is kept. Lanes spread P only where Q is 1: elsewhere Q serves as well.
    """
    pes = blocks.g > 1.0 or blocks.k > 1.0 or layer.p > 1 or layer.q > 1
    lanes = pes or blocks.c > 1.0
    size = 0
    for x in (G, K, P, Q):
        if not may_spread(layer, blocks, x, hw.pes_x, pes):
            continue
        for y in (G, K, P, Q):
            mirrored = hw.pes_x == hw.pes_y and y > x
            if mirrored or not may_spread(layer, blocks, y, hw.pes_y, pes):
                continue
            for lane in (G, K, C, Q if layer.q > 1 else P):
                if may_spread(layer, blocks, lane, hw.lanes, lanes):
                    menu[size, 0], menu[size, 1], menu[size, 2] = x, y, lane
                    size += 1
    return size


@kernel(inline=True)
def may_spread(layer: LayerRow, blocks: Blocks, dim: int, length: float, any_dim: bool) -> bool:
    """Whether an axis of `length` instances may spread `dim`; `any_dim`: whether some dim can."""
    if length == 1.0 or not any_dim:
        return bool(dim == K)
    return bool(blocks_along(layer, blocks, dim) > 1.0)
