"""Where Keras computes, on each of its backends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from nahas.children.quiet import import_keras
from nahas.errors import UsageError

DEVICES = ("auto", "cpu", "gpu")

_PROGRAMS = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}


_kind: ContextVar[str | None] = ContextVar("kind", default=None)
"""Of the device that `on_device` has chosen."""


def on_gpu() -> bool:
    """Whether to compute on a GPU: as `on_device` has it, outside it where there is one."""
    kind = _kind.get()
    return kind == "gpu" if kind else gpus() > 0


def gpus() -> int:
    """How many GPUs Keras' backend sees."""
    backend = import_keras().backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        return len(tf.config.list_logical_devices("GPU"))
    if backend == "jax":
        import jax

        return sum(device.platform == "gpu" for device in jax.devices())
    import torch

    return int(torch.cuda.device_count())


@contextmanager
def on_device(name: str) -> Iterator[str]:
    """Compute on the device 'cpu', 'gpu' or 'auto', a GPU where there is one; gives 'cpu' or 'gpu'.

    Raises:
        UsageError: when it is 'gpu' and there is none, or it is none of the three.
    """
    if name not in DEVICES:
        raise UsageError(f"device is '{name}': known are {', '.join(DEVICES)}")
    keras = import_keras()
    seen = gpus() if name != "cpu" else 0
    if name == "gpu" and not seen:
        program = _PROGRAMS.get(keras.backend.backend(), "Keras")
        raise UsageError(
            f"device is gpu, but {program} sees no GPU here: use cpu or auto, "
            "or install 'nahas[cuda]' on a machine with an NVIDIA GPU"
        )
    kind = "gpu" if seen else "cpu"
    # PyTorch takes 'cpu:0' for another device than 'cpu', and would copy every weight to it.
    before = _kind.set(kind)
    try:
        with keras.device("cpu" if kind == "cpu" else "gpu:0"):
            yield kind
    finally:
        _kind.reset(before)
