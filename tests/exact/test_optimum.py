"""The optimum, ties and counts are those of simulating and sorting every design."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nahas.cosearch import rewarded
from nahas.designs import best_designs
from nahas.errors import UsageError
from nahas.exact import optimum
from nahas.exact.answer import exact_answer
from nahas.exact.costs import every_choice
from nahas.exact.optimum import exact_optima, exact_optimum, simulated
from nahas.reward import PRESETS, Reward, Target
from tests.exact.small import accelerators, problem_of_few


@pytest.fixture(scope="module")
def problem():
    return problem_of_few("macro", 6)


@pytest.fixture(scope="module")
def measures(problem):
    choices = every_choice(problem.joint.space)
    return choices, (problem.accuracies(choices), problem.cost(choices))


def enumerated(measures, reward):
    choices, measured = measures
    return rewarded(choices, measured, reward, first=0)


LIMITS = {"latency_ms": 0.2, "energy_mj": 0.25, "area_mm2": 6.0}
REWARDS = [
    *(Reward.preset(name, [Target(*limit) for limit in LIMITS.items()]) for name in PRESETS),
    Reward.preset("hard", [Target("latency_ms", 0.1)]),
    Reward.preset("soft", [Target("area_mm2", 3.0), Target("energy_mj", 0.2)]),
    Reward((Target("energy_mj", 0.2),), p=-0.3, q=-2.5),
    Reward(()),
    Reward.preset("relu", [Target("parameters", 5e3), Target("latency_ms", 0.1)]),
    Reward.preset("hard", [Target("latency_ms", 1e-9)]),  # no design meets it
]


@pytest.fixture(scope="module")
def answers(problem):
    return exact_optima(problem, REWARDS, best=4)


@pytest.mark.parametrize("i", range(len(REWARDS)))
def test_the_optimum_is_that_of_every_design(problem, measures, answers, i):
    exact, trials = answers[i], enumerated(measures, REWARDS[i])
    known = trials.feasible & np.isfinite(trials.accuracy)
    assert exact.designs == len(trials)
    assert exact.feasible == known.sum()
    assert exact.satisfied == trials.satisfied.sum()
    pool = trials.satisfied if trials.satisfied.any() else known
    assert exact.optimum.satisfied == trials.satisfied.any()
    assert exact.optimum.reward == pytest.approx(trials.reward[pool].max(), rel=1e-12)
    assert exact.highest.reward == pytest.approx(trials.reward[known].max(), rel=1e-12)
    close = np.isclose(trials.reward[pool], trials.reward[pool].max(), rtol=1e-13, atol=0)
    assert exact.ties == close.sum()


@pytest.mark.parametrize("i", range(len(REWARDS)))
def test_best_designs_are_those_that_a_search_of_all_would_report(problem, measures, answers, i):
    trials = enumerated(measures, REWARDS[i])
    known = trials[trials.feasible & np.isfinite(trials.accuracy)]
    expected = best_designs(problem.joint, known, 4)
    found = answers[i].best
    assert [d.satisfied for d in found] == [d.satisfied for d in expected]
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.reward == pytest.approx(theirs.reward, rel=1e-12)
        assert ours.energy_mj == pytest.approx(theirs.energy_mj, rel=1e-12)
        assert (ours.area_mm2, ours.latency_ms) == (theirs.area_mm2, theirs.latency_ms)
    assert len({d.network for d in found}) == 4


def test_reported_designs_are_what_the_simulator_says(problem, answers):
    best = answers[0].best[0]
    names = [d.name for d in problem.joint.accelerator.decisions]
    choice = np.concatenate(
        [
            problem.joint.network_space.choice_named(best.network),
            problem.joint.accelerator.choice({name: best.hardware[name] for name in names}),
        ]
    )
    costs = problem.cost(choice[np.newaxis])
    assert (best.latency_ms, best.energy_mj) == (costs.latency_ms[0], costs.energy_mj[0])


def test_one_reward_alone_is_as_one_of_many(problem, answers):
    alone = exact_optimum(problem, REWARDS[1], best=4)
    assert alone.best == answers[1].best
    assert alone.ties == answers[1].ties


def test_threads_and_blocks_change_nothing(problem, answers, monkeypatch):
    import numba

    monkeypatch.setattr("nahas.exact.costs.BLOCK", 56)
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        again = exact_optima(problem, REWARDS, best=4)
    finally:
        numba.set_num_threads(before)
    for ours, theirs in zip(again, answers, strict=True):
        assert ours.best == theirs.best
        assert (ours.ties, ours.satisfied) == (theirs.ties, theirs.satisfied)


def test_nothing_runs():
    none = accelerators(compute_lanes=(8,), simd_units=(2048,), register_file_kb=(8,))
    exact = exact_optimum(problem_of_few("macro", 2, none), Reward(()))
    assert (exact.optimum, exact.highest, exact.best) == (None, None, ())
    assert (exact.feasible, exact.satisfied, exact.ties) == (0, 0, 0)


def test_one_pass_answers_all_and_checks_itself(problem, answers):
    answer = exact_answer(problem, REWARDS, best=4, checked=50)
    assert [of.best for of in answer.optima] == [of.best for of in answers]
    assert answer.checked >= 50
    assert answer.energy_difference < 1e-12
    # Whatever a reward that pays for less prefers is on the front of all four objectives.
    rewards = rewarded(
        answer.front.choices,
        (problem.accuracies(answer.front.choices), problem.cost(answer.front.choices)),
        REWARDS[1],
        first=0,
    )
    assert rewards.reward.max() == pytest.approx(answers[1].highest.reward, rel=1e-12)


def test_a_design_on_the_energy_target_to_the_last_bits_is_not_judged(problem, monkeypatch):
    reward = Reward((Target("energy_mj", 0.2),), p=-0.3, q=-2.5)

    def a_bit_more(*measured):
        trials = simulated(*measured)
        return replace(trials, satisfied=~trials.satisfied)

    monkeypatch.setattr(optimum, "simulated", a_bit_more)
    with pytest.raises(UsageError, match="give an energy target that is a little higher or lower"):
        exact_optimum(problem, reward)
