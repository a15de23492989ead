"""The learning rate over a run: a short rise, then a cosine down to 0."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nahas.costmodel.recipe import Recipe


def learning_rates(recipe: Recipe, fractions: NDArray[np.float64]) -> NDArray[np.float32]:
    """Learning rates [S] at fractions [S] of the run that are done."""
    rise = np.minimum(1.0, fractions / recipe.warm_up) if recipe.warm_up else 1.0
    rest = np.clip((fractions - recipe.warm_up) / (1.0 - recipe.warm_up), 0.0, 1.0)
    fall = 0.5 * (1.0 + np.cos(np.pi * rest))
    return np.asarray(recipe.learning_rate * rise * fall, np.float32)


def fractions(first: int, steps: int, total: int, of_time: float) -> NDArray[np.float64]:
    """Fractions of the run that are done at steps `first`, `first` + 1, ..., [steps].

    Of steps and time, the one that will end the run counts.

    Args:
        first: steps done before these.
        steps: how many fractions.
        total: steps of the whole run.
        of_time: fraction of the time limit that has passed; 0 where there is none.
    """
    return np.maximum((first + 0.5 + np.arange(steps)) / total, of_time)
