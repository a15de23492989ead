"""Images in folders, one for each class."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nahas.children.data.images import Files
from nahas.children.data.source import Source
from nahas.errors import DataError

SUFFIXES = (".jpg", ".jpeg", ".png")

PART_FOLDERS = {"train": ("train",), "validation": ("validation", "val"), "test": ("test",)}


def read_class_folders(folder: Path) -> Source:
    """Images of `CLASS/*.jpg`, or of `train/CLASS/*.jpg` and so on with `val` and `test`.

    A folder `val` or `validation` with no `test` beside it is the test part, on which accuracies
    are reported where the true test labels are not public, as of ImageNet. Classes are in the
    order of their names. Names that begin with a dot are passed over.

    Raises:
        DataError: when there are fewer than two classes, one has no images, a file is no JPEG or
            PNG, or the parts have different classes.
    """
    found = {
        part: next((folder / name for name in names if (folder / name).is_dir()), None)
        for part, names in PART_FOLDERS.items()
    }
    if found["train"] is None:
        classes, train = _images(folder)
        return Source(name=folder.name, classes=classes, train=train)
    if found["test"] is None:
        found["test"], found["validation"] = found["validation"], None
    classes, train = _images(found["train"])
    others = {}
    for part in ("validation", "test"):
        own = found[part]
        if own is None:
            continue
        names, others[part] = _images(own)
        if names != classes:
            strange = sorted(set(names) ^ set(classes))[0]
            raise DataError(f"{folder}: only one of train and {own.name} has the class '{strange}'")
    return Source(name=folder.name, classes=classes, train=train, **others)


def _images(folder: Path) -> tuple[tuple[str, ...], Files]:
    classes = [path for path in _shown(folder) if path.is_dir()]
    if len(classes) < 2:
        found = "1 folder of a class" if classes else "no folders of classes"
        raise DataError(
            f"{folder}: has {found}, but there must be at least 2, each with the JPEG or PNG "
            "images of one class"
        )
    files: list[Path] = []
    labels: list[int] = []
    for label, own in enumerate(classes):
        inside = _shown(own)
        if not inside:
            raise DataError(f"{own}: the class '{own.name}' has no images")
        for path in inside:
            if path.suffix.lower() not in SUFFIXES or not path.is_file():
                raise DataError(f"{path}: is no JPEG or PNG image: take it out of the class folder")
        files.extend(inside)
        labels.extend([label] * len(inside))

    def where(number: int) -> str:
        return str(files[number])

    rows = np.arange(len(files))
    images = Files(np.array(labels), rows, lambda number: files[number].open("rb"), where)
    return tuple(path.name for path in classes), images


def _shown(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
