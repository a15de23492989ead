"""One child that is being trained, an epoch at a time."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from nahas.children.checkpoint import Arrays, Folder, State
from nahas.children.data import Dataset
from nahas.children.learner import Learner
from nahas.children.quiet import import_keras
from nahas.children.recipe import Recipe
from nahas.errors import TrainingError
from nahas.spaces.builder import Feature, LayerBuilder
from nahas.spaces.task import NetworkFunction, function_for_task

MEASURED_AT_ONCE = 250
"""Images that are measured together: a divisor of most parts, since a batch of another size is
compiled anew where Keras runs on JAX."""

Progress = Callable[[int, int, str], None]
"""Told of steps done, steps of the whole training, and how it goes."""


class Reason(StrEnum):
    """Why a child was not trained to its end; DONE, the empty text, is one that was."""

    DONE = ""
    NOT_FINITE = "not finite"
    TIME_LIMIT = "time limit"
    STOPPED = "stopped early"
    WORKER_LOST = "worker lost"
    OUT_OF_MEMORY = "out of memory"


class Training:
    """One child that is being trained.

    Args:
        function: the network, for images of any size: it is read for those of the data set.
        dataset: what it learns, and is measured on.
        recipe: how.
        folder: where a checkpoint of every epoch goes; None keeps none.
        resume: go on from the checkpoint there; where there is none, begin.

    Attributes:
        state: how far it has come.
        reason: why it ended before its end, if it did.

    Raises:
        TrainingError: when there is a checkpoint and nothing is said of going on, when it is
            damaged or of another training, or when the data set has less than one batch.
    """

    def __init__(
        self,
        function: NetworkFunction,
        dataset: Dataset,
        recipe: Recipe,
        *,
        folder: Path | None = None,
        resume: bool = False,
    ) -> None:
        self._dataset = dataset
        self._recipe = recipe
        self._steps = dataset.sizes["train"] // recipe.batch
        if not self._steps:
            raise TrainingError(
                f"recipe: batch is {recipe.batch}, but {dataset.name} has "
                f"{dataset.sizes['train']} images to learn from: take a smaller batch"
            )
        for_task = function_for_task(function, dataset.task)
        self._folder = Folder(folder, _identity(for_task, dataset, recipe)) if folder else None
        if self._folder and not resume:
            self._folder.refuse_begun()
        self.state = self._folder.read() if self._folder else State()
        self.reason = Reason.DONE
        self._learner = Learner(
            for_task,
            recipe,
            classes=dataset.task.classes,
            steps=self._steps * recipe.epochs,
        )
        if self.state.epoch:
            self._learner.restore(self.state.variables, self.state.optimizer)

    @property
    def over(self) -> bool:
        """Whether there is nothing left to train."""
        return self.reason is not Reason.DONE or self.state.epoch >= self._recipe.epochs

    @property
    def accuracy_percent(self) -> float:
        """Top-1 on the validation images when last measured; NaN where there is none."""
        history = self.state.history
        return float(history[-1]["validation_percent"]) if history else math.nan

    @property
    def parameters(self) -> int:
        """Number of weights that are learned."""
        return self._learner.parameters

    def weights(self) -> Arrays:
        """Weights to keep, in the order of `keras_model` of the same network."""
        return self._learner.weights()

    def percent(self, part: str) -> float:
        """Top-1 on the images of a part, now."""
        return 100.0 * self._measured(part)["accuracy"]

    def epoch(self, time_limit_s: float | None = None, progress: Progress | None = None) -> None:
        """Train one more epoch, measure on the validation images, write the checkpoint.

        A loss that is not finite ends the training at once. A time limit, which counts from the
        training's beginning, ends it after the step in which it passes; what it has learned by
        then is measured, but no checkpoint is written of a part of an epoch.
        """
        began = time.monotonic() - self.state.seconds

        def after_step(step: int, logs: Mapping[str, float]) -> bool:
            if not math.isfinite(logs["loss"]):
                self.reason = Reason.NOT_FINITE
            elif time_limit_s is not None and time.monotonic() - began >= time_limit_s:
                self.reason = Reason.TIME_LIMIT
            if progress:
                done = self.state.epoch * self._steps + step + 1
                progress(done, self._steps * self._recipe.epochs, self._note(logs))
            return self.reason is not Reason.DONE

        recipe = self._recipe
        batches = self._dataset.batches(
            "train",
            batch=recipe.batch,
            seed=recipe.seed,
            epoch=self.state.epoch,
            augment=recipe.augment,
            shuffle=True,
            size=self._learner.image_size,
        )
        learned = self._learner.fit(batches, after_step)
        measured = {"loss": math.nan, "accuracy": math.nan}
        if self.reason is not Reason.NOT_FINITE:
            measured = self._measured("validation")
            if not math.isfinite(measured["loss"]):
                self.reason = Reason.NOT_FINITE
        self._note_epoch(learned, measured, time.monotonic() - began)

    def _note_epoch(
        self, learned: Mapping[str, float], measured: Mapping[str, float], seconds: float
    ) -> None:
        state = self.state
        state.seconds = seconds
        state.history.append(
            {
                "epoch": state.epoch + 1,
                "loss": learned["loss"],
                "train_percent": 100.0 * learned["accuracy"],
                "validation_loss": measured["loss"],
                "validation_percent": 100.0 * measured["accuracy"],
                "seconds": round(seconds, 3),
            }
        )
        state.epoch += self.reason is Reason.DONE
        if self._folder and self.reason is Reason.DONE:
            state.variables, state.optimizer = self._learner.variables()
            self._folder.write(state)
        elif self._folder:
            self._folder.log(state.history)

    def _measured(self, part: str) -> dict[str, float]:
        size = self._learner.image_size
        batches = self._dataset.batches(part, batch=MEASURED_AT_ONCE, size=size)
        return self._learner.measured(batches)

    def _note(self, logs: Mapping[str, float]) -> str:
        note = f"training {100.0 * logs['accuracy']:.1f} %"
        if self.state.history:
            note += f", validation {self.accuracy_percent:.1f} % after epoch {self.state.epoch}"
        return note


def _identity(function: NetworkFunction, dataset: Dataset, recipe: Recipe) -> dict[str, Any]:
    """What makes a training this one and no other."""
    child = _Noting("child")
    function(child)
    read = repr((child.layers, child.inputs, child.applied))
    return {
        "network": hashlib.sha256(read.encode()).hexdigest()[:16],
        "dataset": dataset.name,
        "images": dict(dataset.sizes),
        "mean": [round(float(mean), 6) for mean in dataset.mean],
        "backend": import_keras().backend.backend(),
        **asdict(recipe),
    }


@dataclass
class _Noting(LayerBuilder):
    """Layers, and the activations that are none since the output path applies them."""

    applied: list[tuple[int, str]] = field(default_factory=list)

    def activation(self, x: Feature, name: str) -> Feature:
        self.applied.append((x.source, name))
        return super().activation(x, name)
