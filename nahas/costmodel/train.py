"""Draw, label, learn, and say how large the error is on designs that were held out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.children.quiet import import_keras
from nahas.costmodel.card import Card, Errors, weights_hash
from nahas.costmodel.features import FeatureArray, features
from nahas.costmodel.model import HEADS, HIDDEN, CostModel, perceptron, predict_logs
from nahas.costmodel.origin import origin_here
from nahas.costmodel.samples import Simulate, draw, label, simulator
from nahas.costmodel.split import Split, split
from nahas.energy import Tables
from nahas.manifest import versions
from nahas.spaces.joint import JointSpace
from nahas.vocabulary import Objective, Reason

Progress = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and how much there is."""

HUBER = 0.1
"""Deviations up to which an error counts by its square: beyond it outliers would rule."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a cost model is made; with the same seed and versions it comes out the same.

    Attributes:
        samples: designs to draw.
        seed: of the draw, the split, the weights and the order of learning.
        epochs: passes over the training rows; the learning rate falls to 0 along a cosine.
        batch: rows of one step.
        learning_rate: of Adam, at the start.
        hidden: units of the hidden layers.
        objective: what the simulator's mapper minimises.
    """

    samples: int = 20_000
    seed: int = 0
    epochs: int = 60
    batch: int = 128
    learning_rate: float = 4e-3
    hidden: tuple[int, ...] = HIDDEN
    objective: Objective = Objective.LATENCY


def train(
    joint: JointSpace,
    recipe: Recipe,
    *,
    tables: Tables | None = None,
    simulate: Simulate | None = None,
    progress: Progress | None = None,
) -> CostModel:
    """Make a cost model of a joint space.

    Args:
        joint: networks and accelerators.
        recipe: how to make it.
        tables: energy and area tables; None is the packaged ones.
        simulate: what labels a batch of choices; None is the simulator with these tables.
        progress: told of each batch simulated and each epoch learned.

    Raises:
        CostModelError: when the space has too few designs or too few of them can run.
    """
    tell: Progress = progress or (lambda *_: None)
    of_draw, divide, order = np.random.SeedSequence(recipe.seed).spawn(3)
    simulate = simulate or simulator(joint, recipe.objective, tables)
    samples = label(
        draw(joint, recipe.samples, np.random.default_rng(of_draw)),
        simulate,
        lambda done: tell("simulating", done, recipe.samples),
    )
    inputs = features(joint, samples.choices.astype(np.int64))
    parts = split(joint, samples, np.random.default_rng(divide))
    can_run = samples.reason == Reason.OK
    parts = Split(**{name: rows[can_run[rows]] for name, rows in vars(parts).items()})
    learned = samples.logs[parts.train].astype(np.float64)
    keras_model = perceptron(
        inputs.shape[1],
        learned.mean(axis=0),
        np.maximum(learned.std(axis=0), 1e-6),
        hidden=recipe.hidden,
        seed=recipe.seed,
    )
    batches = Batches(inputs[parts.train], learned, recipe.batch, np.random.default_rng(order))
    _learn(keras_model, batches, learned.std(axis=0), recipe, tell)
    return CostModel(
        joint,
        keras_model,
        Card(
            weights_sha256=weights_hash(keras_model.get_weights()),
            origin=origin_here(joint, tables, simulate),
            objective=recipe.objective.name.lower(),
            seed=recipe.seed,
            samples=len(samples),
            feasible=int(can_run.sum()),
            split_sizes={name: len(rows) for name, rows in vars(parts).items()},
            hidden=list(recipe.hidden),
            epochs=recipe.epochs,
            errors=_held_out_errors(keras_model, inputs, samples.logs.astype(np.float64), parts),
            versions=versions(),
        ),
    )


@dataclass
class Batches:
    """Rows in batches of one size, in a new order every epoch; the last, smaller one is left out.

    Attributes:
        inputs: [N, width] features.
        logs: [N, 3] targets, in the order of `HEADS`.
        size: rows of a batch; where there are fewer rows, one batch holds them all.
        rng: draws the orders.
    """

    inputs: FeatureArray
    logs: NDArray[np.float64]
    size: int
    rng: np.random.Generator

    def __len__(self) -> int:
        """Batches of an epoch."""
        return max(1, len(self.inputs) // self.size)

    def epoch(self) -> Iterator[tuple[FeatureArray, dict[str, NDArray[np.float32]]]]:
        """The batches of one epoch, each of features and a target [B, 1] per head."""
        order = self.rng.permutation(len(self.inputs))
        for step in range(len(self)):
            rows = order[step * self.size : (step + 1) * self.size]
            logs = self.logs[rows].astype(np.float32)
            yield self.inputs[rows], {h: logs[:, i : i + 1] for i, h in enumerate(HEADS)}


def errors_of(predicted: NDArray[np.float64], true: NDArray[np.float64]) -> dict[str, float | None]:
    """How far predicted logarithms [B] are from the true ones [B].

    Returns:
        mape: mean absolute relative error of the costs themselves, in percent.
        within_10: share of designs whose cost is off by at most 10 %, in percent.
        spearman: rank correlation; kendall: tau-b. None where a side is constant.
    """
    from scipy.stats import kendalltau, spearmanr

    off = np.abs(np.expm1(predicted - true))
    ranked = len(true) > 1 and np.ptp(true) > 0 and np.ptp(predicted) > 0
    return {
        "mape": 100 * float(off.mean()),
        "within_10": 100 * float((off <= 0.1).mean()),
        "spearman": float(spearmanr(predicted, true).statistic) if ranked else None,
        "kendall": float(kendalltau(predicted, true).statistic) if ranked else None,
    }


def _learn(
    keras_model: Any,
    batches: Batches,
    deviation: NDArray[np.float64],
    recipe: Recipe,
    tell: Progress,
) -> None:
    """Adam on the Huber loss of every head, in units of the head's deviation."""
    keras = import_keras()
    rate = keras.optimizers.schedules.CosineDecay(
        recipe.learning_rate, recipe.epochs * len(batches)
    )
    scale = np.maximum(deviation, 1e-6)
    keras_model.compile(
        optimizer=keras.optimizers.Adam(rate),
        loss={h: keras.losses.Huber(HUBER * s) for h, s in zip(HEADS, scale, strict=True)},
        # The Huber loss of y in units of s is that of y with delta * s, divided by s^2.
        loss_weights={h: float(s**-2) for h, s in zip(HEADS, scale, strict=True)},
        jit_compile=False,
    )
    for epoch in range(recipe.epochs):
        for inputs, logs in batches.epoch():
            keras_model.train_on_batch(inputs, logs)
        tell("learning", epoch + 1, recipe.epochs)


def _held_out_errors(
    keras_model: Any, inputs: FeatureArray, logs: NDArray[np.float64], parts: Split
) -> Errors:
    errors: Errors = {}
    for name, rows in (
        ("random", parts.random),
        ("hardware", parts.hardware),
        ("networks", parts.networks),
    ):
        predicted = predict_logs(keras_model, inputs[rows])
        errors[name] = {
            head: errors_of(predicted[:, i], logs[rows, i]) for i, head in enumerate(HEADS)
        }
    return errors
