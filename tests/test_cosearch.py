"""The loop: its order, its ends, its memory."""

import signal
import threading

import numpy as np
import pytest

from nahas.controllers.random import Random
from nahas.cosearch import Run, Stop, cosearch, interrupts
from nahas.cost import DesignCosts
from nahas.errors import UsageError
from nahas.measurer import Measurer
from nahas.reward import Reward, Target
from nahas.spaces.space import Decision, Space
from nahas.study.trials import joined

SPACE = Space("toy", (Decision("a", (0, 1, 2, 3)), Decision("b", (0, 1))))
REWARD = Reward((Target("latency_ms", 2.0),))


def cost_of(choices):
    latency = 1.0 + choices[:, 0]
    reason = np.where(choices[:, 1] * choices[:, 0] == 3, 1, 0)
    return DesignCosts(
        latency_ms=np.where(reason, np.inf, latency),
        energy_mj=np.where(reason, np.inf, latency),
        area_mm2=np.ones(len(choices)),
        parameters=np.full(len(choices), 2**40 + 1),
        reason=reason,
    )


def accuracy_of(choices):
    return 60.0 + choices[:, 0] + 0.5 * choices[:, 1]


class Noting:
    """Random search that notes what happens to it, in order."""

    def __init__(self, seed=0):
        self.inner = Random(SPACE, np.random.default_rng(seed))
        self.log = []

    def ask(self, count):
        self.log.append(("ask", count))
        return self.inner.ask(count)

    def tell(self, choices, rewards):
        self.log.append(("tell", choices.tolist(), rewards.tolist()))

    def state(self):
        return self.inner.state()

    def restore(self, state):
        self.inner.restore(state)


class Kept(list):
    def __call__(self, trials, batch, state):
        self.append((trials, batch, state))

    @property
    def trials(self):
        return joined([trials for trials, _, _ in self])


def searched(controller=None, keep=None, stop=lambda: False, **run):
    keep = Kept() if keep is None else keep
    measure = Measurer(accuracy_of, cost_of)
    end = cosearch(controller or Noting(), measure, REWARD, Run(**run), keep, stop=stop)
    return end, keep


class TestLoop:
    def test_numbers_trials_and_tells_what_it_kept(self):
        controller = Noting()
        end, kept = searched(controller, trials=9, batch=3)
        assert end is Stop.TRIALS
        assert kept.trials.number.tolist() == list(range(9))
        assert [batch for _, batch, _ in kept] == [0, 1, 2]
        assert [entry[0] for entry in controller.log] == ["ask", "tell"] * 3
        for (trials, _, _), (_, choices, rewards) in zip(kept, controller.log[1::2], strict=True):
            assert trials.choices.tolist() == choices
            assert trials.reward.tolist() == rewards

    def test_measures_and_rewards_each_trial(self):
        _, kept = searched(trials=40)
        trials = kept.trials
        assert trials.accuracy.tolist() == accuracy_of(trials.choices).tolist()
        expected = REWARD.of(trials.accuracy, cost_of(trials.choices))
        assert trials.reward.tolist() == expected.tolist()
        assert trials.feasible.any()
        assert not trials.feasible.all()
        assert (trials.reward[~trials.feasible] == 0).all()
        assert trials.satisfied.tolist() == (trials.latency_ms <= 2.0).tolist()
        assert (trials.parameters == 2**40 + 1).all()

    def test_a_batch_cut_short_is_kept_but_not_learnt_from(self):
        controller = Noting()
        _, kept = searched(controller, trials=8, batch=3)
        assert [len(trials) for trials, _, _ in kept] == [3, 3, 2]
        assert [entry[0] for entry in controller.log] == ["ask", "tell", "ask", "tell", "ask"]
        assert controller.log[-1] == ("ask", 3)
        assert kept[-1][2] is None

    def test_a_longer_run_begins_like_a_shorter_one(self):
        _, short = searched(trials=8, batch=3)
        _, long = searched(trials=20, batch=3)
        assert long.trials.choices[:8].tolist() == short.trials.choices.tolist()

    @pytest.mark.parametrize("cut", [3, 6, 7, 8])
    def test_continued_equals_unbroken(self, cut):
        _, unbroken = searched(trials=12, batch=3)
        _, first = searched(trials=cut, batch=3)
        learnt, _, state = [entry for entry in first if entry[2] is not None][-1]
        controller = Noting(seed=99)
        controller.restore(state)
        start = int(learnt.number[-1]) + 1
        _, rest = searched(controller, trials=12, batch=3, start=start)
        both = np.concatenate([first.trials.choices[:start], rest.trials.choices])
        assert both.tolist() == unbroken.trials.choices.tolist()
        assert rest[0][1] == start // 3


class TestEnds:
    def test_by_time_after_the_batch_in_flight(self, monkeypatch):
        clock = iter([0.0, 0.0, 4.0, 10.0])
        monkeypatch.setattr("nahas.cosearch.time.monotonic", lambda: next(clock))
        end, kept = searched(trials=100, batch=5, time_limit_s=10.0)
        assert end is Stop.TIME
        assert len(kept) == 2

    def test_when_asked_to(self):
        answers = iter([False, False, True])
        end, kept = searched(trials=100, batch=5, stop=lambda: next(answers))
        assert end is Stop.INTERRUPT
        assert len(kept) == 2

    def test_at_once_when_all_trials_are_there(self):
        end, kept = searched(trials=10, batch=5, start=10)
        assert end is Stop.TRIALS
        assert kept == []

    @pytest.mark.parametrize(
        ("run", "message"),
        [
            ({"trials": 0}, "trials is 0, but it must be at least 1"),
            ({"trials": 5, "batch": 0}, "batch is 0"),
            ({"trials": 5, "start": -1}, "start is -1"),
            ({"trials": 5, "time_limit_s": 0.0}, "time limit is 0.0 s"),
            ({"trials": 5, "time_limit_s": float("nan")}, "time limit is nan s"),
        ],
    )
    def test_that_mean_nothing(self, run, message):
        with pytest.raises(UsageError, match=message):
            Run(**run)


class TestMeasurer:
    def test_measures_each_distinct_choice_once(self):
        seen = []

        def cost(choices):
            seen.extend(map(tuple, choices.tolist()))
            return cost_of(choices)

        measure = Measurer(accuracy_of, cost)
        rows = np.array([[0, 0], [1, 1], [0, 0], [3, 1]])
        for _ in range(3):
            accuracy, costs = measure(rows)
            assert accuracy.tolist() == accuracy_of(rows).tolist()
            assert costs.latency_ms.tolist() == cost_of(rows).latency_ms.tolist()
            assert costs.reason.dtype == np.int64
        assert sorted(seen) == [(0, 0), (1, 1), (3, 1)]

    def test_takes_over_what_a_study_measured(self):
        _, kept = searched(trials=60)

        def refuse(_):
            raise AssertionError("measured again")

        measure = Measurer(refuse, refuse)
        measure.learn(kept.trials)
        accuracy, costs = measure(kept.trials.choices)
        assert accuracy.tolist() == kept.trials.accuracy.tolist()
        assert costs.parameters.tolist() == kept.trials.parameters.tolist()

    def test_keeps_a_failed_accuracy_as_it_is(self):
        measure = Measurer(lambda choices: np.full(len(choices), np.nan), cost_of)
        assert np.isnan(measure(np.array([[0, 0], [0, 0]]))[0]).all()


class TestInterrupts:
    def test_note_the_first_press_and_raise_at_the_second(self):
        before = signal.getsignal(signal.SIGINT)

        def press_twice():
            with interrupts() as pressed:
                assert not pressed()
                signal.raise_signal(signal.SIGINT)
                assert pressed()
                signal.raise_signal(signal.SIGINT)

        with pytest.raises(KeyboardInterrupt):
            press_twice()
        assert signal.getsignal(signal.SIGINT) is before

    def test_are_never_seen_outside_the_main_thread(self):
        answers = []

        def work():
            with interrupts() as pressed:
                answers.append(pressed())

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert answers == [False]
