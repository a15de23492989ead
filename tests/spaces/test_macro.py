"""NAS-Bench-Macro's networks, rebuilt exactly."""

import json

import numpy as np
import pytest

from nahas.errors import SpaceError
from nahas.spaces.macro import key, network_space, read

SEEDED_ROWS = 800


@pytest.fixture(scope="module")
def space():
    return network_space()


def test_size_and_decisions(space):
    assert space.name == "macro"
    assert space.space.size == 6561
    assert [decision.values for decision in space.space.decisions] == [(0, 1, 2)] * 8


def test_parameters_and_macs_equal_the_table(space, shared):
    text = (shared / "data" / "nas-bench-macro" / "nas-bench-macro_cifar10.json").read_text()
    table = json.loads(text)
    assert len(table) == 6561
    keys = sorted(table)
    for index in np.random.default_rng(0).choice(len(keys), SEEDED_ROWS, replace=False):
        row = table[keys[index]]
        network = space.network(space.choice_named(f"macro:{keys[index]}"))
        assert (network.parameters, network.macs) == (row["params"], row["flops"]), keys[index]


def test_the_empty_network_by_hand(space):
    """Where nothing is chosen each stage is one strided 1x1 convolution."""
    network = space.network(space.choice_named("macro:00000000"))
    assert [layer.p for layer in network.layers] == [32, 16, 8, 4, 4, 1, 1]
    assert network.parameters == 387_882
    assert network.macs == 7_713_280


def test_identity_inside_a_stage_is_nothing(space):
    """Position 1 set to nothing has as many layers fewer as its bottleneck has, and its sum."""
    full = space.network(space.choice_named("macro:11111111"))
    less = space.network(space.choice_named("macro:10111111"))
    assert len(full.layers) - len(less.layers) == 4


def test_operations_are_kernel_3_expansion_3_and_kernel_5_expansion_6(space):
    for digit, kernel, inner in ((1, 3, 96), (2, 5, 192)):
        layers = space.network(space.choice_named(f"macro:{digit}0000000")).layers
        depthwise = [(layer.r, layer.g) for layer in layers if layer.is_depthwise]
        assert depthwise == [(kernel, inner)]


def test_a_key_is_the_choice_itself(space):
    for choice in space.space.sample(30, np.random.default_rng(2)):
        digits = key(space.space.values(choice))
        assert [int(digit) for digit in digits] == choice.tolist()
        assert read(digits) == space.space.values(choice)
        assert space.network(choice).name == f"macro:{digits}"


@pytest.mark.parametrize("text", ["", "0000000", "000000000", "0000000x", "\uff100000000"])
def test_other_texts_are_no_key(space, text):
    assert read(text) is None
    with pytest.raises(SpaceError, match="its names look like 'macro:00000000'"):
        space.choice_named(f"macro:{text}")


def test_a_digit_above_2_is_refused_by_decision(space):
    with pytest.raises(SpaceError, match="decision 'block7' is 3"):
        space.choice_named("macro:00000003")
