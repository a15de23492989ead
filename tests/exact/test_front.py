"""The front is that of comparing every design with every other."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from nahas.errors import UsageError
from nahas.exact.costs import every_choice
from nahas.exact.every import costs_of
from nahas.exact.front import OBJECTIVES, Sweeping, exact_front
from nahas.kernels.pareto import nondominated
from tests.exact.small import problem_of_few

SETS = [of for size in (2, 3, 4) for of in combinations(OBJECTIVES, size)]


@pytest.fixture(scope="module")
def problem():
    return problem_of_few("macro", 8)


@pytest.fixture(scope="module")
def costs(problem):
    """The costs, whose blocks are at hand."""
    costs = costs_of(problem)
    blocks = list(costs.blocks())
    assert len(blocks) == 1
    costs.blocks = lambda: iter(blocks)
    return costs


@pytest.fixture
def _known(costs, monkeypatch):
    """Fronts of costs that are known already."""
    monkeypatch.setattr("nahas.exact.front.costs_of", lambda _: costs)


@pytest.fixture(scope="module")
def metrics(problem, costs):
    """[B, 4] accuracy, latency, energy and area of every design, as it was summed up."""
    (block,) = costs.blocks()
    table = np.empty((len(costs.networks), len(costs.accelerators), 4))
    table[:, :, 0] = problem.accuracy.accuracy(costs.networks)[:, np.newaxis]
    table[:, block.accelerators, 1] = block.latency_ms
    table[:, block.accelerators, 2] = block.energy_mj
    table[:, block.accelerators, 3] = block.area_mm2
    return table.reshape(-1, 4)


def brute_force(metrics, objectives):
    """The objectives of all designs that no other dominates, each once, sorted."""
    runs = np.isfinite(metrics).all(axis=1)
    points = np.stack(
        [
            metrics[runs, i] * (-1 if i == 0 else 1)
            for i, n in enumerate(OBJECTIVES)
            if n in objectives
        ],
        axis=1,
    )
    return np.unique(points[nondominated(points)], axis=0)


def objectives_of(front):
    signed = [
        getattr(front, name) * (-1 if name == "accuracy" else 1)
        for name in OBJECTIVES
        if name in front.objectives
    ]
    return np.stack(signed, axis=1)


@pytest.mark.parametrize("objectives", SETS, ids=",".join)
@pytest.mark.parametrize("width", [1000, 7])
def test_the_front_is_that_of_every_design(problem, costs, metrics, objectives, width):
    sweeping = Sweeping(costs, problem.accuracy.accuracy(costs.networks), objectives)
    (block,) = costs.blocks()
    for begin in range(0, len(block.accelerators), width):
        sweeping.take(block[begin : begin + width])
    front = sweeping.answer(0.0)
    points = objectives_of(front)
    assert np.array_equal(np.unique(points, axis=0), brute_force(metrics, objectives))
    assert len(np.unique(points, axis=0)) == len(front)
    assert front.designs == len(metrics)


@pytest.mark.usefixtures("_known")
def test_choices_are_of_the_designs_that_are_told(problem):
    front = exact_front(problem, OBJECTIVES)
    costs = problem.cost(front.choices)
    assert np.array_equal(front.latency_ms, costs.latency_ms)
    assert np.array_equal(front.area_mm2, costs.area_mm2)
    assert front.energy_mj == pytest.approx(costs.energy_mj, rel=1e-12)
    assert np.array_equal(front.accuracy, problem.accuracies(front.choices))
    assert (np.diff(front.accuracy) <= 0).all()


@pytest.mark.usefixtures("_known")
def test_of_equal_designs_the_smallest_accelerator_is_kept(problem, metrics):
    front = exact_front(problem, ("accuracy", "latency_ms"))
    runs = np.isfinite(metrics).all(axis=1)
    for accuracy, latency, area in zip(
        front.accuracy, front.latency_ms, front.area_mm2, strict=True
    ):
        alike = runs & (metrics[:, 0] == accuracy) & (metrics[:, 1] == latency)
        assert area == metrics[alike, 3].min()


@pytest.mark.usefixtures("_known")
def test_the_order_of_networks_and_the_number_of_objectives_do_not_matter(problem):
    there = exact_front(problem, ("latency_ms", "accuracy"))
    back = exact_front(problem, ("accuracy", "latency_ms"))
    assert np.array_equal(there.choices, back.choices)


def test_nothing_swept_is_an_empty_front(costs):
    nothing = Sweeping(costs, np.full(len(costs.networks), np.nan), OBJECTIVES)
    for block in costs.blocks():
        nothing.take(block)
    assert len(nothing.answer(0.0)) == 0


@pytest.mark.parametrize(
    "objectives", [(), ("accuracy",), ("accuracy", "accuracy"), ("accuracy", "speed")]
)
def test_objectives_are_two_or_more_that_are_known(problem, objectives):
    with pytest.raises(UsageError, match="two or more different ones of accuracy, latency_ms"):
        exact_front(problem, objectives)


def test_every_choice_counts_up():
    space = problem_of_few("macro", 3).joint.accelerator
    choices = every_choice(space)
    assert len(np.unique(choices, axis=0)) == space.size
    assert choices[1].tolist() == [0] * (len(space.decisions) - 1) + [1]
