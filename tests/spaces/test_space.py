"""Decisions, spaces and choices."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nahas.errors import SpaceError
from nahas.spaces import space as space_module
from nahas.spaces.space import Decision, Space, codes, join

COLOURS = Decision("colour", ("red", "green", "blue"))
SIZES = Decision("size", (1, 2))
SWITCH = Decision("switch", (False, True))
SPACE = Space("toys", (COLOURS, SIZES, SWITCH))


def spaces():
    decisions = st.lists(st.integers(1, 6), min_size=1, max_size=5)
    return decisions.map(
        lambda counts: Space(
            "drawn", tuple(Decision(f"d{i}", tuple(range(n))) for i, n in enumerate(counts))
        )
    )


def test_a_decision_needs_a_value():
    with pytest.raises(SpaceError, match="decision 'kernel' has no values"):
        Decision("kernel", ())


def test_a_decision_lists_no_value_twice():
    with pytest.raises(SpaceError, match="decision 'kernel' lists a value twice"):
        Decision("kernel", (3, 5, 3))


def test_a_value_is_found_by_its_position_or_refused_with_what_is_allowed():
    assert COLOURS.index("green") == 1
    sentence = "decision 'colour' is 'mauve': allowed are ['red', 'green', 'blue']"
    with pytest.raises(SpaceError, match=re.escape(sentence)):
        COLOURS.index("mauve")


def test_numbers_and_switches_are_not_mixed_up():
    assert SWITCH.index(True) == 1
    with pytest.raises(SpaceError, match="decision 'switch' is 1"):
        SWITCH.index(1)
    with pytest.raises(SpaceError, match="decision 'size' is True"):
        SIZES.index(True)


def test_an_empty_space_is_refused():
    with pytest.raises(SpaceError, match="space 'none' is empty"):
        Space("none", ())


def test_two_decisions_of_one_name_are_refused():
    with pytest.raises(SpaceError, match=re.escape("names these decisions twice: ['size']")):
        Space("twice", (SIZES, COLOURS, SIZES))


def test_size_is_the_product_and_exact_beyond_64_bits():
    assert SPACE.size == 12
    many = tuple(Decision(f"d{i}", (0, 1, 2)) for i in range(60))
    assert Space("large", many).size == 3**60


def test_every_value_is_drawn_about_equally_often():
    drawn = SPACE.sample(6000, np.random.default_rng(3))
    SPACE.check(drawn)
    for column, decision in enumerate(SPACE.decisions):
        counts = np.bincount(drawn[:, column], minlength=len(decision.values))
        expected = 6000 / len(decision.values)
        # Five standard deviations of a binomial count.
        assert np.all(np.abs(counts - expected) < 5 * np.sqrt(expected))


def test_the_same_seed_draws_the_same_choices():
    first, second = (SPACE.sample(50, np.random.default_rng(7)) for _ in range(2))
    assert np.array_equal(first, second)
    assert first.dtype == np.int64
    assert not np.array_equal(first, SPACE.sample(50, np.random.default_rng(8)))


@given(spaces(), st.integers(0, 2**32))
def test_values_and_choice_are_each_others_reverse(space, seed):
    for choice in space.sample(3, np.random.default_rng(seed)):
        assert np.array_equal(space.choice(space.values(choice)), choice)


@pytest.mark.parametrize("shape", [(3,), (2, 2), (1, 4), (1, 3, 1)])
def test_choices_have_one_column_per_decision(shape):
    with pytest.raises(SpaceError, match="space 'toys' has 3 decisions, but the choices have"):
        SPACE.check(np.zeros(shape, dtype=np.int64))


@pytest.mark.parametrize("index", [-1, 2])
def test_an_index_out_of_range_is_named(index):
    choices = np.array([[0, 0, 0], [2, index, 1]])
    sentence = f"choice 1: index {index} of decision 'size' is outside 0 to 1"
    with pytest.raises(SpaceError, match=sentence):
        SPACE.check(choices)


def test_a_misspelt_decision_gets_a_suggestion():
    with pytest.raises(SpaceError, match="unknown decision 'color'; did you mean 'colour'"):
        SPACE.choice({"color": "red", "size": 1, "switch": True})
    with pytest.raises(SpaceError, match=r"unknown decision 'weight'$"):
        SPACE.choice({"weight": 1})


def test_missing_decisions_are_listed():
    with pytest.raises(SpaceError, match=re.escape("no value for decisions ['size', 'switch']")):
        SPACE.choice({"colour": "red"})


@given(st.lists(spaces(), min_size=1, max_size=3), st.integers(0, 2**32))
def test_split_undoes_join(parts, seed):
    parts = [
        Space(f"p{i}", tuple(Decision(f"p{i}{d.name}", d.values) for d in part.decisions))
        for i, part in enumerate(parts)
    ]
    whole = join("whole", parts)
    assert whole.size == np.prod([part.size for part in parts], dtype=object)
    choices = whole.sample(4, np.random.default_rng(seed))
    columns = whole.split(choices, parts)
    assert np.array_equal(np.concatenate(columns, axis=1), choices)
    for part, column in zip(parts, columns, strict=True):
        part.check(column)


class TestCodes:
    def test_stand_in_the_order_of_the_rows_and_equal_rows_are_alike(self, monkeypatch):
        rng = np.random.default_rng(0)
        for most in (1 << 62, 50):
            monkeypatch.setattr(space_module, "MOST_CODES", most)
            for _ in range(20):
                rows = rng.integers(-1, 3, (30, 4))
                _, first, which = np.unique(rows, axis=0, return_index=True, return_inverse=True)
                _, ours, alike = np.unique(codes(rows), return_index=True, return_inverse=True)
                assert ours.tolist() == first.tolist()
                assert alike.tolist() == which.reshape(-1).tolist()

    def test_of_no_rows_are_none(self):
        assert codes(np.zeros((0, 3), np.int64)).shape == (0,)
