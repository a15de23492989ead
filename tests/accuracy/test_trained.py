"""Accuracy by training: each network once, remembered, hopeless ones stopped early."""

import json
from dataclasses import replace

import numpy as np
import pytest

from nahas.accuracy import trained
from nahas.accuracy.trained import Child, Halving, Ledger, TrainedChildren
from nahas.children.checkpoint import State
from nahas.children.training import Reason, Training
from nahas.errors import AccuracyError
from tests.children.tiny import RECIPE, images, space

CHOICES = np.array([[0, 0], [1, 1], [0, 0]])


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
    """Two children that were asked for together, their accuracies and how many epochs it took."""
    backend = TrainedChildren(space(), dataset, RECIPE, halving=Halving(first=1, keep=0.5))
    with pytest.MonkeyPatch.context() as monkeypatch:
        epochs = count_epochs(monkeypatch)
        accuracy = backend.accuracy(CHOICES)
    return backend, accuracy, len(epochs)


def test_each_network_is_trained_once_and_remembered(dataset, tmp_path, epochs):
    ledger = tmp_path / "children.json"
    recipe = replace(RECIPE, epochs=1)
    backend = TrainedChildren(space(), dataset, recipe, ledger=ledger)
    some = backend.accuracy(CHOICES)
    assert some[0] == some[2]
    assert len(epochs) == 2
    again = TrainedChildren(space(), dataset, recipe, ledger=ledger)
    np.testing.assert_array_equal(again.accuracy(CHOICES), some)
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
    assert [child.epochs for child in stopped] == [1]
    assert [child.epochs for child in whole] == [2]
    assert epochs == 2 + 1
    assert np.isfinite(accuracy).all()


def test_a_killed_batch_of_halving_ends_as_if_it_had_not_been(dataset, tmp_path, monkeypatch):
    curves = {"k3e2": [40, 20], "k3e3": [39, 50], "k5e2": [30, 45], "k5e3": [20, 30]}
    kept = {name: [] for name in curves}
    left = [0]  # epochs until the kill

    class Followed:
        """A training that follows its curve, with a checkpoint of every epoch."""

        reason = Reason.DONE

        def __init__(self, *_, folder, **_how):
            self.name = folder.name.removeprefix("tiny_")
            self.state = State(epoch=len(kept[self.name]), history=kept[self.name])

        @property
        def over(self):
            return self.state.epoch == 2

        def epoch(self, *_):
            left[0] -= 1
            if not left[0]:
                raise KeyboardInterrupt
            percent = curves[self.name][self.state.epoch]
            self.state.history.append({"validation_percent": percent, "seconds": 1.0})
            self.state.epoch += 1

    monkeypatch.setattr(trained, "Training", Followed)
    monkeypatch.setattr(trained, "forget_models", lambda: None)
    choices = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])

    def children(ledger):
        backend = TrainedChildren(
            space(), dataset, RECIPE, ledger=tmp_path / ledger, halving=Halving()
        )
        backend.accuracy(choices)
        return backend.children

    for done in range(1, 7):
        kept.update({name: [] for name in curves})
        left[0] = done
        with pytest.raises(KeyboardInterrupt):
            children(f"{done}.json")
        left[0] = -1
        resumed = children(f"{done}.json")
        kept.update({name: [] for name in curves})
        assert resumed == children(f"{done}_whole.json")


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
    ledger.write_text(json.dumps({**content, "networks_sha256": "0" * 64}))
    with pytest.raises(AccuracyError, match="remembers children of networks_sha256 000"):
        TrainedChildren(space(), dataset, replace(RECIPE, epochs=1), ledger=ledger)
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
