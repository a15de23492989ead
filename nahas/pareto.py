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
from nahas.kernels.pareto import Archive, nondominated
from nahas.reward import Target, known
from nahas.study.trials import Trials

PARETO = "pareto"
"""What the option `reward` of a study says in Pareto mode."""

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
        RewardError: when the baseline cannot run, or has no accuracy above 0.
    """

    baseline: tuple[float, ...]
    _archive: Archive = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not np.isfinite(self.baseline[1:]).all():
            raise RewardError(
                "a Pareto search measures in multiples of the baseline, but the baseline cannot "
                "run: give another --baseline"
            )
        if not (np.isfinite(self.baseline[0]) and self.baseline[0] > 0):
            raise RewardError(
                "a Pareto search measures in multiples of the baseline, but the baseline's "
                f"accuracy is {self.baseline[0]} and must be above 0: give another --baseline"
            )
        object.__setattr__(self, "_archive", Archive(_CORNER))

    @property
    def targets(self) -> tuple[Target, ...]:
        """None: that is what Pareto mode is."""
        return ()

    @classmethod
    def beside(cls, accuracy: NDArray[np.float64], costs: DesignCosts) -> ParetoReward:
        """The reward beside a baseline of this accuracy [1] in percent and these costs [1]."""
        return cls((float(accuracy[0]), *(float(getattr(costs, m)[0]) for m in OBJECTIVES[1:])))

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
        table: NDArray[np.float64] = np.stack(metrics, axis=1) / np.array(self.baseline)
        table[~known(accuracy, costs) | ~np.isfinite(table).all(axis=1)] = np.inf
        return table

    def alone(self, trials: Trials) -> NDArray[np.float64]:
        """What each of trials [T] dominates by itself, whatever was found before it: [T]."""
        objectives = self.objectives(trials.accuracy, trials.costs)
        volumes: NDArray[np.float64] = np.maximum(_CORNER - objectives, 0.0).prod(axis=1)
        return volumes

    def remember(self, trials: Trials) -> None:
        """Take over the front of trials, in their order."""
        self.of(trials.accuracy, trials.costs)


@dataclass(frozen=True)
class Front:
    """The front of a search's trials.

    Attributes:
        rows: [F] of the trials that run, have an accuracy and are not dominated, the most
            accurate first; of trials equal in every objective the first.
        hypervolume: what they dominate of the box between the baseline and `REFERENCE`.
        after_batch: [N] the hypervolume after each batch.
    """

    rows: NDArray[np.int64]
    hypervolume: float
    after_batch: NDArray[np.float64]


def hypervolume_of(trials: Trials) -> float:
    """What trials of a Pareto search dominate, which is what their rewards say that each added."""
    return float(trials.reward.clip(0.0).sum())


def front_of(trials: Trials, reward: ParetoReward, batch: int) -> Front:
    """The front of trials [T] in the order of their numbers, `batch` of which came at a time."""
    objectives = reward.objectives(trials.accuracy, trials.costs)
    rows = np.flatnonzero(nondominated(objectives))
    gains = Archive(_CORNER).add(objectives)
    volumes = np.concatenate([[0.0], np.cumsum(np.maximum(gains, 0.0))])
    batches = -(-(int(trials.number.max(initial=-1)) + 1) // batch)
    ends = np.searchsorted(trials.number, batch * np.arange(1, batches + 1))
    return Front(
        rows=rows[np.argsort(-trials.accuracy[rows], kind="stable")],
        hypervolume=float(volumes[-1]),
        after_batch=volumes[ends],
    )


_CORNER = np.array([-REFERENCE["accuracy"], *(REFERENCE[name] for name in OBJECTIVES[1:])])


def _shortfall(amounts: NDArray[np.float64]) -> NDArray[np.float64]:
    """-d / (1 + d) of amounts d [B], which may be infinite or, not to be used, negative."""
    return 1.0 / (1.0 + np.maximum(amounts, 0.0)) - 1.0
