"""Accuracies and costs of choices, each distinct choice measured once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from nahas.cost import DesignCosts
from nahas.spaces.space import ChoiceArray
from nahas.study.trials import Trials

Measures = tuple[NDArray[np.float64], DesignCosts]
"""Accuracies [B] in percent, and costs of B designs."""


class Measurer:
    """Accuracies and costs of choices, computed once for each distinct choice.

    A converging controller proposes the same designs again and again: those are looked up. They
    count as trials all the same.

    Args:
        accuracy: percent [B] of choices [B, D].
        cost: costs [B] of choices [B, D].
    """

    def __init__(
        self,
        accuracy: Callable[[ChoiceArray], NDArray[np.float64]],
        cost: Callable[[ChoiceArray], DesignCosts],
    ) -> None:
        self._accuracy = accuracy
        self._cost = cost
        self._known: dict[bytes, tuple[float, ...]] = {}

    def __call__(self, choices: ChoiceArray) -> Measures:
        """Measure choices [B, D]."""
        keys = [row.tobytes() for row in choices]
        new = {key: row for row, key in enumerate(keys) if key not in self._known}
        if new:
            rows = choices[list(new.values())]
            self._remember(list(new), self._accuracy(rows), self._cost(rows))
        columns = np.array([self._known[key] for key in keys]).T
        return columns[0].copy(), _costs(columns[1:])

    def learn(self, trials: Trials) -> None:
        """Take over what a study has measured already."""
        keys = [row.tobytes() for row in trials.choices]
        self._remember(keys, trials.accuracy, trials.costs)

    def _remember(
        self, keys: list[bytes], accuracy: NDArray[np.float64], costs: DesignCosts
    ) -> None:
        measures = (getattr(costs, field.name).tolist() for field in fields(DesignCosts))
        for key, *row in zip(keys, accuracy.tolist(), *measures, strict=True):
            self._known[key] = tuple(row)


def _costs(columns: NDArray[np.float64]) -> DesignCosts:
    """Costs of float columns; whole numbers are exact in them below 2**53."""
    types = {"parameters": np.int64, "reason": np.int64}
    return DesignCosts(
        **{
            field.name: columns[i].astype(types.get(field.name, np.float64))
            for i, field in enumerate(fields(DesignCosts))
        }
    )
