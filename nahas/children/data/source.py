"""What every source of images gives, and how it is divided into the parts of a data set."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nahas.children.data.dataset import Images, InMemory, moments
from nahas.children.data.draws import stratified_order
from nahas.errors import DataError
from nahas.spaces.task import Task

Rows = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Division:
    """How images are divided into parts.

    Attributes:
        seed: of the division.
        validation: share of the images for training that is held out; and, of a source without
            a test part, as much again for that.
        limit: the most images of the training set (train and validation together) and of the
            test set; None for all. Each part is one of the part that it has without a limit.
    """

    seed: int = 0
    validation: float = 0.1
    limit: int | None = None

    def rows(self, labels: NDArray[np.int64], tested: NDArray[np.int64] | None) -> dict[str, Rows]:
        """Row numbers of each part; those of `test` count in `tested` where that is given."""
        order = stratified_order(labels, seed=self.seed)
        held = round(self.validation * len(order))
        if tested is None:
            test, order = order[:held], order[held:]
        else:
            test = stratified_order(tested, seed=self.seed)
        validation, train = order[:held], order[held:]
        if self.limit is not None:
            few = round(self.validation * self.limit)
            validation, test = validation[:few], test[: self.limit]
            train = train[: self.limit - few]
        return {"train": train, "validation": validation, "test": test}


@dataclass(frozen=True, eq=False)
class Source:
    """Images in memory as they were found.

    Attributes:
        name: of the data set.
        classes: names of the classes.
        train: images for training, of which a share is held out for validation.
        test: images for testing; None where the source has none.
    """

    name: str
    classes: tuple[str, ...]
    train: Images
    test: Images | None

    def divided(self, division: Division, *, least_map: int) -> InMemory:
        """The data set of these images.

        Raises:
            DataError: when a part is empty.
        """
        tested = None if self.test is None else self.test.labels
        rows = division.rows(self.train.labels, tested)
        for part, own in rows.items():
            if not len(own):
                raise DataError(
                    f"{self.name}: the {part} part is empty ({len(self.train.labels)} images to "
                    f"divide, validation {division.validation}, limit {division.limit})"
                )
        images = {part: self.train[own] for part, own in rows.items() if part != "test"}
        images["test"] = (self.train if self.test is None else self.test)[rows["test"]]
        height, width, channels = self.train.pixels.shape[1:]
        task = Task(
            height=height,
            width=width,
            channels=channels,
            classes=len(self.classes),
            least_map=least_map,
        )
        mean, deviation = moments(images["train"].pixels)
        return InMemory(self.name, task, self.classes, images, mean, deviation)
