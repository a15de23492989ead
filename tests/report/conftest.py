"""A search as reports see it, without a search: drawn choices and made-up, smooth costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from nahas.cosearch import Stop
from nahas.designs import design
from nahas.pareto import OBJECTIVES, ParetoReward, front_of
from nahas.spaces.joint import JointSpace
from nahas.spaces.named import named
from nahas.strategies import SearchResult
from nahas.study.trials import Trials

LABEL = "top-1 % of a made-up <benchmark> & recipe, predicted"
TARGETS = {"latency_ms": 0.5, "area_mm2": 90.0}


def made_up(count: int, targets: dict[str, float], space: str = "macro") -> SearchResult:
    """The result of `count` trials; better accuracy costs latency, and trials improve."""
    rng = np.random.default_rng(7)
    joint = JointSpace(named(space))
    skill = np.linspace(0, 1, count)
    accuracy = 55 + 9 * skill + rng.normal(0, 2.0, count)
    latency = np.exp(0.16 * (accuracy - 62) + rng.normal(0, 0.35, count)) * 0.35
    energy = latency * rng.uniform(3, 9, count)
    area = rng.uniform(30, 140, count)
    reason = np.where(rng.random(count) < 0.04, 2, 0)
    latency[reason != 0] = energy[reason != 0] = np.inf
    costs = {"latency_ms": latency, "energy_mj": energy, "area_mm2": area}
    satisfied = reason == 0
    reward = np.where(reason == 0, accuracy, 0.0)
    for metric, limit in targets.items():
        satisfied &= costs[metric] <= limit
        reward = reward * np.minimum(limit / costs[metric], 1.0)
    trials = Trials(
        number=np.arange(count),
        choices=joint.space.sample(count, rng),
        accuracy=accuracy,
        parameters=np.full(count, 3_000_000),
        reason=reason,
        reward=reward,
        satisfied=satisfied,
        time=np.arange(count, dtype=float),
        **costs,
    )
    return SearchResult(
        best=(),
        baseline=replace(design(joint, trials, 0), trial=None),
        joint=joint,
        trials=trials,
        accuracy_label=LABEL,
        targets=targets,
        seed=0,
        options={"controller": "ppo", "ppo": {"clip": 0.2}, "space": space},
        stop=Stop.TRIALS,
        seconds=12.3456,
        study=None,
    )


def by_a_model(result: SearchResult, count: int = 60) -> SearchResult:
    """The same with the trials' costs as a model's, `count` of them simulated again as others."""
    some = result.trials[np.flatnonzero(result.trials.feasible)[-count:]] if count else None
    again = result.trials[:0]
    if some is not None:
        latency = some.latency_ms * np.tile([0.6, 1.0, 1.5], len(some))[: len(some)]
        fits = some.area_mm2 <= result.targets["area_mm2"]
        satisfied = fits & (latency <= result.targets["latency_ms"])
        again = replace(some, latency_ms=latency, satisfied=satisfied)
    options = dict(result.options) | {"cost_model": "0123456789abcdef" * 4}
    return replace(result, simulated=again, options=options)


def in_pareto_mode(result: SearchResult) -> SearchResult:
    """The same without targets, as the search of a front."""
    base = replace(
        result.baseline, accuracy=60.0, latency_ms=0.4, energy_mj=2.0, area_mm2=80.0, feasible=True
    )
    reward = ParetoReward(tuple(getattr(base, name) for name in OBJECTIVES))
    trials = result.trials
    trials = replace(
        trials, reward=reward.of(trials.accuracy, trials.costs), satisfied=trials.feasible
    )
    options = {**result.options, "reward": "pareto", "batch": 20}
    front = front_of(trials, reward, 20)
    return replace(result, baseline=base, trials=trials, targets={}, options=options, front=front)


def in_phases(result: SearchResult, first: int = 120) -> SearchResult:
    """The same as a search of the accelerator and then of the network."""
    told = {"strategy": "phase", "strategy_share": 0.4, "strategy_first_trials": first}
    return replace(result, options={**result.options, **told, "strategy_from": "macro:00000000"})


@pytest.fixture(scope="session")
def predicted_result() -> SearchResult:
    return by_a_model(made_up(300, TARGETS))


@pytest.fixture(scope="session")
def unchecked_result() -> SearchResult:
    return by_a_model(made_up(300, TARGETS), 0)


@pytest.fixture(scope="session")
def make_result() -> Callable[..., SearchResult]:
    return made_up


@pytest.fixture(scope="session")
def result() -> SearchResult:
    return made_up(300, TARGETS)
