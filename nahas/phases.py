"""The phases of a search: which decisions each leaves open, and which trials are its own.

A strategy is a list of phases over one budget of trials. Each has a controller of its own, which
proposes values of the open decisions alone; the others are fixed, in the first phase to what the
search sets out from, in the next to the best design of the phase before. Every trial of every
phase is measured and rewarded alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nahas.controllers.allowed import Allowed, allowed_values
from nahas.controllers.base import Controller
from nahas.controllers.named import controller_of
from nahas.datafiles import nearest
from nahas.designs import best_rows
from nahas.errors import UsageError
from nahas.problem import Problem, Search
from nahas.spaces.accelerator import accelerator_named, accelerator_point
from nahas.spaces.joint import JointSpace
from nahas.spaces.space import ChoiceArray
from nahas.study.file import check_exists
from nahas.study.store import Study
from nahas.study.trials import Trials

JOINT, NETWORK, ACCELERATOR = "joint", "network", "accelerator"
"""What a phase searches."""

ONE_SHOT = "one-shot"

STRATEGIES: Mapping[str, tuple[str, ...]] = {
    "joint": (JOINT,),
    "fixed-accelerator": (NETWORK,),
    "fixed-network": (ACCELERATOR,),
    "phase": (ACCELERATOR, NETWORK),
    "phase-network": (NETWORK, ACCELERATOR),
    ONE_SHOT: (JOINT,),
}
"""What the phases of each strategy search, in their order."""

NO_TARGET = "a one-shot search needs a target: give --latency, --energy, --area or --parameters"


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A part of a search.

    Attributes:
        searches: `JOINT`, `NETWORK` or `ACCELERATOR`; what is not searched is fixed.
        start: number of its first trial, a whole number of batches.
        end: number of the trial after its last; None is the end of the search.
    """

    searches: str
    start: int
    end: int | None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The phases of a search and what it sets out from.

    Attributes:
        phases: in their order.
        fixed: values of the decisions that the first phase fixes, by name.
        options: what of this the sequence of trials follows from, in JSON's types.
    """

    phases: tuple[Phase, ...]
    fixed: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)

    def fixed_in(self, number: int, joint: JointSpace, trials: Trials) -> Mapping[str, Any]:
        """The values that a phase fixes, given the trials of the study before it.

        After the first phase these are of the best trial before it in the order of
        `designs.best_rows`; where none can run, of the first. In Pareto mode the rewards of
        `trials` are to be `ParetoReward.alone`.
        """
        phase = self.phases[number]
        if number == 0 or phase.searches == JOINT:
            return self.fixed
        before = trials[: phase.start]
        rows, _ = best_rows(joint, before, 1)
        values = joint.space.values(before.choices[int(rows[0]) if rows.size else 0])
        open_space = _part(joint, phase.searches)
        searched = {decision.name for decision in open_space.decisions}
        return {name: value for name, value in values.items() if name not in searched}

    def allowed(self, number: int, joint: JointSpace, trials: Trials) -> Allowed | None:
        """The values [D, K] that a phase may propose; None is all."""
        if self.phases[number].searches == JOINT:
            return None
        return allowed_values(joint.space, self.fixed_in(number, joint, trials))

    def controller(
        self, number: int, search: Search, joint: JointSpace, trials: Trials
    ) -> Controller:
        """A new controller for a phase, seeded by the search's seed and the phase."""
        seeds = np.random.SeedSequence(search.seed, spawn_key=(number,) if number else ())
        rng = np.random.default_rng(seeds)
        allowed = self.allowed(number, joint, trials)
        if allowed is None:
            return controller_of(search.controller, joint.space, rng, joint.applicable)
        is_open = allowed.sum(axis=1) > 1
        return controller_of(
            search.controller,
            joint.space,
            rng,
            lambda choices: joint.applicable(choices) & is_open,
            allowed,
        )


def plan_of(problem: Problem, search: Search) -> Plan:
    """The phases that the options ask for.

    Raises:
        UsageError: for an unknown strategy, a share that is none, an option of another strategy,
            or a budget that is too small to be divided.
        SpaceError: for an accelerator or a network that is not of the space.
    """
    _check(search)
    parts = STRATEGIES[search.strategy]
    options: dict[str, Any] = {"strategy": search.strategy}
    if search.strategy == ONE_SHOT:
        options["strategy_trials"] = search.trials
    fixed, named = _set_out_from(problem, search, parts[0])
    if fixed:
        options["strategy_from"] = named
    if len(parts) == 1:
        phases: tuple[Phase, ...] = (Phase(searches=parts[0], start=0, end=None),)
    else:
        middle = _middle(search)
        options["strategy_share"] = search.phase_share
        options["strategy_first_trials"] = middle
        phases = (
            Phase(searches=parts[0], start=0, end=middle),
            Phase(searches=parts[1], start=middle, end=None),
        )
    return Plan(phases=phases, fixed=fixed, options=options)


def phases_in(options: Mapping[str, Any]) -> tuple[Phase, ...]:
    """The phases of a study with these options; of one that names no strategy, one joint phase."""
    parts = STRATEGIES.get(str(options.get("strategy", JOINT)), (JOINT,))
    if len(parts) == 1:
        return (Phase(searches=parts[0], start=0, end=None),)
    middle = int(options["strategy_first_trials"])
    return (
        Phase(searches=parts[0], start=0, end=middle),
        Phase(searches=parts[1], start=middle, end=None),
    )


def _check(search: Search) -> None:
    """Raise a UsageError for an unknown strategy, or what speaks of another one."""
    if search.strategy not in STRATEGIES:
        raise UsageError(
            f"there is no strategy '{search.strategy}': allowed are {', '.join(STRATEGIES)}"
            f"{nearest(search.strategy, STRATEGIES)}"
        )
    if search.strategy == ONE_SHOT and search.pareto:
        raise UsageError(
            "a one-shot search ends with one design, and a Pareto search with a front: leave "
            "--strategy one-shot or --pareto out"
        )
    if search.strategy == ONE_SHOT and not search.limits:
        raise UsageError(NO_TARGET)
    if not 0 < search.phase_share < 1:
        raise UsageError(
            f"the phase share is {search.phase_share}, but it must be above 0 and below 1: it is "
            "the share of the trials that the first phase has"
        )
    for name, searches in ((NETWORK, ACCELERATOR), (ACCELERATOR, NETWORK)):
        if getattr(search, name) is None or STRATEGIES[search.strategy][0] == searches:
            continue
        setting_out = [s for s, parts in STRATEGIES.items() if parts[0] == searches]
        raise UsageError(
            f"--{name} goes with --strategy {' or '.join(setting_out)}, which set out from one, "
            f"but the strategy is '{search.strategy}': leave one of them out"
        )


def _set_out_from(problem: Problem, search: Search, first: str) -> tuple[Mapping[str, Any], Any]:
    """Values of the decisions that the first phase fixes, and how an option names them."""
    joint = problem.joint
    if first == ACCELERATOR:
        space = joint.network_space
        choice = problem.reference if search.network is None else problem.network(search.network)
        values = space.space.values(choice)
        return values, space.network_name(values)
    if first == NETWORK:
        values = joint.accelerator.values(_accelerator(problem, search))
        return values, values
    return {}, None


def _accelerator(problem: Problem, search: Search) -> ChoiceArray:
    accelerators = problem.joint.accelerator
    if search.accelerator is not None:
        return accelerator_named(search.accelerator, accelerators)
    return accelerator_point(problem.baseline, accelerators, search.baseline)


def _middle(search: Search) -> int:
    """Trials of the first of two phases: its share in whole batches, as the study began with.

    So a longer search goes on as a shorter one began: what is added, the last phase has.
    """
    if search.resume and search.study is not None:
        check_exists(search.study)
        with Study.read(search.study) as study:
            kept = study.origin.options.get("strategy_first_trials")
        if kept is not None:
            return int(kept)
    most = (search.trials - 1) // search.batch
    if most < 1:
        raise UsageError(
            f"trials is {search.trials}, but strategy '{search.strategy}' has two phases of a "
            f"batch of {search.batch} at least: give more than {search.batch} trials, or a smaller "
            "batch"
        )
    share = round(search.phase_share * search.trials / search.batch)
    return search.batch * min(max(share, 1), most)


def _part(joint: JointSpace, searches: str) -> Any:
    return joint.accelerator if searches == ACCELERATOR else joint.network_space.space
