"""The evolved space, with groups, and scaled."""

import numpy as np
import pytest

from nahas import networks
from nahas.errors import SpaceError
from nahas.problem import REFERENCES
from nahas.spaces.named import named
from nahas.spaces.s3 import BLOCKS, DEPTH, MULTIPLIERS, WIDTH
from nahas.spaces.scaling import rounded_filters
from nahas.spaces.space import Space

VARIANTS = ("s3", "s3-groups", "s3-scaled")
B3 = REFERENCES["s3-scaled"].replace("w1d1r224", "w1.2d1.4r300")


def network(name):
    space = named(name.partition(":")[0])
    return space.network(space.choice_named(name))


def test_sizes():
    assert named("s3").space.size == 32**16
    assert named("s3-groups").space.size == 96**16
    assert named("s3-scaled").space.size == 36 * 32**16
    decisions = [len(named(name).space.decisions) for name in VARIANTS]
    assert decisions == [64, 80, 67]


def test_networks_with_groups_are_as_many_as_said():
    """Per block two expansions, kernels and four widths, times one type and three numbers."""
    space = named("s3-groups")
    of_block = Space("block", space.space.decisions[:5])
    every = np.stack(np.unravel_index(np.arange(of_block.size), of_block.cardinalities), axis=1)
    choices = np.zeros((len(every), len(space.space.decisions)), np.int64)
    choices[:, :5] = every
    assert len({space.network_name(space.space.values(row)) for row in choices}) == 64


def test_widths_are_expansions_and_channels():
    expected = [f"block{i}_{what}" for i in range(16) for what in ("e", "filters")]
    for name in VARIANTS:
        found = [d.name for d in named(name).space.decisions if d.widths]
        assert found == (["width", *expected] if name == "s3-scaled" else expected)


@pytest.mark.parametrize("name", VARIANTS)
def test_the_reference_is_efficientnet_b0_but_for_its_first_expansion(name):
    found, b0 = network(REFERENCES[name]), networks.named("efficientnet-b0")
    assert [layer.row for layer in found.layers[4:]] == [layer.row for layer in b0.layers[3:]]
    assert [layer.g * layer.k for layer in found.layers[:4]] == [32, 96, 96, 16]


@pytest.mark.parametrize("width", WIDTH.values)
def test_no_two_multipliers_round_to_the_same_channels(width):
    for block in BLOCKS:
        filters = [rounded_filters(block.filters * width * times, 4) for times in MULTIPLIERS]
        assert filters == sorted(set(filters))


def test_channels_are_the_multiplied_ones_to_a_multiple_of_four():
    name = REFERENCES["s3"].replace("e3k3-e6k3-e6k3", "e3k3x0.5-e6k3x0.75-e6k3x1.5")
    # Expansion, projection of the first three blocks: 8 = 0.5 x 16, 20 = 0.75 x 24 rounded.
    pointwise = [layer for layer in network(name).layers if layer.name.endswith("pointwise")]
    assert [layer.k for layer in pointwise[:6]] == [96, 8, 48, 20, 120, 36]


def test_a_fused_block_strides_on_its_expansion_and_has_groups():
    name = REFERENCES["s3-groups"].replace("e3k3-e6k3", "e3k3-fe6k3g4")
    expand, project = network(name).layers[4:6]
    assert (expand.g, expand.r, expand.stride_p, expand.g * expand.k) == (4, 3, 2, 96)
    assert (project.g, project.r, project.stride_p, project.k) == (1, 1, 1, 24)


def test_groups_apply_to_fused_blocks_alone():
    space = named("s3-groups")
    choices = space.space.sample(200, np.random.default_rng(0))
    names = [decision.name for decision in space.space.decisions]
    types = choices[:, [names.index(f"block{i}_type") for i in range(16)]]
    groups = [names.index(f"block{i}_groups") for i in range(16)]
    applies = space.applicable(choices)
    assert np.array_equal(applies[:, groups], types == 1)
    assert np.delete(applies, groups, axis=1).all()


def test_choices_that_differ_in_idle_decisions_alone_are_one_network():
    space = named("s3-groups")
    rng = np.random.default_rng(1)
    for choice in space.space.sample(20, rng):
        applies = space.applicable(choice[None])[0]
        other = np.where(applies, choice, space.space.sample(1, rng)[0])
        assert space.network(other) == space.network(choice)


def test_a_scaled_network_has_the_blocks_and_pixels_of_b3():
    """Where the published one has a multiple of eight channels too, layers are alike."""
    found, b3 = network(B3), networks.named("efficientnet-b3")
    assert len(found.layers) == len(b3.layers) + 2  # two first blocks with an expansion
    assert (found.layers[0].p, found.layers[0].k) == (150, 40)
    kernels = [layer.r for layer in b3.layers if layer.is_depthwise]
    assert [layer.r for layer in found.layers if layer.is_depthwise] == kernels
    assert [layer.row for layer in found.layers[-3:]] == [layer.row for layer in b3.layers[-3:]]


@pytest.mark.parametrize(("depth", "blocks"), [(1, 16), (1.2, 23), (1.4, 26)])
def test_depth_repeats_the_last_block_of_stages(depth, blocks):
    assert DEPTH.values == (1.0, 1.2, 1.4)
    found = network(REFERENCES["s3-scaled"].replace("d1r", f"d{depth}r"))
    assert sum(layer.is_depthwise for layer in found.layers) == blocks


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("e3k3-", "e3k3x1-"),
        ("e3k3-", "e3k3x0.50-"),
        ("e3k3-", "e3k3g2-"),
        ("e3k3-", "fe3k3g1-"),
        ("e3k3-", "k3-"),
        ("e3k3-", ""),
        ("e3k3-", "w1d1r224-e3k3-"),
    ],
)
@pytest.mark.parametrize("name", VARIANTS)
def test_other_spellings_are_refused(name, old, new):
    with pytest.raises(SpaceError, match=f"is not a network of space '{name}'"):
        named(name).choice_named(REFERENCES[name].replace(old, new, 1))


def test_values_that_are_not_there_are_named():
    for name, sentence in (
        (REFERENCES["s3"].replace("e6k5", "e6k7", 1), r"'block3_k' is 7: allowed are \[3, 5\]"),
        (REFERENCES["s3"].replace("e6k5", "e6k5x2", 1), "'block3_filters' is 2.0: allowed"),
        (REFERENCES["s3-groups"].replace("e6k5", "fe6k5g3", 1), "'block3_groups' is 3: allowed"),
        (REFERENCES["s3-scaled"].replace("r224", "r225"), "'resolution' is 225: allowed"),
        (REFERENCES["s3-scaled"].replace("w1d", "w2d"), "'width' is 2.0: allowed"),
    ):
        with pytest.raises(SpaceError, match=sentence):
            network(name)
    with pytest.raises(SpaceError, match="is not a network of space 's3-scaled'"):
        network(REFERENCES["s3-scaled"].replace("w1d1r224-", ""))
