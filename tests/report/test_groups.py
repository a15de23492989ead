"""Several studies in one page: which belong together, what they are called, what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nahas.errors import UsageError
from nahas.report.curves import best_so_far, reward_curves, running_mean
from nahas.report.groups import grouped, option
from nahas.report.page import page_document, reasons
from nahas.report.shown import shown
from tests.report.conftest import TARGETS


def of(result, **options):
    seed = options.pop("seed", 0)
    return replace(result, seed=seed, options={**result.options, **options})


class TestGroups:
    def test_seeds_of_one_search_are_one_group(self, result):
        groups = grouped([of(result, seed=seed) for seed in (3, 1, 2)])
        assert [[r.seed for r in group.results] for group in groups] == [[3, 1, 2]]
        assert groups[0].label == "joint, ppo"

    def test_groups_are_called_by_what_sets_them_apart(self, result):
        other = of(result, controller="random", random={"speed": 1})
        assert [group.label for group in grouped([result, other])] == ["ppo", "random"]
        phases = of(result, strategy="phase")
        assert [group.label for group in grouped([result, phases])] == ["joint", "phase"]
        wider = of(result, batch=40)
        assert grouped([of(result, batch=20), wider])[1].label == "batch 40"

    def test_a_study_older_than_an_option_had_its_old_value(self, result):
        assert option(result, "strategy") == "joint"
        assert len(grouped([result, of(result, strategy="joint", seed=1)])) == 1

    def test_unlike_targets_are_unlike_searches(self, result):
        other = replace(result, targets={"latency_ms": 0.25})
        assert len(grouped([result, other])) == 2

    def test_unlike_spaces_are_refused(self, result, make_result):
        with pytest.raises(UsageError, match="studies of one space, so draw them apart"):
            grouped([result, make_result(20, TARGETS, "mnasnet")])

    def test_unlike_accuracies_are_refused(self, result):
        with pytest.raises(UsageError, match="these cannot be compared"):
            grouped([result, replace(result, accuracy_label="of another kind")])

    def test_the_same_twice_is_refused(self, result):
        with pytest.raises(UsageError, match="the same search and seed 0: give one of them"):
            grouped([result, result])


class TestCurves:
    def test_mean_and_best_are_those_of_a_loop(self):
        reward = np.random.default_rng(0).normal(size=40)
        for i, (mean, best) in enumerate(
            zip(running_mean(reward, 7), best_so_far(reward), strict=True)
        ):
            assert mean == pytest.approx(np.mean(reward[max(0, i - 6) : i + 1]))
            assert best == max(reward[: i + 1])

    def test_quartiles_over_seeds_as_far_as_each_has_come(self, result):
        parts = [result.trials[:100], result.trials[100:300], result.trials[50:250]]
        told = reward_curves(parts)
        assert told["trials"][0] == 1
        assert told["trials"][-1] == 200
        for i, n in enumerate(told["trials"]):
            there = [max(part.reward[:n]) for part in parts if len(part) >= n]
            assert told["seeds"][i] == len(there)
            low, middle, high = (told["best"][q][i] for q in range(3))
            assert middle == pytest.approx(np.median(there), abs=1e-5)
            assert low <= middle <= high

    def test_no_trials_have_no_curve(self, result):
        assert reward_curves([result.trials[:0]])["trials"] == []


class TestShown:
    def test_each_design_once_with_its_study(self, result):
        again = of(result, seed=1)
        found = shown(result.joint, [[result, again]])
        assert len(found.trials) == found.distinct == 600
        assert found.study.tolist() == [0] * 300 + [1] * 300
        assert found.step == 1

    def test_fronts_are_nondominated_within_their_group(self, result):
        found = shown(result.joint, [[result]])
        for metric, rows in found.fronts[0].items():
            cost, accuracy = getattr(found.trials, metric), found.trials.accuracy
            met = found.trials.satisfied
            assert met[rows].all()
            for row in rows.tolist():
                better = met & (accuracy >= accuracy[row]) & (cost <= cost[row])
                assert np.flatnonzero(better).tolist() == [row]

    def test_what_is_left_out_is_neither_best_nor_on_a_front(self, result, monkeypatch):
        whole = shown(result.joint, [[result]])
        monkeypatch.setattr("nahas.report.shown.MOST_DESIGNS", 40)
        monkeypatch.setattr("nahas.report.shown.MOST_BEST", 10)
        part = shown(result.joint, [[result]])
        assert part.step == 8
        assert len(part.trials) < 100
        for metric, rows in whole.fronts[0].items():
            kept = part.trials.number[part.fronts[0][metric]]
            assert kept.tolist() == whole.trials.number[rows].tolist()
        best = whole.trials.number[whole.best[:10]]
        assert part.trials.number[part.best].tolist() == best.tolist()


class TestDocument:
    def test_counts_by_reason_are_all_trials_once(self, result):
        told = dict(reasons(result))
        assert sum(told.values()) == len(result.trials)
        assert told["meets every target"] == int(result.trials.satisfied.sum())
        assert told["cannot run: local memory"] == int((result.trials.reason == 2).sum())
        late = result.trials.latency_ms > TARGETS["latency_ms"]
        large = result.trials.area_mm2 > TARGETS["area_mm2"]
        runs = result.trials.feasible
        assert told["misses latency alone"] == int((runs & late & ~large).sum())
        assert told["misses several targets"] == int((runs & late & large).sum())

    def test_choices_are_told_by_letters(self, result):
        told = page_document(grouped([result]))
        letters = "0123456789abc"
        joint = result.joint
        applies = joint.applicable(result.trials.choices)
        for d, column in enumerate(told["designs"]["choices"]):
            for row in range(0, 300, 37):
                value = letters[result.trials.choices[row, d]] if applies[row, d] else "-"
                assert column[row] == value

    def test_layers_of_made_up_costs_are_not_shown(self, result):
        told = page_document(grouped([result]))["layers"]
        assert len(told) > 5
        assert set(told.values()) == {None}

    def test_pareto_searches_and_searches_without_trials(self, result):
        free = replace(of(result, pareto=True), targets={})
        assert page_document(grouped([free]))["groups"][0]["targets"] == {}
        none = replace(result, trials=result.trials[:0])
        told = page_document(grouped([none]))
        assert told["designs"]["trial"].tolist() == []
        assert told["importance"] == {}
