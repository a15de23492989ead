"""Images in NumPy's npz files: arrays of pixels, and blobs of JPEG files."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.children.data.dataset import Images
from nahas.children.data.source import Source
from nahas.errors import DataError


def read_npz(path: Path) -> Source:
    """Images of an npz: `x_train, y_train, x_test, y_test` as Keras has, or `pixels, labels`."""
    arrays = _arrays(path)
    if "x_train" in arrays:
        train = _images(path, arrays, "x_train", "y_train")
        test = _images(path, arrays, "x_test", "y_test") if "x_test" in arrays else None
    else:
        train, test = _images(path, arrays, "pixels", "labels"), None
    if "classes" in arrays:
        classes = tuple(map(str, arrays["classes"]))
    else:
        classes = tuple(map(str, range(int(train.labels.max()) + 1)))
    return Source(path.stem, classes, train, test)


def read_shards(folder: Path) -> Source:
    """Images of a folder of `train*.npz` and `test*.npz`, which hold JPEG files.

    Each has `jpeg`, the bytes of all files one after the other, `offsets` [N + 1] of each,
    `label` [N] and `classes`. JPEG is lossy: such images differ a little from the originals.
    """
    parts = {}
    classes: tuple[str, ...] = ()
    for part in ("train", "test"):
        files = sorted(folder.glob(f"{part}*.npz"))
        if not files:
            raise DataError(f"{folder}: has no {part}*.npz")
        shards = [_arrays(path) for path in files]
        classes = tuple(map(str, shards[0]["classes"]))
        pixels = [image for shard in shards for image in _decoded(shard)]
        labels = np.concatenate([shard["label"] for shard in shards]).astype(np.int64)
        parts[part] = Images(np.stack(pixels), labels)
    return Source(folder.name, classes, parts["train"], parts["test"])


def _decoded(shard: Mapping[str, NDArray[Any]]) -> Iterator[NDArray[np.uint8]]:
    from PIL import Image

    blob, offsets = shard["jpeg"].tobytes(), shard["offsets"].tolist()
    for start, end in zip(offsets, offsets[1:], strict=False):
        with Image.open(io.BytesIO(blob[start:end])) as image:
            yield np.asarray(image)


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return dict(archive)
    except (OSError, ValueError) as problem:
        raise DataError(f"{path}: cannot be read ({problem})") from problem


def _images(path: Path, arrays: Mapping[str, NDArray[Any]], x: str, y: str) -> Images:
    for name in (x, y):
        if name not in arrays:
            raise DataError(f"{path}: has no array '{name}'")
    pixels = arrays[x]
    if pixels.ndim == 3:
        pixels = pixels[..., None]
    return Images(pixels, arrays[y].reshape(-1).astype(np.int64))
