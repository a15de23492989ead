"""The reward: accuracy times a weighted product over targets, as pure functions of arrays.

R = accuracy * prod_i (metric_i / target_i) ** w_i, with w_i = p where the metric meets its
target (metric <= target) and q where it does not (paper notes, section 2). The hard preset
(p = 0, q = -1) pays nothing for being below a target; the soft one (p = q = -0.07) always
trades accuracy against the metric.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nahas.cost import DesignCosts
from nahas.errors import RewardError

METRICS = ("latency_ms", "energy_mj", "area_mm2")
"""What a target may limit: fields of `DesignCosts`."""

EXPONENTS = {"hard": (0.0, -1.0), "soft": (-0.07, -0.07)}
"""The presets' exponents (p, q)."""


@dataclass(frozen=True)
class Limit:
    """A limit as a user states it: a number, or a multiple of the baseline design's metric.

    Raises:
        RewardError: unless the value is finite and above 0.
    """

    value: float
    relative: bool = False

    def __post_init__(self) -> None:
        if not math.isfinite(self.value) or self.value <= 0:
            raise RewardError(
                f"the target {self} means nothing: give a number above 0, like 0.3, "
                "or a multiple of the baseline, like 0.8x"
            )

    def __str__(self) -> str:
        return f"{self.value:g}x" if self.relative else f"{self.value:g}"

    @classmethod
    def parse(cls, text: str | float) -> Limit:
        """Read '0.3' as a number in the metric's unit and '0.8x' as a multiple of the baseline."""
        stripped = str(text).strip().lower()
        relative = stripped.endswith("x")
        try:
            value = float(stripped.removesuffix("x"))
        except ValueError:
            raise RewardError(
                f"the target {text!r} is not a number: give a number above 0, like 0.3, "
                "or a multiple of the baseline, like 0.8x"
            ) from None
        return cls(value, relative)

    def absolute(self, baseline: float) -> float:
        """The limit in the metric's unit, given the metric of the baseline design."""
        if self.relative and not (math.isfinite(baseline) and baseline > 0):
            raise RewardError(
                f"the target {self} is a multiple of the baseline, but the baseline is {baseline}: "
                "give the target as a number"
            )
        return self.value * baseline if self.relative else self.value


@dataclass(frozen=True)
class Target:
    """The most that a metric should be, in the metric's own unit.

    Raises:
        RewardError: when the metric is unknown, or the limit is not finite and above 0.
    """

    metric: str
    limit: float

    def __post_init__(self) -> None:
        if self.metric not in METRICS:
            raise RewardError(
                f"there is no metric '{self.metric}' to set a target for: "
                f"allowed are {', '.join(METRICS)}"
            )
        if not math.isfinite(self.limit) or self.limit <= 0:
            raise RewardError(
                f"the target of {self.metric} is {self.limit}, "
                "but it must be a finite number above 0"
            )


@dataclass(frozen=True)
class Reward:
    """A weighted-product reward over targets, the same exponents for each.

    Attributes:
        targets: what to hold to, each metric at most once; none means accuracy alone.
        p: exponent where a metric meets its target.
        q: exponent where it does not.

    Raises:
        RewardError: when a metric has two targets, or an exponent is not finite or above 0.
    """

    targets: tuple[Target, ...]
    p: float = 0.0
    q: float = -1.0

    def __post_init__(self) -> None:
        metrics = [target.metric for target in self.targets]
        twice = sorted({metric for metric in metrics if metrics.count(metric) > 1})
        if twice:
            raise RewardError(f"{', '.join(twice)} has two targets: give one per metric")
        for name, exponent in (("p", self.p), ("q", self.q)):
            if not math.isfinite(exponent) or exponent > 0:
                raise RewardError(
                    f"the exponent {name} is {exponent}, but it must be finite and not above 0: "
                    "a positive one would pay for being slow"
                )

    @classmethod
    def preset(cls, name: str, targets: Sequence[Target]) -> Reward:
        """The reward of a preset of `EXPONENTS`."""
        if name not in EXPONENTS:
            raise RewardError(
                f"there is no reward preset '{name}': allowed are {', '.join(EXPONENTS)}"
            )
        p, q = EXPONENTS[name]
        return cls(tuple(targets), p, q)

    def of(self, accuracy: NDArray[np.float64], costs: DesignCosts) -> NDArray[np.float64]:
        """Rewards [B] in the unit of `accuracy` [B].

        A design that cannot run, or whose accuracy or metric is NaN or infinite, earns 0: it stays
        in the sample, so that the controller learns what is valid (paper notes, 11.5).
        """
        reward = np.where(known(accuracy, costs), accuracy, 0.0)
        for target in self.targets:
            reward = reward * penalty(getattr(costs, target.metric), target.limit, self.p, self.q)
        return reward

    def satisfied(self, accuracy: NDArray[np.float64], costs: DesignCosts) -> NDArray[np.bool_]:
        """Whether each design runs, has an accuracy and meets every target: [B]."""
        met = known(accuracy, costs)
        for target in self.targets:
            met &= getattr(costs, target.metric) <= target.limit
        return met


def known(accuracy: NDArray[np.float64], costs: DesignCosts) -> NDArray[np.bool_]:
    """Whether each design can run and its accuracy is a finite number: [B]."""
    mask: NDArray[np.bool_] = (costs.reason == 0) & np.isfinite(accuracy)
    return mask


def penalty(metric: NDArray[np.float64], limit: float, p: float, q: float) -> NDArray[np.float64]:
    """Factor (metric / limit) ** w [B], w = p where metric <= limit, else q; 0 at inf and NaN."""
    usable = np.isfinite(metric) & (metric > 0)
    ratio = np.where(usable, metric, limit) / limit
    return np.where(usable, ratio ** np.where(ratio <= 1, p, q), 0.0)
