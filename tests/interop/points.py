"""Mapped points for tests: any layer and nest, on an accelerator with an axis for each loop."""

from __future__ import annotations

from hypothesis import strategies as st

from nahas.interop.nest import MappedPoint
from nahas.layers import Layer
from nahas.mapping import Mapping
from nahas.templates import Accelerator, Axis, Memory
from nahas.vocabulary import Dim
from tests.drawn import mapped_layers


def point_of(layer: Layer, mapping: Mapping) -> MappedPoint:
    dram, local, registers = (
        Memory(keeps=kept, read_pj_per_byte=1.0, write_pj_per_byte=2.0) for kept in mapping.keep
    )
    axes = tuple(
        Axis(name=f"axis {number}", slot=loop.slot, size=loop.count, dims=tuple(Dim))
        for number, loop in enumerate(mapping.loops)
        if loop.is_spatial
    )
    accelerator = Accelerator(
        name="drawn", memories=(dram, local, registers), axes=axes, mac_pj=0.5
    )
    return MappedPoint(accelerator=accelerator, layer=layer, mapping=mapping)


points: st.SearchStrategy[MappedPoint] = mapped_layers().map(lambda drawn: point_of(*drawn))
