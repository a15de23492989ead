"""Autoseg-EdgeTPU XS, S and M: backbones for segmentation, found by search for an Edge TPU.

The blocks of `mobilenet_edgetpu_v2_model_blocks.py` in tensorflow/models, which the space `s3` was
decoded from (paper notes, section 4.3), as classifiers of 1001 classes. Depthwise first is how
their last stages do without the expanded depthwise filter: an IBN without expansion, which may
have the stride, then two 1x1 convolutions, expand and project; neither has a skip.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple, TypeVar

from nahas.spaces.blocks import Bottleneck, classifier, conv, fused_ibn, ibn
from nahas.spaces.builder import Builder
from nahas.spaces.scaling import rounded_filters
from nahas.spaces.skeletons import HEAD, STEM

T = TypeVar("T")

CLASSES = 1001
DIVISOR = 4
"""Channels are rounded to a multiple of it: S's third block is listed with 18 and has 20."""


class Block(NamedTuple):
    """One bottleneck."""

    filters: int
    kernel: int
    expansion: int
    stride: int = 1
    fused: bool = False
    skip: bool = True


fused = partial(Block, fused=True)


def depthwise_first(
    inner: int, filters: int, *, kernel: int = 5, expansion: int = 6, stride: int = 1
) -> tuple[Block, Block]:
    """A depthwise filter of `inner` channels, then an expansion of them to `filters`."""
    return (
        Block(inner, kernel, 1, stride, skip=False),
        Block(filters, 1, expansion, fused=True, skip=False),
    )


XS = (
    fused(12, 3, 1),
    fused(24, 3, 6, 2),
    Block(24, 3, 3),
    fused(60, 3, 3, 2),
    Block(40, 3, 6),
    Block(40, 5, 3, 2),
    Block(40, 3, 6),
    fused(120, 3, 6),
    Block(168, 3, 6),
    Block(84, 5, 6),
    Block(84, 5, 3),
    *depthwise_first(84, 288, stride=2),
    *depthwise_first(288, 96, expansion=3),
    *depthwise_first(96, 96),
    *depthwise_first(96, 96),
    Block(480, 5, 3),
)

S = (
    fused(12, 3, 1),
    fused(36, 3, 6, 2),
    Block(18, 5, 3),
    fused(60, 5, 6, 2),
    Block(60, 3, 3),
    Block(120, 5, 6, 2),
    Block(120, 3, 3),
    Block(120, 5, 6),
    Block(112, 3, 6),
    Block(112, 5, 6),
    Block(112, 5, 6),
    *depthwise_first(112, 192, stride=2),
    *depthwise_first(192, 96),
    Block(96, 5, 3),
    *depthwise_first(96, 192),
    *depthwise_first(192, 160, expansion=3),
)

M = (
    Block(16, 5, 1),
    fused(36, 3, 6, 2),
    Block(36, 3, 3),
    fused(60, 3, 6, 2),
    Block(60, 3, 6),
    fused(120, 5, 6, 2),
    Block(120, 5, 6),
    fused(80, 3, 6),
    Block(168, 3, 6),
    Block(168, 5, 6),
    *depthwise_first(168, 168),
    *depthwise_first(168, 192, kernel=3, expansion=3, stride=2),
    *depthwise_first(192, 288),
    *depthwise_first(288, 96),
    *depthwise_first(96, 192, expansion=3),
    *depthwise_first(192, 320, expansion=3),
)


def autoseg_edgetpu_xs(on: Builder[T]) -> T:
    """Autoseg-EdgeTPU-XS, 224 pixels: searched for 2 ms."""
    return _network(on, XS)


def autoseg_edgetpu_s(on: Builder[T]) -> T:
    """Autoseg-EdgeTPU-S, 224 pixels: searched for 2.5 ms."""
    return _network(on, S)


def autoseg_edgetpu_m(on: Builder[T]) -> T:
    """Autoseg-EdgeTPU-M, 224 pixels: searched for 3 ms."""
    return _network(on, M)


def _network(on: Builder[T], blocks: Sequence[Block]) -> T:
    x = conv(on, on.input(224, 224, 3), STEM, 3, 2)
    for block in blocks:
        shape = Bottleneck(
            filters=rounded_filters(block.filters, DIVISOR),
            kernel=block.kernel,
            expansion=block.expansion,
            stride=block.stride,
            skip=block.skip,
        )
        x = fused_ibn(on, x, shape) if block.fused else ibn(on, x, shape)
    return classifier(on, x, HEAD, CLASSES)
