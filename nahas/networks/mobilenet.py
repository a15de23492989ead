"""MobileNetV2 (Sandler et al., arXiv 1801.04381, table 2)."""

from __future__ import annotations

from typing import TypeVar

from nahas.spaces.blocks import Bottleneck, classifier, conv, ibn
from nahas.spaces.builder import Builder

T = TypeVar("T")

STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
"""Expansion, channels, repeats and first stride of each stage."""


def mobilenet_v2(on: Builder[T]) -> T:
    """MobileNetV2 at width 1.0 and 224 pixels, 1000 classes."""
    x = conv(on, on.input(224, 224, 3), 32, 3, 2, "relu6")
    for expansion, filters, repeats, first in STAGES:
        for repeat in range(repeats):
            shape = Bottleneck(
                filters=filters,
                expansion=expansion,
                stride=first if repeat == 0 else 1,
                activation="relu6",
            )
            x = ibn(on, x, shape)
    return classifier(on, x, 1280, 1000)
