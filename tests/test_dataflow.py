"""Dataflows of loop nests: hand-written ones, and drawn ones beside the words that they move."""

from __future__ import annotations

import pytest
from hypothesis import given

from nahas.dataflow import STAYS, dataflow_of
from nahas.errors import MappingError
from nahas.layers import Layer
from nahas.mapping import Loop, Mapping, extent_of
from nahas.vocabulary import Dataflow, Dim, Slot, Tensor
from tests.drawn import mapped_layers

DRAM, PES, LOCAL, LANES, REGISTERS, DATAPATH = Slot
INDEXED = {Tensor.WEIGHTS: "GKCRS", Tensor.INPUTS: "NGCPQRS", Tensor.OUTPUTS: "NGKPQ"}
TENSOR_OF = {
    Dataflow.WEIGHT: Tensor.WEIGHTS,
    Dataflow.INPUT: Tensor.INPUTS,
    Dataflow.OUTPUT: Tensor.OUTPUTS,
}


def nest(*loops: tuple[Slot, str, int]) -> tuple[Mapping, Layer]:
    """A nest and the layer that it covers exactly."""
    extents: dict[str, int] = {}
    for _, dim, count in loops:
        extents[dim.lower()] = extents.get(dim.lower(), 1) * count
    mapping = Mapping(tuple(Loop(slot, Dim[dim], count) for slot, dim, count in loops))
    return mapping, Layer(name="nest", **extents)


@pytest.mark.parametrize(
    ("loops", "dataflow"),
    [
        (((LOCAL, "K", 2), (LOCAL, "C", 2), (LOCAL, "P", 2)), Dataflow.WEIGHT),
        (((LOCAL, "P", 2), (LOCAL, "C", 2), (REGISTERS, "K", 2)), Dataflow.OUTPUT),
        (((LOCAL, "C", 2), (LOCAL, "Q", 2), (LOCAL, "K", 2)), Dataflow.INPUT),
        (((DRAM, "K", 4), (LOCAL, "N", 2)), Dataflow.WEIGHT),
        (((DRAM, "P", 3), (DRAM, "K", 4), (LANES, "C", 2)), Dataflow.INPUT),
        (((LOCAL, "K", 2), (LOCAL, "S", 3), (LOCAL, "P", 1)), Dataflow.OUTPUT),
        (((LANES, "R", 3), (LANES, "P", 7), (REGISTERS, "C", 4)), Dataflow.ROW),
        (((PES, "P", 7), (LOCAL, "K", 2), (LANES, "R", 3)), Dataflow.ROW),
        (((PES, "P", 7), (LOCAL, "K", 2), (DATAPATH, "R", 3)), Dataflow.INPUT),
        (((LANES, "P", 7), (REGISTERS, "C", 4)), Dataflow.ANY),
        (((DRAM, "K", 2), (LOCAL, "G", 4)), Dataflow.ANY),
        ((), Dataflow.ANY),
    ],
)
def test_hand_written_nests(loops, dataflow):
    assert dataflow_of(*nest(*loops)) is dataflow


@given(mapped_layers())
def test_the_named_tensor_keeps_its_tile_while_the_innermost_loop_advances(case):
    layer, mapping = case
    dataflow = dataflow_of(mapping, layer)
    loops = [loop for loop in mapping.loops if loop.count > 1]
    above = [loop for loop in loops if loop.slot in (DRAM, LOCAL)]
    if dataflow is Dataflow.ROW:
        spread = {loop.dim for loop in loops if loop.slot in (PES, LANES)}
        assert {Dim.R, Dim.P} <= spread
    elif dataflow is Dataflow.ANY:
        assert not above or above[-1].dim is Dim.G
    else:
        assert above[-1].dim.name not in INDEXED[TENSOR_OF[dataflow]]


@given(mapped_layers())
def test_loops_of_one_trip_do_not_count(case):
    layer, mapping = case
    kept = tuple(loop for loop in mapping.loops if loop.count > 1)
    assert dataflow_of(Mapping(kept, mapping.keep), layer) is dataflow_of(mapping, layer)


def test_every_dim_but_groups_leaves_exactly_one_tensor_in_place():
    for dim in Dim:
        stay = [tensor for tensor in Tensor if dim.name not in INDEXED[tensor]]
        assert [TENSOR_OF[STAYS[dim]]] == stay if dim in STAYS else not stay


def test_a_nest_that_leaves_a_part_out_is_refused():
    mapping, layer = nest((LOCAL, "K", 2))
    wider = Layer(name="wider", k=2 * extent_of(layer, Dim.K))
    with pytest.raises(MappingError, match="cover 2 of 4"):
        dataflow_of(mapping, wider)
