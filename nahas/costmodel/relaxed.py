"""A cost model as a differentiable function of decisions that are not made yet.

A one-shot search holds a probability for every value of every decision, and wants to know in
which direction of these probabilities a design gets cheaper. The model takes one-hot decisions;
in their place it takes probabilities, and between two designs it gives what a network that was
trained on designs alone gives there: at the corners it is `CostModel.predict`, inside it is a
smooth path between them, neither the cost of any design nor the mean cost of sampled ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.children.quiet import import_keras
from nahas.costmodel.features import FeatureArray, features
from nahas.costmodel.model import CostModel
from nahas.costmodel.perceptron import HEADS, VALIDITY
from nahas.errors import CostModelError
from nahas.spaces.space import ChoiceArray

keras = import_keras()

import tensorflow as tf  # noqa: E402  # TensorFlow must first be loaded quietly


class RelaxedCost:
    """Costs of relaxed decisions, as tensors that gradients flow through.

    Call it with probabilities: one tensor [B, width], the values of the first decision first, or
    a list of one tensor [B, values] per decision. Use it in a loss under `tf.GradientTape`, in a
    `tf.function`, or in a Keras `train_step`; it has no weights of its own to train.

    Where a space has decisions that do not apply to every design, those that do not apply to the
    likeliest design count as they do for a design: not at all, and without a gradient. This
    asks Python, so XLA cannot compile it for such a space.

    Args:
        model: whose costs.
    """

    def __init__(self, model: CostModel) -> None:
        self.joint = model.joint
        self._keras_model = model.keras_model
        self._sizes = [int(size) for size in model.joint.space.cardinalities]
        self._always_apply = model.joint.network_space.applies is None

    def __call__(self, decisions: Any) -> dict[str, Any]:
        """The costs of probabilities, one number [B] for each row.

        Returns:
            `latency_ms`, `energy_mj`, `area_mm2`, and `validity`, the probability that the
            accelerator can run the network: 1 where the model has no such head.

        Raises:
            CostModelError: when the decisions do not have the space's sizes.
        """
        rows = self._joined(decisions)
        if not self._always_apply:
            rows = self._with_idle_as_in_a_design(rows)
        outputs = self._keras_model(rows, training=False)
        costs = {head.removeprefix("log_"): tf.exp(outputs[head][:, 0]) for head in HEADS}
        latency = costs["latency_ms"]
        validity = outputs[VALIDITY][:, 0] if VALIDITY in outputs else tf.ones_like(latency)
        return costs | {"validity": validity}

    def probabilities(self, logits: Any, temperature: float = 1.0) -> list[Any]:
        """A softmax for each decision of logits [B, width] or a list of [B, values].

        Low temperatures lead towards one-hot decisions.

        Raises:
            CostModelError: when the logits do not have the space's sizes.
        """
        parts = tf.split(self._joined(logits) / temperature, self._sizes, axis=1)
        return [tf.nn.softmax(part) for part in parts]

    def likeliest(self, decisions: Any) -> ChoiceArray:
        """The choices [B, D] of the likeliest value of each decision, given as in a call.

        Raises:
            CostModelError: when the decisions do not have the space's sizes.
        """
        parts = tf.split(self._joined(decisions), self._sizes, axis=1)
        return np.stack([np.argmax(part, axis=1) for part in parts], axis=1).astype(np.int64)

    def _joined(self, decisions: Any) -> Any:
        if isinstance(decisions, Sequence):
            got = [int(part.shape[-1]) for part in decisions]
            if got != self._sizes:
                raise CostModelError(
                    f"the decisions have {got} values, but those of space "
                    f"'{self.joint.space.name}' have {self._sizes}"
                )
            return tf.concat([tf.cast(part, tf.float32) for part in decisions], axis=1)
        if len(decisions.shape) != 2 or decisions.shape[1] != sum(self._sizes):
            raise CostModelError(
                f"the decisions have shape {tuple(decisions.shape)}, but those of space "
                f"'{self.joint.space.name}' are [B, {sum(self._sizes)}]"
            )
        return tf.cast(decisions, tf.float32)

    def _with_idle_as_in_a_design(self, rows: Any) -> Any:
        """[B, width] where decisions that do not apply have the likeliest design's features."""
        parts = tf.split(rows, self._sizes, axis=1)
        choices = tf.stack([tf.argmax(part, axis=1) for part in parts], axis=1)
        idle, told = tf.numpy_function(self._of_designs, [choices], [tf.bool, tf.float32], False)
        return tf.where(tf.ensure_shape(idle, rows.shape), tf.ensure_shape(told, rows.shape), rows)

    def _of_designs(self, choices: ChoiceArray) -> tuple[NDArray[np.bool_], FeatureArray]:
        idle = ~self.joint.applicable(choices)
        return np.repeat(idle, self._sizes, axis=1), features(self.joint, choices)
