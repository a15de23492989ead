"""What each ONNX operator is to the simulator: a function of its attributes and its inputs.

ONNX orders maps (channels, height, width); a `Value` remembers which order a tensor is in, so a
transposition is free and a layer sees the canonical one of `table`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod
from typing import Any

from nahas.errors import InteropError
from nahas.interop import table
from nahas.interop.table import Call, Shape, Tensor
from nahas.layers import Layer
from nahas.vocabulary import LayerKind


@dataclass(frozen=True)
class Value:
    """A tensor of the graph.

    Attributes:
        tensor: as the table has it; its shape is (height, width, channels) where it is a map.
        shape: as ONNX has it, without the batch.
        channels_last: whether ONNX has the channels of a map last.
    """

    tensor: Tensor
    shape: Shape
    channels_last: bool = False


@dataclass(frozen=True)
class Node:
    """One node: what a reader of this module is given.

    Attributes:
        call: its name, attributes, the tensors it reads that are no constants, and the table.
        values: the same tensors [reads] with their order.
        constants: shapes of the constants it reads, by the place of the input.
        numbers: values of those constants that are small, by the place of the input.
        uncounted: trained numbers of the constants that no earlier node has counted.
        output: ONNX' shape of its first output, without the batch.
    """

    call: Call
    values: tuple[Value, ...]
    constants: dict[int, Shape]
    numbers: dict[int, list[float]]
    uncounted: int
    output: Shape

    def get(self, attribute: str, default: Any = None) -> Any:
        """An attribute, or what ONNX takes where it is left out."""
        return self.call.config.get(attribute, default)


Reader = Callable[[Node], Tensor]


def canonical(shape: Shape, channels_last: bool) -> Shape:
    """(height, width, channels) of a map in either order; other ranks stay."""
    if len(shape) == 3 and not channels_last:
        return (shape[1], shape[2], shape[0])
    return shape


def convolution(node: Node) -> Tensor:
    """Conv, QLinearConv, ConvInteger: grouped, depthwise, strided, dilated, padded."""
    place = 3 if node.call.config["operator"] == "QLinearConv" else 1
    if place not in node.constants:
        raise InteropError(f"layer '{node.call.name}' computes its filter: nahas needs a constant")
    filters, *kernel = node.constants[place][:1] + node.constants[place][2:]
    groups = node.get("group", 1)
    y = table.convolution(node.call, _window(node, kernel), groups, filters, bias=False)
    return _with_parameters(node, y)


def product(node: Node) -> Tensor:
    """MatMul, Gemm and their quantised forms, by a constant matrix: a dense layer.

    The last axis is the one that is summed over, whatever the order of the tensor was.
    """
    matrix = node.constants[matrix_place(node.call.config["operator"])]
    units = matrix[0] if node.get("transB", 0) else matrix[-1]
    x = replace(node.call.x, shape=node.values[0].shape)
    return _with_parameters(node, table.dense(replace(node.call, reads=(x,)), units, bias=False))


def matrix_place(operator: str) -> int:
    """Which input of a product is its matrix."""
    return 3 if operator == "QLinearMatMul" else 1


def batch_normalization(node: Node) -> Tensor:
    """Folded into the convolution before it, with its scale and offset."""
    trained = 2 * node.call.x.channels if node.uncounted else 0
    return table.normalization(node.call, trained)


def pool(node: Node) -> Tensor:
    """MaxPool and AveragePool."""
    return table.pool(node.call, _window(node, node.get("kernel_shape")))


def global_pool(node: Node) -> Tensor:
    """GlobalAveragePool and GlobalMaxPool; they keep two dims of one."""
    return table.global_pool(node.call, keeps_dims=True)


def reduction(node: Node) -> Tensor:
    """ReduceMean and ReduceMax over height and width."""
    value = node.values[0]
    axes = node.get("axes") or [int(axis) for axis in node.numbers.get(1, [])]
    rank = len(value.shape) + 1
    spatial = {1, 2} if value.channels_last else {2, 3}
    if rank != 4 or {axis % rank for axis in axes} != spatial:
        raise InteropError(
            f"layer '{node.call.name}' reduces axes {sorted(axes)} of a tensor of shape "
            f"{value.shape}: nahas reduces height and width together"
        )
    return table.global_pool(node.call, bool(node.get("keepdims", 1)))


def addition(node: Node) -> Tensor:
    """Add, Sub, Sum: of two tensors, or a bias that goes into the convolution before it."""
    if len(node.call.reads) == 1:
        return _constant_operand(node)
    return table.elementwise(node.call)


def multiplication(node: Node) -> Tensor:
    """Mul and Div: of equal shapes, by a gate, or of a tensor by its own sigmoid (a swish)."""
    if len(node.call.reads) == 1:
        return _constant_operand(node)
    return table.multiply(node.call)


def _constant_operand(node: Node) -> Tensor:
    words = max(map(prod, node.constants.values()), default=1)
    return table.with_constant(node.call, words, node.uncounted)


def concatenation(node: Node) -> Tensor:
    """Concat, along the channels."""
    value = node.values[0]
    rank = len(value.shape) + 1
    channels = rank - 1 if value.channels_last else 1
    if node.constants or node.get("axis") % rank != channels:
        raise InteropError(
            f"layer '{node.call.name}' joins along axis {node.get('axis')} or joins constants: "
            "nahas joins tensors along their channels"
        )
    return table.concatenation(node.call)


def clamp(node: Node) -> Tensor:
    """Relu, Clip: free."""
    return table.activate(node.call, node.call.x, "relu")


def activation(node: Node) -> Tensor:
    """Any other activation; a PRelu has a trained slope."""
    x = replace(node.call.x, foldable=False)
    return table.vector(replace(node.call, reads=(x,)), LayerKind.ACTIVATION, node.uncounted)


def softmax(node: Node) -> Tensor:
    """Softmax and LogSoftmax; free where the network ends."""
    return table.activate(node.call, node.call.x, "softmax")


def reorder(node: Node) -> Tensor:
    """Transpose: free, whoever reads the tensor reads it in the order it is in."""
    return node.call.x


def reshaped(node: Node) -> Tensor:
    """Reshape, Flatten, Squeeze, Unsqueeze, Pad: free, or absorbed by the layer after it."""
    return node.call.x


READERS: dict[str, Reader] = {
    "Conv": convolution,
    "QLinearConv": convolution,
    "ConvInteger": convolution,
    "Gemm": product,
    "MatMul": product,
    "QLinearMatMul": product,
    "MatMulInteger": product,
    "BatchNormalization": batch_normalization,
    "MaxPool": pool,
    "AveragePool": pool,
    "GlobalAveragePool": global_pool,
    "GlobalMaxPool": global_pool,
    "ReduceMean": reduction,
    "ReduceMax": reduction,
    "Add": addition,
    "Sub": addition,
    "Sum": addition,
    "Mul": multiplication,
    "Div": multiplication,
    "Concat": concatenation,
    "Relu": clamp,
    "Clip": clamp,
    "PRelu": activation,
    **dict.fromkeys(
        (
            *("LeakyRelu", "Elu", "Selu", "Celu", "Gelu", "Sigmoid", "HardSigmoid", "HardSwish"),
            *("Swish", "Mish", "Tanh", "Softplus", "Softsign", "Erf", "Exp", "Log", "Sqrt"),
        ),
        activation,
    ),
    "Softmax": softmax,
    "LogSoftmax": softmax,
    "Transpose": reorder,
    "Reshape": reshaped,
    "Flatten": reshaped,
    "Squeeze": reshaped,
    "Unsqueeze": reshaped,
    "Pad": reshaped,
    "Identity": reorder,
    "Dropout": reorder,
    "Cast": reorder,
    "QuantizeLinear": reorder,
    "DequantizeLinear": reorder,
    "DynamicQuantizeLinear": reorder,
}
"""ONNX operator to reader. What is computed from constants and shapes alone is no layer."""


def _window(node: Node, kernel: list[int]) -> Layer:
    """A layer of one channel; its positions are those of ONNX' own shape inference."""
    if len(kernel) != 2 or len(node.output) != 3:
        raise InteropError(
            f"layer '{node.call.name}' has a window of {len(kernel)} dims: nahas reads two, "
            "height and width"
        )
    strides, dilations = node.get("strides", [1, 1]), node.get("dilations", [1, 1])
    return Layer(
        name=node.call.name,
        p=node.output[1],
        q=node.output[2],
        r=kernel[0],
        s=kernel[1],
        stride_p=strides[0],
        stride_q=strides[1],
        dilation_r=dilations[0],
        dilation_s=dilations[1],
    )


def _with_parameters(node: Node, y: Tensor) -> Tensor:
    """Give the layer that makes `y` the trained numbers of the node's constants."""
    layers = node.call.table.layers
    layers[y.source] = replace(layers[y.source], parameters=node.uncounted)
    return y
