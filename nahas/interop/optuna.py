"""Optuna on a nahas space: any of its samplers as a controller, and its own studies.

Needs the extra `search`. Every decision is a categorical parameter, those that do not apply too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.controllers.allowed import Allowed, checked
from nahas.controllers.replayed import Replayed
from nahas.errors import UsageError
from nahas.spaces.space import ChoiceArray, Space


def distributions(space: Space, allowed: Allowed | None = None) -> dict[str, Any]:
    """The decisions as Optuna's distributions, for `study.ask(distributions(space))`.

    Args:
        space: the decisions.
        allowed: [D, K] the values that may be chosen; None is all.

    Raises:
        UsageError: when Optuna is not installed.
    """
    categorical = _optuna().distributions.CategoricalDistribution
    masks = checked(space, allowed)
    return {
        decision.name: categorical([decision.values[i] for i in np.flatnonzero(mask)])
        for decision, mask in zip(space.decisions, masks, strict=True)
    }


def params_of(space: Space, choice: ChoiceArray) -> dict[str, Any]:
    """A choice [D] as a trial's parameters."""
    return space.values(choice)


def choice_of(space: Space, params: Mapping[str, Any]) -> ChoiceArray:
    """The choice [D] of a trial's parameters.

    Raises:
        SpaceError: when they are not the space's.
    """
    return space.choice(params)


def controller(
    space: Space,
    rng: np.random.Generator,
    sampler: Callable[[int], Any] | None = None,
    allowed: Allowed | None = None,
    objectives: int = 1,
) -> Replayed:
    """A controller that a sampler drives.

    Args:
        space: what to choose from.
        rng: the source of the sampler's seed.
        sampler: makes an Optuna sampler of a seed: `lambda seed: GPSampler(seed=seed)`. None is
            the tree-structured Parzen estimator with Optuna's defaults.
        allowed: [D, K] the values that may be proposed; None is all.
        objectives: of the study; with several the controller has `tell_objectives`.

    Raises:
        UsageError: when Optuna is not installed.
    """
    make = sampler or (lambda seed: _optuna().samplers.TPESampler(seed=seed))
    study = partial(_Sampled, space, allowed, objectives)
    return Replayed(space, rng, lambda seed: study(make(seed)), objectives)


def tpe(space: Space, rng: np.random.Generator, _applicable: object) -> Replayed:
    """The controller `optuna-tpe`."""
    return controller(space, rng)


OBJECTIVES = 4
"""Accuracy, latency, energy and area."""


def nsga2(space: Space, rng: np.random.Generator, _applicable: object) -> Replayed:
    """The controller `nsga2`: NSGA-II with Optuna's defaults, a population of 50.

    Deb et al., "A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II", 2002,
    doi:10.1109/4235.996017. Without a Pareto search it is a genetic algorithm of one reward.
    """

    def sampler(seed: int) -> Any:
        return _optuna().samplers.NSGAIISampler(seed=seed)

    return controller(space, rng, sampler, objectives=OBJECTIVES)


class _Sampled:
    """Proposes what a sampler suggests in a study in memory."""

    def __init__(
        self, space: Space, allowed: Allowed | None, objectives: int, sampler: Any
    ) -> None:
        self._space = space
        self._distributions = distributions(space, allowed)
        directions = ["maximize"] * objectives
        self._study = _quietly(
            partial(_optuna().create_study, directions=directions, sampler=sampler)
        )
        self._untold: deque[Any] = deque()

    def propose(self, count: int) -> ChoiceArray:
        """Ask for `count` trials: [count, D]."""
        trials = [self._study.ask(self._distributions) for _ in range(count)]
        self._untold.extend(trials)
        return np.array([choice_of(self._space, trial.params) for trial in trials])

    def learn(self, lessons: NDArray[np.float64]) -> None:
        """Tell the values [count, M] of the first trials that have none yet."""
        for values in lessons.tolist():
            self._study.tell(self._untold.popleft(), values)


def _quietly(make: Callable[[], Any]) -> Any:
    """What `make` gives, without Optuna's line on standard error that there is a study."""
    logging = _optuna().logging
    before = logging.get_verbosity()
    logging.set_verbosity(logging.WARNING)
    try:
        return make()
    finally:
        logging.set_verbosity(before)


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise UsageError(
            f"Optuna cannot be imported ({error}): pip install 'nahas[search]'"
        ) from error
    return optuna
