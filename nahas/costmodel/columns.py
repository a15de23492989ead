"""The rows that are learned from, and their batches as TensorFlow streams them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.costmodel.perceptron import Normalisation


@dataclass(frozen=True)
class Columns:
    """Rows of samples as a model learns them.

    Attributes:
        choices: [N, D] decisions.
        targets: [N, 3] logarithms in units of their deviation around the mean; latency and
            energy are 0 where the design cannot run.
        can_run: [N] 1 where the design can run, else 0.
    """

    choices: NDArray[np.uint8]
    targets: NDArray[np.float32]
    can_run: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.choices)


def columns(
    choices: NDArray[np.uint8],
    logs: NDArray[np.float32],
    can_run: NDArray[np.bool_],
    normal: Normalisation,
) -> Columns:
    """Columns of choices [N, D] and logarithms [N, 3], of which those of `can_run` [N] count."""
    targets = (logs - normal.mean) / normal.deviation
    targets[~can_run, :2] = 0
    return Columns(choices, targets.astype(np.float32), can_run.astype(np.float32))


@dataclass(frozen=True)
class Blocks:
    """Epochs of `rows` rows, cut into blocks of batches that all have one shape.

    A block is what one call of the compiled function learns from. The few rows that are left
    over, fewer than a batch and one more for each block, are others in every epoch.

    Attributes:
        rows: rows of an epoch.
        batch: rows of a step; where there are fewer, one step takes them all.
        steps: steps of a block, at most.
    """

    rows: int
    batch: int
    steps: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """Blocks of an epoch, steps of a block, rows of a step."""
        batch = min(self.batch, self.rows)
        steps = self.rows // batch
        blocks = -(-steps // self.steps)
        return blocks, steps // blocks, batch

    def stream(self, data: Columns, seed: int, epochs: range) -> Any:
        """A `tf.data.Dataset` of (choices, targets, can_run), each [steps, batch, ...].

        Each epoch has its own order, made from the seed and its number alone, so that a run that
        begins again in the middle sees what it would have seen.
        """
        import tensorflow as tf

        shape = self.shape
        held = [tf.constant(column) for column in (data.choices, data.targets, data.can_run)]

        def order(epoch: Any) -> Any:
            seeds = tf.stack([tf.constant(seed, tf.int64), epoch])
            mixed = tf.random.experimental.stateless_shuffle(tf.range(self.rows), seed=seeds)
            return tf.reshape(mixed[: shape[0] * shape[1] * shape[2]], shape)

        def rows(numbers: Any) -> tuple[Any, ...]:
            return tuple(tf.gather(column, numbers) for column in held)

        dataset = tf.data.Dataset.range(epochs.start, epochs.stop).map(order)
        return dataset.unbatch().map(rows).prefetch(2)
