"""The general mapper beside a plain enumeration of its whole space."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations, product
from math import ceil, prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nahas.dataflow import dataflow_of
from nahas.errors import MappingError
from nahas.layers import Layer
from nahas.mapper import assignments, bound_cycles, map_layer
from nahas.mapping import Loop, Mapping, evaluate, extent_of
from nahas.templates import ALL, Accelerator, Axis, Memory, accelerator_from
from nahas.vocabulary import Access, Dataflow, Dim, LayerKind, Level, Objective, Slot, Tensor

ORDERS = ("NGKCRSPQ", "NGKPQCRS", "NGCRSPQK", "NGKCRSQP", "NGCRSQPK")
SPREAD = tuple(dim for dim in Dim if dim is not Dim.N)


def parts(blocks):
    """Every part that a balanced split of so many blocks has, and the number of parts."""
    return sorted({ceil(blocks / number) for number in range(1, blocks + 1)})


def tile_counts(blocks):
    return sorted({ceil(blocks / part) for part in parts(blocks)})


def member(extent, fan, tiles, held):
    """Loop counts of a dim, or None: the rules of docs/templates.md 2 in plain Python."""
    wide = ceil(extent / ceil(extent / fan[2]))
    blocks = ceil(extent / wide)
    tile = ceil(blocks / tiles)
    pes = min(fan[0], tile)
    lanes = min(fan[1], ceil(tile / pes))
    work = ceil(tile / (pes * lanes))
    if held not in parts(work):
        return None
    local = ceil(work / held)
    lanes = min(lanes, ceil(tile / (pes * local * held)))
    local = ceil(ceil(tile / pes) / (lanes * held))
    reach = lanes * local * held
    pes = ceil(tile / reach)
    dram = ceil(blocks / (pes * reach))
    last = min(blocks - (dram - 1) * pes * reach, reach)
    if dram != tiles or (local > 1 and ceil(last / (lanes * held)) == 1):
        return None
    return (dram, pes, local, lanes, held, wide)


STAYING = {Dataflow.WEIGHT: (0, 3), Dataflow.OUTPUT: (1,), Dataflow.INPUT: (2, 4)}


def is_row(loops):
    """Whether rows of the window and of the output are spread over arrays together."""
    arrays = (Slot.PE_ARRAY, Slot.LANE_ARRAY)
    spread = {loop.dim for loop in loops if loop.slot in arrays and loop.count > 1}
    return {Dim.R, Dim.P} <= spread


def keeps(accelerator):
    """What a mapping may keep, by level: each set that may_bypass leaves."""
    options = [
        [frozenset(memory.keeps - set(less)) for n in range(4) for less in combinations(may, n)]
        for memory in accelerator.memories
        for may in [sorted(memory.may_bypass)]
    ]
    return [Mapping((), kept).keep for kept in product(*options)]


def members(layer, accelerator, dataflow=Dataflow.ANY):
    """Every mapping of a region, as loops and what is kept."""
    orders = [ORDERS[i] for i in STAYING.get(dataflow, range(5))]
    for keep in keeps(accelerator):
        for loops in nests(layer, accelerator, keep, orders):
            if dataflow is Dataflow.ANY or is_row(loops) == (dataflow is Dataflow.ROW):
                yield Mapping(loops, keep)


def nests(layer, accelerator, keep, local_orders):
    """Every loop nest of the space."""
    extents = {dim: extent_of(layer, dim) for dim in Dim}
    holds_more = keep[2] & {Tensor.INPUTS, Tensor.OUTPUTS}
    for fan in assignments(layer, accelerator):
        choices = []
        for dim in Dim:
            extent, room = extents[dim], tuple(int(count) for count in fan[:, dim])
            blocks = ceil(extent / room[2])
            tiles = tile_counts(blocks) if dim in (Dim.G, Dim.K, Dim.C, Dim.P) else [1]
            tiles = [extent] if dim is Dim.N else tiles
            free = dim in (Dim.K, Dim.C, Dim.R, Dim.S) or (dim is Dim.Q and holds_more)
            held = range(1, extent + 1) if free else [1]
            found = {member(extent, room, t, h) for t in tiles for h in held}
            if dim in (Dim.R, Dim.S):
                found = {c for c in found if c and (c[4] == 1 or c[2] == 1)}
            choices.append([counts for counts in found if counts])
        for counts in product(*choices):
            rows, columns = counts[Dim.R], counts[Dim.S]
            if rows[4] > 1 and columns[2] > 1:
                continue  # a row of the window before more rows
            for orders in product(ORDERS[:3], local_orders):
                yield tuple(
                    Loop(slot, Dim[name], counts[Dim[name]][slot])
                    for slot in Slot
                    for name in orders[0 if slot is Slot.DRAM else 1]
                )


def cost(layer, accelerator, mapping):
    """Cycles and energy of one mapping, or None where it does not fit."""
    counts = evaluate(layer, mapping, accelerator.template)
    widths = np.array(
        [accelerator.weight_bits, accelerator.activation_bits, accelerator.partial_sum_bits]
    )
    energy, cycles = accelerator.mac_pj * layer.macs, counts.compute_cycles
    for level, memory in zip(Level, accelerator.memories, strict=True):
        kept = mapping.keep[level]
        held = sum(counts.tile_words[level, tensor] * widths[tensor] / 8 for tensor in kept)
        if level is not Level.DRAM and held > memory.capacity_bytes:
            return None
        for tensor, limit in memory.tensor_bytes.items():
            if tensor in kept and counts.tile_words[level, tensor] * widths[tensor] / 8 > limit:
                return None
        word = widths / 8
        if level is Level.DRAM and not counts.of(level, Tensor.OUTPUTS, Access.READS):
            word = np.array([*word[:2], accelerator.activation_bits / 8])
        moved = counts.counts[level] * word[:, None]
        energy += moved[:, 0].sum() * memory.read_pj_per_byte
        energy += moved[:, 1:].sum() * memory.write_pj_per_byte
        instances = int(counts.instances[level])
        cycles = max(cycles, ceil(moved.sum() / instances / memory.bytes_per_cycle - 1e-9))
    return cycles, energy


def enumerated(layer, accelerator, objective, dataflow=Dataflow.ANY):
    """The least objective of a region, or None where nothing fits; and how many it has."""
    found = [cost(layer, accelerator, each) for each in members(layer, accelerator, dataflow)]
    ranks = {
        Objective.LATENCY: lambda c: (c[0], c[1]),
        Objective.ENERGY: lambda c: (c[1], c[0]),
        Objective.EDP: lambda c: (c[0] * c[1], c[0]),
    }
    return min((ranks[objective](each) for each in found if each), default=None), len(found)


def small(keeps, local, registers, axes, may_bypass=(frozenset(), frozenset()), **more):
    return Accelerator(
        name="small",
        memories=(
            Memory(bytes_per_cycle=2.0, read_pj_per_byte=50, write_pj_per_byte=60),
            Memory(
                keeps=keeps[0],
                may_bypass=may_bypass[0],
                capacity_bytes=local,
                bytes_per_cycle=6.0,
                read_pj_per_byte=3,
                write_pj_per_byte=3.5,
            ),
            Memory(
                keeps=keeps[1],
                may_bypass=may_bypass[1],
                capacity_bytes=registers,
                read_pj_per_byte=0.5,
                write_pj_per_byte=0.6,
            ),
        ),
        axes=axes,
        mac_pj=0.3,
        **more,
    )


W, I, O = (frozenset({tensor}) for tensor in Tensor)  # noqa: E741  # the textbook's names
SLOTS = st.sampled_from([Slot.PE_ARRAY, Slot.LANE_ARRAY, Slot.DATAPATH])
AXES = st.builds(
    Axis,
    name=st.just("axis"),
    slot=SLOTS,
    size=st.integers(2, 5),
    dims=st.lists(st.sampled_from(SPREAD), min_size=1, max_size=2, unique=True).map(tuple),
    folds=st.sampled_from([(), (Dim.K, Dim.C)]),
)


DATAFLOWS = st.sampled_from([Dataflow.ANY, Dataflow.ANY, *Dataflow])


@st.composite
def cases(draw):
    kept = draw(st.sampled_from([ALL, W | I])), draw(st.sampled_from([ALL, W, O, W | O]))
    may_bypass = st.sampled_from([frozenset(), W, I, O])
    accelerator = small(
        kept,
        draw(st.integers(20, 200)),
        draw(st.integers(4, 40)),
        tuple(draw(st.lists(AXES, min_size=1, max_size=2))),
        may_bypass=(kept[0] & draw(may_bypass), kept[1] & draw(may_bypass)),
        partial_sum_bits=draw(st.sampled_from([8, 16])),
        exact_multicast=draw(st.booleans()),
    )
    dims = {name: draw(st.integers(1, 4)) for name in ("k", "c")}
    dims |= {name: draw(st.integers(1, 3)) for name in ("p", "q", "r", "s")}
    small_only = {"n": draw(st.integers(1, 2)), "g": draw(st.integers(1, 2))}
    strides = {name: draw(st.integers(1, 2)) for name in ("stride_p", "stride_q", "dilation_r")}
    layer = Layer(name="drawn", **dims, **small_only, **strides)
    objective, dataflow = draw(st.sampled_from(list(Objective))), draw(DATAFLOWS)
    return layer, accelerator, objective, dataflow


@settings(max_examples=20)
@given(cases())
def test_the_search_finds_what_enumerating_its_whole_space_finds(case):
    layer, accelerator, objective, dataflow = case
    best, count = enumerated(layer, accelerator, objective, dataflow)
    if best is None:
        with pytest.raises(MappingError, match="not even the smallest tiles"):
            map_layer(layer, accelerator, objective, dataflow)
        return
    found = map_layer(layer, accelerator, objective, dataflow)
    ranks = {
        Objective.LATENCY: (found.cycles, found.energy_pj),
        Objective.ENERGY: (found.energy_pj, found.cycles),
        Objective.EDP: (found.cycles * found.energy_pj, found.cycles),
    }
    assert ranks[objective][0] == pytest.approx(best[0], rel=1e-12)
    found.mapping.check(layer)
    assert found.members == count
    assert found.mapping.keep in keeps(accelerator)
    for level, memory in zip(Level, accelerator.memories, strict=True):
        led_past = frozenset(found.bypassed.get(level, ()))
        assert memory.keeps - led_past == found.mapping.keep[level]
    assert found.dataflow is (dataflow or dataflow_of(found.mapping, layer))
    assert dataflow is Dataflow.ANY or is_row(found.mapping.loops) == (dataflow is Dataflow.ROW)
    assert cost(layer, accelerator, found.mapping) == pytest.approx((found.cycles, found.energy_pj))
    if objective is Objective.LATENCY:
        assert found.energy_pj == pytest.approx(best[1], rel=1e-12)


@pytest.mark.parametrize("name", ["eyeriss", "systolic", "nvdla"])
def test_built_in_templates_map_a_layer_within_its_bound(name):
    layer = Layer(name="conv", k=32, c=16, p=14, q=14, r=3, s=3)
    accelerator = accelerator_from(name)
    found = map_layer(layer, accelerator)
    assert found.cycles >= bound_cycles(layer, accelerator)
    assert prod(loop.count for loop in found.mapping.loops if loop.is_spatial) > 1


def test_rows_of_a_window_go_down_the_columns_of_eyeriss():
    layer = Layer(name="conv", k=16, c=4, p=14, q=14, r=3, s=3)
    found = map_layer(layer, accelerator_from("eyeriss"))
    spread = {loop.dim: loop.count for loop in found.mapping.loops if loop.is_spatial}
    assert spread[Dim.R] == 3
    assert spread[Dim.P] == 14


def test_every_dataflow_of_eyeriss_is_found_and_none_is_better_than_the_best():
    layer = Layer(name="conv", k=8, c=4, p=7, q=7, r=3, s=3)
    eyeriss = accelerator_from("eyeriss")
    best = map_layer(layer, eyeriss)
    each = {flow: map_layer(layer, eyeriss, dataflow=flow) for flow in Dataflow if flow}
    assert min((m.cycles, m.energy_pj) for m in each.values()) == (best.cycles, best.energy_pj)
    assert {flow: found.dataflow for flow, found in each.items()} == {flow: flow for flow in each}
    assert best.dataflow is Dataflow.ROW
    assert sum(found.members for found in each.values()) < 2 * best.members


def test_a_layer_without_a_window_has_no_row_stationary_mapping():
    layer = Layer(name="pointwise", k=8, c=4, p=7, q=7)
    with pytest.raises(MappingError, match="no mapping of dataflow 'row'"):
        map_layer(layer, accelerator_from("eyeriss"), dataflow=Dataflow.ROW)


def test_a_tensor_bypasses_a_level_where_that_saves_energy():
    layer = Layer(name="dense", k=16, c=16)
    axes = (Axis(name="cells", slot=Slot.LANE_ARRAY, size=4, dims=(Dim.K,)),)
    fixed, free = (small((ALL, ALL), 400, 40, axes, may_bypass=(less, W)) for less in (W - W, W))
    energy = Objective.ENERGY
    kept, led = map_layer(layer, fixed, energy), map_layer(layer, free, energy)
    assert led.energy_pj < kept.energy_pj
    assert led.bypassed[Level.LOCAL_MEMORY] == (Tensor.WEIGHTS,)
    assert led.document()["bypassed"]["LOCAL_MEMORY"] == ["weights"]
    assert led.members > kept.members


def test_narrower_words_take_less_energy_and_no_more_cycles():
    layer = Layer(name="conv", k=16, c=16, p=7, q=7)
    int8 = accelerator_from("systolic")
    int4 = replace(int8, weight_bits=4, activation_bits=4)
    wide, narrow = map_layer(layer, int8), map_layer(layer, int4)
    assert narrow.energy_pj < wide.energy_pj
    assert narrow.cycles <= wide.cycles


def test_a_layer_of_the_vector_path_is_refused():
    with pytest.raises(MappingError, match="vector path"):
        map_layer(Layer(name="pool", kind=LayerKind.POOL, g=8), accelerator_from("nvdla"))
