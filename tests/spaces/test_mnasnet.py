"""The Accel-NASBench space rebuilds the benchmark's own networks."""

import csv
import gzip
from itertools import pairwise

import numpy as np
import pytest

from nahas.errors import SpaceError
from nahas.spaces.mnasnet import CHANNELS, MOST_LAYERS, network_space, read, spell

SEEDED_ROWS = 300


@pytest.fixture(scope="module")
def space():
    return network_space()


def values_of(row, space):
    """A row of the benchmark's table as named values."""
    return {
        d.name: row[d.name] == "True" if d.name.endswith("_se") else int(row[d.name])
        for d in space.space.decisions
    }


def test_size_and_decisions(space):
    assert space.name == "mnasnet"
    assert space.space.size == 36**6 * 48
    names = [decision.name for decision in space.space.decisions]
    assert names[:4] == ["block0_e", "block0_k", "block0_l", "block0_se"]
    assert len(names) == 28
    assert [space.space.decisions[i].values[-1] for i in range(2, 28, 4)] == list(MOST_LAYERS)


def test_parameters_equal_those_of_the_measured_networks(space, shared):
    with gzip.open(shared / "data" / "accel-nasbench" / "measured.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4738
    for index in np.random.default_rng(0).choice(len(rows), SEEDED_ROWS, replace=False):
        network = space.network(space.space.choice(values_of(rows[index], space)))
        assert network.parameters == round(float(rows[index]["params"]) * 1e6), rows[index]["id"]
        # The table's column counts normalisations and activations as well.
        assert network.macs < float(rows[index]["macs"]) * 1e6


def test_the_smallest_network_by_hand(space):
    """One plain layer per stage: depthwise 3x3 and projection."""
    network = space.network(np.zeros(28, dtype=np.int64))
    channels = (32, *CHANNELS)
    blocks = sum(a * 9 + 2 * a + a * b + 2 * b for a, b in pairwise(channels))
    stem, head, last = 3 * 9 * 32 + 64, 320 * 1280 + 2560, 1281 * 1000
    assert network.parameters == stem + blocks + head + last
    assert len(network.layers) == 1 + 2 * 7 + 3


def test_stage_maps_halve_where_the_skeleton_says(space):
    network = space.network(np.zeros(28, dtype=np.int64))
    maps = [layer.p for layer in network.layers if layer.is_depthwise]
    assert maps == [112, 56, 28, 14, 14, 7, 7]


def test_squeezing_takes_a_quarter_of_the_channels_that_enter_each_layer(space):
    choice = np.zeros(28, dtype=np.int64)
    plain = space.network(choice)
    choice[6], choice[7] = 1, 1  # second stage: two layers, squeezed
    squeezed = [layer for layer in space.network(choice).layers if layer.p == 1 and layer.c > 1]
    # 16 channels enter the first layer and 24 the second; the last layer is the classifier.
    assert [(layer.c, layer.k) for layer in squeezed[:-1]] == [(16, 4), (4, 16), (24, 6), (6, 24)]
    assert not [layer for layer in plain.layers if layer.p == 1 and layer.c > 1][:-1]


def test_repeated_layers_of_a_stage_are_residual(space):
    choice = np.zeros(28, dtype=np.int64)
    choice[2] = 2
    network = space.network(choice)
    adds = [i for i, layer in enumerate(network.layers) if layer.operands == 2]
    assert len(adds) == 2
    # Each sum reads the block's input (two layers before it) and the projection.
    assert [network.inputs[i] for i in adds] == [(i - 3, i - 1) for i in adds]


def test_names_are_unique_and_lead_back(space):
    choices = space.space.sample(40, np.random.default_rng(5))
    names = [space.network(choice).name for choice in choices]
    assert len(set(names)) == 40
    for name, choice in zip(names, choices, strict=True):
        assert np.array_equal(space.choice_named(name), choice)


def test_spelling():
    values = {}
    for stage in range(7):
        squeezes = stage == 1
        values |= {f"block{stage}_e": 6, f"block{stage}_k": 3, f"block{stage}_l": stage % 3 + 1}
        values[f"block{stage}_se"] = squeezes
    text = "e6k3l1-e6k3l2s-e6k3l3-e6k3l1-e6k3l2-e6k3l3-e6k3l1"
    assert spell(values) == text
    assert read(text) == values


@pytest.mark.parametrize("text", ["", "e6k3l1", "-".join(["e6k3"] * 7), "-".join(["e6k3l1x"] * 7)])
def test_other_texts_are_no_network(space, text):
    assert read(text) is None
    with pytest.raises(SpaceError, match="its names look like 'mnasnet:e1k3l1-e1k3l1"):
        space.choice_named(f"mnasnet:{text}")


def test_values_outside_the_space_are_refused_by_decision(space):
    with pytest.raises(SpaceError, match="decision 'block0_e' is 3: allowed are"):
        space.choice_named("mnasnet:" + "-".join(["e3k3l1"] * 7))
