"""Stages of published networks that fixed networks and search spaces share."""

from __future__ import annotations

from typing import NamedTuple


class Stage(NamedTuple):
    """Equal inverted bottlenecks in a row; the first one has the stride."""

    expansion: int
    filters: int
    repeats: int
    stride: int
    kernel: int = 3


STEM = 32
"""Channels of the first convolution of both networks below."""

HEAD = 1280
"""Channels of their last convolution."""

MOBILENET_V2 = (
    Stage(1, 16, 1, 1),
    Stage(6, 24, 2, 2),
    Stage(6, 32, 3, 2),
    Stage(6, 64, 4, 2),
    Stage(6, 96, 3, 1),
    Stage(6, 160, 3, 2),
    Stage(6, 320, 1, 1),
)
"""Sandler et al., arXiv 1801.04381, table 2."""

EFFICIENTNET_B0 = (
    Stage(1, 16, 1, 1, 3),
    Stage(6, 24, 2, 2, 3),
    Stage(6, 40, 2, 2, 5),
    Stage(6, 80, 3, 2, 3),
    Stage(6, 112, 3, 1, 5),
    Stage(6, 192, 4, 2, 5),
    Stage(6, 320, 1, 1, 3),
)
"""Tan and Le, arXiv 1905.11946, table 1."""


def one_by_one(stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
    """The blocks of stages, each as a stage of its own."""
    return tuple(
        stage._replace(repeats=1, stride=stage.stride if repeat == 0 else 1)
        for stage in stages
        for repeat in range(stage.repeats)
    )
