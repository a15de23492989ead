"""Local search: from a random choice to better neighbours until none is better, then again.

White, Nolen and Savani, "Exploring the Loss Landscape in Neural Architecture Search", arXiv
2005.02960, and Den Ottelander et al., "Local Search is a Remarkably Strong Baseline for Neural
Architecture Search", arXiv 2004.08996. A neighbour differs in one decision. Neighbours are tried
in an order drawn anew for every choice, and the climb goes on from the first that is better; of
better ones in a batch, from the best.

Where a batch has room for more than the neighbours that are left, random choices fill it. The
best of those drawn during a climb begins the next one, which starts when the last neighbour has
been told without being better.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nahas.controllers.base import Applicable, State
from nahas.controllers.generator import generator_array, set_generator
from nahas.errors import StudyError
from nahas.spaces.space import ChoiceArray, Space

_NOTHING = -np.inf


class LocalSearch:
    """Climbs from choice to neighbour, and begins again from a random choice.

    Args:
        space: what to choose from.
        rng: the source of all randomness.
        applicable: tells of choices [B, D] which decisions matter [B, D]: only these make
            neighbours. None: all matter.
    """

    def __init__(
        self, space: Space, rng: np.random.Generator, applicable: Applicable | None = None
    ) -> None:
        self._space = space
        self._rng = rng
        self._applicable = applicable
        self._none = np.zeros((0, len(space.decisions)), np.int64)
        self._here = self._start = self._none
        self._here_reward = self._start_reward = _NOTHING
        self._left = self._none
        self._flying = np.zeros(0, np.int64)

    def ask(self, count: int) -> ChoiceArray:
        """Propose choices: [count, D]."""
        near, self._left = self._left[:count], self._left[count:]
        drawn = self._space.sample(count - len(near), self._rng)
        flags = np.repeat([1, 0], [len(near), len(drawn)])
        self._flying = np.concatenate([self._flying, flags])
        return np.concatenate([near, drawn])

    def tell(self, choices: ChoiceArray, rewards: NDArray[np.float64]) -> None:
        """Go on from the best of the proposed choices by their rewards [count]."""
        near, self._flying = self._flying[: len(choices)] == 1, self._flying[len(choices) :]
        self._start, self._start_reward = _better(
            choices[~near], rewards[~near], self._start, self._start_reward
        )
        here, reward = _better(choices[near], rewards[near], self._here, self._here_reward)
        if reward > self._here_reward:
            self._climb(here, reward)
        if not len(self._left) and not self._flying.any() and len(self._start):
            self._climb(self._start, self._start_reward)
            self._start, self._start_reward = self._none, _NOTHING

    def state(self) -> State:
        """Where the climb is, what is left to try and to be told, and the generator's state."""
        rewards = [self._here_reward] * len(self._here) + [self._start_reward] * len(self._start)
        return {
            "here": self._here,
            "start": self._start,
            "rewards": np.array(rewards, np.float64),
            "left": self._left,
            "flying": self._flying,
            "rng": generator_array(self._rng),
        }

    def restore(self, state: State) -> None:
        """Continue from a `state`.

        Raises:
            StudyError: when the state is of another controller.
        """
        try:
            self._here, self._start, self._left = (
                state[name].astype(np.int64) for name in ("here", "start", "left")
            )
            rewards = state["rewards"].astype(np.float64).tolist()
            self._flying = state["flying"].astype(np.int64)
            set_generator(self._rng, state["rng"])
        except (KeyError, ValueError) as error:
            raise StudyError(
                f"the kept controller state is not of local search ({error}): continue with the "
                "nahas that began the study, or start another"
            ) from error
        self._here_reward = rewards[0] if len(self._here) else _NOTHING
        self._start_reward = rewards[-1] if len(self._start) else _NOTHING

    def _climb(self, here: ChoiceArray, reward: float) -> None:
        """Go to a choice [1, D]: its neighbours are to be tried now."""
        self._here, self._here_reward = here, reward
        near = neighbours(here[0], self._space, self._applicable)
        self._left = near[self._rng.permutation(len(near))]


def _better(
    choices: ChoiceArray, rewards: NDArray[np.float64], than: ChoiceArray, reward: float
) -> tuple[ChoiceArray, float]:
    """The best of choices [B, D], as [1, D] with its reward, or what it is not better than."""
    if not len(choices) or not rewards.max() > reward:
        return than, reward
    best = int(rewards.argmax())
    return choices[best : best + 1], float(rewards[best])


def neighbours(
    choice: ChoiceArray, space: Space, applicable: Applicable | None = None
) -> ChoiceArray:
    """Choices [N, D] that differ from `choice` [D] in one decision that matters."""
    counts = space.cardinalities - 1
    if applicable is not None:
        counts = counts * applicable(choice[None])[0]
    places = np.repeat(np.arange(len(choice)), counts)
    steps = 1 + np.arange(len(places)) - np.repeat(np.cumsum(counts) - counts, counts)
    near = np.repeat(choice[None], len(places), axis=0)
    near[np.arange(len(places)), places] = (choice[places] + steps) % space.cardinalities[places]
    return near
