"""Real images: Fashion-MNIST as Debian's package dataset-fashion-mnist has it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nahas.children.data import Images, open_dataset
from nahas.children.data.named import FASHION_MNIST
from tests.children.data.writing import class_folder


@pytest.fixture(scope="session")
def fashion() -> Images:
    """The test part of Fashion-MNIST [10000, 28, 28, 1]."""
    if not FASHION_MNIST.is_dir():
        pytest.skip(f"no images at {FASHION_MNIST}: apt-get install dataset-fashion-mnist")
    return open_dataset("fashion-mnist").parts["test"]  # type: ignore[attr-defined]


@pytest.fixture(scope="session")
def garments(fashion: Images) -> Images:
    """60 of them in three classes: t-shirts, trousers and pullovers."""
    rows = np.concatenate([np.flatnonzero(fashion.labels == label)[:20] for label in range(3)])
    return fashion[rows]


@pytest.fixture(scope="session")
def coloured(garments: Images) -> Images:
    """The same, each in colour: its red, green and blue are three garments of its class."""
    pixels = garments.pixels[..., 0]
    blended = np.stack([pixels, np.roll(pixels, 1, axis=0), np.roll(pixels, 2, axis=0)], axis=-1)
    return Images(blended, garments.labels)


@pytest.fixture
def class_folders(tmp_path: Path, coloured: Images) -> Path:
    """A folder of a folder for each class, with 20 PNG images in colour."""
    return class_folder(tmp_path / "garments", coloured)
