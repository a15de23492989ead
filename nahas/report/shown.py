"""The designs that a page shows: of one study or of several, each design once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nahas.designs import best_rows, distinct_rows
from nahas.pareto import OBJECTIVES
from nahas.report.summary import UNITS
from nahas.spaces.joint import JointSpace
from nahas.strategies import SearchResult
from nahas.study.front import front
from nahas.study.trials import Trials, joined

MOST_DESIGNS = 40_000
"""Of more designs every n-th is shown, and the best and the fronts whole."""

MOST_BEST = 300
"""Best designs of distinct networks that are shown whatever is left out."""

LAYERS_OF_BEST = 8
"""Best designs whose layers are shown."""

LAYERS_OF_FRONTS = 8
"""Designs of each front whose layers are shown."""


@dataclass(frozen=True, kw_only=True)
class Shown:
    """Designs with simulated costs.

    Attributes:
        trials: [N] the trials that first proposed them.
        study: [N] which of the studies did.
        best: rows of the best designs of distinct networks, best first; where all studies are in
            Pareto mode, of the front of all objectives instead, the most accurate first.
        fronts: for each group and metric the rows of the front of accuracy and that metric,
            among designs that meet every target.
        step: every how manieth design is shown, but for the best and the fronts.
        distinct: how many designs the studies hold.
    """

    trials: Trials
    study: NDArray[np.int64]
    best: NDArray[np.int64]
    fronts: tuple[dict[str, NDArray[np.int64]], ...]
    step: int
    distinct: int

    @property
    def opened(self) -> list[int]:
        """Rows of the designs whose layers are shown: the best, and some of the fronts."""
        rows = self.best[:LAYERS_OF_BEST].tolist()
        for of in self.fronts:
            for line in of.values():
                count = min(len(line), LAYERS_OF_FRONTS)
                rows += line[np.linspace(0, len(line) - 1, count).round().astype(int)].tolist()
        runs = self.trials.feasible
        return [row for row in dict.fromkeys(rows) if runs[row]]


def shown(joint: JointSpace, groups: Sequence[Sequence[SearchResult]]) -> Shown:
    """The designs of studies of one space, in groups."""
    results = [result for group in groups for result in group]
    parts = [result.true[np.sort(distinct_rows(joint, result.true))] for result in results]
    trials = joined(parts)
    study = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    of_study = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
    group = of_study[study]
    if in_pareto_mode(results):
        best = _front_of_all(trials)
    else:
        best, _ = best_rows(joint, trials, MOST_BEST)
    fronts = [
        {metric: _front(trials, group == number, metric) for metric in UNITS}
        for number in range(len(groups))
    ]
    step = -(-len(trials) // MOST_DESIGNS) or 1
    kept = np.zeros(len(trials), np.bool_)
    kept[::step] = True
    for rows in (best, *(line for of in fronts for line in of.values())):
        kept[rows] = True
    new = np.cumsum(kept) - 1
    return Shown(
        trials=trials[kept],
        study=study[kept],
        best=new[best],
        fronts=tuple({metric: new[line] for metric, line in of.items()} for of in fronts),
        step=step,
        distinct=len(trials),
    )


def in_pareto_mode(results: Sequence[SearchResult]) -> bool:
    """Whether all of these searched a front, so that a page of them has no best design."""
    return all(result.front is not None for result in results)


def _front_of_all(trials: Trials) -> NDArray[np.int64]:
    rows = np.flatnonzero(trials.satisfied)
    return rows[front(trials[rows], OBJECTIVES)][::-1] if rows.size else rows


def _front(trials: Trials, group: NDArray[np.bool_], metric: str) -> NDArray[np.int64]:
    rows = np.flatnonzero(group & trials.satisfied)
    return rows[front(trials[rows], ("accuracy", metric))] if rows.size else rows
