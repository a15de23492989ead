"""Images in TFRecord files, in the layout that ImageNet is usually kept in."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np

from nahas.children.data.dataset import numbered_classes
from nahas.children.data.images import Files
from nahas.children.data.source import Source
from nahas.children.quiet import import_keras
from nahas.errors import DataError

IMAGE, LABEL = "image/encoded", "image/class/label"

PART_FILES = {"train": ("train",), "validation": ("validation", "val"), "test": ("test",)}


def record_files(folder: Path, part: str) -> list[Path]:
    """The TFRecord files of a part: `train-00000-of-01024`, `train.tfrecord` and the like."""
    return sorted(
        path
        for name in PART_FILES[part]
        for path in folder.glob(f"{name}[-.]*")
        if "-of-" in path.name or ".tfrecord" in path.name
    )


def read_records(folder: Path) -> Source:
    """Images of TFRecords: files `train-*`, and `validation-*` and `test-*` where there are any.

    Every record is an Example with the bytes of a JPEG or PNG, `image/encoded`, and a whole
    number, `image/class/label`. Labels that begin at 1, as the usual ImageNet's, are taken down
    by 1. Files `validation-*` without `test-*` are the test part. Every label is read when the
    data set is opened, so all files are read once.

    Raises:
        DataError: when TensorFlow is not installed, a file is cut off, or a record lacks one.
    """
    example = _example()
    found = {part: record_files(folder, part) for part in PART_FILES}
    if not found["test"]:
        found["test"], found["validation"] = found["validation"], []
    parts = {part: _Records(files, example) for part, files in found.items() if files}
    least = min(int(records.labels.min()) for records in parts.values())
    first = 1 if least == 1 else 0
    labels = np.concatenate([records.labels for records in parts.values()])
    classes = numbered_classes(str(folder), labels - first)
    images = {part: records.images(first) for part, records in parts.items()}
    return Source(name=folder.name, classes=classes, **images)


def _example() -> Any:
    import_keras()  # first, since it keeps TensorFlow quiet
    try:
        import tensorflow as tf
    except ModuleNotFoundError as missing:
        raise DataError(
            "TFRecords are read by TensorFlow, which is not installed: pip install tensorflow"
        ) from missing
    return tf.train.Example


class _Records:
    """Where the records of some files lie, and their labels."""

    def __init__(self, files: list[Path], example: Any) -> None:
        self._example = example
        self._places = [place for path in files for place in _places(path)]
        if not self._places:
            raise DataError(f"{files[0]}: has no records")
        labels = [self._read(number)[1] for number in range(len(self._places))]
        self.labels = np.array(labels, dtype=np.int64)

    def images(self, first: int) -> Files:
        rows = np.arange(len(self.labels))
        return Files(self.labels - first, rows, self._open, self._where)

    def _where(self, number: int) -> str:
        path, start, _ = self._places[number]
        return f"{path}: record at byte {start}"

    def _open(self, number: int) -> io.BytesIO:
        return io.BytesIO(self._read(number)[0])

    def _read(self, number: int) -> tuple[bytes, int]:
        path, start, length = self._places[number]
        with path.open("rb") as file:
            file.seek(start)
            content = file.read(length)
        try:
            feature = self._example.FromString(content).features.feature
            return feature[IMAGE].bytes_list.value[0], feature[LABEL].int64_list.value[0]
        except Exception as problem:  # protobuf's own errors; IndexError where there is no value
            raise DataError(
                f"{self._where(number)}: is no Example of an image ({type(problem).__name__}); "
                f"needed are the bytes '{IMAGE}' and the whole number '{LABEL}'"
            ) from problem


def _places(path: Path) -> list[tuple[Path, int, int]]:
    """The beginning and the length in bytes of each record of a file.

    A record is its length in 8 bytes, a sum of 4, its content, and a sum of 4.
    """
    size, at, places = path.stat().st_size, 0, []
    with path.open("rb") as file:
        while at < size:
            file.seek(at)
            head = file.read(8)
            length = struct.unpack("<Q", head)[0] if len(head) == 8 else size
            if at + 16 + length > size:
                raise DataError(f"{path}: the record at byte {at} is cut off or damaged")
            places.append((path, at + 12, length))
            at += 16 + length
    return places
