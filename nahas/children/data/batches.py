"""Batches of one epoch, as Keras takes them on each of its backends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nahas.children.quiet import import_keras

Batch = tuple[NDArray[np.float32], NDArray[np.int32]]

PREPARED = 2
"""Batches made ready while the model works on another."""


class Epoch(NamedTuple):
    """The batches of one epoch.

    Attributes:
        steps: number of batches.
        shape: (height, width, channels) of an image.
        read: makes a batch (pixels [B, H, W, C], labels [B]) of its number.
    """

    steps: int
    shape: tuple[int, int, int]
    read: Callable[[int], Batch]


def as_batches(epoch: Epoch) -> Any:
    """A `tf.data.Dataset` where Keras runs on TensorFlow, else a `keras.utils.PyDataset`."""
    keras = import_keras()
    on_tensorflow = keras.backend.backend() == "tensorflow"
    return tensorflow_batches(epoch) if on_tensorflow else keras_batches(epoch)


def tensorflow_batches(epoch: Epoch) -> Any:
    """The batches as a `tf.data.Dataset` of known length, in their order."""
    import tensorflow as tf

    def read(step: Any) -> Any:
        pixels, labels = tf.numpy_function(
            lambda number: epoch.read(int(number)), [step], (tf.float32, tf.int32), stateful=False
        )
        pixels.set_shape((None, *epoch.shape))
        labels.set_shape((None,))
        return pixels, labels

    return tf.data.Dataset.range(epoch.steps).map(read).prefetch(PREPARED)


def keras_batches(epoch: Epoch) -> Any:
    """The batches as a `keras.utils.PyDataset`; give `shuffle=False` to `fit` for their order."""
    keras = import_keras()

    class Batches(keras.utils.PyDataset):  # type: ignore[misc]  # keras has no types
        def __len__(self) -> int:
            return epoch.steps

        def __getitem__(self, step: int) -> Batch:
            if not 0 <= step < epoch.steps:
                raise IndexError(step)
            return epoch.read(step)

        def __iter__(self) -> Iterator[Batch]:
            return (epoch.read(step) for step in range(epoch.steps))

    return Batches(workers=PREPARED, max_queue_size=PREPARED)
