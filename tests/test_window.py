"""A window of batches in flight: what is asked when, told in which order, and continued how."""

from dataclasses import replace

import numpy as np
import pytest

from nahas.controllers.reinforce import Reinforce
from nahas.cosearch import IN_FLIGHT, Run, continued, cosearch
from nahas.errors import StudyError, UsageError
from nahas.measurer import Measurer
from tests.test_cosearch import REWARD, SPACE, Kept, Noting, accuracy_of, cost_of, searched


def learnt(run, controller=None, begin=lambda _: None, stop=lambda: False):
    """A search by a controller that learns: the trials' choices, and what was kept."""
    kept = Kept()
    controller = controller or Reinforce(SPACE, np.random.default_rng(3))
    measure = Measurer(accuracy_of, cost_of)
    cosearch(controller, measure, REWARD, run, kept, begin=begin, stop=stop)
    return kept.trials.choices if kept else np.zeros((0, 2), np.int64), kept


@pytest.mark.parametrize("ahead", [0, 1, 3])
def test_a_batch_is_asked_when_that_of_the_window_before_it_was_told(ahead):
    controller = Noting()
    searched(controller, trials=20, batch=2, ahead=ahead)
    asked = told = 0
    for what, *_ in controller.log:
        asked += what == "ask"
        told += what == "tell"
        assert asked - told <= ahead + 1
        if what == "ask":
            assert asked - 1 - told <= ahead  # the staleness of what is proposed here
    assert told == 10
    assert [entry[0] for entry in controller.log[: ahead + 2]] == ["ask"] * (ahead + 1) + ["tell"]


def test_batches_begin_in_the_order_of_their_trials_as_far_as_these_are_wanted():
    begun = []
    choices, _ = learnt(Run(trials=7, batch=3, ahead=2), begin=begun.append)
    assert np.concatenate(begun).tolist() == choices.tolist()
    assert [len(some) for some in begun] == [3, 3, 1]


def test_a_proposal_does_not_know_of_the_lessons_that_it_is_ahead_of():
    at_once, _ = learnt(Run(trials=60, batch=5))
    ahead, _ = learnt(Run(trials=60, batch=5, ahead=3))
    assert at_once[:5].tolist() == ahead[:5].tolist()
    assert at_once.tolist() != ahead.tolist()


@pytest.mark.parametrize("ahead", [0, 1, 4])
@pytest.mark.parametrize("cut", [5, 13, 30])
def test_continued_from_any_batch_equals_unbroken(ahead, cut):
    run = Run(trials=40, batch=5, ahead=ahead)
    unbroken, _ = learnt(run)
    _, first = learnt(replace(run, trials=cut))
    learnt_last, _, state = [entry for entry in first if entry[2] is not None][-1]
    start = int(learnt_last.number[-1]) + 1
    controller = Reinforce(SPACE, np.random.default_rng(99))
    begun = []
    rest, _ = learnt(
        continued(replace(run, start=start), controller, state), controller, begun.append
    )
    assert rest.tolist() == unbroken[start:].tolist()
    assert np.concatenate(begun).tolist() == rest.tolist()


def test_the_state_of_a_search_without_a_window_is_its_controllers():
    _, kept = learnt(Run(trials=10, batch=5))
    assert IN_FLIGHT not in kept[-1][2]


def test_a_state_of_another_window_is_refused():
    run = Run(trials=20, batch=5, ahead=1)
    _, kept = learnt(run)
    controller = Reinforce(SPACE, np.random.default_rng(0))
    with pytest.raises(StudyError, match="has 5 trials in flight, but a window of 2 batches"):
        continued(replace(run, start=5, ahead=2), controller, kept[0][2])


def test_a_negative_window_is_refused():
    with pytest.raises(UsageError, match="ahead is -1, but it must be at least 0"):
        Run(trials=5, ahead=-1)
