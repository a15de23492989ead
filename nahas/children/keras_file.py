"""Keras models as files that are whole or absent, and the hash of their weights."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

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


def weights_hash(weights: Iterable[NDArray[np.float32]]) -> str:
    """The SHA-256 of weights in their order, in hex."""
    digest = hashlib.sha256()
    for weight in weights:
        digest.update(repr((weight.shape, weight.dtype.str)).encode())
        digest.update(weight.tobytes())
    return digest.hexdigest()
