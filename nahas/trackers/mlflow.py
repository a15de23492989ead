"""The tracker `mlflow`: a search as a run of MLflow, which a resumed search continues.

Needs the extra `mlflow`. Where runs are kept says MLFLOW_TRACKING_URI, as for MLflow itself; the
experiment is MLFLOW_EXPERIMENT_NAME's, else `nahas`.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nahas.errors import UsageError
from nahas.files import plain
from nahas.manifest import versions
from nahas.study.trials import Trials
from nahas.trackers.scalars import scalars_of

if TYPE_CHECKING:
    from nahas.problem import Search
    from nahas.result import SearchResult

EXPERIMENT = "nahas"

STUDY_TAG, HASH_TAG = "nahas.study", "nahas.study_hash"
"""Tags of a run that say which study it tells of: the file, for people, and a hash of its name,
which needs no quotes and which a resumed search looks for."""

ARTIFACTS = ("report.html", "best.json")
"""Files of a report that are kept with the run."""

NOT_SEARCHED = ("study", "resume", "best", "trials", "time_limit_s")
"""Fields of `Search` that a resumed search may have otherwise: MLflow's parameters are final."""


def tracker(search: Search) -> MLflow:
    """The tracker of a search.

    Raises:
        UsageError: when MLflow is not installed, or no study is kept.
    """
    # MLflow tells its makers of every use, unless it is told not to.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    try:
        from mlflow.tracking import MlflowClient
    except ImportError as error:
        raise UsageError(
            f"MLflow cannot be imported ({error}): pip install 'nahas[mlflow]'"
        ) from error
    # It tells of the tables of its database, level by level.
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    if search.study is None:
        raise UsageError("tracker 'mlflow' goes by the study: give it a file")
    return MLflow(search, MlflowClient)


class MLflow:
    """Keeps parameters, the scalars of every batch, and the report in the end."""

    def __init__(self, search: Search, client: Any) -> None:
        self._search, self._connect = search, client
        self._client: Any = None
        self._run = ""
        self._scalars = scalars_of(search)

    def begin(self, earlier: Trials) -> None:
        """Continue the run of the study, or start one."""
        self._client = self._connect()
        self._scalars.recall(earlier)
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", EXPERIMENT)
        found = self._client.get_experiment_by_name(name)
        experiment = found.experiment_id if found else self._client.create_experiment(name)
        former = self._former(experiment) if self._search.resume else None
        if former is not None:
            self._run = former
            self._client.update_run(self._run, status="RUNNING")
            return
        assert self._search.study is not None  # it was asked for
        folder = self._search.study.absolute().parent
        tags = {STUDY_TAG: str(self._search.study.absolute()), HASH_TAG: self._hash}
        tags |= {f"version.{name}": text for name, text in versions().items() if text is not None}
        made = self._client.create_run(experiment, run_name=folder.name, tags=tags)
        self._run = made.info.run_id
        self._log_parameters()

    def __call__(self, trials: Trials) -> None:
        """Log the numbers after a batch."""
        from mlflow.entities import Metric

        step, time = int(trials.number[-1]), int(1e3 * trials.time[-1])
        numbers = self._scalars.after(trials)
        metrics = [Metric(name, value, time, step) for name, value in numbers.items()]
        self._client.log_batch(self._run, metrics=metrics)

    def end(self, result: SearchResult | None, files: Sequence[Path]) -> None:
        """Keep the report, and say how the search ended."""
        if not self._run:
            return
        for path in files:
            if path.name in ARTIFACTS:
                self._client.log_artifact(self._run, str(path))
        stopped = None if result is None else result.stop
        status = {None: "FAILED", "interrupt": "KILLED"}.get(stopped, "FINISHED")
        self._client.set_terminated(self._run, status)

    def _former(self, experiment: str) -> str | None:
        """The latest run that tells of the study."""
        runs = self._client.search_runs(
            [experiment],
            filter_string=f"tags.`{HASH_TAG}` = '{self._hash}'",
            order_by=["attributes.start_time DESC"],
            max_results=1,
        )
        return runs[0].info.run_id if runs else None

    @property
    def _hash(self) -> str:
        assert self._search.study is not None  # it was asked for
        return hashlib.sha256(str(self._search.study.absolute()).encode()).hexdigest()[:16]

    def _log_parameters(self) -> None:
        from mlflow.entities import Param

        given = {
            name: value
            for name, value in asdict(self._search).items()
            if name not in NOT_SEARCHED and value is not None
        }
        params = [Param(name, str(plain(value))) for name, value in given.items()]
        self._client.log_batch(self._run, params=params)
