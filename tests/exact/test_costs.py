"""Every design costs what `simulate_choices` says, block by block, whatever stays on chip."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest

from nahas.errors import UsageError
from nahas.exact.check import ROUNDING, Checking, check_close
from nahas.exact.costs import JointCosts, every_choice
from nahas.exact.every import costs_of, walk
from nahas.problem import Search, problem_of
from nahas.spaces.joint import JointSpace
from nahas.spaces.macro import network_space
from nahas.spaces.named import named
from nahas.spaces.simulated import simulate_choices
from nahas.vocabulary import Objective
from tests.exact.small import Drawn, accelerators, problem_of_few


def whole(costs):
    """All latencies, energies and areas by number of network and accelerator."""
    shape = (len(costs.networks), len(costs.accelerators))
    latency, energy, area = (
        np.full(shape, np.nan),
        np.full(shape, np.nan),
        np.full(shape[1], np.nan),
    )
    for block in costs.blocks():
        latency[:, block.accelerators] = block.latency_ms
        energy[:, block.accelerators] = block.energy_mj
        area[block.accelerators] = block.area_mm2
    return latency, energy, area


def assert_as_simulated(problem):
    costs = costs_of(problem)
    latency, energy, area = whole(costs)
    true = simulate_choices(problem.joint, every_choice(problem.joint.space), problem.objective)
    assert np.array_equal(latency, true.latency_ms.reshape(latency.shape))
    assert np.array_equal(
        np.broadcast_to(area, latency.shape), true.area_mm2.reshape(latency.shape)
    )
    expected = true.energy_mj.reshape(energy.shape)
    assert np.array_equal(np.isinf(energy), np.isinf(expected))
    runs = np.isfinite(expected)
    assert runs.any()
    assert np.abs(energy[runs] / expected[runs] - 1).max() < ROUNDING
    return costs, true


@pytest.mark.parametrize("space", ["macro", "mnasnet", "s3"])
def test_every_design_costs_what_the_simulator_says(space):
    few = accelerators(pes_y=(1, 4), io_gb_per_s=(10,), compute_lanes=(4,))
    costs, true = assert_as_simulated(problem_of_few(space, 6, few))
    assert (true.reason != 0).any()
    assert len(costs) == len(true.latency_ms)


@pytest.mark.parametrize("objective", [Objective.ENERGY, Objective.EDP])
def test_mappings_may_minimise_anything(objective):
    few = accelerators(simd_units=(64,), pes_x=(2,), compute_lanes=(2,), register_file_kb=(8,))
    assert_as_simulated(problem_of_few("macro", 5, few, objective))


def test_weights_that_stay_on_chip_are_part_of_what_stays():
    few = accelerators(
        simd_units=(64,), register_file_kb=(16,), io_gb_per_s=(5,), parameter_memory_mb=(0, 0.03)
    )
    assert_as_simulated(problem_of_few("s1", 4, few))


def test_a_whole_space_of_networks_of_several_lengths():
    joint = JointSpace(
        network_space(), accelerators(simd_units=(64,), pes_x=(2,), pes_y=(2,), io_gb_per_s=(20,))
    )
    costs = JointCosts(joint)
    latency, energy, _ = whole(costs)
    rng = np.random.default_rng(0)
    networks, at = rng.integers(0, latency.shape[0], 400), rng.integers(0, latency.shape[1], 400)
    true = simulate_choices(joint, costs.choices(networks, at))
    assert np.array_equal(latency[networks, at], true.latency_ms)
    runs = np.isfinite(true.energy_mj)
    off = np.abs(energy[networks, at][runs] / true.energy_mj[runs] - 1)
    assert off.max() < ROUNDING
    # The point of it: far fewer mappings are solved than there are layers of designs.
    assert costs.pairs < 60 * len(costs.accelerators)


def test_blocks_hold_each_design_once_by_area(monkeypatch):
    problem = problem_of_few("macro", 5, accelerators(simd_units=(64,), pes_x=(1,)))
    whole_costs = whole(costs_of(problem))
    monkeypatch.setattr("nahas.exact.costs.BLOCK", 40)
    costs = costs_of(problem)
    blocks = list(costs.blocks())
    assert len(blocks) == len(costs) // 40
    numbers = np.concatenate([block.accelerators for block in blocks])
    assert np.array_equal(np.sort(numbers), np.arange(len(costs.accelerators)))
    assert (np.diff(np.concatenate([block.area_mm2 for block in blocks])) >= 0).all()
    for ours, theirs in zip(whole(costs), whole_costs, strict=True):
        assert np.array_equal(ours, theirs)


def test_networks_laid_out_in_parts_are_the_same_chains(monkeypatch):
    problem = problem_of_few(
        "mnasnet",
        7,
        accelerators(simd_units=(64,), compute_lanes=(4,), pes_x=(2,), io_gb_per_s=(5,)),
    )
    together = whole(costs_of(problem))
    monkeypatch.setattr("nahas.exact.chains.AT_ONCE", 3)
    for ours, theirs in zip(whole(costs_of(problem)), together, strict=True):
        assert np.array_equal(ours, theirs)


class TestChecking:
    def test_simulates_as_many_designs_as_asked(self):
        problem = problem_of_few("macro", 5)
        costs = costs_of(problem)
        checking = Checking(problem, costs, 100)
        told = []
        walk(costs, checking.take, lambda done, of: told.append((done, of)))
        assert 100 <= checking.checked <= 100 + len(told)
        assert 0 <= checking.furthest < ROUNDING
        assert told[-1] == (len(costs), len(costs))

    @pytest.mark.parametrize(
        ("found", "simulated"), [(1.0, 1.0 + 1e-11), (np.inf, 1.0), (1.0, np.inf), (np.nan, 1.0)]
    )
    def test_refuses_what_the_simulator_does_not_say(self, found, simulated):
        with pytest.raises(UsageError, match=r"energy_mj of a design is .* by its layers"):
            check_close("energy_mj", np.array([2.0, found]), np.array([2.0, simulated]), ROUNDING)

    def test_takes_what_differs_by_rounding(self):
        check_close("energy_mj", np.array([1.0, np.inf]), np.array([1 + 1e-15, np.inf]), ROUNDING)


class TestRefusals:
    def test_a_space_that_is_too_large(self):
        with pytest.raises(UsageError, match=r"space 'mnasnet' has [\d,]+ networks, .*--table"):
            JointCosts(JointSpace(named("mnasnet")))

    def test_accuracies_that_are_trained(self):
        class Training(Drawn):
            identity: ClassVar = {"recipe": "long"}

        problem = replace(problem_of_few("macro", 2), accuracy=Training(2))
        with pytest.raises(UsageError, match="takes seconds for each network"):
            costs_of(problem)

    def test_costs_that_a_model_predicts(self):
        from tests.fakes import fake_problem

        with pytest.raises(UsageError, match="leave out --cost-model"):
            costs_of(fake_problem())

    def test_a_problem_of_options_is_the_simulators(self):
        assert problem_of(Search()).objective == Objective.LATENCY
