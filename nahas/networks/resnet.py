"""ResNet-50 (He et al., arXiv 1512.03385), with the stride on the 3x3 convolution.

That placement, known as v1.5, is what most published latencies measure; it has 4.09 billion
multiply-accumulates where the paper's own has 3.86.
"""

from __future__ import annotations

from typing import TypeVar

from nahas.spaces.blocks import conv
from nahas.spaces.builder import Builder

T = TypeVar("T")

STAGES = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))
"""Inner channels, repeats and first stride of each stage."""

WIDENING = 4
"""Output channels of a bottleneck per inner channel."""


def resnet_50(on: Builder[T]) -> T:
    """ResNet-50, 224 pixels, 1000 classes."""
    x = conv(on, on.input(224, 224, 3), 64, 7, 2)
    x = on.pool(x, kernel=3, stride=2)
    for inner, repeats, first in STAGES:
        for repeat in range(repeats):
            x = bottleneck(on, x, inner, first if repeat == 0 else 1)
    return on.dense(on.global_pool(x), 1000)


def bottleneck(on: Builder[T], x: T, inner: int, stride: int) -> T:
    """1x1 reduce, 3x3 with the stride, 1x1 widen, then add the input.

    Where shapes differ a 1x1 convolution fits the input to the sum. It stands last, so that
    what waits during the other three is the input and not its wider image.
    """
    y = conv(on, conv(on, x, inner, 1), inner, 3, stride)
    y = on.conv(y, inner * WIDENING)
    fits = stride == 1 and on.channels(x) == inner * WIDENING
    kept = x if fits else on.conv(x, inner * WIDENING, stride=stride)
    return on.activation(on.add(y, kept), "relu")
