"""The mapspace holds what docs/mapspace.md says, fits where it says, and covers every layer."""

from math import ceil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nahas.edge_mapping import edge_mapping
from nahas.hardware import preset
from nahas.kernels.menu import MOST_ASSIGNMENTS
from nahas.kernels.records import HardwareRow, MappingRow, ResidencyRow
from nahas.kernels.tilings import next_count, split
from nahas.layers import Layer
from nahas.mapping import Mapping, evaluate
from nahas.mapspace import candidates, evaluated_cost, evaluated_counts
from nahas.sequence import hardware_rows
from nahas.vocabulary import Access, Dim, DramOrder, Level, Slot, Tensor

FREE = ResidencyRow(0.0, 0.0, 0.0)
REDUCTION = {Dim.C, Dim.R, Dim.S}
MOVES = {
    Tensor.WEIGHTS: {Dim.G, Dim.K, Dim.C, Dim.R, Dim.S},
    Tensor.INPUTS: {Dim.G, Dim.C, Dim.P, Dim.Q, Dim.R, Dim.S},
    Tensor.OUTPUTS: {Dim.G, Dim.K, Dim.P, Dim.Q},
}


def point(**changes: float) -> HardwareRow:
    row = hardware_rows([preset("edge-baseline")])[0]
    return HardwareRow(*row.tolist())._replace(**changes)


@st.composite
def layers(draw: st.DrawFn) -> Layer:
    """Depthwise, grouped and plain convolutions, ragged in every dim."""
    few, many, window = st.integers(1, 4), st.integers(1, 40), st.sampled_from([1, 3])
    channels = draw(
        st.sampled_from(
            [
                {"g": draw(many)},
                {"g": draw(few), "k": draw(many), "c": draw(few)},
                {"k": draw(many), "c": draw(many)},
            ]
        )
    )
    shape = {"p": draw(st.integers(1, 20)), "q": draw(st.integers(1, 9))}
    return Layer(
        name="drawn",
        r=draw(window),
        s=draw(window),
        stride_p=draw(st.integers(1, 2)),
        **channels,
        **shape,
    )


POINTS = st.builds(
    point,
    pes_x=st.sampled_from([1.0, 2.0, 3.0]),
    pes_y=st.sampled_from([1.0, 2.0]),
    lanes=st.sampled_from([1.0, 3.0]),
    simd_units=st.sampled_from([1.0, 4.0, 16.0]),
    local_memory_bytes=st.sampled_from([128.0, 512.0, 2048.0, 65536.0]),
    register_file_bytes=st.sampled_from([64.0, 512.0, 8192.0]),
)
RESERVED = st.sampled_from([ResidencyRow(1.0, 1.0, 0.0), ResidencyRow(0.0, 0.0, 50.0)])


def members(layer: Layer, hw: HardwareRow, stay: ResidencyRow = FREE) -> list[MappingRow]:
    return list(candidates(layer.row, hw, stay))


def nests(layer: Layer, hw: HardwareRow, stay: ResidencyRow = FREE) -> list[Mapping]:
    return [edge_mapping(layer, row) for row in members(layer, hw, stay)]


def looped(mapping: Mapping, slot: Slot) -> dict[Dim, int]:
    """Trips of each dim in a slot."""
    trips: dict[Dim, int] = {}
    for loop in mapping.loops:
        if loop.slot == slot:
            trips[loop.dim] = trips.get(loop.dim, 1) * loop.count
    return trips


# What every member obeys, read off its loop nest alone


@given(layers(), POINTS, RESERVED)
@settings(max_examples=40)
def test_every_member_fits_both_memories_by_the_tiles_of_its_nest(layer, hw, stay):
    for mapping in nests(layer, hw, stay):
        counted = evaluate(layer, mapping)
        dram, local = looped(mapping, Slot.DRAM), looped(mapping, Slot.LOCAL_MEMORY)
        spills = counted.of(Level.LOCAL_MEMORY, Tensor.OUTPUTS, Access.READS) > 0
        held = 0
        for tensor, dims in MOVES.items():
            words = counted.tile_words[Level.LOCAL_MEMORY, tensor]
            size = 4 if tensor == Tensor.OUTPUTS and (spills or Dim.C in dram) else 1
            held += words * size * (2 if dims & set(dram) else 1)
        assert held + stay.reserved_bytes <= hw.local_memory_bytes
        weights, _, sums = counted.tile_words[Level.REGISTER_FILE]
        moving = MOVES[Tensor.WEIGHTS] & (set(dram) | set(local))
        assert 4 * sums + weights * (2 if moving else 1) <= hw.register_file_bytes


@given(layers(), POINTS)
@settings(max_examples=40)
def test_every_member_covers_the_layer_within_the_accelerator(layer, hw):
    for row in members(layer, hw):
        mapping = edge_mapping(layer, row)  # refuses one that leaves a part out
        assert mapping.keep[Level.REGISTER_FILE] == {Tensor.WEIGHTS, Tensor.OUTPUTS}
        assert row.pe_x_count <= hw.pes_x
        assert row.pe_y_count <= hw.pes_y
        assert row.lane_count <= hw.lanes
        assert row.simd_g * row.simd_k <= hw.simd_units
        assert row.dot <= hw.macs_per_simd
        assert evaluated_counts(layer, row).macs == layer.macs


@given(layers(), POINTS)
@settings(max_examples=40)
def test_no_member_is_of_a_kind_that_the_page_excludes(layer, hw):
    for mapping in nests(layer, hw):
        assert set(looped(mapping, Slot.PE_ARRAY)) <= {Dim.G, Dim.K, Dim.P, Dim.Q}
        pixels = Dim.Q if layer.q > 1 else Dim.P
        assert set(looped(mapping, Slot.LANE_ARRAY)) <= {Dim.G, Dim.K, Dim.C, pixels}
        assert set(looped(mapping, Slot.DATAPATH)) <= {Dim.G, Dim.K, Dim.C}
        assert set(looped(mapping, Slot.REGISTER_FILE)) <= {Dim.C, Dim.P, Dim.Q, Dim.R, Dim.S}
        assert set(looped(mapping, Slot.DRAM)) <= {Dim.G, Dim.K, Dim.C, Dim.P, Dim.Q}


@given(layers(), POINTS)
@settings(max_examples=40)
def test_local_loops_are_weight_stationary_or_else_output_stationary(layer, hw):
    for row, mapping in zip(members(layer, hw), nests(layer, hw), strict=True):
        order = [loop.dim for loop in mapping.loops if loop.slot == Slot.LOCAL_MEMORY]
        reduction = [i for i, dim in enumerate(order) if dim in REDUCTION]
        pixels = [i for i, dim in enumerate(order) if dim in (Dim.P, Dim.Q)]
        inner, outer = (reduction, pixels) if row.output_stationary else (pixels, reduction)
        assert not inner or not outer or min(inner) > max(outer)
        if not row.output_stationary:
            assert row.register_p * row.register_q == 1
        held = {Dim.P: row.register_p, Dim.Q: row.register_q}
        assert all(held[dim] == 1 for dim in held if dim in looped(mapping, Slot.DRAM))


# Spaces small enough to name every member


def test_a_pointwise_layer_that_fits_has_one_member_per_assignment():
    layer = Layer(name="pointwise", k=256, c=128, p=14, q=14)
    rows = members(layer, point())
    # K, P, Q on two equal PE axes, in one order: 6; K, C, Q on lanes: 3. A lane holds all of C.
    assert len(rows) == 18
    assert len({(row.pe_x_dim, row.pe_y_dim, row.lane_dim) for row in rows}) == 18
    assert all(row.dram_g * row.dram_k * row.dram_c * row.dram_p == 1 for row in rows)
    assert not any(row.output_stationary for row in rows)


def test_unequal_pe_axes_can_be_told_apart():
    layer = Layer(name="pointwise", k=256, c=128, p=14, q=14)
    assert len(members(layer, point(pes_x=8.0))) == 27


def test_output_stationary_doubles_only_the_members_that_spill_partial_sums():
    layer = Layer(name="deep", k=64, c=1024, p=14, q=14, r=3, s=3)
    rows = members(layer, point())
    spilling = [
        row
        for row in rows
        if not row.output_stationary and evaluated_counts(layer, row).local_output_reads > 0
    ]
    assert spilling
    kept = {(r.pe_x_dim, r.pe_y_dim, r.lane_dim) for r in rows if r.output_stationary}
    assert kept == {(r.pe_x_dim, r.pe_y_dim, r.lane_dim) for r in spilling}
    assert all(
        evaluated_counts(layer, row).local_output_reads == 0
        for row in rows
        if row.output_stationary
    )


def test_a_depthwise_layer_spreads_its_channels_over_simd_units():
    rows = members(Layer(name="depthwise", g=96, p=7, q=7, r=3, s=3), point())
    # Two even rounds of 48 rather than 64 and 32.
    assert {(row.simd_g, row.simd_k, row.dot) for row in rows} == {(48, 1, 1)}


def test_a_grouped_layer_spreads_both_channels_and_groups_over_simd_units():
    rows = members(Layer(name="grouped", g=12, k=10, c=8, p=7, q=7), point())
    # Six groups of ten channels on 64 units: two even rounds.
    assert {(row.simd_g, row.simd_k, row.dot) for row in rows} == {(6, 10, 4)}


def test_rows_are_spread_over_lanes_only_where_there_are_no_columns():
    row, column = (Layer(name="bar", k=64, c=4, **{dim: 9}) for dim in "pq")
    assert {each.lane_dim for each in members(row, point())} == {Dim.P}
    assert {each.lane_dim for each in members(column, point())} == {Dim.Q}


def test_a_single_point_has_one_member():
    assert len(members(Layer(name="point"), point())) == 1


def test_the_menu_of_assignments_is_never_larger_than_its_table():
    hw = point(pes_x=8.0)
    rows = members(Layer(name="grouped", g=3, k=256, c=256, p=14, q=14), hw)
    assert len({(row.pe_x_dim, row.pe_y_dim, row.lane_dim) for row in rows}) == MOST_ASSIGNMENTS


# Tilings


@given(st.integers(1, 500))
def test_every_tile_count_is_tried_that_makes_other_tiles(blocks):
    counts, tiles = [], 1.0
    while tiles <= blocks:
        counts.append(int(tiles))
        tiles = next_count(float(blocks), tiles)
    sizes = [ceil(blocks / count) for count in counts]
    assert sizes == sorted({ceil(blocks / count) for count in range(1, blocks + 1)}, reverse=True)
    assert counts == [next(n for n in range(1, blocks + 1) if ceil(blocks / n) == s) for s in sizes]


@given(
    st.integers(2, 3000),
    st.integers(2, 60),
    st.tuples(st.integers(1, 8), st.integers(1, 8), st.integers(1, 16)),
    st.integers(1, 5),
)
@settings(max_examples=300)
def test_a_cut_has_no_more_lanes_and_no_fewer_steps_and_no_tiny_pieces(blocks, tiles, axes, held):
    # What the bounds of the search stand on (docs/mapspace.md).
    x, y, lanes = map(float, axes)
    whole = split(float(blocks), 1.0, (x, y, lanes), 1.0)
    part = split(float(blocks), float(tiles), (x, y, lanes), float(held))
    assert part.lanes <= whole.lanes <= lanes
    assert part.pes <= x * y
    assert part.steps >= whole.steps == ceil(blocks / (x * y * lanes))
    assert whole.reach <= max(1, 2 * blocks / (x * y))
    assert 2 * tiles * part.reach >= whole.reach
    assert part.dram * part.pes * part.reach >= blocks


def one_pe(local_memory_bytes: float, register_file_bytes: float = 2.0**20) -> HardwareRow:
    """One lane in all, which holds every weight unless told otherwise."""
    return point(
        pes_x=1.0,
        pes_y=1.0,
        lanes=1.0,
        local_memory_bytes=local_memory_bytes,
        register_file_bytes=register_file_bytes,
    )


def cuts(layer: Layer, hw: HardwareRow) -> set[tuple[int, int, int, int, int]]:
    """G, K, C, P and Q tiles at DRAM of all members."""
    return {
        (row.dram_g, row.dram_k, row.dram_c, row.dram_p, row.dram_q) for row in members(layer, hw)
    }


SQUARE = Layer(name="square", k=256, c=256, p=16, q=16)


def test_a_layer_that_fits_is_not_cut():
    # 65,536 weights, 65,536 inputs and as many outputs, each once.
    assert cuts(SQUARE, one_pe(3 * 65536.0)) == {(1, 1, 1, 1, 1)}


def test_a_layer_that_almost_fits_is_cut_along_one_dim_with_the_fewest_tiles():
    # In n tiles along K, P or Q two tensors are cut, and there twice: 4 / n + 1 tensors. Along C
    # sums take four bytes: 4 / n + 4. Room for two and a half: 3 tiles, or 4 of K, blocks of 64.
    assert cuts(SQUARE, one_pe(2.5 * 65536.0)) == {
        (1, 4, 1, 1, 1),
        (1, 1, 1, 3, 1),
        (1, 1, 1, 1, 3),
    }


def test_only_where_no_single_cut_suffices_are_two_dims_cut():
    # 1 / n + 1 with all of the weights or of the inputs there; three quarters need two cuts.
    found = cuts(SQUARE, one_pe(0.75 * 65536.0))
    assert {sum(count > 1 for count in cut) for cut in found} == {2}
    assert all(cut[0] == 1 for cut in found)
    # P and Q alone leave all weights there; K and C leave the sums four bytes, in blocks of 64.
    assert {tuple(count > 1 for count in cut[1:]) for cut in found} == {
        (True, False, True, False),
        (True, False, False, True),
        (False, True, True, False),
        (False, True, False, True),
    }


def test_a_deep_layer_on_one_small_pe_is_cut_along_three_dims():
    layer = Layer(name="deep", k=512, c=1024, p=28, q=28, r=3, s=3)
    found = cuts(layer, one_pe(40_000.0))
    assert {sum(count > 1 for count in cut) for cut in found} == {3}


def test_two_cut_dims_go_through_the_five_orders_of_dram():
    orders = {(row.dram_order) for row in members(SQUARE, one_pe(0.75 * 65536.0))}
    assert orders == set(DramOrder)


@pytest.mark.parametrize("output_stationary", [0, 1])
def test_less_memory_takes_more_tiles(output_stationary):
    layer = Layer(name="rows", k=64, c=64, p=60, q=60, r=3, s=3)
    chosen = []
    for kilobytes in (384, 320, 256, 224, 192):
        rows = members(layer, one_pe(1024.0 * kilobytes, register_file_bytes=32768.0))
        (tiles,) = {
            row.dram_p
            for row in rows
            if row.dram_k * row.dram_c * row.dram_q == 1
            and row.output_stationary == output_stationary
        }
        chosen.append(tiles)
    assert chosen == sorted(chosen)
    assert chosen[0] < chosen[-1]


def test_memory_taken_by_activations_is_not_there_for_tiles():
    hw = one_pe(3 * 65536.0)
    assert members(SQUARE, hw, ResidencyRow(1.0, 1.0, 1.0)) != members(SQUARE, hw)
    assert not members(SQUARE, hw, ResidencyRow(1.0, 1.0, hw.local_memory_bytes))


# Costs


def test_the_cost_of_a_member_by_hand():
    # 8 outputs of 4 products on one unit of a 4-way dot: 8 steps.
    hw = one_pe(4096.0)._replace(
        simd_units=1.0,
        io_bytes_per_cycle=1.0,
        local_memory_bytes_per_cycle=1.0,
        mac_pj=1.0,
        register_file_read_pj_per_byte=0.0,
        register_file_write_pj_per_byte=10.0,
        local_memory_read_pj_per_byte=100.0,
        local_memory_write_pj_per_byte=1000.0,
        dram_read_pj_per_byte=1e4,
        dram_write_pj_per_byte=1e5,
        leakage_pj_per_cycle=1e6,
    )
    layer = Layer(name="dense", k=8, c=4)
    (row,) = members(layer, hw)
    cost = evaluated_cost(layer, hw, FREE, row)
    assert cost.compute_cycles == 8
    # Reads: 32 weights and, for each output again, 4 inputs; writes: 32, 4 and 8 outputs.
    assert cost.local_memory_cycles == (32 + 32) + (32 + 4 + 8)
    assert cost.io_cycles == 32 + 4 + 8
    assert cost.cycles == 108
    assert cost.mac_pj == 32
    assert cost.register_file_pj == 10 * (32 + 4 * 8)  # weights, and a 32-bit sum for each output
    assert cost.local_memory_pj == 100 * 64 + 1000 * 44
    assert cost.dram_pj == 1e4 * 36 + 1e5 * 8
    assert cost.leakage_pj == 108e6
    # On chip, an input is read and an output written where it rests, in place of DRAM.
    stay = evaluated_cost(layer, hw, ResidencyRow(1.0, 1.0, 0.0), row)
    assert stay.dram_pj == 1e4 * 32
    assert stay.local_memory_pj == cost.local_memory_pj + 100 * 4 + 1000 * 8
    assert stay.io_cycles == 32
