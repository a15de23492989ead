"""A small child that has learned Fashion-MNIST for some seconds, and its files."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from nahas.children.data import Dataset, open_dataset
from nahas.children.data.named import FASHION_MNIST
from nahas.children.export import FORMATS, Export, ExportCard, export_child, read_child
from nahas.children.recipe import Recipe
from nahas.children.saved import save_child
from nahas.children.train import train_child
from nahas.spaces.blocks import Bottleneck, classifier, conv, ibn

WRITABLE = tuple(name for name, form in FORMATS.items() if find_spec(form.needs))
"""Formats whose writer is installed: ONNX needs the extra `export`."""


def tiny(on: Any) -> Any:
    """Every kind of layer that spaces have, few channels."""
    x = conv(on, on.input(28, 28, 1), 8, 3, 2, "relu6")
    x = ibn(on, x, Bottleneck(filters=8, expansion=3, squeezed=4, activation="swish"))
    x = on.pool(x, kernel=3, stride=2)
    x = ibn(on, x, Bottleneck(filters=12, kernel=5, expansion=3, stride=2, activation="relu"))
    return classifier(on, x, 32, 10)


@pytest.fixture(scope="session")
def fashion() -> Dataset:
    if not FASHION_MNIST.is_dir():
        pytest.skip("Debian's package dataset-fashion-mnist is not installed")
    return open_dataset("fashion-mnist", limit=2000)


@pytest.fixture(scope="session")
def child_file(fashion: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a child as `nahas train-child` leaves them."""
    recipe = Recipe(epochs=3, batch=50, augment=False)
    folder = tmp_path_factory.mktemp("child")
    trained = train_child(tiny, fashion, recipe)
    save_child(folder, "own:tiny", tiny, fashion, recipe, trained)
    return folder / "child.keras"


@pytest.fixture(scope="session")
def exported(
    child_file: Path, fashion: Dataset, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, ExportCard]:
    """All forms that can be written here: the folder and its card."""
    folder = tmp_path_factory.mktemp("exported") / "new"
    settings = Export(formats=WRITABLE, representative_images=100, images=300)
    return folder, export_child(read_child(child_file), fashion, folder, settings)
