"""PyGlove on a nahas space: a space as a `DNASpec`, and any of its generators as a controller.

Needs the extra `pyglove`. Every decision is one choice of a flat DNA, those that do not apply
too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.controllers.allowed import Allowed, checked
from nahas.controllers.replayed import Replayed
from nahas.errors import SpaceError, UsageError
from nahas.spaces.space import ChoiceArray, Space


def dna_spec(space: Space, allowed: Allowed | None = None) -> Any:
    """The decisions as a `pyglove.geno.Space`, each named as in the space.

    Args:
        space: the decisions.
        allowed: [D, K] the values that may be chosen; None is all.

    Raises:
        UsageError: when PyGlove is not installed.
    """
    geno = _pyglove().geno
    return geno.space(
        [
            geno.oneof(
                [geno.constant()] * int(mask.sum()),
                literal_values=[str(decision.values[i]) for i in np.flatnonzero(mask)],
                location=decision.name,
                name=decision.name,
            )
            for decision, mask in zip(space.decisions, checked(space, allowed), strict=True)
        ]
    )


def dna_of(space: Space, choice: ChoiceArray) -> Any:
    """A choice [D] as a DNA of `dna_spec(space)`.

    Raises:
        SpaceError: when it is not of the space.
        UsageError: when PyGlove is not installed.
    """
    space.check(choice[np.newaxis])
    return _pyglove().DNA.from_numbers(choice.tolist(), dna_spec(space))


def choice_of(space: Space, dna: Any, allowed: Allowed | None = None) -> ChoiceArray:
    """The choice [D] of a DNA of `dna_spec(space, allowed)`.

    Raises:
        SpaceError: when the DNA is not of the space.
    """
    values = [np.flatnonzero(mask) for mask in checked(space, allowed)]
    numbers = dna.to_numbers()
    if len(numbers) != len(values) or any(
        not isinstance(number, int) or not 0 <= number < len(of)
        for number, of in zip(numbers, values, strict=True)
    ):
        raise SpaceError(f"space '{space.name}': the DNA {numbers} is not of it: see dna_spec")
    return np.array([of[number] for number, of in zip(numbers, values, strict=True)])


def controller(
    space: Space,
    rng: np.random.Generator,
    generator: Callable[[int], Any] | None = None,
    allowed: Allowed | None = None,
) -> Replayed:
    """A controller that a DNA generator drives.

    Args:
        space: what to choose from.
        rng: the source of the generator's seed.
        generator: makes a `DNAGenerator` of a seed. None is regularized evolution with
            PyGlove's defaults: a population of 100, tournaments of 10, one mutation.
        allowed: [D, K] the values that may be proposed; None is all.

    Raises:
        UsageError: when PyGlove is not installed.
    """
    make = generator or _regularized_evolution
    return Replayed(space, rng, lambda seed: _Generated(space, make(seed), allowed))


def evolution(space: Space, rng: np.random.Generator, _applicable: object) -> Replayed:
    """The controller `pyglove-evolution`."""
    return controller(space, rng)


def _regularized_evolution(seed: int) -> Any:
    evolution = _pyglove().evolution
    # Both draw: a mutator without a seed would take its from the clock.
    mutator = evolution.mutators.Uniform(seed=seed)
    return evolution.regularized_evolution(mutator=mutator, seed=seed)


class _Generated:
    """Proposes what a generator proposes."""

    def __init__(self, space: Space, generator: Any, allowed: Allowed | None) -> None:
        self._space = space
        self._allowed = allowed
        self._generator = generator
        self._untold: deque[Any] = deque()
        generator.setup(dna_spec(space, allowed))

    def propose(self, count: int) -> ChoiceArray:
        """Propose `count` DNAs: [count, D]."""
        try:
            proposed = [self._generator.propose() for _ in range(count)]
        except StopIteration as error:
            raise UsageError(
                f"the generator {type(self._generator).__name__} has no more proposals: "
                "ask for fewer trials, or take another"
            ) from error
        self._untold.extend(proposed)
        return np.array([choice_of(self._space, dna, self._allowed) for dna in proposed])

    def learn(self, lessons: NDArray[np.float64]) -> None:
        """Feed the rewards [count, 1] of the first DNAs that have none yet back."""
        for (reward,) in lessons.tolist():
            self._generator.feedback(self._untold.popleft(), reward)


def _pyglove() -> Any:
    try:
        import pyglove
    except ImportError as error:
        raise UsageError(
            f"PyGlove cannot be imported ({error}): pip install 'nahas[pyglove]'"
        ) from error
    return pyglove
