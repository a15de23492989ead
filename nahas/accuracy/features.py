"""What a Gaussian process sees of a network: what is chosen, and how large that makes it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from nahas.accuracy.gaussian import Floats
from nahas.spaces.networks import NetworkSpace
from nahas.spaces.space import ChoiceArray, Space
from nahas.spaces.tables import LayerTables

Features = Callable[[ChoiceArray], Floats]
"""Gives features [B, F] of network choices [B, D]."""


def steps(space: Space, choices: ChoiceArray) -> Floats:
    """For each decision and each value but its first, whether a choice is there or beyond."""
    columns = [
        choices[:, column] >= value
        for column, cardinality in enumerate(space.cardinalities)
        for value in range(1, int(cardinality))
    ]
    return np.array(columns, dtype=np.float64).reshape(len(columns), len(choices)).T


class LinkFeatures:
    """Features of any space: steps of its decisions, and logarithms of sizes.

    Of every link the multiply-accumulates and parameters, of the whole network both and its
    layers; as the space describes the network, whatever images it is trained on.
    """

    def __init__(self, space: NetworkSpace) -> None:
        self._space = space.space
        self._applicable = space.applicable
        self._tables = LayerTables(space)

    def __call__(self, choices: ChoiceArray) -> Floats:
        """Features [B, F] of choices [B, D]."""
        sizes = self._tables.sizes(choices)
        of_links = (sizes.macs, sizes.parameters)
        whole = [size.sum(axis=1) for size in (*of_links, sizes.layers)]
        columns = np.hstack([*of_links, np.stack(whole, axis=1)])
        alike = np.where(self._applicable(choices), choices, 0)
        return np.hstack([steps(self._space, alike), np.log(np.maximum(columns, 1))])

    @property
    def kinds(self) -> NDArray[np.int64]:
        """[F] numbers, alike for features of one kind: steps, two sizes of links, three of all."""
        first = np.zeros((1, len(self._space.decisions)), np.int64)
        links = self._tables.sizes(first).macs.shape[1]
        counts = (steps(self._space, first).shape[1], links, links, 1, 1, 1)
        return np.repeat(np.arange(len(counts)), counts)
