"""Keeping the trials of a search: in a study where there is one, and in memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from nahas.controllers.base import Controller, State
from nahas.cosearch import Run, continued
from nahas.errors import UsageError
from nahas.measurer import Measurer
from nahas.problem import Search
from nahas.study.origin import Origin
from nahas.study.store import Study
from nahas.study.trials import Trials, joined, no_trials


@dataclass
class Keeping:
    """Keeps trials in a study where there is one, and in memory."""

    search: Search
    origin: Origin
    progress: Callable[[Trials], None]
    parts: list[Trials] = field(default_factory=list)
    study: Study | None = None

    def __post_init__(self) -> None:
        if self.search.study is None:
            if self.search.resume:
                raise UsageError("there is no study to resume: name its file with --study")
        elif self.search.resume:
            self.study = Study.resume(self.search.study, self.origin)
        else:
            self.study = Study.create(self.search.study, self.origin, time.time())

    def continued(self, run: Run, controller: Controller, measure: Measurer) -> Run:
        """The run from where the study left it, into which the controller is put as well."""
        if self.study is None:
            return run
        start, state = self.study.state() or (0, None)
        # Not what came after: measured again in whole batches, as an unbroken search does.
        measure.learn(self.study.trials()[:start])
        return continued(run, controller, start, state)

    def keep(self, trials: Trials, batch: int, state: State | None) -> None:
        """Keep a batch, then tell of it."""
        if self.study is None:
            self.parts.append(trials)
        else:
            self.study.keep(trials, batch, state)
        self.progress(trials)

    def keep_simulated(self, trials: Trials) -> None:
        """Keep true costs beside the predicted ones."""
        if self.study is not None:
            self.study.keep_simulated(trials)

    def keep_notes(self, origin: Origin) -> None:
        """Keep what is known of the best designs now."""
        if self.study is not None:
            self.study.keep_notes(origin)

    def trials(self) -> Trials:
        """All trials kept."""
        if self.study is not None:
            return self.study.trials()
        return joined([no_trials(len(self.origin.space.decisions)), *self.parts])

    def __enter__(self) -> Keeping:
        return self

    def __exit__(self, *_: object) -> None:
        if self.study is not None:
            self.study.close()
