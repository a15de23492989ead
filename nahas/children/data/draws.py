"""Every random number that a data set uses.

All of them are `Generator.random` of NumPy: bits of a generator whose stream NumPy keeps for
good, scaled to [0, 1). Shuffles are sorts by such numbers. So the same seed gives the same
parts and the same batches with every version, on every platform and under every Keras backend.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Draws(NamedTuple):
    """What one epoch draws for a part of N images.

    What an image gets depends on its number in the part, not on its place in the order.

    Attributes:
        order: [N] the numbers of the images, shuffled.
        uniform: [N, 4] in [0, 1): scale, shape, row and column of each image's crop.
        flipped: [N] whether an image is mirrored, left to right.
    """

    order: NDArray[np.int64]
    uniform: NDArray[np.float64]
    flipped: NDArray[np.bool_]


def epoch_draws(count: int, *, seed: int, epoch: int) -> Draws:
    """The draws of an epoch for `count` images: a function of (count, seed, epoch) alone."""
    rng = np.random.default_rng([seed, epoch])
    order = np.argsort(rng.random(count), kind="stable")
    return Draws(order, rng.random((count, 4)), rng.random(count) < 0.5)


def stratified_order(labels: NDArray[np.int64], *, seed: int) -> NDArray[np.int64]:
    """A shuffle [N] of images in which every run holds the classes in their proportions.

    The r-th of n images of a class, in random order, stands at (r + 1/2) / n of the way;
    images of different classes at the same place are in random order.
    """
    random = np.random.default_rng(seed).random(len(labels))
    place = np.empty(len(labels))
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        place[own[np.argsort(random[own], kind="stable")]] = (np.arange(len(own)) + 0.5) / len(own)
    return np.lexsort((random, place))
