"""Images as they were found, and how they are divided into the parts of a data set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nahas.children.data.crops import CENTRE, SMALL, Size, resized
from nahas.children.data.dataset import PARTS, Divided, check_labels, divided
from nahas.children.data.draws import stratified_order
from nahas.children.data.images import Files, Images, Pictures, Rows
from nahas.errors import DataError

MOST_BYTES_IN_MEMORY = 2 << 30
"""Of decoded small images; more than these are decoded whenever they are read."""


@dataclass(frozen=True, kw_only=True)
class Division:
    """How images are divided into parts.

    Attributes:
        seed: of the division; the parts are a function of it and of the labels.
        validation: share of the images for training that is held out for validation; of a
            source without test images, as many again for testing.
        limit: the most images for training and validation together, and the most for testing;
            None for all. Parts with a limit lie within the same parts without one.

    Raises:
        DataError: naming the field, its value and what is allowed.
    """

    seed: int = 0
    validation: float = 0.1
    limit: int | None = None

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise DataError(f"seed is {self.seed}, but it must be 0 or more")
        if not 0 < self.validation < 0.5:
            raise DataError(f"validation is {self.validation}, but it must lie between 0 and 0.5")
        if self.limit is not None and self.limit < 2:
            raise DataError(f"limit is {self.limit}, but at least 2 images are needed")

    def rows(self, labels: Rows, given: Mapping[str, Rows]) -> dict[str, Rows]:
        """Row numbers of the images of each part.

        Args:
            labels: [N] of the images for training.
            given: labels of the images of parts that exist already; what of `validation` and
                `test` is not among them is held out of the images for training.
        """
        order = stratified_order(labels, seed=self.seed)
        held = round(self.validation * len(order))
        parts = dict.fromkeys(PARTS, order)
        for part in ("test", "validation"):
            if part in given:
                parts[part] = stratified_order(given[part], seed=self.seed)
            else:
                parts[part], order = order[:held], order[held:]
        parts["train"] = order
        if self.limit is None:
            return parts
        few = round(self.validation * self.limit)
        most = {"train": self.limit - few, "validation": few, "test": self.limit}
        return {part: rows[: most[part]] for part, rows in parts.items()}


@dataclass(frozen=True, kw_only=True, eq=False)
class Source:
    """Images as they were found.

    Attributes:
        name: of the data set.
        classes: names of the classes.
        train: images for training.
        validation: images for validation; None where a share of `train` is held out for it.
        test: images for testing; None where a share of `train` is held out for it.
    """

    name: str
    classes: tuple[str, ...]
    train: Pictures
    validation: Pictures | None = None
    test: Pictures | None = None

    def dataset(
        self, division: Division, *, image_size: int | None = None, least_map: int = 2
    ) -> Divided:
        """The data set of these images.

        Args:
            division: into parts.
            image_size: side of the square that images are cropped to, in the middle, and resized
                to; None where all have one size.
            least_map: of the `Task`.

        Raises:
            DataError: when a part is empty, a label of no class, a file damaged, images are of
                different sizes and `image_size` is None, or they are too small.
        """
        if image_size is not None and image_size < 1:
            raise DataError(f"image_size is {image_size}, but it must be at least 1 pixel")
        for part, images in self._given().items():
            check_labels(f"{self.name}: {part}", images.labels, len(self.classes))
        parts = self._parts(division)
        size = None if image_size is None else (image_size, image_size)
        ready, shape = _ready(self.name, parts, size)
        return divided(self.name, ready, shape, self.classes, least_map)

    def _given(self) -> dict[str, Pictures]:
        given = {"train": self.train, "validation": self.validation, "test": self.test}
        return {part: images for part, images in given.items() if images is not None}

    def _parts(self, division: Division) -> dict[str, Pictures]:
        given = self._given()
        labels = {part: images.labels for part, images in given.items()}
        rows = division.rows(labels.pop("train"), labels)
        parts = {part: given.get(part, self.train)[own] for part, own in rows.items()}
        for part, images in parts.items():
            if not len(images):
                raise DataError(
                    f"{self.name}: no image is left for the {part} part: of "
                    f"{len(self.train)} images to divide, validation is {division.validation} "
                    f"and limit {division.limit}; raise one of them, or give more images"
                )
        return parts


def _ready(
    name: str, parts: Mapping[str, Pictures], size: Size | None
) -> tuple[dict[str, Pictures], tuple[int, int, int]]:
    """Parts as they are read in training, and the shape of their images."""
    files = {part: own for part, own in parts.items() if isinstance(own, Files)}
    arrays = {part: own for part, own in parts.items() if isinstance(own, Images)}
    if files:
        return _ready_files(name, files, size)
    shapes = {part: own.pixels.shape[1:] for part, own in arrays.items()}
    height, width, channels = shapes["train"]
    for part, shape in shapes.items():
        if shape[2] != channels:
            raise DataError(
                f"{name}: {part} images have {shape[2]} channels, but train images {channels}"
            )
        if size is None and shape != shapes["train"]:
            raise DataError(
                f"{name}: images are of different sizes (train {height} x {width}, {part} "
                f"{shape[0]} x {shape[1]}): say with image_size (--image-size) to which they are "
                "to be resized"
            )
    size = size or (height, width)
    ready = {part: Images(resized(own.pixels, size), own.labels) for part, own in arrays.items()}
    return dict(ready), (*size, channels)


def _ready_files(
    name: str, parts: Mapping[str, Files], size: Size | None
) -> tuple[dict[str, Pictures], tuple[int, int, int]]:
    headers = {part: files.headers() for part, files in parts.items()}
    channels = 1 if all(found.grey.all() for found in headers.values()) else 3
    if size is None:
        size = _common_size(name, parts, {part: found.sizes for part, found in headers.items()})
    shape = (*size, channels)
    count = sum(map(len, parts.values()))
    small = max(size) <= SMALL and count * int(np.prod(shape)) <= MOST_BYTES_IN_MEMORY
    seen = {part: own.seen(channels, 1.0 if small else CENTRE) for part, own in parts.items()}
    if not small:
        return dict(seen), shape
    decoded = {
        part: Images(own.read(np.arange(len(own)), size, None), own.labels)
        for part, own in seen.items()
    }
    return dict(decoded), shape


def _common_size(
    name: str, parts: Mapping[str, Files], sizes: Mapping[str, NDArray[np.int64]]
) -> Size:
    first = sizes["train"][0]
    for part, own in sizes.items():
        other = np.flatnonzero((own != first).any(axis=1))
        if len(other):
            files, row = parts[part], other[0]
            raise DataError(
                f"{name}: images are of different sizes ({parts['train'].name(0)} has "
                f"{first[0]} x {first[1]} pixels, {files.name(row)} has {own[row][0]} x "
                f"{own[row][1]}): say with image_size (--image-size) to which they are to be "
                "resized"
            )
    return int(first[0]), int(first[1])
