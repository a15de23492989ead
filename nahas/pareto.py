"""Pareto mode: no targets; the front of accuracy, latency, energy and area, and its volume.

Objectives are multiples of the baseline design's, so the volume has no unit: what the front
dominates of the box between it and `REFERENCE`, half the baseline's accuracy and twice its
latency, energy and area. The baseline alone dominates (1 - 0.5) (2 - 1)^3 = 0.5 of it.

A controller that learns from one number is told by how much a design enlarges the volume that
those before it dominate. Such rewards add up to the hypervolume, so to earn is to enlarge it. Of
a design that enlarges nothing the reward says how far it is from doing so: with d the amount, in
multiples of the baseline, by which all its objectives would have to be better, it earns
-d / (1 + d). That is 0 for a design found before and tends to -1, which is what a design earns that
cannot run or has no accuracy. Without this part almost all rewards would soon be 0, and there
would be nothing to learn from.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from nahas.cost import DesignCosts
from nahas.errors import RewardError
from nahas.kernels.pareto import Archive
from nahas.reward import known
from nahas.study.trials import Trials

OBJECTIVES = ("accuracy", "latency_ms", "energy_mj", "area_mm2")
"""Fields of `Trials`. Accuracy is better when high, the others when low."""

REFERENCE = {"accuracy": 0.5, "latency_ms": 2.0, "energy_mj": 2.0, "area_mm2": 2.0}
"""What a design must better in every objective to count, as multiples of the baseline's."""

LOWEST = -1.0
"""What a design earns that cannot run or has no accuracy; none earns less."""


@dataclass(frozen=True)
class ParetoReward:
    """Rewards of designs in the order in which they are found: it remembers their front.

    `dataclasses.replace` makes one that remembers nothing.

    Attributes:
        baseline: the baseline design's metrics, in the order of `OBJECTIVES`.

    Raises:
        RewardError: when the baseline cannot run.
    """

    baseline: tuple[float, ...]
    _archive: Archive = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not np.isfinite(self.baseline[1:]).all():
            raise RewardError(
                "a Pareto search measures in multiples of the baseline, but the baseline cannot "
                "run: give another --baseline"
            )
        object.__setattr__(self, "_archive", Archive(_CORNER))

    def of(self, accuracy: NDArray[np.float64], costs: DesignCosts) -> NDArray[np.float64]:
        """Rewards [B] of designs with accuracies [B] in percent, each after those before it."""
        gains = self._archive.add(self.objectives(accuracy, costs))
        return np.where(gains > 0, gains, _shortfall(-gains))

    def satisfied(self, accuracy: NDArray[np.float64], costs: DesignCosts) -> NDArray[np.bool_]:
        """Whether each design runs and has an accuracy: [B]."""
        return known(accuracy, costs)

    def objectives(self, accuracy: NDArray[np.float64], costs: DesignCosts) -> NDArray[np.float64]:
        """[B, 4] multiples of the baseline's, all to be minimised; inf of what cannot run."""
        metrics = (-accuracy, *(getattr(costs, name) for name in OBJECTIVES[1:]))
        table = np.stack(metrics, axis=1) / np.array(self.baseline)
        table[~known(accuracy, costs) | ~np.isfinite(table).all(axis=1)] = np.inf
        return table

    def remember(self, trials: Trials) -> None:
        """Take over the front of trials, in their order."""
        self.of(trials.accuracy, trials.costs)


_CORNER = np.array([-REFERENCE["accuracy"], *(REFERENCE[name] for name in OBJECTIVES[1:])])


def _shortfall(amounts: NDArray[np.float64]) -> NDArray[np.float64]:
    """-d / (1 + d) of amounts d [B], which may be infinite or, not to be used, negative."""
    return 1.0 / (1.0 + np.maximum(amounts, 0.0)) - 1.0
