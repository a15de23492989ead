"""The study file: what goes in comes out, one writer, and a sentence for everything that fails."""

import errno
import os
import sqlite3
import subprocess
import sys
from dataclasses import fields, replace

import numpy as np
import pytest

from nahas.errors import StudyError
from nahas.spaces.space import Decision, Space
from nahas.study import file as study_file
from nahas.study.origin import Origin
from nahas.study.store import Study
from nahas.study.trials import Trials, joined, no_trials

SPACE = Space(
    "toy", (Decision("kernel", (3, 5, 7)), Decision("se", (False, True)), Decision("mb", (0.5, 1)))
)


@pytest.fixture
def origin():
    return Origin(
        space=SPACE,
        seed=7,
        options={"preset": "hard", "latency": "1x"},
        fingerprints={"kernels": "abc"},
        versions={"nahas": "0.1.0"},
        notes={"accuracy": "of a toy", "targets": {}, "baseline": {}},
    )


@pytest.fixture
def path(tmp_path):
    return tmp_path / "study.db"


def batch_of(first, count=4, seed=0):
    rng = np.random.default_rng([seed, first])
    reason = rng.integers(0, 3, count)
    return Trials(
        number=np.arange(first, first + count),
        choices=SPACE.sample(count, rng),
        accuracy=np.where(rng.random(count) < 0.3, np.nan, rng.random(count)),
        latency_ms=np.where(reason > 0, np.inf, rng.random(count)),
        energy_mj=np.where(reason > 0, np.inf, rng.random(count)),
        area_mm2=rng.random(count),
        parameters=rng.integers(1, 10**7, count),
        reason=reason,
        reward=rng.random(count),
        satisfied=reason == 0,
        time=np.full(count, 1.5e9),
    )


def state_of(value):
    return {"weights": np.full((2, 3), value), "rng": np.arange(6, dtype=np.uint64)}


def same(a, b):
    return all(
        np.array_equal(getattr(a, f.name), getattr(b, f.name), equal_nan=f.name == "accuracy")
        for f in fields(Trials)
    )


class TestKeeping:
    def test_gives_back_the_trials_bit_for_bit(self, path, origin):
        parts = [batch_of(0), batch_of(4)]
        with Study.create(path, origin, 1.0) as study:
            for number, part in enumerate(parts):
                study.keep(part, number, state_of(number))
            assert same(study.trials(), joined(parts))
        with Study.read(path) as study:
            assert same(study.trials(), joined(parts))

    def test_keeps_only_the_latest_state(self, path, origin):
        with Study.create(path, origin, 1.0) as study:
            assert study.state() is None
            study.keep(batch_of(0), 0, state_of(0.0))
            study.keep(batch_of(4), 1, state_of(1.0))
            learnt, state = study.state()
        assert learnt == 8
        assert state["weights"].tolist() == state_of(1.0)["weights"].tolist()
        assert state["rng"].dtype == np.uint64

    def test_a_batch_cut_short_is_replaced_by_the_whole_one(self, path, origin):
        with Study.create(path, origin, 1.0) as study:
            study.keep(batch_of(0), 0, state_of(0))
            study.keep(batch_of(4)[:2], 1, None)
            assert len(study.trials()) == 6
            assert study.state()[0] == 4
            study.keep(batch_of(4), 1, state_of(1))
            assert same(study.trials(), joined([batch_of(0), batch_of(4)]))

    def test_gives_back_batches_in_flight_with_the_state_that_proposed_them(self, path, origin):
        flying = {
            2: SPACE.sample(4, np.random.default_rng(0)),
            1: SPACE.sample(3, np.random.default_rng(1)),
        }
        with Study.create(path, origin, 1.0) as study:
            study.keep(batch_of(0), 0, state_of(0), flying)
            study.keep(batch_of(4)[:2], 1, None)  # without a state nothing else is in flight
            read = study.in_flight()
            assert list(read) == [1, 2]
            assert all(read[n].tolist() == flying[n].tolist() for n in flying)
            study.keep(batch_of(4), 1, state_of(1))
            assert study.in_flight() == {}

    def test_gives_back_phases_and_failures(self, path, origin):
        trials = replace(batch_of(0), phase=np.array([0, 0, 1, 1]), failure=np.array([0, 2, 0, 1]))
        with Study.create(path, origin, 1.0) as study:
            study.keep(trials, 0, None)
            assert same(study.trials(), trials)

    def test_an_empty_study_has_no_trials(self, path, origin):
        with Study.create(path, origin, 1.0) as study:
            assert same(study.trials(), no_trials(3))
            assert study.rows() == []

    def test_remembers_what_it_is_of(self, path, origin):
        Study.create(path, origin, 12.5).close()
        with Study.read(path) as study:
            assert study.origin == origin
            assert study.created == 12.5

    def test_rows_are_flat_with_named_values(self, path, origin):
        trials = replace(
            batch_of(0, 1),
            choices=np.array([[2, 1, 0]]),
            latency_ms=np.array([np.inf]),
            reason=np.array([2]),
        )
        with Study.create(path, origin, 1.0) as study:
            study.keep(trials, 0, None)
            (row,) = study.rows()
        assert row["kernel"] == 7
        assert row["se"] is True
        assert row["mb"] == 0.5
        assert row["latency_ms"] is None
        assert row["reason"] == "local_memory"
        assert row["feasible"] is False
        assert row["number"] == 0
        assert row["accuracy_label"] == "of a toy"

    def test_is_read_while_it_is_written(self, path, origin):
        with Study.create(path, origin, 1.0) as writer, Study.read(path) as reader:
            writer.keep(batch_of(0), 0, None)
            assert len(reader.trials()) == 4

    def test_leaves_one_file_behind(self, path, origin):
        with Study.create(path, origin, 1.0) as study:
            study.keep(batch_of(0), 0, state_of(0))
        assert [entry.name for entry in path.parent.iterdir()] == ["study.db"]

    def test_makes_the_folder(self, tmp_path, origin):
        path = tmp_path / "runs" / "first" / "study.db"
        Study.create(path, origin, 1.0).close()
        assert path.is_file()


class TestRefusals:
    def test_to_overwrite(self, path, origin):
        Study.create(path, origin, 1.0).close()
        before = path.read_bytes()
        with pytest.raises(StudyError, match=r"exists already.*--resume.*another"):
            Study.create(path, origin, 2.0)
        assert path.read_bytes() == before

    @pytest.mark.parametrize("open_it", [Study.read, lambda path: Study.resume(path, None)])
    def test_of_a_study_that_is_not_there(self, path, open_it):
        with pytest.raises(StudyError, match="there is no study"):
            open_it(path)
        assert list(path.parent.iterdir()) == []

    @pytest.mark.parametrize("content", [b"", b"accuracy,latency\n1,2\n", os.urandom(5000)])
    def test_of_a_file_that_is_no_study(self, path, origin, content):
        path.write_bytes(content)
        for open_it in (Study.read, lambda path: Study.resume(path, origin)):
            with pytest.raises(StudyError, match="is not a study"):
                open_it(path)
        assert path.read_bytes() == content

    def test_of_another_database(self, path, origin):
        database = sqlite3.connect(path)
        database.execute("CREATE TABLE t (x)")
        database.close()
        with pytest.raises(StudyError, match="SQLite database, but not a study"):
            Study.resume(path, origin)

    @pytest.mark.parametrize("cut", [2, 3])
    def test_of_a_truncated_study(self, path, origin, cut):
        with Study.create(path, origin, 1.0) as study:
            for first in range(0, 400, 4):
                study.keep(batch_of(first), first // 4, state_of(0))
        path.write_bytes(path.read_bytes()[: path.stat().st_size // cut])
        for open_it in (Study.read, lambda path: Study.resume(path, origin)):
            with pytest.raises(StudyError, match=r"is damaged.*restore a copy") as raised:
                open_it(path)
            assert "\n" not in str(raised.value)
            assert "nothing is lost" not in str(raised.value)

    def test_of_garbage_within(self, path, origin):
        with Study.create(path, origin, 1.0) as study:
            study.keep(batch_of(0), 0, state_of(0))
        content = bytearray(path.read_bytes())
        content[4096:12288] = b"\xff" * 8192
        path.write_bytes(content)
        with pytest.raises(StudyError, match="is damaged"):
            Study.resume(path, origin)

    @pytest.mark.parametrize(
        ("statement", "message"),
        [
            ("UPDATE trials SET choice = x'0900'", "choice is not of its space"),
            ("UPDATE study SET space = '{'", "what it is of cannot be read"),
            ("DELETE FROM study", "what it is of cannot be read"),
            ("UPDATE study SET options = '[]'", "its options are no mapping"),
            ("UPDATE study SET notes = '{}'", "its notes have no 'accuracy'"),
            (
                """UPDATE study SET notes = '{"accuracy": "", "targets": {}}'""",
                "its notes have no 'baseline'",
            ),
            ("UPDATE controller SET state = x'00ff'", "state is damaged: the study's trials can"),
            ("UPDATE controller SET trials = 5", "its 4 trials are not those from 0 to 4"),
            ("DELETE FROM trials WHERE number = 0", "its 3 trials are not those from 0 to 3"),
            ("DELETE FROM trials WHERE number = 2", "its 3 trials are not those from 0 to 3"),
            ("DELETE FROM trials WHERE number = 3", "its 3 trials are not those from 0 to 3"),
            (
                "UPDATE trials SET number = -1 WHERE number = 0",
                "its 4 trials are not those from 0 to 3",
            ),
            ("DELETE FROM trials", "its 0 trials are not those from 0 to 3"),
            ("UPDATE trials SET reward = 'high'", "a trial's reward is no number"),
            ("DROP TABLE trials", "no such table"),
            ("INSERT INTO in_flight VALUES (1, x'0900')", "a batch in flight makes no sense"),
        ],
    )
    def test_of_rows_that_make_no_sense(self, path, origin, statement, message):
        with Study.create(path, origin, 1.0) as study:
            study.keep(batch_of(0), 0, state_of(0))
        database = sqlite3.connect(path)
        with database:
            database.execute(statement)
        database.close()

        def read_all():
            with Study.read(path) as study:
                return study.trials(), study.state(), study.in_flight()

        with pytest.raises(StudyError, match=message) as raised:
            read_all()
        said = str(raised.value)
        assert "\n" not in said
        assert "pickle" not in said
        assert "nothing is lost" not in said

    def test_of_a_newer_schema(self, path, origin):
        Study.create(path, origin, 1.0).close()
        database = sqlite3.connect(path)
        database.execute("PRAGMA user_version = 99")
        database.close()
        with pytest.raises(StudyError, match=r"schema 99.*install a newer nahas"):
            Study.read(path)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"seed": 8}, "has seed 7, not 8"),
            ({"options": {"preset": "soft", "latency": "1x"}}, "preset = 'hard', not 'soft'"),
            ({"options": {"preset": "hard"}}, "latency = '1x', not None"),
            (
                {"fingerprints": {"kernels": "xyz"}},
                r"other kernels \(abc, now xyz\).*nahas 0\.1\.0",
            ),
            ({"space": Space("toy", SPACE.decisions[:2])}, "searches the space 'toy' as it was"),
        ],
    )
    def test_to_continue_another_search(self, path, origin, change, message):
        Study.create(path, origin, 1.0).close()
        with pytest.raises(StudyError, match=message):
            Study.resume(path, replace(origin, **change))
        Study.resume(path, origin).close()

    def test_versions_and_notes_may_change(self, path, origin):
        Study.create(path, origin, 1.0).close()
        Study.resume(path, replace(origin, versions={"nahas": "9"}, notes={})).close()


class TestOneWriter:
    def test_a_second_in_the_same_process_is_refused(self, path, origin):
        with Study.create(path, origin, 1.0):
            for open_it in (Study.resume, lambda path, origin: Study.create(path, origin, 1.0)):
                with pytest.raises(StudyError, match=f"written by process {os.getpid()}: wait"):
                    open_it(path, origin)
        Study.resume(path, origin).close()

    def test_another_process_is_refused_until_the_first_is_killed(self, path, origin):
        Study.create(path, origin, 1.0).close()
        program = (
            "import sys, pathlib\n"
            "from nahas.study.lock import WriterLock\n"
            "lock = WriterLock(pathlib.Path(sys.argv[1]))\n"
            "print('held', flush=True)\n"
            "sys.stdin.read()\n"
        )
        with subprocess.Popen(
            [sys.executable, "-c", program, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout.readline() == "held\n"
            with pytest.raises(StudyError, match=f"written by process {process.pid}: wait"):
                Study.resume(path, origin)
            process.kill()
            process.wait()
        Study.resume(path, origin).close()

    def test_a_lock_on_a_removed_file_is_taken_again(self, path, origin, monkeypatch):
        from nahas.study import lock

        answers = iter([False, True])
        monkeypatch.setattr(lock.WriterLock, "_is_current", lambda *_: next(answers))
        Study.create(path, origin, 1.0).close()

    def test_a_file_system_without_locks_is_named(self, path, origin, monkeypatch):
        def refuse(*_):
            raise OSError(errno.ENOLCK, "No locks available")

        monkeypatch.setattr("nahas.study.lock.fcntl.flock", refuse)
        with pytest.raises(StudyError, match="cannot be locked, as its file system says 'No locks"):
            Study.create(path, origin, 1.0)


class TestFullDiskAndReadOnlyFolder:
    def test_a_full_disk_loses_the_batch_and_says_so(self, path, origin):
        with Study.create(path, origin, 1.0) as study:
            study.keep(batch_of(0), 0, state_of(0))
            pages = study._database.execute("PRAGMA page_count").fetchone()[0]
            study._database.execute(f"PRAGMA max_page_count = {pages}")
            big = {"weights": np.zeros(100_000)}
            with pytest.raises(
                StudyError,
                match=r"disk is full: trials 4 to 7 are not saved, the 4 before.*free some space",
            ):
                study.keep(batch_of(4), 1, big)
        with Study.resume(path, origin) as study:
            assert same(study.trials(), batch_of(0))
            assert study.state()[0] == 4
            study.keep(batch_of(4), 1, big)
            assert len(study.trials()) == 8

    def test_a_full_disk_at_the_start_leaves_nothing(self, path, origin, monkeypatch):
        def refuse(*_):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr("nahas.files.os.fsync", refuse)
        with pytest.raises(StudyError, match="'No space left on device'"):
            Study.create(path, origin, 1.0)
        assert list(path.parent.iterdir()) == []

    @pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES])
    def test_a_folder_that_cannot_be_written_is_named(self, path, origin, monkeypatch, code):
        def refuse(*_):
            raise OSError(code, os.strerror(code))

        monkeypatch.setattr("nahas.study.lock.os.open", refuse)
        with pytest.raises(StudyError, match=f"'{os.strerror(code)}'.*folder that you may write"):
            Study.create(path, origin, 1.0)

    def test_a_file_in_the_place_of_the_folder_is_named(self, tmp_path, origin):
        (tmp_path / "runs").write_text("")
        with pytest.raises(StudyError, match="cannot be written, as its folder says"):
            Study.create(tmp_path / "runs" / "study.db", origin, 1.0)

    def test_a_study_at_rest_is_read_in_a_folder_that_cannot_be_written(
        self, path, origin, monkeypatch
    ):
        with Study.create(path, origin, 1.0) as study:
            study.keep(batch_of(0), 0, None)
        real = sqlite3.connect

        def connect(address, **options):
            if "immutable" not in str(address):

                class Refusing:
                    def execute(self, _):
                        raise sqlite3.OperationalError("unable to open database file")

                    def close(self):
                        pass

                return Refusing()
            return real(address, **options)

        monkeypatch.setattr(study_file.sqlite3, "connect", connect)
        with Study.read(path) as study:
            assert len(study.trials()) == 4
