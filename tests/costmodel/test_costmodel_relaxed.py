"""Costs of relaxed decisions: the model's at the corners, with true gradients between them."""

import numpy as np
import pytest
import tensorflow as tf

from nahas.costmodel.features import features
from nahas.costmodel.recipe import Recipe
from nahas.costmodel.relaxed import RelaxedCost
from nahas.costmodel.train import train
from nahas.errors import CostModelError
from nahas.spaces.joint import JointSpace
from nahas.spaces.named import named

from .fake import fake_costs, tiny_joint

# Keras 3.15 reads TensorFlow's variables in a way that NumPy 2 is going to drop.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

JOINT = tiny_joint()
SIZES = JOINT.space.cardinalities
NAMES = ("latency_ms", "energy_mj", "area_mm2")


@pytest.fixture(scope="module")
def model():
    # Smooth units: within the step of a finite difference others may bend.
    recipe = Recipe(samples=2000, epochs=20, batch=64, hidden=(32, 32), activation="silu")
    return train(JOINT, recipe, simulate=fake_costs(JOINT))


@pytest.fixture(scope="module")
def relaxed(model):
    return model.relaxed()


def one_hot(choices):
    return [
        np.eye(size, dtype=np.float32)[column]
        for size, column in zip(SIZES, choices.T, strict=True)
    ]


def softmaxes(rng, rows=4):
    logits = rng.normal(size=(rows, int(SIZES.sum()))).astype(np.float32)
    parts = np.split(logits, np.cumsum(SIZES)[:-1], axis=1)
    return [np.exp(part) / np.exp(part).sum(axis=1, keepdims=True) for part in parts]


def test_at_one_hot_decisions_it_is_the_prediction(model, relaxed):
    choices = JOINT.space.sample(200, np.random.default_rng(1))
    predicted, costs = model.predict(choices), relaxed(one_hot(choices))
    joined = relaxed(np.concatenate(one_hot(choices), axis=1))
    for name in NAMES:
        assert np.allclose(costs[name], getattr(predicted, name), rtol=1e-5)
        assert np.array_equal(costs[name], joined[name])
    # Decision `kernel` does nothing where `depth` is 0, so the mask is what is tested here too.
    assert np.any(~JOINT.applicable(choices))
    assert np.array_equal(relaxed.likeliest(one_hot(choices)), choices)


def test_gradients_are_finite_differences(relaxed):
    rng = np.random.default_rng(2)
    at = np.concatenate(softmaxes(rng, rows=1), axis=1)
    at[0, :3] = (0.1, 0.2, 0.7)  # far from where the mask changes
    for name in NAMES:
        point = tf.constant(at)
        with tf.GradientTape() as tape:
            tape.watch(point)
            cost = tf.math.log(relaxed(point)[name])
        gradient = tape.gradient(cost, point).numpy()[0]
        step = 1e-2
        differences = []
        for column in range(at.shape[1]):
            ends = np.repeat(at, 2, axis=0)
            ends[:, column] += (step, -step)
            high, low = np.log(relaxed(ends)[name].numpy())
            differences.append((high - low) / (2 * step))
        off = np.abs(gradient - differences)
        assert off.max() < 1e-2 * np.abs(gradient).max()
        assert np.count_nonzero(gradient) > at.shape[1] / 2


def test_it_works_in_a_compiled_loss_on_logits(relaxed):
    @tf.function
    def loss(logits):
        costs = relaxed(relaxed.probabilities(logits))
        return tf.reduce_sum(costs["latency_ms"] * costs["energy_mj"])

    logits = tf.constant(np.random.default_rng(3).normal(size=(4, int(SIZES.sum()))), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = loss(logits)
    assert np.isfinite(value)
    assert np.abs(tape.gradient(value, logits)).max() > 0


def test_a_low_temperature_makes_up_its_mind(relaxed):
    logits = np.random.default_rng(4).normal(size=(3, int(SIZES.sum()))).astype(np.float32)
    cold = relaxed.probabilities(logits, temperature=1e-3)
    assert all(np.allclose(np.max(part, axis=1), 1) for part in cold)
    assert np.array_equal(relaxed.likeliest(cold), relaxed.likeliest(logits))
    assert all(np.allclose(np.sum(part, axis=1), 1) for part in relaxed.probabilities(logits))


def test_a_decision_that_does_not_apply_has_no_gradient(relaxed):
    parts = softmaxes(np.random.default_rng(5), rows=1)
    for depth, moves in ((0, False), (2, True)):
        parts[0] = np.eye(3, dtype=np.float32)[[depth]] * 0.9 + 0.1 / 3
        kernel = tf.constant(parts[1])
        with tf.GradientTape() as tape:
            tape.watch(kernel)
            cost = relaxed([parts[0], kernel, *parts[2:]])["energy_mj"]
        assert bool(np.any(tape.gradient(cost, kernel))) == moves


def test_where_all_decisions_apply_xla_compiles_it(model):
    joint = JointSpace(named("macro"))
    short = Recipe(samples=100, epochs=1, hidden=(8,))

    def simulate(choices):
        return fake_costs(JOINT)(JOINT.space.sample(len(choices), np.random.default_rng(0)))

    macro = train(joint, short, simulate=simulate)
    relaxed = RelaxedCost(macro)
    choices = joint.space.sample(5, np.random.default_rng(6))
    compiled = tf.function(relaxed, jit_compile=True)
    costs = compiled(tf.constant(features(joint, choices)))
    assert np.allclose(costs["latency_ms"], macro.predict(choices).latency_ms, rtol=1e-4)


@pytest.mark.parametrize(
    ("decisions", "said"),
    [
        (np.zeros((2, 5), np.float32), r"shape \(2, 5\), but those of .* are \[B, \d+\]"),
        ([np.zeros((2, 3), np.float32)], r"have \[3\] values, but those of space 'tiny\+acc"),
    ],
)
def test_decisions_of_other_sizes_are_refused(relaxed, decisions, said):
    for use in (relaxed, relaxed.probabilities, relaxed.likeliest):
        with pytest.raises(CostModelError, match=said):
            use(decisions)
