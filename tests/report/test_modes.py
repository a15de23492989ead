"""Reports of searches in Pareto mode, in phases, with shared weights, and with lost workers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nahas.pareto import OBJECTIVES
from nahas.report.curves import volume_so_far
from nahas.report.figures import rewards_figure
from nahas.report.groups import grouped
from nahas.report.page import page_document, reasons
from nahas.report.provenance import command_text
from nahas.report.summary import boundaries, target_text
from nahas.report.write import write_report
from nahas.study.front import front
from nahas.vocabulary import Reason
from tests.report.conftest import TARGETS, in_pareto_mode, in_phases, made_up


@pytest.fixture(scope="module")
def pareto():
    return in_pareto_mode(made_up(310, {}))


def told_of(*results):
    return page_document(grouped(results))


class TestPareto:
    def test_the_page_lists_the_front_of_all_objectives(self, pareto):
        told = told_of(pareto)
        assert told["pareto"]
        listed = told["designs"]["trial"][told["best"]].tolist()
        assert listed == pareto.front.rows.tolist()
        assert sorted(listed) == sorted(front(pareto.trials, OBJECTIVES).tolist())
        assert "reward" not in told["importance"]

    def test_the_hypervolume_rises_at_the_ends_of_batches(self, pareto):
        volumes = volume_so_far(pareto)
        assert len(volumes) == 310
        assert volumes[18] == 0
        assert volumes[19:310:20].tolist() == pareto.front.after_batch[:-1].tolist()
        assert volumes[-1] == pareto.front.hypervolume
        assert np.flatnonzero(np.diff(volumes)).size < 17
        assert told_of(pareto)["groups"][0]["curves"]["volume"][1][-1] == pytest.approx(
            pareto.front.hypervolume, abs=1e-5
        )
        assert rewards_figure(pareto).axes[0].get_ylabel() == "hypervolume"

    def test_seeds_share_a_band_of_hypervolumes(self, pareto, tmp_path):
        write_report([pareto, replace(pareto, seed=1)], tmp_path)
        (group,) = told_of(pareto, replace(pareto, seed=1))["groups"]
        low, middle, high = group["curves"]["volume"]
        assert low == middle == high

    def test_beside_a_search_with_targets_rewards_are_drawn(self, pareto, result, tmp_path):
        write_report([pareto, result], tmp_path, every_picture=True)
        told = told_of(pareto, result)
        assert not told["pareto"]
        assert ["volume" in group["curves"] for group in told["groups"]] == [True, False]

    def test_trials_are_on_the_front_or_dominated(self, pareto):
        counts = dict(reasons(pareto))
        assert counts["on the front"] == len(pareto.front.rows)
        assert sum(counts.values()) == len(pareto.trials)
        assert not any("target" in text for text in counts)

    def test_the_command_asks_for_the_mode(self, pareto):
        words = command_text(pareto, {}).split()
        assert "--pareto" in words
        assert not {"--reward", "--latency"} & set(words)


class TestPhases:
    def test_boundaries_are_told_and_drawn(self, result):
        phased = in_phases(result)
        assert boundaries(phased) == [(120, "network")]
        told = told_of(phased)
        assert told["groups"][0]["phases"] == [(120, "network")]
        assert "accelerator in trials 0 to 119" in told["studies"][0]["phased"]
        labels = rewards_figure(phased).axes[0].get_legend_handles_labels()[1]
        assert "from here the network" in labels

    def test_a_phase_that_has_not_begun_is_not_drawn(self, result):
        assert boundaries(in_phases(result, first=300)) == []

    def test_the_command_names_where_it_set_out(self, result):
        words = command_text(in_phases(result), {})
        assert "--strategy phase" in words
        assert "--phase-share 0.4 --network macro:00000000" in words


class TestFewTrials:
    @pytest.mark.parametrize("count", [0, 1])
    @pytest.mark.parametrize("change", [in_pareto_mode, in_phases, lambda result: result])
    def test_are_drawn_in_every_mode(self, count, change, tmp_path):
        few = made_up(2, {})
        few = change(replace(few, trials=few.trials[:count]))
        assert write_report([few], tmp_path, every_picture=True)

    def test_one_shot_keeps_a_single_trial(self, result, tmp_path):
        options = {**result.options, "strategy": "one-shot", "strategy_trials": 900}
        one = replace(result, trials=result.trials[:1], options=options)
        write_report([one], tmp_path, every_picture=True)
        assert told_of(one)["studies"][0]["phased"].startswith("one-shot: ")
        assert "--trials 900" in command_text(one, {})


def test_trials_that_no_worker_finished_are_counted_by_reason(result):
    reason = result.trials.reason.copy()
    reason[:3] = [Reason.WORKER_LOST, Reason.OUT_OF_MEMORY, Reason.TIME_LIMIT]
    satisfied = result.trials.satisfied & (reason == 0)
    lost = replace(result, trials=replace(result.trials, reason=reason, satisfied=satisfied))
    counts = dict(reasons(lost))
    for why in ("worker lost", "out of memory", "time limit"):
        assert counts[f"no accuracy: {why}"] == 1
    assert sum(counts.values()) == 300
    assert told_of(lost)["designs"]["reason"][0] == "no accuracy: worker lost"


def test_targets_are_told_in_one_order_whatever_order_they_were_kept_in():
    kept = {"parameters": 4e6, **dict(sorted(TARGETS.items()))}
    assert target_text(kept) == "latency ≤ 0.5 ms, area ≤ 90 mm², parameters ≤ 4 M"
