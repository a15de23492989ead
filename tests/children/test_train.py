"""Children learn, come out the same, go on after an end, and say why they ended."""

import csv
import shutil
from dataclasses import replace

import numpy as np
import pytest

from nahas.children.checkpoint import CHECKPOINT, LOG
from nahas.children.normalization import quick_normalization
from nahas.children.quiet import import_keras
from nahas.children.recipe import FULL, Recipe
from nahas.children.saved import CARD, MODEL, save_child, standalone
from nahas.children.train import train_child
from nahas.children.training import Reason, Training
from nahas.errors import TrainingError
from tests.children.tiny import RECIPE, images, network

LEARNED_PERCENT = 50.0
"""Chance is 10; this seed reaches 58.8 with TensorFlow 2.21 on x86-64."""


@pytest.fixture(scope="module")
def dataset():
    return images(320)


@pytest.fixture(scope="module")
def whole(dataset, tmp_path_factory):
    """A training to its end, and its folder."""
    folder = tmp_path_factory.mktemp("whole") / "child"
    return train_child(network, dataset, RECIPE, folder=folder), folder


def same(ours, theirs):
    return all(np.array_equal(a, b) for a, b in zip(ours.weights, theirs.weights, strict=True))


def test_a_small_child_learns_clothes():
    trained = train_child(network, images(3300), replace(RECIPE, epochs=3))
    assert trained.accuracy_percent > LEARNED_PERCENT
    assert trained.reason is Reason.DONE
    assert trained.epochs == len(trained.history) == 3


def test_equal_recipes_give_equal_weights_and_another_seed_others(dataset, whole):
    first, again = whole[0], train_child(network, dataset, RECIPE)
    assert same(first, again)
    assert first.accuracy_percent == again.accuracy_percent
    begun, other = (
        Training(network, dataset, replace(RECIPE, seed=seed)).weights() for seed in (0, 1)
    )
    assert any(not np.array_equal(a, b) for a, b in zip(begun, other, strict=True))


def test_a_training_that_ended_between_epochs_goes_on_as_if_it_had_not(dataset, tmp_path):
    """With all that a recipe can remember; plain SGD is killed in tests/e2e."""
    recipe = replace(RECIPE, ema_decay=0.9, optimizer="rmsprop", dropout=0.2)
    whole = train_child(network, dataset, recipe)
    Training(network, dataset, recipe, folder=tmp_path, resume=True).epoch()
    resumed = train_child(network, dataset, recipe, folder=tmp_path, resume=True)
    assert same(whole, resumed)
    finished = train_child(network, dataset, recipe, folder=tmp_path, resume=True)
    assert same(whole, finished)
    assert finished.accuracy_percent == whole.accuracy_percent


def test_the_log_has_a_row_for_each_epoch(whole):
    trained, folder = whole
    with (folder / LOG).open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in rows] == [1, 2]
    assert float(rows[-1]["validation_percent"]) == trained.accuracy_percent


def test_a_loss_that_is_not_finite_ends_at_once_and_says_so(dataset, tmp_path):
    told = []
    trained = train_child(
        network,
        dataset,
        replace(RECIPE, learning_rate=1e30, warm_up=0.0),
        folder=tmp_path,
        progress=lambda *now: told.append(now),
    )
    assert trained.reason is Reason.NOT_FINITE
    assert np.isnan(trained.accuracy_percent)
    assert trained.epochs == 0
    assert len(told) < dataset.sizes["train"] // RECIPE.batch
    assert (tmp_path / LOG).exists()
    assert not (tmp_path / CHECKPOINT).exists()


def test_a_time_limit_ends_after_a_step_and_what_was_learned_is_measured(dataset):
    told = []
    trained = train_child(
        network, dataset, RECIPE, time_limit_s=1e-3, progress=lambda *now: told.append(now)
    )
    assert trained.reason is Reason.TIME_LIMIT
    assert len(told) == 1
    assert 0 <= trained.accuracy_percent <= 100


def test_what_is_kept_is_the_model_that_was_measured(dataset, tmp_path):
    keras = import_keras()
    recipe = replace(RECIPE, ema_decay=0.5)
    trained = train_child(network, dataset, recipe)
    card = save_child(tmp_path, "tiny:k3e3", network, dataset, recipe, trained)
    model = keras.models.load_model(tmp_path / MODEL)
    assert {type(layer).__module__.partition(".")[0] for layer in model.layers} == {"keras"}
    right = count = 0
    for pixels, labels in dataset.batches("validation", batch=250):
        logits = np.asarray(model(pixels))
        right += int((logits.argmax(axis=1) == np.asarray(labels)).sum())
        count += len(logits)
    assert 100 * right / count == pytest.approx(trained.accuracy_percent)
    assert (tmp_path / CARD).exists()
    assert card.accuracy_percent == trained.accuracy_percent
    assert card.dataset["name"] == dataset.name


def test_the_quick_normalisation_is_keras_own():
    keras = import_keras()
    rng = np.random.default_rng(0)
    x = rng.normal(2.0, 3.0, (4, 5, 5, 6)).astype(np.float32)
    layers = [
        make(momentum=0.9) for make in (quick_normalization(), keras.layers.BatchNormalization)
    ]
    for training in (True, False):
        ours, theirs = (np.asarray(layer(x, training=training)) for layer in layers)
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    for ours, theirs in zip(*(layer.get_weights() for layer in layers), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_a_folder_is_never_taken_for_another_training(dataset, whole, tmp_path):
    shutil.copytree(whole[1], tmp_path, dirs_exist_ok=True)
    with pytest.raises(TrainingError, match="holds a training that was begun"):
        train_child(network, dataset, RECIPE, folder=tmp_path)
    with pytest.raises(TrainingError, match=r"holds a training with seed 0, but here it is 1"):
        train_child(network, dataset, replace(RECIPE, seed=1), folder=tmp_path, resume=True)
    (tmp_path / CHECKPOINT).write_bytes(b"PK")
    with pytest.raises(TrainingError, match="cannot be read as a checkpoint"):
        train_child(network, dataset, RECIPE, folder=tmp_path, resume=True)


def test_less_than_a_batch_is_refused(dataset):
    with pytest.raises(TrainingError, match="recipe: batch is 5000, but fashion-mnist has 288"):
        train_child(network, dataset, replace(RECIPE, batch=5000))


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("epochs", 0, "at least 1"),
        ("batch", -1, "at least 1"),
        ("optimizer", "adam", "one of sgd, rmsprop"),
        ("learning_rate", 0.0, "above 0 and finite"),
        ("learning_rate", float("nan"), "above 0 and finite"),
        ("warm_up", 1.0, "at least 0 and below 1"),
        ("label_smoothing", -0.1, "at least 0 and below 1"),
        ("weight_decay", -1.0, "at least 0"),
        ("seed", -1, "at least 0"),
    ],
)
def test_a_recipe_says_what_it_does_not_take(name, value, allowed):
    with pytest.raises(TrainingError, match=f"recipe: {name} is .*, but it must be {allowed}"):
        Recipe(**{name: value})


def test_full_training_averages_weights():
    assert FULL.ema_decay > 0
    assert FULL.epochs > 100


def test_a_network_is_built_the_same_to_train_and_to_keep(dataset):
    training = Training(network, dataset, RECIPE)
    model = standalone(network, dataset.task, training.weights())
    assert sum(int(np.prod(w.shape)) for w in model.trainable_weights) == training.parameters
