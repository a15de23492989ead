"""The loop nest that a mapping row of the edge template stands for."""

from __future__ import annotations

from nahas.kernels.records import MappingRow
from nahas.layers import Layer
from nahas.mapping import Loop, Mapping
from nahas.templates import EDGE
from nahas.vocabulary import Dim, DramOrder, Slot

DRAM_LOOPS = {
    DramOrder.WEIGHTS_STAY_P: (Dim.G, Dim.K, Dim.C, Dim.Q, Dim.P),
    DramOrder.WEIGHTS_STAY_Q: (Dim.G, Dim.K, Dim.C, Dim.P, Dim.Q),
    DramOrder.OUTPUTS_STAY: (Dim.G, Dim.K, Dim.P, Dim.Q, Dim.C),
    DramOrder.INPUTS_STAY_P: (Dim.G, Dim.C, Dim.Q, Dim.P, Dim.K),
    DramOrder.INPUTS_STAY_Q: (Dim.G, Dim.C, Dim.P, Dim.Q, Dim.K),
}
"""The loops of DRAM in each order, outermost first."""


def edge_mapping(layer: Layer, row: MappingRow) -> Mapping:
    """The explicit mapping of `layer`, which `nahas.mapping.evaluate` counts."""
    counts = {
        Dim.G: row.dram_g,
        Dim.K: row.dram_k,
        Dim.C: row.dram_c,
        Dim.P: row.dram_p,
        Dim.Q: row.dram_q,
    }
    dram: list[tuple[int, int]] = [
        (dim, counts[dim]) for dim in DRAM_LOOPS[DramOrder(row.dram_order)]
    ]
    outputs: list[tuple[int, int]] = [(Dim.G, row.local_g), (Dim.K, row.local_k)]
    reduction: list[tuple[int, int]] = [
        (Dim.C, row.local_c),
        (Dim.R, row.local_r),
        (Dim.S, row.local_s),
    ]
    positions: list[tuple[int, int]] = [(Dim.P, row.local_p), (Dim.Q, row.local_q)]
    inside = positions + reduction if row.output_stationary else reduction + positions
    slots: dict[Slot, list[tuple[int, int]]] = {
        Slot.DRAM: dram,
        Slot.PE_ARRAY: [(row.pe_x_dim, row.pe_x_count), (row.pe_y_dim, row.pe_y_count)],
        Slot.LOCAL_MEMORY: outputs + inside,
        Slot.LANE_ARRAY: [(row.lane_dim, row.lane_count)],
        Slot.REGISTER_FILE: [
            (Dim.C, row.register_c),
            (Dim.P, row.register_p),
            (Dim.Q, row.register_q),
            (Dim.R, row.register_r),
            (Dim.S, row.register_s),
        ],
        Slot.DATAPATH: [(Dim.G, row.simd_g), (Dim.K, row.simd_k), (Dim.C, row.dot)],
    }
    loops = tuple(
        Loop(slot, Dim(dim), int(count))
        for slot, pairs in slots.items()
        for dim, count in pairs
        if count > 1
    )
    mapping = Mapping(loops, EDGE.keep)
    mapping.check(layer)
    return mapping
