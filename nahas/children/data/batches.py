"""Batches of one epoch, as Keras takes them on each of its backends."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from nahas.children.quiet import import_keras
from nahas.errors import DataError

Batch = tuple[NDArray[np.float32], NDArray[np.int32]]

PREPARED = 2
"""Batches made ready while the model works on another."""


@dataclass(frozen=True, eq=False)
class Epoch:
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

    number = next(_numbers)
    _open[number] = epoch

    def read(step: Any) -> Any:
        kinds = (tf.float32, tf.int32)
        pixels, labels = tf.numpy_function(_read, [number, step], kinds, stateful=False)
        pixels.set_shape((None, *epoch.shape))
        labels.set_shape((None,))
        return pixels, labels

    batches = tf.data.Dataset.range(epoch.steps).map(read).prefetch(PREPARED)
    batches.epoch = epoch  # for as long as anybody iterates over the batches
    return batches


_numbers = count()
_open: WeakValueDictionary[int, Epoch] = WeakValueDictionary()
"""TensorFlow never lets go of a function given to `numpy_function`, nor of what the function
holds: so it gets one that holds nothing, and the number of the epoch."""


def _read(number: Any, step: Any) -> Batch:
    return _open[int(number)].read(int(step))


def keras_batches(epoch: Epoch) -> Any:
    """The batches as a `keras.utils.PyDataset`; `fit(shuffle=False)` takes them in their order."""
    base: Any = import_keras().utils.PyDataset

    class Batches(base):  # type: ignore[misc]  # Keras has no types
        def __len__(self) -> int:
            return epoch.steps

        def __getitem__(self, step: int) -> Batch:
            return epoch.read(step)

        def __iter__(self) -> Iterator[Batch]:
            return map(epoch.read, range(epoch.steps))

    return Batches(workers=PREPARED, max_queue_size=PREPARED)


@contextmanager
def data_errors() -> Iterator[None]:
    """Give back the `DataError` that TensorFlow made an error of its own, with its graph, from.

    For the block that reads batches: `with data_errors(): model.fit(...)`.

    Raises:
        DataError: naming the image that could not be decoded.
    """
    try:
        yield
    except Exception as problem:  # TensorFlow's errors, without importing it to name them
        told = re.search(r"\bDataError: (.*)", str(problem))
        if told is None or isinstance(problem, DataError):
            raise
        raise DataError(told[1]) from problem
