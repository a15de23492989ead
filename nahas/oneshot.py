"""The joint one-shot search: a supernet and one policy over networks and accelerators.

Steps alternate (paper notes, section 6.2): the weights learn from the train part, then the
policy from the accuracy of one proposal on validation images, with the weights as they are.
Accelerator decisions are decisions of the same policy; latency, energy and area come from the
simulator or a cost model. What is chosen in the end has the most probable value of every
decision, and is simulated; its accuracy is one of shared weights, which is not what it reaches
when it is trained alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.accuracy.oneshot import LABEL, SharedWeightsToTrain
from nahas.children.data import Dataset
from nahas.children.device import on_device
from nahas.children.supernet import Supernet, SupernetRecipe
from nahas.children.supernet_files import SupernetCard
from nahas.children.train_supernet import Progress, SupernetRun, train_supernet
from nahas.controllers.reinforce import Reinforce, ReinforceHyperparameters
from nahas.cosearch import Stop, rewarded
from nahas.cost import DesignCosts
from nahas.designs import Design, described
from nahas.errors import UsageError
from nahas.keeping import Keeping
from nahas.phases import NO_TARGET
from nahas.problem import Problem, Search, problem_of
from nahas.result import SearchResult, result_of
from nahas.reward import Reward, targets_of
from nahas.spaces.space import ChoiceArray
from nahas.study.origin import Origin
from nahas.study.trials import Trials

IMAGES_OF_RATE = 256
"""The policy's learning rate is for so many images of a training batch, as TuNAS scales it."""

FOLDER = "supernet"
"""Of the weights, beside a study."""


@dataclass(frozen=True, kw_only=True)
class PolicyRecipe:
    """How the policy learns; TuNAS' numbers.

    Attributes:
        learning_rate: Adam's at the beginning, for 256 images of a batch.
        growth: by what it has grown at the end.
        baseline_decay: of the average of rewards, over one lesson.
    """

    learning_rate: float = 3e-4
    growth: float = 10.0
    baseline_decay: float = 0.95


@dataclass(frozen=True)
class OneShot:
    """What a one-shot search found.

    Attributes:
        card: of the supernet.
        chosen: the design of the most probable decisions; its accuracy is one of shared weights
            on validation images, its costs are simulated.
        baseline: costs of the design that relative targets are multiples of; it has no accuracy.
        targets: the limits by metric.
        accuracy_label: what the accuracy is.
    """

    card: SupernetCard
    chosen: Design
    baseline: Design
    targets: Mapping[str, float]
    accuracy_label: str


def one_shot(
    search: Search,
    dataset: Dataset,
    recipe: SupernetRecipe,
    *,
    policy: PolicyRecipe | None = None,
    run: SupernetRun | None = None,
    progress: Progress = lambda _done, _total, _note: None,
) -> OneShot:
    """Train a supernet and search it, networks and accelerators together.

    Args:
        search: spaces, targets, reward, baseline, cost model and tables; the rest of it is not
            read.
        dataset: images to train on and to be rewarded by.
        recipe: how weights learn, and the seed.
        policy: how the policy learns; None is TuNAS'.
        run: where things are kept, and when it ends.
        progress: told of every step.

    Raises:
        NahasError: whatever of the options cannot be used.
    """
    problem = problem_of(replace(search, strategy="joint"), NoAccuracy())
    policy, run = policy or PolicyRecipe(), run or SupernetRun()
    reward, baseline = _reward(problem, search)
    controller = _controller(problem, dataset, recipe, policy)
    learner = JointPolicy(problem, reward, controller)
    run = replace(run, identity={**(run.identity or {}), **_identity(problem, reward, policy)})
    supernet = Supernet.new(problem.joint.network_space, dataset.task, seed=recipe.seed)
    card = train_supernet(supernet, dataset, recipe, policy=learner, run=run, progress=progress)
    choice = learner.best()
    network = problem.joint.split(choice[None])[0][0]
    accuracy = _measured(supernet, dataset, recipe, network)
    targets = {target.metric: target.limit for target in reward.targets}
    chosen = _design(problem, reward, choice, accuracy)
    return OneShot(card, chosen, baseline, targets, LABEL.format(dataset=dataset.name))


def searched_at_once(
    problem: Problem,
    search: Search,
    asked: tuple[Reward, Origin],
    progress: Callable[[Trials], None] = lambda _: None,
) -> SearchResult:
    """What `strategies.searched` does by the strategy 'one-shot'.

    The study keeps one trial, the design that the policy ends with, and the weights lie beside it,
    in the folder `FOLDER`. That design and the baseline's network are measured with the same
    weights on the same validation images. A study that was broken off goes on after the last
    whole epoch.

    Args:
        problem: with an accuracy of `SharedWeightsToTrain`.
        search: the options.
        asked: the reward, and the origin of the study.
        progress: called with every lesson, as a trial whose accuracy is of one batch and of the
            weights as they were; these are not kept.

    Raises:
        NahasError: when the study or the weights beside it cannot be used.
    """
    begun, source, (reward, origin) = time.monotonic(), problem.accuracy, asked
    assert isinstance(source, SharedWeightsToTrain)  # `problem_of` made it for this strategy
    dataset, recipe, policy = source.dataset, source.recipe, PolicyRecipe()
    run = SupernetRun(
        folder=search.study.parent / FOLDER if search.study else None,
        resume=search.resume,
        replace=not search.resume,
        time_limit_s=search.time_limit_s,
        identity=_identity(problem, reward, policy),
    )
    controller = _controller(problem, dataset, recipe, policy)
    learner = JointPolicy(problem, reward, controller, progress)
    with Keeping(search, origin, lambda _: None) as keeping, on_device("auto"):
        supernet = Supernet.new(problem.joint.network_space, dataset.task, seed=recipe.seed)
        card = train_supernet(supernet, dataset, recipe, policy=learner, run=run)
        choice = learner.best()[None]
        network = problem.joint.split(choice)[0][0]
        accuracies = np.array(
            [_measured(supernet, dataset, recipe, of) for of in (network, problem.reference)]
        )
        keeping.keep(
            rewarded(choice, (accuracies[:1], problem.cost(choice)), reward, first=0), 0, None
        )
        origin = _with_baseline(origin, reward, float(accuracies[1]))
        keeping.keep_notes(origin)
        result = result_of(problem.joint, origin, (keeping.trials(), None), search.best)
    stop = Stop.TIME if card.stop == "time limit" else Stop.TRIALS
    return replace(result, stop=stop, seconds=time.monotonic() - begun, study=search.study)


class NoAccuracy:
    """An `AccuracyBackend` for what is measured in another way."""

    label = "none"

    def accuracy(self, choices: ChoiceArray) -> NDArray[np.float64]:
        """NaN for every network."""
        return np.full(len(choices), np.nan)


class JointPolicy:
    """One policy over the decisions of networks and accelerators; a `train_supernet.Policy`."""

    def __init__(
        self,
        problem: Problem,
        reward: Reward,
        controller: Reinforce,
        told: Callable[[Trials], None] = lambda _: None,
    ) -> None:
        self._problem = problem
        self._told = told
        self._cost = problem.predict or problem.cost
        self._reward = reward
        self._controller = controller
        self._lessons: list[tuple[float, float, float]] = []

    def sample(self) -> ChoiceArray:
        """A network to train [D]."""
        return self._network(self._controller.ask(1))

    def learn(self, accuracy: Any) -> None:
        """Propose a design, and take a lesson from its accuracy in percent and its costs."""
        choices = self._controller.ask(1)
        percent = np.array([accuracy(self._network(choices))])
        told = int(self._controller.state()["told"])
        trial = rewarded(choices, (percent, self._cost(choices)), self._reward, first=told)
        self._controller.tell(choices, trial.reward)
        self._lessons.append((float(percent[0]), float(trial.reward[0]), float(trial.satisfied[0])))
        self._told(trial)

    def best(self) -> ChoiceArray:
        """The most probable value of every decision [D]."""
        return self._controller.best()

    def row(self) -> dict[str, float]:
        """Means over the lessons since the last call, and the mean entropy of the decisions."""
        means = np.mean(self._lessons or [(np.nan,) * 3], axis=0)
        self._lessons.clear()
        names = ("sampled_percent", "reward", "satisfied")
        shares = self._controller.probabilities
        entropy = -(shares * np.log(np.where(shares > 0, shares, 1.0))).sum(axis=1).mean()
        return {**dict(zip(names, map(float, means), strict=True)), "entropy": float(entropy)}

    def summary(self) -> dict[str, Any]:
        """The chosen design and how sure the policy is of it."""
        joint, choice = self._problem.joint, self.best()
        space, values = joint.network_space, joint.space.values(choice)
        network = joint.split(choice[None])[0][0]
        return {
            "network": space.network_name(space.space.values(network)),
            "hardware": {d.name: values[d.name] for d in joint.accelerator.decisions},
            "least_probability": float(self._controller.probabilities.max(axis=1).min()),
            "reward": asdict(self._reward),
        }

    def state(self) -> Mapping[str, NDArray[Any]]:
        """That of the controller."""
        return self._controller.state()

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Continue from a `state`."""
        self._controller.restore(state)

    def _network(self, choices: ChoiceArray) -> ChoiceArray:
        network: ChoiceArray = self._problem.joint.split(choices)[0][0]
        return network


def _controller(
    problem: Problem, dataset: Dataset, recipe: SupernetRecipe, policy: PolicyRecipe
) -> Reinforce:
    steps = recipe.epochs * max(dataset.sizes["train"] // recipe.batch, 1)
    knobs = ReinforceHyperparameters(
        learning_rate=policy.learning_rate * recipe.batch / IMAGES_OF_RATE,
        growth=policy.growth,
        growth_trials=max(round(steps * (1.0 - recipe.policy_start)), 1),
        baseline_decay=policy.baseline_decay,
    )
    rng = np.random.default_rng([recipe.seed, 2])
    joint = problem.joint
    return Reinforce(joint.space, rng, applicable=joint.applicable, hyperparameters=knobs)


def _identity(problem: Problem, reward: Reward, policy: PolicyRecipe) -> dict[str, Any]:
    """What a training follows from besides its weights' recipe."""
    return {
        "hardware_space": problem.joint.hardware_space,
        "policy": asdict(policy),
        "reward": asdict(reward),
        "cost_model": problem.cost_model,
        **problem.fingerprints,
    }


def _measured(
    supernet: Supernet, dataset: Dataset, recipe: SupernetRecipe, network: ChoiceArray
) -> float:
    """Top-1 in percent of a network [D] with shared weights on all validation images."""
    batches = dataset.batches("validation", batch=recipe.batch, seed=recipe.seed, shuffle=True)
    return supernet.accuracy(network, batches)


def _with_baseline(origin: Origin, reward: Reward, accuracy: float) -> Origin:
    """The origin, its baseline design noted with an accuracy."""
    noted = Design(**origin.notes["baseline"])
    costs = DesignCosts(
        latency_ms=np.array([noted.latency_ms]),
        energy_mj=np.array([noted.energy_mj]),
        area_mm2=np.array([noted.area_mm2]),
        parameters=np.array([noted.parameters]),
        reason=np.array([0 if noted.feasible else 1]),
    )
    percent = np.array([accuracy])
    baseline = replace(
        noted,
        accuracy=accuracy,
        reward=float(reward.of(percent, costs)[0]),
        satisfied=bool(reward.satisfied(percent, costs)[0]),
    )
    return replace(origin, notes={**origin.notes, "baseline": asdict(baseline)})


def _reward(problem: Problem, search: Search) -> tuple[Reward, Design]:
    """The reward, its targets in the metrics' units, and the baseline design."""
    if not search.limits:
        raise UsageError(NO_TARGET)
    space = problem.joint.network_space
    network = space.network(problem.reference)
    costs = problem.simulate([network], [problem.baseline])
    reward = Reward.preset(search.reward, targets_of(search.limits, costs))
    if search.reward_p is not None:
        reward = replace(reward, p=search.reward_p)
    if search.reward_q is not None:
        reward = replace(reward, q=search.reward_q)
    hardware = {
        d.name: getattr(problem.baseline, d.name) for d in problem.joint.accelerator.decisions
    }
    trial = rewarded(problem.reference[None], (np.array([np.nan]), costs), reward, first=-1)
    return reward, described(space, problem.reference, hardware, trial)


def _design(problem: Problem, reward: Reward, choice: ChoiceArray, accuracy: float) -> Design:
    """The design of a choice [D] of the joint space, simulated."""
    joint = problem.joint
    trial = rewarded(
        choice[None], (np.array([accuracy]), problem.cost(choice[None])), reward, first=-1
    )
    network, accelerator = (part[0] for part in joint.split(choice[None]))
    values = joint.accelerator.values(accelerator)
    return described(joint.network_space, network, values, trial)
