"""Plain predictors, to say what the surrogate is better than: ridge, and a 64x64 perceptron.

Both see nothing but the decisions, each value as a column of zeros and ones.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from nahas.accuracy.gaussian import Floats
from nahas.spaces.space import ChoiceArray

Predictor = Callable[[ChoiceArray], Floats]
Labelled = tuple[ChoiceArray, Floats]

HIDDEN = 64
BATCH = 64
EPOCHS = 150
LEARNING_RATE = 2e-3
PENALTIES = (0.1, 1.0, 10.0, 100.0)


def one_hot(choices: ChoiceArray, cardinalities: ChoiceArray) -> Floats:
    """One column per decision and value: [B, sum of cardinalities]."""
    columns = [choices[:, [i]] == np.arange(c) for i, c in enumerate(cardinalities)]
    return np.hstack(columns).astype(np.float64)


def ridge(train: Labelled, val: Labelled, cardinalities: ChoiceArray) -> Predictor:
    """Linear regression; its penalty is the one of `PENALTIES` that is best on `val`."""
    inputs, mean = one_hot(train[0], cardinalities), float(train[1].mean())
    predictors = [_linear(inputs, train[1], mean, penalty) for penalty in PENALTIES]

    def predictor(weights: Floats) -> Predictor:
        return lambda choices: one_hot(choices, cardinalities) @ weights + mean

    return min(map(predictor, predictors), key=lambda p: _squares(p(val[0]), val[1]))


def _linear(inputs: Floats, targets: Floats, mean: float, penalty: float) -> Floats:
    normal = inputs.T @ inputs + penalty * np.eye(inputs.shape[1])
    return np.asarray(np.linalg.solve(normal, inputs.T @ (targets - mean)))


def perceptron(
    train: Labelled, val: Labelled, cardinalities: ChoiceArray, rng: np.random.Generator
) -> Predictor:
    """Two hidden layers of 64 ReLU, Adam on squared error; the epoch that is best on `val`."""
    inputs, mean, spread = one_hot(train[0], cardinalities), train[1].mean(), train[1].std()
    targets = (train[1] - mean) / spread
    held_out, expected = one_hot(val[0], cardinalities), (val[1] - mean) / spread
    weights = _initial([inputs.shape[1], HIDDEN, HIDDEN, 1], rng)
    adam = [(np.zeros_like(w), np.zeros_like(w)) for w in weights]
    best, best_weights, step = np.inf, [w.copy() for w in weights], 0
    for epoch in range(EPOCHS):
        rate = LEARNING_RATE * 0.5 * (1.0 + np.cos(np.pi * epoch / EPOCHS))
        order = rng.permutation(len(inputs))
        for start in range(0, len(order), BATCH):
            rows, step = order[start : start + BATCH], step + 1
            slopes = _slopes(weights, inputs[rows], targets[rows])
            for weight, slope, moments in zip(weights, slopes, adam, strict=True):
                _adam(weight, slope, moments, rate, step)
        error = _squares(_forward(weights, held_out)[-1][:, 0], expected)
        if error < best:
            best, best_weights = error, [w.copy() for w in weights]
    return lambda choices: (
        _forward(best_weights, one_hot(choices, cardinalities))[-1][:, 0] * spread + mean
    )


def _initial(widths: list[int], rng: np.random.Generator) -> list[Floats]:
    """Weights and biases by turns, He et al.'s initialisation."""
    parts: list[Floats] = []
    for fan_in, fan_out in pairwise(widths):
        parts += [rng.normal(0.0, np.sqrt(2.0 / fan_in), (fan_in, fan_out)), np.zeros(fan_out)]
    return parts


def _forward(weights: list[Floats], inputs: Floats) -> list[Floats]:
    """The input and the output of every layer."""
    outputs, last = [inputs], len(weights) - 2
    for i in range(0, len(weights), 2):
        product = outputs[-1] @ weights[i] + weights[i + 1]
        outputs.append(product if i == last else np.maximum(product, 0.0))
    return outputs


def _slopes(weights: list[Floats], inputs: Floats, targets: Floats) -> list[Floats]:
    """The gradient of the mean squared error, in the order of `weights`."""
    outputs = _forward(weights, inputs)
    slope = 2.0 * (outputs[-1] - targets[:, None]) / len(targets)
    found: list[Floats] = []
    for layer in reversed(range(len(weights) // 2)):
        found = [outputs[layer].T @ slope, slope.sum(axis=0), *found]
        slope = (slope @ weights[2 * layer].T) * (outputs[layer] > 0.0)
    return found


def _adam(
    weight: Floats, slope: Floats, moments: tuple[Floats, Floats], rate: float, step: int
) -> None:
    """One step of Adam (Kingma and Ba, arXiv 1412.6980, algorithm 1), in place."""
    first, second = moments
    first += 0.1 * (slope - first)
    second += 0.001 * (slope * slope - second)
    unbiased = np.sqrt(second / (1.0 - 0.999**step)) + 1e-8
    weight -= rate * first / (1.0 - 0.9**step) / unbiased


def _squares(predicted: Floats, expected: Floats) -> float:
    return float(((predicted - expected) ** 2).mean())
