"""Which design of a study leaves it: the best ones by rank, or any trial by its number."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nahas.designs import Design, best_designs, design, deviating
from nahas.errors import StudyError, UsageError
from nahas.hardware import Hardware
from nahas.network import Network
from nahas.pareto import OBJECTIVES, PARETO
from nahas.result import SearchResult
from nahas.spaces.space import ChoiceArray
from nahas.study.front import front

BEST = "best"
"""What `--trial` says instead of a number."""

MOST_NAMED = 8
"""Trials of a front that a sentence names."""


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """A design of a study.

    Attributes:
        design: what the study knows of it.
        choice: [D] of its network.
        network: as layers.
        hardware: the accelerator, with the constants of its datapath.
        rank: among the best of the study; None where it was chosen by its number.
        simulated: whether the study's costs of it are the simulator's.
    """

    design: Design
    choice: ChoiceArray
    network: Network
    hardware: Hardware
    rank: int | None
    simulated: bool


def chosen(result: SearchResult, trial: str | int = BEST, rank: int | None = None) -> Chosen:
    """The design of a trial, or the best of rank `rank`, 1 where it is None.

    Args:
        result: of the study.
        trial: its number, or `BEST`.
        rank: among the best designs, of distinct networks.

    Raises:
        UsageError: when a rank goes with a number, or the best is asked of a Pareto search.
        StudyError: when there is no such trial or rank, or it cannot run; it says why.
    """
    if trial != BEST:
        if rank is not None:
            raise UsageError(f"--rank is {rank}, but ranks are of the best: leave out --trial")
        return _of(result, _row(result, int(trial)), None)
    _check_has_best(result)
    rank = 1 if rank is None else rank
    predicted = None if result.simulated is None else result.trials
    found = best_designs(result.joint, result.true, rank, predicted, result.deviations)
    if len(found) < rank:
        raise StudyError(
            f"{_name(result)} has {len(found)} designs of distinct networks that can run, so there "
            f"is none of rank {rank}: {'give a smaller --rank' if found else 'try more trials'}"
        )
    number = found[-1].trial
    assert number is not None  # best designs are trials
    return _of(result, number, rank)


def _check_has_best(result: SearchResult) -> None:
    """Refuse to choose where a search was for a front: no design of it is the best."""
    if result.options.get("reward") != PARETO:
        return
    rows = front(result.true, OBJECTIVES)[::-1]
    numbers = ", ".join(str(number) for number in result.true.number[rows[:MOST_NAMED]])
    more = "" if len(rows) <= MOST_NAMED else f" and {len(rows) - MOST_NAMED} more"
    raise UsageError(
        f"{_name(result)} is of a Pareto search, where no design is the best: give --trial N, one "
        f"of its front, the most accurate first: {numbers}{more}"
    )


def _row(result: SearchResult, number: int) -> int:
    count = len(result.trials)
    if not 0 <= number < count:
        there = f"they are 0 to {count - 1}" if count else "it has none"
        raise StudyError(f"{_name(result)} has no trial {number}: {there}")
    return number


def _of(result: SearchResult, number: int, rank: int | None) -> Chosen:
    """The design of a trial by its number, which is its row too."""
    trials = result.trials
    told = design(result.joint, trials, number)
    simulated = result.simulated is None
    if result.simulated is not None:
        again = np.flatnonzero(result.simulated.number == number)
        simulated = bool(again.size)
        if simulated:
            told = design(result.joint, result.simulated, int(again[0]))
    if simulated and not told.feasible:
        raise StudyError(
            f"trial {number} of {_name(result)} cannot run: its accelerator lacks "
            f"{told.reason.replace('_', ' ')} for {told.network}: give another --trial"
        )
    networks, _ = result.joint.split(trials.choices[[number]])
    built, hardware = result.joint.designs(trials.choices[[number]])
    return Chosen(
        design=replace(deviating(told, result.deviations), trial=number),
        choice=networks[0],
        network=built[0],
        hardware=hardware[0],
        rank=rank,
        simulated=simulated,
    )


def _name(result: SearchResult) -> str:
    return f"study {result.study}" if isinstance(result.study, Path) else "the study"
