"""Opening a data set by its name or its path."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path

from nahas.children.data.arrays import images_of, read_idx, read_npz, read_shards
from nahas.children.data.dataset import Dataset, numbered_classes
from nahas.children.data.folders import read_class_folders
from nahas.children.data.records import read_records, record_files
from nahas.children.data.source import Division, Source
from nahas.children.quiet import import_keras
from nahas.datafiles import nearest
from nahas.errors import DataError

FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package dataset-fashion-mnist puts its files."""

CIFAR10_CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
FASHION_CLASSES = (
    "t-shirt",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)

CLASSES = {"cifar10": CIFAR10_CLASSES, "fashion-mnist": FASHION_CLASSES}

NAMES = ("cifar10", "cifar100", "fashion-mnist")


def open_dataset(
    name_or_path: str | Path,
    *,
    seed: int = 0,
    validation: float = 0.1,
    limit: int | None = None,
    image_size: int | None = None,
    least_map: int = 2,
) -> Dataset:
    """The data set of a name or a path, divided into parts.

    Args:
        name_or_path: one of `NAMES`; an npz file; or a folder: of a folder for each class, of
            TFRecords, of npz shards of JPEG files, or of MNIST's IDX files.
        seed: of the division.
        validation: share of the images for training that is held out for validation; of a
            source without test images, as many again for testing.
        limit: the most images for training and validation together, and the most for testing;
            a seeded choice that holds the classes in their proportions.
        image_size: side of the square that images are cropped and resized to; None where all
            have one size.
        least_map: least side of a network's last feature map; see `Task`.

    Raises:
        DataError: when there is no such data set, or it cannot be had, read or divided.
    """
    division = Division(seed=seed, validation=validation, limit=limit)
    source = _source(str(name_or_path))
    return source.dataset(division, image_size=image_size, least_map=least_map)


def _source(name: str) -> Source:
    path = Path(name)
    if name == "fashion-mnist" and FASHION_MNIST.is_dir():
        return read_idx(FASHION_MNIST, name, FASHION_CLASSES)
    if name in NAMES:
        return _from_keras(name)
    if path.is_dir():
        return _from_folder(path)
    if not path.is_file():
        raise DataError(
            f"there is no data set, file or folder '{name}'{nearest(name, NAMES)} (data sets: "
            f"{', '.join(NAMES)}; else the path of an npz or of a folder of images)"
        )
    if path.suffix != ".npz":
        raise DataError(f"{path}: is no npz; a data set is an npz, a folder or a name")
    return read_npz(path)


def _from_folder(folder: Path) -> Source:
    if any(folder.glob("train*.npz")):
        return read_shards(folder)
    if any(folder.glob("train-images-idx3-ubyte*")):
        return read_idx(folder, folder.name)
    if record_files(folder, "train"):
        return read_records(folder)
    return read_class_folders(folder)


def _from_keras(name: str) -> Source:
    keras = import_keras()
    loader = getattr(keras.datasets, name.replace("-", "_"))
    try:
        with redirect_stdout(sys.stderr):  # the download's progress
            (x_train, y_train), (x_test, y_test) = loader.load_data()
    except Exception as problem:  # Keras raises a bare Exception when it cannot download
        raise DataError(
            f"{name}: is not in Keras' cache and cannot be downloaded ({problem}); where there is "
            f"no network, put the file there by other means, or give {_instead(name)}"
        ) from problem
    arrays = {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}
    train = images_of(name, arrays, "x_train", "y_train")
    test = images_of(name, arrays, "x_test", "y_test")
    classes = CLASSES.get(name) or numbered_classes(name, train.labels)
    return Source(name=name, classes=classes, train=train, test=test)


def _instead(name: str) -> str:
    if name == "fashion-mnist":
        return "install Debian's package dataset-fashion-mnist"
    return "the path of an npz with x_train, y_train, x_test and y_test"
