"""The studies below a folder: what each searched, how far it came, whether it goes on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nahas.errors import NahasError, StudyError
from nahas.pareto import PARETO, hypervolume_of
from nahas.report.groups import OF_OLD
from nahas.report.provenance import saved_settings
from nahas.study.file import is_study
from nahas.study.lock import writer_of
from nahas.study.store import Study

STUDY_FILE = "study.db"
"""The name that `nahas cosearch` gives; a file of another name is listed where it is a study."""


@dataclass(frozen=True, kw_only=True)
class Listed:
    """One study.

    Attributes:
        path: of its file.
        space, hardware_space, strategy, controller: what it searches.
        seed: of the search.
        trials: how many are kept.
        wanted: how many were asked for, where that is known.
        best_reward: of all trials; None where there are none, and in Pareto mode.
        satisfied: trials that meet every target.
        hypervolume: in Pareto mode what its trials dominate (`nahas.pareto`); else None.
        state: 'running', 'finished' or 'interrupted'.
        pid: of the process that writes it, where one does.
        begun, last: when, in seconds since 1970: the study, and its last trial.
        bytes: of its file.
    """

    path: Path
    space: str
    hardware_space: str
    strategy: str
    controller: str
    seed: int
    trials: int
    wanted: int | None
    best_reward: float | None
    satisfied: int
    hypervolume: float | None
    state: str
    pid: int | None
    begun: float
    last: float | None
    bytes: int


@dataclass(frozen=True)
class Unreadable:
    """A file that should be a study, or a folder, and why it cannot be read."""

    path: Path
    reason: str


SORTS = ("path", "space", "strategy", "controller", "seed", "trials", "best_reward", "begun")
"""What studies can be sorted by; the last three from the greatest."""

GREATEST_FIRST = frozenset({"trials", "best_reward", "begun"})


def studies(folder: Path, sort: str = "path") -> tuple[list[Listed], list[Unreadable]]:
    """All studies below a folder, and what cannot be read.

    Args:
        folder: where to look, with all folders in it.
        sort: one of `SORTS`; studies alike in it stand by their paths.

    Raises:
        StudyError: when there is no such folder.
    """
    if not folder.is_dir():
        raise StudyError(f"there is no folder '{folder}': give one that holds studies")
    found: list[Listed] = []
    unreadable: list[Unreadable] = []
    for path in _files(folder, unreadable):
        try:
            found.append(listed(path))
        except (NahasError, OSError) as error:
            unreadable.append(Unreadable(path, _reason(error)))
    found.sort(key=lambda of: str(of.path))
    found.sort(key=lambda of: _key(of, sort), reverse=sort in GREATEST_FIRST)
    return found, sorted(unreadable, key=lambda of: str(of.path))


def listed(path: Path) -> Listed:
    """What a study says of itself.

    Raises:
        StudyError: when it cannot be read.
    """
    pid = writer_of(path)
    with Study.read(path) as study:
        origin, trials = study.origin, study.trials()
    options = {**OF_OLD, **origin.options}
    wanted = saved_settings(path.parent).get("trials")
    is_pareto = options.get("reward") == PARETO
    rewards = trials.reward[np.isfinite(trials.reward)]
    return Listed(
        path=path,
        space=str(options.get("space", origin.space.name)),
        hardware_space=str(options.get("hardware_space", "paper")),
        strategy=str(options["strategy"]),
        controller=str(options.get("controller", "")),
        seed=origin.seed,
        trials=len(trials),
        wanted=wanted if isinstance(wanted, int) else None,
        best_reward=float(rewards.max()) if rewards.size and not is_pareto else None,
        satisfied=int(trials.satisfied.sum()),
        hypervolume=hypervolume_of(trials) if is_pareto else None,
        state=_state(pid, len(trials), origin.notes.get("ended"), wanted),
        pid=pid,
        begun=study.created,
        last=float(trials.time[-1]) if len(trials) else None,
        bytes=path.stat().st_size,
    )


def _state(pid: int | None, trials: int, ended: Any, wanted: Any) -> str:
    """Whether a study is being written, or its search came to the end that it was given.

    A search notes how it ended and after how many trials. One that was killed, or goes on from
    there and was killed then, has no such note that fits; older studies never have: of these
    what they were asked for tells.
    """
    if pid is not None:
        return "running"
    if isinstance(ended, dict):
        whole = ended.get("by") != "interrupt" and ended.get("trials") == trials
    else:
        whole = isinstance(wanted, int) and trials >= wanted
    return "finished" if whole else "interrupted"


def _files(folder: Path, unreadable: list[Unreadable]) -> Iterator[Path]:
    def refused(error: OSError) -> None:
        unreadable.append(Unreadable(Path(str(error.filename)), _reason(error)))

    for where, folders, names in os.walk(folder, onerror=refused):
        folders.sort()
        for name in sorted(names):
            path = Path(where) / name
            if name == STUDY_FILE or (name.endswith(".db") and is_study(path)):
                yield path


def _reason(error: Exception) -> str:
    return str(error.strerror or error) if isinstance(error, OSError) else str(error)


def _key(of: Listed, sort: str) -> tuple[bool, Any]:
    value = str(of.path) if sort == "path" else getattr(of, sort)
    missing = value is None
    return (not missing if sort in GREATEST_FIRST else missing, "" if missing else value)
