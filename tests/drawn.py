"""Hypothesis strategies: tiny layers, and mappings that cover them with ragged factors."""

from __future__ import annotations

from math import ceil

from hypothesis import strategies as st

from nahas.layers import Layer
from nahas.mapping import Loop, Mapping, extent_of
from nahas.templates import ALL
from nahas.vocabulary import Dim, Slot, Tensor

BUDGET = 160
"""Most multiply-accumulates of a drawn layer: the oracle walks them all in Python."""


@st.composite
def layers(draw: st.DrawFn) -> Layer:
    left = BUDGET
    extents = {}
    for dim in draw(st.permutations(list(Dim))):
        extents[dim.name.lower()] = draw(st.integers(1, max(1, min(9, left))))
        left //= extents[dim.name.lower()]
    small = st.integers(1, 3)
    strides = {name: draw(small) for name in ("stride_p", "stride_q", "dilation_r", "dilation_s")}
    return Layer(name="drawn", **extents, **strides)


def covering(draw: st.DrawFn, layer: Layer, places: list[tuple[Slot, Dim]]) -> tuple[Loop, ...]:
    """Counts for loops at `places`, so that they cover the layer and none is wholly outside."""
    step = dict.fromkeys(Dim, 1)
    loops = []
    for k in range(len(places) - 1, -1, -1):
        slot, dim = places[k]
        need = ceil(extent_of(layer, dim) / step[dim])
        outermost = dim not in {other for _, other in places[:k]}
        count = need if outermost else draw(st.integers(1, min(4, need)))
        loops.append(Loop(slot, dim, count))
        step[dim] *= count
    return tuple(reversed(loops))


@st.composite
def mappings(draw: st.DrawFn, layer: Layer) -> Mapping:
    dims = [dim for dim in Dim if extent_of(layer, dim) > 1]
    more = draw(st.lists(st.sampled_from(dims), max_size=6)) if dims else []
    chosen = draw(st.permutations(dims + more))
    places = [(draw(st.sampled_from(list(Slot))), dim) for dim in chosen]
    places.sort(key=lambda place: place[0])
    kept = st.frozensets(st.sampled_from(list(Tensor)))
    stored = st.one_of(st.just(ALL), kept)
    return Mapping(covering(draw, layer, places), (ALL, draw(stored), draw(stored)))


@st.composite
def mapped_layers(draw: st.DrawFn) -> tuple[Layer, Mapping]:
    layer = draw(layers())
    return layer, draw(mappings(layer))
