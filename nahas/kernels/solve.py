"""Best mappings of many pairs in parallel: costs, counts and loops of each."""

from __future__ import annotations

import numpy as np
from numba import prange

from nahas.kernels._jit import kernel
from nahas.kernels.edge import cost, count, first_and_last_tile
from nahas.kernels.menu import MOST_ASSIGNMENTS
from nahas.kernels.records import (
    CostRow,
    CountsRow,
    HardwareRow,
    LayerRow,
    MappingRow,
    ResidencyRow,
)
from nahas.kernels.rows import RecordArray, hardware_row, layer_row
from nahas.kernels.search import search
from nahas.kernels.tilings import Axes, C, G, K, P, Placement, Split, blocks_of, place
from nahas.vocabulary import Reason

REGISTER_FILE, LOCAL_MEMORY = float(Reason.REGISTER_FILE), float(Reason.LOCAL_MEMORY)
BLOCK = 32  # pairs that share one scratch: enough to hide its allocation, few enough to balance


@kernel()
def pes_on(axis: int, other: int, first: float, cut: Split) -> float:
    """Instances that PE x (`axis`) uses for its dim; `first` is what PE y has to give."""
    if axis != other:
        return cut.pes
    return cut.pes / min(first, cut.pes)


@kernel()
def cut_of(at: Placement, dim: int) -> Split:
    """The split of a dim."""
    if dim == G:
        return at.g
    if dim == K:
        return at.k
    if dim == C:
        return at.c
    return at.p if dim == P else at.q


@kernel()
def mapping_row(layer: LayerRow, pes_y: float, axes: Axes, at: Placement, order: int) -> MappingRow:
    """The loop counts of a placement on columns of `pes_y` PEs."""
    on_y = cut_of(at, axes.y)
    y_count = min(pes_y, on_y.pes)
    x_count = pes_on(axes.x, axes.y, pes_y, cut_of(at, axes.x))
    return MappingRow(
        axes.x, int(x_count), axes.y, int(y_count), axes.lane, int(cut_of(at, axes.lane).lanes),
        int(at.blocks.simd_g), int(at.blocks.simd_k), int(at.blocks.dot),
        int(at.g.dram), int(at.k.dram), int(at.c.dram), int(at.p.dram), int(at.q.dram), int(order),
        int(at.g.local), int(at.k.local), int(at.c.local), int(at.p.local), int(at.q.local),
        int(at.local_r), int(at.local_s), int(at.output_stationary),
        int(at.c.register), int(at.p.register), int(at.q.register),
        int(layer.r / at.local_r), int(layer.s / at.local_s),
    )  # fmt: skip


@kernel()
def solved_row(
    layer: LayerRow, hw: HardwareRow, stay: ResidencyRow, at: Placement, counts: CountsRow,
    runs: bool,
) -> CostRow:  # fmt: skip
    """Cost of a placement with its first and last tiles, and the reason if it does not run."""
    row = cost(counts, hw, stay)
    first_weights, first_inputs, last = first_and_last_tile(layer, hw, at, stay)
    reason = 0.0
    if not runs:
        reason = LOCAL_MEMORY if at.register_fits else REGISTER_FILE
    return CostRow(
        row.cycles, row.compute_cycles, row.local_memory_cycles, row.io_cycles, row.energy_pj,
        row.mac_pj, row.register_file_pj, row.local_memory_pj, row.dram_pj, row.leakage_pj,
        row.weight_bytes, row.input_bytes, row.output_bytes, first_weights, first_inputs, last,
        row.bound, reason,
    )  # fmt: skip


@kernel()
def solve(
    layer: LayerRow, hw: HardwareRow, stay: ResidencyRow, objective: int,
    scratch: tuple[RecordArray, RecordArray],
) -> tuple[CostRow, MappingRow, CountsRow, int]:  # fmt: skip
    """Cost, loops and counts of the best mapping of a pair, and how many were costed."""
    blocks = blocks_of(layer, hw)
    best = search(layer, hw, blocks, stay, objective, scratch)
    at = place(layer, hw, blocks, best.axes, best.wish)
    counts = count(layer, at, best.order)
    final = solved_row(layer, hw, stay, at, counts, best.first < np.inf)
    return final, mapping_row(layer, hw.pes_y, best.axes, at, best.order), counts, best.costed


@kernel()
def write_answer(
    answer: tuple[CostRow, MappingRow, CountsRow, int], i: int,
    outcome: tuple[RecordArray, RecordArray, RecordArray, RecordArray],
) -> None:  # fmt: skip
    """Write the answer about pair `i`."""
    row, mapping, counts, seen = answer
    costs, mappings, counted, candidates = outcome
    for j in range(len(row)):
        costs[i, j] = row[j]
    for j in range(len(mapping)):
        mappings[i, j] = mapping[j]
    for j in range(len(counts)):
        counted[i, j] = counts[j]
    candidates[i] = seen


@kernel(parallel=True)
def solve_pairs(
    layers: RecordArray, hardware: RecordArray, pairs: RecordArray, stays: RecordArray,
    objective: int, outcome: tuple[RecordArray, RecordArray, RecordArray, RecordArray],
) -> None:  # fmt: skip
    """Solve every pair: `pairs` [N, 2] holds the rows of `layers` and `hardware` to combine.

    Records are rows of numbers here, one column per field.

    Args:
        layers: [L, 14] int64, records.LAYER.
        hardware: [H, 23] float64, records.HARDWARE.
        pairs: [N, 2] int64.
        stays: [N, 4] float64, records.RESIDENCY.
        objective: `vocabulary.Objective`.
        outcome: written, with N rows each: COST, MAPPING and COUNTS of records, and [N] int64
            candidates costed.
    """
    blocks = (pairs.shape[0] + BLOCK - 1) // BLOCK
    for block in prange(blocks):
        scratch = (
            np.empty((MOST_ASSIGNMENTS, 4), np.int64),
            np.empty((MOST_ASSIGNMENTS, 2)),
        )
        for i in range(block * BLOCK, min((block + 1) * BLOCK, pairs.shape[0])):
            layer = layer_row(layers[pairs[i, 0]])
            hw = hardware_row(hardware[pairs[i, 1]])
            stay = ResidencyRow(stays[i, 0], stays[i, 1], stays[i, 2], stays[i, 3])
            write_answer(solve(layer, hw, stay, objective, scratch), i, outcome)
