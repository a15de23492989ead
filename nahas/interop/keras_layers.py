"""What each Keras layer is to the simulator: a function of its configuration and its inputs.

A function reads the configuration that Keras writes to its files, so Keras is not needed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

from nahas.errors import InteropError
from nahas.layers import Layer
from nahas.spaces.builder import FUSED_ACTIVATIONS
from nahas.vocabulary import LayerKind

Config = Mapping[str, Any]
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Tensor:
    """A tensor between Keras layers.

    Attributes:
        source: the layer that makes it; -1 is the input of the network.
        shape: without the batch: (height, width, channels) or (channels,).
        foldable: whether it is the bare sum of a convolution that nobody else reads, so that
            a batch normalisation can go into its weights.
    """

    source: int
    shape: Shape
    foldable: bool = False

    @property
    def channels(self) -> int:
        """Channels, which come last."""
        return self.shape[-1]

    @property
    def positions(self) -> int:
        """Positions of the map; a vector has one."""
        return prod(self.shape[:-1])


@dataclass
class Table:
    """Layers read so far, and the edges between them."""

    layers: list[Layer] = field(default_factory=list)
    inputs: list[tuple[int, ...]] = field(default_factory=list)

    def append(self, layer: Layer, reads: tuple[Tensor, ...], shape: Shape) -> Tensor:
        """Add a layer; its output is foldable when it has weights."""
        self.layers.append(layer)
        self.inputs.append(tuple(tensor.source for tensor in reads))
        return Tensor(len(self.layers) - 1, shape, not layer.kind.is_vector)


@dataclass(frozen=True)
class Call:
    """One call of a Keras layer: what a reader of this module is given.

    Attributes:
        name: of the layer, with the models it is nested in before it.
        shared: whether its weights are counted already, at an earlier call.
        final: whether it makes an output of the network.
    """

    name: str
    config: Config
    reads: tuple[Tensor, ...]
    table: Table
    shared: bool = False
    final: bool = False

    @property
    def x(self) -> Tensor:
        """The only, or the first, tensor it reads."""
        return self.reads[0]

    def parameters(self, count: int) -> int:
        """`count`, or nothing when counted already."""
        return 0 if self.shared else count

    def append(self, layer: Layer, shape: Shape) -> Tensor:
        """Add a layer that reads what this call reads."""
        return self.table.append(layer, self.reads, shape)


Reader = Callable[[Call], Tensor]


def convolution(call: Call) -> Tensor:
    """Conv2D, grouped or not."""
    config, groups, filters = call.config, call.config.get("groups", 1), call.config["filters"]
    layer = replace(
        _windowed(call, config["kernel_size"], config["strides"]),
        g=groups,
        k=filters // groups,
        c=call.x.channels // groups,
    )
    words = layer.weight_words + filters * config["use_bias"]
    layer = replace(layer, parameters=call.parameters(words))
    return _activated(call, call.append(layer, (layer.p, layer.q, filters)))


def depthwise(call: Call) -> Tensor:
    """DepthwiseConv2D; a depth multiplier above 1 makes a grouped convolution."""
    layer = _depthwise(call, call.name)
    bias = layer.g * layer.k * call.config["use_bias"]
    layer = replace(layer, parameters=call.parameters(layer.weight_words + bias))
    return _activated(call, call.append(layer, (layer.p, layer.q, layer.g * layer.k)))


def separable(call: Call) -> Tensor:
    """SeparableConv2D: a depthwise layer, then a pointwise layer that has the bias."""
    filters = call.config["filters"]
    first = _depthwise(call, f"{call.name}/depthwise")
    first = replace(first, parameters=call.parameters(first.weight_words))
    channels = first.g * first.k
    x = call.append(first, (first.p, first.q, channels))
    words = (channels + call.config["use_bias"]) * filters
    second = Layer(
        name=f"{call.name}/pointwise",
        k=filters,
        c=channels,
        p=first.p,
        q=first.q,
        parameters=call.parameters(words),
    )
    return _activated(call, call.table.append(second, (x,), (first.p, first.q, filters)))


def dense(call: Call) -> Tensor:
    """Dense: on a map it is a pointwise convolution."""
    units, x = call.config["units"], call.x
    height, width = _map(call, x)[:2]
    words = (x.channels + call.config["use_bias"]) * units
    layer = Layer(
        name=call.name, k=units, c=x.channels, p=height, q=width, parameters=call.parameters(words)
    )
    return _activated(call, call.append(layer, (*x.shape[:-1], units)))


def batch_normalization(call: Call) -> Tensor:
    """Folded into the convolution before it; elsewhere a vector layer of its own."""
    x = call.x
    count = call.parameters(x.channels * (call.config["scale"] + call.config["center"]))
    if not x.foldable:
        return _vector(call, LayerKind.ACTIVATION, parameters=count)
    layer = call.table.layers[x.source]
    call.table.layers[x.source] = replace(layer, parameters=layer.parameters + count)
    return x


def pool(call: Call) -> Tensor:
    """MaxPooling2D and AveragePooling2D."""
    size = call.config["pool_size"]
    window = _windowed(call, size, call.config["strides"] or size)
    layer = replace(window, kind=LayerKind.POOL, g=call.x.channels)
    return call.append(layer, (layer.p, layer.q, layer.g))


def global_pool(call: Call) -> Tensor:
    """GlobalAveragePooling2D and GlobalMaxPooling2D."""
    height, width, channels = _map(call, call.x)
    layer = Layer(name=call.name, kind=LayerKind.POOL, g=channels, r=height, s=width)
    return call.append(layer, (1, 1, channels) if call.config.get("keepdims") else (channels,))


def elementwise(call: Call) -> Tensor:
    """Add, and Multiply of equal shapes; with a constant it is an activation.

    More than two tensors are taken two at a time, as the vector path reads them.
    """
    x, *others = call.reads
    if not others:
        return _vector(call, LayerKind.ACTIVATION)
    for number, y in enumerate(others):
        name = f"{call.name}/{number}" if number else call.name
        x = _vector(replace(call, name=name, reads=(x, y)), LayerKind.ADD)
    return x


def multiply(call: Call) -> Tensor:
    """Multiply: by a gate of one position it is the scale of squeeze-and-excitation."""
    if len(call.reads) != 2 or call.reads[0].channels != call.reads[1].channels:
        return elementwise(call)
    x, gate = sorted(call.reads, key=lambda tensor: -tensor.positions)
    if gate.positions > 1:
        return elementwise(call)
    return _vector(replace(call, reads=(x, gate)), LayerKind.SCALE)


def activation(call: Call) -> Tensor:
    """Activation."""
    return _activate(call, call.x, _activation_name(call.config["activation"]))


def relu(call: Call) -> Tensor:
    """ReLU: free as a clamp at 0 and at any maximum, else a vector layer."""
    slope, threshold = call.config.get("negative_slope"), call.config.get("threshold")
    return _activate(call, call.x, "leaky_relu" if slope or threshold else "relu")


def other_activation(call: Call) -> Tensor:
    """LeakyReLU, ELU."""
    return _vector(call, LayerKind.ACTIVATION)


def softmax(call: Call) -> Tensor:
    """Softmax; where the network ends it is left to whoever wants more than the winner."""
    return _activate(call, call.x, "softmax")


def zero_padding(call: Call) -> Tensor:
    """ZeroPadding2D: absorbed by the layer after it."""
    (top, bottom), (left, right) = call.config["padding"]
    height, width, channels = _map(call, call.x)
    return replace(call.x, shape=(height + top + bottom, width + left + right, channels))


def flatten(call: Call) -> Tensor:
    """Flatten: free, the order in memory stays."""
    return replace(call.x, shape=(prod(call.x.shape),))


def reshape(call: Call) -> Tensor:
    """Reshape: free, the order in memory stays."""
    target = tuple(call.config["target_shape"])
    known = -prod(target)
    shape = tuple(prod(call.x.shape) // known if size == -1 else size for size in target)
    return replace(call.x, shape=shape)


def free(call: Call) -> Tensor:
    """Layers that do nothing at inference, or are folded into the input's quantisation."""
    return call.x


READERS: dict[str, Reader] = {
    "Conv2D": convolution,
    "DepthwiseConv2D": depthwise,
    "SeparableConv2D": separable,
    "Dense": dense,
    "BatchNormalization": batch_normalization,
    "MaxPooling2D": pool,
    "AveragePooling2D": pool,
    "GlobalAveragePooling2D": global_pool,
    "GlobalMaxPooling2D": global_pool,
    "Add": elementwise,
    "Multiply": multiply,
    "Activation": activation,
    "ReLU": relu,
    "LeakyReLU": other_activation,
    "ELU": other_activation,
    "Softmax": softmax,
    "ZeroPadding2D": zero_padding,
    "Flatten": flatten,
    "Reshape": reshape,
    "Identity": free,
    "ActivityRegularization": free,
    "Dropout": free,
    "SpatialDropout2D": free,
    "GaussianDropout": free,
    "GaussianNoise": free,
    "Rescaling": free,
    "Normalization": free,
}
"""Keras class to reader. Nested models and inputs are the graph's."""


def _map(call: Call, x: Tensor) -> tuple[int, int, int]:
    """Height, width, channels; a vector is a map of one position."""
    if len(x.shape) == 1:
        return (1, 1, x.channels)
    if len(x.shape) != 3:
        raise InteropError(
            f"layer '{call.name}' reads a tensor of shape {x.shape}: nahas reads maps of "
            "(height, width, channels) and vectors"
        )
    return (x.shape[0], x.shape[1], x.shape[2])


def _windowed(call: Call, kernel: Any, strides: Any) -> Layer:
    """A layer of one channel with its positions, filter, strides and dilations."""
    height, width, _ = _map(call, call.x)
    config = call.config
    if config.get("data_format") == "channels_first":
        raise InteropError(f"layer '{call.name}' has its channels first: nahas reads channels_last")
    r, s = _pair(kernel)
    stride_p, stride_q = _pair(strides)
    dilation_r, dilation_s = _pair(config.get("dilation_rate", 1))
    same = config["padding"] == "same"
    return Layer(
        name=call.name,
        p=_extent(height, (r - 1) * dilation_r + 1, stride_p, same),
        q=_extent(width, (s - 1) * dilation_s + 1, stride_q, same),
        r=r,
        s=s,
        stride_p=stride_p,
        stride_q=stride_q,
        dilation_r=dilation_r,
        dilation_s=dilation_s,
    )


def _extent(size: int, span: int, stride: int, same: bool) -> int:
    """Output positions along one side, as TensorFlow counts them."""
    return -(-size // stride) if same else (size - span) // stride + 1


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[1])


def _depthwise(call: Call, name: str) -> Layer:
    window = _windowed(call, call.config["kernel_size"], call.config["strides"])
    return replace(window, name=name, g=call.x.channels, k=call.config["depth_multiplier"])


def _vector(call: Call, kind: LayerKind, parameters: int = 0) -> Tensor:
    x = max(call.reads, key=lambda tensor: (tensor.positions, tensor.channels))
    height, width, channels = _map(call, x)
    layer = Layer(
        name=call.name,
        kind=kind,
        g=channels,
        p=height,
        q=width,
        operands=2 if kind is LayerKind.ADD else 1,
        parameters=parameters,
    )
    return call.append(layer, x.shape)


def _activated(call: Call, y: Tensor) -> Tensor:
    """The activation that a layer has within it."""
    name = _activation_name(call.config.get("activation"))
    if name == "linear":
        return y
    return _activate(replace(call, name=f"{call.name}/{name}"), y, name)


def _activate(call: Call, x: Tensor, name: str) -> Tensor:
    x = replace(x, foldable=False)
    if name in FUSED_ACTIVATIONS or (name == "softmax" and call.final):
        return x
    return _vector(replace(call, reads=(x,)), LayerKind.ACTIVATION)


def _activation_name(value: Any) -> str:
    """Keras writes a name, nothing, or the description of an object."""
    if isinstance(value, Mapping):
        inner = value.get("config")
        value = inner if isinstance(inner, str) else str(value["class_name"]).lower()
    return "linear" if value is None else str(value)
