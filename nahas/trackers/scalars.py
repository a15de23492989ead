"""What trackers show of a search: a few numbers after every batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from nahas.pareto import hypervolume_of
from nahas.spaces.space import ChoiceArray
from nahas.study.trials import Trials, joined

if TYPE_CHECKING:
    from nahas.problem import Search

RECENT = 200
"""Trials by which the entropy of proposals is estimated."""


def scalars_of(search: Search) -> Scalars:
    """The numbers that are worth showing of a search."""
    return Scalars(pareto=search.pareto)


class Scalars:
    """Numbers of a search as it goes, from its trials alone, so that any controller has them.

    * `best_reward`, of all trials, and `mean_reward` of the batch;
    * `best_satisfied_reward`, of all that meet every target, once there is one;
    * `satisfied_share` and `feasible_share` of the batch;
    * `entropy_bits`: how undecided the controller is, the entropy of each decision's values among
      the last `RECENT` trials, averaged over decisions. 0 is that one design is proposed alone;
    * `hypervolume` in Pareto mode; there are no targets then, and no best reward.

    Args:
        pareto: whether the search is for a front.
    """

    def __init__(self, *, pareto: bool = False) -> None:
        self._pareto, self._volume = pareto, 0.0
        self._best = self._best_satisfied = -np.inf
        self._recent: Trials | None = None

    def recall(self, trials: Trials) -> None:
        """Take note of earlier trials."""
        if not len(trials):
            return
        self._best = max(self._best, float(trials.reward.max()))
        self._volume += hypervolume_of(trials)
        if trials.satisfied.any():
            best = float(trials.reward[trials.satisfied].max())
            self._best_satisfied = max(self._best_satisfied, best)
        parts = [trials] if self._recent is None else [self._recent, trials]
        self._recent = joined(parts)[-RECENT:]

    def after(self, trials: Trials) -> Mapping[str, float]:
        """The numbers after a batch of one trial or more."""
        self.recall(trials)
        assert self._recent is not None  # it has this batch
        numbers = {
            "mean_reward": float(trials.reward.mean()),
            "satisfied_share": float(trials.satisfied.mean()),
            "feasible_share": float(trials.feasible.mean()),
            "entropy_bits": entropy_bits(self._recent.choices),
        }
        if self._pareto:
            return numbers | {"hypervolume": self._volume}
        numbers["best_reward"] = self._best
        if np.isfinite(self._best_satisfied):
            numbers["best_satisfied_reward"] = self._best_satisfied
        return numbers


def entropy_bits(choices: ChoiceArray) -> float:
    """Entropy of the values of each decision of choices [B, D], averaged over decisions."""
    total = 0.0
    for column in choices.T:
        share = np.unique(column, return_counts=True)[1] / len(column)
        total -= float((share * np.log2(share)).sum())
    return total / len(choices.T)
