"""What a search shows while it runs: counts that hold, and lines that fit."""

from __future__ import annotations

import io
import sys
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from nahas.cli import dashboard as shown
from nahas.cli import output
from nahas.cli.dashboard import HINT, LEVELS, STOPPING, Board, dashboard, sparkline
from nahas.cli.output import Output
from nahas.cli.tally import CANNOT_RUN, NO_ACCURACY, RECENT_TRIALS, Share, Tally
from nahas.study.trials import Trials, joined
from tests.cli.test_output import Screen

LIMITS = {"latency_ms": 0.5, "area_mm2": 40.0}


class Clock:
    """Seconds that go on by hand."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def batch_of(first, count=20, seed=0, reward=60.0):
    rng = np.random.default_rng([seed, first])
    reason = np.where(rng.random(count) < 0.1, 2, 0)
    latency = np.where(reason > 0, np.inf, rng.random(count))
    area = 80.0 * rng.random(count)
    return Trials(
        number=np.arange(first, first + count),
        choices=np.zeros((count, 2), np.int64),
        accuracy=np.where(rng.random(count) < 0.05, np.nan, 60.0 + rng.random(count)),
        latency_ms=latency,
        energy_mj=np.where(reason > 0, np.inf, rng.random(count)),
        area_mm2=area,
        parameters=np.full(count, 10**6),
        reason=reason,
        reward=reward + rng.random(count),
        satisfied=(reason == 0) & (latency <= 0.5) & (area <= 40.0),
        time=np.full(count, 1.5e9),
    )


def tally_of(batches, total=2000, limits=LIMITS, seconds=0.1, **options):
    clock = Clock()
    tally = Tally(total, limits, clock=clock, **options)
    for number in range(batches):
        clock.now += seconds
        tally.add(batch_of(20 * number, reward=60.0 + number))
    return tally


def drawn(board, width=80, encoding="utf-8", **options):
    """What a terminal of this width shows."""
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict")
    console = Console(file=file, width=width, height=24, force_terminal=True, **options)
    console.print(board, end="")
    file.flush()
    return file.buffer.getvalue().decode(encoding)


def plain(board, width=80, encoding="utf-8"):
    return drawn(board, width, encoding, color_system=None)


class TestTally:
    def test_counts_what_counting_all_trials_counts(self):
        tally = tally_of(60)
        trials = joined([batch_of(20 * n, reward=60.0 + n) for n in range(60)])
        able = trials.feasible
        expected = {
            "latency_ms": able & (trials.latency_ms > 0.5),
            "area_mm2": able & (trials.area_mm2 > 40),
            CANNOT_RUN: ~able,
            NO_ACCURACY: able & np.isnan(trials.accuracy),
        }
        recent = slice(1200 - RECENT_TRIALS, None)
        assert tally.shares() == {
            name: Share(recent=pytest.approx(of[recent].mean()), overall=pytest.approx(of.mean()))
            for name, of in expected.items()
        }
        assert tally.recent_trials == RECENT_TRIALS
        assert tally.reasons() == {"local memory": pytest.approx((~able).mean())}
        assert tally.missed == pytest.approx((~trials.satisfied).mean())
        assert tally.done == 1200

    def test_the_best_is_within_every_target_before_its_reward_counts(self):
        tally = Tally(100, LIMITS)
        poor = batch_of(0, reward=90.0)
        tally.add(poor[~poor.satisfied])
        assert not tally.best["satisfied"]
        good = batch_of(20, reward=50.0)
        tally.add(good)
        rows = np.flatnonzero(good.satisfied & ~np.isnan(good.accuracy))
        best = rows[np.argmax(good.reward[rows])]
        assert tally.best["number"] == good.number[best]
        assert tally.best["reward"] == good.reward[best]
        tally.add(batch_of(40, reward=40.0))
        assert len(tally.improvements) == 2

    def test_nothing_that_runs_has_no_best(self):
        tally = Tally(100, LIMITS)
        tally.add(batch_of(0)[~batch_of(0).feasible])
        assert tally.best is None

    def test_what_is_kept_does_not_grow_with_the_search(self):
        clock = Clock()
        tally = Tally(10**9, LIMITS, clock=clock)
        sizes = set()
        trials = batch_of(0)
        for number in range(2000):
            clock.now += 0.05
            tally.add(trials)
            if number > 1500:
                sizes.add((len(tally._marks), len(tally._batches), len(tally.improvements)))
        assert max(max(size) for size in sizes) <= 70

    def test_tells_how_quick_it_is_of_late(self):
        tally = tally_of(100, seconds=1.0)
        assert tally.per_second == pytest.approx(20.0)
        assert tally.seconds_left == 0.0
        for number in range(100, 170):
            tally._clock.now += 0.1
            tally.add(batch_of(20 * number))
        assert 20 < tally.per_second < 200

    def test_an_earlier_run_counts_but_is_not_in_the_rate(self):
        clock = Clock()
        tally = Tally(2000, LIMITS, clock=clock)
        tally.recall(batch_of(0, 1000))
        tally.recall(batch_of(0, 0))
        assert tally.done == 1000
        assert tally.per_second is None
        for number in (50, 51):
            clock.now += 2.0
            tally.add(batch_of(20 * number))
        assert tally.per_second == pytest.approx(10.0)
        assert tally.seconds_left == pytest.approx(96.0)

    def test_the_end_comes_by_trials_or_by_time_and_never_before_now(self):
        assert Tally(100, {}).seconds_left is None
        tally = tally_of(10, total=2000, time_limit_s=3.0)
        assert tally.seconds_left == pytest.approx(2.0)
        tally._clock.now += 100
        assert tally.seconds_left == 0.0

    def test_a_clock_that_stands_still_gives_no_rate(self):
        tally = tally_of(3, seconds=0.0)
        assert tally.per_second is None
        assert tally.seconds_left is None


class TestBoard:
    def test_shows_the_search(self):
        board = Board(tally_of(60), (("accelerator", 0), ("network", 1201)), in_flight=4)
        text = plain(board, width=100)
        first, best, measures, head, latency, area, cannot, without, phase, hint = text.splitlines()
        assert first.endswith("1,200 of 2,000 trials   200/s   0:04 left")
        assert first.startswith("━" * 24 + "┄" * 16 + "   ")
        assert best.startswith("best: reward 119.")
        assert "meets every target   trial 1,1" in best
        assert LEVELS[0] in best
        assert LEVELS[-1] in best
        for part in ("accuracy 60.", "latency 0.", "≤ 0.500 ms", "energy 0.", "≤ 40.0 mm²"):
            assert part in measures
        assert head.split() == ["last", "500", "all"]
        assert latency.startswith("misses latency")
        assert area.startswith("misses area")
        assert cannot.startswith("cannot run")
        assert "local memory 1" in cannot
        assert without.startswith("no accuracy")
        assert phase == "phase 1 of 2: accelerator   4 batches in flight"
        assert hint == HINT

    @pytest.mark.parametrize("width", [20, 32, 40, 60, 80, 120])
    @pytest.mark.parametrize("batches", [0, 1, 60])
    def test_no_line_is_wider_than_the_terminal(self, width, batches):
        board = Board(tally_of(batches), (("accelerator", 0), ("network", 1201)))
        lines = plain(board, width).splitlines()
        assert max(map(len, lines)) <= width
        assert len(lines) <= 14

    def test_a_narrow_terminal_gets_all_measures_on_more_lines(self):
        text = plain(Board(tally_of(60)), 40)
        for part in ("1,200 of 2,000 trials", "latency 0.", "energy 0.", "area ", "cannot run"):
            assert part in text

    def test_before_the_first_batch(self):
        text = plain(Board(tally_of(0)))
        assert "0 of 2,000 trials" in text
        assert "best: no design that runs yet" in text
        assert " left" not in text

    def test_without_targets_nothing_is_met_or_missed(self):
        text = plain(Board(tally_of(10, limits={})))
        assert "target" not in text
        assert "misses" not in text
        assert "≤" not in text

    def test_of_a_front_its_volume_takes_the_place_of_a_best_design(self):
        tally = Tally(100, {})
        tally.add(replace(batch_of(0, 3), reward=np.array([0.5, -0.2, 0.125])))
        board = Board(tally, in_flight=3, pareto=True)
        text = plain(board)
        assert "hypervolume 0.625   3 batches in flight" in text
        assert "best" not in text
        assert board.note == "hypervolume 0.625, 33% cannot run, 3 batches in flight"

    def test_a_plain_line_says_which_phase(self):
        board = Board(tally_of(3), (("accelerator", 0), ("network", 60)))
        assert board.note.endswith("miss a target, phase 2 of 2: network")

    def test_an_interrupt_is_answered_at_once(self):
        board = Board(tally_of(3))
        board.stop()
        assert plain(board, 100).splitlines()[-1] == STOPPING

    def test_colours_only_where_they_are_wanted(self):
        board = Board(tally_of(10))
        assert "\x1b[" in drawn(board, color_system="standard")
        assert "\x1b[" not in plain(board)

    def test_a_terminal_of_ascii_gets_ascii(self):
        text = plain(Board(tally_of(60)), encoding="ascii")
        assert text.startswith("####")
        assert "<= 40.0 mm2" in text

    def test_the_sparkline_rises_with_the_best(self):
        bars = sparkline(tally_of(60))
        heights = [LEVELS.index(bar) for bar in bars]
        assert heights == sorted(heights)
        assert heights[0] == 0
        assert heights[-1] == len(LEVELS) - 1
        assert sparkline(Tally(10, {})) == ""
        assert set(sparkline(tally_of(1))) == {LEVELS[0]}

    @pytest.mark.parametrize(
        ("seconds", "text"),
        [(0.0, "0:00"), (42.4, "0:42"), (3599.6, "1:00:00"), (11100, "3:05:00")],
    )
    def test_times_as_people_write_them(self, seconds, text):
        assert shown._clock(seconds) == text


class TestWhere:
    @pytest.fixture
    def stderr(self, monkeypatch):
        def make(terminal, **environment):
            stream = Screen() if terminal else io.StringIO()
            monkeypatch.setattr(sys, "stdout", io.StringIO())
            monkeypatch.setattr(sys, "stderr", stream)
            monkeypatch.setenv("TERM", "xterm-256color")
            for name, value in environment.items():
                monkeypatch.setenv(name, value)
            monkeypatch.setattr(output, "SECONDS_BETWEEN_LINES", -1.0)
            return stream

        return make

    def searched(self, out):
        board = Board(Tally(100, LIMITS))
        with dashboard(out, board) as tell:
            for number in range(5):
                tell(batch_of(20 * number))
        assert board.tally.done == 100

    def test_a_terminal_gets_the_board_and_it_goes_when_the_search_ends(self, stderr):
        stream = stderr(terminal=True)
        self.searched(Output("tell"))
        text = stream.getvalue()
        assert "100 of 100 trials" in text
        last = text.rindex(HINT)
        assert text[last:].count("\x1b[2K") >= 6

    def test_no_color_takes_the_colours_and_leaves_the_board(self, stderr):
        stream = stderr(terminal=True, NO_COLOR="1")
        self.searched(Output("tell"))
        assert "100 of 100 trials" in stream.getvalue()
        assert "\x1b[32m" not in stream.getvalue()

    @pytest.mark.parametrize(("terminal", "term"), [(False, "xterm"), (True, "dumb")])
    def test_elsewhere_there_are_plain_lines(self, stderr, terminal, term):
        stream = stderr(terminal=terminal, TERM=term)
        self.searched(Output("tell"))
        assert "\x1b" not in stream.getvalue()
        if not terminal:
            last = stream.getvalue().splitlines()[-1]
            assert last.startswith("searching: 100 of 100, ")
            assert "best reward 6" in last
            assert last.endswith("% miss a target")

    @pytest.mark.parametrize("out", [Output("tell", verbosity=-1), Output("tell", json=True)])
    @pytest.mark.parametrize("terminal", [False, True])
    def test_quiet_and_json_say_nothing(self, stderr, monkeypatch, out, terminal):
        stream = stderr(terminal=terminal)
        if terminal:  # stdout goes to the same terminal: a document must not be mixed
            monkeypatch.setattr(sys, "stdout", Screen())
        self.searched(out)
        assert stream.getvalue() == ""
