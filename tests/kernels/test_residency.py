"""Which activations stay on chip, against a program that walks the layers and keeps a shelf."""

from collections.abc import Callable
from itertools import pairwise
from math import ceil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nahas.kernels.records import HardwareRow
from nahas.kernels.residency import TILE_SHARE, reside, settle_designs, stays_of
from nahas.layers import Layer
from nahas.network import NETWORK_INPUT, Network
from nahas.vocabulary import LayerKind


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """Chains with skip edges, dead ends and sums of a tensor with itself; sizes of all orders."""
    layers, inputs = [], []
    for i in range(draw(st.integers(1, 12))):
        count = draw(st.integers(1, 2))
        near = st.integers(max(-1, i - 3), i - 1)
        sources = tuple(draw(near) for _ in range(count)) if i else (NETWORK_INPUT,) * count
        kind = draw(st.sampled_from([LayerKind.CONVOLUTION, LayerKind.ADD, LayerKind.POOL]))
        channels = "k" if kind == LayerKind.CONVOLUTION else "g"
        shape = {channels: draw(st.integers(1, 64)), "p": draw(st.integers(1, 8))}
        layers.append(Layer(name=f"layer {i}", kind=kind, operands=count, **shape))
        inputs.append(sources)
    return Network(name="drawn", layers=tuple(layers), inputs=tuple(inputs))


def last_reader(network: Network, layer: int) -> int | None:
    """The last layer that reads the output of `layer`; None where none does."""
    return max((i for i, sources in enumerate(network.inputs) if layer in sources), default=None)


def shelf(network: Network, hw: HardwareRow) -> tuple[set[int], list[float]]:
    """Outputs that stay, and the bytes on the shelf while each layer runs.

    Layer by layer an output is put down for good, for as long as someone will read it, unless
    at some moment of that time there would be too much on the shelf.
    """
    room = hw.pes_x * hw.pes_y * hw.local_memory_bytes * (1 - TILE_SHARE)
    kept: dict[int, range] = {}

    def output_bytes(i: int) -> float:
        return network.layers[i].output_words * hw.activation_bytes

    def there(moment: int) -> float:
        return sum(output_bytes(i) for i, span in kept.items() if moment in span)

    for i in range(len(network.layers)):
        reader = last_reader(network, i)
        if reader is None:
            continue
        span = range(i, reader + 1)
        if all(there(moment) + output_bytes(i) <= room for moment in span):
            kept[i] = span
    return set(kept), [there(i) for i in range(len(network.layers))]


def walked(network: Network, hw: HardwareRow) -> list[tuple[bool, bool, int, int]]:
    """For every layer: input and output on chip, bytes per PE, operand words from DRAM."""
    kept, there = shelf(network, hw)
    rows = []
    for i, (layer, sources) in enumerate(zip(network.layers, network.inputs, strict=True)):
        fetched = [
            layer.input_words if source == NETWORK_INPUT else network.layers[source].output_words
            for source in sources
            if source not in kept
        ]
        rows.append((not fetched, i in kept, ceil(there[i] / (hw.pes_x * hw.pes_y)), sum(fetched)))
    return rows


def settled(designs: list[tuple[Network, HardwareRow]]) -> list[list[tuple[bool, bool, int, int]]]:
    """The same by the kernel, all designs at once."""
    tables = [network.table for network, _ in designs]
    starts = np.cumsum([0] + [len(table.rows) for table in tables])
    flow = tuple(
        np.concatenate([getattr(table, name) for table in tables])
        for name in ("operands", "sizes", "output_words", "last_use")
    )
    stays, dram_words = np.full((starts[-1], 3), np.nan), np.full(starts[-1], np.nan)
    points = np.array([point for _, point in designs])
    settle_designs(starts, flow, points, np.empty((2, starts[-1])), stays, dram_words)
    rows = [
        (bool(stay[0]), bool(stay[1]), int(stay[2]), int(words))
        for stay, words in zip(stays, dram_words, strict=True)
    ]
    return [rows[a:b] for a, b in pairwise(starts)]


def point(pes_x: int, pes_y: int, local_memory_bytes: int, word: float = 1.0) -> HardwareRow:
    ones = HardwareRow(*[1.0] * len(HardwareRow._fields))
    return ones._replace(
        pes_x=pes_x, pes_y=pes_y, local_memory_bytes=local_memory_bytes, activation_bytes=word
    )


WORDS = st.sampled_from([0.5, 1.0, 2.0])
POINTS = st.builds(point, st.integers(1, 3), st.integers(1, 3), st.integers(1, 1200), WORDS)


@given(st.lists(st.tuples(networks(), POINTS), min_size=1, max_size=3))
@settings(max_examples=200)
def test_what_stays_is_what_walking_the_layers_keeps(designs):
    assert settled(designs) == [walked(network, hw) for network, hw in designs]


def plain(kernel: Callable[..., None]) -> Callable[..., None]:
    """The Python that a kernel was written as; itself where nothing is compiled."""
    return getattr(kernel, "py_func", kernel)


@given(networks(), st.integers(0, 2000))
@settings(max_examples=30)
def test_compiled_and_plain_kernels_decide_alike(network, capacity):
    table = network.table
    answers = []
    for first, second in ((reside, stays_of), (plain(reside), plain(stays_of))):
        reserved = np.full((2, len(table.rows)), np.nan)
        out, words = np.full((len(table.rows), 3), np.nan), np.full(len(table.rows), np.nan)
        first(table.output_words, table.last_use, float(capacity), reserved)
        second(table.operands, table.sizes, reserved, 4.0, out, words)
        answers.append((reserved, out, words))
    for one, other in zip(*answers, strict=True):
        assert np.array_equal(one, other)


@given(networks(), POINTS)
def test_what_is_held_never_exceeds_the_share_that_activations_may_fill(network, hw):
    held = [row[2] for row in settled([(network, hw)])[0]]
    assert all(per_pe <= ceil(hw.local_memory_bytes * (1 - TILE_SHARE)) for per_pe in held)


def chain(*words: int, skip: tuple[int, int] | None = None) -> Network:
    """Layers one after the other, of so many output words; an edge `skip` from one to another."""
    layers = [Layer(name=str(i), k=words_) for i, words_ in enumerate(words)]
    inputs = [(i - 1,) for i in range(len(words))]
    if skip is not None:
        inputs[skip[1]] += (skip[0],)
    return Network(name="chain", layers=tuple(layers), inputs=tuple(inputs))


def on_chip(network: Network, room: int) -> list[bool]:
    """Whether each output stays when activations may fill `room` bytes."""
    return [row[1] for row in settled([(network, point(1, 1, int(room / (1 - TILE_SHARE))))])[0]]


def test_producer_and_consumer_hold_both_tensors_while_they_run():
    assert on_chip(chain(10, 10, 10, 10), room=20) == [True, True, True, False]
    assert on_chip(chain(10, 10, 10, 10), room=19) == [True, False, True, False]


def test_a_skip_edge_is_held_over_everything_between_its_ends():
    # While layer 1 runs, its input (skipped past it too) and its output are there: 20 bytes;
    # while layer 2 runs, a third tensor is.
    network = chain(10, 10, 10, 10, skip=(0, 3))
    assert on_chip(network, room=30) == [True, True, True, False]
    assert on_chip(network, room=29) == [True, True, False, False]


def test_an_early_output_has_the_place_even_where_a_later_one_would_save_more():
    assert on_chip(chain(11, 20, 20, 1), room=30) == [True, False, True, False]


def test_the_input_and_the_output_of_the_network_cross_the_interface():
    rows = settled([(chain(1, 1), point(1, 1, 10**6))])[0]
    assert rows[0][0] is False
    assert rows[-1][1] is False


def test_one_operand_off_chip_is_enough_for_traffic():
    network = chain(10, 50, 10, skip=(0, 2))
    rows = settled([(network, point(2, 1, 30))])[0]  # room for 30 in all: not for the 50
    assert [row[1] for row in rows] == [True, False, False]
    assert rows[2] == (False, False, 5, 50)


@pytest.mark.parametrize("room", [0, 9])
def test_what_fits_nowhere_stays_nowhere(room):
    assert not any(on_chip(chain(10, 10, 10), room))
