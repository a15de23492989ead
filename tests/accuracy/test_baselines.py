"""The plain predictors learn what they can learn."""

import numpy as np
import pytest

from nahas.accuracy import baselines

CARDINALITIES = np.array([3, 2, 4, 2, 3])


def draw(count, seed, law):
    rng = np.random.default_rng(seed)
    choices = rng.integers(0, CARDINALITIES, (count, len(CARDINALITIES)))
    return choices, law(choices)


def additive(choices):
    return 50.0 + choices[:, 0] ** 2 - 3.0 * choices[:, 1] + (choices[:, 2] == 1)


def crossed(choices):
    return 50.0 + 4.0 * choices[:, 1] * choices[:, 3] - 2.0 * choices[:, 3]


def rms(predict, labelled):
    return np.sqrt(((predict(labelled[0]) - labelled[1]) ** 2).mean())


def test_one_hot_marks_the_value_of_each_decision():
    columns = baselines.one_hot(np.array([[2, 0, 1, 1, 0]]), CARDINALITIES)
    assert columns.tolist() == [[0, 0, 1, 1, 0, 0, 1, 0, 0, 0, 1, 1, 0, 0]]


def test_ridge_learns_sums_and_not_products():
    for law, most, least in ((additive, 0.05, 0.0), (crossed, 2.0, 0.5)):
        train, val = draw(300, 0, law), draw(100, 1, law)
        error = rms(baselines.ridge(train, val, CARDINALITIES), draw(200, 2, law))
        assert least <= error <= most


def test_perceptron_learns_products_and_repeats_itself():
    train, val, test = (draw(count, i, crossed) for i, count in enumerate((300, 100, 200)))
    first, again, other = (
        baselines.perceptron(train, val, CARDINALITIES, np.random.default_rng(seed))
        for seed in (5, 5, 6)
    )
    assert rms(first, test) < 0.15
    np.testing.assert_array_equal(first(test[0]), again(test[0]))
    assert (first(test[0]) != other(test[0])).any()


def test_slopes_of_the_perceptron_are_those_of_finite_differences():
    rng = np.random.default_rng(0)
    inputs, targets = rng.normal(size=(8, 4)), rng.normal(size=8)
    weights = baselines._initial([4, 5, 5, 1], rng)

    def error():
        return ((baselines._forward(weights, inputs)[-1][:, 0] - targets) ** 2).mean()

    slopes = baselines._slopes(weights, inputs, targets)
    for weight, slope in zip(weights, slopes, strict=True):
        place = tuple(0 for _ in weight.shape)
        weight[place] += 1e-6
        high = error()
        weight[place] -= 2e-6
        low = error()
        weight[place] += 1e-6
        assert slope[place] == pytest.approx((high - low) / 2e-6, abs=1e-6)
