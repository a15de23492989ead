"""Images in NumPy's npz files (pixels, or blobs of JPEG files), and in MNIST's IDX files."""

from __future__ import annotations

import gzip
import io
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

import numpy as np
from numpy.typing import NDArray

from nahas.children.data.dataset import check_labels, numbered_classes
from nahas.children.data.images import Files, Images
from nahas.children.data.source import Source
from nahas.errors import DataError

Arrays = Mapping[str, NDArray[Any]]

LAYOUTS = "'x_train', 'y_train', 'x_test' and 'y_test', or 'pixels' and 'labels'"

IDX_MAGIC = {1: 0x801, 3: 0x803}
"""First 4 bytes of an IDX file of bytes with so many dimensions."""


def read_npz(path: Path) -> Source:
    """Images of an npz of the arrays `x_train, y_train, x_test, y_test`, or `pixels, labels`.

    Pixels are uint8 [N, H, W] or [N, H, W, C] with 1, 3 or 4 channels, of which the fourth,
    transparency, is left out. Labels are whole numbers [N] or [N, 1]. An array `classes` of their
    names is optional.

    Raises:
        DataError: when the file cannot be read, an array is missing or of another shape or kind,
            or a class that has no name has no images.
    """
    arrays = _arrays(path)
    if "pixels" in arrays:
        train, test = images_of(str(path), arrays, "pixels", "labels"), None
    else:
        train = images_of(str(path), arrays, "x_train", "y_train")
        test = images_of(str(path), arrays, "x_test", "y_test")
    labels = train.labels if test is None else np.concatenate([train.labels, test.labels])
    classes: Any = arrays.get("classes")
    if classes is None:
        classes = numbered_classes(str(path), labels)
        absent = np.setdiff1d(np.arange(len(classes)), train.labels)
        if len(absent):
            raise DataError(
                f"{path}: no training image has the label {absent[0]}, but others have up to "
                f"{len(classes) - 1}: number the classes from 0 without a gap, or name them in "
                "classes"
            )
    elif len(classes) <= labels.max(initial=0):
        raise DataError(
            f"{path}: classes has {len(classes)} names, but there is a label {labels.max()}: name "
            "every class, or leave classes out"
        )
    for part, images in (("train", train), ("test", test)):
        if images is not None:
            check_labels(f"{path}: {part}", images.labels, len(classes))
    names = tuple(map(str, classes))
    return Source(name=path.stem, classes=names, train=train, test=test)


def images_of(where: str, arrays: Arrays, x: str, y: str) -> Images:
    """The images of two arrays, pixels and labels.

    Raises:
        DataError: when one is missing, or of another shape or kind.
    """
    for name in (x, y):
        if name not in arrays:
            raise DataError(
                f"{where}: has no array '{name}' but {', '.join(map(repr, arrays)) or 'none'}; "
                f"needed are {LAYOUTS}"
            )
    pixels, labels = arrays[x], arrays[y]
    if pixels.dtype != np.uint8:
        raise DataError(f"{where}: {x} is {pixels.dtype}, but pixels are uint8, from 0 to 255")
    if pixels.ndim == 3:
        pixels = pixels[..., None]
    if pixels.ndim != 4 or pixels.shape[3] not in (1, 3, 4) or 0 in pixels.shape[1:]:
        raise DataError(
            f"{where}: {x} has the shape {arrays[x].shape}, but pixels are [N, H, W] or "
            "[N, H, W, C] with 1, 3 or 4 channels"
        )
    if not np.issubdtype(labels.dtype, np.integer) or labels.size != len(labels):
        raise DataError(
            f"{where}: {y} is {labels.dtype} of the shape {labels.shape}, but labels are one "
            "whole number for each image"
        )
    if len(labels) != len(pixels):
        raise DataError(f"{where}: {x} has {len(pixels)} images, but {y} has {len(labels)} labels")
    return Images(pixels[..., :3], labels.reshape(-1).astype(np.int64))


def _arrays(path: Path) -> Arrays:
    try:
        with path.open("rb") as file:
            if not is_zipfile(file):
                raise DataError(f"{path}: is no npz file, or one that was cut off")
            file.seek(0)
            with np.load(file, allow_pickle=False) as archive:
                return dict(archive)
    except DataError:
        raise
    except Exception as problem:  # NumPy, zipfile and zlib each raise their own over damaged bytes
        raise DataError(
            f"{path}: cannot be read as an npz of plain arrays ({problem}); arrays of Python "
            "objects are never unpickled"
        ) from problem


def read_shards(folder: Path) -> Source:
    """Images of `train*.npz` and `test*.npz`, which hold JPEG files.

    Each has `jpeg`, the bytes of all its files, `offsets` [N + 1] of their beginnings and the
    end, `label` [N] and `classes`. JPEG is lossy, so pixels differ a little from those that were
    compressed.

    Raises:
        DataError: when a file cannot be read, an array is missing, or their lengths differ.
    """
    train = [_Shard.read(path) for path in sorted(folder.glob("train*.npz"))]
    test = [_Shard.read(path) for path in sorted(folder.glob("test*.npz"))]
    for shard in (*train, *test):
        if shard.classes != train[0].classes:
            raise DataError(f"{shard.path}: has other classes than {train[0].path}")
    return Source(
        name=folder.name,
        classes=train[0].classes,
        train=_files(train),
        test=_files(test) if test else None,
    )


class _Shard:
    """One npz of JPEG files."""

    def __init__(self, path: Path, arrays: Arrays) -> None:
        self.path = path
        self.classes = tuple(map(str, arrays["classes"]))
        self.blob = np.ascontiguousarray(arrays["jpeg"]).data.cast("B")
        self.offsets = arrays["offsets"].astype(np.int64)
        self.labels = arrays["label"].astype(np.int64)

    @classmethod
    def read(cls, path: Path) -> _Shard:
        arrays = _arrays(path)
        for name in ("jpeg", "offsets", "label", "classes"):
            if name not in arrays:
                raise DataError(f"{path}: has no array '{name}', so it is no shard of JPEG files")
        shard = cls(path, arrays)
        if len(shard.offsets) != len(shard.labels) + 1:
            raise DataError(
                f"{path}: has {len(shard.offsets) - 1} images, but {len(shard.labels)} labels"
            )
        return shard


def _files(shards: list[_Shard]) -> Files:
    starts = np.cumsum([0] + [len(shard.labels) for shard in shards])

    def place(number: int) -> tuple[_Shard, int]:
        shard = int(np.searchsorted(starts, number, side="right")) - 1
        return shards[shard], number - int(starts[shard])

    def open_file(number: int) -> io.BytesIO:
        shard, row = place(number)
        return io.BytesIO(shard.blob[shard.offsets[row] : shard.offsets[row + 1]])

    def where(number: int) -> str:
        shard, row = place(number)
        return f"{shard.path}: image {row}"

    labels = np.concatenate([shard.labels for shard in shards])
    return Files(labels, np.arange(len(labels)), open_file, where)


def read_idx(folder: Path, name: str, classes: tuple[str, ...] | None = None) -> Source:
    """Images of MNIST's four files, with or without `.gz`.

    Raises:
        DataError: when one is missing, cut off or no IDX file.
    """
    arrays = {}
    for part, stem in (("train", "train"), ("test", "t10k")):
        arrays[f"x_{part}"] = _idx(folder, f"{stem}-images-idx3-ubyte", dimensions=3)
        arrays[f"y_{part}"] = _idx(folder, f"{stem}-labels-idx1-ubyte", dimensions=1)
    train = images_of(str(folder), arrays, "x_train", "y_train")
    test = images_of(str(folder), arrays, "x_test", "y_test")
    classes = classes or numbered_classes(str(folder), train.labels)
    return Source(name=name, classes=classes, train=train, test=test)


def _idx(folder: Path, name: str, *, dimensions: int) -> NDArray[np.uint8]:
    path = folder / f"{name}.gz"
    if not path.is_file():
        path = folder / name
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
        magic, *shape = struct.unpack_from(f">{1 + dimensions}I", content)
        if magic != IDX_MAGIC[dimensions]:
            raise ValueError(f"it begins with {magic:#x}, not {IDX_MAGIC[dimensions]:#x}")
        return np.frombuffer(content, np.uint8, offset=4 * (1 + dimensions)).reshape(shape)
    except (OSError, EOFError, ValueError, struct.error) as problem:
        raise DataError(f"{path}: cannot be read as an IDX file ({problem})") from problem
