"""Rounding of scaled networks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nahas.spaces.scaling import rounded_filters, scaled_repeats


@pytest.mark.parametrize(
    ("filters", "divisor", "rounded"),
    [
        (32 * 1.1, 8, 32),  # 35.2: nearest
        (16 * 1.2, 8, 24),  # 19.2: 16 would take more than a tenth away
        (24 * 1.2, 8, 32),
        (20, 8, 24),  # halves go up
        (3, 8, 8),  # the divisor is the least
        (18, 4, 20),
        (32 * 1.2, 4, 40),
        (8.8, 4, 8),
        (9.6, 4, 12),
    ],
)
def test_filters(filters, divisor, rounded):
    assert rounded_filters(filters, divisor) == rounded


@given(st.floats(1, 5000), st.sampled_from([4, 8]))
def test_filters_are_multiples_near_what_was_asked_for(filters, divisor):
    rounded = rounded_filters(filters, divisor)
    assert rounded % divisor == 0
    assert rounded >= max(divisor, 0.9 * filters)
    assert rounded <= filters + divisor


def test_repeats():
    assert [scaled_repeats(repeats, 1.1) for repeats in (1, 2, 3, 4)] == [2, 3, 4, 5]
    assert [scaled_repeats(repeats, 1.2) for repeats in (1, 2, 3, 4)] == [2, 3, 4, 5]
    assert [scaled_repeats(repeats, 1.4) for repeats in (1, 2, 3, 4)] == [2, 3, 5, 6]
    assert scaled_repeats(4, 1.0) == 4
