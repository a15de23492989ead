"""Ways to search: networks and accelerators together, one alone, or one after the other."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from nahas.accuracy.backend import Uncertain
from nahas.controllers.base import Controller, State
from nahas.controllers.named import CONTROLLERS, check_name, knobs
from nahas.cosearch import Run, Stop, continued, cosearch, interrupts, rewarded
from nahas.designs import Design, best_rows, described
from nahas.keeping import Keeping
from nahas.manifest import versions
from nahas.measurer import Measurer, Measures
from nahas.pareto import OBJECTIVES, PARETO, REFERENCE, ParetoReward
from nahas.phases import ONE_SHOT, STRATEGIES, Plan, plan_of
from nahas.problem import Problem, Search, problem_of, reward_of, unmeasured
from nahas.recheck import simulated_again
from nahas.result import SearchResult, front_in, recall, result_of
from nahas.reward import Reward, targets_of
from nahas.study.file import check_exists
from nahas.study.origin import Origin
from nahas.study.store import Study
from nahas.study.trials import Trials, no_trials

__all__ = [
    "CONTROLLERS",
    "STRATEGIES",
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
    """Search networks and accelerators, together unless the strategy is another.

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
    with problem:
        return _searched(problem, search, progress)


def _searched(problem: Problem, search: Search, progress: Callable[[Trials], None]) -> SearchResult:
    if search.strategy == ONE_SHOT:
        from nahas.oneshot import searched_at_once  # TensorFlow: seconds to load

        _, reward, origin, _ = _checked(problem, search)
        assert isinstance(reward, Reward)  # the plan refuses a search without targets
        return searched_at_once(problem, search, (reward, origin), progress)
    begun = time.monotonic()
    run, reward, origin, plan = _checked(problem, search)
    measure = Measurer(problem.accuracies, problem.measured_cost)
    with interrupts() as pressed, Keeping(search, origin, progress) as keeping:

        def step(controller: Controller, part: Run) -> Stop:
            begin = problem.begin
            return cosearch(
                controller, measure, reward, part, keeping.keep, stop=pressed, begin=begin
            )

        left = keeping.left(measure)
        if isinstance(reward, ParetoReward):
            reward.remember(keeping.trials()[: left[0]])
        stop = _in_phases(plan, (problem, search, run, reward), keeping, left, step)
        trials, again = keeping.trials(), None
        if problem.predict is not None:
            again = simulated_again(problem, replace(reward), trials)
            keeping.keep_simulated(again)
        origin = noted(problem, origin, trials if again is None else again)
        ended = {"by": stop.name.lower(), "trials": len(trials)}
        origin = replace(origin, notes={**origin.notes, "ended": ended})
        keeping.keep_notes(origin)
        result = result_of(problem.joint, origin, (trials, again), search.best)
    seconds = time.monotonic() - begun
    return replace(result, stop=stop, seconds=seconds, study=search.study)


def _in_phases(
    plan: Plan,
    what: tuple[Problem, Search, Run, Reward | ParetoReward],
    keeping: Keeping,
    left: tuple[int, State],
    step: Callable[[Controller, Run], Stop],
) -> Stop:
    """Search one phase after the other, from where the study was left."""
    (problem, search, run, reward), (start, state) = what, left
    begun = time.monotonic()
    for number, phase in enumerate(plan.phases):
        end = run.trials if phase.end is None else min(phase.end, run.trials)
        if start >= end:
            continue
        before = keeping.trials() if phase.start else no_trials(len(problem.joint.space.decisions))
        if isinstance(reward, ParetoReward):
            # The next phase goes on from one design: that which alone dominates most, as a gain
            # depends on what was found before.
            before = replace(before, reward=reward.alone(before))
        controller = plan.controller(number, search, problem.joint, before)
        seconds = None if run.time_limit_s is None else run.time_limit_s + begun - time.monotonic()
        if seconds is not None and seconds <= 0:
            return Stop.TIME
        part = replace(run, start=start, trials=end, time_limit_s=seconds)
        if start > phase.start:
            part = continued(part, controller, state)
        stop = step(controller, part)
        if stop is not Stop.TRIALS:
            return stop
        start = end
    return Stop.TRIALS


def check(problem: Problem, search: Search) -> Origin:
    """Raise what `searched` would raise before it measures anything; write nothing.

    Returns:
        what the search is of; its notes say the targets.

    Raises:
        NahasError: whatever of the options cannot be used, or of the study to be resumed.
    """
    _, _, origin, _ = _checked(unmeasured(problem), search)
    if search.study is not None and search.resume:
        check_exists(search.study)
        with Study.read(search.study) as study:
            origin.check_continues(study.origin, search.study)
    return origin


def _checked(problem: Problem, search: Search) -> tuple[Run, Reward | ParetoReward, Origin, Plan]:
    check_name(search.controller)
    run = Run(
        trials=search.trials,
        batch=search.batch,
        time_limit_s=search.time_limit_s,
        ahead=search.ahead,
    )
    plan = plan_of(problem, search)
    if search.controller not in CONTROLLERS:
        # Raises where it cannot be made.
        plan.controller(0, search, problem.joint, no_trials(len(problem.joint.space.decisions)))
    reward, baseline = _aim(problem, search)
    return run, reward, _origin(problem, search, (reward, baseline), plan), plan


def reward_and_baseline(problem: Problem, search: Search) -> tuple[Reward, Design]:
    """The reward with its targets in the metrics' units, and the baseline design under it.

    Raises:
        RewardError: when a target or an exponent means nothing.
    """
    measures = _baseline_measures(problem)
    reward = reward_of(search, targets_of(search.limits, measures[1]))
    return reward, _baseline(problem, reward, measures)


def _aim(problem: Problem, search: Search) -> tuple[Reward | ParetoReward, Design]:
    """As `reward_and_baseline`, in Pareto mode too."""
    if not search.pareto:
        return reward_and_baseline(problem, search)
    measures = _baseline_measures(problem)
    reward = ParetoReward.beside(*measures)
    return reward, _baseline(problem, reward, measures)


def _baseline_measures(problem: Problem) -> Measures:
    network = problem.joint.network_space.network(problem.reference)
    accuracy = problem.accuracy.accuracy(problem.reference[None, :])
    return accuracy, problem.simulate([network], [problem.baseline])


def _baseline(problem: Problem, reward: Reward | ParetoReward, measures: Measures) -> Design:
    trial = rewarded(problem.reference[None, :], measures, replace(reward), first=-1)
    hardware = {
        d.name: getattr(problem.baseline, d.name) for d in problem.joint.accelerator.decisions
    }
    return described(problem.joint.network_space, problem.reference, hardware, trial)


def _rewarded_by(search: Search, reward: Reward | ParetoReward) -> dict[str, Any]:
    """What rewards follow from, in JSON's types."""
    if isinstance(reward, ParetoReward):
        return {
            "reward": PARETO,
            "targets": {},
            "reward_reference": [REFERENCE[m] for m in OBJECTIVES],
        }
    return {
        "reward": search.reward,
        "reward_exponents": [reward.p, reward.q],
        "targets": {name: str(limit) for name, limit in search.limits.items()},
    }


def _origin(
    problem: Problem, search: Search, aim: tuple[Reward | ParetoReward, Design], plan: Plan
) -> Origin:
    reward, baseline = aim
    options: dict[str, Any] = {
        "space": problem.joint.network_space.name,
        "hardware_space": problem.joint.hardware_space,
        "controller": search.controller if search.strategy != ONE_SHOT else "reinforce",
        "batch": search.batch,
        **_rewarded_by(search, reward),
        "baseline": asdict(problem.baseline),
        "objective": search.objective.name.lower(),
        **plan.options,
    }
    if problem.cost_model is not None:
        options["cost_model"] = problem.cost_model
    if search.ahead:
        options["ahead"] = search.ahead
    if search.strategy != ONE_SHOT:
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
    front = front_in(origin, trials)
    rows = best_rows(problem.joint, trials, MOST_NOTED)[0] if front is None else front.rows
    networks = problem.joint.split(trials.choices[rows])[0]
    networks = np.concatenate([problem.reference[None, :], networks])
    names = [space.network_name(space.space.values(network)) for network in networks]
    known = np.round(problem.accuracy.deviation(networks), 6).tolist()
    deviations = dict(zip(names, known, strict=True))
    return replace(origin, notes={**origin.notes, "accuracy_deviations": deviations})
