"""Lines that a cache misses: small cases by hand, and what must hold for all."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nahas.trust.gemmini_cache import Cache, Lines, missed_lines
from nahas.vocabulary import Dim

ONES = dict.fromkeys(Dim, 1)


def test_rows_without_gaps_take_what_they_fill():
    assert Cache(16, 2, 64).lines(4, 128, 128) == Lines(8, 8)
    assert Cache(16, 2, 64).lines(8, 16, 16) == Lines(2, 2)  # several rows a line
    assert Cache(16, 2, 64).lines(1, 16, 16) == Lines(1, 1)


def test_rows_a_power_of_two_apart_crowd_few_sets():
    # Every fourth of 16 sets is reached: 8 lines crowd 4 sets, as 32 lines fill 16.
    assert Cache(16, 2, 64).lines(8, 16, 4 * 64) == Lines(8, 32)
    # Three lines apart all sets are reached.
    assert Cache(16, 2, 64).lines(8, 16, 3 * 64) == Lines(8, 8)


def test_a_layer_that_fits_misses_nothing():
    size = ONES | {Dim.K: 64, Dim.C: 64}
    assert missed_lines(Cache(64, 8, 64), size, 1, ONES | {Dim.K: 64}, [(Dim.C, 64)]) == 0


def test_weights_that_do_not_fit_come_in_for_every_position():
    """64 x 64 weights are 64 lines; inputs and outputs one line a position."""
    size = ONES | {Dim.K: 64, Dim.C: 64, Dim.P: 4}
    tile = ONES | {Dim.K: 64}
    loops = [(Dim.P, 4), (Dim.C, 64)]
    small = Cache(8, 4, 64)  # 32 lines: not even one position
    # Each step of both loops brings a row of weights; the output stays while C runs. The input line
    # is counted anew for every byte of it, as a loop that moves a tensor does.
    assert missed_lines(small, size, 1, tile, loops) == 4 * 64 + 4 * 64 + 4
    large = Cache(1, 67, 64)  # the 66 of a position: within one, each comes in once
    assert missed_lines(large, size, 1, tile, loops) == 4 * 66
    larger = Cache(1, 68, 64)  # and two more: the weights stay from one position to the next
    assert missed_lines(larger, size, 1, tile, loops) == 64 + 4 * 2


def test_a_tile_larger_than_the_cache_comes_in_whole():
    size = ONES | {Dim.K: 64, Dim.C: 64}
    assert missed_lines(Cache(2, 2, 64), size, 1, dict(size), []) == 64 + 1 + 1


counts = st.integers(1, 4).map(lambda power: 2**power)


@given(st.permutations([Dim.K, Dim.C, Dim.P]), counts, counts, counts, st.integers(1, 6))
def test_misses_are_none_or_at_least_every_line_once(order, k, c, p, ways):
    size = ONES | {Dim.K: 64 * k, Dim.C: 64 * c, Dim.P: p}
    tile = ONES | {Dim.K: 64, Dim.C: 64}
    steps = {Dim.K: k, Dim.C: c, Dim.P: p}
    loops = [(dim, steps[dim]) for dim in order]
    missed = missed_lines(Cache(2**ways, 4, 64), size, 1, tile, loops)
    every_line = 64 * c * k + p * c + p * k
    once_a_step = k * c * p * (64 + 1 + 1)
    assert missed == 0 or every_line <= missed <= once_a_step


@given(st.permutations([Dim.K, Dim.C, Dim.P]), counts, counts, counts)
def test_a_cache_that_holds_everything_misses_nothing(order, k, c, p):
    size = ONES | {Dim.K: 64 * k, Dim.C: 64 * c, Dim.P: p}
    steps = {Dim.K: k, Dim.C: c, Dim.P: p}
    loops = [(dim, steps[dim]) for dim in order]
    tile = ONES | {Dim.K: 64, Dim.C: 64}
    assert missed_lines(Cache(2**14, 64, 64), size, 1, tile, loops) == 0
