"""What a data set is: images in parts, and their batches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nahas.children.data.batches import Batch, Epoch, as_batches
from nahas.children.data.crops import Size, moments, standardised
from nahas.children.data.draws import epoch_draws
from nahas.children.data.images import Images, Pictures
from nahas.errors import DataError, NetworkError
from nahas.spaces.task import Task

PARTS = ("train", "validation", "test")

MOST_FOR_MOMENTS = 2_000
"""Images of the train part whose pixels are looked at for mean and deviation, where they are not
in memory: the mean of a channel is then known to about 1 % of its deviation."""


class Dataset(Protocol):
    """Images to train a network on, in parts that have no image in common.

    Attributes:
        name: what it is called where results are told.
        task: size of its images and number of its classes.
        classes: their names.
        mean, deviation: [C] of the pixels of the train part over 255.
        sizes: images of each of `PARTS`.
    """

    @property
    def name(self) -> str:
        """What it is called where results are told."""

    @property
    def task(self) -> Task:
        """Size of its images and number of its classes."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""

    @property
    def mean(self) -> NDArray[np.float32]:
        """Of the train part's pixels over 255, of each channel [C]."""

    @property
    def deviation(self) -> NDArray[np.float32]:
        """Of the train part's pixels over 255, of each channel [C]."""

    @property
    def sizes(self) -> Mapping[str, int]:
        """Images of each of `PARTS`."""

    def batches(
        self,
        part: str,
        *,
        batch: int,
        seed: int = 0,
        epoch: int = 0,
        augment: bool = False,
        shuffle: bool = False,
        size: Size | None = None,
    ) -> Any:
        """The batches of one epoch of a part, for `fit`, `evaluate` or a loop.

        They are a function of the arguments alone: the same seed and epoch give the same pixels
        on every Keras backend, and after a resume.

        Args:
            part: one of `PARTS`.
            batch: images of a batch.
            seed: of shuffle and augmentation.
            epoch: of which they are drawn anew.
            augment: whether images are cropped and mirrored at random.
            shuffle: whether images come in random order; the last batch is then left out when
                it is not full, since a network normalises badly over a few images.
            size: (height, width) for a network that reads larger images than `task`; None for
                those of `task`.

        Returns:
            A sized iterable of (standardised pixels float32 [B, H, W, C], labels int32 [B]): a
            `tf.data.Dataset` on Keras' TensorFlow backend, else a `keras.utils.PyDataset`, with
            which `fit` needs `shuffle=False`.

        Raises:
            DataError: for an unknown part, or a batch of less than one image.
        """


@dataclass(frozen=True, eq=False)
class Divided:
    """A `Dataset` of images in memory, or of files that are decoded when they are read.

    Attributes:
        name: what it is called where results are told.
        task: size of its images and number of its classes.
        classes: their names.
        parts: the images of each of `PARTS`.
        mean: of the train part's pixels over 255, of each channel [C].
        deviation: likewise.
    """

    name: str
    task: Task
    classes: tuple[str, ...]
    parts: Mapping[str, Pictures]
    mean: NDArray[np.float32]
    deviation: NDArray[np.float32]

    @property
    def sizes(self) -> Mapping[str, int]:
        """Images of each part."""
        return {part: len(images) for part, images in self.parts.items()}

    def batches(
        self,
        part: str,
        *,
        batch: int,
        seed: int = 0,
        epoch: int = 0,
        augment: bool = False,
        shuffle: bool = False,
        size: Size | None = None,
    ) -> Any:
        """The batches of one epoch of a part; see `Dataset.batches`."""
        if part not in self.parts:
            raise DataError(f"{self.name}: has no part '{part}': its parts are {', '.join(PARTS)}")
        if batch < 1:
            raise DataError(f"batch is {batch}, but a batch needs at least 1 image")
        images = self.parts[part]
        draws = epoch_draws(len(images), seed=seed, epoch=epoch)
        order = draws.order if shuffle else np.arange(len(images))
        seen = size or (self.task.height, self.task.width)

        def read(step: int) -> Batch:
            rows = order[step * batch : (step + 1) * batch]
            pixels = images.read(rows, seen, draws if augment else None)
            labels = images.labels[rows].astype(np.int32)
            return standardised(pixels, self.mean, self.deviation), labels

        steps = max(len(images) // batch, 1) if shuffle else -(-len(images) // batch)
        return as_batches(Epoch(steps, (*seen, self.task.channels), read))


def in_memory(
    name: str,
    parts: Mapping[str, Images],
    *,
    classes: tuple[str, ...] | None = None,
    least_map: int = 2,
) -> Divided:
    """A data set of arrays.

    Args:
        name: what it is called where results are told.
        parts: the images of each of `PARTS`, all of one size.
        classes: their names; None names them by their numbers.
        least_map: of the `Task`.

    Raises:
        DataError: when a part is missing or empty, images are not of one size, there are fewer
            than two classes, a label is of none of them, or images are too small.
    """
    for part in PARTS:
        if part not in parts or not len(parts[part]):
            raise DataError(f"{name}: the {part} part is missing or has no images")
    shapes = {part: images.pixels.shape[1:] for part, images in parts.items()}
    if len(set(shapes.values())) > 1:
        told = ", ".join(f"{part} {shape}" for part, shape in shapes.items())
        raise DataError(f"{name}: the parts have images of different shapes: {told}")
    if classes is None:
        labels = np.concatenate([images.labels for images in parts.values()])
        classes = numbered_classes(name, labels)
    return divided(name, parts, shapes["train"], classes, least_map)


def divided(
    name: str,
    parts: Mapping[str, Pictures],
    shape: tuple[int, int, int],
    classes: tuple[str, ...],
    least_map: int,
) -> Divided:
    """The data set of checked parts whose images are read as (height, width, channels) `shape`.

    Raises:
        DataError: when the train part has one class alone, a label is of no class, or images
            are too small.
    """
    for part, images in parts.items():
        check_labels(f"{name}: {part}", images.labels, len(classes))
    if len(np.unique(parts["train"].labels)) < 2:
        raise DataError(
            f"{name}: all {len(parts['train'])} images of the train part are of one class, but "
            "there must be at least 2"
        )
    height, width, channels = shape
    try:
        task = Task(
            height=height,
            width=width,
            channels=channels,
            classes=len(classes),
            least_map=least_map,
        )
    except NetworkError as problem:
        told = str(problem).removeprefix("task: ")
        raise DataError(
            f"{name}: {told}, or enlarge them with image_size (--image-size)"
        ) from problem
    train = parts["train"]
    if isinstance(train, Images):
        mean, deviation = moments(train.pixels)
    else:
        some = np.arange(min(len(train), MOST_FOR_MOMENTS))
        mean, deviation = moments(train.read(some, (height, width), None))
    return Divided(name, task, classes, parts, mean, deviation)


def numbered_classes(where: str, labels: NDArray[np.int64]) -> tuple[str, ...]:
    """The numbers 0 to that of the largest label, as names of classes.

    Raises:
        DataError: when that is more classes than images.
    """
    most = int(labels.max(initial=0))
    if most >= len(labels):
        raise DataError(
            f"{where}: there is a label {most}, but only {len(labels)} images; labels are numbers "
            "of classes, which begin at 0"
        )
    return tuple(map(str, range(most + 1)))


def check_labels(where: str, labels: NDArray[np.int64], classes: int) -> None:
    """Refuse labels that are of no class.

    Raises:
        DataError: naming the first of them.
    """
    wrong = np.flatnonzero((labels < 0) | (labels >= classes))
    if len(wrong):
        label = labels[wrong[0]]
        allowed = (
            "labels begin at 0"
            if label < 0
            else f"there are {classes} classes, with labels from 0 to {classes - 1}"
        )
        raise DataError(f"{where}: image {wrong[0]} has the label {label}, but {allowed}")
