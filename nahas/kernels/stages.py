"""What a group of layers that is computed tile by tile makes, needs and holds on chip.

A group is a chain of layers of which each reads the one before and nobody else does: expand,
depthwise, project, and the sum with the residual. Its output is cut into tiles of whole rows;
for each tile every layer, a stage of the group, makes the rows that the tile needs, and keeps
them in local memory until the next stage has read them. [docs/equations.md 12]
"""

from __future__ import annotations

from typing import NamedTuple

from numpy import ceil

from nahas.kernels._jit import kernel
from nahas.kernels.records import HardwareRow, LayerRow
from nahas.kernels.rows import RecordArray, layer_row
from nahas.vocabulary import LayerKind

CONVOLUTION = int(LayerKind.CONVOLUTION)
HEIGHT = LayerRow._fields.index("p")


class Plan(NamedTuple):
    """How a group is computed.

    Attributes:
        rows: rows of the group's output that a tile makes; the last may make fewer.
        tiles: tiles of the group.
        keeps_halo: whether rows that the next tile needs again are kept, not made again.
        weights_rest: whether all weights come in once and rest in local memory.
    """

    rows: int
    tiles: int
    keeps_halo: bool
    weights_rest: bool


class Around(NamedTuple):
    """What the network keeps on chip while a group runs.

    Attributes:
        input_on_chip, addend_on_chip, output_on_chip: 1.0 where the tensor that the first stage
            reads, that a closing sum reads besides, or that the group makes costs no DRAM traffic.
        reserved_bytes: local memory of every PE that holds such activations, and weights that
            stay, in bytes.
        weights_on_chip: [S] float64, 1.0 for each stage whose weights stay between inferences.
    """

    input_on_chip: float
    addend_on_chip: float
    output_on_chip: float
    reserved_bytes: float
    weights_on_chip: RecordArray


@kernel()
def rows_needed(stages: RecordArray, begin: int, end: int, spans: RecordArray) -> None:
    """Rows of every stage's output that the rows `begin` to `end` of the last one need.

    A window reaches over the rows that are there: padding, the smaller half of it above, needs
    none. Rows that a stride skips are made all the same, as they are layer by layer.

    Args:
        stages: [S, 14] int64, records.LAYER of the group.
        begin: first row of the group's output.
        end: the row behind the last.
        spans: [S, 2] int64, written: first row and the one behind the last.
    """
    last = stages.shape[0] - 1
    spans[last, 0], spans[last, 1] = begin, end
    for s in range(last, 0, -1):
        layer, before = layer_row(stages[s]), layer_row(stages[s - 1])
        reach = (layer.r - 1) * layer.dilation_r + 1
        padding = max(0, (layer.p - 1) * layer.stride_p + reach - before.p)
        above = padding // 2
        first = spans[s, 0] * layer.stride_p - above
        spans[s - 1, 0] = min(max(first, 0), before.p)
        behind = (spans[s, 1] - 1) * layer.stride_p + max(reach, layer.stride_p) - above
        spans[s - 1, 1] = min(max(behind, spans[s - 1, 0]), before.p)


@kernel()
def advance(
    stages: RecordArray, plan: Plan, tile: int, spans: RecordArray, walk: RecordArray
) -> None:
    """What a tile needs of every stage, and what of it is made for this tile.

    Args:
        stages: [S, 14] int64, records.LAYER of the group.
        plan: rows of a tile, and whether a row that the tile before had is made again.
        tile: its number; tiles come in order.
        spans: [S, 2] int64, written as by `rows_needed`.
        walk: [3, S] int64: rows made, written; the row up to which a stage was made, changed;
            rows kept from the tile before, written.
    """
    made, until, kept = walk
    begin = tile * plan.rows
    end = min(begin + plan.rows, stages[-1, HEIGHT])
    rows_needed(stages, begin, end, spans)
    for s in range(stages.shape[0]):
        kept[s] = max(until[s] - spans[s, 0], 0) if plan.keeps_halo and tile > 0 else 0
        made[s] = max(spans[s, 1] - spans[s, 0] - kept[s], 0)
        until[s] = spans[s, 1]


@kernel()
def words_of_row(layer: LayerRow) -> int:
    """Words of one row of a layer's output."""
    return layer.g * layer.k * layer.q


@kernel()
def input_words(layer: LayerRow, rows: int) -> int:
    """Words that so many rows of a layer's output read."""
    height = (rows - 1) * layer.stride_p + (layer.r - 1) * layer.dilation_r + 1
    width = (layer.q - 1) * layer.stride_q + (layer.s - 1) * layer.dilation_s + 1
    return layer.g * layer.c * height * width


@kernel()
def weight_words(layer: LayerRow) -> int:
    """Words of a layer's weights."""
    return layer.g * layer.k * layer.c * layer.r * layer.s if layer.kind == CONVOLUTION else 0


@kernel()
def tallest(
    stages: RecordArray, plan: Plan, scratch: tuple[RecordArray, RecordArray], sizes: RecordArray
) -> None:
    """The most rows that any tile needs, keeps and makes of every stage.

    Args:
        stages: [S, 14] int64, records.LAYER of the group.
        plan: of the group.
        scratch: int64 [S, 2] and [3, S].
        sizes: [3, S] int64, written: needed, kept, made.
    """
    spans, walk = scratch
    sizes[:] = 0
    walk[:] = 0
    for tile in range(plan.tiles):
        advance(stages, plan, tile, spans, walk)
        for s in range(stages.shape[0]):
            sizes[0, s] = max(sizes[0, s], spans[s, 1] - spans[s, 0])
            sizes[1, s] = max(sizes[1, s], walk[2, s])
            sizes[2, s] = max(sizes[2, s], walk[0, s])


@kernel()
def reserve(
    stages: RecordArray, hw: HardwareRow, plan: Plan, around: Around, sizes: RecordArray,
    reserved: RecordArray,
) -> None:  # fmt: skip
    """Local memory of every PE that is taken while each stage runs.

    Besides what the network keeps: the tensor that the stage reads and the one that it makes,
    as far as they are the group's own; of the others the halo, where it is kept; resting
    weights, but for those that stay between inferences, which the network keeps; and, while
    another stage runs, the input of the next tile that comes in and the output of the last one
    that leaves, where they cross the interface.

    Args:
        stages: [S, 14] int64, records.LAYER of the group.
        hw: the accelerator.
        plan: how the group is computed.
        around: what the network keeps on chip meanwhile.
        sizes: [3, S] int64, as `tallest` wrote it.
        reserved: [S] float64, written.
    """
    last = stages.shape[0] - 1
    for s in range(last + 1):
        weights, activations = 0, 0
        for j in range(last + 1):
            layer = layer_row(stages[j])
            if plan.weights_rest and around.weights_on_chip[j] == 0.0:
                weights += weight_words(layer)
            if j < last:
                rows = sizes[0, j] if j in (s - 1, s) else sizes[1, j]
                activations += rows * words_of_row(layer)
        if plan.tiles > 1 and s > 0 and around.input_on_chip == 0.0:
            activations += input_words(layer_row(stages[0]), sizes[2, 0])
        if plan.tiles > 1 and s < last and around.output_on_chip == 0.0:
            activations += plan.rows * words_of_row(layer_row(stages[last]))
        held = weights * hw.weight_bytes + activations * hw.activation_bytes
        reserved[s] = around.reserved_bytes + ceil(held / (hw.pes_x * hw.pes_y))
