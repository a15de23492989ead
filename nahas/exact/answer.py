"""The best designs, the front and a check of both, in one pass over every design."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from nahas.exact.check import Checking
from nahas.exact.costs import Block
from nahas.exact.every import Progress, costs_of, walk
from nahas.exact.front import OBJECTIVES, ExactFront, Sweeping, check_objectives
from nahas.exact.optimum import Exact, Judging
from nahas.problem import Problem
from nahas.reward import Reward

CHECKED = 5000
"""Designs that are simulated again unless it is said otherwise: about a second."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What is true of all designs of a space.

    Attributes:
        optima: of each reward.
        front: the designs that no other dominates.
        checked: how many designs, drawn at random, were simulated one by one as well: latency and
            area were equal to the last bit.
        energy_difference: the most that an energy of these was off, as a part of it.
        seconds: that it took.
    """

    optima: tuple[Exact, ...]
    front: ExactFront
    checked: int
    energy_difference: float
    seconds: float


def exact_answer(
    problem: Problem,
    rewards: Sequence[Reward],
    objectives: Sequence[str] = OBJECTIVES,
    *,
    best: int = 10,
    checked: int = CHECKED,
    progress: Progress = lambda *_: None,
) -> Answer:
    """`exact_optima` and `exact_front` in one pass, with a check.

    Args:
        problem: costed by the simulator; not of a cost model.
        rewards: of which the best designs are sought.
        objectives: of the front.
        best: distinct networks to report of each reward.
        checked: about how many designs to simulate again.
        progress: told after every block.

    Raises:
        UsageError: as `exact_optima` and `exact_front`.
    """
    check_objectives(objectives)
    begun = time.monotonic()
    costs = costs_of(problem)
    accuracy = problem.accuracy.accuracy(costs.networks)
    judging, sweeping = Judging(costs, accuracy, rewards), Sweeping(costs, accuracy, objectives)
    checking = Checking(problem, costs, checked, np.random.default_rng(0))

    def take(block: Block) -> None:
        for part in (judging, sweeping, checking):
            part.take(block)

    walk(costs, take, progress)
    optima = [judging.answer(problem, i, best) for i in range(len(rewards))]
    seconds = time.monotonic() - begun
    return Answer(
        optima=tuple(replace(of, seconds=seconds) for of in optima),
        front=sweeping.answer(seconds),
        checked=checking.checked,
        energy_difference=checking.furthest,
        seconds=seconds,
    )
