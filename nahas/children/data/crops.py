"""What of an image a network sees: random crops and flips, resizing, standardising.

Small images are moved within a black frame, larger ones are cropped at random and resized. All
resizing is Pillow's, in whole numbers, so that its pixels are the same on every machine.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nahas.children.data.draws import Draws

if TYPE_CHECKING:
    from PIL.Image import Image

Pixels = NDArray[np.uint8]
Size = tuple[int, int]

SMALL = 64
"""Pixels of the longer side up to which an image is moved in a frame, not cropped and resized."""

FRAME = 1 / 8
"""Of a side, how wide the frame is: 4 of 32 pixels, as on CIFAR since He et al.
(arXiv 1512.03385, section 4.2)."""

LEAST_AREA = 0.08
MOST_RATIO = 4 / 3
"""Of a random crop: its least share of the image's area, and how far from square its shape may
be. Szegedy et al., arXiv 1409.4842, section 6."""

CENTRE = 0.875
"""Of the shorter side, what a central crop keeps: 224 of 256 pixels, as is usual on ImageNet."""


class Box(NamedTuple):
    """A part of an image, in pixels from its upper left corner."""

    left: int
    top: int
    right: int
    bottom: int


def central_box(before: Size, size: Size, share: float = 1.0) -> Box:
    """The largest box of the shape of `size` in the middle of an image, its sides times `share`.

    Args:
        before: (height, width) of the image.
        size: (height, width) that it is for.
        share: in (0, 1].
    """
    zoom = share * min(before[0] / size[0], before[1] / size[1])
    return _placed(before, size[0] * zoom, size[1] * zoom, (0.5, 0.5))


def random_box(before: Size, uniform: NDArray[np.float64]) -> Box:
    """A box of random area, shape and place.

    Args:
        before: (height, width) of the image.
        uniform: [4] in [0, 1): area, shape, place from top, place from left.
    """
    area, shape, top, left = uniform.tolist()
    area = before[0] * before[1] * (LEAST_AREA + (1 - LEAST_AREA) * area)
    ratio = MOST_RATIO ** (2 * shape - 1)
    return _placed(before, math.sqrt(area / ratio), math.sqrt(area * ratio), (top, left))


def _placed(before: Size, height: float, width: float, place: tuple[float, float]) -> Box:
    tall = min(max(round(height), 1), before[0])
    wide = min(max(round(width), 1), before[1])
    top, left = round(place[0] * (before[0] - tall)), round(place[1] * (before[1] - wide))
    return Box(left, top, left + wide, top + tall)


def cut(image: Image, box: Box, size: Size, channels: int) -> Pixels:
    """The pixels [H, W, C] of a box of an image, resized to (H, W).

    A JPEG that is much larger than needed is decoded at a half, a quarter or an eighth of its
    size, which is several times as fast.
    """
    from PIL.Image import Resampling

    before = image.size
    zoom = max(size[1] / (box.right - box.left), size[0] / (box.bottom - box.top))
    image.draft(None, (math.ceil(before[0] * zoom), math.ceil(before[1] * zoom)))
    across, down = image.width / before[0], image.height / before[1]
    part = (
        box.left * across,
        box.top * down,
        min(box.right * across, image.width),
        min(box.bottom * down, image.height),
    )
    mode = "L" if channels == 1 else "RGB"
    seen = image if image.mode == mode else image.convert(mode)
    if (seen.size, part) != (size[::-1], (0, 0, *size[::-1])):
        seen = seen.resize(size[::-1], Resampling.BILINEAR, part)
    return np.asarray(seen).reshape(*size, channels)


def resized(images: Pixels, size: Size) -> Pixels:
    """Images [B, H, W, C] at another (height, width), the longer sides cropped to its shape."""
    from PIL.Image import fromarray

    count, *before, channels = images.shape
    if tuple(before) == size:
        return images
    box = central_box((before[0], before[1]), size)
    changed = np.empty((count, *size, channels), dtype=np.uint8)
    for i, image in enumerate(images):
        changed[i] = cut(fromarray(image.squeeze()), box, size, channels)
    return changed


def augmented(images: Pixels, rows: NDArray[np.int64], draws: Draws, size: Size) -> Pixels:
    """Images [B, H, W, C] at random places, some mirrored, at a (height, width).

    Args:
        images: of one size.
        rows: [B] their numbers in `draws`.
        draws: of the epoch.
        size: of what comes back.
    """
    if max(images.shape[1:3]) <= SMALL:
        return resized(_shifted(images, draws.uniform[rows, 2:], draws.flipped[rows]), size)
    from PIL.Image import fromarray

    count, height, width, channels = images.shape
    crops = np.empty((count, *size, channels), dtype=np.uint8)
    for i, row in enumerate(rows):
        box = random_box((height, width), draws.uniform[row])
        crop = cut(fromarray(images[i].squeeze()), box, size, channels)
        crops[i] = crop[:, ::-1] if draws.flipped[row] else crop
    return crops


def _shifted(images: Pixels, place: NDArray[np.float64], flipped: NDArray[np.bool_]) -> Pixels:
    count, height, width, channels = images.shape
    down, across = round(height * FRAME), round(width * FRAME)
    framed = np.zeros((count, height + 2 * down, width + 2 * across, channels), dtype=np.uint8)
    framed[:, down : down + height, across : across + width] = images
    corners = (place * (2 * down + 1, 2 * across + 1)).astype(np.int64)
    moved = np.empty_like(images)
    for i, (top, left) in enumerate(corners.tolist()):
        crop = framed[i, top : top + height, left : left + width]
        moved[i] = crop[:, ::-1] if flipped[i] else crop
    return moved


def standardised(
    images: Pixels, mean: NDArray[np.float32], deviation: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Pixels [B, H, W, C] over 255, less the mean [C], over the deviation [C]."""
    # In rows of W * C: six times as fast as in pixels of C (python benchmarks/data.py).
    width = images.shape[2]
    scaled = images.reshape(-1, width * images.shape[3]).astype(np.float32)
    scaled *= np.tile(1 / (255 * deviation), width)
    scaled -= np.tile(mean / deviation, width)
    return scaled.reshape(images.shape)


def moments(pixels: Pixels) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and standard deviation [C] of pixels [N, H, W, C] over 255.

    Counted from how often each of the 256 values occurs, hence exact. A channel of one value
    gets the least deviation that is not 0, a step of one value.
    """
    values = np.arange(256) / 255
    mean = np.empty(pixels.shape[-1])
    deviation = np.empty_like(mean)
    for channel in range(pixels.shape[-1]):
        own = pixels[..., channel].ravel()
        share = np.bincount(own, minlength=256) / own.size
        mean[channel] = share @ values
        spread = math.sqrt(share @ (values - mean[channel]) ** 2)
        deviation[channel] = max(spread, values[1])
    return mean.astype(np.float32), deviation.astype(np.float32)
