"""An image that was damaged after the data set was opened is named by whoever reads it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nahas.accuracy.oneshot import OneShotAccuracy
from nahas.children.data import Dataset, Images, open_dataset
from nahas.children.export.measure import agreements, representative
from nahas.children.supernet import Supernet, SupernetRecipe
from nahas.children.supernet_files import WEIGHTS
from nahas.children.train import train_child
from nahas.children.train_supernet import SupernetRun, train_supernet
from nahas.errors import DataError
from tests.children.data.writing import class_folder
from tests.children.tiny import RECIPE, network
from tests.children.tiny_space import tiny_space

SUPERNET = SupernetRecipe(epochs=1, batch=8, optimizer="sgd", learning_rate=0.1, augment=False)


@pytest.fixture
def dataset(coloured: Images, tmp_path: Path) -> Dataset:
    """Images in files, which are decoded when they are read."""
    return open_dataset(class_folder(tmp_path / "garments", coloured, ".jpg", 3), validation=0.25)


def damage(dataset: Dataset, part: str) -> str:
    """Cut the files of a part, and say what is told of one of them."""
    own = dataset.parts[part]  # type: ignore[attr-defined]
    for number in range(len(own)):
        path = Path(own.name(number))
        path.write_bytes(path.read_bytes()[:300])
    return r"^\S*garments\S*\.jpg: cannot be decoded"


def test_by_a_child_that_is_measured(dataset: Dataset) -> None:
    told = damage(dataset, "validation")
    with pytest.raises(DataError, match=told):
        train_child(network, dataset, replace(RECIPE, batch=16))


def test_by_a_supernet(dataset: Dataset) -> None:
    told = damage(dataset, "validation")
    supernet = Supernet.new(tiny_space(), dataset.task, seed=0)
    with pytest.raises(DataError, match=told):
        train_supernet(supernet, dataset, SUPERNET)


def test_by_a_search_with_shared_weights(dataset: Dataset, tmp_path: Path) -> None:
    supernet = Supernet.new(tiny_space(), dataset.task, seed=0)
    train_supernet(supernet, dataset, SUPERNET, run=SupernetRun(folder=tmp_path / "trained"))
    backend = OneShotAccuracy(tiny_space(), tmp_path / "trained" / WEIGHTS, dataset)
    told = damage(dataset, "validation")
    with pytest.raises(DataError, match=told):
        backend.accuracy(np.zeros((1, len(tiny_space().space.decisions)), dtype=np.int64))


def test_by_an_export(dataset: Dataset) -> None:
    class Child:
        size = (84, 84)

    told = damage(dataset, "test")
    with pytest.raises(DataError, match=told):
        agreements(Child(), {}, dataset, "test", 10)  # type: ignore[arg-type]  # its size alone
    told = damage(dataset, "train")
    with pytest.raises(DataError, match=told):
        representative(dataset, (84, 84), 10, 0)
