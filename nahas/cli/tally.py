"""What a search has come to, kept up batch by batch at a cost that does not grow with it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.pareto import hypervolume_of
from nahas.study.trials import Trials
from nahas.vocabulary import Reason

RECENT_TRIALS = 500
"""The last batches that together have as many trials are the recent ones."""

RECENT_SECONDS = 60.0
"""Of so long the rate is told: a search gets quicker when it proposes what it knows."""

CANNOT_RUN = "cannot run"
NO_ACCURACY = "no accuracy"


@dataclass(frozen=True, kw_only=True)
class Share:
    """How many trials something is true of.

    Attributes:
        recent: of the recent trials, from 0 to 1.
        overall: of all.
    """

    recent: float
    overall: float


class Tally:
    """Counts, the best trial, and how quick a search is.

    `hypervolume` is that of a Pareto search, and else means nothing.

    Args:
        total: trials at which the search ends.
        limits: the targets by metric, fields of `Trials`.
        time_limit_s: seconds after which it ends; None is none.
        clock: seconds that never go back.
    """

    def __init__(
        self,
        total: int,
        limits: Mapping[str, float],
        *,
        time_limit_s: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.total = total
        self.limits = dict(limits)
        self.done = 0
        self.satisfied = 0
        self.hypervolume = 0.0
        self.best: Mapping[str, Any] | None = None
        self.improvements: list[tuple[int, float]] = []
        self._clock = clock
        self._begun = clock()
        self._time_limit_s = time_limit_s
        self._marks: deque[tuple[float, int]] = deque()
        self._batches: deque[NDArray[np.int64]] = deque()
        kinds = 1 + len(self.limits) + len(Reason) + 1
        self._overall, self._recent = np.zeros(kinds, np.int64), np.zeros(kinds, np.int64)

    def recall(self, trials: Trials) -> None:
        """Take over what an earlier run did; it says nothing of how quick this one is."""
        if len(trials):
            self._take(trials)

    def add(self, trials: Trials) -> None:
        """Take a batch in."""
        self._take(trials)
        marks, now = self._marks, self._clock()
        if len(marks) > 1 and now - marks[-2][0] < 1:
            marks.pop()  # one mark a second is enough
        marks.append((now, self.done))
        while len(marks) > 2 and now - marks[1][0] >= RECENT_SECONDS:
            marks.popleft()

    @property
    def seconds(self) -> float:
        """Since this run began."""
        return self._clock() - self._begun

    @property
    def per_second(self) -> float | None:
        """Trials a second of late; None before two batches are done."""
        if len(self._marks) < 2:
            return None
        (then, before), (now, done) = self._marks[0], self._marks[-1]
        return (done - before) / (now - then) if now > then else None

    @property
    def seconds_left(self) -> float | None:
        """Till the search ends, never below 0; None where nobody knows."""
        rate = self.per_second
        by_trials = inf if not rate else (self.total - self.done) / rate
        by_time = inf if self._time_limit_s is None else self._time_limit_s - self.seconds
        least = max(0.0, min(by_trials, by_time))
        return None if least == inf else least

    def shares(self) -> dict[str, Share]:
        """How many trials miss each target, cannot run, or have no accuracy.

        Of a design that cannot run no cost is known: it counts once, as that.
        """
        names = (*self.limits, CANNOT_RUN, NO_ACCURACY)
        at = len(self.limits)
        recent, overall = (
            (*counts[1 : 1 + at], counts[1 + at : -1].sum(), counts[-1])
            for counts in (self._recent, self._overall)
        )
        return {
            name: Share(
                recent=int(r) / max(1, int(self._recent[0])),
                overall=int(o) / max(1, int(self._overall[0])),
            )
            for name, r, o in zip(names, recent, overall, strict=True)
        }

    @property
    def missed(self) -> float:
        """The share of all trials that do not meet every target."""
        return 1 - self.satisfied / max(1, int(self._overall[0]))

    @property
    def recent_trials(self) -> int:
        """How many trials the recent ones are."""
        return int(self._recent[0])

    def reasons(self) -> dict[str, float]:
        """The share of all trials that cannot run, by reason, the most frequent first."""
        counts = self._overall[1 + len(self.limits) : -1]
        shares = {
            reason.name.lower().replace("_", " "): int(counts[reason]) / int(self._overall[0])
            for reason in Reason
            if counts[reason]
        }
        return dict(sorted(shares.items(), key=lambda item: -item[1]))

    def _take(self, trials: Trials) -> None:
        self.done = int(trials.number[-1]) + 1
        self.satisfied += int(np.count_nonzero(trials.satisfied))
        self.hypervolume += hypervolume_of(trials)
        counts = self._counts(trials)
        self._overall += counts
        self._recent += counts
        self._batches.append(counts)
        while self._recent[0] - self._batches[0][0] >= RECENT_TRIALS:
            self._recent -= self._batches.popleft()
        self._look_for_better(trials)

    def _counts(self, trials: Trials) -> NDArray[np.int64]:
        """Trials; those that miss each target; those of each reason; those with no accuracy."""
        feasible = trials.feasible
        missed = [
            np.count_nonzero(feasible & (getattr(trials, metric) > limit))
            for metric, limit in self.limits.items()
        ]
        reasons = np.bincount(trials.reason, minlength=len(Reason))
        reasons[Reason.OK] = 0
        without = np.count_nonzero(feasible & np.isnan(trials.accuracy))
        return np.array([len(trials), *missed, *reasons, without], np.int64)

    def _look_for_better(self, trials: Trials) -> None:
        """The best trial: among those within every target, if any, that of the highest reward."""
        best = self.best
        if best is not None and best["satisfied"] and trials.reward.max() <= best["reward"]:
            return  # as nearly always
        able = np.flatnonzero(trials.feasible & ~np.isnan(trials.accuracy))
        if not able.size:
            return
        order = np.lexsort((trials.reward[able], trials.satisfied[able]))
        row = int(able[order[-1]])
        found = {
            field.name: getattr(trials, field.name)[row].item()
            for field in fields(Trials)
            if field.name != "choices"
        }
        rank = (found["satisfied"], found["reward"])
        if best is None or rank > (best["satisfied"], best["reward"]):
            self.best = found
            self.improvements.append((found["number"], found["reward"]))
