"""Which weights stay on chip, against a program that fills a shelf layer by layer."""

from itertools import pairwise
from math import ceil

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from nahas.kernels.parameters import keep_weights
from nahas.kernels.records import HardwareRow
from nahas.layers import Layer
from nahas.vocabulary import LayerKind

KINDS = st.sampled_from([LayerKind.CONVOLUTION, LayerKind.CONVOLUTION, LayerKind.POOL])
SMALL = st.integers(1, 4)
LAYERS = st.builds(
    Layer, name=st.just("l"), kind=KINDS, g=SMALL, k=SMALL, c=SMALL, p=SMALL, r=SMALL, s=SMALL
)
RESERVED = st.integers(0, 40)
NETWORKS = st.lists(st.tuples(LAYERS, RESERVED), min_size=1, max_size=8)
ONES = HardwareRow(*[1.0] * len(HardwareRow._fields))


def point(pes_x: int, pes_y: int, parameter_memory_bytes: int) -> HardwareRow:
    return ONES._replace(pes_x=pes_x, pes_y=pes_y, parameter_memory_bytes=parameter_memory_bytes)


POINTS = st.builds(point, st.integers(1, 3), st.integers(1, 3), st.integers(0, 120))


def walked(network: list[tuple[Layer, int]], hw: HardwareRow) -> list[tuple[bool, int]]:
    """Whether each layer's weights stay, and the bytes of a PE that are held while it runs."""
    shelf: list[int] = []
    chosen = []
    for layer, _ in network:
        share = ceil(layer.weight_words / (hw.pes_x * hw.pes_y))
        crowded = max(reserved for _, reserved in network) + sum(shelf) + share
        chosen.append(layer.weight_words > 0 and crowded <= hw.parameter_memory_bytes)
        shelf += [share] * chosen[-1]
    return [
        (stays, reserved + sum(shelf)) for stays, (_, reserved) in zip(chosen, network, strict=True)
    ]


def kept(
    designs: list[tuple[list[tuple[Layer, int]], HardwareRow]], kernel=keep_weights
) -> list[list[tuple[bool, int]]]:
    """The same by the kernel, all designs at once."""
    starts = np.cumsum([0] + [len(network) for network, _ in designs])
    every = [pair for network, _ in designs for pair in network]
    rows = np.array([layer.row for layer, _ in every], np.int64)
    stays = np.zeros((len(every), 4))
    stays[:, 2] = [reserved for _, reserved in every]
    kernel(starts, rows, np.array([hw for _, hw in designs]), stays)
    assert not stays[:, :2].any()
    found = [(bool(row[3]), int(row[2])) for row in stays]
    return [found[a:b] for a, b in pairwise(starts)]


@given(st.lists(st.tuples(NETWORKS, POINTS), min_size=1, max_size=3))
@settings(max_examples=200)
def test_weights_that_stay_are_what_filling_a_shelf_keeps(designs):
    expected = [walked(network, hw) for network, hw in designs]
    assert kept(designs) == expected
    assert kept(designs, getattr(keep_weights, "py_func", keep_weights)) == expected


@given(NETWORKS)
def test_without_parameter_memory_nothing_stays_and_nothing_is_held(network):
    assert kept([(network, point(2, 2, 0))])[0] == [(False, reserved) for _, reserved in network]


def of(*words: int) -> list[tuple[Layer, int]]:
    return [(Layer(name="l", k=each), 0) for each in words]


def test_an_early_layer_has_the_place_and_one_that_does_not_fit_leaves_it_to_the_next():
    assert [stays for stays, _ in kept([(of(6, 5, 4), point(1, 1, 10))])[0]] == [True, False, True]


def test_what_stays_is_held_while_any_layer_runs():
    assert [held for _, held in kept([(of(6, 5, 4), point(1, 1, 10))])[0]] == [10, 10, 10]


def test_activations_at_their_most_come_first():
    network = [(layer, reserved) for (layer, _), reserved in zip(of(6, 4), (0, 5), strict=True)]
    assert kept([(network, point(1, 1, 10))])[0] == [(False, 4), (True, 9)]
