from __future__ import annotations

from math import inf

import numpy as np
import pytest
from hypothesis import given

from nahas.errors import MappingError
from nahas.layers import Layer
from nahas.mapping import (
    Loop,
    Mapping,
    access_energy_pj,
    bandwidth_cycles,
    evaluate,
    last_counts,
)
from nahas.templates import ALL, EDGE, REFERENCE, Template
from nahas.vocabulary import Access, Dim, LayerKind, Level, Slot, Tensor
from tests.drawn import mapped_layers
from tests.oracle import walked

LAYER = Layer(name="conv", k=4, c=2, p=6)
LOOPS = (
    Loop(Slot.DRAM, Dim.K, 2),
    Loop(Slot.LOCAL_MEMORY, Dim.P, 3),
    Loop(Slot.LANE_ARRAY, Dim.K, 2),
    Loop(Slot.REGISTER_FILE, Dim.P, 2),
    Loop(Slot.DATAPATH, Dim.C, 2),
)
MAPPING = Mapping(LOOPS)
NO_LIMIT = np.full((3, 3), inf)
EXACT = Template(name="exact", exact_multicast=True)


def test_a_loop_runs_at_least_once():
    with pytest.raises(MappingError, match="loop over K in DRAM has count 0"):
        Loop(Slot.DRAM, Dim.K, 0)


def test_loops_stand_in_the_order_of_the_slots():
    with pytest.raises(MappingError, match="P3 in LOCAL_MEMORY stands inside K2 in LANE_ARRAY"):
        Mapping((LOOPS[2], LOOPS[1]))


@pytest.mark.parametrize("keep", [(ALL, ALL), (frozenset(), ALL, ALL)], ids=["two", "no dram"])
def test_dram_stores_every_tensor(keep):
    with pytest.raises(MappingError, match="one set of tensors per level"):
        Mapping(LOOPS, keep)


def test_a_dim_must_be_covered():
    with pytest.raises(MappingError, match="'conv': the loops over P cover 3 of 6"):
        evaluate(LAYER, Mapping((*LOOPS[:3], LOOPS[4])))


def test_a_dim_without_loops_must_be_one():
    with pytest.raises(MappingError, match="loops over C cover 1 of 2"):
        evaluate(LAYER, Mapping(LOOPS[:4]))


def test_no_step_of_a_loop_is_all_padding():
    loops = (Loop(Slot.DRAM, Dim.K, 3), *LOOPS[1:])
    with pytest.raises(MappingError, match="K3 in DRAM starts at 4, but K ends at 4: use a count"):
        evaluate(LAYER, Mapping(loops))


def test_a_count_may_overshoot_its_dim():
    loops = (Loop(Slot.DRAM, Dim.P, 2), Loop(Slot.REGISTER_FILE, Dim.P, 4))
    assert evaluate(Layer(name="ragged", p=5), Mapping(loops)).compute_cycles == 5


def test_the_vector_path_has_no_mapping():
    layer = Layer(name="pool1", kind=LayerKind.POOL, g=2)
    with pytest.raises(MappingError, match="'pool1' is a pool, which runs on the vector path"):
        evaluate(layer, Mapping(()))


@pytest.mark.parametrize(
    "sizes", [{"p": 2**20 + 1}, {"k": 2**20, "c": 2**20, "p": 64}], ids=["a dim", "all of it"]
)
def test_a_layer_too_large_to_count_exactly_is_refused(sizes):
    with pytest.raises(MappingError, match="too large to count exactly"):
        evaluate(Layer(name="huge", **sizes), Mapping(()))


def test_steps_multiply_what_is_inside():
    assert MAPPING.steps() == (2, 2, 1, 1, 1)


def test_one_line_names_slots_and_counts():
    line = "DRAM K2 | LOCAL_MEMORY P3 | LANE_ARRAY K2 | REGISTER_FILE P2 | DATAPATH C2"
    assert str(MAPPING) == line


def test_one_line_names_what_passes_a_level_by():
    keep = (ALL, frozenset(), frozenset({Tensor.OUTPUTS, Tensor.WEIGHTS}))
    line = str(Mapping((Loop(Slot.DRAM, Dim.N, 1),), keep))
    assert line == "LOCAL_MEMORY stores nothing | REGISTER_FILE stores weights outputs"


def test_one_line_of_nothing():
    assert str(Mapping(())) == "one step"


def test_the_drawing_shows_levels_and_loops_one_inside_the_other():
    keep = (ALL, frozenset({Tensor.INPUTS}), frozenset())
    loops = (Loop(Slot.DRAM, Dim.K, 2), Loop(Slot.DRAM, Dim.N, 1), LOOPS[2], LOOPS[4])
    assert Mapping(loops, keep).drawing().splitlines() == [
        "DRAM stores weights inputs outputs",
        "  for k in 0..1",
        "    LOCAL_MEMORY stores inputs",
        "      parallel for k in 0..1 over LANE_ARRAY",
        "        REGISTER_FILE stores nothing",
        "          parallel for c in 0..1 over DATAPATH",
        "            multiply-accumulate",
    ]


def test_the_drawing_marks_loops_that_end_early_at_the_edge():
    loops = (Loop(Slot.DRAM, Dim.K, 3), Loop(Slot.LANE_ARRAY, Dim.K, 2), LOOPS[4])
    drawing = Mapping(loops).drawing(Layer(name="ragged", k=5, c=2)).splitlines()
    assert drawing[1] == "  for k in 0..2"
    assert drawing[3].strip() == "parallel for k in 0..1 over LANE_ARRAY (edge: 0..0)"
    assert drawing[5].strip() == "parallel for c in 0..1 over DATAPATH"


@given(mapped_layers())
def test_evaluate_is_what_walking_counts(drawn):
    layer, mapping = drawn
    counted, walk = evaluate(layer, mapping, EXACT), walked(layer, mapping, True)
    assert (counted.counts == walk.counts).all()
    assert counted.compute_cycles == walk.cycles
    assert [len(begun) for begun in walk.begun] == counted.first_touches.tolist()


def test_what_is_counted_of_a_small_layer():
    counted = evaluate(LAYER, MAPPING)
    assert counted.compute_cycles == 2 * 3 * 2
    assert counted.instances.tolist() == [1, 1, 2]
    assert counted.of(Level.DRAM, Tensor.WEIGHTS, Access.READS) == 4 * 2
    assert counted.of(Level.DRAM, Tensor.OUTPUTS, Access.UPDATES) == 4 * 6
    assert counted.of(Level.REGISTER_FILE, Tensor.OUTPUTS, Access.UPDATES) == 4 * 6
    assert counted.tile_words[Level.REGISTER_FILE].tolist() == [2, 4, 2]


def test_energy_is_words_times_energy_per_word():
    counted = evaluate(LAYER, MAPPING)
    pj_per_word = np.zeros((3, 3))
    pj_per_word[Level.DRAM] = 100.0
    pj_per_word[Level.REGISTER_FILE, Access.UPDATES] = 0.5
    dram_words = int(counted.counts[Level.DRAM].sum())
    assert access_energy_pj(counted, pj_per_word) == 100.0 * dram_words + 0.5 * 4 * 6


def test_without_limits_computing_decides():
    assert bandwidth_cycles(evaluate(LAYER, MAPPING), NO_LIMIT) == 12


@pytest.mark.parametrize(
    ("column", "words"), [(0, 8 + 12), (1, 24), (2, 8 + 12 + 24)], ids=["read", "write", "shared"]
)
def test_a_level_that_cannot_keep_up_decides(column, words):
    limits = NO_LIMIT.copy()
    limits[Level.DRAM, column] = 0.5
    counted = evaluate(LAYER, MAPPING)
    assert counted.counts[Level.DRAM].sum(axis=0).tolist() == [8 + 12, 0, 24]
    assert bandwidth_cycles(counted, limits) == words / 0.5


def test_limits_are_per_instance():
    limits = NO_LIMIT.copy()
    counted = evaluate(LAYER, MAPPING)
    reads = counted.counts[Level.REGISTER_FILE, :, Access.READS].sum()
    limits[Level.REGISTER_FILE, 0] = reads / 2 / 24
    assert bandwidth_cycles(counted, limits) == 24


def test_a_template_is_refused_where_dram_misses_a_tensor():
    kept = (frozenset({Tensor.WEIGHTS}), REFERENCE.keep[1], REFERENCE.keep[2])
    with pytest.raises(MappingError, match="template 'odd': DRAM must store every tensor"):
        Template(name="odd", keep=kept)


def test_inputs_of_the_edge_template_pass_the_register_file_by():
    assert Tensor.INPUTS not in EDGE.keep[Level.REGISTER_FILE]


def test_ragged_loops_have_fewer_steps_at_the_edge():
    layer = Layer(name="ragged", k=7, c=2, p=5)
    nest = Mapping(
        (
            Loop(Slot.DRAM, Dim.K, 2),
            Loop(Slot.LOCAL_MEMORY, Dim.P, 3),
            Loop(Slot.LANE_ARRAY, Dim.K, 4),
            Loop(Slot.REGISTER_FILE, Dim.P, 2),
            Loop(Slot.DATAPATH, Dim.C, 2),
        )
    )
    # The last k is 6 = 1 * 4 + 2, the last p is 4 = 2 * 2 + 0.
    assert last_counts(layer, nest) == (2, 3, 3, 1, 2)
    drawn = nest.drawing(layer)
    assert "for k in 0..3 over LANE_ARRAY (edge: 0..2)" in drawn
    assert "for p in 0..1 (edge: 0..0)" in drawn
    assert drawn.count("edge") == 2
    assert "edge" not in nest.drawing()
