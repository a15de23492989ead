"""Regularised evolution: the youngest survive, the best of a few of them have children.

Real et al., "Regularized Evolution for Image Classifier Architecture Search", arXiv 1802.01548.
A population is a queue. For every child some members are drawn, the best of them is its parent,
and the child differs from it in one decision. What was told last enters the queue and the oldest
leaves it, however good it is: what is good by luck is forgotten, unless children of it are good.

The children of one batch have their parents in the same population. Of a batch larger than the
population only the last by their place in it stay, whatever they earn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nahas.controllers.base import Applicable, State
from nahas.controllers.generator import generator_array, set_generator
from nahas.errors import StudyError, UsageError
from nahas.spaces.space import ChoiceArray, Space


@dataclass(frozen=True, kw_only=True)
class EvolutionHyperparameters:
    """What evolution is tuned by. The defaults are those of the paper.

    Attributes:
        population: members of the queue; as many random choices come first.
        tournament: members drawn, some perhaps twice, of which the best is a parent.

    Raises:
        UsageError: naming the field, its value and what is allowed.
    """

    population: int = 100
    tournament: int = 25

    def __post_init__(self) -> None:
        for name in ("population", "tournament"):
            if getattr(self, name) < 1:
                raise UsageError(
                    f"evolution: {name} is {getattr(self, name)}, but it must be at least 1"
                )


class Evolution:
    """Mutates the best of a few of the youngest.

    Args:
        space: what to choose from.
        rng: the source of all randomness.
        applicable: tells of choices [B, D] which decisions matter [B, D]: others are not
            mutated, which would make the parent again. None: all matter.
        hyperparameters: see there.
    """

    def __init__(
        self,
        space: Space,
        rng: np.random.Generator,
        applicable: Applicable | None = None,
        hyperparameters: EvolutionHyperparameters | None = None,
    ) -> None:
        self._space = space
        self._rng = rng
        self._applicable = applicable
        self._knobs = hyperparameters or EvolutionHyperparameters()
        self._asked = 0
        self._choices = np.zeros((0, len(space.decisions)), np.int64)
        self._rewards = np.zeros(0)

    def ask(self, count: int) -> ChoiceArray:
        """Propose choices: [count, D]."""
        # Where nothing has been told yet there is no parent: more are drawn than the population.
        unborn = self._knobs.population - self._asked if len(self._rewards) else count
        drawn = min(max(unborn, 0), count)
        self._asked += count
        choices = self._space.sample(drawn, self._rng)
        if drawn == count:
            return choices
        return np.concatenate([choices, self._children(count - drawn)])

    def tell(self, choices: ChoiceArray, rewards: NDArray[np.float64]) -> None:
        """Let the proposed choices and their rewards [count] enter the population."""
        youngest = slice(-self._knobs.population, None)
        self._choices = np.concatenate([self._choices, choices])[youngest]
        self._rewards = np.concatenate([self._rewards, rewards])[youngest]

    def state(self) -> State:
        """The population with its rewards, how many were asked for, and the generator's state."""
        return {
            "population": self._choices,
            "rewards": self._rewards,
            "asked": np.array(self._asked),
            "rng": generator_array(self._rng),
        }

    def restore(self, state: State) -> None:
        """Continue from a `state`.

        Raises:
            StudyError: when the state is of another controller.
        """
        try:
            self._choices = state["population"].astype(np.int64)
            self._rewards = state["rewards"].astype(np.float64)
            self._asked = int(state["asked"])
            set_generator(self._rng, state["rng"])
        except (KeyError, ValueError) as error:
            raise StudyError(
                f"the kept controller state is not of evolution ({error}): continue with the nahas "
                "that began the study, or start another"
            ) from error

    def _children(self, count: int) -> ChoiceArray:
        """Mutants of tournaments' winners: [count, D]."""
        drawn = self._rng.integers(len(self._rewards), size=(count, self._knobs.tournament))
        winners = drawn[np.arange(count), self._rewards[drawn].argmax(axis=1)]
        return mutated(self._choices[winners], self._space, self._rng, self._applicable)


def mutated(
    parents: ChoiceArray,
    space: Space,
    rng: np.random.Generator,
    applicable: Applicable | None = None,
) -> ChoiceArray:
    """Choices [B, D] that differ from `parents` [B, D] in one decision that matters each.

    Decision and value are drawn uniformly. A parent without such a decision stays what it is.
    """
    others = space.cardinalities - 1
    open_ = np.broadcast_to(others > 0, parents.shape)
    if applicable is not None:
        open_ = open_ & applicable(parents)
    rows = np.flatnonzero(open_.any(axis=1))
    # The largest of uniform draws falls on each of the open decisions equally often.
    places = np.where(open_, rng.random(parents.shape), -1.0).argmax(axis=1)[rows]
    steps = 1 + rng.integers(others[places])
    children = parents.copy()
    children[rows, places] = (parents[rows, places] + steps) % space.cardinalities[places]
    return children
