"""Controller states as bytes: named arrays in NumPy's npz format, nothing pickled."""

from __future__ import annotations

import io
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from nahas.errors import StudyError
from nahas.files import npz_bytes


def packed(state: Mapping[str, NDArray[np.generic]]) -> bytes:
    """The bytes of named arrays."""
    return npz_bytes(state)


def unpacked(data: bytes) -> dict[str, NDArray[np.generic]]:
    """The arrays of `packed` bytes.

    Raises:
        StudyError: when the bytes are damaged.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except Exception as error:  # NumPy, zipfile and zlib each raise their own over damaged bytes
        # Not what NumPy says: of any bytes that it does not know it says that they are pickled.
        raise StudyError(
            "the controller's state is damaged: the study's trials can be read, but it cannot be "
            "continued; restore a copy, or start another study"
        ) from error
