from __future__ import annotations

from itertools import product
from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nahas.kernels import evaluate as kernels
from nahas.kernels import halo, nest
from nahas.kernels.nest import Nest
from nahas.layers import Layer
from nahas.mapping import Loop, Mapping
from nahas.vocabulary import Access, Dim, Level, Slot, Tensor
from tests.drawn import mapped_layers
from tests.oracle import walked

MORE = settings(max_examples=2 * settings.default.max_examples)
LOOPS = st.lists(st.tuples(st.sampled_from(list(Slot)), st.integers(1, 4)), min_size=1, max_size=5)


def counted(run, layer, mapping, exact=False):
    counts = np.full((3, 3, 3), -1, np.int64)
    cycles = run(
        kernels.evaluate, layer.row, mapping.loop_table(), mapping.keep_table(), exact, counts
    )
    return cycles, counts


def named(counts, others):
    """Where two tables of counts differ, in words."""
    return {
        (Level(i).name, Tensor(k).name, Access(a).name): (counts[i, k, a], others[i, k, a])
        for i, k, a in np.argwhere(counts != others)
    }


@MORE
@given(mapped_layers(), st.booleans())
def test_counts_are_what_walking_every_step_and_instance_counts(run, drawn, exact):
    layer, mapping = drawn
    walk = walked(layer, mapping, exact)
    cycles, counts = counted(run, layer, mapping, exact)
    assert cycles == walk.cycles
    assert named(counts, walk.counts) == {}


@given(mapped_layers())
def test_first_touches_are_the_outputs_that_each_instance_begins(run, drawn):
    layer, mapping = drawn
    begun = np.zeros(3, np.int64)
    run(kernels.first_touches, layer.row, mapping.loop_table(), begun)
    assert list(begun) == [len(pairs) for pairs in walked(layer, mapping).begun]


@given(mapped_layers())
def test_tile_words_are_those_of_the_first_tile(run, drawn):
    layer, mapping = drawn
    words = np.zeros((3, 3), np.int64)
    run(kernels.tile_words, layer.row, mapping.loop_table(), words)
    walk = walked(layer, mapping)
    for (level, tensor), boxes in walk.largest.items():
        assert words[level, tensor] == prod(length for _, length in boxes)


@given(mapped_layers())
def test_a_parent_never_reads_more_with_exact_multicast(run, drawn):
    layer, mapping = drawn
    _, shared = counted(run, layer, mapping, exact=False)
    _, exact = counted(run, layer, mapping, exact=True)
    assert (exact <= shared).all()
    others = [(Tensor.WEIGHTS, slice(None)), (Tensor.OUTPUTS, slice(None))]
    for tensor, access in [*others, (Tensor.INPUTS, Access.FILLS)]:
        assert (exact[:, tensor, access] == shared[:, tensor, access]).all()


HALO = Layer(name="halo", p=8, r=3)
ROWS_OVER_LANES = Mapping(
    (Loop(Slot.LANE_ARRAY, Dim.P, 4), Loop(Slot.REGISTER_FILE, Dim.P, 2), Loop(4, Dim.R, 3))
)


def test_overlapping_halos_are_read_once_only_with_exact_multicast(run):
    place = Level.LOCAL_MEMORY, Tensor.INPUTS, Access.READS
    _, shared = counted(run, HALO, ROWS_OVER_LANES)
    _, exact = counted(run, HALO, ROWS_OVER_LANES, exact=True)
    assert shared[place] == 4 * 4
    assert exact[place] == 10


def test_instances_on_a_diagonal_of_p_and_r_share_a_read(run):
    layer = Layer(name="row stationary", p=3, r=3)
    mapping = Mapping((Loop(Slot.LANE_ARRAY, Dim.P, 3), Loop(Slot.LANE_ARRAY, Dim.R, 3)))
    _, counts = counted(run, layer, mapping)
    assert counts[Level.REGISTER_FILE, Tensor.INPUTS, Access.FILLS] == 9
    assert counts[Level.LOCAL_MEMORY, Tensor.INPUTS, Access.READS] == 5


def test_a_sliding_window_fetches_only_the_new_rows(run):
    mapping = Mapping((Loop(Slot.LOCAL_MEMORY, Dim.P, 8), Loop(Slot.REGISTER_FILE, Dim.R, 3)))
    _, counts = counted(run, HALO, mapping)
    assert counts[Level.REGISTER_FILE, Tensor.INPUTS, Access.FILLS] == 3 + 7


def test_a_window_that_moves_back_fetches_everything(run):
    layer = Layer(name="two channels", k=2, p=8, r=3)
    loops = (Loop(Slot.LOCAL_MEMORY, Dim.K, 2), Loop(Slot.LOCAL_MEMORY, Dim.P, 8))
    mapping = Mapping((*loops, Loop(Slot.REGISTER_FILE, Dim.R, 3)))
    _, counts = counted(run, layer, mapping)
    assert counts[Level.REGISTER_FILE, Tensor.INPUTS, Access.FILLS] == 2 * (3 + 7)


def test_what_lies_beyond_a_dim_is_not_charged(run):
    layer = Layer(name="ragged", k=5)
    mapping = Mapping((Loop(Slot.LOCAL_MEMORY, Dim.K, 3), Loop(Slot.LANE_ARRAY, Dim.K, 2)))
    cycles, counts = counted(run, layer, mapping)
    assert cycles == 3
    assert counts[Level.DRAM, Tensor.WEIGHTS, Access.READS] == 5
    assert counts[Level.REGISTER_FILE, Tensor.WEIGHTS, Access.FILLS] == 5
    # The one input word is multicast to both lanes, once: it stays for all three steps.
    assert counts[Level.REGISTER_FILE, Tensor.INPUTS, Access.FILLS] == 2
    assert counts[Level.REGISTER_FILE, Tensor.INPUTS, Access.READS] == 5


def test_instances_that_never_work_touch_no_output(run):
    layer = Layer(name="five channels on eight", c=5)
    mapping = Mapping((Loop(Slot.LANE_ARRAY, Dim.C, 2), Loop(Slot.LANE_ARRAY, Dim.C, 4)))
    _, counts = counted(run, layer, mapping)
    assert counts[Level.REGISTER_FILE, Tensor.OUTPUTS].tolist() == [0, 0, 5]
    assert counts[Level.LOCAL_MEMORY, Tensor.OUTPUTS].tolist() == [0, 0, 1]


def test_partial_sums_come_back_to_every_instance_of_the_reduction(run):
    layer = Layer(name="reduction", k=2, c=4)
    loops = (Loop(Slot.LOCAL_MEMORY, Dim.C, 2), Loop(Slot.LOCAL_MEMORY, Dim.K, 2))
    mapping = Mapping((*loops, Loop(Slot.LANE_ARRAY, Dim.C, 2)))
    _, counts = counted(run, layer, mapping)
    # Two outputs visit twice; the second visit refills both lanes from one read.
    assert counts[Level.REGISTER_FILE, Tensor.OUTPUTS, Access.FILLS] == 2 * 2
    assert counts[Level.LOCAL_MEMORY, Tensor.OUTPUTS, Access.READS] == 2
    assert counts[Level.LOCAL_MEMORY, Tensor.OUTPUTS, Access.UPDATES] == 2 * 2


def nest_of_one_dim(drawn):
    loops = np.array([(slot, Dim.P, count) for slot, count in sorted(drawn)], np.int64)
    return kernels.nest_of(loops)


def coordinates(one: Nest, freed: list[int]) -> list[int]:
    ranges = [range(one.trips[i]) if i in freed else (0,) for i in range(one.dim.size)]
    return [sum(i * s for i, s in zip(at, one.step, strict=True)) for at in product(*ranges)]


@given(LOOPS, st.integers(0, 40), st.data())
def test_points_counts_the_vectors_below_a_limit(run, drawn, extent, data):
    one = nest_of_one_dim(drawn)
    ends = [data.draw(st.integers(0, one.dim.size)) for _ in range(3)]
    outer, spread, inner = ends
    freed = [
        i for i in range(one.dim.size) if i >= inner or i < (spread if one.slot[i] % 2 else outer)
    ]
    below = [at for at in coordinates(one, freed) if at < extent]
    assert run(nest.points, one, Dim.P, extent, *ends) == len(below)
    assert run(nest.points, one, Dim.Q, extent, *ends) == min(extent, 1)


@given(LOOPS)
def test_positions_are_the_offsets_of_the_spatial_loops_in_order(run, drawn):
    one = nest_of_one_dim(drawn)
    spatial = [i for i in range(one.dim.size) if one.slot[i] % 2]
    out = np.empty(run(nest.fan_out, one, Dim.P, 0, one.dim.size), np.int64)
    assert run(nest.positions, one, Dim.P, one.dim.size, 0, out) == out.size
    assert out.tolist() == coordinates(one, spatial) == sorted(out.tolist())


@given(LOOPS, st.integers(1, 40))
def test_last_position_is_the_furthest_executed_step(run, drawn, room):
    one = nest_of_one_dim(drawn)
    temporal = [i for i in range(one.dim.size) if one.slot[i] % 2 == 0]
    furthest = max(at for at in coordinates(one, temporal) if at < room)
    assert run(nest.last_position, one, Dim.P, room, 0, one.dim.size) == furthest


@given(LOOPS, st.sampled_from(list(Level)))
def test_loops_above_a_level_are_those_of_earlier_slots(run, drawn, level):
    one = nest_of_one_dim(drawn)
    above = [slot for slot in one.slot if slot < 2 * level]
    assert run(nest.loops_above, one.slot, level) == len(above)


def test_fan_out_takes_one_dim_or_any(run):
    table = [(1, Dim.K, 2), (2, Dim.K, 5), (3, Dim.C, 3), (5, Dim.K, 7)]
    one = kernels.nest_of(np.array(table, np.int64))
    assert run(nest.fan_out, one, Dim.K, 0, 4) == 2 * 7
    assert run(nest.fan_out, one, Dim.K, 0, 3) == 2
    assert run(nest.fan_out, one, nest.ANY, 0, 4) == 2 * 3 * 7


def test_the_parent_is_the_next_level_that_stores_the_tensor(run):
    keep = np.array([[1, 1, 1], [0, 1, 1], [1, 1, 0]], np.bool_)
    inside = int(Level.REGISTER_FILE)  # the oldest Numba that we support indexes by int alone
    weights, inputs, outputs = map(int, (Tensor.WEIGHTS, Tensor.INPUTS, Tensor.OUTPUTS))
    assert run(kernels.parent_of, keep, inside, weights) == Level.DRAM
    assert run(kernels.parent_of, keep, inside, inputs) == Level.LOCAL_MEMORY
    assert run(kernels.innermost, keep, outputs) == Level.LOCAL_MEMORY
    assert run(kernels.innermost, keep, weights) == Level.REGISTER_FILE


@pytest.mark.parametrize(
    ("asked", "mark"),
    [
        ((4, 3, 0, 0), halo.WHOLE),
        ((4, 3, 4, 3), halo.STILL),
        ((4, 3, 3, 3), halo.SLID),
        ((4, 3, 4, 2), halo.SLID),
        ((4, 3, 1, 3), halo.WHOLE),
        ((4, 3, 5, 3), halo.WHOLE),
    ],
    ids=["empty before", "same", "overlapping", "longer", "touching", "backward"],
)
def test_how_a_tile_follows_the_one_before(run, asked, mark):
    assert run(halo.mark_of, asked) == mark


@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=4, unique=True),
    st.lists(st.integers(0, 9), min_size=1, max_size=4, unique=True),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
)
def test_distinct_rows_counts_every_row_once(run, a, b, scales):
    a, b = np.array(sorted(a), np.int64), np.array(sorted(b), np.int64)
    rows = {scales[0] * i + scales[1] * k for i in a for k in b}
    assert run(halo.distinct_rows, a, b, scales) == len(rows)
