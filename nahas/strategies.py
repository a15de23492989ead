"""Ways to search: here joint, one controller deciding network and accelerator together."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from nahas import plugins
from nahas.accuracy.backend import Uncertain
from nahas.controllers.base import Controller, State
from nahas.controllers.ppo import Ppo, PpoHyperparameters
from nahas.controllers.random import Random
from nahas.controllers.reinforce import Reinforce, ReinforceHyperparameters
from nahas.cosearch import Measurer, Run, Stop, cosearch, interrupts, rewarded
from nahas.datafiles import nearest
from nahas.designs import Design, best_designs, best_rows, described, deviating
from nahas.errors import StudyError, UsageError
from nahas.manifest import versions
from nahas.problem import CONTROLLERS, Problem, Search, problem_of, unmeasured
from nahas.recheck import simulated_again
from nahas.reward import Reward, Target
from nahas.spaces.accelerator import accelerator_space
from nahas.spaces.joint import JointSpace
from nahas.spaces.listed import listed_as
from nahas.spaces.named import named
from nahas.study.file import check_exists, damaged
from nahas.study.origin import Origin
from nahas.study.store import Study
from nahas.study.trials import Trials, joined, no_trials

__all__ = [
    "CONTROLLERS",
    "Design",
    "Search",
    "SearchResult",
    "check",
    "joint",
    "recall",
    "searched",
]

MOST_NOTED = 300
"""Best designs whose accuracies' deviations are kept with a study: as many as a page shows."""


@dataclass(frozen=True, kw_only=True)
class SearchResult:
    """What a search found.

    Attributes:
        best: feasible designs of distinct networks, each on its best accelerator: those within
            every target first, then by reward.
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

    @property
    def true(self) -> Trials:
        """The trials with simulated costs: what reports choose from."""
        return self.trials if self.simulated is None else self.simulated


def joint(
    search: Search | None = None, progress: Callable[[Trials], None] = lambda _: None
) -> SearchResult:
    """Search networks and accelerators together.

    Ctrl-C ends the search after the batch in flight, with what was found until then.

    Args:
        search: what to search; None is the default.
        progress: called with every batch of trials.

    Raises:
        NahasError: whatever of the options, the study or the tables cannot be used.
    """
    search = search or Search()
    return searched(problem_of(search), search, progress)


def searched(
    problem: Problem, search: Search, progress: Callable[[Trials], None] = lambda _: None
) -> SearchResult:
    """Search a problem: what `joint` does, for designs measured in any way."""
    begun = time.monotonic()
    run, reward, origin = _checked(problem, search)
    measure = Measurer(problem.accuracies, problem.predict or problem.cost)
    with interrupts() as pressed, _Keeping(search, origin, progress) as keeping:
        controller = _controller(search, problem.joint)
        run = replace(run, start=keeping.restore(controller, measure))
        stop = cosearch(controller, measure, reward, run, keeping.keep, stop=pressed)
        trials, again = keeping.trials(), None
        if problem.predict is not None:
            again = simulated_again(problem, reward, trials)
            keeping.keep_simulated(again)
        origin = noted(problem, origin, trials if again is None else again)
        keeping.keep_notes(origin)
        result = _result(problem.joint, origin, (trials, again), search.best)
    seconds = time.monotonic() - begun
    return replace(result, stop=stop, seconds=seconds, study=search.study)


def check(problem: Problem, search: Search) -> None:
    """Raise what `searched` would raise before it measures anything; write nothing.

    Raises:
        NahasError: whatever of the options cannot be used, or of the study to be resumed.
    """
    _, _, origin = _checked(unmeasured(problem), search)
    if search.study is not None and search.resume:
        check_exists(search.study)
        with Study.read(search.study) as study:
            origin.check_continues(study.origin, search.study)


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
        return replace(_result(joint_space, origin, (study.trials(), again), best), study=path)


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


@dataclass
class _Keeping:
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

    def restore(self, controller: Controller, measure: Measurer) -> int:
        """Put the controller where the study left it; the trials it has learnt from."""
        if self.study is None:
            return 0
        start, state = self.study.state() or (0, None)
        # Not what came after: measured again in whole batches, as an unbroken search does.
        measure.learn(self.study.trials()[:start])
        if state is not None:
            controller.restore(state)
        return start

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

    def __enter__(self) -> _Keeping:
        return self

    def __exit__(self, *_: object) -> None:
        if self.study is not None:
            self.study.close()


def _checked(problem: Problem, search: Search) -> tuple[Run, Reward, Origin]:
    if search.controller not in (known := (*CONTROLLERS, *plugins.names(plugins.CONTROLLERS))):
        raise UsageError(
            f"there is no controller '{search.controller}': allowed are "
            f"{', '.join(known)}{nearest(search.controller, known)}"
        )
    if search.controller not in CONTROLLERS:
        _controller(search, problem.joint)  # raises where it cannot be made
    run = Run(trials=search.trials, batch=search.batch, time_limit_s=search.time_limit_s)
    reward, baseline = _reward(problem, search)
    return run, reward, _origin(problem, search, reward, baseline)


def _controller(search: Search, joint_space: JointSpace) -> Controller:
    rng = np.random.default_rng(search.seed)
    if search.controller == "random":
        return Random(joint_space.space, rng)
    if search.controller == "ppo":
        return Ppo(joint_space.space, rng, applicable=joint_space.applicable)
    if search.controller == "reinforce":
        return Reinforce(joint_space.space, rng, applicable=joint_space.applicable)
    make = plugins.plugin(plugins.CONTROLLERS, search.controller)
    made: Controller = make(joint_space.space, rng, joint_space.applicable)
    return made


def _reward(problem: Problem, search: Search) -> tuple[Reward, Design]:
    """The reward with its targets in the metrics' units, and the baseline design under it."""
    space = problem.joint.network_space
    choices = problem.reference[None, :]
    costs = problem.simulate([space.network(problem.reference)], [problem.baseline])
    targets = [
        Target(name, limit.absolute(float(getattr(costs, name)[0])))
        for name, limit in search.limits.items()
    ]
    reward = Reward.preset(search.reward, targets)
    if search.reward_p is not None:
        reward = replace(reward, p=search.reward_p)
    if search.reward_q is not None:
        reward = replace(reward, q=search.reward_q)
    measures = (problem.accuracy.accuracy(choices), costs)
    trial = rewarded(choices, measures, reward, first=-1)
    hardware = {
        d.name: getattr(problem.baseline, d.name) for d in problem.joint.accelerator.decisions
    }
    return reward, described(space, problem.reference, hardware, trial)


def _origin(problem: Problem, search: Search, reward: Reward, baseline: Design) -> Origin:
    options: dict[str, Any] = {
        "space": problem.joint.network_space.name,
        "hardware_space": problem.joint.hardware_space,
        "controller": search.controller,
        "batch": search.batch,
        "reward": search.reward,
        "reward_exponents": [reward.p, reward.q],
        "targets": {name: str(limit) for name, limit in search.limits.items()},
        "baseline": asdict(problem.baseline),
        "objective": search.objective.name.lower(),
    }
    if problem.cost_model is not None:
        options["cost_model"] = problem.cost_model
    if search.controller == "ppo":
        options["ppo"] = asdict(PpoHyperparameters())
    if search.controller == "reinforce":
        options["reinforce"] = asdict(ReinforceHyperparameters())
    return Origin(
        space=problem.joint.space,
        seed=search.seed,
        options=options,
        fingerprints=problem.probed(),
        versions={name: text for name, text in versions().items() if text is not None},
        notes={
            "accuracy": problem.accuracy.label,
            "targets": {target.metric: target.limit for target in reward.targets},
            "baseline": asdict(baseline),
            "space": problem.joint.network_space.place,
        },
    )


def noted(problem: Problem, origin: Origin, trials: Trials) -> Origin:
    """The origin, with the deviations of accuracies that its back-end knows of the best designs."""
    if not isinstance(problem.accuracy, Uncertain):
        return origin
    space = problem.joint.network_space
    rows, _ = best_rows(problem.joint, trials, MOST_NOTED)
    networks = problem.joint.split(trials.choices[rows])[0]
    networks = np.concatenate([problem.reference[None, :], networks])
    names = [space.network_name(space.space.values(network)) for network in networks]
    known = np.round(problem.accuracy.deviation(networks), 6).tolist()
    deviations = dict(zip(names, known, strict=True))
    return replace(origin, notes={**origin.notes, "accuracy_deviations": deviations})


def _result(
    joint_space: JointSpace, origin: Origin, kept: tuple[Trials, Trials | None], best: int
) -> SearchResult:
    """The result of all trials, and of those simulated again where there are such."""
    trials, again = kept
    deviations = origin.notes.get("accuracy_deviations", {})
    shown, predicted = (trials, None) if again is None else (again, trials)
    return SearchResult(
        best=tuple(best_designs(joint_space, shown, best, predicted, deviations)),
        baseline=deviating(Design(**origin.notes["baseline"]), deviations),
        targets=origin.notes["targets"],
        accuracy_label=origin.notes["accuracy"],
        trials=trials,
        simulated=again,
        joint=joint_space,
        options=origin.options,
        seed=origin.seed,
        deviations=deviations,
    )
