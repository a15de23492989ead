"""One pass over every design, for whatever is to be known of them."""

from __future__ import annotations

from collections.abc import Callable

from nahas.accuracy.backend import Slow
from nahas.errors import UsageError
from nahas.exact.costs import Block, JointCosts, check_size
from nahas.problem import Problem
from nahas.vocabulary import Objective

Progress = Callable[[int, int], None]
"""Told after every block how many designs have been costed, and of how many."""


def check_costed(problem: Problem) -> None:
    """Raise what `costs_of` would raise of a problem; nothing is costed.

    Raises:
        UsageError: when there are too many designs, accuracies are trained, or costs are not
            the simulator's.
    """
    check_size(problem.joint)
    if isinstance(problem.accuracy, Slow):
        raise UsageError(
            f"accuracies are '{problem.accuracy.label}', which takes seconds for each network, so "
            "not every design can be had: name a --table or a --surrogate"
        )
    if problem.objective is None or problem.predict is not None:
        raise UsageError(
            "costs come from a cost model, but every design is costed by the simulator alone: "
            "leave out --cost-model"
        )


def costs_of(problem: Problem) -> JointCosts:
    """The costs of every design of a problem.

    Raises:
        UsageError: as `check_costed`.
    """
    check_costed(problem)
    objective = Objective.LATENCY if problem.objective is None else problem.objective
    return JointCosts(problem.joint, objective, problem.tables)


def walk(costs: JointCosts, take: Callable[[Block], None], progress: Progress) -> None:
    """Give every block of designs to `take`, and tell of it. Ctrl-C ends it between two kernels."""
    done = 0
    for block in costs.blocks():
        take(block)
        done += block.latency_ms.size
        progress(done, len(costs))
