"""Controller states as bytes: a line of JSON that names the arrays, then their numbers.

A search writes its state again and again, so packing copies the numbers and does nothing else:
no archive, no checksum (SQLite's file has neither). Nothing is pickled. Studies of schema 2 and
before hold NumPy's npz, which is read as well.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from nahas.errors import StudyError

_NPZ = b"PK"


def packed(state: Mapping[str, NDArray[np.generic]]) -> bytes:
    """The bytes of named arrays.

    Raises:
        ValueError: for an array of Python objects.
    """
    arrays = {name: np.asarray(array) for name, array in state.items()}
    for name, array in arrays.items():
        if array.dtype.hasobject:
            raise ValueError(f"array '{name}' of a controller's state holds Python objects")
    head = [[name, array.dtype.str, array.shape] for name, array in arrays.items()]
    line = json.dumps(head).encode() + b"\n"
    return b"".join((line, *(array.tobytes() for array in arrays.values())))


def unpacked(data: bytes) -> dict[str, NDArray[np.generic]]:
    """The arrays of `packed` bytes.

    Raises:
        StudyError: when the bytes are damaged.
    """
    try:
        return _arrays_of_npz(data) if data.startswith(_NPZ) else _arrays(data)
    except Exception as error:  # NumPy, json, zipfile and zlib each raise their own over damage
        # Not what NumPy says: of any bytes that it does not know it says that they are pickled.
        raise StudyError(
            "the controller's state is damaged: the study's trials can be read, but it cannot be "
            "continued; restore a copy, or start another study"
        ) from error


def _arrays(data: bytes) -> dict[str, NDArray[np.generic]]:
    at = data.index(b"\n") + 1
    arrays = {}
    for name, kind, shape in json.loads(data[:at]):
        dtype, size = np.dtype(kind), int(np.prod(shape, dtype=np.int64))
        array = np.frombuffer(data, dtype, size, at) if size else np.zeros(0, dtype)
        arrays[name] = array.reshape(shape).copy()
        at += size * dtype.itemsize
    if at != len(data):
        raise ValueError(f"{len(data) - at} bytes are left")
    return arrays


def _arrays_of_npz(data: bytes) -> dict[str, NDArray[np.generic]]:
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}
