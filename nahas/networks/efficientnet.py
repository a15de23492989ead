"""EfficientNet-B0 to B3 for accelerators: ReLU instead of swish, no squeeze-and-excitation.

B0 is the network that EfficientNet-Lite0 became. Stages and scales stand in Tan and Le,
arXiv 1905.11946; Lite1 to Lite3 differ from B1 to B3, because they widen neither the stem nor the
head, deepen neither the first nor the last stage, and read other images.
"""

from __future__ import annotations

from typing import TypeVar

from nahas.spaces.blocks import Bottleneck, classifier, conv, ibn
from nahas.spaces.builder import Builder
from nahas.spaces.scaling import Scale, rounded_filters, scaled_repeats
from nahas.spaces.skeletons import EFFICIENTNET_B0, HEAD, STEM, one_by_one

T = TypeVar("T")

B0 = Scale(1.0, 1.0, 224)
B1 = Scale(1.0, 1.1, 240)
B2 = Scale(1.1, 1.2, 260)
B3 = Scale(1.2, 1.4, 300)


def efficientnet_b0(on: Builder[T]) -> T:
    """EfficientNet-B0 without squeeze-and-excitation, 224 pixels, 1000 classes."""
    return _network(on, B0)


def efficientnet_b1(on: Builder[T]) -> T:
    """EfficientNet-B1 without squeeze-and-excitation, 240 pixels, 1000 classes."""
    return _network(on, B1)


def efficientnet_b2(on: Builder[T]) -> T:
    """EfficientNet-B2 without squeeze-and-excitation, 260 pixels, 1000 classes."""
    return _network(on, B2)


def efficientnet_b3(on: Builder[T]) -> T:
    """EfficientNet-B3 without squeeze-and-excitation, 300 pixels, 1000 classes."""
    return _network(on, B3)


def _network(on: Builder[T], scale: Scale) -> T:
    stages = (
        stage._replace(
            filters=rounded_filters(stage.filters * scale.width),
            repeats=scaled_repeats(stage.repeats, scale.depth),
        )
        for stage in EFFICIENTNET_B0
    )
    side = scale.resolution
    x = conv(on, on.input(side, side, 3), rounded_filters(STEM * scale.width), 3, 2)
    for block in one_by_one(tuple(stages)):
        shape = Bottleneck(
            filters=block.filters,
            kernel=block.kernel,
            expansion=block.expansion,
            stride=block.stride,
        )
        x = ibn(on, x, shape)
    return classifier(on, x, rounded_filters(HEAD * scale.width), 1000)
