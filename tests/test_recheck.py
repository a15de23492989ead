"""What a search by predicted costs tried is simulated again, and ranked by that."""

import sqlite3
from dataclasses import fields, replace

import numpy as np
import pytest

from nahas import recheck
from nahas.cosearch import rewarded
from nahas.designs import best_designs, distinct_designs
from nahas.errors import StudyError
from nahas.problem import Search
from nahas.reward import Reward, Target
from nahas.strategies import recall, searched
from nahas.study.front import front_rows
from nahas.study.trials import Trials
from tests.fakes import fake_problem, predicted_problem

SEARCH = Search(space="macro", trials=200, batch=20, seed=3, best=4, latency="0.6x")


@pytest.fixture(scope="module")
def result():
    return searched(predicted_problem(), SEARCH)


def same(a, b):
    return all(np.array_equal(getattr(a, f.name), getattr(b, f.name)) for f in fields(Trials))


def test_the_search_saw_predictions_and_the_baseline_is_simulated(result):
    problem = predicted_problem()
    told = problem.predict(result.trials.choices)
    assert np.array_equal(result.trials.latency_ms, told.latency_ms)
    assert result.baseline == searched(fake_problem(), SEARCH).baseline
    assert result.baseline.predicted is None


def test_every_design_that_was_tried_is_simulated_once():
    result = searched(predicted_problem(), replace(SEARCH, trials=1000, seed=2))
    tried, again = result.trials.choices, result.simulated.choices
    assert len(again) == distinct_designs(result.joint, result.trials) < len(tried)
    assert {row.tobytes() for row in again} == {row.tobytes() for row in tried}
    assert np.array_equal(tried[result.simulated.number], again)


@pytest.mark.parametrize("controller", ["random", "ppo"])
@pytest.mark.parametrize("latency", ["0.4x", "0.6x", "1x"])
def test_what_is_reported_is_the_best_that_was_tried(controller, latency):
    search = replace(SEARCH, controller=controller, latency=latency)
    result = searched(predicted_problem(), search)
    trials = result.trials
    reward = Reward.preset("hard", [Target(*pair) for pair in result.targets.items()])
    measures = (trials.accuracy, fake_problem().cost(trials.choices))
    true = rewarded(trials.choices, measures, reward, first=0)
    assert [replace(of, predicted=None) for of in result.best] == best_designs(
        result.joint, true, search.best
    )
    front = front_rows(result.true)
    assert result.true.number[front].tolist() == front_rows(true).tolist()
    assert result.true.satisfied.any() == true.satisfied.any()


def test_of_too_many_designs_those_of_most_predicted_reward_are_simulated(result, monkeypatch):
    monkeypatch.setattr(recheck, "MOST", 30)
    some = searched(predicted_problem(), SEARCH)
    known, predicted = some.simulated.number, result.trials.reward
    assert len(known) == 30
    others = np.setdiff1d(result.simulated.number, known)
    assert predicted[known].min() >= predicted[others].max()
    assert not result.trials.satisfied[known].all()  # near misses are among them


def test_costs_rewards_and_verdicts_of_what_is_reported_are_simulated(result):
    again = result.simulated
    costs = fake_problem().cost(again.choices)
    reward = Reward.preset("hard", [Target(*pair) for pair in result.targets.items()])
    assert np.array_equal(again.latency_ms, costs.latency_ms)
    assert np.array_equal(again.reason, costs.reason)
    assert np.array_equal(again.reward, reward.of(again.accuracy, costs))
    assert np.array_equal(again.satisfied, reward.satisfied(again.accuracy, costs))
    # The optimist is wrong about some of them, or nothing would be tested here.
    assert not np.array_equal(again.satisfied, result.trials[again.number].satisfied)


def test_designs_are_ranked_by_truth_with_the_prediction_beside_it(result):
    keys = [(not d.satisfied, -d.reward, d.energy_mj) for d in result.best]
    assert len(keys) == 4
    assert keys == sorted(keys)
    for design in result.best:
        row = design.trial
        assert design.predicted.latency_ms == result.trials.latency_ms[row]
        assert design.predicted.reward == result.trials.reward[row]
        assert design.predicted.satisfied == result.trials.satisfied[row]
        even = result.trials.choices[row, -1] % 2 == 0
        ratio = design.predicted.latency_ms / design.latency_ms
        assert ratio == pytest.approx(0.7 if even else 1.05)


def test_a_study_keeps_both_and_recalls_them(tmp_path):
    search = replace(SEARCH, study=tmp_path / "study.db")
    result = searched(predicted_problem(), search)
    recalled = recall(search.study, search.best)
    assert same(recalled.simulated, result.simulated)
    assert recalled.best == result.best
    assert recalled.options["cost_model"] == "a" * 64


def test_resumed_equals_unbroken(tmp_path):
    search = replace(SEARCH, study=tmp_path / "study.db")
    searched(predicted_problem(), replace(search, trials=90))
    resumed = searched(predicted_problem(), replace(search, resume=True))
    unbroken = searched(predicted_problem(), SEARCH)
    assert resumed.best == unbroken.best
    assert resumed.simulated.number.tolist() == unbroken.simulated.number.tolist()


def test_a_study_that_was_killed_before_reports_no_design(tmp_path):
    search = replace(SEARCH, study=tmp_path / "study.db")
    searched(predicted_problem(), search)
    with sqlite3.connect(search.study) as database:
        database.execute("DELETE FROM simulated")
    database.close()
    recalled = recall(search.study)
    assert len(recalled.trials) == 200
    assert recalled.best == ()
    assert not recalled.true.satisfied.any()


def test_a_search_that_ended_while_it_simulated_again_completes_on_resume(tmp_path, monkeypatch):
    search = replace(SEARCH, study=tmp_path / "study.db")
    problem = predicted_problem()
    probes = 32  # fingerprints of costs are taken before anything is searched

    def dies(choices):
        if len(choices) > probes:
            raise KeyboardInterrupt
        return problem.cost(choices)

    with pytest.raises(KeyboardInterrupt):
        searched(replace(problem, cost=dies), search)
    assert recall(search.study).best == ()
    resumed = searched(problem, replace(search, resume=True))
    assert resumed.best == searched(problem, SEARCH).best
    assert same(recall(search.study).simulated, resumed.simulated)


@pytest.mark.parametrize(
    ("first", "then", "said"),
    [
        (predicted_problem(), predicted_problem("b" * 64), r"cost_model = 'a+', not 'b+'"),
        (predicted_problem(), fake_problem(), r"cost_model = 'a+', not None"),
        (fake_problem(), predicted_problem(), r"cost_model = None, not 'a+'"),
    ],
)
def test_another_model_or_none_does_not_continue_it(tmp_path, first, then, said):
    search = replace(SEARCH, trials=40, study=tmp_path / "study.db")
    searched(first, search)
    with pytest.raises(StudyError, match=said):
        searched(then, replace(search, resume=True))


def test_without_a_model_nothing_is_simulated_again():
    result = searched(fake_problem(), replace(SEARCH, trials=40))
    assert result.simulated is None
    assert result.true is result.trials
    assert "cost_model" not in result.options
    assert all(design.predicted is None for design in result.best)


def test_what_is_thought_not_to_run_is_simulated_all_the_same():
    problem = predicted_problem()

    def pessimist(choices):
        costs = problem.cost(choices)
        nothing = np.full(len(choices), np.inf)
        return replace(
            costs, latency_ms=nothing, energy_mj=nothing, reason=np.full(len(choices), 3)
        )

    result = searched(replace(problem, predict=pessimist), replace(SEARCH, trials=40))
    assert not result.trials.feasible.any()
    assert result.best[0].feasible
    assert not result.best[0].predicted.feasible
