"""Stages of published networks that fixed networks and search spaces share."""

from __future__ import annotations

from typing import NamedTuple


class Stage(NamedTuple):
    """Equal inverted bottlenecks in a row; the first one has the stride."""

    expansion: int
    filters: int
    repeats: int
    stride: int


MOBILENET_V2 = (
    Stage(1, 16, 1, 1),
    Stage(6, 24, 2, 2),
    Stage(6, 32, 3, 2),
    Stage(6, 64, 4, 2),
    Stage(6, 96, 3, 1),
    Stage(6, 160, 3, 2),
    Stage(6, 320, 1, 1),
)
"""Between a stem of 32 channels and a head of 1280. Sandler et al., arXiv 1801.04381, table 2."""
