"""Pixels for a network: random crops and flips, resizing, standardising; all of it NumPy.

Both kinds of batches call the same functions here, so they hold the very same pixels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

PADDING = 1 / 8
"""Of the side of a small image, that a random crop may move it: 4 of 32 pixels, as is usual on
CIFAR since He et al. (arXiv 1512.03385, section 4.2)."""


def shifted(images: Pixels, place: NDArray[np.float64], flipped: NDArray[np.bool_]) -> Pixels:
    """Images [B, H, W, C], each moved within a black frame, and mirrored where said.

    Args:
        images: of one size.
        place: [B, 2] in [0, 1): where in the frame the crop lies, from top and from left.
        flipped: [B].
    """
    count, height, width, channels = images.shape
    frame = (round(height * PADDING), round(width * PADDING))
    shape = (count, height + 2 * frame[0], width + 2 * frame[1], channels)
    framed = np.zeros(shape, dtype=np.uint8)
    framed[:, frame[0] : frame[0] + height, frame[1] : frame[1] + width] = images
    corner = (place * (2 * np.array(frame) + 1)).astype(np.int64)
    moved = np.empty_like(images)
    for i, (top, left) in enumerate(corner.tolist()):
        crop = framed[i, top : top + height, left : left + width]
        moved[i] = crop[:, ::-1] if flipped[i] else crop
    return moved


def standardised(
    images: NDArray[np.generic], mean: NDArray[np.float32], deviation: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Pixels of 0 to 255 [B, H, W, C] over 255, less the mean [C], over the deviation [C]."""
    scaled = np.multiply(images, 1 / (255 * deviation), dtype=np.float32)
    scaled -= mean / deviation
    return scaled


def resized(images: NDArray[np.generic], height: int, width: int) -> NDArray[np.float32]:
    """Images [B, H, W, C] at another size: linear between pixels, averaged where it shrinks."""
    down = _weights(images.shape[1], height)
    across = _weights(images.shape[2], width)
    rows = np.einsum("hy,byxc->bhxc", down, images.astype(np.float32), optimize=True)
    return np.einsum("wx,bhxc->bhwc", across, rows, optimize=True)


def _weights(before: int, after: int) -> NDArray[np.float32]:
    """What each old pixel gives to each new one along a side [after, before]; rows sum to 1."""
    step = before / after
    reach = max(step, 1.0)
    centres = (np.arange(after) + 0.5) * step - 0.5
    distance = np.abs(centres[:, None] - np.arange(before))
    weights = np.maximum(0.0, 1.0 - distance / reach)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
