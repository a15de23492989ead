"""What makes a training this one: its network with all activations, its backend, its folder."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from nahas.children import device
from nahas.children.data import Images, in_memory
from nahas.children.device import on_device, on_gpu
from nahas.children.jobs import LONGEST_NAME, folder_of
from nahas.children.training import Training
from nahas.errors import TrainingError
from tests.children.tiny import RECIPE


@pytest.fixture(scope="module")
def dataset():
    rng = np.random.default_rng(0)
    labels = np.arange(64) % 2
    images = Images(rng.integers(0, 255, (64, 8, 8, 1)).astype(np.uint8), labels)
    return in_memory("noise", dict.fromkeys(("train", "validation", "test"), images))


def activated(name):
    def network(on):
        x = on.conv(on.input(8, 8, 1), 4, kernel=3)
        return on.dense(on.global_pool(on.activation(x, name)), 2)

    return network


@pytest.fixture(scope="module")
def begun(dataset, tmp_path_factory):
    """The folder of a training that was begun."""
    folder = tmp_path_factory.mktemp("begun")
    Training(activated("relu"), dataset, RECIPE, folder=folder).epoch()
    return folder


@pytest.mark.parametrize("other", ["linear", "relu6", "hard_swish"])
def test_a_network_with_another_activation_is_another(dataset, begun, other):
    with pytest.raises(TrainingError, match="holds a training with network"):
        Training(activated(other), dataset, RECIPE, folder=begun, resume=True)


def test_a_training_goes_on_on_its_backend_alone(dataset, begun, monkeypatch):
    assert Training(activated("relu"), dataset, RECIPE, folder=begun, resume=True).state.epoch == 1
    keras = SimpleNamespace(backend=SimpleNamespace(backend=lambda: "another"))
    monkeypatch.setattr("nahas.children.training.import_keras", lambda: keras)
    with pytest.raises(TrainingError, match=r"holds a training with backend '\w+', but here it is"):
        Training(activated("relu"), dataset, RECIPE, folder=begun, resume=True)


def test_each_name_has_a_folder_of_its_own():
    names = ["mine:a=x,b=y", "mine:a=x_b_y", "mine:a_x_b_y", "a_b:c", "a:b_c", "a_b_c", "a:b", "a"]
    names += [f"s:{'k' * LONGEST_NAME}", f"s:{'k' * LONGEST_NAME}k"]
    folders = {folder_of(Path("run"), name) for name in names}
    assert len(folders) == len(names)
    assert folder_of(Path("run"), "macro:22212220") == Path("run/macro_22212220")


def test_who_asks_for_the_cpu_does_not_compute_as_on_a_gpu(monkeypatch):
    monkeypatch.setattr(device, "gpus", lambda: 1)
    assert on_gpu()
    with on_device("cpu"):
        assert not on_gpu()
    assert on_gpu()
