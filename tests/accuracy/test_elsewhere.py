"""Children that other processes train are those that this one trains."""

import json
import math

import numpy as np
import pytest

from nahas.accuracy.ledger import Child, Ledger
from nahas.accuracy.trained import Elsewhere, TrainedChildren
from nahas.children.jobs import Images
from nahas.children.recipe import Recipe
from nahas.children.training import Reason
from nahas.spaces.named import named
from nahas.workers.named import Workers
from tests.spaces.test_from_file import SPACE

RECIPE = Recipe(epochs=1, batch=16, learning_rate=0.05)
IMAGES = 400


@pytest.fixture
def images(tmp_path):
    rng = np.random.default_rng(0)
    labels = np.arange(IMAGES) % 2
    noise = rng.integers(0, 128, (IMAGES, 8, 8, 3))
    pixels = (noise + 100 * labels[:, None, None, None]).astype(np.uint8)
    np.savez(tmp_path / "images.npz", pixels=pixels, labels=labels)
    return Images(name_or_path=str(tmp_path / "images.npz"))


def test_two_processes_train_the_same_children_and_the_ledger_remembers_them(images, tmp_path):
    (tmp_path / "spaces.py").write_text(SPACE)
    space = named(f"{tmp_path / 'spaces.py'}:mine")
    ledger = tmp_path / "run" / "children.json"
    workers = Workers(processes=2, time_limit_s=600.0)
    by_workers = TrainedChildren(
        space,
        images.open(),
        RECIPE,
        ledger=ledger,
        elsewhere=Elsewhere(workers=workers, images=images),
    )
    choices = np.array([[0], [1]])
    by_workers.begin(choices)
    percent = by_workers.accuracy(choices)
    assert (by_workers.failures(choices) == 0).all()
    by_workers.close()
    here = TrainedChildren(space, images.open(), RECIPE)
    # Another number of threads may round otherwise, and so see an image in another class.
    one_image = 100.0 / images.open().sizes["validation"]
    np.testing.assert_allclose(percent, here.accuracy(choices), atol=2 * one_image)
    assert (percent > 60.0).all()
    children = json.loads(ledger.read_text())["children"]
    assert [child["epochs"] for child in children.values()] == [1, 1]
    assert not any(path.is_dir() and any(path.iterdir()) for path in ledger.parent.iterdir())


def test_who_was_given_up_for_time_is_forgotten_where_the_limit_is_another(tmp_path):
    ours = {"seconds": 0.0, "epochs": 0}
    late = Child(accuracy_percent=math.nan, reason=Reason.TIME_LIMIT.value, **ours)
    lost = Child(accuracy_percent=math.nan, reason=Reason.WORKER_LOST.value, **ours)
    short = Child(accuracy_percent=50.0, reason=Reason.TIME_LIMIT.value, **ours)  # by itself
    path = tmp_path / "children.json"
    Ledger(path, {}, 60.0).write({"late": late, "lost": lost, "short": short})
    assert set(Ledger(path, {}, 60.0).read()) == {"late", "lost", "short"}
    assert set(Ledger(path, {}, 90.0).read()) == {"lost", "short"}
    assert set(Ledger(path, {}).read()) == {"lost", "short"}
