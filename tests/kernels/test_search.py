"""The mapper against its slow twin: every candidate, evaluated loop by loop."""

from math import ceil

import numba
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from nahas.edge_mapping import edge_mapping
from nahas.energy import access_energies
from nahas.hardware import Hardware
from nahas.kernels.edge import cost, count
from nahas.kernels.menu import MOST_ASSIGNMENTS, assignments
from nahas.kernels.records import (
    CostRow,
    CountsRow,
    HardwareRow,
    LayerRow,
    MappingRow,
    ResidencyRow,
)
from nahas.kernels.search import rank
from nahas.kernels.solve import mapping_row, solve, solve_pairs
from nahas.kernels.tilings import Wish, blocks_of, split, whole
from nahas.layers import Layer
from nahas.mapping import evaluate
from nahas.mapspace import candidates, evaluated_cost, evaluated_counts, placements
from nahas.sequence import hardware_rows
from nahas.templates import EDGE
from nahas.vocabulary import Level, Objective, Reason, Tensor

FREE = ResidencyRow(0.0, 0.0, 0.0)
EXAMPLES = 40 if numba.config.DISABLE_JIT else 150
"""Plain Python goes through a mapspace in seconds; compiled kernels see all examples."""


@st.composite
def layers(draw: st.DrawFn) -> Layer:
    """Layers of every kind that the networks have, small enough to be ragged everywhere."""
    kind = draw(st.sampled_from(["dense", "pointwise", "conv", "depthwise", "grouped"]))
    channels = st.integers(1, 40)
    window = draw(st.sampled_from([1, 2, 3, 5])) if kind != "dense" else 1
    shape = {
        "p": draw(st.integers(1, 15)) if kind != "dense" else 1,
        "q": draw(st.integers(1, 15)) if kind != "dense" else 1,
        "r": window if kind != "pointwise" else 1,
        "s": draw(st.integers(1, 4)) if kind == "conv" else (1 if kind == "pointwise" else window),
        "g": draw(channels)
        if kind == "depthwise"
        else (draw(st.integers(2, 5)) if kind == "grouped" else 1),
        "k": draw(channels) if kind != "depthwise" else 1,
        "c": draw(channels) if kind != "depthwise" else 1,
    }
    steps = st.integers(1, 3)
    names = ("stride_p", "stride_q", "dilation_r", "dilation_s")
    return Layer(name=kind, **shape, **{name: draw(steps) for name in names})


@st.composite
def points(draw: st.DrawFn) -> HardwareRow:
    """Accelerators whose memories are now ample, now too small for nearly everything."""
    energies = (0.1, 0.05, 0.16, 0.37, 2.7, 2.8, 64.0, 64.0, 5.0)
    return HardwareRow(
        float(draw(st.sampled_from([1, 2, 3, 4]))),
        float(draw(st.sampled_from([1, 2, 4]))),
        float(draw(st.sampled_from([1, 2, 4]))),
        float(draw(st.sampled_from([1, 2, 4, 16]))),
        4.0,
        float(draw(st.sampled_from([64, 256, 1024, 4096, 65536]))),
        float(draw(st.sampled_from([24, 48, 128, 512, 8192]))),
        float(draw(st.sampled_from([1, 8, 128]))),
        float(draw(st.sampled_from([0.5, 4.0, 25.0]))),
        *energies,
        draw(st.sampled_from([0.5, 1.0, 2.0])),
        draw(st.sampled_from([0.5, 1.0, 2.0])),
        draw(st.sampled_from([2.0, 3.0, 4.0])),
    )


STAYS = st.builds(
    ResidencyRow,
    st.sampled_from([0.0, 1.0]),
    st.sampled_from([0.0, 1.0]),
    st.sampled_from([0.0, 20.0]),
    st.sampled_from([0.0, 1.0]),
)


def solved(
    layer: Layer, hw: HardwareRow, stay: ResidencyRow, objective: Objective
) -> tuple[CostRow, MappingRow, CountsRow]:
    scratch = (np.empty((MOST_ASSIGNMENTS, 4), np.int64), np.empty((MOST_ASSIGNMENTS, 2)))
    row, mapping, counts, _ = solve(layer.row, hw, stay, int(objective), scratch)
    return CostRow(*row), MappingRow(*mapping), CountsRow(*counts)


@given(layers(), points(), STAYS, st.sampled_from(list(Objective)))
@settings(max_examples=EXAMPLES)
def test_search_finds_the_optimum_of_the_enumerated_space(layer, hw, stay, objective):
    found, mapping, _ = solved(layer, hw, stay, objective)
    every = [evaluated_cost(layer, hw, stay, row) for row in candidates(layer.row, hw, stay)]
    if found.reason != Reason.OK:
        assert not every
        return
    best = min(rank(row.cycles, row.energy_pj, int(objective)) for row in every)
    assert rank(found.cycles, found.energy_pj, int(objective)) == pytest.approx(best, rel=1e-12)
    own = evaluated_cost(layer, hw, stay, mapping)
    assert (found.cycles, found.energy_pj) == pytest.approx((own.cycles, own.energy_pj), rel=1e-12)


@given(layers(), points())
@settings(max_examples=EXAMPLES)
def test_closed_form_counts_are_those_of_the_evaluated_loop_nest(layer, hw):
    found, mapping, counts = solved(layer, hw, FREE, Objective.LATENCY)
    if found.reason == Reason.OK:
        assert counts._asdict() == evaluated_counts(layer, mapping)._asdict()


@given(layers(), points(), STAYS)
@settings(max_examples=100)
def test_bytes_are_counted_words_times_their_widths(layer, hw, stay):
    row, mapping, _ = solved(layer, hw, stay, Objective.LATENCY)
    if row.reason != Reason.OK:
        return
    n, outputs = evaluated_counts(layer, mapping), layer.output_words
    weight, activation, partial = hw.weight_bytes, hw.activation_bytes, hw.partial_sum_bytes
    fetched, finished = activation * n.dram_input_reads, activation * outputs
    spilt, streamed = partial * n.dram_output_reads, weight * n.dram_weight_reads
    from_dram = streamed * (1 - stay.weights_on_chip) + fetched * (1 - stay.input_on_chip) + spilt
    to_dram = spilt + finished * (1 - stay.output_on_chip)
    reads = weight * n.local_weight_reads + activation * n.local_input_reads
    reads += streamed * stay.weights_on_chip
    reads += partial * n.local_output_reads + fetched * stay.input_on_chip
    writes = weight * n.local_weight_fills + activation * n.local_input_fills + finished
    writes += partial * (n.local_output_updates - outputs + n.local_output_fills)
    writes += finished * stay.output_on_chip
    assert row.io_cycles == ceil((from_dram + to_dram) / hw.io_bytes_per_cycle)
    bandwidth = n.pes * hw.local_memory_bytes_per_cycle
    assert row.local_memory_cycles == ceil((reads + writes) / bandwidth)
    assert row.dram_pj == pytest.approx(
        from_dram * hw.dram_read_pj_per_byte + to_dram * hw.dram_write_pj_per_byte
    )
    assert row.local_memory_pj == pytest.approx(
        reads * hw.local_memory_read_pj_per_byte + writes * hw.local_memory_write_pj_per_byte
    )
    sums = n.register_output_updates + n.register_output_fills
    assert row.register_file_pj == pytest.approx(
        hw.register_file_read_pj_per_byte
        * (weight * layer.macs + partial * n.register_output_reads)
        + hw.register_file_write_pj_per_byte * (weight * n.register_weight_fills + partial * sums)
    )


@given(layers(), points())
@settings(max_examples=100)
def test_tiles_fit_in_bytes_of_their_widths(layer, hw):
    found, mapping, _ = solved(layer, hw, FREE, Objective.LATENCY)
    if found.reason != Reason.OK:
        return
    tiles = evaluate(layer, edge_mapping(layer, mapping), EDGE).tile_words
    weights, inputs, outputs = Tensor
    local, registers = tiles[Level.LOCAL_MEMORY], tiles[Level.REGISTER_FILE]
    held = local[weights] * hw.weight_bytes + local[inputs] * hw.activation_bytes
    assert held + local[outputs] * hw.activation_bytes <= hw.local_memory_bytes
    held = registers[weights] * hw.weight_bytes + registers[outputs] * hw.partial_sum_bytes
    assert held <= hw.register_file_bytes


def test_narrow_words_let_a_layer_stay_whole_that_wide_ones_cut():
    layer = Layer(name="wide", k=64, c=64, p=8, q=8)
    tight = tiny(pes_x=1.0, pes_y=1.0, local_memory_bytes=10_000.0)
    cuts = {}
    for word in (0.5, 1.0, 2.0):
        hw = tight._replace(weight_bytes=word, activation_bytes=word)
        row, mapping, _ = solved(layer, hw, FREE, Objective.LATENCY)
        assert row.reason == Reason.OK
        cuts[word] = mapping.dram_g * mapping.dram_k * mapping.dram_c * mapping.dram_p
        cuts[word] *= mapping.dram_q
    assert cuts[0.5] == 1 < cuts[2.0]


@given(layers(), points(), STAYS, st.randoms(use_true_random=False))
@settings(max_examples=EXAMPLES)
def test_the_counts_of_every_member_are_those_of_its_loop_nest(layer, hw, stay, random):
    every = list(placements(layer.row, hw, stay))
    for axes, at, order in random.sample(every, min(len(every), 20)):
        row = mapping_row(layer.row, hw.pes_y, axes, at, int(order))
        counted = CountsRow(*count(layer.row, at, int(order)))
        assert counted._asdict() == evaluated_counts(layer, MappingRow(*row))._asdict()


@given(layers(), points())
@settings(max_examples=60)
def test_more_local_memory_is_never_slower_where_everything_fits(layer, hw):
    # A tile is a bounding box: with a stride above the window, smaller tiles skip the gaps.
    assume(layer.stride_p <= layer.r and layer.stride_q <= layer.s)
    ample = hw._replace(local_memory_bytes=1e9, register_file_bytes=1e9)
    tight, roomy = (solved(layer, point, FREE, Objective.LATENCY)[0] for point in (hw, ample))
    assert tight.reason != Reason.OK or roomy.cycles <= tight.cycles


@given(layers(), points(), STAYS)
@settings(max_examples=60)
def test_no_cost_is_below_the_work_and_the_traffic_that_must_be(layer, hw, stay):
    row, _, counts = solved(layer, hw, stay, Objective.LATENCY)
    if row.reason != Reason.OK:
        return
    units = hw.pes_x * hw.pes_y * hw.lanes * hw.simd_units * hw.macs_per_simd
    assert counts.macs == layer.macs
    assert row.compute_cycles * units >= layer.macs
    weights = layer.weight_words * (1 - stay.weights_on_chip)
    outputs = layer.output_words * (1 - stay.output_on_chip)
    compulsory = weights * hw.weight_bytes + outputs * hw.activation_bytes
    assert row.io_cycles * hw.io_bytes_per_cycle >= compulsory
    parts = row.mac_pj + row.register_file_pj + row.local_memory_pj + row.dram_pj + row.leakage_pj
    assert row.energy_pj == pytest.approx(parts)


@given(
    st.integers(1, 200),
    st.tuples(st.integers(1, 8), st.integers(1, 8), st.integers(1, 8)),
)
def test_whole_is_split_into_one_tile(blocks, axes):
    axes = tuple(map(float, axes))
    assert whole(float(blocks), axes) == split(float(blocks), 1.0, axes, 1.0)


def test_a_weight_matrix_larger_than_the_register_file_is_infeasible_there():
    layer = Layer(name="wide", k=64, c=64)
    row, _, _ = solved(layer, tiny(register_file_bytes=16.0), FREE, Objective.LATENCY)
    assert row.reason == Reason.REGISTER_FILE


def test_a_layer_whose_smallest_tile_is_larger_than_local_memory_is_infeasible_there():
    layer = Layer(name="wide", k=64, c=64)
    row, _, _ = solved(layer, tiny(local_memory_bytes=8.0), FREE, Objective.LATENCY)
    assert row.reason == Reason.LOCAL_MEMORY


def tiny(**changes: float) -> HardwareRow:
    row = hardware_rows([baseline()])[0]
    return HardwareRow(*row.tolist())._replace(**changes)


def baseline() -> Hardware:
    return Hardware(
        pes_x=4,
        pes_y=4,
        simd_units=64,
        compute_lanes=4,
        local_memory_mb=2,
        register_file_kb=32,
        io_gb_per_s=20,
    )


def test_the_energies_of_the_rows_are_those_of_the_tables():
    row = tiny()
    energies = access_energies(baseline())
    assert row.mac_pj == energies.mac_pj
    assert row.leakage_pj_per_cycle == pytest.approx(energies.leakage_mw * 1.25)
    assert row.io_bytes_per_cycle == 25.0


@given(layers(), points())
@settings(max_examples=30)
def test_every_assignment_stands_once_in_the_menu(layer, hw):
    menu = np.empty((MOST_ASSIGNMENTS, 3), np.int64)
    blocks = blocks_of(layer.row, hw)
    size = assignments(layer.row, hw, blocks, menu)
    assert 1 <= size <= MOST_ASSIGNMENTS
    assert len(np.unique(menu[:size], axis=0)) == size


def test_results_do_not_depend_on_threads_or_order():
    import numba

    rng = np.random.default_rng(3)
    rows = np.array([Layer(name="l", k=k, c=8, p=14, q=14, r=3, s=3).row for k in range(1, 65)])
    point = np.array([tiny(), tiny(local_memory_bytes=20_000.0)])
    pairs = np.stack([rng.integers(0, 64, 500), rng.integers(0, 2, 500)], axis=1)
    every = []
    for threads, order in (
        (1, slice(None)),
        (numba.config.NUMBA_NUM_THREADS, slice(None, None, -1)),
    ):
        numba.set_num_threads(threads)
        outcome = (
            np.empty((500, len(CostRow._fields))),
            np.empty((500, len(MappingRow._fields)), np.int64),
            np.empty((500, len(CountsRow._fields))),
            np.empty(500, np.int64),
        )
        stays = np.zeros((500, 4))
        solve_pairs(rows, point, np.ascontiguousarray(pairs[order]), stays, 0, outcome)
        every.append([array[order] for array in outcome])
    for one, other in zip(*every, strict=True):
        assert np.array_equal(one, other)


def test_count_and_cost_are_functions_of_the_placement_alone():
    layer = LayerRow(0, 1, 1, 8, 8, 7, 7, 1, 1, 1, 1, 1, 1, 1)
    from nahas.kernels.tilings import Axes, place

    hw = tiny()
    at = place(layer, hw, blocks_of(layer, hw), Axes(4, 4, 3), Wish(1.0, 1.0, 1.0, 1.0, 1.0, False))
    assert cost(count(layer, at, 0), hw, FREE) == cost(count(layer, at, 0), hw, FREE)
