"""Reading the Keras models of cost models."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zipfile import ZipFile

from nahas.children.quiet import import_keras
from nahas.errors import CostModelError


def read_keras(path: Path) -> Any:
    """Read a Keras model.

    Raises:
        CostModelError: when it is missing or damaged.
    """
    return read_keras_and_config(path)[0]


def read_keras_and_config(path: Path) -> tuple[Any, str]:
    """Read a Keras model, and the JSON of its layers as it stands in the file.

    Another version of Keras than wrote the file would write other JSON of the same layers.

    Raises:
        CostModelError: when it is missing or damaged.
    """
    keras = import_keras()
    try:
        keras_model = keras.models.load_model(path, compile=False)
        with ZipFile(path) as archive:
            return keras_model, archive.read("config.json").decode()
    except Exception as problem:  # of a damaged file Keras and zipfile raise whatever it leads to
        reason = " ".join(str(problem).split())
        raise CostModelError(f"{path}: cannot be read as a Keras model ({reason})") from problem
