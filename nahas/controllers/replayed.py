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
    """Another tool's algorithm. Of the same seed and lessons it proposes the same."""

    def propose(self, count: int) -> ChoiceArray:
        """Propose choices: [count, D]."""
        ...

    def learn(self, lessons: NDArray[np.float64]) -> None:
        """Learn of what was proposed, in that order: lessons [count, M], to be maximised."""
        ...


class Replayed:
    """Drives another tool's algorithm, and restores it by proposing and telling all again.

    So `restore` takes as long as the algorithm took, and finds out when another version of the
    tool proposes otherwise. It has `tell_objectives` where there are several objectives.

    Args:
        space: what to choose from.
        rng: the source of the algorithm's seed.
        make: the algorithm of a seed.
        objectives: M of the algorithm. A reward is told it as each of them: of choices whose
            objectives are equal among themselves the one of larger reward dominates.
    """

    tell_objectives: Callable[[ChoiceArray, NDArray[np.float64]], None]

    def __init__(
        self,
        space: Space,
        rng: np.random.Generator,
        make: Callable[[int], Proposer],
        objectives: int = 1,
    ) -> None:
        self._make = make
        self._objectives = objectives
        self._choices = [np.zeros((0, len(space.decisions)), np.int64)]
        self._lessons = [np.zeros((0, objectives))]
        self._rounds: list[int] = []
        self._begin(int(rng.integers(2**31)))
        if objectives > 1:
            self.tell_objectives = lambda _, objectives: self._learn(-objectives)

    def ask(self, count: int) -> ChoiceArray:
        """Propose choices: [count, D]."""
        choices = self._proposer.propose(count)
        self._choices.append(choices)
        self._rounds.append(count)
        return choices

    def tell(self, choices: ChoiceArray, rewards: NDArray[np.float64]) -> None:
        """Learn from the rewards [count] of the proposed choices."""
        del choices  # the algorithm remembers what it proposed
        self._learn(np.repeat(rewards[:, None], self._objectives, axis=1))

    def state(self) -> State:
        """The seed, all that was asked and told, and how many in each round.

        `rounds` has the size of what was asked for, and minus the size of what was told.
        """
        return {
            "seed": np.array([self._seed]),
            "choices": np.concatenate(self._choices),
            "lessons": np.concatenate(self._lessons),
            "rounds": np.array(self._rounds, np.int64),
        }

    def restore(self, state: State) -> None:
        """Continue from a `state`.

        Raises:
            StudyError: when the algorithm does not propose what it proposed then, or the state
                is of another controller.
        """
        try:
            seed, rounds = int(state["seed"][0]), state["rounds"].tolist()
            choices = state["choices"].astype(np.int64)
            lessons = state["lessons"].astype(np.float64)
        except KeyError as error:
            raise StudyError(
                f"the kept controller state is of another kind (it has no {error}): continue with "
                "the nahas that began the study, or start another"
            ) from error
        self._begin(seed)
        for size in rounds:
            if size < 0:
                self._learn(lessons[:-size])
                lessons = lessons[-size:]
                continue
            if not np.array_equal(self.ask(size), choices[:size]):
                raise StudyError(
                    "the controller does not propose again what it proposed in this study: install "
                    "the versions that the study began with, or begin another study"
                )
            choices = choices[size:]

    def _learn(self, lessons: NDArray[np.float64]) -> None:
        self._proposer.learn(lessons)
        self._lessons.append(lessons)
        self._rounds.append(-len(lessons))

    def _begin(self, seed: int) -> None:
        self._seed = seed
        self._proposer = self._make(seed)
        self._rounds.clear()
        del self._choices[1:], self._lessons[1:]
