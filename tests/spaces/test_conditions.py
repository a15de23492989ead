"""Decisions that apply only given others."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nahas.errors import SpaceError
from nahas.spaces.conditions import Condition, Conditions
from nahas.spaces.networks import Link, NetworkSpace
from nahas.spaces.space import Decision, Space

DECISIONS = (
    Decision("block", ("none", "plain", "gated")),
    Decision("gate", ("sigmoid", "swish")),
    Decision("slope", (1, 2)),
    Decision("wide", (False, True)),
)


def space_of(*conditions):
    """One convolution, a second one or none, gated or not, by a gate with a slope or not."""

    def input_(on, _, values):
        return on.conv(on.input(8, 8, 3), 16 if values["wide"] else 8)

    def block(on, x, values):
        if values["block"] == "none":
            return x
        y = on.conv(x, on.channels(x))
        if values["block"] == "plain":
            return y
        kernel = values["slope"] if values["gate"] == "swish" else 3
        return on.add(y, on.activation(on.conv(x, on.channels(x), kernel=kernel), values["gate"]))

    links = (Link(("wide",), input_), Link(("block", "gate", "slope"), block))
    space = Space("gates", DECISIONS)
    return NetworkSpace(space, links, str, lambda _: None, Conditions(space, conditions))


GATE = Condition("gate", "block", ("gated",))
SLOPE = Condition("slope", "gate", ("swish",))


def test_a_decision_without_conditions_always_applies():
    assert space_of().applicable(np.array([[0, 0, 0, 0]])).all()


def test_conditions_hold_by_value_and_through_each_other():
    """The slope goes by the gate, which does not apply where there is no gated block."""
    choices = np.array([[0, 1, 0, 0], [1, 1, 0, 1], [2, 0, 1, 0], [2, 1, 1, 1]])
    for conditions in ((GATE, SLOPE), (SLOPE, GATE)):
        assert space_of(*conditions).applicable(choices).tolist() == [
            [True, False, False, True],
            [True, False, False, True],
            [True, True, False, True],
            [True, True, True, True],
        ]


def test_all_conditions_of_a_decision_must_hold():
    both = Condition("slope", "block", ("plain", "gated"))
    found = space_of(both, SLOPE).applicable(np.array([[0, 1, 0, 0], [1, 0, 0, 0], [1, 1, 0, 0]]))
    assert found[:, 2].tolist() == [False, False, True]


@given(seed=st.integers(0, 2**32 - 1))
def test_what_does_not_apply_leaves_the_layers_alone(seed):
    space, rng = space_of(GATE, SLOPE), np.random.default_rng(seed)
    first, second = space.space.sample(2, rng)
    other = np.where(space.applicable(first[None])[0], first, second)
    assert np.array_equal(space.applicable(first[None]), space.applicable(other[None]))
    assert space.network(other).layers == space.network(first).layers


def test_no_choices_have_no_decisions_that_apply():
    assert space_of(GATE).applicable(np.zeros((0, 4), np.int64)).shape == (0, 4)


@pytest.mark.parametrize(
    ("condition", "sentence"),
    [
        (
            Condition("gates", "block", ("gated",)),
            "names 'gates', which is no decision",
        ),
        (
            Condition("gate", "blocks", ("gated",)),
            "names 'blocks', which is no decision",
        ),
        (Condition("gate", "block", ("gate",)), "decision 'block' is 'gate': allowed are"),
        (Condition("gate", "slope", (1,)), "given 'slope', which does not stand before it"),
        (Condition("gate", "gate", ("swish",)), "given 'gate', which does not stand before it"),
    ],
)
def test_conditions_that_mean_nothing_are_refused(condition, sentence):
    with pytest.raises(SpaceError, match=sentence):
        space_of(condition)
