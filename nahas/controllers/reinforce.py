"""REINFORCE with independent decisions: the policy of TuNAS (paper notes, section 6.2).

Each decision has a categorical distribution of its own, softmax of logits that start at zero.
The gradient of the expected reward is that of Williams ("Simple statistical gradient-following
algorithms for connectionist reinforcement learning", 1992) with a moving average of rewards as
baseline,

    d J / d logit[d, k] = mean over trials of (R - baseline) used[d] ([choice[d] = k] - p[d, k]),

and Adam without momentum climbs it. Decisions that change nothing in a design (`used` is 0)
leave its log-probability. p is that of the lesson, not of the draw: with batches in flight
(`--ahead`) the gradient is of draws a few lessons old, without importance weights.

All of it is NumPy: 20,000 proposals and lessons take less than a second.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nahas.controllers.allowed import Allowed, checked
from nahas.controllers.base import State
from nahas.controllers.generator import generator_array, set_generator
from nahas.errors import StudyError, UsageError
from nahas.spaces.space import ChoiceArray, Space

Applicable = Callable[[ChoiceArray], NDArray[np.bool_]]

EPSILON = 1e-8


@dataclass(frozen=True, kw_only=True)
class ReinforceHyperparameters:
    """What REINFORCE is tuned by.

    Attributes:
        learning_rate: Adam's, at the beginning. Adam moves a logit by about as much at each
            lesson, whatever the rewards' unit.
        growth: by what the learning rate has been multiplied, geometrically, after
            `growth_trials`; later it stays.
        growth_trials: not the length of the search, so that a longer search begins like a
            shorter one.
        baseline_decay: of the average of rewards, over one trial.
        second_moment_decay: Adam's beta 2; its beta 1 is 0.
        entropy_weight: how much the entropy of the policy counts beside the reward.

    Raises:
        UsageError: naming the field, its value and what is allowed.
    """

    learning_rate: float = 0.15
    growth: float = 10.0
    growth_trials: int = 2000
    baseline_decay: float = 0.95
    second_moment_decay: float = 0.999
    entropy_weight: float = 0.0

    def __post_init__(self) -> None:
        allowed = {
            "learning_rate": (self.learning_rate > 0, "above 0"),
            "growth": (self.growth > 0, "above 0"),
            "growth_trials": (self.growth_trials >= 1, "at least 1"),
            "baseline_decay": (0 <= self.baseline_decay < 1, "from 0 to below 1"),
            "second_moment_decay": (0 <= self.second_moment_decay < 1, "from 0 to below 1"),
            "entropy_weight": (self.entropy_weight >= 0, "0 or more"),
        }
        for name, (good, words) in allowed.items():
            if not good:
                raise UsageError(
                    f"reinforce: {name} is {getattr(self, name)}, but it must be {words}"
                )


class Reinforce:
    """Learns how often each value is worth proposing, every decision by itself.

    Args:
        space: what to choose from.
        rng: the source of all randomness.
        allowed: [D, K] the values that may be proposed; None is all.
        applicable: tells of choices [B, D] which decisions matter [B, D]. None: all matter.
        hyperparameters: see there.
    """

    def __init__(
        self,
        space: Space,
        rng: np.random.Generator,
        allowed: Allowed | None = None,
        applicable: Applicable | None = None,
        hyperparameters: ReinforceHyperparameters | None = None,
    ) -> None:
        self._allowed = checked(space, allowed)
        self._rng = rng
        self._applicable = applicable
        self._knobs = hyperparameters or ReinforceHyperparameters()
        self._logits = np.zeros(self._allowed.shape)
        self._squares = np.zeros(self._allowed.shape)
        self._lessons = 0
        self._told = 0
        self._baseline = 0.0

    @property
    def probabilities(self) -> NDArray[np.float64]:
        """[D, K] of every value; 0 where it is not allowed."""
        logits = np.where(self._allowed, self._logits, -np.inf)
        raised = np.exp(logits - logits.max(axis=1, keepdims=True))
        shares: NDArray[np.float64] = raised / raised.sum(axis=1, keepdims=True)
        return shares

    def ask(self, count: int) -> ChoiceArray:
        """Propose choices: [count, D]."""
        reached = np.cumsum(self.probabilities, axis=1)
        reached[:, -1] = 1.0
        # A sum of probabilities that rounds to less than 1 must not leave the last allowed value.
        last = self._allowed.shape[1] - 1 - self._allowed[:, ::-1].argmax(axis=1)
        draws = self._rng.random((count, len(last)))
        picks: ChoiceArray = np.minimum((draws[:, :, None] >= reached).sum(axis=2), last)
        return picks

    def tell(self, choices: ChoiceArray, rewards: NDArray[np.float64]) -> None:
        """Improve the policy by the rewards [count] of what it proposed."""
        if self._told == 0:
            self._baseline = float(rewards.mean())
        decay = self._knobs.baseline_decay ** len(rewards)
        gradient = self._gradient(choices, rewards - self._baseline)
        self._baseline = decay * self._baseline + (1 - decay) * float(rewards.mean())
        self._climb(gradient)
        self._told += len(rewards)

    def best(self) -> ChoiceArray:
        """The most probable value of every decision [D]; of equals the first."""
        picks: ChoiceArray = self.probabilities.argmax(axis=1)
        return picks

    def state(self) -> State:
        """Logits, Adam's moments, baseline, counts and the generator's state."""
        return {
            "logits": self._logits.copy(),
            "squares": self._squares.copy(),
            "lessons": np.array(self._lessons),
            "told": np.array(self._told),
            "baseline": np.array(self._baseline),
            "rng": generator_array(self._rng),
        }

    def restore(self, state: State) -> None:
        """Continue from a `state`.

        Raises:
            StudyError: when the state is of another policy.
        """
        try:
            logits, squares = (np.array(state[name], float) for name in ("logits", "squares"))
            counts = int(state["lessons"]), int(state["told"])
            baseline, generator = float(state["baseline"]), state["rng"]
        except (KeyError, ValueError, TypeError) as error:
            raise StudyError(
                f"the kept controller state is not of reinforce ({error}): continue with the nahas "
                "that began the study, or start another"
            ) from error
        if logits.shape != self._logits.shape or squares.shape != self._logits.shape:
            raise StudyError(
                f"the kept controller state is of {logits.shape[0]} decisions, but the space has "
                f"{len(self._logits)}: continue with the same space, or start another study"
            )
        self._logits, self._squares = logits, squares
        self._lessons, self._told = counts
        self._baseline = baseline
        set_generator(self._rng, generator)

    def _gradient(
        self, choices: ChoiceArray, advantages: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Of the expected reward [D, K], from a batch of trials."""
        count, (decisions, width) = len(choices), self._allowed.shape
        weights = np.repeat(advantages[:, None], decisions, axis=1)
        if self._applicable is not None:
            weights = weights * self._applicable(choices)
        places = choices + width * np.arange(decisions)
        chosen = np.bincount(places.ravel(), weights.ravel(), minlength=decisions * width)
        shares = self.probabilities
        gradient: NDArray[np.float64] = (
            chosen.reshape(decisions, width) - weights.sum(axis=0)[:, None] * shares
        )
        gradient = gradient / count
        if self._knobs.entropy_weight:
            logs = np.log(np.where(shares > 0, shares, 1.0))
            entropy = -(shares * logs).sum(axis=1, keepdims=True)
            gradient = gradient - self._knobs.entropy_weight * shares * (logs + entropy)
        return gradient

    def _climb(self, gradient: NDArray[np.float64]) -> None:
        """One step of Adam with beta 1 = 0."""
        knobs = self._knobs
        self._lessons += 1
        keep = knobs.second_moment_decay
        self._squares = keep * self._squares + (1 - keep) * gradient**2
        corrected = self._squares / (1 - keep**self._lessons)
        progress = min(self._told / knobs.growth_trials, 1.0)
        rate = knobs.learning_rate * math.pow(knobs.growth, progress)
        self._logits = self._logits + rate * gradient / (np.sqrt(corrected) + EPSILON)
