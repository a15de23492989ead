"""Fronts and hypervolumes of trials."""

from dataclasses import replace

import numpy as np
import pytest

from nahas.study.front import front, hypervolume
from nahas.study.trials import Trials


def trials(accuracy, latency_ms, energy_mj=None, reason=None):
    count = len(accuracy)
    ones = np.ones(count)
    return Trials(
        number=np.arange(count),
        choices=np.zeros((count, 1), np.int64),
        accuracy=np.array(accuracy, float),
        latency_ms=np.array(latency_ms, float),
        energy_mj=ones if energy_mj is None else np.array(energy_mj, float),
        area_mm2=ones,
        parameters=ones.astype(np.int64),
        reason=np.zeros(count, np.int64) if reason is None else np.array(reason),
        reward=ones,
        satisfied=ones > 0,
        time=ones,
    )


class TestFront:
    def test_is_what_no_trial_beats_from_the_least_accurate_on(self):
        some = trials([70, 60, 65, 59], [3.0, 1.0, 2.0, 1.5])
        assert front(some).tolist() == [1, 2, 0]

    def test_leaves_out_what_cannot_run_or_has_no_accuracy(self):
        some = trials([90, np.nan, 60], [0.1, 0.1, 1.0], reason=[2, 0, 0])
        assert front(some).tolist() == [2]

    def test_in_three_objectives_keeps_the_frugal(self):
        some = trials([70, 70], [1.0, 2.0], energy_mj=[2.0, 1.0])
        assert front(some).tolist() == [0]
        assert front(some, ("accuracy", "latency_ms", "energy_mj")).tolist() == [0, 1]


class TestHypervolume:
    def test_is_the_area_between_the_front_and_the_reference(self):
        some = trials([60, 70], [1.0, 2.0])
        # 10 points of accuracy from 2 to 4 ms, and 10 more from 1 to 4 ms below them.
        assert hypervolume(some, {"accuracy": 50, "latency_ms": 4}) == pytest.approx(50.0)

    def test_in_three_objectives(self):
        some = trials([60], [1.0], energy_mj=[2.0])
        reference = {"accuracy": 50, "latency_ms": 4, "energy_mj": 5}
        volume = hypervolume(some, reference, ("accuracy", "latency_ms", "energy_mj"))
        assert volume == pytest.approx(10 * 3 * 3)

    def test_of_infeasible_trials_is_zero(self):
        some = replace(trials([60], [1.0]), reason=np.array([1]))
        assert hypervolume(some, {"accuracy": 0, "latency_ms": 9}) == 0.0
