"""Compound scaling of EfficientNet: more channels, blocks and pixels at once, with its rounding.

Tan and Le, arXiv 1905.11946; the rounding is `round_filters` and `round_repeats` of their code
in tensorflow/tpu, and of `mobilenet_edgetpu_v2_model_blocks.py` in tensorflow/models.
"""

from __future__ import annotations

from math import ceil
from typing import NamedTuple

LEAST_SHARE = 0.9
"""Rounding takes no more than a tenth of the channels away."""


class Scale(NamedTuple):
    """How much wider and deeper than the smallest network, and for images of which side."""

    width: float
    depth: float
    resolution: int


def rounded_filters(filters: float, divisor: int = 8) -> int:
    """The multiple of `divisor` nearest to `filters` channels, or the next where that is too few.

    Halves go up, and `divisor` is the least.
    """
    rounded = max(divisor, int(filters + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < LEAST_SHARE * filters else rounded


def scaled_repeats(repeats: int, depth: float) -> int:
    """How many blocks a stage of `repeats` has in a network that is `depth` times as deep."""
    return ceil(depth * repeats)
