"""A model of any format that nahas reads, by the path of its file."""

from __future__ import annotations

from pathlib import Path

from nahas.errors import InteropError
from nahas.interop.table import Reading

KERAS_SUFFIXES = (".keras", ".h5", ".hdf5")
SUFFIXES = (".keras", ".onnx", ".tflite")
"""Of the files that `read_model` reads."""


def read_model(path: str | Path) -> Reading:
    """The network of a model file, and what became of its operators.

    Keras, ONNX and TensorFlow Lite files are told by their names' endings. [docs/interchange.md]

    Raises:
        InteropError: for another ending, and as the reader of the format says.
    """
    path = Path(path)
    if path.suffix == ".onnx":
        from nahas.interop.onnx_in import onnx_reading

        return onnx_reading(path)
    if path.suffix == ".tflite":
        from nahas.interop.tflite_in import tflite_reading

        return tflite_reading(path)
    if path.suffix in KERAS_SUFFIXES:
        from nahas.interop.keras_in import keras_reading

        return keras_reading(path)
    raise InteropError(
        f"{path} is none of the model files that nahas reads: its name must end in "
        f"{', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}"
    )
