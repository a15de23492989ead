"""Which activations stay on chip, against a program that tries every set of them."""

from collections.abc import Callable, Iterable
from functools import cache
from itertools import combinations, pairwise
from math import ceil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nahas.kernels.records import HardwareRow
from nahas.kernels.residency import (
    MOST_SHELVES,
    TILE_SHARE,
    hold_early,
    reside,
    settle_designs,
    stays_of,
)
from nahas.layers import Layer
from nahas.network import NETWORK_INPUT, Network
from nahas.vocabulary import LayerKind


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """Chains with skip edges, dead ends and sums of a tensor with itself; sizes of all orders."""
    layers, inputs = [], []
    for i in range(draw(st.integers(1, 9))):
        count = draw(st.integers(1, 2))
        near = st.integers(max(-1, i - 5), i - 1)
        sources = tuple(draw(near) for _ in range(count)) if i else (NETWORK_INPUT,) * count
        kind = draw(st.sampled_from([LayerKind.CONVOLUTION, LayerKind.ADD, LayerKind.POOL]))
        channels = "k" if kind == LayerKind.CONVOLUTION else "g"
        shape = {channels: draw(st.integers(1, 64)), "p": draw(st.integers(1, 8))}
        layers.append(Layer(name=f"layer {i}", kind=kind, operands=count, **shape))
        inputs.append(sources)
    return Network(name="drawn", layers=tuple(layers), inputs=tuple(inputs))


@cache
def spans(network: Network) -> dict[int, range]:
    """The layers during which an output waits for its readers; none for one that nobody reads."""
    readers: dict[int, int] = {}
    for i, sources in enumerate(network.inputs):
        readers |= dict.fromkeys(sources, i)
    return {i: range(i, last + 1) for i, last in readers.items() if i != NETWORK_INPUT}


def words_at(network: Network, kept: Iterable[int], moment: int) -> int:
    """Words of the outputs kept that wait while a layer runs."""
    span = spans(network)
    return sum(network.layers[i].output_words for i in kept if moment in span[i])


def fits(network: Network, kept: Iterable[int], room: float) -> bool:
    """Whether these outputs have room together, whichever layer runs."""
    return all(words_at(network, kept, moment) <= room for moment in range(len(network.layers)))


def saved(network: Network, kept: Iterable[int]) -> int:
    """Words that need not be written, nor read by anyone."""
    reads = [source for sources in network.inputs for source in sources]
    return sum(network.layers[i].output_words * (1 + reads.count(i)) for i in kept)


def early(network: Network, room: float) -> list[int]:
    """Outputs put down one after the other, for good, each where it still fits."""
    kept: list[int] = []
    for i in sorted(spans(network)):
        if fits(network, [*kept, i], room):
            kept.append(i)
    return kept


def shelf(network: Network, hw: HardwareRow) -> tuple[set[int], list[float]]:
    """Of all sets of outputs that fit, the one that saves most; bytes held in each layer.

    Of equal ones, that with the earliest output in which they differ.
    """
    room = hw.pes_x * hw.pes_y * hw.local_memory_bytes * (1 - TILE_SHARE) / hw.activation_bytes
    waiting = sorted(spans(network))
    sets = [kept for n in range(len(waiting) + 1) for kept in combinations(waiting, n)]
    kept = max(
        (kept for kept in sets if fits(network, kept, room)),
        key=lambda kept: (saved(network, kept), [i in kept for i in waiting]),
    )
    there = [words_at(network, kept, i) * hw.activation_bytes for i in range(len(network.layers))]
    return set(kept), there


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
def test_what_stays_saves_most_of_all_sets_that_fit(designs):
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
        first(table.operands, table.output_words, table.last_use, float(capacity), reserved)
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


def test_an_early_output_makes_way_for_later_ones_that_save_more():
    assert on_chip(chain(11, 20, 20, 1), room=30) == [True, False, True, False]
    assert on_chip(chain(11, 20, 10, 1), room=30) == [False, True, True, False]


def test_of_equal_sets_the_one_with_the_earliest_output():
    assert on_chip(chain(10, 10, 1), room=15) == [True, False, False]


def test_a_tensor_that_is_read_twice_is_worth_two_reads():
    # 10 words read twice save 30, 12 read once save 24: either would fit alone.
    network = chain(10, 12, 1, 1, skip=(0, 2))
    assert on_chip(network, room=12)[:2] == [True, False]
    assert on_chip(chain(10, 12, 1, 1), room=12)[:2] == [False, True]


@given(networks(), st.integers(0, 400))
def test_never_less_is_saved_than_by_putting_down_what_fits_first(network, room):
    kept = [i for i, stays in enumerate(on_chip(network, room)) if stays]
    assert saved(network, kept) >= saved(network, early(network, room))


@given(networks(), st.integers(0, 400))
def test_the_quick_rule_says_everything_only_where_nothing_is_left_out(network, room):
    table, reserved = network.table, np.empty((2, len(network.layers)))
    everything = hold_early(table.output_words, table.last_use, float(room), reserved)
    assert np.flatnonzero(reserved[0]).tolist() == early(network, room)
    small = [i for i in spans(network) if network.layers[i].output_words <= room]
    assert everything == (early(network, room) == sorted(small))


def fan(width: int) -> Network:
    """`width` outputs, then sums that read them in turn: all are alive at once."""
    layers = [Layer(name=f"made {i}", k=10 + i) for i in range(width)]
    layers += [Layer(name=f"read {i}", kind=LayerKind.ADD, operands=2) for i in range(width)]
    inputs = [(NETWORK_INPUT,)] * width
    inputs += [(i, width + i - 1 if i else 0) for i in range(width)]
    return Network(name="fan", layers=tuple(layers), inputs=tuple(inputs))


@pytest.mark.parametrize(("alive", "exact"), [(MOST_SHELVES, True), (MOST_SHELVES + 1, False)])
def test_beyond_the_most_shelves_the_early_outputs_stay(alive, exact):
    network = fan(alive - 1)  # the first sum is alive beside all that it and the others read
    kept = [i for i, stays in enumerate(on_chip(network, room=40)) if stays]
    first = early(network, 40)
    assert (saved(network, kept) > saved(network, first)) == exact
    assert exact or kept == first


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
