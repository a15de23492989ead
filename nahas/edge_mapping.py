"""The loop nest that a mapping row of the edge template stands for."""

from __future__ import annotations

from nahas.kernels.records import MappingRow
from nahas.layers import Layer
from nahas.mapping import Loop, Mapping
from nahas.templates import EDGE
from nahas.vocabulary import Dim, Slot


def edge_mapping(layer: Layer, row: MappingRow) -> Mapping:
    """The explicit mapping of `layer`, which `nahas.mapping.evaluate` counts."""
    channels: list[tuple[int, int]] = [
        (Dim.G, row.dram_g),
        (Dim.K, row.dram_k),
        (Dim.C, row.dram_c),
    ]
    pixels: list[tuple[int, int]] = [(Dim.P, row.dram_p)]
    dram = channels + pixels if row.dram_channels_outer else pixels + channels
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
