"""What a search found, just now or as its study tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from nahas.cosearch import Stop
from nahas.designs import Design, best_designs, designs_of, deviating
from nahas.errors import StudyError
from nahas.pareto import OBJECTIVES, PARETO, Front, ParetoReward, front_of
from nahas.problem import Search
from nahas.spaces.accelerator import accelerator_space
from nahas.spaces.joint import JointSpace
from nahas.spaces.listed import listed_as
from nahas.spaces.named import named
from nahas.study.file import damaged
from nahas.study.origin import Origin
from nahas.study.store import Study
from nahas.study.trials import Trials


@dataclass(frozen=True, kw_only=True)
class SearchResult:
    """What a search found.

    Attributes:
        best: feasible designs of distinct networks, each on its best accelerator: those within
            every target first, then by reward. In Pareto mode designs of the front instead.
        baseline: the design that relative targets are multiples of.
        targets: the limits by metric, in the metric's unit.
        accuracy_label: what the accuracies are; to be shown with them.
        trials: all trials of the study.
        simulated: where the costs of `trials` are a cost model's, their designs, each once and
            with true costs; none before the search has ended. None where `trials` are simulated.
        joint: the space, to name any trial with `designs.design`.
        options: what the sequence of trials follows from.
        seed: of the search.
        stop: why it ended; None when read from a file.
        seconds: how long this run took; 0 when read from a file.
        deviations: of accuracies in percentage points by name of network, of the best, where the
            back-end knows them; none before the search has ended.
        study: the file that keeps the trials.
        front: in Pareto mode the front of `true`; else None.
        versions, fingerprints: of programs and of what computes costs, as the study keeps them.
    """

    best: tuple[Design, ...]
    baseline: Design
    targets: Mapping[str, float]
    accuracy_label: str
    trials: Trials
    joint: JointSpace
    options: Mapping[str, Any]
    seed: int
    stop: Stop | None = None
    seconds: float = 0.0
    study: Path | None = None
    simulated: Trials | None = None
    deviations: Mapping[str, float] = field(default_factory=dict)
    front: Front | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    fingerprints: Mapping[str, str] = field(default_factory=dict)

    @property
    def true(self) -> Trials:
        """The trials with simulated costs: what reports choose from."""
        return self.trials if self.simulated is None else self.simulated

    def designs(self, count: int) -> list[Design]:
        """Up to `count` designs to show, by simulated costs.

        They are those of `best`; in Pareto mode of the front, from the most accurate to the
        least, evenly spaced where there are more.
        """
        predicted = None if self.simulated is None else self.trials
        if self.front is None:
            return best_designs(self.joint, self.true, count, predicted, self.deviations)
        rows = self.front.rows
        if len(rows) > count:
            rows = rows[np.linspace(0, len(rows) - 1, count).round().astype(np.int64)]
        return designs_of(self.joint, self.true, rows, predicted, self.deviations)


def recall(path: Path, best: int = Search.best) -> SearchResult:
    """The result of a study file, as far as it has come; nothing is searched.

    Raises:
        StudyError: when the file is no study, damaged, or of a space that has changed since.
        SpaceError: when its network space is not known any more.
    """
    with Study.read(path) as study:
        origin = study.origin
        try:
            joint_space = _space_of(origin, path)
            Design(**origin.notes["baseline"])
        except (KeyError, TypeError) as error:
            raise damaged(path, f"what it is of cannot be read: {error}") from error
        again = study.simulated() if "cost_model" in origin.options else None
        return replace(result_of(joint_space, origin, (study.trials(), again), best), study=path)


def _space_of(origin: Origin, path: Path) -> JointSpace:
    """The joint space that a study searched."""
    accelerators = accelerator_space(str(origin.options.get("hardware_space", "paper")))
    name = str(origin.notes.get("space", origin.options["space"]))
    found = JointSpace(listed_as(named(name), origin.space), accelerators)
    then, now = (
        [(decision.name, decision.values) for decision in space.decisions]
        for space in (origin.space, found.space)
    )
    if then != now:
        raise StudyError(
            f"study {path} searched the space '{name}' when it had other decisions: put them back "
            "to read it"
        )
    return found


def result_of(
    joint_space: JointSpace, origin: Origin, kept: tuple[Trials, Trials | None], best: int
) -> SearchResult:
    """The result of all trials, and of those simulated again where there are such."""
    trials, again = kept
    deviations = origin.notes.get("accuracy_deviations", {})
    result = SearchResult(
        best=(),
        baseline=deviating(Design(**origin.notes["baseline"]), deviations),
        targets=origin.notes["targets"],
        accuracy_label=origin.notes["accuracy"],
        trials=trials,
        simulated=again,
        joint=joint_space,
        options=origin.options,
        seed=origin.seed,
        deviations=deviations,
        front=front_in(origin, trials if again is None else again),
        versions=origin.versions,
        fingerprints=origin.fingerprints,
    )
    return replace(result, best=tuple(result.designs(best)))


def front_in(origin: Origin, trials: Trials) -> Front | None:
    """The front of a study's trials with simulated costs; None where it has a reward to rank by."""
    if origin.options.get("reward") != PARETO:
        return None
    baseline = tuple(float(origin.notes["baseline"][name]) for name in OBJECTIVES)
    return front_of(trials, ParetoReward(baseline), int(origin.options["batch"]))
