"""ONNX graphs for tests: single operators, and networks by a third reader of their functions."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

OPSET = 20
OPERATORS = {
    "relu": "Relu",
    "sigmoid": "Sigmoid",
    "hard_sigmoid": "HardSigmoid",
    "hard_swish": "HardSwish",
}
"""Of activations that are one operator."""


def constant(name: str, shape: tuple[int, ...], kind: type = np.float32) -> Any:
    return numpy_helper.from_array(np.ones(shape, kind), name)


def model(
    nodes: list[Any], constants: list[Any] = (), shape: tuple[Any, ...] = (1, 6, 11, 14), **options
) -> Any:
    """A model of nodes from input 'x' of `shape` to the last node's output."""
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)]
    output = helper.make_tensor_value_info(nodes[-1].output[0], TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "graph", inputs, [output], list(constants))
    imports = [helper.make_opsetid("", OPSET), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=imports, **options)


class OnnxBuilder:
    """Reads a network function as an ONNX graph, as an exporter would write it.

    Attributes:
        turned: whether tensors are kept as TensorFlow has them, channels last, with a
            transposition on each side of what needs them first, as tf2onnx writes it.
    """

    def __init__(self, turned: bool = False) -> None:
        self.turned = turned
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.shape: tuple[Any, ...] = ()
        self._channels: dict[str, int] = {}

    def model(self) -> Any:
        return model(self.nodes, self.constants, self.shape)

    def _constant(self, *shape: int) -> str:
        self.constants.append(constant(f"c{len(self.constants)}", shape))
        return self.constants[-1].name

    def _node(self, operator: str, reads: list[str], channels: int, **attributes: Any) -> str:
        name = f"{len(self.nodes)}_{operator.lower()}"
        self.nodes.append(helper.make_node(operator, reads, [name], name=name, **attributes))
        self._channels[name] = channels
        return name

    def _first(self, operator: str, reads: list[str], channels: int, **attributes: Any) -> str:
        """An operator that wants its channels first."""
        if not self.turned:
            return self._node(operator, reads, channels, **attributes)
        x = self._node("Transpose", reads[:1], channels, perm=[0, 3, 1, 2])
        y = self._node(operator, [x, *reads[1:]], channels, **attributes)
        return self._node("Transpose", [y], channels, perm=[0, 2, 3, 1])

    def input(self, height: int, width: int, channels: int) -> str:
        self.shape = (
            ("N", height, width, channels) if self.turned else ("N", channels, height, width)
        )
        self._channels["x"] = channels
        return "x"

    def channels(self, x: str) -> int:
        return self._channels[x]

    def conv(
        self, x, filters, *, kernel=1, stride=1, groups=1, dilation=1, normalize=True, part=""
    ):
        weights = self._constant(filters, self.channels(x) // groups, kernel, kernel)
        window = {"strides": [stride] * 2, "dilations": [dilation] * 2, "auto_pad": "SAME_UPPER"}
        if not normalize:
            bias = self._constant(filters)
            return self._first("Conv", [x, weights, bias], filters, group=groups, **window)
        if self.turned:  # a normalisation between the convolution and its transposition back
            x = self._node("Transpose", [x], filters, perm=[0, 3, 1, 2])
        y = self._node("Conv", [x, weights], filters, group=groups, **window)
        y = self._node(
            "BatchNormalization", [y, *(self._constant(filters) for _ in "sbmv")], filters
        )
        return self._node("Transpose", [y], filters, perm=[0, 2, 3, 1]) if self.turned else y

    def depthwise(self, x, *, kernel, stride=1, dilation=1, part=""):
        channels = self.channels(x)
        return self.conv(
            x, channels, kernel=kernel, stride=stride, groups=channels, dilation=dilation
        )

    def dense(self, x, units):
        channels = self.channels(x)
        flat = self._node("Flatten", [x], channels)
        matrix, bias = self._constant(units, channels), self._constant(units)
        return self._node("Gemm", [flat, matrix, bias], units, transB=1)

    def pool(self, x, *, kernel, stride, mode="max"):
        window = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "auto_pad": "SAME_UPPER"}
        operator = "MaxPool" if mode == "max" else "AveragePool"
        return self._first(operator, [x], self.channels(x), **window)

    def global_pool(self, x):
        return self._first("GlobalAveragePool", [x], self.channels(x))

    def add(self, x, y):
        return self._node("Add", [x, y], self.channels(x))

    def scale(self, x, gate):
        return self._node("Mul", [x, gate], self.channels(x))

    def activation(self, x, name):
        channels = self.channels(x)
        if name == "linear":
            return x
        if name == "relu6":
            low, high = self._constant(), self._constant()
            return self._node("Clip", [x, low, high], channels)
        if name in ("swish", "silu"):
            return self._node("Mul", [x, self._node("Sigmoid", [x], channels)], channels)
        return self._node(OPERATORS[name], [x], channels)
