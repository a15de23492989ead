"""Fused groups, against a program that walks their tiles row by row and tries every plan."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from itertools import product
from math import ceil, inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nahas.hardware import preset
from nahas.kernels.fusion import StageRow, cost_plan, fuse, fuse_groups, scratch_of
from nahas.kernels.records import CostRow, CountsRow, HardwareRow, MappingRow
from nahas.kernels.search import rank
from nahas.kernels.solve import solve_pairs
from nahas.kernels.stages import Around, Plan
from nahas.kernels.vector import vector_cost
from nahas.layers import Layer
from nahas.sequence import hardware_rows
from nahas.vocabulary import LayerKind, Objective

BASELINE = HardwareRow(*hardware_rows([preset("edge-baseline")])[0].tolist())


def same(rows: int, stride: int) -> int:
    """Outputs along an axis where padding keeps all of it."""
    return ceil(rows / stride)


@st.composite
def groups(draw: st.DrawFn) -> list[Layer]:
    """Inverted bottlenecks, fused ones too, with and without the sum, SAME-padded or not."""
    small, stride = st.integers(1, 9), st.integers(1, 2)
    p, q = draw(st.integers(1, 7)), draw(st.integers(1, 2))
    window, step, dilation = draw(st.sampled_from([1, 3, 5])), draw(stride), draw(st.integers(1, 2))
    wide, narrow, deep = draw(small), draw(small), draw(small)
    layers = []
    if draw(st.booleans()):
        layers.append(Layer(name="expand", k=wide, c=deep, p=p, q=q))
    padded = draw(st.booleans()) or p < (window - 1) * dilation + 1
    out = same(p, step) if padded else (p - (window - 1) * dilation - 1) // step + 1
    shape = {"p": out, "q": q, "r": window, "s": 2, "stride_p": step, "dilation_r": dilation}
    depthwise = bool(layers) and draw(st.booleans())
    channels = {"g": wide} if depthwise else {"k": wide, "c": wide if layers else deep}
    layers.append(Layer(name="window", **channels, **shape))
    last = draw(stride)
    layers.append(
        Layer(name="project", k=narrow, c=wide, p=same(out, last), q=q, stride_p=last, stride_q=1)
    )
    if draw(st.booleans()):
        layers.append(
            Layer(name="sum", kind=LayerKind.ADD, g=narrow, p=same(out, last), q=q, operands=2)
        )
    return layers


@st.composite
def accelerators(draw: st.DrawFn) -> HardwareRow:
    return BASELINE._replace(
        pes_x=float(draw(st.integers(1, 2))),
        pes_y=float(draw(st.integers(1, 2))),
        lanes=float(draw(st.integers(1, 2))),
        simd_units=float(draw(st.integers(1, 4))),
        local_memory_bytes=float(draw(st.integers(40, 400))),
        register_file_bytes=float(draw(st.integers(40, 400))),
        local_memory_bytes_per_cycle=float(draw(st.sampled_from([1, 4, 16]))),
        io_bytes_per_cycle=draw(st.sampled_from([0.5, 2.0, 16.0])),
        weight_bytes=draw(st.sampled_from([0.5, 1.0, 2.0])),
        activation_bytes=draw(st.sampled_from([0.5, 1.0, 2.0])),
        partial_sum_bytes=draw(st.sampled_from([2.0, 3.0, 4.0])),
    )


AROUND = st.builds(
    Around,
    st.sampled_from([0.0, 1.0]),
    st.sampled_from([0.0, 1.0]),
    st.sampled_from([0.0, 1.0]),
    st.integers(0, 40).map(float),
    st.lists(st.sampled_from([0.0, 1.0]), min_size=4, max_size=4).map(np.array),
)


# The walk


def plans(group: list[Layer]) -> Iterator[Plan]:
    """Every way to compute a group: each number of tiles with the fewest rows for it."""
    height = group[-1].p
    for tiles in sorted({ceil(height / rows) for rows in range(1, height + 1)}):
        flags = product((False, True), repeat=2) if tiles > 1 else [(False, False)]
        for keeps_halo, weights_rest in flags:
            yield Plan(ceil(height / tiles), tiles, keeps_halo, weights_rest)


def asked(group: list[Layer], s: int, rows: set[int]) -> set[int]:
    """Rows of stage s - 1 that some rows of stage s ask for: the window of each, or its stride."""
    layer, there = group[s], group[s - 1].p
    reach = (layer.r - 1) * layer.dilation_r + 1
    above = max(0, (layer.p - 1) * layer.stride_p + reach - there) // 2
    wanted = {
        row * layer.stride_p - above + i for row in rows for i in range(max(reach, layer.stride_p))
    }
    return wanted & set(range(there))


def walk(group: list[Layer], plan: Plan) -> list[list[tuple[set[int], set[int]]]]:
    """For every tile and stage, the rows that it needs and of these the ones that it makes."""
    height, had, tiles = group[-1].p, [set[int]() for _ in group], []
    for begin in range(0, height, plan.rows):
        needed = [set(range(begin, min(begin + plan.rows, height)))]
        for s in range(len(group) - 1, 0, -1):
            needed.insert(0, asked(group, s, needed[0]))
        made = [rows - had[s] if plan.keeps_halo else set(rows) for s, rows in enumerate(needed)]
        had = needed
        tiles.append(list(zip(needed, made, strict=True)))
    return tiles


def reserved(group: list[Layer], hw: HardwareRow, plan: Plan, around: Around) -> list[float]:
    """Bytes of every PE that are taken while each stage runs, by what lies there."""
    tiles, last = walk(group, plan), len(group) - 1
    row = [layer.g * layer.k * layer.q for layer in group]
    tall = [max(len(tile[s][0]) for tile in tiles) * row[s] for s in range(last)]
    halo = [max(len(tile[s][0] - tile[s][1]) for tile in tiles) * row[s] for s in range(last)]
    coming = replace(group[0], p=max(len(tile[0][1]) for tile in tiles)).input_words
    leaving = plan.rows * row[last]
    streamed = zip(group, around.weights_on_chip, strict=False)
    resting = sum(layer.weight_words for layer, stays in streamed if not stays)
    taken = []
    for s in range(last + 1):
        words = sum(tall[j] if j in (s - 1, s) else halo[j] for j in range(last))
        if plan.tiles > 1:
            words += coming * (s > 0 and not around.input_on_chip)
            words += leaving * (s < last and not around.output_on_chip)
        held = words * hw.activation_bytes + resting * plan.weights_rest * hw.weight_bytes
        taken.append(around.reserved_bytes + ceil(held / (hw.pes_x * hw.pes_y)))
    return taken


@cache
def mapped(
    layer: Layer, hw: HardwareRow, stay: tuple[float, float, float, float], objective: Objective
) -> CostRow:
    """The best cost of one layer by itself."""
    kept = [np.zeros((1, len(row._fields))) for row in (CostRow, MappingRow, CountsRow)]
    kept[1] = kept[1].astype(np.int64)
    pair, candidates = np.zeros((1, 2), np.int64), np.zeros(1, np.int64)
    layers, points = np.array([layer.row]), np.array([hw])
    solve_pairs(layers, points, pair, np.array([stay]), int(objective), (*kept, candidates))
    return CostRow(*kept[0][0].tolist())


def cost_of(
    group: list[Layer], hw: HardwareRow, plan: Plan, around: Around, objective: Objective
) -> list[CostRow] | None:
    """Every stage, its tiles added up one by one; None where one does not fit."""
    last = len(group) - 1
    taken, totals = reserved(group, hw, plan, around), []
    if max(taken) >= hw.local_memory_bytes:
        return None
    for s, layer in enumerate(group):
        stays = float(around.weights_on_chip[s])
        ends = (
            around.input_on_chip if s == 0 else 1.0,
            around.output_on_chip if s == last else 1.0,
        )
        tiles = []
        for rows in filter(None, (len(tile[s][1]) for tile in walk(group, plan))):
            part = replace(layer, p=rows)
            if layer.kind.is_vector:
                words = part.output_words * (1.0 - around.addend_on_chip)
                tiles.append(vector_cost(part.row, hw, words, ends[1]))
            else:
                tiles.append(mapped(part, hw, (*ends, taken[s], stays), objective))
        if any(tile.reason for tile in tiles):
            return None
        totals.append(added(tiles, layer, hw, rests=plan.weights_rest and not stays))
    return totals


def added(tiles: list[CostRow], layer: Layer, hw: HardwareRow, *, rests: bool) -> CostRow:
    """The tiles of one stage together; weights that rest come in once."""
    sums = {name: sum(getattr(tile, name) for tile in tiles) for name in CostRow._fields}
    if rests:
        once, fetched = layer.weight_words * hw.weight_bytes, sums["weight_bytes"]
        width = hw.pes_x * hw.pes_y * hw.local_memory_bytes_per_cycle
        sums["weight_bytes"] = once
        sums["dram_pj"] -= (fetched - once) * hw.dram_read_pj_per_byte
        sums["local_memory_pj"] += fetched * hw.local_memory_read_pj_per_byte
        sums["local_memory_pj"] += once * hw.local_memory_write_pj_per_byte
        sums["local_memory_cycles"] += ceil((fetched + once) / width)
    return CostRow(**sums)._replace(
        first_weight_bytes=tiles[0].first_weight_bytes,
        first_input_bytes=tiles[0].first_input_bytes,
        last_output_bytes=tiles[-1].last_output_bytes,
    )


def figures(stages: list[CostRow] | None, hw: HardwareRow) -> tuple[float, float]:
    """Cycles and energy of a group."""
    if stages is None:
        return inf, inf
    busy = sum(max(of.compute_cycles, of.local_memory_cycles) for of in stages)
    moved = sum(of.weight_bytes + of.input_bytes + of.output_bytes for of in stages)
    cycles = max(busy, ceil(moved / hw.io_bytes_per_cycle))
    parts = ("mac_pj", "register_file_pj", "local_memory_pj", "dram_pj")
    dynamic = sum(getattr(of, part) for of in stages for part in parts)
    return cycles, dynamic + cycles * hw.leakage_pj_per_cycle


# The kernel


def found(
    group: list[Layer], hw: HardwareRow, around: Around, objective: Objective
) -> tuple[tuple[float, float], list[CostRow], list[StageRow]]:
    """What the kernel says, on the second of two accelerators and behind another layer."""
    rows = np.array([layer.row for layer in [group[0], *group]])
    costs = np.zeros((len(rows), len(CostRow._fields)))
    mappings = np.zeros((len(rows), len(MappingRow._fields)), np.int64)
    stages = np.zeros((len(rows), len(StageRow._fields)), np.int64)
    points, chosen = np.array([BASELINE, hw]), np.array([(1, len(group), 1)])
    told = np.zeros((1, 3))
    outcome = (costs, mappings, stages)
    near = (np.array([around[:4]]), np.array([1.0, *around.weights_on_chip[: len(group)]]))
    fuse_groups(rows, points, chosen, near, int(objective), outcome, told)
    assert not costs[0].any()
    return (
        (told[0, 0], told[0, 1]),
        [CostRow(*row) for row in costs[1:].tolist()],
        [StageRow(*row) for row in stages[1:].tolist()],
    )


@given(groups(), accelerators(), AROUND, st.sampled_from(list(Objective)))
@settings(deadline=None)
def test_every_plan_costs_what_its_tiles_add_up_to(group, hw, around, objective):
    rows, room = np.array([layer.row for layer in group]), scratch_of(len(group))
    for plan in plans(group):
        cycles, energy, _ = cost_plan(rows, hw, plan, around, int(objective), room)
        walked = figures(cost_of(group, hw, plan, around, objective), hw)
        assert (cycles, energy) == pytest.approx(walked, rel=1e-12), plan


@given(groups(), accelerators(), AROUND, st.sampled_from(list(Objective)))
@settings(deadline=None)
def test_the_plan_is_the_best_of_all_and_costs_what_its_tiles_add_up_to(
    group, hw, around, objective
):
    every = {
        plan: figures(cost_of(group, hw, plan, around, objective), hw) for plan in plans(group)
    }
    best = min(rank(*figure, int(objective)) for figure in every.values())
    (cycles, energy), costs, stages = found(group, hw, around, objective)
    if best[0] == inf:
        assert (cycles, energy) == (inf, inf)
        assert all(stage.stage == 0 for stage in stages)
        return
    assert rank(cycles, energy, int(objective)) == pytest.approx(best, rel=1e-12)
    told = stages[0]
    plan = Plan(told.tile_rows, told.tiles, bool(told.keeps_halo), bool(told.weights_rest))
    walked = cost_of(group, hw, plan, around, objective)
    assert walked is not None
    alone = {"cycles", "io_cycles", "energy_pj", "leakage_pj", "bound"}
    for one, other in zip(costs, walked, strict=True):
        for name in set(CostRow._fields) - alone:
            assert getattr(one, name) == pytest.approx(getattr(other, name), rel=1e-12), name
    tiles = walk(group, plan)
    for s, (layer, stage) in enumerate(zip(group, stages, strict=True)):
        made = [len(tile[s][1]) for tile in tiles]
        assert stage.stage == s + 1
        assert stage.made_rows == next(rows for rows in made if rows)
        assert stage.macs == sum(replace(layer, p=rows).macs for rows in made if rows)


@given(groups(), accelerators(), AROUND)
@settings(deadline=None, max_examples=20)
def test_nothing_finished_crosses_the_interface_inside_a_group(group, hw, around):
    (cycles, _), costs, _ = found(group, hw, around, Objective.LATENCY)
    if cycles == inf:
        return
    for s, cost in enumerate(costs):
        assert not (s > 0 and group[s].kind == LayerKind.CONVOLUTION and cost.input_bytes)
        if s < len(group) - 1:  # sums that local memory cannot keep
            assert cost.output_bytes % hw.partial_sum_bytes == 0
        if around.weights_on_chip[s]:
            assert cost.weight_bytes == 0
        else:
            assert cost.weight_bytes >= group[s].weight_words * hw.weight_bytes
    if not around.output_on_chip and costs[-1].output_bytes:
        assert costs[-1].output_bytes >= group[-1].output_words * hw.activation_bytes


@given(groups(), st.integers(1, 9))
def test_a_kept_halo_makes_each_row_once_and_a_tile_makes_what_it_needs(group, rows):
    height = group[-1].p
    tiles = ceil(height / rows)
    fewest = ceil(height / tiles)
    once, again = (walk(group, Plan(fewest, tiles, keeps, False)) for keeps in (True, False))
    for s, layer in enumerate(group):
        made = [row for tile in once for row in tile[s][1]]
        assert len(made) == len(set(made)) <= layer.p
        assert sum(len(tile[s][1]) for tile in again) >= len(made)


def block() -> list[Layer]:
    """An inverted bottleneck of 3x3, 6 rows high."""
    shape = {"p": 6, "q": 4}
    return [
        Layer(name="expand", k=24, c=4, **shape),
        Layer(name="depthwise", g=24, r=3, s=3, **shape),
        Layer(name="project", k=4, c=24, **shape),
    ]


OFF_CHIP = Around(0.0, 1.0, 0.0, 0.0, np.zeros(4))
ONE_PE = BASELINE._replace(pes_x=1.0, pes_y=1.0, lanes=1.0, simd_units=4.0)


def test_with_plenty_of_room_there_is_one_tile_and_with_little_there_are_more():
    def tiles(local_memory_bytes: float) -> int:
        hw = ONE_PE._replace(local_memory_bytes=local_memory_bytes)
        return found(block(), hw, OFF_CHIP, Objective.LATENCY)[2][0].tiles

    counts = [tiles(room) for room in (2.0**16, 2.0**11, 2.0**10)]
    assert counts[0] == 1
    assert counts == sorted(counts)
    assert counts[2] > 1


def test_the_halo_is_made_again_where_there_is_no_room_to_keep_it():
    seen = {
        (stages[0].keeps_halo, stages[0].macs > block()[0].macs)
        for room in range(500, 1_500, 200)
        for _, _, stages in [
            found(
                block(),
                ONE_PE._replace(local_memory_bytes=float(room)),
                OFF_CHIP,
                Objective.LATENCY,
            )
        ]
        if stages[0].tiles > 1
    }
    assert (1, False) in seen
    assert (1, True) not in seen
    assert (0, False) not in seen  # several tiles overlap, so that not to keep is to make again


@pytest.mark.parametrize("objective", list(Objective))
def test_compiled_and_plain_kernel_say_the_same(run, objective):
    group, hw = block(), ONE_PE._replace(local_memory_bytes=900.0)
    rows = np.array([layer.row for layer in group])
    outcome = (
        np.zeros((3, len(CostRow._fields))),
        np.zeros((3, len(MappingRow._fields)), np.int64),
        np.zeros((3, len(StageRow._fields)), np.int64),
    )
    cycles, energy, costed = run(fuse, rows, hw, OFF_CHIP, int(objective), outcome)
    told, costs, stages = found(group, hw, OFF_CHIP, objective)
    assert (cycles, energy) == told
    assert costed > 0
    assert [CostRow(*row) for row in outcome[0].tolist()] == costs
    assert [StageRow(*row) for row in outcome[2].tolist()] == stages
