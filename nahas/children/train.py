"""Training a child network from its beginning to its end."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from nahas.children.checkpoint import Arrays, Row
from nahas.children.data import Dataset
from nahas.children.recipe import Recipe
from nahas.children.training import Progress, Reason, Training
from nahas.spaces.task import NetworkFunction


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A child that was trained.

    Attributes:
        accuracy_percent: top-1 on the validation images; NaN where its loss was not finite.
        epochs: that it finished.
        seconds: that it took, compilation and measuring included.
        reason: why it ended before its end, if it did.
        parameters: number of its weights that are learned.
        history: a row for each epoch; the last may be of a part of one.
        weights: in the order of `keras_model` of the same network.
    """

    accuracy_percent: float
    epochs: int
    seconds: float
    reason: Reason
    parameters: int
    history: tuple[Row, ...]
    weights: Arrays = field(repr=False, compare=False)


def train_child(
    function: NetworkFunction,
    dataset: Dataset,
    recipe: Recipe,
    *,
    folder: Path | None = None,
    resume: bool = False,
    time_limit_s: float | None = None,
    progress: Progress | None = None,
) -> Trained:
    """Train a network and say how well it does.

    A run that was killed and is resumed gives on a CPU the weights of one that was not.

    Args:
        function: the network, for images of any size: it is read for those of the data set.
        dataset: what it learns, and is measured on.
        recipe: how.
        folder: where a checkpoint of every epoch and the log go; None keeps none.
        resume: go on from the checkpoint there; where there is none, begin.
        time_limit_s: ends the training after the step in which so many seconds have passed.
        progress: told of every step.

    Raises:
        TrainingError: when the folder holds another training or the data set is too small.
    """
    training = Training(function, dataset, recipe, folder=folder, resume=resume)
    while not training.over:
        training.epoch(time_limit_s, progress)
    return trained(training)


def trained(training: Training) -> Trained:
    """What has become of a training."""
    return Trained(
        accuracy_percent=training.accuracy_percent,
        epochs=training.state.epoch,
        seconds=training.state.seconds,
        reason=training.reason,
        parameters=training.parameters,
        history=tuple(training.state.history),
        weights=training.weights(),
    )
