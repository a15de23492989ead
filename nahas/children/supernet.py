"""A supernet: all networks of a space with shared weights, and how one step trains them.

The settings are TuNAS' (paper notes, section 6.2). At every step one network is drawn and
trained. While the training is young, some steps train more of the supernet: operation warm-up
runs a link with other operations beside the drawn one and takes the mean, and filter warm-up
takes the largest width instead of the drawn one; each happens with a probability that falls
linearly from 1 to 0. Where a link has several decisions between operations, it runs as often as
the one with the most values has values, so that every value occurs; TuNAS' layers have one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from nahas.children.operations import Operations, Rates, operations
from nahas.children.shared import SharedBuilder, SharedWeights, run_links
from nahas.errors import TrainingError
from nahas.spaces.networks import Link, NetworkSpace, Values
from nahas.spaces.space import ChoiceArray, Decision
from nahas.spaces.task import Task, for_task

OPTIMIZERS = ("rmsprop", "sgd")

SQUARES_DECAY = 0.9
"""Of RMSProp's average of squared gradients."""

IMAGES_OF_RATE = 256
"""The learning rate is for a batch of so many images, and grows with the batch."""


@dataclass(frozen=True, kw_only=True)
class SupernetRecipe:
    """How a supernet is trained; the defaults are TuNAS', but for the batch of one device.

    Attributes:
        epochs: passes over the train part.
        batch: images of a step.
        optimizer: 'rmsprop', with a decay of 0.9 and an epsilon of 1, or 'sgd', with momentum.
        learning_rate: the highest, for 256 images of a batch; it falls to 0 along a cosine.
        warm_up: share of the steps in which the learning rate rises from 0.
        momentum: of the optimizer.
        weight_decay: L2, added to the gradient of every weight that a step takes.
        label_smoothing: share of the label that is spread over all classes.
        operation_warm_up: share of the steps with operation warm-up.
        filter_warm_up: share of the steps with filter warm-up.
        policy_start: share of the steps before a policy begins to learn.
        policy_batches: validation images of a lesson, as a multiple of `batch`; TuNAS takes 4.
        augment: crop and mirror training images at random.
        seed: of the weights, the order of images, and what is drawn.

    Raises:
        TrainingError: for a value that no training can have.
    """

    epochs: int = 90
    batch: int = 256
    optimizer: str = "rmsprop"
    learning_rate: float = 0.165
    warm_up: float = 0.025
    momentum: float = 0.9
    weight_decay: float = 4e-5
    label_smoothing: float = 0.1
    operation_warm_up: float = 0.25
    filter_warm_up: float = 0.25
    policy_start: float = 0.25
    policy_batches: int = 1
    augment: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        rules = {
            "optimizer": (self.optimizer in OPTIMIZERS, f"one of {', '.join(OPTIMIZERS)}"),
            "learning_rate": (0 < self.learning_rate < math.inf, "above 0 and finite"),
            "weight_decay": (self.weight_decay >= 0, "at least 0"),
            "seed": (self.seed >= 0, "at least 0"),
        }
        for name in ("epochs", "batch", "policy_batches"):
            rules[name] = (getattr(self, name) >= 1, "at least 1")
        for name in ("warm_up", "momentum", "label_smoothing"):
            rules[name] = (0 <= getattr(self, name) < 1, "at least 0 and below 1")
        for name in ("operation_warm_up", "filter_warm_up", "policy_start"):
            rules[name] = (0 <= getattr(self, name) <= 1, "from 0 to 1")
        for name, (kept, allowed) in rules.items():
            if not kept:
                raise TrainingError(
                    f"supernet: {name} is {getattr(self, name)!r}, but it must be {allowed}"
                )

    def rates(self, progress: float) -> Rates:
        """Of the step at a fraction of the training."""
        peak = self.learning_rate * self.batch / IMAGES_OF_RATE
        rise = min(1.0, progress / self.warm_up) if self.warm_up else 1.0
        rest = max(0.0, (progress - self.warm_up) / (1.0 - self.warm_up))
        return Rates(
            rate=peak * rise * 0.5 * (1.0 + math.cos(math.pi * rest)),
            momentum=self.momentum,
            decay=SQUARES_DECAY if self.optimizer == "rmsprop" else None,
            l2=self.weight_decay,
        )


Mixture = list[list[Values]]
"""For each link, the values that it runs with; see `run_links`."""


@dataclass(frozen=True)
class Supernet:
    """All networks of a space, read for a task, with shared weights.

    Attributes:
        space: as it is searched; its own networks are what is simulated.
        task: the images that it classifies.
        weights: of all networks.
    """

    space: NetworkSpace
    task: Task
    weights: SharedWeights

    @classmethod
    def new(
        cls, space: NetworkSpace, task: Task, *, seed: int = 0, on: Operations | None = None
    ) -> Supernet:
        """A supernet that has not learned.

        Args:
            space: the networks.
            task: the images.
            seed: of the initial weights.
            on: what to compute with; None is Keras' backend.
        """
        read = for_task(space, task)
        return cls(space, task, SharedWeights(read, on or operations(), seed))

    @cached_property
    def links(self) -> tuple[Link, ...]:
        """The links, read for the task."""
        return for_task(self.space, self.task).links

    def mixture(self, choice: ChoiceArray) -> Mixture:
        """Each link with the values of a choice [D] alone."""
        values = self.space.space.values(choice)
        return [[{name: values[name] for name in link.decisions}] for link in self.links]

    def warmed(
        self,
        choice: ChoiceArray,
        rng: np.random.Generator,
        *,
        operations: float,
        filters: float,
    ) -> Mixture:
        """The values of a choice [D] as warm-up changes them.

        Args:
            choice: what was drawn.
            rng: draws where warm-up happens.
            operations: probability of operation warm-up, of each link.
            filters: probability of filter warm-up, of each decision.
        """
        decisions = {decision.name: decision for decision in self.space.space.decisions}
        values = self.space.space.values(choice)
        for decision in decisions.values():
            if decision.widths and rng.random() < filters:
                values[decision.name] = decision.values[-1]
        mixed: Mixture = []
        for link in self.links:
            own: Values = {name: values[name] for name in link.decisions}
            open_ones = [decisions[name] for name in link.decisions if not decisions[name].widths]
            several = bool(open_ones) and rng.random() < operations
            mixed.append(_covering(own, open_ones, rng) if several else [own])
        return mixed

    def step(
        self, batch: tuple[Any, Any], mixture: Mixture, rates: Rates, smoothing: float
    ) -> float:
        """Train on a batch of images and labels; the loss before it.

        Where the loss is not finite no weight changes.
        """
        images, labels = batch
        builder = SharedBuilder(self.weights, images)

        def forward() -> tuple[Any, list[Any]]:
            logits = run_links(builder, self.links, mixture)
            loss = self.weights.on.loss(logits, labels, smoothing)
            return loss, list(builder.taken.values())

        loss, _, gradients = self.weights.on.gradients(forward)
        if math.isfinite(loss):
            self.weights.update(builder.taken, gradients, rates)
        return loss

    def accuracy(self, choice: ChoiceArray, batches: Iterable[tuple[Any, Any]]) -> float:
        """Top-1 in percent of the network of a choice [D] with shared weights."""
        on, mixture = self.weights.on, self.mixture(choice)
        correct = count = 0
        for images, labels in batches:

            def logits(images: Any = images) -> Any:
                return run_links(SharedBuilder(self.weights, images), self.links, mixture)

            correct += on.correct(on.without_gradients(logits), labels)
            count += len(labels)
        return 100.0 * correct / count


def _covering(own: Values, decisions: list[Decision], rng: np.random.Generator) -> list[Values]:
    """Combinations of values, the drawn ones first, in which every value of each occurs."""
    orders = []
    for decision in decisions:
        drawn = decision.index(own[decision.name])
        others = [value for value in range(len(decision.values)) if value != drawn]
        orders.append([drawn, *rng.permutation(others).tolist()])
    most = max(map(len, orders))
    return [
        {
            **own,
            **{
                decision.name: decision.values[order[turn % len(order)]]
                for decision, order in zip(decisions, orders, strict=True)
            },
        }
        for turn in range(most)
    ]
