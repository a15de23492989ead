"""Network spaces by name, and what every one of them offers."""

import re

import numpy as np
import pytest

from nahas.errors import SpaceError
from nahas.network import Network
from nahas.spaces.builder import read_layers
from nahas.spaces.named import NAMES, named


@pytest.mark.parametrize("name", NAMES)
class TestNetworkSpace:
    def test_its_name_is_what_users_type(self, name):
        assert named(name).name == named(name).space.name == name

    def test_the_same_choice_gives_the_same_network(self, name):
        space = named(name)
        (choice,) = space.space.sample(1, np.random.default_rng(1))
        first = space.network(choice)
        assert isinstance(first, Network)
        assert first == named(name).network(choice)
        assert first == read_layers(first.name, space.function(choice))

    def test_decisions_matter_where_they_apply(self, name):
        """What `applicable` claims: a decision changes the network, or neither it nor its name."""
        space = named(name)
        (choice,) = space.space.sample(1, np.random.default_rng(4))
        applies = space.applicable(choice[None])[0]
        network = space.network(choice)
        for column, count in enumerate(space.space.cardinalities):
            other = choice.copy()
            other[column] = (other[column] + 1) % count
            changed, decision = space.network(other), space.space.decisions[column].name
            if applies[column]:
                assert changed.layers != network.layers, decision
                assert changed.name != network.name, decision
            else:
                assert changed == network, decision

    def test_names_and_choices_are_each_others_reverse(self, name):
        """But for decisions that do not apply, which read as their first value."""
        space = named(name)
        for choice in space.space.sample(30, np.random.default_rng(5)):
            found = space.choice_named(space.network_name(space.space.values(choice)))
            assert np.array_equal(found, np.where(space.applicable(choice[None])[0], choice, 0))

    def test_applicable_checks_its_choices(self, name):
        space = named(name)
        with pytest.raises(SpaceError, match="decisions, but the choices have shape"):
            space.applicable(np.zeros((2, 1), dtype=np.int64))

    def test_an_index_out_of_range_is_refused(self, name):
        space = named(name)
        choice = np.full(len(space.space.decisions), 9)
        with pytest.raises(SpaceError, match="is outside 0 to"):
            space.network(choice)

    def test_names_of_other_spaces_are_refused(self, name):
        with pytest.raises(SpaceError, match=f"is not a network of space '{name}'"):
            named(name).choice_named("elsewhere:0")


def test_an_unknown_space_gets_a_suggestion():
    sentence = "unknown space 'mnasnett': did you mean 'mnasnet'? known are mnasnet, macro, s1, s2"
    with pytest.raises(SpaceError, match=re.escape(sentence)):
        named("mnasnett")
    with pytest.raises(SpaceError, match="unknown space 's3-group': did you mean 's3-groups'"):
        named("s3-group")
    with pytest.raises(SpaceError, match="unknown space 'x': known are"):
        named("x")
