"""The Keras models: units, heads, ensembles, and gradients for relaxed decisions."""

import numpy as np
import pytest

from nahas.children.quiet import import_keras
from nahas.costmodel.features import encoder, features, width
from nahas.costmodel.model import compiled
from nahas.costmodel.perceptron import (
    HEADS,
    UNCERTAINTY,
    VALIDITY,
    Normalisation,
    ensemble,
    normalisation,
    perceptron,
)
from nahas.costmodel.recipe import Recipe
from nahas.errors import CostModelError

from .fake import tiny_joint

# Keras 3.15 reads TensorFlow's variables in a way that NumPy 2 is going to drop.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

JOINT = tiny_joint()
NORMAL = Normalisation(np.array([1.0, -2.0, 5.0]), np.array([0.5, 1.0, 2.0]))
SMALL = Recipe(hidden=(8, 8), dropout=0.1)


def model(seed=0, validity=True, recipe=SMALL):
    return perceptron(width(JOINT.space), NORMAL, recipe, seed=seed, validity=validity)


def drawn(count):
    return JOINT.space.sample(count, np.random.default_rng(0))


def test_an_untrained_model_predicts_in_the_units_of_its_mean():
    nothing = np.zeros((3, width(JOINT.space)), np.float32)
    answer = model()(nothing)
    assert set(answer) == {*HEADS, VALIDITY}
    for head, mean in zip(HEADS, NORMAL.mean, strict=True):
        assert np.asarray(answer[head]) == pytest.approx(np.full((3, 1), mean))
    assert np.asarray(answer[VALIDITY]) == pytest.approx(np.full((3, 1), 0.5))
    assert set(model(validity=False)(nothing)) == set(HEADS)


@pytest.mark.parametrize("members", [1, 3])
def test_an_ensemble_is_the_mean_of_its_members_also_when_saved(tmp_path, members):
    several = [model(seed) for seed in range(members)]
    inputs = features(JOINT, drawn(50))
    apart = [member(inputs) for member in several]
    together = ensemble(several)
    together.save(tmp_path / "m.keras")
    loaded = import_keras().models.load_model(tmp_path / "m.keras", compile=False)
    for read in (together, loaded):
        answer = read(inputs)
        for name in (*HEADS, VALIDITY):
            values = np.stack([np.asarray(one[name]) for one in apart])
            assert np.asarray(answer[name]) == pytest.approx(values.mean(axis=0), rel=1e-5)
            if members > 1 and name != VALIDITY:
                spread = np.asarray(answer[UNCERTAINTY + name])
                assert spread == pytest.approx(values.std(axis=0), rel=1e-3)
        assert len(answer) == (4 if members == 1 else 7)


def test_members_differ_and_a_seed_makes_the_same_one():
    first, same, other = (model(seed).get_weights() for seed in (0, 0, 1))
    assert all(np.array_equal(a, b) for a, b in zip(first, same, strict=True))
    assert not np.array_equal(first[0], other[0])


def test_features_made_in_the_graph_are_those_of_numpy():
    choices = drawn(300)
    chosen = np.where(JOINT.applicable(choices), choices, 0).astype(np.uint8)
    assert np.array_equal(encoder(JOINT.space)(chosen).numpy(), features(JOINT, choices))


@pytest.mark.parametrize("count", [0, 1, 8192, 8193])
def test_the_compiled_model_answers_any_number_of_designs(count):
    keras_model = model()
    choices = drawn(count)
    chosen = np.where(JOINT.applicable(choices), choices, 0).astype(np.uint8)
    told = compiled(keras_model, JOINT.space)(chosen)
    assert set(told) == {*HEADS, VALIDITY}
    answer = keras_model(features(JOINT, choices))
    for name, column in told.items():
        assert column.shape == (count,)
        assert column == pytest.approx(np.asarray(answer[name])[:, 0], rel=1e-5, abs=1e-6)


def test_relaxed_decisions_have_gradients():
    import tensorflow as tf

    relaxed = tf.Variable(features(JOINT, drawn(4)) * 0.9 + 0.01)
    keras_model = ensemble([model(0), model(1)])
    with tf.GradientTape() as tape:
        latency = tf.reduce_sum(tf.exp(keras_model(relaxed)["log_latency_ms"]))
    gradient = tape.gradient(latency, relaxed).numpy()
    assert np.isfinite(gradient).all()
    assert np.abs(gradient).sum() > 0


def test_normalisation_is_of_what_counts():
    logs = np.array([[1, 2, 3], [3, 2, 5], [np.nan, np.nan, 7]], np.float32)
    normal = normalisation(logs, np.array([True, True, False]))
    assert normal.mean.tolist() == [2, 2, 5]
    assert normal.deviation == pytest.approx([1, 1e-6, np.std([3, 5, 7])])
    with pytest.raises(CostModelError, match="none of the 3 designs to learn from can run"):
        normalisation(logs, np.zeros(3, bool))
    with pytest.raises(CostModelError, match="log_latency_ms of 1 designs that can run is not fin"):
        normalisation(logs, np.ones(3, bool))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"hidden": ()}, r"hidden is \(\): it must be units of one layer or more"),
        ({"hidden": (8, 0)}, r"hidden is \(8, 0\)"),
        ({"dropout": 1.0}, "dropout is 1.0: it must be at least 0 and below 1"),
        ({"epochs": 0}, "epochs is 0: it must be at least 1"),
        ({"learning_rate": 0}, "learning_rate is 0: it must be above 0"),
        ({"validity": "yes"}, "validity is 'yes': it must be one of auto, required, off"),
        ({"time_limit_s": 0}, "time_limit_s is 0: it must be above 0"),
    ],
)
def test_a_recipe_that_cannot_be_followed_is_refused(wrong, message):
    with pytest.raises(CostModelError, match=message):
        Recipe(**wrong)
