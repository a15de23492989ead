"""Joint search from options to named designs, on arithmetic instead of a simulator."""

import signal
import sqlite3
from dataclasses import fields, replace

import numpy as np
import pytest

from nahas.cosearch import Stop
from nahas.designs import best_rows
from nahas.errors import AccuracyError, RewardError, SpaceError, StudyError, UsageError
from nahas.problem import Search, problem_of
from nahas.strategies import check, recall, searched
from nahas.study.trials import Trials
from tests.fakes import FakeCost, fake_problem

QUICK = Search(space="macro", controller="random", trials=60, batch=20)


def same_but_time(a, b):
    return all(
        np.array_equal(getattr(a, f.name), getattr(b, f.name))
        for f in fields(Trials)
        if f.name != "time"
    )


class TestJoint:
    def test_reports_distinct_networks_best_first(self):
        result = searched(fake_problem(), replace(QUICK, trials=400))
        best = result.best
        assert len(best) == 10
        assert all(design.feasible for design in best)
        keys = [(not d.satisfied, -d.reward, d.energy_mj, d.area_mm2, d.trial) for d in best]
        assert keys == sorted(keys)
        assert len({design.network for design in best}) == 10
        assert result.stop is Stop.TRIALS
        assert result.accuracy_label == "top-1 % of arithmetic"

    def test_a_design_is_what_its_names_say(self):
        problem = fake_problem()
        result = searched(problem, QUICK)
        space = problem.joint.network_space
        for design in result.best:
            choice = space.choice_named(design.network)
            assert space.space.values(choice) == design.network_values
            accuracy = problem.accuracy.accuracy(choice[None])[0]
            assert design.accuracy == pytest.approx(accuracy, rel=1e-12)
            hardware_choice = problem.joint.accelerator.choice(design.hardware)
            row = np.concatenate([choice, hardware_choice])[None]
            costs = problem.cost(row)
            assert design.latency_ms == costs.latency_ms[0]
            assert design.area_mm2 == costs.area_mm2[0]

    def test_targets_are_multiples_of_the_baseline_design(self):
        search = replace(QUICK, latency="0.5x", energy=3.5, area=None)
        result = searched(fake_problem(), search)
        assert result.targets == {
            "latency_ms": pytest.approx(0.5 * result.baseline.latency_ms),
            "energy_mj": 3.5,
        }
        assert result.baseline.network == "macro:11111111"
        assert result.baseline.trial is None
        for design in result.best:
            met = design.latency_ms <= result.targets["latency_ms"] and design.energy_mj <= 3.5
            assert design.satisfied == met

    def test_the_baseline_meets_its_own_targets(self):
        baseline = searched(fake_problem(), QUICK).baseline
        assert baseline.satisfied
        assert baseline.reward == baseline.accuracy

    def test_tells_of_every_batch(self):
        seen = []
        searched(fake_problem(), QUICK, lambda trials: seen.append(trials.number.tolist()))
        assert seen == [list(range(first, first + 20)) for first in (0, 20, 40)]

    def test_same_seed_same_trials(self):
        first, second = (searched(fake_problem(), QUICK).trials for _ in range(2))
        assert same_but_time(first, second)
        other = searched(fake_problem(), replace(QUICK, seed=1)).trials
        assert not same_but_time(first, other)

    def test_costs_a_design_once_however_often_it_is_proposed(self):
        problem = fake_problem()
        result = searched(problem, replace(QUICK, controller="ppo", trials=1000, seed=2))
        distinct = len(np.unique(result.trials.choices, axis=0))
        assert isinstance(problem.simulate, FakeCost)
        # Besides the trials: the baseline, and 32 probes for the fingerprint.
        assert problem.simulate.designs == distinct + 33
        assert distinct < 1000

    def test_learning_beats_as_many_random_draws(self):
        search = replace(QUICK, trials=1000)
        drawn = searched(fake_problem(), search)
        learnt = searched(fake_problem(), replace(search, controller="ppo"))
        assert learnt.best[0].reward > drawn.best[0].reward

    def test_ctrl_c_ends_after_the_batch_with_what_was_found(self):
        def press(trials):
            if trials.number[0] == 20:
                signal.raise_signal(signal.SIGINT)

        result = searched(fake_problem(), QUICK, press)
        assert result.stop is Stop.INTERRUPT
        assert len(result.trials) == 40
        assert result.best

    def test_nothing_feasible_is_an_empty_list(self):
        result = searched(fake_problem(), QUICK)
        nothing = replace(result.trials, reason=np.full(60, 2))
        rows, further = best_rows(result.joint, nothing, 10)
        assert rows.size == further.size == 0

    def test_of_each_network_the_best_accelerator_is_listed(self):
        result = searched(fake_problem(), replace(QUICK, controller="ppo", trials=400))
        trials, blocks = result.trials, 8
        rows, further = best_rows(result.joint, trials, 10_000)
        by_network = {}
        for row in np.flatnonzero(trials.feasible):
            network = tuple(trials.choices[row, :blocks])
            key = (
                not trials.satisfied[row],
                -trials.reward[row],
                trials.energy_mj[row],
                trials.area_mm2[row],
                row,
            )
            found = by_network.setdefault(network, ([], set()))
            found[0].append(key)
            found[1].add(tuple(trials.choices[row, blocks:]))
        expected = sorted((min(keys), len(seen) - 1) for keys, seen in by_network.values())
        assert [key[-1] for key, _ in expected] == rows.tolist()
        assert [others for _, others in expected] == further.tolist()
        assert max(further) > 0

    @pytest.mark.parametrize(
        ("change", "error", "message"),
        [
            ({"latency": "nan"}, RewardError, "target nan means nothing"),
            ({"area": 0}, RewardError, "target 0 means nothing"),
            ({"reward": "firm"}, RewardError, "no reward preset 'firm'"),
            ({"controller": "annealing"}, UsageError, "no controller 'annealing': allowed are ppo"),
            ({"trials": 0}, UsageError, "trials is 0"),
            ({"resume": True}, UsageError, "no study to resume: name its file with --study"),
        ],
    )
    def test_bad_options_are_named(self, change, error, message):
        for function in (check, searched):
            if function is searched or "resume" not in change:
                with pytest.raises(error, match=message):
                    function(fake_problem(), replace(QUICK, **change))


class TestStudy:
    @pytest.fixture
    def search(self, tmp_path):
        return replace(QUICK, study=tmp_path / "study.db")

    def test_holds_the_same_trials_as_a_search_without(self, search):
        alone = searched(fake_problem(), QUICK)
        kept = searched(fake_problem(), search)
        assert same_but_time(alone.trials, kept.trials)
        assert alone.best == kept.best

    def test_is_recalled_without_searching(self, search):
        result = searched(fake_problem(), search)
        recalled = recall(search.study)
        assert recalled.best == result.best
        assert recalled.targets == result.targets
        assert recalled.baseline == result.baseline
        assert recalled.accuracy_label == result.accuracy_label
        assert same_but_time(recalled.trials, result.trials)
        assert recalled.stop is None

    @pytest.mark.parametrize("controller", ["random", "ppo"])
    @pytest.mark.parametrize("cut", [40, 50])
    def test_continued_equals_unbroken(self, search, tmp_path, controller, cut):
        search = replace(search, controller=controller, trials=100)
        unbroken = searched(fake_problem(), replace(search, study=tmp_path / "other.db"))
        searched(fake_problem(), replace(search, trials=cut))
        resumed = searched(fake_problem(), replace(search, resume=True))
        assert same_but_time(unbroken.trials, resumed.trials)
        assert unbroken.best == resumed.best

    @pytest.mark.parametrize(
        "statement",
        [
            """UPDATE study SET notes = '{"accuracy": "", "targets": {}, "baseline": {}}'""",
            "UPDATE study SET options = '{}'",
        ],
    )
    def test_a_damaged_one_is_not_recalled(self, search, statement):
        searched(fake_problem(), search)
        with sqlite3.connect(search.study) as database:
            database.execute(statement)
        database.close()
        with pytest.raises(StudyError, match=r"is damaged.*restore a copy"):
            recall(search.study)

    def test_checking_writes_nothing_and_sees_another_search(self, search):
        check(fake_problem(), search)
        assert not search.study.exists()
        with pytest.raises(StudyError, match="there is no study"):
            check(fake_problem(), replace(search, resume=True))
        searched(fake_problem(), search)
        before = search.study.read_bytes()
        check(fake_problem(), replace(search, resume=True))
        with pytest.raises(StudyError, match="has seed 0, not 5"):
            check(fake_problem(), replace(search, resume=True, seed=5))
        assert search.study.read_bytes() == before

    def test_resuming_a_finished_study_searches_nothing(self, search):
        result = searched(fake_problem(), search)
        again = searched(fake_problem(), replace(search, resume=True))
        assert same_but_time(result.trials, again.trials)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"seed": 5}, "has seed 0, not 5"),
            ({"controller": "ppo"}, "controller = 'random', not 'ppo'"),
            ({"reward": "soft"}, "reward = 'hard', not 'soft'"),
            ({"batch": 10}, "batch = 20, not 10"),
            ({"latency": "0.9x"}, "targets = .*'1x'"),
        ],
    )
    def test_another_search_does_not_continue_it(self, search, change, message):
        searched(fake_problem(), search)
        with pytest.raises(StudyError, match=message):
            searched(fake_problem(), replace(search, resume=True, **change))

    def test_other_accuracies_do_not_continue_it(self, search):
        searched(fake_problem(), search)
        with pytest.raises(StudyError, match="with other accuracies"):
            searched(fake_problem(factor=1.01), replace(search, resume=True))

    def test_is_not_overwritten(self, search):
        searched(fake_problem(), search)
        with pytest.raises(StudyError, match="exists already"):
            searched(fake_problem(), search)


class TestProblem:
    def test_of_an_unknown_space(self):
        with pytest.raises(SpaceError, match="unknown space 'mnasnett': did you mean 'mnasnet'"):
            problem_of(Search(space="mnasnett"))

    def test_of_a_space_without_accuracies(self):
        with pytest.raises(
            AccuracyError, match=r"space 'macro' has no packaged accuracies.*--table"
        ):
            problem_of(Search(space="macro"))

    def test_of_another_hardware_space_which_its_study_knows(self, tmp_path):
        search = Search(
            hardware_space="wide", controller="random", trials=20, study=tmp_path / "study.db"
        )
        result = searched(problem_of(search), search)
        recalled = recall(search.study)
        assert recalled.joint.hardware_space == "wide"
        assert recalled.best == result.best
        paper = replace(search, hardware_space="paper", resume=True)
        problem = problem_of(paper)
        with pytest.raises(StudyError, match=r"space 'mnasnet\+wide' .* today's 'mnasnet\+acc"):
            check(problem, paper)
