"""Training steps: many in one compiled call, which stops before it would spoil a weight."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.children.quiet import import_keras
from nahas.costmodel.columns import Columns
from nahas.costmodel.perceptron import Normalisation, standardised
from nahas.costmodel.recipe import Recipe

VALIDATION_BATCH = 8192

VALIDITY_SHARE = 0.02
"""Weight of validity beside a cost. Its cross-entropy is a hundred times the loss of a cost: of
equal weight it rules the hidden layers, and latencies of `s1` on `wide` are off by three times as
much."""


class Learner:
    """A member, its optimizer, and the compiled functions that change and measure it.

    `block` is `steps`, compiled. XLA is not used: `benchmarks/costmodel.py --speed` prints what it
    would do.
    """

    def __init__(
        self,
        keras_model: Any,
        encode: Callable[[Any], Any],
        normal: Normalisation,
        recipe: Recipe,
    ) -> None:
        import tensorflow as tf

        keras = import_keras()
        self.keras_model = keras_model
        self._encode = encode
        self._deviation = normal.deviation.astype(np.float32)
        self._huber = recipe.huber
        self._raw = standardised(keras_model)
        self._trained = self._raw.trainable_variables
        self._optimizer = keras.optimizers.AdamW(
            recipe.learning_rate, weight_decay=recipe.weight_decay
        )
        self._optimizer.build(self._trained)
        self.block = tf.function(self.steps, autograph=False)
        self._measured = tf.function(self._measures, autograph=False, reduce_retracing=True)

    @property
    def variables(self) -> list[Any]:
        """All that a run changes: weights, the state of dropout, the optimizer's moments."""
        return [*self._raw.variables, *self._optimizer.variables]

    def state(self) -> list[NDArray[Any]]:
        """The values of `variables`."""
        return [np.array(variable.numpy()) for variable in self.variables]

    def restore(self, state: Sequence[NDArray[Any]]) -> None:
        """Give `variables` the values that `state` once returned."""
        for variable, value in zip(self.variables, state, strict=True):
            variable.assign(value)

    def _losses(self, raw: Any, targets: Any, can_run: Any) -> Any:
        """Mean loss of each head [H] in a batch: Huber on costs, cross-entropy on validity."""
        import tensorflow as tf

        costs = self._cost_losses(raw, targets, can_run)
        if raw.shape[1] == 3:
            return costs
        entropy = tf.nn.sigmoid_cross_entropy_with_logits(can_run, raw[:, 3])
        return tf.concat([costs, [VALIDITY_SHARE * tf.reduce_mean(entropy)]], axis=0)

    def _scores(self, raw: Any, targets: Any, can_run: Any) -> Any:
        """As `_losses`, but Brier's score of validity, by which the best weights are chosen.

        The cross-entropy of rows that are not learned from soon rises with the model's confidence,
        while ever more of its verdicts are right.
        """
        import tensorflow as tf

        costs = self._cost_losses(raw, targets, can_run)
        if raw.shape[1] == 3:
            return costs
        off = tf.square(tf.sigmoid(raw[:, 3]) - can_run)
        return tf.concat([costs, [VALIDITY_SHARE * tf.reduce_mean(off)]], axis=0)

    def _cost_losses(self, raw: Any, targets: Any, can_run: Any) -> Any:
        import tensorflow as tf

        off = tf.abs(raw[:, :3] - targets)
        huber = tf.where(
            off <= self._huber,
            0.5 * tf.square(off),
            self._huber * (off - 0.5 * self._huber),
        )
        return _mean_of_costs(huber, can_run)

    def _measures(self, choices: Any, targets: Any, can_run: Any) -> Any:
        """Scores [H], then the mean relative errors of the costs in percent [3]."""
        import tensorflow as tf

        raw = self._raw(self._encode(choices), training=False)
        off = tf.abs(tf.math.expm1((raw[:, :3] - targets) * self._deviation))
        errors = 100.0 * _mean_of_costs(off, can_run)
        return tf.concat([self._scores(raw, targets, can_run), errors], axis=0)

    def _step(self, choices: Any, targets: Any, can_run: Any, rate: Any) -> tuple[Any, Any]:
        """One step: losses [H], and whether they and the gradients are finite, and it was taken."""
        import tensorflow as tf

        with tf.GradientTape() as tape:
            raw = self._raw(self._encode(choices), training=True)
            losses = self._losses(raw, targets, can_run)
            loss = tf.reduce_sum(losses)
        gradients = tape.gradient(loss, self._trained)
        finite = tf.math.is_finite(loss + tf.linalg.global_norm(gradients))

        def take() -> Any:
            self._optimizer.learning_rate.assign(rate)
            self._optimizer.apply(gradients)
            return finite

        return losses, tf.cond(finite, take, lambda: finite)

    def steps(self, choices: Any, targets: Any, can_run: Any, rates: Any) -> tuple[Any, Any, Any]:
        """Steps on [steps, batch, ...] one after another, up to one that is not finite.

        Returns:
            The number tried, the sum of their losses [H], and whether all were finite. The weights
            are those before the step that was not.
        """
        import tensorflow as tf

        def body(step: Any, total: Any, _: Any) -> tuple[Any, Any, Any]:
            losses, finite = self._step(choices[step], targets[step], can_run[step], rates[step])
            return step + 1, total + losses, finite

        count = choices.shape[0]
        heads = self._raw.output_shape[1]
        return tf.while_loop(  # type: ignore[no-any-return]  # TensorFlow has no types
            lambda step, _, finite: (step < count) & finite, body, (0, tf.zeros(heads), True)
        )

    def measured(self, data: Columns) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Scores [H] and mean relative errors in percent [3] of all rows, without dropout."""
        heads = self._raw.output_shape[1]
        total, weight = np.zeros(heads + 3), np.zeros(heads + 3)
        for start in range(0, len(data), VALIDATION_BATCH):
            rows = slice(start, start + VALIDATION_BATCH)
            batch = data.choices[rows], data.targets[rows], data.can_run[rows]
            runs, count = float(batch[2].sum()), len(batch[0])
            share = np.array([runs, runs, *[count] * (heads - 2), runs, runs, count])
            total += share * np.array(self._measured(*batch), np.float64)
            weight += share
        means = total / np.maximum(weight, 1)
        return means[:heads], means[heads:]


def _mean_of_costs(values: Any, can_run: Any) -> Any:
    """Means [3] of values [B, 3] over a batch; latency and energy over what can run."""
    import tensorflow as tf

    runs = tf.maximum(tf.reduce_sum(can_run), 1.0)
    masked = tf.reduce_sum(values[:, :2] * can_run[:, tf.newaxis], axis=0) / runs
    return tf.concat([masked, tf.reduce_mean(values[:, 2:], axis=0)], axis=0)
