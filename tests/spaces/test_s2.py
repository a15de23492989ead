"""The paper's second space around EfficientNet-B0."""

import pytest

from nahas import networks
from nahas.errors import SpaceError
from nahas.problem import REFERENCES
from nahas.spaces.s2 import network_space


@pytest.fixture(scope="module")
def space():
    return network_space()


def test_size_is_the_papers(space):
    assert space.space.size == 3 * 6**15 == 1_410_554_953_728
    assert len(space.space.decisions) == 31
    assert [d.name for d in space.space.decisions if d.widths] == [
        f"block{i}_e" for i in range(1, 16)
    ]


def test_efficientnet_b0_is_in_it(space):
    found = space.network(space.choice_named(REFERENCES["s2"]))
    expected = networks.named("efficientnet-b0")
    assert found.layers == expected.layers
    assert found.inputs == expected.inputs


@pytest.mark.parametrize(
    "change", [("k3-", "e6k3-"), ("k3-", "k3-e6k3-"), ("k3-", "k03-"), ("e6k5", "e6k\uff15")]
)
def test_other_names_are_refused(space, change):
    with pytest.raises(SpaceError, match="is not a network of space 's2'"):
        space.choice_named(REFERENCES["s2"].replace(*change, 1))


def test_a_value_that_is_not_there_is_named(space):
    with pytest.raises(SpaceError, match=r"decision 'block1_e' is 4: allowed are \[3, 6\]"):
        space.choice_named(REFERENCES["s2"].replace("e6", "e4", 1))
