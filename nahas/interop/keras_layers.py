"""What each Keras layer is to the simulator: a function of its configuration and its inputs.

A function reads the configuration that Keras writes to its files, so Keras is not needed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import prod
from typing import Any

from nahas.errors import InteropError
from nahas.interop import table
from nahas.interop.table import Call, Tensor, activate, extent, map_of
from nahas.layers import Layer
from nahas.vocabulary import LayerKind

Reader = Callable[[Call], Tensor]


def convolution(call: Call) -> Tensor:
    """Conv2D, grouped or not."""
    config = call.config
    window = _windowed(call, config["kernel_size"], config["strides"])
    groups = config.get("groups", 1)
    y = table.convolution(call, window, groups, config["filters"], config["use_bias"])
    return _activated(call, y)


def depthwise(call: Call) -> Tensor:
    """DepthwiseConv2D; a depth multiplier above 1 makes a grouped convolution."""
    return _activated(call, _depthwise(call, call.config["use_bias"]))


def separable(call: Call) -> Tensor:
    """SeparableConv2D: a depthwise layer, then a pointwise layer that has the bias."""
    x = _depthwise(replace(call, name=f"{call.name}/depthwise"), bias=False)
    second = replace(call, name=f"{call.name}/pointwise", reads=(x,))
    return _activated(call, table.dense(second, call.config["filters"], call.config["use_bias"]))


def dense(call: Call) -> Tensor:
    """Dense: on a map it is a pointwise convolution."""
    return _activated(call, table.dense(call, call.config["units"], call.config["use_bias"]))


def batch_normalization(call: Call) -> Tensor:
    """Folded into the convolution before it; elsewhere a vector layer of its own."""
    config = call.config
    return table.normalization(call, call.x.channels * (config["scale"] + config["center"]))


def pool(call: Call) -> Tensor:
    """MaxPooling2D and AveragePooling2D."""
    size = call.config["pool_size"]
    return table.pool(call, _windowed(call, size, call.config["strides"] or size))


def global_pool(call: Call) -> Tensor:
    """GlobalAveragePooling2D and GlobalMaxPooling2D."""
    return table.global_pool(call, bool(call.config.get("keepdims")))


def concatenate(call: Call) -> Tensor:
    """Concatenate, along the channels."""
    rank = len(call.x.shape)
    if call.config["axis"] not in (-1, rank):
        raise InteropError(
            f"layer '{call.name}' joins along axis {call.config['axis']}: nahas joins along the "
            "channels, axis -1"
        )
    return table.concatenation(call)


def activation(call: Call) -> Tensor:
    """Activation."""
    return activate(call, call.x, _activation_name(call.config["activation"]))


def relu(call: Call) -> Tensor:
    """ReLU: free as a clamp at 0 and at any maximum, else a vector layer."""
    slope, threshold = call.config.get("negative_slope"), call.config.get("threshold")
    return activate(call, call.x, "leaky_relu" if slope or threshold else "relu")


def other_activation(call: Call) -> Tensor:
    """LeakyReLU, ELU."""
    return table.vector(call, LayerKind.ACTIVATION)


def softmax(call: Call) -> Tensor:
    """Softmax; where the network ends it is left to whoever wants more than the winner."""
    return activate(call, call.x, "softmax")


def zero_padding(call: Call) -> Tensor:
    """ZeroPadding2D: absorbed by the layer after it."""
    (top, bottom), (left, right) = call.config["padding"]
    height, width, channels = map_of(call, call.x)
    return replace(call.x, shape=(height + top + bottom, width + left + right, channels))


def reshape(call: Call) -> Tensor:
    """Reshape: free, the order in memory stays."""
    target = tuple(call.config["target_shape"])
    known = -prod(target)
    shape = tuple(prod(call.x.shape) // known if size == -1 else size for size in target)
    return replace(call.x, shape=shape)


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
    "Add": table.elementwise,
    "Multiply": table.multiply,
    "Concatenate": concatenate,
    "Activation": activation,
    "ReLU": relu,
    "LeakyReLU": other_activation,
    "ELU": other_activation,
    "Softmax": softmax,
    "ZeroPadding2D": zero_padding,
    "Flatten": table.flatten,
    "Reshape": reshape,
    "Identity": table.free,
    "ActivityRegularization": table.free,
    "Dropout": table.free,
    "SpatialDropout2D": table.free,
    "GaussianDropout": table.free,
    "GaussianNoise": table.free,
    "Rescaling": table.free,
    "Normalization": table.free,
}
"""Keras class to reader. Nested models and inputs are the graph's."""


def _windowed(call: Call, kernel: Any, strides: Any) -> Layer:
    """A layer of one channel with its positions, filter, strides and dilations."""
    height, width, _ = map_of(call, call.x)
    config = call.config
    if config.get("data_format") == "channels_first":
        raise InteropError(f"layer '{call.name}' has its channels first: nahas reads channels_last")
    r, s = _pair(kernel)
    stride_p, stride_q = _pair(strides)
    dilation_r, dilation_s = _pair(config.get("dilation_rate", 1))
    same = config["padding"] == "same"
    return Layer(
        name=call.name,
        p=extent(height, (r - 1) * dilation_r + 1, stride_p, same),
        q=extent(width, (s - 1) * dilation_s + 1, stride_q, same),
        r=r,
        s=s,
        stride_p=stride_p,
        stride_q=stride_q,
        dilation_r=dilation_r,
        dilation_s=dilation_s,
    )


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[1])


def _depthwise(call: Call, bias: bool) -> Tensor:
    config, channels = call.config, call.x.channels
    window = _windowed(call, config["kernel_size"], config["strides"])
    return table.convolution(call, window, channels, channels * config["depth_multiplier"], bias)


def _activated(call: Call, y: Tensor) -> Tensor:
    """The activation that a layer has within it."""
    name = _activation_name(call.config.get("activation"))
    if name == "linear":
        return y
    return activate(replace(call, name=f"{call.name}/{name}"), y, name)


def _activation_name(value: Any) -> str:
    """Keras writes a name, nothing, or the description of an object."""
    if isinstance(value, Mapping):
        inner = value.get("config")
        value = inner if isinstance(inner, str) else str(value["class_name"]).lower()
    return "linear" if value is None else str(value)
