"""Some networks of a space, as a space."""

import numpy as np
import pytest

from nahas.errors import SpaceError
from nahas.spaces.listed import listed, listed_as
from nahas.spaces.named import NAMES, named
from nahas.spaces.tables import LayerTables


@pytest.mark.parametrize("name", NAMES)
def test_networks_are_those_of_the_space(name):
    space = named(name)
    choices = space.space.sample(4, np.random.default_rng(5))
    names = [space.network_name(space.space.values(choice)) for choice in choices]
    some = listed(space, names)
    assert some.name == name
    assert some.space.size == 4
    for number, choice in enumerate(choices):
        assert some.network(np.array([number])) == space.network(choice)
        assert some.choice_named(names[number]).tolist() == [number]


def test_layers_at_once_are_those_of_the_space():
    space = named("s1")
    choices = space.space.sample(6, np.random.default_rng(6))
    names = [space.network_name(space.space.values(choice)) for choice in choices]
    ours = LayerTables(listed(space, names)).of(np.arange(6)[:, None])
    theirs = LayerTables(space).of(choices)
    np.testing.assert_array_equal(ours.layers.rows, theirs.layers.rows)
    np.testing.assert_array_equal(ours.layers.operands, theirs.layers.operands)
    np.testing.assert_array_equal(ours.parameters, theirs.parameters)


def test_others_are_not_in_it():
    some = listed(named("macro"), ["macro:00000000", "macro:11111111"])
    with pytest.raises(SpaceError, match="'macro:22222222' is not a network of space 'macro'"):
        some.choice_named("macro:22222222")
    with pytest.raises(SpaceError, match="'macro:3' is not a network"):
        listed(named("macro"), ["macro:3"])
    with pytest.raises(SpaceError, match="has no values"):
        listed(named("macro"), [])


def test_a_study_finds_its_space_again():
    space = named("macro")
    some = listed(space, ["macro:00000000", "macro:11111111"])
    assert listed_as(space, some.space).space == some.space
    assert listed_as(space, space.space) is space


def test_sizes_of_links_add_up_to_the_networks():
    space = named("mnasnet")
    choices = space.space.sample(5, np.random.default_rng(7))
    sizes = LayerTables(space).sizes(choices)
    for row, choice in enumerate(choices):
        network = space.network(choice)
        assert sizes.macs[row].sum() == network.macs
        assert sizes.parameters[row].sum() == network.parameters
        assert sizes.layers[row].sum() == len(network.layers)
