"""The reward's formula, its presets, its edges."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nahas.cost import DesignCosts
from nahas.errors import RewardError
from nahas.reward import EXPONENTS, METRICS, PRESETS, Limit, Reward, Target, penalty, targets_of

positive = st.floats(1e-3, 1e3)


def costs(latency_ms=1.0, energy_mj=1.0, area_mm2=1.0, reason=0):
    arrays = np.broadcast_arrays(
        *map(np.atleast_1d, (latency_ms, energy_mj, area_mm2, np.asarray(reason)))
    )
    latency, energy, area, reasons = arrays
    return DesignCosts(
        latency_ms=latency.astype(float),
        energy_mj=energy.astype(float),
        area_mm2=area.astype(float),
        parameters=np.ones(latency.size, dtype=np.int64),
        reason=reasons.astype(np.int64),
    )


class TestFormula:
    @given(positive, positive, positive, positive, st.sampled_from(list(EXPONENTS)))
    def test_is_the_product_written_out(self, accuracy, latency, area, limit, preset):
        p, q = EXPONENTS[preset]
        targets = (Target("latency_ms", limit), Target("area_mm2", 2 * limit))
        expected = accuracy
        for metric, target in ((latency, limit), (area, 2 * limit)):
            expected *= (metric / target) ** (p if metric <= target else q)
        found = Reward.preset(preset, targets).of(
            np.array([accuracy]), costs(latency_ms=latency, area_mm2=area)
        )
        assert found == pytest.approx([expected])

    def test_hard_pays_nothing_below_the_target_and_divides_above(self):
        reward = Reward.preset("hard", [Target("latency_ms", 2.0)])
        found = reward.of(np.full(3, 70.0), costs(latency_ms=[1.0, 2.0, 4.0]))
        assert found.tolist() == [70.0, 70.0, 35.0]

    def test_soft_always_prefers_the_faster_of_two(self):
        reward = Reward.preset("soft", [Target("latency_ms", 2.0)])
        found = reward.of(np.full(3, 70.0), costs(latency_ms=[1.0, 2.0, 4.0]))
        assert found[0] > found[1] == 70.0 > found[2]

    @pytest.mark.parametrize("metric", METRICS)
    def test_every_metric_can_be_a_target(self, metric):
        reward = Reward((Target(metric, 0.5),))
        assert reward.of(np.array([60.0]), costs()) == pytest.approx([30.0])

    def test_all_of_them_at_once_multiply(self):
        reward = Reward(tuple(Target(metric, 0.5) for metric in METRICS))
        assert reward.of(np.array([80.0]), costs()) == pytest.approx([80.0 / 2**4])

    def test_without_targets_is_the_accuracy(self):
        assert Reward(()).of(np.array([61.5]), costs()).tolist() == [61.5]

    @given(st.lists(positive, min_size=1, max_size=20))
    def test_of_a_batch_is_that_of_its_rows(self, latencies):
        reward = Reward.preset("soft", [Target("latency_ms", 3.0)])
        together = reward.of(np.full(len(latencies), 50.0), costs(latency_ms=latencies))
        alone = [reward.of(np.array([50.0]), costs(latency_ms=x))[0] for x in latencies]
        assert together.tolist() == alone


class TestEdges:
    @pytest.mark.parametrize("preset", list(EXPONENTS))
    def test_infeasible_earns_nothing(self, preset):
        reward = Reward.preset(preset, [Target("latency_ms", 1.0), Target("energy_mj", 1.0)])
        cost = costs(latency_ms=[np.inf, 1.0], energy_mj=[np.inf, 1.0], reason=[2, 0])
        assert reward.of(np.full(2, 70.0), cost).tolist() == [0.0, 70.0]
        assert reward.satisfied(np.full(2, 70.0), cost).tolist() == [False, True]

    @pytest.mark.parametrize("failed", [np.nan, np.inf, -np.inf])
    def test_a_failed_accuracy_earns_nothing_and_satisfies_nothing(self, failed):
        accuracy = np.array([failed, 70.0])
        cost = costs(latency_ms=[1.0, 1.0])
        assert Reward(()).of(accuracy, cost).tolist() == [0.0, 70.0]
        assert Reward(()).satisfied(accuracy, cost).tolist() == [False, True]

    def test_satisfied_asks_for_every_target(self):
        reward = Reward((Target("latency_ms", 1.0), Target("area_mm2", 1.0)))
        cost = costs(latency_ms=[1.0, 1.1, 0.5], area_mm2=[1.0, 1.0, 1.1])
        assert reward.satisfied(np.full(3, 70.0), cost).tolist() == [True, False, False]

    def test_a_metric_without_a_number_earns_nothing(self):
        factors = penalty(np.array([np.nan, np.inf, 0.0, 1.0]), 1.0, -0.07, -0.07)
        assert factors.tolist() == [0.0, 0.0, 0.0, 1.0]


@pytest.mark.parametrize("preset", PRESETS)
class TestWhatCannotRun:
    """Area and parameters of such a design are finite, so no target of these tells."""

    def test_earns_the_least_whatever_the_targets(self, preset):
        for metrics in ((), ("area_mm2",), ("parameters",), METRICS):
            reward = Reward.preset(preset, [Target(metric, 2.0) for metric in metrics])
            cost = costs(latency_ms=[np.inf, 1e9], energy_mj=[np.inf, 1e9], reason=[1, 0])
            made = reward.of(np.array([99.0, 1.0]), cost)
            assert made[0] == (-100.0 if reward.adds else 0.0)
            assert made[0] <= made[1]
            assert not reward.satisfied(np.array([99.0, 1.0]), cost)[0]


class TestBadInput:
    @pytest.mark.parametrize("limit", [math.nan, 0.0, -1.0, math.inf])
    def test_a_target_that_means_nothing(self, limit):
        with pytest.raises(RewardError, match="target of latency_ms is"):
            Target("latency_ms", limit)

    def test_an_unknown_metric(self):
        with pytest.raises(RewardError, match=r"no metric 'latency'.*latency_ms"):
            Target("latency", 1.0)

    def test_two_targets_of_one_metric(self):
        with pytest.raises(RewardError, match="area_mm2 has two targets"):
            Reward((Target("area_mm2", 1.0), Target("area_mm2", 2.0)))

    @pytest.mark.parametrize("exponent", [0.1, math.nan, -math.inf])
    def test_an_exponent_that_means_nothing(self, exponent):
        with pytest.raises(RewardError, match="exponent q is"):
            Reward((), q=exponent)

    def test_an_unknown_preset(self):
        with pytest.raises(RewardError, match=r"preset 'firm'.*hard, soft"):
            Reward.preset("firm", ())


class TestLimit:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [("0.8x", 4.0), (" 1X ", 5.0), ("0.3", 0.3), (0.3, 0.3), ("2e-1", 0.2)],
    )
    def test_is_a_number_or_a_multiple_of_the_baseline(self, text, expected):
        assert Limit.parse(text).absolute(5.0) == pytest.approx(expected)

    def test_becomes_a_target_in_the_metric_s_own_unit(self):
        baseline = replace(costs(latency_ms=0.5), parameters=np.array([4_000_000]))
        limits = {"latency_ms": Limit.parse("2x"), "parameters": Limit.parse("5.3")}
        assert targets_of(limits, baseline) == (
            Target("latency_ms", 1.0),
            Target("parameters", 5_300_000.0),
        )
        half = targets_of({"parameters": Limit.parse("0.5x")}, baseline)
        assert half == (Target("parameters", 2_000_000.0),)

    @pytest.mark.parametrize("text", ["nan", "0x", "-1", "inf", "0", "nanx"])
    def test_that_means_nothing(self, text):
        with pytest.raises(RewardError, match="means nothing: give a number above 0"):
            Limit.parse(text)

    @pytest.mark.parametrize("text", ["fast", "", "x", "1xx"])
    def test_that_is_no_number(self, text):
        with pytest.raises(RewardError, match="is not a number"):
            Limit.parse(text)

    def test_of_a_baseline_that_cannot_run(self):
        with pytest.raises(RewardError, match="the baseline is inf"):
            Limit.parse("1x").absolute(math.inf)

    @pytest.mark.parametrize("text", ["0.8x", "0.3"])
    def test_prints_as_it_was_read(self, text):
        assert str(Limit.parse(text)) == text


class TestRewardsThatAdd:
    def costs(self, *latency_ms, reason=0):
        count = len(latency_ms)
        return DesignCosts(
            latency_ms=np.array(latency_ms, float),
            energy_mj=np.ones(count),
            area_mm2=np.ones(count),
            parameters=np.ones(count, np.int64),
            reason=np.full(count, reason),
        )

    def test_absolute_pulls_to_the_target_from_both_sides(self):
        reward = Reward.preset("absolute", [Target("latency_ms", 2.0)])
        made = reward.of(np.full(3, 70.0), self.costs(1.0, 2.0, 3.0))
        assert made == pytest.approx([65.0, 70.0, 65.0])

    def test_relu_punishes_what_is_above_alone(self):
        reward = Reward.preset("relu", [Target("latency_ms", 2.0), Target("area_mm2", 0.5)])
        made = reward.of(np.full(3, 70.0), self.costs(1.0, 2.0, 3.0))
        assert made == pytest.approx([60.0, 60.0, 55.0])

    def test_what_cannot_run_earns_least(self):
        reward = Reward.preset("relu", [Target("latency_ms", 2.0)])
        assert reward.of(np.array([70.0]), self.costs(np.inf, reason=2)).tolist() == [-100.0]
        assert reward.of(np.array([np.nan]), self.costs(1.0)).tolist() == [-100.0]
        assert reward.of(np.array([70.0]), self.costs(1e6)).tolist() == [-100.0]
