"""MobileNetV2 and MobileNetV3-Large.

Sandler et al., arXiv 1801.04381, table 2; Howard et al., arXiv 1905.02244, table 1.
"""

from __future__ import annotations

from typing import NamedTuple, TypeVar

from nahas.spaces.blocks import Bottleneck, classifier, conv, ibn
from nahas.spaces.builder import Builder
from nahas.spaces.skeletons import HEAD, MOBILENET_V2, STEM, one_by_one

T = TypeVar("T")


def mobilenet_v2(on: Builder[T]) -> T:
    """MobileNetV2 at width 1.0 and 224 pixels, 1000 classes."""
    x = conv(on, on.input(224, 224, 3), STEM, 3, 2, "relu6")
    for block in one_by_one(MOBILENET_V2):
        shape = Bottleneck(
            filters=block.filters,
            expansion=block.expansion,
            stride=block.stride,
            activation="relu6",
        )
        x = ibn(on, x, shape)
    return classifier(on, x, HEAD, 1000)


class V3Block(NamedTuple):
    """A bottleneck of MobileNetV3 by its inner channels; `squeezed` is 0 without a gate."""

    kernel: int
    inner: int
    filters: int
    squeezed: int
    activation: str
    stride: int


V3_LARGE = (
    V3Block(3, 16, 16, 0, "relu", 1),
    V3Block(3, 64, 24, 0, "relu", 2),
    V3Block(3, 72, 24, 0, "relu", 1),
    V3Block(5, 72, 40, 24, "relu", 2),
    V3Block(5, 120, 40, 32, "relu", 1),
    V3Block(5, 120, 40, 32, "relu", 1),
    V3Block(3, 240, 80, 0, "hard_swish", 2),
    V3Block(3, 200, 80, 0, "hard_swish", 1),
    V3Block(3, 184, 80, 0, "hard_swish", 1),
    V3Block(3, 184, 80, 0, "hard_swish", 1),
    V3Block(3, 480, 112, 120, "hard_swish", 1),
    V3Block(3, 672, 112, 168, "hard_swish", 1),
    V3Block(5, 672, 160, 168, "hard_swish", 2),
    V3Block(5, 960, 160, 240, "hard_swish", 1),
    V3Block(5, 960, 160, 240, "hard_swish", 1),
)
"""A gate has a quarter of the inner channels, rounded to a multiple of eight."""


def mobilenet_v3_large(on: Builder[T]) -> T:
    """MobileNetV3-Large at width 1.0 and 224 pixels, 1000 classes, with its gates and swish."""
    x = conv(on, on.input(224, 224, 3), 16, 3, 2, "hard_swish")
    for block in V3_LARGE:
        x = _v3_bottleneck(on, x, block)
    x = on.global_pool(conv(on, x, 960, 1, activation="hard_swish"))
    x = on.activation(on.conv(x, 1280, normalize=False), "hard_swish")
    return on.dense(x, 1000)


def _v3_bottleneck(on: Builder[T], x: T, block: V3Block) -> T:
    """1x1 expand, depthwise with the stride, gate, 1x1 project, skip."""
    y = x
    if block.inner != on.channels(x):
        y = conv(on, y, block.inner, 1, activation=block.activation)
    y = on.activation(on.depthwise(y, kernel=block.kernel, stride=block.stride), block.activation)
    if block.squeezed:
        gate = on.conv(on.global_pool(y), block.squeezed, normalize=False)
        gate = on.conv(on.activation(gate, "relu"), block.inner, normalize=False)
        y = on.scale(y, on.activation(gate, "hard_sigmoid"))
    y = on.conv(y, block.filters)
    return on.add(x, y) if block.stride == 1 and on.channels(x) == block.filters else y
