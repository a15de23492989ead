"""EfficientNet-B0 for accelerators: ReLU instead of swish, no squeeze-and-excitation.

This is the network that EfficientNet-Lite0 became; B0's stages stand in Tan and Le,
arXiv 1905.11946, table 1.
"""

from __future__ import annotations

from typing import TypeVar

from nahas.spaces.blocks import Bottleneck, classifier, conv, ibn
from nahas.spaces.builder import Builder

T = TypeVar("T")

STAGES = (
    (1, 16, 1, 3, 1),
    (6, 24, 2, 3, 2),
    (6, 40, 2, 5, 2),
    (6, 80, 3, 3, 2),
    (6, 112, 3, 5, 1),
    (6, 192, 4, 5, 2),
    (6, 320, 1, 3, 1),
)
"""Expansion, channels, repeats, kernel and first stride of each stage."""


def efficientnet_b0(on: Builder[T]) -> T:
    """EfficientNet-B0 without squeeze-and-excitation, 224 pixels, 1000 classes."""
    x = conv(on, on.input(224, 224, 3), 32, 3, 2)
    for expansion, filters, repeats, kernel, first in STAGES:
        for repeat in range(repeats):
            shape = Bottleneck(
                filters=filters,
                kernel=kernel,
                expansion=expansion,
                stride=first if repeat == 0 else 1,
            )
            x = ibn(on, x, shape)
    return classifier(on, x, 1280, 1000)
