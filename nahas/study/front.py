"""The Pareto front and the hypervolume of a study's trials."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nahas.kernels import pareto
from nahas.study.trials import Trials

PLANE = ("accuracy", "latency_ms")
"""The objectives that reports draw. Accuracy is better when high, all else when low."""

MAXIMISED = frozenset({"accuracy"})


def front(trials: Trials, objectives: Sequence[str] = PLANE) -> NDArray[np.int64]:
    """Rows of the feasible, nondominated trials, from the least to the most accurate.

    Of trials equal in every objective the first is kept.
    """
    rows = np.flatnonzero(pareto.nondominated(_costs(trials, objectives)))
    return rows[np.argsort(trials.accuracy[rows], kind="stable")]


def front_rows(trials: Trials) -> NDArray[np.int64]:
    """Rows of the trials that meet every target and that none such dominates.

    In accuracy and latency; from the least to the most accurate.
    """
    rows = np.flatnonzero(trials.satisfied)
    return rows[front(trials[rows])] if rows.size else rows


def hypervolume(
    trials: Trials, reference: dict[str, float], objectives: Sequence[str] = PLANE
) -> float:
    """What the feasible trials dominate, in the product of the objectives' units.

    Args:
        trials: the trials.
        reference: for each objective the value that a trial must better to count, such as the
            accuracy of guessing and the latency of the baseline.
        objectives: two or three fields of `Trials`.
    """
    corner = np.array([_sign(name) * reference[name] for name in objectives])
    return pareto.hypervolume(_costs(trials, objectives), corner)


def _costs(trials: Trials, objectives: Sequence[str]) -> NDArray[np.float64]:
    """[T, M] the objectives, all to be minimised; infeasible trials stand at infinity."""
    costs = np.stack([_sign(name) * getattr(trials, name) for name in objectives], axis=1)
    costs[~trials.feasible] = np.inf
    return costs


def _sign(objective: str) -> float:
    return -1.0 if objective in MAXIMISED else 1.0
