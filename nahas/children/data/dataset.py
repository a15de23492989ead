"""What a data set is, and one that lies in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nahas.children.data.augment import resized, shifted, standardised
from nahas.children.data.batches import Batch, Epoch, as_batches
from nahas.children.data.draws import epoch_draws
from nahas.errors import DataError
from nahas.spaces.task import Task

PARTS = ("train", "validation", "test")


@dataclass(frozen=True, eq=False)
class Images:
    """Images of one size and what they show.

    Attributes:
        pixels: [N, H, W, C], 0 to 255.
        labels: [N] numbers of classes.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, rows: NDArray[np.int64]) -> Images:
        return Images(self.pixels[rows], self.labels[rows])


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
    def name(self) -> str: ...
    @property
    def task(self) -> Task: ...
    @property
    def classes(self) -> tuple[str, ...]: ...
    @property
    def mean(self) -> NDArray[np.float32]: ...
    @property
    def deviation(self) -> NDArray[np.float32]: ...
    @property
    def sizes(self) -> Mapping[str, int]: ...

    def batches(  # noqa: PLR0913  # what makes an epoch
        self,
        part: str,
        *,
        batch: int,
        seed: int = 0,
        epoch: int = 0,
        augment: bool = False,
        shuffle: bool = False,
        size: tuple[int, int] | None = None,
    ) -> Any:
        """The batches of one epoch of a part, for `fit`, `evaluate` or a loop.

        They are a function of the arguments alone: (seed, epoch) give the same pixels on every
        Keras backend, and after a resume.

        Args:
            part: one of `PARTS`.
            batch: images of a batch.
            seed, epoch: of shuffle and augmentation.
            augment: whether images are cropped and mirrored at random.
            shuffle: whether images come in random order; the last batch is then left out when
                it is not full, since a network normalises badly over a few images.
            size: (height, width) to resize to, for a network that reads larger images than
                `task`; None for those of `task`.

        Returns:
            A sized iterable of (standardised pixels float32 [B, H, W, C], labels int32 [B]): a
            `tf.data.Dataset` on Keras' TensorFlow backend, else a `keras.utils.PyDataset`, to
            which `fit` must be told `shuffle=False`.

        Raises:
            DataError: for an unknown part or a batch of less than one image.
        """


@dataclass(frozen=True, eq=False)
class InMemory:
    """A data set whose images are all in memory.

    Attributes:
        name: what it is called where results are told.
        task: size of its images and number of its classes.
        classes: their names.
        images: of each of `PARTS`.
        mean, deviation: [C] of the pixels of the train part over 255.
    """

    name: str
    task: Task
    classes: tuple[str, ...]
    images: Mapping[str, Images]
    mean: NDArray[np.float32]
    deviation: NDArray[np.float32]

    @property
    def sizes(self) -> Mapping[str, int]:
        """Images of each part."""
        return {part: len(images) for part, images in self.images.items()}

    def batches(  # noqa: PLR0913  # what makes an epoch
        self,
        part: str,
        *,
        batch: int,
        seed: int = 0,
        epoch: int = 0,
        augment: bool = False,
        shuffle: bool = False,
        size: tuple[int, int] | None = None,
    ) -> Any:
        """The batches of one epoch of a part; see `Dataset.batches`."""
        images = self.images[checked_part(part)]
        draws = epoch_draws(len(images), seed=seed, epoch=epoch)
        order = draws.order if shuffle else np.arange(len(images))
        height, width = size or (self.task.height, self.task.width)
        changed = (height, width) != (self.task.height, self.task.width)

        def read(step: int) -> Batch:
            rows = order[step * batch : (step + 1) * batch]
            pixels: NDArray[Any] = images.pixels[rows]
            if augment:
                pixels = shifted(pixels, draws.uniform[rows, 2:], draws.flipped[rows])
            if changed:
                pixels = resized(pixels, height, width)
            scaled = standardised(pixels, self.mean, self.deviation)
            return scaled, images.labels[rows].astype(np.int32)

        steps = step_count(len(images), batch, whole=shuffle)
        return as_batches(Epoch(steps, (height, width, self.task.channels), read))


def checked_part(part: str) -> str:
    """The name of a part.

    Raises:
        DataError: for another name.
    """
    if part not in PARTS:
        raise DataError(f"a data set has no part '{part}': its parts are {', '.join(PARTS)}")
    return part


def step_count(images: int, batch: int, *, whole: bool) -> int:
    """Batches of an epoch; with `whole`, those that are full, but at least one.

    Raises:
        DataError: for a batch of less than one image.
    """
    if batch < 1:
        raise DataError(f"batch is {batch}, but a batch needs at least 1 image")
    return max(images // batch, 1) if whole else -(-images // batch)


def moments(pixels: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and standard deviation [C] of pixels [N, H, W, C] over 255; of no channel 0.

    Counted from how often each of the 256 values occurs, hence exact and without a copy.
    """
    values = np.arange(256) / 255
    mean = np.empty(pixels.shape[-1])
    deviation = np.empty_like(mean)
    for channel in range(pixels.shape[-1]):
        share = np.bincount(pixels[..., channel].ravel(), minlength=256) / pixels[..., channel].size
        mean[channel] = share @ values
        deviation[channel] = max(np.sqrt(share @ (values - mean[channel]) ** 2), 1 / 255)
    return mean.astype(np.float32), deviation.astype(np.float32)
