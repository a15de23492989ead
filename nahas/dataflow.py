"""Which dataflow a loop nest is: what stays in place while its innermost loops advance.

[docs/templates.md 2.4]
"""

from __future__ import annotations

from nahas.layers import Layer
from nahas.mapping import Mapping
from nahas.vocabulary import Dataflow, Dim, Slot

STAYS = {
    Dim.N: Dataflow.WEIGHT,
    Dim.K: Dataflow.INPUT,
    Dim.C: Dataflow.OUTPUT,
    Dim.P: Dataflow.WEIGHT,
    Dim.Q: Dataflow.WEIGHT,
    Dim.R: Dataflow.OUTPUT,
    Dim.S: Dataflow.OUTPUT,
}
"""The tensor that a dim does not index, which a loop over it leaves in place. G indexes all."""

ARRAYS = (Slot.PE_ARRAY, Slot.LANE_ARRAY)


def dataflow_of(mapping: Mapping, layer: Layer) -> Dataflow:
    """The dataflow of a nest.

    ROW where rows of the window and rows of the output are spread over arrays together. Else the
    innermost loop above the register file that has more than one trip names the tensor that it
    leaves in place. ANY where there is no such loop, or it runs over groups and moves everything.

    Raises:
        MappingError: where the mapping does not cover the layer.
    """
    mapping.check(layer)
    loops = [loop for loop in mapping.loops if loop.count > 1]
    if {Dim.R, Dim.P} <= {loop.dim for loop in loops if loop.slot in ARRAYS}:
        return Dataflow.ROW
    above = [loop for loop in loops if loop.slot in (Slot.DRAM, Slot.LOCAL_MEMORY)]
    return STAYS.get(above[-1].dim, Dataflow.ANY) if above else Dataflow.ANY
