"""One function for each format that a child is written in.

All begin at one Keras model that takes pixels of 0 to 255, so no two forms can differ in what
they are given. The converters talk a lot, on both streams and from C++; here they are silent.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from nahas.children.data.crops import Pixels
from nahas.children.quiet import import_keras, quiet_stderr


@dataclass(frozen=True, eq=False)
class Source:
    """What a writer is given.

    Attributes:
        model: a Keras model of pixels of 0 to 255 [B, H, W, C].
        representative: images [N, H, W, C] by which the ranges of activations are found.
    """

    model: Any
    representative: Pixels


def write_keras(source: Source, path: Path) -> None:
    """Keras' own file."""
    source.model.save(path)


def write_saved_model(source: Source, path: Path) -> None:
    """TensorFlow's SavedModel, a folder; any number of images at once."""
    with _silence():
        source.model.export(path, format="tf_saved_model", verbose=False)


def write_tflite(source: Source, path: Path) -> None:
    """TensorFlow Lite in float32: one image at a time, batch normalisations folded."""
    with _converter(source) as converter:
        content = converter.convert()
    path.write_bytes(content)


def write_tflite_int8(source: Source, path: Path) -> None:
    """TensorFlow Lite in int8, its input and output too: quantised after training.

    Weights have a scale for each output channel, activations one for all, found by running the
    representative images. What has no int8 kernel makes the conversion fail: nothing is left
    in float.
    """
    import tensorflow as tf

    with _converter(source) as converter:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: (
            [image[None].astype(np.float32)] for image in source.representative
        )
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
        content = converter.convert()
    path.write_bytes(content)


def write_onnx(source: Source, path: Path) -> None:
    """ONNX by tf2onnx; any number of images at once."""
    with _silence():
        source.model.export(path, format="onnx", verbose=False)


@contextmanager
def _converter(source: Source) -> Iterator[Any]:
    """Of a model of one image at a time, for which edge runtimes plan their memory; silent."""
    keras = import_keras()
    import tensorflow as tf

    _, *shape = source.model.input_shape
    one = keras.InputSpec(shape=(1, *shape), dtype="float32")
    with _silence(), TemporaryDirectory() as folder:
        source.model.export(folder, format="tf_saved_model", verbose=False, input_signature=[one])
        yield tf.lite.TFLiteConverter.from_saved_model(folder)


@contextmanager
def _silence() -> Iterator[None]:
    """Neither notes on the streams nor warnings that users of the converters cannot mend."""
    with warnings.catch_warnings(), redirect_stdout(StringIO()), quiet_stderr():
        warnings.simplefilter("ignore")
        yield
