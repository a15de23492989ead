"""The best way to compute a group of layers tile by tile, and what it costs.

The rows of a stage that one tile needs are a layer of their own, which `kernels.solve` maps;
a group costs what all rows of all its stages do. [docs/equations.md 12]
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import prange
from numpy import ceil

from nahas.kernels._jit import kernel
from nahas.kernels.edge import COMPUTE, IO
from nahas.kernels.edge import LOCAL_MEMORY as LOCAL
from nahas.kernels.menu import MOST_ASSIGNMENTS
from nahas.kernels.records import CostRow, HardwareRow, LayerRow, MappingRow, ResidencyRow
from nahas.kernels.rows import RecordArray, hardware_row, layer_row
from nahas.kernels.search import rank
from nahas.kernels.solve import solve
from nahas.kernels.stages import (
    CONVOLUTION,
    HEIGHT,
    Around,
    Plan,
    advance,
    reserve,
    tallest,
    weight_words,
)
from nahas.kernels.vector import vector_cost

(
    CYCLES, COMPUTE_CYCLES, LOCAL_CYCLES, IO_CYCLES,
    ENERGY_PJ, MAC_PJ, REGISTER_PJ, LOCAL_PJ, DRAM_PJ, LEAKAGE_PJ,
    WEIGHT_BYTES, INPUT_BYTES, OUTPUT_BYTES, FIRST_WEIGHTS, FIRST_INPUTS, LAST_OUTPUTS,
    BOUND, REASON,
) = range(len(CostRow._fields))  # fmt: skip


class StageRow(NamedTuple):
    """One layer of a fused group as the group's plan has it.

    Attributes:
        stage: its place in the group, from 1; 0 for a layer that is in none.
        tile_rows, tiles, keeps_halo, weights_rest: as in `Plan`.
        made_rows: rows that it makes in the first tile: those of the mapping that is reported.
        macs: multiply-accumulates in all tiles, those made again included.
    """

    stage: int
    tile_rows: int
    tiles: int
    keeps_halo: int
    weights_rest: int
    made_rows: int
    macs: int


COSTS, MAPPINGS, STAGES = len(CostRow._fields), len(MappingRow._fields), len(StageRow._fields)
MADE, MACS = StageRow._fields.index("made_rows"), StageRow._fields.index("macs")


@kernel()
def of_rows(layer: LayerRow, rows: int) -> LayerRow:
    """So many rows of a layer's output, as a layer."""
    return LayerRow(
        layer.kind, layer.n, layer.g, layer.k, layer.c, rows, layer.q, layer.r, layer.s,
        layer.stride_p, layer.stride_q, layer.dilation_r, layer.dilation_s, layer.operands,
    )  # fmt: skip


@kernel()
def stage_cost(
    stages: RecordArray, s: int, hw: HardwareRow, stay: ResidencyRow, made: tuple[int, float],
    objective: int, found: tuple[RecordArray, RecordArray, RecordArray, RecordArray],
) -> int:  # fmt: skip
    """Cost of the rows that a stage makes for one tile, at their best mapping.

    Args:
        stages: [S, 14] int64, records.LAYER of the group.
        s: which of them.
        hw: the accelerator.
        stay: what of the stage's input and output is on chip, and the room that is taken.
        made: its rows, and 1.0 where the other operand of a sum is on chip.
        objective: `vocabulary.Objective`.
        found: written at s: costs [S, 18] and mappings [S, 28]; and scratch of `search`.

    Returns:
        Mappings costed.
    """
    costs, mappings, menu, bounds = found
    rows, addend_on_chip = made
    layer = of_rows(layer_row(stages[s]), rows)
    if layer.kind == CONVOLUTION:
        row, mapping, _, seen = solve(layer, hw, stay, objective, (menu, bounds))
        for j in range(len(mapping)):
            mappings[s, j] = mapping[j]
    else:
        fetched = float(layer.g * layer.p * layer.q) * (1.0 - addend_on_chip)
        row, seen = vector_cost(layer, hw, fetched, stay.output_on_chip), 0
    for j in range(len(row)):
        costs[s, j] = row[j]
    return seen


class Scratch(NamedTuple):
    """Room to cost the plans of a group of S stages.

    Attributes:
        spans, walk, sizes, reserved: as in `advance`, `tallest` and `reserve`.
        rows: [S] int64, rows of every stage whose cost stands in `costs`.
        costs, mappings: [S, 18] float64 and [S, 28] int64, of one tile.
        totals, firsts: the same, costs of all tiles and mappings of the first one.
        plans: [S, 7] int64, `StageRow`.
        menu, bounds: of `kernels.search`.
    """

    spans: RecordArray
    walk: RecordArray
    sizes: RecordArray
    reserved: RecordArray
    rows: RecordArray
    costs: RecordArray
    mappings: RecordArray
    totals: RecordArray
    firsts: RecordArray
    plans: RecordArray
    menu: RecordArray
    bounds: RecordArray


@kernel()
def scratch_of(stages: int) -> Scratch:
    """Room for groups of so many stages."""
    return Scratch(
        np.empty((stages, 2), np.int64),
        np.empty((3, stages), np.int64),
        np.empty((3, stages), np.int64),
        np.empty(stages),
        np.empty(stages, np.int64),
        np.empty((stages, COSTS)),
        np.empty((stages, MAPPINGS), np.int64),
        np.empty((stages, COSTS)),
        np.empty((stages, MAPPINGS), np.int64),
        np.empty((stages, STAGES), np.int64),
        np.empty((MOST_ASSIGNMENTS, 4), np.int64),
        np.empty((MOST_ASSIGNMENTS, 2)),
    )


@kernel()
def add_tiles(
    stages: RecordArray, hw: HardwareRow, plan: Plan, around: Around, objective: int, room: Scratch
) -> int:
    """Add up the costs of every stage over all tiles, each at its best mapping.

    Neighbouring tiles of as many rows cost the same, so each number of rows is mapped once.
    What comes in before the first cycle is that of the first tile, what leaves after the last
    one that of the last.

    Args:
        stages: [S, 14] int64, records.LAYER of the group.
        hw: the accelerator.
        plan: how the group is computed.
        around: what the network keeps on chip meanwhile.
        objective: `vocabulary.Objective`, for every mapping.
        room: `reserved` is read; `totals`, `firsts` and `plans` are written.

    Returns:
        Mappings costed.
    """
    last, seen = stages.shape[0] - 1, 0
    room.totals[:], room.walk[:], room.rows[:], room.firsts[:] = 0.0, 0, 0, 0
    describe(stages, plan, room.plans)
    found = (room.costs, room.mappings, room.menu, room.bounds)
    for tile in range(plan.tiles):
        advance(stages, plan, tile, room.spans, room.walk)
        for s in range(last + 1):
            rows, total, cost = room.walk[0, s], room.totals[s], room.costs[s]
            if rows == 0:
                continue
            if rows != room.rows[s]:
                stay = ResidencyRow(
                    around.input_on_chip if s == 0 else 1.0,
                    around.output_on_chip if s == last else 1.0,
                    room.reserved[s],
                    around.weights_on_chip[s],
                )
                made = (rows, around.addend_on_chip)
                seen += stage_cost(stages, s, hw, stay, made, objective, found)
                room.rows[s] = rows
            if room.plans[s, MADE] == 0:
                room.plans[s, MADE] = rows
                room.firsts[s] = room.mappings[s]
                total[FIRST_WEIGHTS:LAST_OUTPUTS] = cost[FIRST_WEIGHTS:LAST_OUTPUTS]
            total[:FIRST_WEIGHTS] += cost[:FIRST_WEIGHTS]
            total[LAST_OUTPUTS] = cost[LAST_OUTPUTS]
            total[REASON] = max(total[REASON], cost[REASON])
            room.plans[s, MACS] += rows * macs_of_row(layer_row(stages[s]))
    return seen


@kernel()
def macs_of_row(layer: LayerRow) -> int:
    """Multiply-accumulates of one row of a layer's output."""
    return layer.q * weight_words(layer)


@kernel()
def describe(stages: RecordArray, plan: Plan, plans: RecordArray) -> None:
    """Write what a plan says of every stage; what the tiles make is still 0."""
    plans[:] = 0
    for s in range(stages.shape[0]):
        plans[s, 0], plans[s, 1], plans[s, 2] = s + 1, plan.rows, plan.tiles
        plans[s, 3], plans[s, 4] = int(plan.keeps_halo), int(plan.weights_rest)


@kernel()
def rest_weights(layer: LayerRow, hw: HardwareRow, total: RecordArray) -> None:
    """Let the weights of a stage come in once, and every later fetch read where they rest.

    They rest spread evenly over all PEs, which read them there in place of DRAM.

    Args:
        layer: the stage.
        hw: the accelerator.
        total: [18] float64, records.COST of all tiles, changed.
    """
    once, fetched = weight_words(layer) * hw.weight_bytes, total[WEIGHT_BYTES]
    pes = hw.pes_x * hw.pes_y
    total[WEIGHT_BYTES] = once
    total[DRAM_PJ] -= (fetched - once) * hw.dram_read_pj_per_byte
    total[LOCAL_PJ] += fetched * hw.local_memory_read_pj_per_byte
    total[LOCAL_PJ] += once * hw.local_memory_write_pj_per_byte
    total[LOCAL_CYCLES] += ceil((fetched + once) / (pes * hw.local_memory_bytes_per_cycle))


@kernel()
def finish(hw: HardwareRow, total: RecordArray) -> None:
    """Cycles, energy and bound of a stage over all tiles, as if it ran alone."""
    moved = total[WEIGHT_BYTES] + total[INPUT_BYTES] + total[OUTPUT_BYTES]
    total[IO_CYCLES] = ceil(moved / hw.io_bytes_per_cycle)
    busy = max(total[COMPUTE_CYCLES], total[LOCAL_CYCLES])
    total[CYCLES] = max(busy, total[IO_CYCLES])
    total[LEAKAGE_PJ] = total[CYCLES] * hw.leakage_pj_per_cycle
    total[ENERGY_PJ] = total[MAC_PJ] + total[REGISTER_PJ] + total[LOCAL_PJ]
    total[ENERGY_PJ] += total[DRAM_PJ] + total[LEAKAGE_PJ]
    total[BOUND] = COMPUTE
    if total[CYCLES] > total[COMPUTE_CYCLES]:
        total[BOUND] = IO if total[IO_CYCLES] >= total[LOCAL_CYCLES] else LOCAL


@kernel()
def group_figures(hw: HardwareRow, totals: RecordArray) -> tuple[float, float]:
    """Cycles and energy of a group: its stages in turn, its traffic beside all of them."""
    busy, moved, energy = 0.0, 0.0, 0.0
    for s in range(totals.shape[0]):
        total = totals[s]
        if total[REASON] > 0.0:
            return np.inf, np.inf
        busy += max(total[COMPUTE_CYCLES], total[LOCAL_CYCLES])
        moved += total[WEIGHT_BYTES] + total[INPUT_BYTES] + total[OUTPUT_BYTES]
        energy += total[ENERGY_PJ] - total[LEAKAGE_PJ]
    cycles = max(busy, ceil(moved / hw.io_bytes_per_cycle))
    return cycles, energy + cycles * hw.leakage_pj_per_cycle


@kernel()
def cost_plan(
    stages: RecordArray, hw: HardwareRow, plan: Plan, around: Around, objective: int, room: Scratch
) -> tuple[float, float, int]:
    """Cycles and energy of a group under a plan, infinite where it does not fit; mappings costed.

    Args:
        stages: [S, 14] int64, records.LAYER of the group.
        hw: the accelerator.
        plan: how the group is computed.
        around: what the network keeps on chip meanwhile.
        objective: `vocabulary.Objective`, for every mapping.
        room: `totals`, `firsts` and `plans` are written.
    """
    tallest(stages, plan, (room.spans, room.walk), room.sizes)
    reserve(stages, hw, plan, around, room.sizes, room.reserved)
    if room.reserved.max() >= hw.local_memory_bytes:
        return np.inf, np.inf, 0
    seen = add_tiles(stages, hw, plan, around, objective, room)
    for s in range(stages.shape[0]):
        if plan.weights_rest and around.weights_on_chip[s] == 0.0:
            rest_weights(layer_row(stages[s]), hw, room.totals[s])
        finish(hw, room.totals[s])
    cycles, energy = group_figures(hw, room.totals)
    return cycles, energy, seen


@kernel()
def is_new(plan: Plan, sizes: RecordArray) -> bool:
    """Whether a plan differs from the simpler one without a kept halo or resting weights."""
    if plan.tiles == 1:
        return not plan.keeps_halo and not plan.weights_rest
    return not plan.keeps_halo or sizes[1].max() > 0


@kernel()
def fuse(
    stages: RecordArray, hw: HardwareRow, around: Around, objective: int,
    outcome: tuple[RecordArray, RecordArray, RecordArray],
) -> tuple[float, float, int]:  # fmt: skip
    """The best plan of a group: its cycles and energy, infinite where none fits; mappings costed.

    Every number of tiles is tried, each with the fewest rows that make so many; the halo made
    again or kept; the weights fetched for each tile or resting. When equal in both figures, the
    first in this order, fewest tiles first.

    Args:
        stages: [S, 14] int64, records.LAYER of the group.
        hw: the accelerator.
        around: what the network keeps on chip meanwhile.
        objective: `vocabulary.Objective`, for every mapping and for the plan.
        outcome: written: costs [S, 18], mappings [S, 28] of the first tile, `StageRow` [S, 7].
    """
    costs, mappings, plans = outcome
    room = scratch_of(stages.shape[0])
    height, seen = stages[-1, HEIGHT], 0
    best, tie, cycles, energy = np.inf, np.inf, np.inf, np.inf
    rows = height
    while rows > 0:
        tiles = (height + rows - 1) // rows
        fewest = (height + tiles - 1) // tiles
        for keeps_halo in (False, True):
            for weights_rest in (False, True):
                plan = Plan(fewest, tiles, keeps_halo, weights_rest)
                tallest(stages, plan, (room.spans, room.walk), room.sizes)
                if not is_new(plan, room.sizes):
                    continue
                now, spent, costed = cost_plan(stages, hw, plan, around, objective, room)
                seen += costed
                first, second = rank(now, spent, objective)
                if now < np.inf and (first < best or (first == best and second < tie)):
                    best, tie, cycles, energy = first, second, now, spent
                    costs[:], mappings[:], plans[:] = room.totals, room.firsts, room.plans
        rows = fewest - 1
    return cycles, energy, seen


@kernel(parallel=True)
def fuse_groups(
    layers: RecordArray, hardware: RecordArray, groups: RecordArray,
    around: tuple[RecordArray, RecordArray], objective: int,
    outcome: tuple[RecordArray, RecordArray, RecordArray], figures: RecordArray,
) -> None:  # fmt: skip
    """`fuse` for every group.

    Args:
        layers: [N, 14] int64, records.LAYER.
        hardware: [H, 23] float64, records.HARDWARE.
        groups: [G, 3] int64, first layer, stages, and row of `hardware`.
        around: `Around` but for the weights [G, 4], and whether each layer's weights stay [N].
        objective: `vocabulary.Objective`.
        outcome: costs, mappings and `StageRow` of all layers, N rows each; written where a
            group has the layer and some plan fits.
        figures: [G, 3] float64, written: cycles, energy in pJ, mappings costed.
    """
    costs, mappings, plans = outcome
    near, weights_on_chip = around
    for i in prange(groups.shape[0]):
        a = groups[i, 0]
        b = a + groups[i, 1]
        hw = hardware_row(hardware[groups[i, 2]])
        kept = Around(near[i, 0], near[i, 1], near[i, 2], near[i, 3], weights_on_chip[a:b])
        here = (costs[a:b], mappings[a:b], plans[a:b])
        figures[i, 0], figures[i, 1], figures[i, 2] = fuse(layers[a:b], hw, kept, objective, here)
