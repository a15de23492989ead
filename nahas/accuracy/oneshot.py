"""Accuracy of networks with the shared weights of a supernet."""

from __future__ import annotations

import hashlib
import math
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.children.data import Dataset, data_errors
from nahas.children.saved import about
from nahas.children.supernet import Supernet, SupernetRecipe
from nahas.children.supernet_files import SupernetCard, load_supernet
from nahas.errors import AccuracyError, SpaceError, UsageError
from nahas.spaces.networks import NetworkSpace
from nahas.spaces.space import ChoiceArray

LABEL = "{dataset} top-1 %, with shared weights (not trained alone)"

STEPS_OF_EPOCH = 8
"""Of small data sets, at least."""

IMAGES = 2000
"""Validation images of a measurement, at least: their standard error is about 1 point."""


class OneShotAccuracy:
    """Measures networks by a supernet, each on the same validation images; an `AccuracyBackend`.

    Args:
        space: whose networks are asked about.
        supernet: file of `nahas train-supernet`.
        dataset: the images that the weights have learned, divided with the same seed: of other
            parts, they may have learned what is measured here.
        images: of the validation part, rounded up to whole batches of the training's size, as
            their statistics normalise.
        seed: of the choice of images.

    Raises:
        TrainingError: when the file cannot be used for this space and these images.
        AccuracyError: when the weights have learned other images.
    """

    def __init__(
        self,
        space: NetworkSpace,
        supernet: Path,
        dataset: Dataset,
        *,
        images: int = IMAGES,
        seed: int = 0,
    ) -> None:
        self._supernet, card = load_supernet(supernet, space, dataset.task)
        _check_images(supernet, card, dataset)
        self._batch = int(card.recipe["batch"])
        self._weights_sha256 = card.weights_sha256
        self._dataset, self._images, self._seed = dataset, images, seed

    @property
    def label(self) -> str:
        """What this accuracy is."""
        return LABEL.format(dataset=self._dataset.name)

    @property
    def supernet(self) -> Supernet:
        """The weights."""
        return self._supernet

    @property
    def identity(self) -> dict[str, Any]:
        """What makes these accuracies these and no others, without measuring any."""
        digest = hashlib.sha256()
        for images, labels in self._batches:
            digest.update(np.asarray(images).tobytes() + np.asarray(labels).tobytes())
        return {"weights_sha256": self._weights_sha256, "images_sha256": digest.hexdigest()}

    def accuracy(self, choices: ChoiceArray) -> NDArray[np.float64]:
        """Top-1 in percent [B] of network choices [B, D], with shared weights.

        Raises:
            AccuracyError: when a choice lies outside the space.
        """
        try:
            self._supernet.space.space.check(choices)
        except SpaceError as problem:
            raise AccuracyError(f"the supernet has no such network: {problem}") from problem
        return np.array([self._supernet.accuracy(row, self._batches) for row in choices])

    @cached_property
    def _batches(self) -> list[tuple[Any, Any]]:
        batches = self._dataset.batches(
            "validation", batch=self._batch, seed=self._seed, shuffle=True
        )
        with data_errors():
            return list(islice(batches, -(-self._images // self._batch)))


def recipe_for(images: int, trials: int, seed: int) -> SupernetRecipe:
    """How shared weights are trained on so many images while so many designs are tried.

    Of the defaults all but two stay: batches are halved until an epoch of the images has 8 steps,
    and there are as many epochs as give the policy no more lessons, each of one design, than
    trials.

    Raises:
        UsageError: when one epoch has more.
    """
    batch = SupernetRecipe.batch
    while batch > 1 and images // batch < STEPS_OF_EPOCH:
        batch //= 2
    steps = max(images // batch, 1)
    epochs = int(trials / (steps * (1.0 - SupernetRecipe.policy_start)))
    recipe = SupernetRecipe(epochs=max(epochs, 1), batch=batch, seed=seed)
    if lessons(recipe, steps) > trials:
        raise UsageError(
            f"trials is {trials}, but one epoch of {images} images has {lessons(recipe, steps)} "
            "lessons of a one-shot search: give as many --trials, or fewer --proxy-images"
        )
    return recipe


def lessons(recipe: SupernetRecipe, steps: int) -> int:
    """How many lessons a policy has in a training with so many steps an epoch."""
    total = recipe.epochs * steps
    return total - math.ceil(recipe.policy_start * total)


@dataclass(frozen=True)
class SharedWeightsToTrain:
    """The accuracy with weights that a one-shot search has yet to train; an `AccuracyBackend`.

    Attributes:
        dataset: the images to train and to measure on.
        recipe: how the weights learn.
    """

    dataset: Dataset
    recipe: SupernetRecipe

    @property
    def label(self) -> str:
        """What the accuracy will be."""
        return LABEL.format(dataset=self.dataset.name)

    @property
    def identity(self) -> dict[str, Any]:
        """What the weights will follow from."""
        return {"dataset": about(self.dataset), "recipe": asdict(self.recipe)}

    def accuracy(self, choices: ChoiceArray) -> NDArray[np.float64]:
        """NaN [B]: nothing has been learned."""
        return np.full(len(choices), np.nan)


def _check_images(path: Path, card: SupernetCard, dataset: Dataset) -> None:
    """Refuse images that are not divided as those of the training were."""
    theirs, ours = card.dataset, about(dataset)
    alike = np.shape(theirs["mean"]) == np.shape(ours["mean"]) and np.allclose(
        theirs["mean"], ours["mean"], atol=1e-5
    )
    if theirs["images"] != ours["images"] or not alike:
        raise AccuracyError(
            f"{path}: has learned {theirs['images']['train']} images of {theirs['name']}, but here "
            f"are {ours['images']['train']} others of {ours['name']}, some of which may be "
            "measured: give the same data, as many images of it, and the same seed"
        )
