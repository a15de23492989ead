"""Keras models as files that are whole or absent."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from nahas.children.quiet import import_keras
from nahas.errors import CostModelError
from nahas.files import written_whole


def write_keras(keras_model: Any, path: Path) -> None:
    """Write a Keras model.

    Raises:
        OSError: when it cannot be written.
    """
    with written_whole(path) as temporary:
        saved = temporary.with_name(f"{temporary.name}.keras")  # Keras asks for the ending
        try:
            keras_model.save(saved)
            saved.replace(temporary)
        finally:
            saved.unlink(missing_ok=True)


def read_keras(path: Path) -> Any:
    """Read a Keras model.

    Raises:
        CostModelError: when it is missing or damaged.
    """
    keras = import_keras()
    try:
        return keras.models.load_model(path, compile=False)
    except (OSError, ValueError, KeyError, BadZipFile) as problem:
        reason = " ".join(str(problem).split())
        raise CostModelError(f"{path}: cannot be read as a Keras model ({reason})") from problem
