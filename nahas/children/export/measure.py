"""Accuracy of a child and of its exported forms, on the same images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.children.data import Dataset, data_errors
from nahas.children.data.crops import Pixels
from nahas.children.export.child import Child
from nahas.children.export.runs import Runtime

BATCH = 100


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How one form does beside the child that it was made of, on the same images.

    Attributes:
        images: how many both have seen.
        before_percent: top-1 accuracy of the child on them.
        accuracy_percent: top-1 accuracy of the form on them.
        drop_pp: by how many percentage points the form is worse.
        same_class_percent: of how many images both say the same class.
    """

    images: int
    before_percent: float
    accuracy_percent: float
    drop_pp: float
    same_class_percent: float


def agreements(
    child: Child, forms: Mapping[str, Runtime], dataset: Dataset, part: str, images: int
) -> dict[str, Agreement]:
    """Every form beside the child on the first `images` of a part, read once.

    Args:
        child: that was trained.
        forms: runtimes of its forms, by format.
        dataset: with its images.
        part: of the data set.
        images: as many as are looked at; a slow runtime looks at fewer.
    """
    seen = {name: _Count() for name in forms}
    for pixels, labels in _batches(dataset, part, child.size, images):
        before = child.logits(pixels).argmax(axis=1)
        for name, form in forms.items():
            count = seen[name]
            left = len(labels) if form.most_images is None else form.most_images - count.images
            if left > 0:
                after = form.classify(pixels[:left]).argmax(axis=1)
                count.add(before[:left], after, labels[:left])
    return {name: count.agreement() for name, count in seen.items()}


def representative(dataset: Dataset, size: tuple[int, int], images: int, seed: int) -> Pixels:
    """Pixels [N, H, W, C] of 0 to 255 of images drawn from the train part."""
    drawn, found = [], 0
    batch = min(images, BATCH)
    epoch = dataset.batches(
        "train", batch=batch, seed=seed, shuffle=True, size=_resized(dataset, size)
    )
    with data_errors():
        for pixels, _ in epoch:
            drawn.append(raw_pixels(np.asarray(pixels), dataset))
            found += len(drawn[-1])
            if found >= images:
                break
    return np.concatenate(drawn)[:images]


def raw_pixels(standardised: NDArray[np.float32], dataset: Dataset) -> Pixels:
    """The pixels [B, H, W, C] of 0 to 255 that a data set has standardised: whole numbers."""
    over_255 = standardised * dataset.deviation + dataset.mean
    pixels: Pixels = np.clip(np.rint(over_255 * 255), 0, 255).astype(np.uint8)
    return pixels


def _batches(
    dataset: Dataset, part: str, size: tuple[int, int], images: int
) -> Iterator[tuple[Pixels, NDArray[np.int32]]]:
    with data_errors():
        for pixels, labels in dataset.batches(part, batch=BATCH, size=_resized(dataset, size)):
            yield raw_pixels(np.asarray(pixels)[:images], dataset), np.asarray(labels)[:images]
            images -= len(labels)
            if images <= 0:
                return


def _resized(dataset: Dataset, size: tuple[int, int]) -> tuple[int, int] | None:
    return None if size == (dataset.task.height, dataset.task.width) else size


class _Count:
    """Images counted so far."""

    def __init__(self) -> None:
        self.images = self.before = self.after = self.same = 0

    def add(self, before: NDArray[Any], after: NDArray[Any], labels: NDArray[Any]) -> None:
        """Count classes [B] that the child and the form say, and the right ones."""
        self.images += len(labels)
        self.before += int((before == labels).sum())
        self.after += int((after == labels).sum())
        self.same += int((before == after).sum())

    def agreement(self) -> Agreement:
        """What was counted, in percent."""
        percent = 100 / self.images
        return Agreement(
            images=self.images,
            before_percent=self.before * percent,
            accuracy_percent=self.after * percent,
            drop_pp=(self.before - self.after) * percent,
            same_class_percent=self.same * percent,
        )
