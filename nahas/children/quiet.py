"""Importing Keras without TensorFlow's start-up talk.

TensorFlow writes notes about drivers and instruction sets straight to file descriptor 2 while
it loads and when it first sees its devices; no environment variable silences all of them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from nahas.errors import UsageError


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Send what is written to file descriptor 2, by C++ code too, to nowhere."""
    try:
        kept = os.dup(2)
    except OSError:  # a process without stderr has nothing to silence
        yield
        return
    if sys.stderr is not None:
        sys.stderr.flush()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        if sys.stderr is not None:
            sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(nowhere)
        os.close(kept)


def import_keras() -> ModuleType:
    """The keras module on TensorFlow, or on what KERAS_BACKEND says, imported without a word.

    Exceptions pass through: only text on stderr is lost.

    Raises:
        UsageError: when Keras or its backend is not installed.
    """
    loaded = sys.modules.get("keras")
    if loaded is not None:
        return loaded
    backend = os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        with quiet_stderr():
            import keras

            keras.ops.zeros(1)  # the first operation makes the devices, which talk as well
    except ModuleNotFoundError as missing:
        package = (missing.name or "").partition(".")[0]
        raise UsageError(
            f"this needs Keras on {backend}, but '{package}' is not installed: "
            f"pip install {backend} keras"
        ) from missing
    module: ModuleType = keras
    return module
