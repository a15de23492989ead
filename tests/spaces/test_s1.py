"""The paper's first space around MobileNetV2."""

import numpy as np
import pytest

from nahas import networks
from nahas.errors import SpaceError
from nahas.spaces.s1 import network_space

MOBILENET_V2 = "s1:k3-" + "-".join(["e6k3"] * 16)


@pytest.fixture(scope="module")
def space():
    return network_space()


def test_size_is_the_papers(space):
    assert space.space.size == 3 * 6**16 == 8_463_329_722_368
    assert len(space.space.decisions) == 33


def test_mobilenet_v2_is_in_it(space):
    found = space.network(space.choice_named(MOBILENET_V2))
    expected = networks.named("mobilenet-v2")
    assert found.layers == expected.layers
    assert found.inputs == expected.inputs


def test_names_and_choices_are_each_others_reverse(space):
    for choice in space.space.sample(50, np.random.default_rng(0)):
        name = space.network_name(space.space.values(choice))
        assert np.array_equal(space.choice_named(name), choice)


@pytest.mark.parametrize(
    "name",
    [
        "s1:k3",
        MOBILENET_V2.replace("s1:k3", "s1:e6k3"),
        MOBILENET_V2.removesuffix("e6k3") + "k3",
        MOBILENET_V2.removesuffix("e6k3") + "e4k3",
        MOBILENET_V2 + "x",
    ],
)
def test_other_names_are_refused(space, name):
    with pytest.raises(SpaceError):
        space.choice_named(name)
