"""Networks made by hand and search for Edge TPUs: fused bottlenecks first, IBN after.

EfficientNet-EdgeTPU: block strings of `efficientnet_edgetpu_builder.py` in tensorflow/tpu.
MobileNetEdgeTPU: `mobilenet_edgetpu_v1_model_blocks.py` in tensorflow/models. Both classify
1001 classes, as published (paper notes, section 4.4).
"""

from __future__ import annotations

from typing import NamedTuple, TypeVar

from nahas.spaces.blocks import Bottleneck, StrideOn, classifier, conv, fused_ibn, ibn
from nahas.spaces.builder import Builder
from nahas.spaces.scaling import Scale, rounded_filters, scaled_repeats
from nahas.spaces.skeletons import HEAD, STEM

T = TypeVar("T")

CLASSES = 1001


class Stage(NamedTuple):
    """Repeated blocks: the first one has the stride; none has a skip unless `skips`."""

    fused: bool
    filters: int
    kernel: int
    repeats: int
    expansion: int
    stride: int
    skips: bool = True


EFFICIENTNET_EDGETPU = (
    Stage(True, 24, 3, 1, 4, 1, skips=False),
    Stage(True, 32, 3, 2, 8, 2),
    Stage(True, 48, 3, 4, 8, 2),
    Stage(False, 96, 5, 5, 8, 2),
    Stage(False, 144, 5, 4, 8, 1),
    Stage(False, 192, 5, 2, 8, 2),
)
"""The first block expands fourfold not the 32 channels that enter it, but the 24 that leave."""

EFFICIENTNET_EDGETPU_S = Scale(1.0, 1.0, 224)
EFFICIENTNET_EDGETPU_M = Scale(1.0, 1.1, 240)
EFFICIENTNET_EDGETPU_L = Scale(1.2, 1.4, 300)

MOBILENET_EDGETPU = (
    Stage(True, 16, 3, 1, 1, 1),
    Stage(True, 32, 3, 1, 8, 2),
    Stage(True, 32, 3, 3, 4, 1),
    Stage(True, 48, 3, 1, 8, 2),
    Stage(True, 48, 3, 3, 4, 1),
    Stage(False, 96, 3, 1, 8, 2),
    Stage(False, 96, 3, 3, 4, 1),
    Stage(False, 96, 3, 1, 8, 1, skips=False),
    Stage(False, 96, 3, 3, 4, 1),
    Stage(False, 160, 5, 1, 8, 2),
    Stage(False, 160, 5, 3, 4, 1),
    Stage(False, 192, 3, 1, 8, 1),
)


def efficientnet_edgetpu_s(on: Builder[T]) -> T:
    """EfficientNet-EdgeTPU-S, 224 pixels; its fused blocks stride on the projection."""
    return _efficientnet_edgetpu(on, EFFICIENTNET_EDGETPU_S)


def efficientnet_edgetpu_m(on: Builder[T]) -> T:
    """EfficientNet-EdgeTPU-M, 240 pixels; its fused blocks stride on the projection."""
    return _efficientnet_edgetpu(on, EFFICIENTNET_EDGETPU_M)


def efficientnet_edgetpu_l(on: Builder[T]) -> T:
    """EfficientNet-EdgeTPU-L, 300 pixels; its fused blocks stride on the projection."""
    return _efficientnet_edgetpu(on, EFFICIENTNET_EDGETPU_L)


def mobilenet_edgetpu(on: Builder[T]) -> T:
    """MobileNetEdgeTPU at width 1.0, 224 pixels; its fused blocks stride on the expansion."""
    x = conv(on, on.input(224, 224, 3), STEM, 3, 2)
    for stage in MOBILENET_EDGETPU:
        x = _repeated(on, x, stage, "expand")
    return classifier(on, x, HEAD, CLASSES)


def _efficientnet_edgetpu(on: Builder[T], scale: Scale) -> T:
    first, *others = (
        stage._replace(
            filters=rounded_filters(stage.filters * scale.width),
            repeats=scaled_repeats(stage.repeats, scale.depth),
        )
        for stage in EFFICIENTNET_EDGETPU
    )
    side = scale.resolution
    x = conv(on, on.input(side, side, 3), rounded_filters(STEM * scale.width), 3, 2)
    x = on.conv(conv(on, x, first.filters * first.expansion, first.kernel), first.filters)
    for stage in (first._replace(repeats=first.repeats - 1), *others):
        x = _repeated(on, x, stage, "project")
    return classifier(on, x, rounded_filters(HEAD * scale.width), CLASSES)


def _repeated(on: Builder[T], x: T, stage: Stage, stride_on: StrideOn) -> T:
    for repeat in range(stage.repeats):
        shape = Bottleneck(
            filters=stage.filters,
            kernel=stage.kernel,
            expansion=stage.expansion,
            stride=stage.stride if repeat == 0 else 1,
            skip=stage.skips,
        )
        x = fused_ibn(on, x, shape, stride_on) if stage.fused else ibn(on, x, shape)
    return x
