"""Simulating again what a search found best by predicted costs, so that truth ranks it.

A search climbs whatever measures it, errors included: of the designs that a cost model likes best
more are overrated than of designs at large. So the best by prediction are only candidates.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from nahas.cosearch import rewarded
from nahas.designs import best_rows, ranked_rows
from nahas.problem import Problem
from nahas.reward import Reward
from nahas.spaces.joint import JointSpace
from nahas.study.front import front_rows
from nahas.study.trials import Trials

MARGIN = 4
"""Candidates simulated for each design to be reported."""


def candidate_rows(joint: JointSpace, trials: Trials, count: int) -> NDArray[np.int64]:
    """Rows of what may be among the best `count` designs, or on the front, in truth.

    These are, by predicted costs, the best `MARGIN * count` designs, the best of as many networks
    (many accelerators of one network may be alike), and the Pareto front of what meets every
    target.
    """
    designs = ranked_rows(joint, trials)[: MARGIN * count]
    networks, _ = best_rows(joint, trials, MARGIN * count)
    return np.unique(np.concatenate([designs, networks, front_rows(trials)]))


def simulated_again(problem: Problem, reward: Reward, trials: Trials, count: int) -> Trials:
    """The candidates among trials of predicted costs, each with simulated costs and its reward."""
    some = trials[candidate_rows(problem.joint, trials, count)]
    if not len(some):
        return some
    measures = (some.accuracy, problem.simulated(some.choices))
    again = rewarded(some.choices, measures, reward, first=0)
    return replace(again, number=some.number, time=some.time)
