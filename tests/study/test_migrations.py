"""Studies of every older schema are read as they lie, and brought up, whole, to be continued."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from nahas.errors import StudyError
from nahas.problem import Search
from nahas.strategies import recall, searched
from nahas.study import migrations, schema
from nahas.study.store import Study
from nahas.study.trials import Trials
from tests.fakes import fake_problem, predicted_problem

OLD = Path(__file__).parent / "old"
VERSIONS = sorted(migrations.FROM)
PROBLEMS = {1: fake_problem, 2: predicted_problem}


def search_of(study, trials=50, resume=False):
    return Search(
        space="macro",
        controller="random",
        trials=trials,
        batch=20,
        seed=3,
        study=study,
        resume=resume,
    )


def problem_of(version):
    return PROBLEMS.get(version, fake_problem)()


@pytest.fixture(params=VERSIONS)
def version(request):
    return request.param


@pytest.fixture
def path(tmp_path, version):
    return Path(shutil.copy(OLD / f"schema-{version}.db", tmp_path / "study.db"))


def layout(path):
    """The columns of every table, as SQLite tells them."""
    database = sqlite3.connect(path)
    names = [row[0] for row in database.execute("SELECT name FROM sqlite_master ORDER BY name")]
    tables = {name: database.execute(f"PRAGMA table_info({name})").fetchall() for name in names}
    database.close()
    return tables


def files_in(folder):
    """What lies there, without the empty log and index that SQLite makes to read."""
    return {path.name for path in folder.iterdir() if not path.name.endswith(("-wal", "-shm"))}


def version_in(path):
    database = sqlite3.connect(path)
    number = migrations.version_of(database)
    told = database.execute("SELECT schema_version FROM study").fetchone()[0]
    database.close()
    assert told == number
    return number


def assert_same(a, b):
    for field in fields(Trials):
        if field.name != "time":
            assert np.array_equal(getattr(a, field.name), getattr(b, field.name)), field.name


def test_there_is_an_old_study_of_every_schema(version):
    assert version_in(OLD / f"schema-{version}.db") == version
    assert [*VERSIONS, schema.SCHEMA_VERSION] == list(range(1, schema.SCHEMA_VERSION + 1))


def test_an_old_study_is_read_and_left_as_it_is(version, path, tmp_path):
    before = path.read_bytes()
    with Study.read(path) as study:
        trials = study.trials()
        assert study.state()[0] == 40
        assert study.in_flight() == {}
        assert len(study.rows()) == 50
    result = recall(path)
    fresh = searched(problem_of(version), search_of(None))
    assert_same(trials, fresh.trials)
    assert [design.network for design in result.best] == [d.network for d in fresh.best[:10]]
    assert (result.simulated is None) == (fresh.simulated is None)
    assert path.read_bytes() == before
    assert files_in(tmp_path) == {"study.db"}


def test_an_old_study_is_continued_as_if_it_were_new(version, path, tmp_path):
    before = path.read_bytes()
    resumed = searched(problem_of(version), search_of(path, trials=90, resume=True))
    unbroken = searched(problem_of(version), search_of(tmp_path / "new.db", trials=90))
    assert_same(resumed.trials, unbroken.trials)
    assert resumed.best == unbroken.best
    assert version_in(path) == schema.SCHEMA_VERSION
    assert layout(path) == layout(tmp_path / "new.db")
    kept = migrations.backup_of(path, version)
    assert version_in(kept) == version
    with Study.read(kept) as study:
        assert len(study.trials()) == 50
    assert files_in(tmp_path) == {"study.db", "new.db", kept.name}
    assert path.read_bytes() != before


def test_a_search_that_is_refused_changes_nothing(version, path, tmp_path):
    before = path.read_bytes()
    with pytest.raises(StudyError, match="was searched with batch = 20, not 10"):
        searched(
            problem_of(version),
            Search(space="macro", controller="random", batch=10, seed=3, study=path, resume=True),
        )
    assert path.read_bytes() == before
    assert files_in(tmp_path) == {"study.db"}


PROGRAM = """
import os, signal, sqlite3, sys
from pathlib import Path
from nahas.study import file, migrations

path, last = Path(sys.argv[1]), int(sys.argv[2])
database = sqlite3.connect(path, isolation_level=None)
database.execute("PRAGMA journal_mode = WAL")
seen = 0

class Dying:
    in_transaction = False
    def execute(self, *statement):
        global seen
        seen += 1
        if seen == last:
            os.kill(os.getpid(), signal.SIGKILL)
        return database.execute(*statement)
    def backup(self, target):
        database.backup(target)

migrations.migrate_file(Dying(), path)
print(seen)
"""


def test_killed_before_any_statement_the_study_is_whole(path, version, tmp_path):
    def run(last):
        command = [sys.executable, "-c", PROGRAM, str(path), str(last)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    for last in (2, 4, 6):
        ran = run(last)
        assert ran.returncode == -signal.SIGKILL, ran.stderr
        assert version_in(path) == version
        assert version_in(migrations.backup_of(path, version)) == version
    with Study.read(path) as study:
        assert len(study.trials()) == 50
    assert int(run(0).stdout) > 6
    assert version_in(path) == schema.SCHEMA_VERSION


def test_a_folder_without_room_for_the_copy_leaves_the_old_study(path, version, monkeypatch):
    before = path.read_bytes()

    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("nahas.files.os.fsync", refuse)
    with pytest.raises(StudyError, match="'No space left on device': nothing is lost"):
        searched(problem_of(version), search_of(path, resume=True))
    assert version_in(path) == version
    assert len(path.read_bytes()) == len(before)
    assert files_in(path.parent) == {"study.db"}


@pytest.mark.parametrize("number", [0, -1])
def test_a_schema_that_never_was_is_damage(tmp_path, number):
    path = shutil.copy(OLD / "schema-1.db", tmp_path / "study.db")
    database = sqlite3.connect(path)
    database.execute(f"PRAGMA user_version = {number}")
    database.close()
    with pytest.raises(StudyError, match=f"is damaged .there is no schema {number}"):
        Study.read(Path(path))
