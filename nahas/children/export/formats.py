"""The formats that a child is exported in: the file of each, what writes and what runs it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from nahas.children.export import runs, writers
from nahas.children.quiet import import_keras
from nahas.errors import UsageError


class Format(NamedTuple):
    """One format.

    Attributes:
        file: its file, or folder, among those of an export.
        write: makes it.
        run: makes a runtime of it.
        needs: the module that must be there to write it, beside Keras.
    """

    file: str
    write: Callable[[writers.Source, Path], None]
    run: Callable[[Path], runs.Runtime]
    needs: str = "tensorflow"


FORMATS = {
    "keras": Format("model.keras", writers.write_keras, runs.run_keras, needs="keras"),
    "savedmodel": Format("saved_model", writers.write_saved_model, runs.run_saved_model),
    "tflite": Format("model.tflite", writers.write_tflite, runs.run_tflite),
    "tflite-int8": Format("model_int8.tflite", writers.write_tflite_int8, runs.run_tflite),
    "onnx": Format("model.onnx", writers.write_onnx, runs.run_onnx, needs="tf2onnx"),
}


def check_formats(names: Iterable[str]) -> None:
    """Say what is amiss before anything is done.

    Raises:
        UsageError: for none or an unknown format, or for one that cannot be written here.
    """
    names = tuple(names)
    if not names:
        raise UsageError(f"no format is given: choose of {', '.join(FORMATS)}")
    for name in names:
        if name not in FORMATS:
            raise UsageError(f"unknown format '{name}': known are {', '.join(FORMATS)}")
        needed = FORMATS[name].needs
        if find_spec(needed) is None:
            raise UsageError(
                f"format '{name}' needs {needed}, which is not installed: "
                "pip install 'nahas[export]'"
            )
    backend = import_keras().backend.backend()
    others = [name for name in names if name != "keras"]
    if others and backend != "tensorflow":
        raise UsageError(
            f"format '{others[0]}' is written by TensorFlow, but Keras runs on {backend} here: "
            "set KERAS_BACKEND=tensorflow"
        )
