"""The reward: accuracy times a weighted product over targets, as pure functions of arrays.

R = accuracy * prod_i (metric_i / target_i) ** w_i, with w_i = p where the metric meets its
target (metric <= target) and q where it does not (paper notes, section 2). The hard preset
(p = 0, q = -1) pays nothing for being below a target; the soft one (p = q = -0.07) always
trades accuracy against the metric.

One-shot searches add instead: R = accuracy + 100 sum_i w_i abs(metric_i / target_i - 1), so much of
a percentage point of accuracy for each percent beside a target. The preset `absolute`
(p = q = -0.1) is TuNAS', which pulls a design to its target from both sides; `relu` (p = 0,
q = -0.1) is the later form with a term for each metric that only punishes what is above its
target (paper notes, section 6.2).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from nahas.cost import DesignCosts
from nahas.errors import RewardError

METRICS = ("latency_ms", "energy_mj", "area_mm2", "parameters")
"""What a target may limit: fields of `DesignCosts`."""

PER_UNIT = {"parameters": 1e6}
"""How much of a metric is 1 of the unit that users state its limits in, where that is not 1."""

EXPONENTS = {"hard": (0.0, -1.0), "soft": (-0.07, -0.07)}
"""The presets' exponents (p, q)."""

WEIGHTS = {"absolute": (-0.1, -0.1), "relu": (0.0, -0.1)}
"""The weights (p, q) of presets that add."""

PRESETS = (*EXPONENTS, *WEIGHTS)

LOWEST = -100.0
"""What a design earns under a reward that adds when it cannot run; none earns less."""


@dataclass(frozen=True)
class Limit:
    """A limit as a user states it: a number, or a multiple of the baseline design's metric.

    A number of milliseconds, millijoules, square millimetres, or millions of parameters.

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

    def absolute(self, baseline: float, per_unit: float = 1.0) -> float:
        """The limit in the metric's unit, given the metric of the baseline design.

        `per_unit` is how much of the metric is 1 of the unit that numbers are stated in.
        """
        if self.relative and not (math.isfinite(baseline) and baseline > 0):
            raise RewardError(
                f"the target {self} is a multiple of the baseline, but the baseline is {baseline}: "
                "give the target as a number"
            )
        return self.value * (baseline if self.relative else per_unit)


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


def targets_of(limits: Mapping[str, Limit], baseline: DesignCosts) -> tuple[Target, ...]:
    """Targets from limits by metric, and the costs [1] of the baseline design.

    Raises:
        RewardError: when a limit is a multiple of what the baseline does not have.
    """
    return tuple(
        Target(name, limit.absolute(float(getattr(baseline, name)[0]), PER_UNIT.get(name, 1.0)))
        for name, limit in limits.items()
    )


class Rewarding(Protocol):
    """Makes one number of what is known of a design."""

    def of(self, accuracy: NDArray[np.float64], costs: DesignCosts) -> NDArray[np.float64]:
        """Rewards [B] of designs with accuracies [B] in percent."""
        ...

    def satisfied(self, accuracy: NDArray[np.float64], costs: DesignCosts) -> NDArray[np.bool_]:
        """Whether each design is as it is asked to be: [B]."""
        ...


@dataclass(frozen=True)
class Reward:
    """Accuracy, and a factor or a term for each target, with the same exponents or weights.

    Attributes:
        targets: what to hold to, each metric at most once; none means accuracy alone.
        p: exponent, or weight, where a metric meets its target.
        q: the same where it does not.
        adds: whether targets add terms instead of multiplying by factors.

    Raises:
        RewardError: when a metric has two targets, or an exponent is not finite or above 0.
    """

    targets: tuple[Target, ...]
    p: float = 0.0
    q: float = -1.0
    adds: bool = False

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
        """The reward of a preset of `PRESETS`."""
        if name not in PRESETS:
            raise RewardError(
                f"there is no reward preset '{name}': allowed are {', '.join(PRESETS)}"
            )
        p, q = (EXPONENTS | WEIGHTS)[name]
        return cls(tuple(targets), p, q, adds=name in WEIGHTS)

    def of(self, accuracy: NDArray[np.float64], costs: DesignCosts) -> NDArray[np.float64]:
        """Rewards [B] in the unit of `accuracy` [B].

        A design that cannot run, or whose accuracy or metric is NaN or infinite, earns 0, or
        `LOWEST` under a reward that adds, where others may earn less than 0: it stays in the
        sample, so that the controller learns what is valid (paper notes, 11.5).
        """
        if self.adds:
            return self._added(accuracy, costs)
        reward = np.where(known(accuracy, costs), accuracy, 0.0)
        for target in self.targets:
            reward = reward * penalty(getattr(costs, target.metric), target.limit, self.p, self.q)
        return reward

    def _added(self, accuracy: NDArray[np.float64], costs: DesignCosts) -> NDArray[np.float64]:
        usable = known(accuracy, costs)
        reward = np.where(usable, accuracy, LOWEST)
        for target in self.targets:
            ratio = getattr(costs, target.metric) / target.limit
            usable = usable & np.isfinite(ratio) & (ratio > 0)
            weight = np.where(ratio <= 1, self.p, self.q)
            reward = reward + 100.0 * weight * np.abs(np.where(usable, ratio, 1.0) - 1.0)
        return np.where(usable, np.maximum(reward, LOWEST), LOWEST)

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
