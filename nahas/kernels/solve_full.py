"""Best mappings of many pairs in the full mapspace, in parallel."""

from __future__ import annotations

import numpy as np
from numba import prange

from nahas.kernels._jit import kernel
from nahas.kernels.edge import count
from nahas.kernels.full import FULL, MEMBER_FIELDS, every_unit, placed
from nahas.kernels.menu import MOST_ASSIGNMENTS
from nahas.kernels.parts import Pair
from nahas.kernels.records import CostRow, CountsRow, MappingRow, ResidencyRow
from nahas.kernels.rows import RecordArray, hardware_row, layer_row
from nahas.kernels.search import search
from nahas.kernels.solve import BLOCK, mapping_row, solved_row, write_answer
from nahas.kernels.tilings import blocks_of, place


@kernel()
def solve_full(
    pair: Pair, scratch: tuple[RecordArray, RecordArray], room: tuple[RecordArray, RecordArray]
) -> tuple[CostRow, MappingRow, CountsRow, int]:
    """Cost, loops and counts of the best mapping of a pair, and how many were costed.

    The optimum of the default mapspace is where the search starts, and the answer where no
    other member is better; not so in a region. `room` are float64 [3] and [MEMBER_FIELDS] to
    write on.
    """
    layer, hw, stay, objective, space = pair
    blocks = blocks_of(layer, hw)
    found = search(layer, hw, blocks, stay, objective, scratch)
    best, chosen = room
    best[0], best[1], best[2] = found.first, found.second, float(found.costed)
    if space != FULL:
        best[0], best[1] = np.inf, np.inf
    chosen[:] = 0.0
    every_unit(pair, best, chosen)
    at, axes, pes_y = place(layer, hw, blocks, found.axes, found.wish), found.axes, hw.pes_y
    order = found.order
    if chosen[3] > 0.0:
        at, axes, pes_y, order = placed(layer, hw, chosen)
    counts = count(layer, at, order)
    final = solved_row(layer, hw, stay, at, counts, best[0] < np.inf)
    return final, mapping_row(layer, pes_y, axes, at, order), counts, int(best[2])


@kernel(parallel=True)
def solve_full_pairs(
    layers: RecordArray, hardware: RecordArray, pairs: RecordArray, stays: RecordArray,
    aim: tuple[int, int], outcome: tuple[RecordArray, RecordArray, RecordArray, RecordArray],
) -> None:  # fmt: skip
    """As `kernels.solve.solve_pairs`, in the full mapspace or a region of it.

    `aim` are `vocabulary.Objective` and `vocabulary.Mapspace`.
    """
    objective, space = aim
    blocks = (pairs.shape[0] + BLOCK - 1) // BLOCK
    for block in prange(blocks):
        scratch = (
            np.empty((MOST_ASSIGNMENTS, 4), np.int64),
            np.empty((MOST_ASSIGNMENTS, 2)),
        )
        room = (np.empty(3), np.empty(MEMBER_FIELDS))
        for i in range(block * BLOCK, min((block + 1) * BLOCK, pairs.shape[0])):
            layer = layer_row(layers[pairs[i, 0]])
            hw = hardware_row(hardware[pairs[i, 1]])
            stay = ResidencyRow(stays[i, 0], stays[i, 1], stays[i, 2], stays[i, 3])
            write_answer(
                solve_full(Pair(layer, hw, stay, objective, space), scratch, room), i, outcome
            )
