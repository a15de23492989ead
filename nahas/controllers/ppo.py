"""Proximal policy optimisation of a recurrent policy (paper notes, section 6.1).

Schulman et al., "Proximal Policy Optimization Algorithms", arXiv 1707.06347, equation 7. Each
decision of a choice is a step of an episode whose only reward comes at its end, so all steps of
a choice share one advantage, and each step's probability ratio is clipped by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nahas.controllers.allowed import Allowed, checked
from nahas.controllers.base import State
from nahas.controllers.generator import generator_array, set_generator
from nahas.errors import StudyError, UsageError
from nahas.spaces.space import ChoiceArray, Space

ADVANTAGES = ("rank", "baseline")

Applicable = Callable[[ChoiceArray], NDArray[np.bool_]]

Drawn = tuple[ChoiceArray, NDArray[np.float32]]
"""Choices [B, D], and the log-probability of each decision when they were drawn."""


@dataclass(frozen=True, kw_only=True)
class PpoHyperparameters:
    """What PPO is tuned by; docs/searching.md says what was tried.

    Attributes:
        hidden: width of the memory.
        learning_rate: Adam's.
        clip: how far a probability ratio is followed from 1.
        epochs: steps per batch.
        advantage: 'rank' measures a reward by its rank in its batch, one alone by its rank beside
            the moving average of rewards; 'baseline' by its distance from that average, in
            standard deviations of the batch.
        baseline_decay: of that average, over one trial. Over a batch of 20 it would lag behind a
            rising reward, praise whatever is proposed, and settle too early (docs/searching.md).
        entropy_first: weight of the entropy at the start...
        entropy_last: ...and after `entropy_trials`, geometrically in between.
        entropy_trials: not the length of the search, so that a longer search begins like a
            shorter one.
    """

    hidden: int = 32
    learning_rate: float = 2e-3
    clip: float = 0.2
    epochs: int = 4
    advantage: str = "rank"
    baseline_decay: float = 0.95
    entropy_first: float = 0.1
    entropy_last: float = 0.03
    entropy_trials: int = 2000

    def __post_init__(self) -> None:
        if self.advantage not in ADVANTAGES:
            raise UsageError(
                f"there is no advantage '{self.advantage}': allowed are {', '.join(ADVANTAGES)}"
            )


class Ppo:
    """Learns which values make good choices, each given the values before it.

    Args:
        space: what to choose from.
        rng: the source of all randomness: initial weights, then every draw.
        allowed: [D, K] the values that may be proposed; None is all.
        applicable: tells of choices [B, D] which decisions matter [B, D]; the others do not
            enter the log-probability. None: all matter.
        hyperparameters: see there.
    """

    def __init__(
        self,
        space: Space,
        rng: np.random.Generator,
        allowed: Allowed | None = None,
        applicable: Applicable | None = None,
        hyperparameters: PpoHyperparameters | None = None,
    ) -> None:
        from nahas.controllers.policy import Policy  # loads Numba

        self._space = space
        self._rng = rng
        self._applicable = applicable
        self._knobs = hyperparameters or PpoHyperparameters()
        self._policy = Policy(
            checked(space, allowed),
            rng,
            hidden=self._knobs.hidden,
            learning_rate=self._knobs.learning_rate,
        )
        self._told = 0
        self._baseline = 0.0
        self._flight: list[Drawn] = []
        decisions = len(space.decisions)
        self._no_choices = np.zeros((0, decisions), np.int64), np.zeros((0, decisions), np.float32)

    def ask(self, count: int) -> ChoiceArray:
        """Propose choices: [count, D]; also again before the first are told of."""
        uniforms = self._rng.random((count, len(self._space.decisions)))
        self._flight.append(self._policy.sample(uniforms))
        return self._flight[-1][0].copy()

    def tell(self, choices: ChoiceArray, rewards: NDArray[np.float64]) -> None:
        """Improve the policy by the rewards [count] of what it proposed."""
        if self._told == 0:
            self._baseline = float(rewards.mean())
        advantages = self._advantages(rewards)
        used = (
            np.ones(choices.shape, np.bool_)
            if self._applicable is None
            else self._applicable(choices)
        )
        knobs = (self._knobs.clip, self._entropy_weight(), self._knobs.epochs)
        self._policy.improve(self._landed(choices), advantages, used, knobs)
        decay = self._knobs.baseline_decay ** len(rewards)
        self._baseline = decay * self._baseline + (1 - decay) * float(rewards.mean())
        self._told += len(rewards)

    def state(self) -> State:
        """Weights, Adam's variables, what is in flight, baseline, counts and the generator."""
        flight = [self._no_choices, *self._flight]
        return self._policy.arrays() | {
            "flight_rows": np.array([len(choices) for choices, _ in self._flight], np.int64),
            "flight_choices": np.concatenate([choices for choices, _ in flight]),
            "flight_logs": np.concatenate([logs for _, logs in flight]),
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
            self._policy.assign(state)
            ends = np.cumsum(state["flight_rows"].astype(np.int64))[:-1]
            choices, logs = state["flight_choices"], state["flight_logs"]
            parts = zip(np.split(choices, ends), np.split(logs, ends), strict=True)
            self._flight = [
                (ours.astype(np.int64), of.astype(np.float32)) for ours, of in parts if len(ours)
            ]
            self._told = int(state["told"])
            self._baseline = float(state["baseline"])
            set_generator(self._rng, state["rng"])
        except (KeyError, ValueError) as error:
            raise StudyError(
                f"the kept controller state is of another policy ({error}): continue with the "
                "nahas that began the study, or start another"
            ) from error

    def _landed(self, choices: ChoiceArray) -> Drawn:
        """What was drawn of these choices, with the log-probabilities that it had then.

        Rounds land in the order in which they were asked for. One that was left out will not
        come; of choices that were never asked for, the policy as it is says how probable they are.
        """
        for i, drawn in enumerate(self._flight):
            if np.array_equal(drawn[0], choices):
                del self._flight[: i + 1]
                return drawn
        return choices, self._policy.logs(choices)

    def _advantages(self, rewards: NDArray[np.float64]) -> NDArray[np.float64]:
        if self._knobs.advantage == "rank":
            if len(rewards) > 1:
                return ranked(rewards)
            return ranked(np.append(rewards, self._baseline))[:-1]
        spread = rewards.std() + 1e-3 * abs(self._baseline) + 1e-9
        advantages: NDArray[np.float64] = (rewards - self._baseline) / spread
        return advantages

    def _entropy_weight(self) -> float:
        """From first to last, geometrically over `entropy_trials`, then constant."""
        progress = min(self._told / self._knobs.entropy_trials, 1.0)
        first, last = self._knobs.entropy_first, self._knobs.entropy_last
        weight: float = first * (last / first) ** progress
        return weight


def ranked(rewards: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks of rewards [B], evenly spread over mean 0; equal ones share theirs.

    The variance tends to 1 with B; small batches and equal rewards have less.

    Near the end of a search good designs differ by tenths while one that misses a target loses
    tens: ranks keep the tenths visible, and do not depend on the reward's unit.
    """
    _, level, count = np.unique(rewards, return_inverse=True, return_counts=True)
    middle = np.cumsum(count) - (count - 1) / 2 - 0.5  # mean of ranks 0.5, 1.5, ... of a level
    spread: NDArray[np.float64] = (middle[level] / len(rewards) - 0.5) * np.sqrt(12.0)
    return spread
