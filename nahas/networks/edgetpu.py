"""Networks made by hand and search for Edge TPUs: fused bottlenecks first, IBN after.

EfficientNet-EdgeTPU-S: block strings of `efficientnet_edgetpu_builder.py` in tensorflow/tpu.
MobileNetEdgeTPU: `mobilenet_edgetpu_v1_model_blocks.py` in tensorflow/models. Both classify
1001 classes, as published (paper notes, section 4.4).
"""

from __future__ import annotations

from typing import NamedTuple, TypeVar

from nahas.spaces.blocks import Bottleneck, StrideOn, classifier, conv, fused_ibn, ibn
from nahas.spaces.builder import Builder

T = TypeVar("T")


class Stage(NamedTuple):
    """Repeated blocks: the first one has the stride, and the skip if `first_skips`."""

    fused: bool
    filters: int
    kernel: int
    repeats: int
    expansion: int
    stride: int
    first_skips: bool = True


EFFICIENTNET_EDGETPU_S = (
    # Published as expansion 4 of 24 channels, but 32 enter: 96 inner channels are 3 times those.
    Stage(True, 24, 3, 1, 3, 1, first_skips=False),
    Stage(True, 32, 3, 2, 8, 2),
    Stage(True, 48, 3, 4, 8, 2),
    Stage(False, 96, 5, 5, 8, 2),
    Stage(False, 144, 5, 4, 8, 1),
    Stage(False, 192, 5, 2, 8, 2),
)

MOBILENET_EDGETPU = (
    Stage(True, 16, 3, 1, 1, 1),
    Stage(True, 32, 3, 1, 8, 2),
    Stage(True, 32, 3, 3, 4, 1),
    Stage(True, 48, 3, 1, 8, 2),
    Stage(True, 48, 3, 3, 4, 1),
    Stage(False, 96, 3, 1, 8, 2),
    Stage(False, 96, 3, 3, 4, 1),
    Stage(False, 96, 3, 1, 8, 1, first_skips=False),
    Stage(False, 96, 3, 3, 4, 1),
    Stage(False, 160, 5, 1, 8, 2),
    Stage(False, 160, 5, 3, 4, 1),
    Stage(False, 192, 3, 1, 8, 1),
)


def efficientnet_edgetpu_s(on: Builder[T]) -> T:
    """EfficientNet-EdgeTPU-S, 224 pixels; its fused blocks stride on the projection."""
    return _network(on, EFFICIENTNET_EDGETPU_S, "project")


def mobilenet_edgetpu(on: Builder[T]) -> T:
    """MobileNetEdgeTPU at width 1.0, 224 pixels; its fused blocks stride on the expansion."""
    return _network(on, MOBILENET_EDGETPU, "expand")


def _network(on: Builder[T], stages: tuple[Stage, ...], stride_on: StrideOn) -> T:
    x = conv(on, on.input(224, 224, 3), 32, 3, 2)
    for stage in stages:
        for repeat in range(stage.repeats):
            shape = Bottleneck(
                filters=stage.filters,
                kernel=stage.kernel,
                expansion=stage.expansion,
                stride=stage.stride if repeat == 0 else 1,
                skip=stage.first_skips or repeat > 0,
            )
            x = fused_ibn(on, x, shape, stride_on) if stage.fused else ibn(on, x, shape)
    return classifier(on, x, 1280, 1001)
