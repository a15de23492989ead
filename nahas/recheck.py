"""Simulating again what a search by predicted costs tried, so that truth ranks it.

A search climbs whatever measures it, errors included: of the designs that a cost model likes best
more are overrated than of designs at large, and others that it dismisses are good. The simulator
takes seconds for all that a search tries, so it is asked about all of it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from nahas.cosearch import rewarded
from nahas.designs import distinct_rows
from nahas.problem import Problem
from nahas.reward import Rewarding
from nahas.spaces.joint import JointSpace
from nahas.study.trials import Trials

MOST = 20_000
"""Designs simulated again: some seconds of work, and more than most searches try."""


def candidate_rows(joint: JointSpace, trials: Trials) -> NDArray[np.int64]:
    """Rows of every distinct design, in order; of more than `MOST` those that earned most."""
    rows = np.sort(distinct_rows(joint, trials))
    best = np.argsort(-trials.reward[rows], kind="stable")[:MOST]
    return np.sort(rows[best])


def simulated_again(problem: Problem, reward: Rewarding, trials: Trials) -> Trials:
    """The candidates among trials of predicted costs, each with simulated costs and its reward."""
    some = trials[candidate_rows(problem.joint, trials)]
    if not len(some):
        return some
    costs = problem.failed(some.choices, problem.cost(some.choices))
    again = rewarded(some.choices, (some.accuracy, costs), reward, first=0)
    return replace(again, number=some.number, time=some.time)
