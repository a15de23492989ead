"""The general mapper beside a plain enumeration of its whole space."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from math import ceil, prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nahas.errors import MappingError
from nahas.layers import Layer
from nahas.mapper import assignments, bound_cycles, map_layer
from nahas.mapping import Loop, Mapping, evaluate, extent_of
from nahas.templates import ALL, Accelerator, Axis, Memory, accelerator_from
from nahas.vocabulary import Access, Dim, LayerKind, Level, Objective, Slot, Tensor

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


def members(layer, accelerator):
    """Every mapping of the space, as loops."""
    extents = {dim: extent_of(layer, dim) for dim in Dim}
    holds_more = accelerator.memories[2].keeps & {Tensor.INPUTS, Tensor.OUTPUTS}
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
            for orders in product(ORDERS[:3], ORDERS):
                yield tuple(
                    Loop(slot, Dim[name], counts[Dim[name]][slot])
                    for slot in Slot
                    for name in orders[0 if slot is Slot.DRAM else 1]
                )


def cost(layer, accelerator, loops):
    """Cycles and energy of one mapping, or None where it does not fit."""
    counts = evaluate(layer, Mapping(loops, accelerator.template.keep), accelerator.template)
    widths = np.array(
        [accelerator.weight_bits, accelerator.activation_bits, accelerator.partial_sum_bits]
    )
    energy, cycles = accelerator.mac_pj * layer.macs, counts.compute_cycles
    for level, memory in zip(Level, accelerator.memories, strict=True):
        held = sum(counts.tile_words[level, tensor] * widths[tensor] / 8 for tensor in memory.keeps)
        if level is not Level.DRAM and held > memory.capacity_bytes:
            return None
        for tensor, limit in memory.tensor_bytes.items():
            if counts.tile_words[level, tensor] * widths[tensor] / 8 > limit:
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


def enumerated(layer, accelerator, objective):
    """The least objective of the whole space, or None where nothing fits."""
    found = (cost(layer, accelerator, loops) for loops in members(layer, accelerator))
    ranks = {
        Objective.LATENCY: lambda c: (c[0], c[1]),
        Objective.ENERGY: lambda c: (c[1], c[0]),
        Objective.EDP: lambda c: (c[0] * c[1], c[0]),
    }
    return min((ranks[objective](each) for each in found if each), default=None)


def small(keeps, local, registers, axes, **more):
    return Accelerator(
        name="small",
        memories=(
            Memory(bytes_per_cycle=2.0, read_pj_per_byte=50, write_pj_per_byte=60),
            Memory(
                keeps=keeps[0],
                capacity_bytes=local,
                bytes_per_cycle=6.0,
                read_pj_per_byte=3,
                write_pj_per_byte=3.5,
            ),
            Memory(
                keeps=keeps[1],
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


@st.composite
def cases(draw):
    accelerator = small(
        (draw(st.sampled_from([ALL, W | I])), draw(st.sampled_from([ALL, W, O, W | O]))),
        draw(st.integers(20, 200)),
        draw(st.integers(4, 40)),
        tuple(draw(st.lists(AXES, min_size=1, max_size=2))),
        partial_sum_bits=draw(st.sampled_from([8, 16])),
        exact_multicast=draw(st.booleans()),
    )
    dims = {name: draw(st.integers(1, 4)) for name in ("k", "c", "p", "q")}
    dims |= {name: draw(st.integers(1, 3)) for name in ("r", "s")}
    small_only = {"n": draw(st.integers(1, 2)), "g": draw(st.integers(1, 2))}
    strides = {name: draw(st.integers(1, 2)) for name in ("stride_p", "stride_q", "dilation_r")}
    layer = Layer(name="drawn", **dims, **small_only, **strides)
    return layer, accelerator, draw(st.sampled_from(list(Objective)))


@settings(max_examples=20)
@given(cases())
def test_the_search_finds_what_enumerating_its_whole_space_finds(case):
    layer, accelerator, objective = case
    best = enumerated(layer, accelerator, objective)
    if best is None:
        with pytest.raises(MappingError, match="not even the smallest tiles"):
            map_layer(layer, accelerator, objective)
        return
    found = map_layer(layer, accelerator, objective)
    ranks = {
        Objective.LATENCY: (found.cycles, found.energy_pj),
        Objective.ENERGY: (found.energy_pj, found.cycles),
        Objective.EDP: (found.cycles * found.energy_pj, found.cycles),
    }
    assert ranks[objective][0] == pytest.approx(best[0], rel=1e-12)
    found.mapping.check(layer)
    assert found.members == sum(1 for _ in members(layer, accelerator))
    loops = found.mapping.loops
    assert cost(layer, accelerator, loops) == pytest.approx((found.cycles, found.energy_pj))
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
