"""Who is told of a search, in what order, and what becomes of one that fails."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nahas.trackers.scalars import RECENT, Scalars, entropy_bits
from nahas.trackers.told import Trackers
from tests.report.conftest import TARGETS, made_up

TRIALS = made_up(60, TARGETS).trials


class Noting:
    """Writes down what it hears; fails where it is told to."""

    def __init__(self, heard, fails=()):
        self.heard, self.fails = heard, fails

    def _note(self, what):
        self.heard.append(what)
        if what[0] in self.fails:
            raise RuntimeError(f"{what[0]} went\nwrong")

    def begin(self, earlier):
        self._note(("begin", len(earlier)))

    def __call__(self, trials):
        self._note(("batch", len(trials)))

    def end(self, result, files):
        self._note(("end", result, tuple(files)))


def test_all_that_happens_in_order():
    heard, plain = [], []
    named = {"whole": Noting(heard), "plain": lambda trials: plain.append(len(trials))}
    with Trackers(named, pytest.fail) as trackers:
        trackers.begin(TRIALS[:0])
        trackers(TRIALS[:20])
        trackers(TRIALS[20:])
        trackers.end("result", ["page"])
    assert heard == [("begin", 0), ("batch", 20), ("batch", 40), ("end", "result", ("page",))]
    assert plain == [20, 40]


def test_one_that_fails_is_left_out_and_the_others_hear_on():
    bad, good, warned = [], [], []
    named = {"bad": Noting(bad, ("batch",)), "good": Noting(good)}
    with Trackers(named, warned.append) as trackers:
        trackers.begin(TRIALS[:0])
        trackers(TRIALS[:20])
        trackers(TRIALS[20:])
    assert [what for what, *_ in bad] == ["begin", "batch"]
    assert [what for what, *_ in good] == ["begin", "batch", "batch", "end"]
    assert warned == [
        "tracker 'bad' has failed (batch went wrong): it hears no more of this search, whose "
        "trials are all in its study"
    ]


def test_a_search_that_fails_is_ended_without_a_result():
    heard = []

    def interrupted():
        with Trackers({"one": Noting(heard)}, pytest.fail) as trackers:
            trackers.begin(TRIALS[:5])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert heard == [("begin", 5), ("end", None, ())]


def test_one_that_cannot_begin_ends_the_command_before_the_search():
    heard, other = [], []
    named = {"first": Noting(heard), "second": Noting(other, ("begin",))}
    with (
        pytest.raises(RuntimeError, match="begin went"),
        Trackers(named, pytest.fail) as trackers,
    ):
        trackers.begin(TRIALS[:0])
    assert [what for what, *_ in heard] == ["begin", "end"]
    assert other == [("begin", 0)]


def test_scalars_are_of_the_batch_and_of_all_before():
    scalars = Scalars()
    first, second = scalars.after(TRIALS[:20]), scalars.after(TRIALS[20:40])
    assert second["best_reward"] == TRIALS.reward[:40].max() >= first["best_reward"]
    assert second["mean_reward"] == pytest.approx(TRIALS.reward[20:40].mean())
    assert second["satisfied_share"] == TRIALS.satisfied[20:40].mean()
    resumed = Scalars()
    resumed.recall(TRIALS[:20])
    assert resumed.after(TRIALS[20:40]) == second


def test_of_a_front_the_hypervolume():
    scalars = Scalars(pareto=True)
    rewards = np.where(TRIALS.number % 3 == 0, 0.01, -0.5)
    of_front = replace(TRIALS, reward=rewards)
    scalars.recall(of_front[:20])
    after = scalars.after(of_front[20:40])
    assert after["hypervolume"] == pytest.approx(0.14)
    assert "best_reward" not in after


def test_without_a_design_that_meets_all_there_is_no_best_of_them():
    none = TRIALS[~TRIALS.satisfied]
    assert "best_satisfied_reward" not in Scalars().after(none)


def test_entropy_is_that_of_textbooks():
    column = np.array([0, 0, 1, 1, 2, 2, 3, 3])
    assert entropy_bits(np.stack([column, np.zeros(8, int)], axis=1)) == pytest.approx(1.0)
    scalars = Scalars()
    scalars.recall(made_up(RECENT, TARGETS).trials)
    same = made_up(RECENT, TARGETS).trials
    same.choices[:] = same.choices[0]
    assert scalars.after(same)["entropy_bits"] == 0.0
