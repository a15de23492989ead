"""Pareto mode: the reward that adds up to the hypervolume, the front, and the search."""

from dataclasses import replace

import numpy as np
import pytest

from nahas.cost import DesignCosts
from nahas.errors import RewardError, StudyError
from nahas.kernels.pareto import hypervolume, nondominated
from nahas.pareto import LOWEST, OBJECTIVES, REFERENCE, ParetoReward, front_of
from nahas.problem import Search
from nahas.report.summary import document, none_met
from nahas.strategies import check, recall, searched
from tests.fakes import fake_problem, predicted_problem
from tests.test_strategies import same_but_time

SEARCH = Search(space="macro", controller="evolution", pareto=True, trials=400, batch=20)
CORNER = np.array([-REFERENCE["accuracy"], *(REFERENCE[name] for name in OBJECTIVES[1:])])


def costs(latency_ms, energy_mj=1.0, area_mm2=1.0, reason=0):
    columns = np.broadcast_arrays(*map(np.atleast_1d, (latency_ms, energy_mj, area_mm2, reason)))
    latency, energy, area, reasons = (np.array(column, float) for column in columns)
    return DesignCosts(
        latency_ms=latency,
        energy_mj=energy,
        area_mm2=area,
        parameters=np.ones(latency.size, np.int64),
        reason=reasons.astype(np.int64),
    )


def reward():
    return ParetoReward((80.0, 1.0, 1.0, 1.0))


def volume(result, trials=None):
    trials = result.true if trials is None else trials
    baseline = ParetoReward(tuple(getattr(result.baseline, name) for name in OBJECTIVES))
    return hypervolume(baseline.objectives(trials.accuracy, trials.costs), CORNER)


@pytest.fixture(scope="module")
def result():
    return searched(fake_problem(), SEARCH)


class TestReward:
    def test_of_the_baseline_is_half_and_of_the_baseline_again_nothing(self):
        of = reward()
        assert of.of(np.array([80.0, 80.0]), costs([1.0, 1.0])) == pytest.approx([0.5, 0.0])

    def test_of_what_adds_nothing_falls_with_the_distance_from_doing_so(self):
        of = reward()
        of.of(np.array([80.0]), costs(1.0))
        worse = of.of(np.array([72.0, 72.0, 40.0]), costs([1.0, 1.5, 11.0], 1.2, 1.3))
        # The accuracy is a tenth of the baseline's short, the last by half, and by 9 in latency.
        assert worse == pytest.approx([0.0, -0.1 / 1.1, -9 / 10])

    def test_of_what_cannot_run_or_has_no_accuracy_is_the_lowest(self):
        found = reward().of(
            np.array([80.0, np.nan, 80.0]), costs([1.0, 1.0, np.inf], reason=[2, 0, 0])
        )
        assert found.tolist() == [LOWEST] * 3

    def test_adds_up_to_the_hypervolume_whatever_the_batches(self):
        rng = np.random.default_rng(0)
        accuracy = rng.uniform(30, 90, 200)
        some = costs(*rng.uniform(0.2, 2.5, (3, 200)))
        whole, parts = reward(), reward()
        together = whole.of(accuracy, some)
        expected = hypervolume(whole.objectives(accuracy, some), CORNER)
        assert together[together > 0].sum() == pytest.approx(expected)
        assert together.min() >= LOWEST
        for first in range(0, 200, 30):
            rows = slice(first, first + 30)
            part = costs(some.latency_ms[rows], some.energy_mj[rows], some.area_mm2[rows])
            assert parts.of(accuracy[rows], part).tolist() == together[rows].tolist()

    def test_a_baseline_that_cannot_run_measures_nothing(self):
        with pytest.raises(RewardError, match="the baseline cannot run: give another --baseline"):
            ParetoReward((80.0, np.inf, np.inf, 1.0))

    @pytest.mark.parametrize("accuracy", [np.nan, np.inf, 0.0, -1.0])
    def test_a_baseline_without_an_accuracy_measures_nothing(self, accuracy):
        with pytest.raises(RewardError, match=r"accuracy is .* and must be above 0: give another"):
            ParetoReward((accuracy, 1.0, 1.0, 1.0))


class TestSearch:
    def test_reports_the_front(self, result):
        trials, front = result.trials, result.front
        assert result.targets == {}
        table = np.stack(
            [-trials.accuracy, trials.latency_ms, trials.energy_mj, trials.area_mm2], axis=1
        )
        assert sorted(front.rows.tolist()) == np.flatnonzero(nondominated(table)).tolist()
        assert (np.diff(trials.accuracy[front.rows]) <= 0).all()
        assert front.hypervolume == pytest.approx(volume(result))
        assert front.hypervolume == pytest.approx(trials.reward.clip(0).sum())

    def test_tracks_the_hypervolume(self, result):
        after = result.front.after_batch
        assert len(after) == 20
        for batch in (0, 7, 19):
            seen = result.trials[: 20 * (batch + 1)]
            assert after[batch] == pytest.approx(volume(result, seen))

    def test_shows_designs_from_one_end_of_the_front_to_the_other(self, result):
        shown = result.designs(5)
        assert len(shown) == 5
        ends = result.trials.accuracy[result.front.rows[[0, -1]]]
        assert [shown[0].accuracy, shown[-1].accuracy] == ends.tolist()
        assert len(result.designs(10_000)) == len(result.front.rows)
        assert [of.trial for of in result.best] == [of.trial for of in result.designs(10)]

    def test_says_so_in_json(self, result):
        told = document(result, 3)
        assert len(told["best"]) == 3
        assert told["pareto"]["designs_on_front"] == len(result.front.rows)
        assert told["pareto"]["hypervolume"] == told["pareto"]["hypervolume_after_batch"][-1]
        assert told["options"]["reward"] == "pareto"
        assert (
            document(searched(fake_problem(), replace(SEARCH, pareto=False)), 1)["pareto"] is None
        )

    @pytest.mark.parametrize("controller", ["evolution", "local", "reinforce", "nsga2"])
    def test_beats_as_many_random_draws(self, controller):
        if controller == "nsga2":
            pytest.importorskip("optuna", reason="needs the extra search")
        found, drawn = (
            searched(fake_problem(), replace(SEARCH, controller=name)).front.hypervolume
            for name in (controller, "random")
        )
        assert found > drawn

    def test_nothing_that_runs_is_an_empty_front(self, result):
        nothing = replace(result.trials, reason=np.full(400, 2))
        front = front_of(nothing, reward(), 20)
        assert (len(front.rows), front.hypervolume, front.after_batch.tolist()) == (
            0,
            0.0,
            [0.0] * 20,
        )
        assert "no design can run" in none_met(replace(result, front=front))

    def test_with_a_cost_model_the_front_is_simulated(self):
        result = searched(predicted_problem(), replace(SEARCH, trials=100))
        assert result.simulated is not None
        assert result.front.hypervolume == pytest.approx(volume(result))
        assert all(of.predicted is not None for of in result.designs(3))


class TestStudy:
    @pytest.mark.parametrize("controller", ["evolution", "local"])
    def test_resumed_equals_unbroken(self, tmp_path, controller):
        search = replace(SEARCH, controller=controller, trials=200)
        whole = searched(fake_problem(), search)
        parts = replace(search, study=tmp_path / "study.db")
        searched(fake_problem(), replace(parts, trials=90))  # ends within a batch
        resumed = searched(fake_problem(), replace(parts, resume=True))
        assert same_but_time(whole.trials, resumed.trials)
        assert resumed.front.after_batch.tolist() == whole.front.after_batch.tolist()
        read = recall(tmp_path / "study.db")
        assert read.front.rows.tolist() == whole.front.rows.tolist()
        assert read.best == resumed.best

    def test_is_not_continued_by_a_search_with_targets(self, tmp_path):
        search = replace(SEARCH, trials=40, study=tmp_path / "study.db")
        searched(fake_problem(), search)
        with pytest.raises(StudyError, match="was searched with reward"):
            check(fake_problem(), replace(search, pareto=False, resume=True))
