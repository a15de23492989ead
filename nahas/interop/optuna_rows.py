"""Trials straight into the tables of Optuna's SQLite storage.

`optuna.study.Study.add_trials` takes hundreds of times as long: `benchmarks/optuna_study.py` prints
by how much. Where the tables are others than these, `is_known` says so, and it is taken.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

COLUMNS = {
    "studies": ("study_id", "study_name"),
    "study_directions": ("study_direction_id", "direction", "study_id", "objective"),
    "study_user_attributes": ("study_user_attribute_id", "study_id", "key", "value_json"),
    "study_system_attributes": ("study_system_attribute_id", "study_id", "key", "value_json"),
    "trials": ("trial_id", "number", "study_id", "state", "datetime_start", "datetime_complete"),
    "trial_values": ("trial_value_id", "trial_id", "objective", "value", "value_type"),
    "trial_params": ("param_id", "trial_id", "param_name", "param_value", "distribution_json"),
    "trial_user_attributes": ("trial_user_attribute_id", "trial_id", "key", "value_json"),
    "trial_system_attributes": ("trial_system_attribute_id", "trial_id", "key", "value_json"),
}
"""The columns of Optuna's tables that hold a study, as far as one is written."""

STUDY_TABLES = ("study_directions", "study_user_attributes", "study_system_attributes")
TRIAL_TABLES = (
    "trial_values",
    "trial_params",
    "trial_user_attributes",
    "trial_system_attributes",
    "trial_intermediate_values",
    "trial_heartbeats",
)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One trial.

    Attributes:
        number: counts from 0 in the study.
        values: of the objectives; None where the trial has failed.
        params: what was chosen, as the index of each decision's value.
        user: attributes that people see.
        constraints: above 0 where violated.
        begun, ended: seconds since 1970.
    """

    number: int
    values: tuple[float, ...] | None
    params: Sequence[int]
    user: Mapping[str, Any]
    constraints: tuple[float, ...]
    begun: float
    ended: float


def is_storage(path: Path) -> bool:
    """Whether a file is a SQLite storage of Optuna."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            found = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            return {"studies", "trials", "version_info"} <= {name for (name,) in found}
    except sqlite3.Error:
        return False


def is_known(path: Path) -> bool:
    """Whether the tables of a storage have the columns that are written here."""
    with closing(sqlite3.connect(path)) as database:
        return all(
            tuple(row[1] for row in database.execute(f"PRAGMA table_info({table})")) == columns
            for table, columns in COLUMNS.items()
        )


def insert(
    path: Path, draft: str, name: str, distributions: Mapping[str, str], rows: Iterable[Row]
) -> None:
    """Add trials to a study that has the first of them, and give it its name.

    All is written or nothing. A study that has the name already is removed.

    Args:
        path: of the storage.
        draft: the name of the study till then.
        name: that it gets.
        distributions: by parameter, as Optuna's JSON.
        rows: the further trials.
    """
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        try:
            study = _study(database, draft)
            assert study is not None  # its writer has just made it
            _insert_trials(database, study, distributions, rows)
            former = _study(database, name)
            if former is not None:
                _remove(database, former)
            database.execute("UPDATE studies SET study_name = ? WHERE study_id = ?", (name, study))
            database.execute("COMMIT")
        except BaseException:
            if database.in_transaction:
                database.execute("ROLLBACK")
            raise


def _study(database: sqlite3.Connection, name: str) -> int | None:
    row = database.execute("SELECT study_id FROM studies WHERE study_name = ?", (name,)).fetchone()
    return None if row is None else int(row[0])


def _insert_trials(
    database: sqlite3.Connection,
    study: int,
    distributions: Mapping[str, str],
    rows: Iterable[Row],
) -> None:
    (first,) = database.execute("SELECT MAX(trial_id) + 1 FROM trials").fetchone()
    utc = _in_utc(database, study)
    for trial, row in enumerate(rows, first):
        state = "FAIL" if row.values is None else "COMPLETE"
        times = (_stored(row.begun, utc), _stored(row.ended, utc))
        database.execute(
            "INSERT INTO trials VALUES (?, ?, ?, ?, ?, ?)",
            (trial, row.number, study, state, *times),
        )
        values = ((trial, i, value, "FINITE") for i, value in enumerate(row.values or ()))
        database.executemany("INSERT INTO trial_values VALUES (NULL, ?, ?, ?, ?)", values)
        params = (
            (trial, name, index, text)
            for (name, text), index in zip(distributions.items(), row.params, strict=True)
        )
        database.executemany("INSERT INTO trial_params VALUES (NULL, ?, ?, ?, ?)", params)
        for table, attributes in (
            ("trial_user_attributes", row.user),
            ("trial_system_attributes", {"constraints": row.constraints}),
        ):
            database.executemany(
                f"INSERT INTO {table} VALUES (NULL, ?, ?, ?)", _attributes(trial, attributes)
            )


def _attributes(trial: int, attributes: Mapping[str, Any]) -> Iterator[tuple[int, str, str]]:
    return ((trial, key, json.dumps(value)) for key, value in attributes.items())


def _in_utc(database: sqlite3.Connection, study: int) -> bool:
    """Whether this Optuna keeps times in UTC: from version 5 on it does.

    Its own first trial tells: when that ended is among its attributes too.
    """
    number, ended = database.execute(
        "SELECT number, datetime_complete FROM trials WHERE study_id = ?", (study,)
    ).fetchone()
    assert number == 0
    (said,) = database.execute(
        "SELECT value_json FROM trial_user_attributes JOIN trials USING (trial_id) "
        "WHERE study_id = ? AND key = 'ended'",
        (study,),
    ).fetchone()
    return bool(ended == _stored(float(json.loads(said)), utc=True))


def _stored(seconds: float, utc: bool) -> str:
    """A time as SQLAlchemy keeps it in SQLite."""
    local = datetime.fromtimestamp(seconds, UTC if utc else None).replace(tzinfo=None)
    return local.strftime("%Y-%m-%d %H:%M:%S.%f")


def _remove(database: sqlite3.Connection, study: int) -> None:
    present = {
        name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    }
    for table in TRIAL_TABLES:
        if table in present:
            database.execute(
                f"DELETE FROM {table} WHERE trial_id IN "
                "(SELECT trial_id FROM trials WHERE study_id = ?)",
                (study,),
            )
    for table in ("trials", *STUDY_TABLES, "studies"):
        database.execute(f"DELETE FROM {table} WHERE study_id = ?", (study,))
