"""The joint one-shot search, on small images and a simulator of arithmetic."""

from dataclasses import replace

import numpy as np
import pytest

from nahas import oneshot
from nahas.children.supernet import SupernetRecipe
from nahas.children.train_supernet import SupernetRun
from nahas.controllers.reinforce import Reinforce
from nahas.errors import UsageError
from nahas.oneshot import JointPolicy, PolicyRecipe, one_shot
from nahas.problem import Search
from nahas.reward import Reward, Target
from nahas.spaces.joint import JointSpace
from tests.children.test_supernet import stripes
from tests.children.tiny_space import tiny_space
from tests.fakes import FakeCost, fake_problem

RECIPE = SupernetRecipe(epochs=2, batch=8, optimizer="sgd", learning_rate=0.5, augment=False)
SEARCH = Search(space="s1", latency="1x", area=None, reward="absolute")


@pytest.fixture
def problem(monkeypatch):
    """The tiny space with arithmetic for costs, in place of what the options name."""
    joint, simulate = JointSpace(tiny_space()), FakeCost()
    made = replace(
        fake_problem(),
        joint=joint,
        cost=lambda choices: simulate(*joint.designs(choices)),
        simulate=simulate,
        reference=np.ones(6, np.int64),
    )
    monkeypatch.setattr(oneshot, "problem_of", lambda _search, _accuracy: made)
    return made


def test_chooses_a_design_and_simulates_it(problem, tmp_path):
    found = one_shot(SEARCH, stripes(), RECIPE, run=SupernetRun(folder=tmp_path))
    chosen, policy = found.chosen, found.card.policy
    assert chosen.network == policy["network"]
    assert chosen.hardware == policy["hardware"]
    network = problem.joint.network_space.choice_named(chosen.network)
    hardware = problem.joint.accelerator.choice(chosen.hardware)
    costs = problem.cost(np.concatenate([network, hardware])[None])
    assert chosen.latency_ms == costs.latency_ms[0]
    assert 0 <= chosen.accuracy <= 100
    assert "not trained alone" in found.accuracy_label
    assert found.targets == {"latency_ms": found.baseline.latency_ms}
    header = (tmp_path / "supernet.csv").read_text().splitlines()[0]
    assert header.endswith("sampled_percent,reward,satisfied,entropy,seconds")


def test_repeats_itself_and_resumes(problem, tmp_path):
    run = SupernetRun(folder=tmp_path / "one")
    first = one_shot(SEARCH, stripes(), RECIPE, run=run)
    again = one_shot(SEARCH, stripes(), RECIPE, run=replace(run, resume=True))
    assert again.chosen == first.chosen
    assert again.card.weights_sha256 == first.card.weights_sha256


def test_learns_to_meet_its_target(problem):
    """With accuracies alike, the policy moves to the target's latency."""
    reward = Reward.preset("absolute", [Target("latency_ms", 0.002)])
    joint = problem.joint
    policy = JointPolicy(
        problem, reward, Reinforce(joint.space, np.random.default_rng(0), None, joint.applicable)
    )
    misses = []
    for _ in range(400):
        policy.learn(lambda _: 50.0)
        costs = problem.cost(policy.best()[None])
        misses.append(abs(float(costs.latency_ms[0]) / 0.002 - 1))
    assert np.mean(misses[-50:]) < 0.5 * np.mean(misses[:50])


def test_needs_a_target(problem):
    with pytest.raises(UsageError, match="a one-shot search needs a target"):
        one_shot(replace(SEARCH, latency=None), stripes(), RECIPE, policy=PolicyRecipe())
