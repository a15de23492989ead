"""The recurrent policy in Keras: decision after decision, each given those before it.

At step d the LSTM reads the embedding of the previous decision's value and a dense head of
decision d gives the logits of its values:

    h_d = LSTM(embedding(value of d - 1), h_(d-1))
    p(value of d | values before) = softmax(W_d h_d + b_d)

Embeddings are of (decision, value) pairs, and heads are padded to the most values any decision
has; what is padded or not allowed gets a logit of -1e9, thus probability 0.

Every operation here is deterministic on a CPU: gradients of embeddings go through one-hot
products instead of scatters, and random draws come in as arguments. `jit_compile=False`, as XLA
is slower on CPUs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.children.quiet import import_keras
from nahas.controllers.allowed import Allowed

keras = import_keras()

import tensorflow as tf  # noqa: E402  # TensorFlow must first be loaded quietly

CPU = "/CPU:0"
"""Batches of 20 rows are quicker here than on a GPU, and repeat bit for bit."""

Arrays = Mapping[str, NDArray[np.generic]]


class Policy:
    """Samples choices, and climbs PPO's clipped objective.

    Args:
        allowed: [D, K] the values each decision may take.
        rng: draws the initial weights.
        embedding: width of the embeddings.
        hidden: width of the LSTM.
        learning_rate: Adam's.
    """

    def __init__(
        self,
        allowed: Allowed,
        rng: np.random.Generator,
        *,
        embedding: int,
        hidden: int,
        learning_rate: float,
    ) -> None:
        steps, width = allowed.shape
        counts = np.where(allowed, np.arange(1, width + 1), 0).max(axis=1)
        first = 1 + np.concatenate([[0], np.cumsum(counts)[:-1]])
        self._tokens = 1 + int(counts.sum())
        self._hidden = hidden
        with tf.device(CPU):
            self._first = tf.constant(first, tf.int32)
            self._last = tf.constant(counts - 1, tf.int32)
            self._barred = tf.constant(np.where(allowed, 0.0, -1e9), tf.float32)
            self._make_weights(rng, embedding, steps, width)
            self._optimizer = keras.optimizers.Adam(learning_rate)
            self._optimizer.build(self._variables)
        self._sample = tf.function(
            self._sampled,
            input_signature=[tf.TensorSpec([None, steps], tf.float32)],
            jit_compile=False,
        )
        self._update = tf.function(
            self._updated,
            input_signature=[
                tf.TensorSpec([None, steps], tf.int32),
                tf.TensorSpec([None], tf.float32),
                tf.TensorSpec([None, steps], tf.float32),
                tf.TensorSpec([3], tf.float32),
            ],
            jit_compile=False,
        )

    def sample(self, uniforms: NDArray[np.float64]) -> NDArray[np.int64]:
        """Choices [B, D] from uniform draws [B, D] by the inverse of each distribution."""
        with tf.device(CPU):
            picks = self._sample(tf.constant(uniforms, tf.float32))
        return picks.numpy().astype(np.int64)  # type: ignore[no-any-return]  # TensorFlow is untyped

    def improve(
        self,
        choices: NDArray[np.int64],
        advantages: NDArray[np.float64],
        used: NDArray[np.bool_],
        knobs: tuple[float, float, int],
    ) -> None:
        """Take some steps up PPO's objective.

        Args:
            choices: [B, D] as sampled from the policy as it is.
            advantages: [B] how much better than expected each choice was.
            used: [B, D] which decisions mattered; others leave the log-probability.
            knobs: the clip range, the entropy's weight, and the number of epochs.
        """
        with tf.device(CPU):
            self._update(
                tf.constant(choices, tf.int32),
                tf.constant(advantages, tf.float32),
                tf.constant(used, tf.float32),
                tf.constant(knobs, tf.float32),
            )

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Weights and optimizer variables, by name."""
        return {name: np.array(variable.numpy()) for name, variable in self._named().items()}

    def assign(self, arrays: Arrays) -> None:
        """Set what `arrays` gave.

        Raises:
            KeyError, ValueError: when a name is missing or a shape is another.
        """
        for name, variable in self._named().items():
            variable.assign(arrays[name])

    def _make_weights(
        self, rng: np.random.Generator, embedding: int, steps: int, width: int
    ) -> None:
        bound = self._hidden**-0.5
        self._lstm = keras.layers.LSTM(self._hidden, return_sequences=True, use_cudnn=False)
        self._lstm.build((None, steps, embedding))
        self._embedding = _variable(rng, (self._tokens, embedding), 1.0)
        # Small heads: the first proposals are almost uniform over the allowed values.
        self._heads = _variable(rng, (steps, self._hidden, width), 0.1 * bound)
        self._biases = _variable(rng, (steps, width), 0.0)
        kernel, recurrent, bias = self._lstm.trainable_variables
        kernel.assign(_uniform(rng, kernel.shape, bound))
        recurrent.assign(_uniform(rng, recurrent.shape, bound))
        bias.assign(np.repeat([0.0, 1.0, 0.0, 0.0], self._hidden))  # open forget gates
        self._variables = [
            self._embedding,
            *self._lstm.trainable_variables,
            self._heads,
            self._biases,
        ]

    def _named(self) -> dict[str, Any]:
        names = ("embedding", "lstm_kernel", "lstm_recurrent", "lstm_bias", "heads", "biases")
        weights = dict(zip(names, self._variables, strict=True))
        slots = {f"adam_{i:02d}": slot for i, slot in enumerate(self._optimizer.variables)}
        return weights | slots

    def _sampled(self, uniforms: Any) -> Any:
        batch, steps = tf.shape(uniforms)[0], uniforms.shape[1]
        embedding, heads, biases = (
            tf.convert_to_tensor(v) for v in (self._embedding, self._heads, self._biases)
        )
        token = tf.zeros([batch], tf.int32)
        hidden, carried = tf.zeros([batch, self._hidden]), tf.zeros([batch, self._hidden])
        picks = tf.TensorArray(tf.int32, steps, element_shape=[None])
        for d in tf.range(steps):
            output, (hidden, carried) = self._lstm.cell(
                tf.gather(embedding, token), [hidden, carried]
            )
            logits = output @ heads[d] + biases[d] + self._barred[d]
            reached = uniforms[:, d, None] >= tf.cumsum(tf.nn.softmax(logits), axis=1)
            # The sum of probabilities may round to less than a draw: stay in range.
            pick = tf.minimum(tf.reduce_sum(tf.cast(reached, tf.int32), axis=1), self._last[d])
            picks = picks.write(d, pick)
            token = self._first[d] + pick
        return tf.transpose(picks.stack())

    def _log_probabilities(self, choices: Any) -> Any:
        """Log-probabilities [B, D, K] of all values, given the choices [B, D] before each."""
        tokens = tf.pad((self._first + choices)[:, :-1], [[0, 0], [1, 0]])
        embedded = tf.one_hot(tokens, self._tokens) @ self._embedding
        logits = tf.einsum("bdh,dhk->bdk", self._lstm(embedded), self._heads)
        return tf.nn.log_softmax(logits + self._biases + self._barred)

    def _updated(self, choices: Any, advantages: Any, used: Any, knobs: Any) -> None:
        clip, entropy_weight, epochs = knobs[0], knobs[1], tf.cast(knobs[2], tf.int32)
        chosen = tf.one_hot(choices, self._barred.shape[1])
        share = used / tf.reduce_sum(used)
        before = tf.reduce_sum(chosen * self._log_probabilities(choices), axis=2)
        gain = advantages[:, None]
        for _ in tf.range(epochs):
            with tf.GradientTape() as tape:
                logs = self._log_probabilities(choices)
                ratio = tf.exp(tf.reduce_sum(chosen * logs, axis=2) - before)
                clipped = tf.clip_by_value(ratio, 1 - clip, 1 + clip)
                surrogate = tf.minimum(ratio * gain, clipped * gain)
                entropy = -tf.reduce_sum(tf.exp(logs) * logs, axis=2)
                loss = -tf.reduce_sum(share * (surrogate + entropy_weight * entropy))
            gradients = tape.gradient(loss, [v.value for v in self._variables])
            self._optimizer.apply(gradients, self._variables)


def _uniform(rng: np.random.Generator, shape: tuple[int, ...], bound: float) -> NDArray[np.float32]:
    return rng.uniform(-bound, bound, shape).astype(np.float32)


def _variable(rng: np.random.Generator, shape: tuple[int, ...], bound: float) -> Any:
    return keras.Variable(_uniform(rng, shape, bound))
