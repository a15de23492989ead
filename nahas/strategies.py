"""Ways to search: here joint, one controller deciding network and accelerator together."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from nahas.accuracy.backend import Uncertain
from nahas.controllers.base import Controller
from nahas.controllers.named import CONTROLLERS, check_name, controller_of, knobs
from nahas.cosearch import Run, cosearch, interrupts, rewarded
from nahas.designs import Design, best_rows, described
from nahas.keeping import Keeping
from nahas.manifest import versions
from nahas.measurer import Measurer
from nahas.problem import Problem, Search, problem_of, unmeasured
from nahas.recheck import simulated_again
from nahas.result import SearchResult, recall, result_of
from nahas.reward import Reward, Target
from nahas.spaces.joint import JointSpace
from nahas.study.file import check_exists
from nahas.study.origin import Origin
from nahas.study.store import Study
from nahas.study.trials import Trials

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
    with interrupts() as pressed, Keeping(search, origin, progress) as keeping:
        controller = _controller(search, problem.joint)
        run = replace(run, start=keeping.restore(controller, measure))
        stop = cosearch(controller, measure, reward, run, keeping.keep, stop=pressed)
        trials, again = keeping.trials(), None
        if problem.predict is not None:
            again = simulated_again(problem, reward, trials)
            keeping.keep_simulated(again)
        origin = noted(problem, origin, trials if again is None else again)
        ended = {"by": stop.name.lower(), "trials": len(trials)}
        origin = replace(origin, notes={**origin.notes, "ended": ended})
        keeping.keep_notes(origin)
        result = result_of(problem.joint, origin, (trials, again), search.best)
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


def _checked(problem: Problem, search: Search) -> tuple[Run, Reward, Origin]:
    check_name(search.controller)
    if search.controller not in CONTROLLERS:
        _controller(search, problem.joint)  # raises where it cannot be made
    run = Run(trials=search.trials, batch=search.batch, time_limit_s=search.time_limit_s)
    reward, baseline = _reward(problem, search)
    return run, reward, _origin(problem, search, reward, baseline)


def _controller(search: Search, joint_space: JointSpace) -> Controller:
    rng = np.random.default_rng(search.seed)
    return controller_of(search.controller, joint_space.space, rng, joint_space.applicable)


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
    options |= knobs(search.controller)
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
