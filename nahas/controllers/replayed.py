"""Controllers of other tools, whose state cannot be read: it is what they have been told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from nahas.controllers.base import State
from nahas.errors import StudyError
from nahas.spaces.space import ChoiceArray, Space


class Proposer(Protocol):
    """Another tool's algorithm. Of the same seed and rewards it proposes the same."""

    def propose(self, count: int) -> ChoiceArray:
        """Propose choices: [count, D]."""
        ...

    def learn(self, rewards: NDArray[np.float64]) -> None:
        """Learn the rewards [<= count] of what was proposed last, or of the first of it."""
        ...


class Replayed:
    """Drives another tool's algorithm, and restores it by proposing and telling all again.

    So `restore` takes as long as the algorithm took, and finds out when another version of the
    tool proposes otherwise.

    Args:
        space: what to choose from.
        rng: the source of the algorithm's seed.
        make: the algorithm of a seed.
    """

    def __init__(
        self, space: Space, rng: np.random.Generator, make: Callable[[int], Proposer]
    ) -> None:
        self._make = make
        self._choices = [np.zeros((0, len(space.decisions)), np.int64)]
        self._rewards = [np.zeros(0)]
        self._begin(int(rng.integers(2**31)))

    def ask(self, count: int) -> ChoiceArray:
        """Propose choices: [count, D]."""
        return self._proposer.propose(count)

    def tell(self, choices: ChoiceArray, rewards: NDArray[np.float64]) -> None:
        """Learn from the rewards [count] of the proposed choices."""
        self._proposer.learn(rewards)
        self._choices.append(choices)
        self._rewards.append(rewards)

    def state(self) -> State:
        """The seed, and all that was told, with the number of trials of each round."""
        return {
            "seed": np.array([self._seed]),
            "choices": np.concatenate(self._choices),
            "rewards": np.concatenate(self._rewards),
            "rounds": np.array([len(round_) for round_ in self._rewards[1:]], np.int64),
        }

    def restore(self, state: State) -> None:
        """Continue from a `state`.

        Raises:
            StudyError: when the algorithm does not propose what it proposed then.
        """
        self._begin(int(state["seed"][0]))
        rounds = state["rounds"].astype(np.int64)
        ends = np.cumsum(rounds)
        for start, end in zip(ends - rounds, ends, strict=True):
            choices = state["choices"][start:end].astype(np.int64)
            rewards = state["rewards"][start:end].astype(np.float64)
            if not np.array_equal(self.ask(len(choices)), choices):
                raise StudyError(
                    "the controller does not propose again what it proposed in this study: install "
                    "the versions that the study began with, or begin another study"
                )
            self.tell(choices, rewards)

    def _begin(self, seed: int) -> None:
        self._seed = seed
        self._proposer = self._make(seed)
        del self._choices[1:], self._rewards[1:]
