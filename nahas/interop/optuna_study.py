"""A study as Optuna's, for optuna-dashboard and for Optuna's own plots and samplers.

Needs the extra `search`. Every decision is a categorical parameter, those that do not apply too,
as for Optuna's samplers (`nahas.interop.optuna`). [docs/outcome.md]
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import nahas
from nahas.errors import InteropError, UsageError
from nahas.files import plain, written_whole
from nahas.interop.optuna import distributions
from nahas.interop.optuna_rows import Row, insert, is_known, is_storage
from nahas.pareto import PARETO
from nahas.result import SearchResult
from nahas.study.trials import Trials
from nahas.vocabulary import Reason

SQLITE = "sqlite:///"

METRICS = ("accuracy", "latency_ms", "energy_mj", "area_mm2")
"""The objectives of a study in Pareto mode; accuracy is better when high, all else when low."""

REWARD = ("reward",)

MAXIMISED = ("accuracy", "reward")


def write_study(
    result: SearchResult, created: float, storage: str, name: str, *, replace: bool = False
) -> dict[str, Any]:
    """Write every trial as a study of Optuna, and say what was written.

    The value of a trial is its reward; in Pareto mode its values are accuracy, latency, energy
    and area, and what cannot run has failed. Constraints, above 0 where violated: whether it runs
    and has an accuracy, then each target as metric / limit - 1.

    Args:
        result: of the study.
        created: when it began, in seconds since 1970.
        storage: URL as Optuna takes it, or the path of a SQLite file.
        name: of the study.
        replace: whether one of that name is replaced, once the new one is whole.

    Raises:
        UsageError: when Optuna is missing, the name is taken, or the file is something else.
        InteropError: when the storage cannot be written; a new file is then not left.
    """
    of = distributions(result.joint.space)
    import optuna

    url = storage if "://" in storage else f"{SQLITE}{Path(storage).absolute()}"
    write = _Writer(result, created, of, name, replace)
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        path = Path(url.removeprefix(SQLITE)) if url.startswith(SQLITE) else None
        if path is None:
            write.slowly(url)
        elif path.exists():
            if not is_storage(path):
                raise UsageError(
                    f"--optuna: {path} is no storage of Optuna, and is left as it is: "
                    "give another file"
                )
            write.into(path)
        else:
            with written_whole(path) as temporary:
                write.into(temporary)
    except OSError as problem:
        raise InteropError(f"{url}: cannot be written ({problem.strerror})") from problem
    finally:
        optuna.logging.set_verbosity(verbosity)
    return {"storage": url, "name": name, "trials": len(result.trials), "values": list(write.names)}


class _Writer:
    """Writes one study into a storage."""

    def __init__(
        self,
        result: SearchResult,
        created: float,
        of: Mapping[str, Any],
        name: str,
        replace: bool,
    ) -> None:
        self._result, self._created, self._of = result, created, of
        self._name, self._replace = name, replace
        self.names = METRICS if result.options.get("reward") == PARETO else REWARD

    def into(self, path: Path) -> None:
        """Write into a SQLite file: all at once where its tables are the known ones."""
        url = f"{SQLITE}{path.absolute()}"
        with _storage(url) as storage:
            self._check_name(storage)
        if not is_known(path) or not len(self._result.trials):
            self.slowly(url)
            return
        import optuna
        from optuna.distributions import distribution_to_json

        draft = f".{self._name}.{os.getpid()}"
        rows = rows_of(self._result, self._created, self.names)
        texts = {name: distribution_to_json(each) for name, each in self._of.items()}
        with _storage(url) as storage:
            made = self._created_in(storage, draft)
            try:
                made.add_trial(self._frozen(next(rows)))
                insert(path, draft, self._name, texts, rows)
            except BaseException:
                optuna.delete_study(study_name=draft, storage=storage)
                raise

    def slowly(self, url: str) -> None:
        """Write by Optuna's own functions, trial by trial."""
        import optuna

        with _storage(url) as storage:
            self._check_name(storage)
            if self._name in optuna.get_all_study_names(storage):
                optuna.delete_study(study_name=self._name, storage=storage)
            made = self._created_in(storage, self._name)
            made.add_trials(
                self._frozen(row) for row in rows_of(self._result, self._created, self.names)
            )

    def _check_name(self, storage: Any) -> None:
        import optuna

        if not self._replace and self._name in optuna.get_all_study_names(storage):
            raise UsageError(
                f"--optuna: there is a study '{self._name}' already: replace it with --force, or "
                "give another --name"
            )

    def _created_in(self, storage: Any, name: str) -> Any:
        import optuna

        directions = ["maximize" if each in MAXIMISED else "minimize" for each in self.names]
        made = optuna.create_study(storage=storage, study_name=name, directions=directions)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            made.set_metric_names(list(self.names))
        for key, value in _about(self._result).items():
            made.set_user_attr(key, value)
        return made

    def _frozen(self, row: Row) -> Any:
        from optuna.trial import TrialState, create_trial

        state = TrialState.COMPLETE if row.values is not None else TrialState.FAIL
        trial = create_trial(
            state=state,
            values=row.values,
            params={
                name: of.choices[index]
                for (name, of), index in zip(self._of.items(), row.params, strict=True)
            },
            distributions=dict(self._of),
            user_attrs=dict(row.user),
            system_attrs={"constraints": list(row.constraints)},
        )
        trial.datetime_start = datetime.fromtimestamp(row.begun)
        trial.datetime_complete = datetime.fromtimestamp(row.ended)
        return trial


def rows_of(result: SearchResult, created: float, names: tuple[str, ...]) -> Iterator[Row]:
    """The trials of a study as Optuna's; where they are predicted, with the predicted costs."""
    trials, joint = result.trials, result.joint
    if not len(trials):
        return
    networks, _ = joint.split(trials.choices)
    space = joint.network_space
    violated = _violated(result)
    before = _begun(trials.time, created)
    label = "simulated" if result.simulated is None else "predicted"
    for row in range(len(trials)):
        values = tuple(float(getattr(trials, name)[row]) for name in names)
        yield Row(
            number=row,
            values=values if all(map(isfinite, values)) else None,
            params=trials.choices[row].tolist(),
            user={
                "network": space.network_name(space.space.values(networks[row])),
                **{name: plain(getattr(trials, name)[row]) for name in (*METRICS, "parameters")},
                "reward": float(trials.reward[row]),
                "reason": Reason(int(trials.reason[row])).name.lower(),
                "satisfied": bool(trials.satisfied[row]),
                "costs": label,
                "ended": float(trials.time[row]),
            },
            constraints=tuple(violated[row].tolist()),
            begun=float(min(before[row], trials.time[row])),
            ended=float(trials.time[row]),
        )


def _begun(time: NDArray[np.float64], created: float) -> NDArray[np.float64]:
    """When the batch [T] of each trial began: when that before it was kept."""
    number = np.arange(len(time))
    begins = np.diff(time, prepend=time[0]) != 0
    first = np.maximum.accumulate(np.where(begins, number, 0))
    begun: NDArray[np.float64] = np.where(first > 0, time[first - 1], created)
    return begun


def _violated(result: SearchResult) -> NDArray[np.float64]:
    """[T, 1 + targets] the constraints, above 0 where violated: finite, as Optuna's pages ask."""
    trials: Trials = result.trials
    runs = trials.feasible & np.isfinite(trials.accuracy)
    columns = [np.where(runs, 0.0, 1.0)]
    for name, limit in result.targets.items():
        over = getattr(trials, name) / limit - 1
        columns.append(np.where(np.isfinite(over), over, 1.0))
    return np.stack(columns, axis=1)


def _about(result: SearchResult) -> dict[str, Any]:
    """What the study itself says, as far as its trials do not."""
    limits = [f"{name} <= {limit:g}" for name, limit in result.targets.items()]
    about = {
        "accuracy_label": result.accuracy_label,
        "constraints": ["runs and has an accuracy", *limits],
        "seed": result.seed,
        "nahas_version": nahas.__version__,
        **{name: value for name, value in result.options.items() if name != "ppo"},
    }
    told: dict[str, Any] = plain(about)
    return told


@contextmanager
def _storage(url: str) -> Iterator[Any]:
    """Optuna's storage, closed afterwards; what its database says, as an InteropError."""
    import optuna
    from sqlalchemy.exc import SQLAlchemyError

    storage = None
    try:
        storage = optuna.storages.RDBStorage(url)
        yield storage
    except (
        SQLAlchemyError,
        optuna.exceptions.StorageInternalError,
        ImportError,
        ValueError,
    ) as problem:
        reason = " ".join(str(problem.__cause__ or problem).split())[:200]
        raise InteropError(f"--optuna {url}: cannot be used as a storage ({reason})") from problem
    finally:
        if storage is not None:
            storage.remove_session()
            storage.engine.dispose()
