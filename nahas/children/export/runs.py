"""Running exported files on images, each by the runtime of its format.

A runtime takes pixels of 0 to 255 [B, H, W, C] and gives outputs [B, classes].
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nahas.children.data.crops import Pixels
from nahas.children.quiet import import_keras, quiet_stderr
from nahas.errors import UsageError
from nahas.manifest import installed_version, usable_cores

FEW = 64
"""Images for a runtime that interprets in Python: some seconds for a MobileNetV2."""


class Runtime(NamedTuple):
    """What runs a file.

    Attributes:
        name: with its version.
        classify: pixels [B, H, W, C] to outputs [B, classes].
        most_images: as many as it can run in a time that a person waits; None for any.
        ends: type, scale and zero point of the input and the output, where they are quantised.
    """

    name: str
    classify: Callable[[Pixels], NDArray[np.float32]]
    most_images: int | None = None
    ends: dict[str, dict[str, Any]] | None = None


def run_keras(path: Path) -> Runtime:
    """A `.keras` file, loaded anew."""
    keras = import_keras()
    return of_model(keras.models.load_model(path, compile=False))


def of_model(model: Any) -> Runtime:
    """A Keras model in memory."""
    return Runtime(_named("keras"), lambda pixels: outputs(model, pixels.astype(np.float32)))


def outputs(model: Any, images: NDArray[np.float32]) -> NDArray[np.float32]:
    """What a Keras model gives, layer by layer: compiled, some thousand images take as long."""
    return np.asarray(import_keras().ops.convert_to_numpy(model(images, training=False)))


def run_saved_model(path: Path) -> Runtime:
    """A SavedModel, as TensorFlow Serving runs it."""
    import tensorflow as tf

    with quiet_stderr():
        loaded = tf.saved_model.load(path)

    def classify(pixels: Pixels) -> NDArray[np.float32]:
        return np.asarray(loaded.serve(tf.constant(pixels, tf.float32)))

    return Runtime(_named("tensorflow"), classify)


def run_tflite(path: Path) -> Runtime:
    """A `.tflite` file, one image after the other; int8 ones by the scales that they state."""
    name, make = _interpreter()
    with quiet_stderr(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorFlow's own interpreter says that it will go
        interpreter = make(model_path=str(path), num_threads=usable_cores())
        interpreter.allocate_tensors()
    read, written = interpreter.get_input_details()[0], interpreter.get_output_details()[0]

    def classify(pixels: Pixels) -> NDArray[np.float32]:
        given = []
        for image in _quantised(pixels, read):
            interpreter.set_tensor(read["index"], image[None])
            interpreter.invoke()
            given.append(interpreter.get_tensor(written["index"])[0])
        return _dequantised(np.stack(given), written)

    return Runtime(name, classify, ends=_ends(read, written))


def run_onnx(path: Path) -> Runtime:
    """An `.onnx` file: by onnxruntime where it is installed, else by ONNX' slow reference."""
    session: Any
    if find_spec("onnxruntime"):
        import onnxruntime

        with quiet_stderr():
            session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        name, runtime, most = session.get_inputs()[0].name, _named("onnxruntime"), None
    else:
        from onnx.reference import ReferenceEvaluator

        session = ReferenceEvaluator(str(path))
        name, runtime, most = session.input_names[0], f"{_named('onnx')} (reference)", FEW

    def classify(pixels: Pixels) -> NDArray[np.float32]:
        return np.asarray(session.run(None, {name: pixels.astype(np.float32)})[0])

    return Runtime(runtime, classify, most)


def _interpreter() -> tuple[str, Any]:
    """Name and class of the interpreter of TensorFlow Lite that is here.

    Raises:
        UsageError: when there is none.
    """
    if find_spec("ai_edge_litert"):
        from ai_edge_litert.interpreter import Interpreter

        return _named("ai-edge-litert"), Interpreter
    import tensorflow as tf

    found = getattr(tf.lite, "Interpreter", None)
    if found is None:
        raise UsageError(
            "running TensorFlow Lite files needs ai-edge-litert, which is not installed: "
            "pip install 'nahas[export]'"
        )
    return _named("tensorflow"), found


def _ends(read: Any, written: Any) -> dict[str, dict[str, Any]] | None:
    """How the numbers of a file that is quantised from end to end stand for others."""
    ends = {}
    for name, details in {"input": read, "output": written}.items():
        scale, zero = details["quantization"]
        kind = np.dtype(details["dtype"]).name
        ends[name] = {"type": kind, "scale": float(scale), "zero_point": int(zero)}
    return ends if ends["input"]["scale"] else None


def _quantised(pixels: Pixels, details: Any) -> NDArray[Any]:
    scale, zero = details["quantization"]
    if not scale:
        return pixels.astype(np.float32)
    limits = np.iinfo(details["dtype"])
    steps = np.rint(pixels / scale) + zero
    made: NDArray[Any] = np.clip(steps, limits.min, limits.max).astype(details["dtype"])
    return made


def _dequantised(given: NDArray[Any], details: Any) -> NDArray[np.float32]:
    scale, zero = details["quantization"]
    if scale:
        return np.asarray((given.astype(np.float32) - zero) * scale, dtype=np.float32)
    return given


def _named(distribution: str) -> str:
    return f"{distribution} {installed_version(distribution)}"
