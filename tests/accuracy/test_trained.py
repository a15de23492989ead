"""Accuracy by training: each network once, remembered, hopeless ones stopped early."""

import json
from dataclasses import replace

import numpy as np
import pytest

from nahas.accuracy.trained import Child, Halving, Ledger, TrainedChildren
from nahas.children.training import Reason, Training
from nahas.errors import AccuracyError
from tests.children.tiny import RECIPE, images, space

CHOICES = np.array([[0, 0], [1, 1], [0, 0], [0, 1], [1, 0]])


@pytest.fixture(scope="module")
def dataset():
    return images(320)


def count_epochs(monkeypatch):
    """A list that grows by one with every epoch that is trained."""
    counted = []
    epoch = Training.epoch

    def counting(self, *arguments):
        counted.append(self)
        return epoch(self, *arguments)

    monkeypatch.setattr(Training, "epoch", counting)
    return counted


@pytest.fixture
def epochs(monkeypatch):
    return count_epochs(monkeypatch)


@pytest.fixture(scope="module")
def halved(dataset):
    """Four children that were asked for together, their accuracies and how many epochs it took."""
    backend = TrainedChildren(space(), dataset, RECIPE, halving=Halving(first=1, keep=0.5))
    with pytest.MonkeyPatch.context() as monkeypatch:
        epochs = count_epochs(monkeypatch)
        accuracy = backend.accuracy(CHOICES)
    return backend, accuracy, len(epochs)


def test_each_network_is_trained_once_and_remembered(dataset, tmp_path, epochs):
    ledger = tmp_path / "children.json"
    recipe = replace(RECIPE, epochs=1)
    backend = TrainedChildren(space(), dataset, recipe, ledger=ledger)
    some = backend.accuracy(CHOICES[:3])
    assert some[0] == some[2]
    assert len(epochs) == 2
    again = TrainedChildren(space(), dataset, recipe, ledger=ledger)
    np.testing.assert_array_equal(again.accuracy(CHOICES[:3]), some)
    assert len(epochs) == 2
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["children.json"]
    assert "fashion-mnist top-1 % on validation images" in backend.label


def test_a_child_whose_loss_is_not_finite_is_kept_with_no_accuracy(dataset, tmp_path):
    ledger = tmp_path / "children.json"
    wild = replace(RECIPE, learning_rate=1e30, warm_up=0.0)
    backend = TrainedChildren(space(), dataset, wild, ledger=ledger)
    assert np.isnan(backend.accuracy(CHOICES[:1])).all()
    again = TrainedChildren(space(), dataset, wild, ledger=ledger)
    assert again.children["tiny:k3e2"].reason == Reason.NOT_FINITE
    assert np.isnan(again.accuracy(CHOICES[:1])).all()


def test_halving_stops_the_worst_and_says_so(halved):
    backend, accuracy, epochs = halved
    children = backend.children.values()
    stopped = [child for child in children if child.reason == Reason.STOPPED]
    whole = [child for child in children if child.reason == Reason.DONE]
    assert [child.epochs for child in stopped] == [1, 1]
    assert [child.epochs for child in whole] == [2, 2]
    assert epochs == 4 + 2
    assert np.isfinite(accuracy).all()


def test_children_that_go_on_are_those_of_no_halving(dataset, halved, epochs):
    children = halved[0].children
    whole = next(name for name, child in children.items() if child.epochs == 2)
    alone = TrainedChildren(space(), dataset, RECIPE)
    alone.accuracy(space().choice_named(whole)[None, :])
    assert len(epochs) == 2
    assert alone.children[whole].accuracy_percent == children[whole].accuracy_percent


def test_a_ledger_of_other_children_or_a_damaged_one_is_refused(dataset, tmp_path):
    ledger = tmp_path / "children.json"
    identity = TrainedChildren(space(), dataset, replace(RECIPE, epochs=1)).identity
    child = Child(accuracy_percent=50.0, epochs=1, seconds=1.0, reason="")
    Ledger(ledger, identity).write({"tiny:k3e2": child})
    same = TrainedChildren(space(), dataset, replace(RECIPE, epochs=1), ledger=ledger)
    assert same.children == {"tiny:k3e2": child}
    with pytest.raises(AccuracyError, match="remembers children of recipe"):
        TrainedChildren(space(), dataset, replace(RECIPE, epochs=1, seed=1), ledger=ledger)
    content = json.loads(ledger.read_text())
    for damaged in ("{", "[]", json.dumps({**content, "children": 1})):
        ledger.write_text(damaged)
        with pytest.raises(AccuracyError, match=r"cannot be read|no ledger|damaged"):
            TrainedChildren(space(), dataset, replace(RECIPE, epochs=1), ledger=ledger)


@pytest.mark.parametrize(
    ("name", "value"), [("first", 0), ("keep", 0.0), ("keep", 1.0), ("factor", 1)]
)
def test_halving_says_what_it_does_not_take(name, value):
    with pytest.raises(AccuracyError, match=f"halving: {name} is {value}, but it must be"):
        Halving(**{name: value})


def test_rungs_end_with_the_recipe():
    assert Halving(first=1, factor=2).rungs(6) == [1, 2, 4, 6]
    assert Halving(first=8).rungs(4) == [4]
