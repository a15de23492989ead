"""A search problem of arithmetic: as quick as NumPy, and every choice matters."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from nahas.cost import DesignCosts
from nahas.hardware import preset
from nahas.problem import Problem
from nahas.spaces import macro
from nahas.spaces.joint import JointSpace


class FakeAccuracy:
    """Accuracy rises with every block's operation; the first network has none."""

    label = "top-1 % of arithmetic"

    def __init__(self, factor: float = 1.0) -> None:
        self.factor = factor

    def accuracy(self, choices):
        return self.factor * (50.0 + choices @ np.linspace(1.0, 2.0, choices.shape[1]))


class FakeCost:
    """Latency of work over units; few-unit machines with small memories cannot run."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.calls = 0
        self.designs = 0

    def __call__(self, networks, accelerators):
        time.sleep(self.seconds)
        self.calls += 1
        self.designs += len(networks)
        macs = np.array([network.macs for network in networks], float)
        units = np.array([hardware.macs_per_cycle for hardware in accelerators], float)
        memory = np.array([h.local_memory_mb * h.pes for h in accelerators], float)
        reason = np.where(memory < 1.0, 2, 0)
        latency = 1e3 * macs / (units * 8e8) * (1 + 0.2 * np.sqrt(units) / 64)
        return DesignCosts(
            latency_ms=np.where(reason, np.inf, latency),
            energy_mj=np.where(reason, np.inf, 1e-9 * macs * (1 + memory)),
            area_mm2=memory + units / 1000,
            parameters=np.array([network.parameters for network in networks]),
            reason=reason,
        )


def optimist(simulate, joint):
    """A cost model of sorts: all can run, and half of the accelerators seem quicker than they are.

    Latency is 30 % too low where the last decision is even, else 5 % too high.
    """

    def predict(choices):
        networks, accelerators = joint.designs(choices)
        large = [replace(h, local_memory_mb=4.0) for h in accelerators]
        true, able = simulate(networks, accelerators), simulate(networks, large)
        factor = np.where(choices[:, -1] % 2 == 0, 0.7, 1.05)
        return replace(
            true,
            latency_ms=able.latency_ms * factor,
            energy_mj=able.energy_mj,
            reason=np.zeros(len(choices), np.int64),
        )

    return predict


def predicted_problem(cost_model: str = "a" * 64) -> Problem:
    """`fake_problem` as an optimist sees it."""
    problem = fake_problem()
    predict = optimist(FakeCost(), problem.joint)
    return replace(problem, predict=predict, cost_model=cost_model)


def fake_problem(seconds: float = 0.0, factor: float = 1.0) -> Problem:
    """Space macro with arithmetic for measures; `seconds` of sleep per batch."""
    space = macro.network_space()
    joint, simulate = JointSpace(space), FakeCost(seconds)
    return Problem(
        joint=joint,
        accuracy=FakeAccuracy(factor),
        cost=lambda choices: simulate(*joint.designs(choices)),
        simulate=simulate,
        reference=space.choice_named("macro:11111111"),
        baseline=preset("edge-baseline"),
    )
