"""The study: every trial of a search in one SQLite file, with what is needed to continue it.

One process writes, any number read meanwhile (SQLite's write-ahead log). A batch of trials is one
transaction, together with the controller's state after it unless a state was written just
before: kill -9 at any moment loses the batch in flight and nothing else. A search that is resumed
proposes again, alike, what came after the state. Power loss may lose the last batches, never the
file (synchronous = normal).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import fields
from itertools import repeat
from math import inf
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.errors import StudyError
from nahas.study import schema
from nahas.study.file import check_exists, damaged, in_sentences, make, readable, writable
from nahas.study.lock import WriterLock
from nahas.study.origin import Origin
from nahas.study.state import packed, unpacked
from nahas.study.trials import Trials, no_trials
from nahas.vocabulary import Reason

_CHOICE = np.dtype("<u2")

SECONDS_BETWEEN_STATES = 0.1
"""A state is not written sooner after the one before; closing the study writes the last.

The weights of a policy are a megabyte, so they would take longer to write than a batch of a quick
search takes in all."""


class Study:
    """A study file. Make one with `create`, `resume` or `read`; close it, or use `with`.

    Attributes:
        path: of the file.
        origin: what the study is of.
        created: when, in seconds since 1970.
    """

    def __init__(self, path: Path, lock: WriterLock | None) -> None:
        self.path = path
        self._lock = lock
        self._state_written = -inf
        self._unwritten: tuple[int, bytes] | None = None
        try:
            with in_sentences(path):
                self._database = writable(path) if lock else readable(path)
            self.origin, self.created = self._read_origin()
            self._check_numbers()
        except BaseException:
            self.close()
            raise

    @classmethod
    def create(cls, path: Path, origin: Origin, created: float) -> Study:
        """Start a study, open for writing; it exists whole or not at all.

        Raises:
            StudyError: when the file exists, is being written, or cannot be.
        """
        lock = WriterLock(path)
        try:
            if path.exists():
                raise StudyError(
                    f"study {path} exists already: continue it with --resume, or name another study"
                )
            with in_sentences(path):
                make(path, origin.row(created))
        except BaseException:
            lock.release()
            raise
        return cls(path, lock)

    @classmethod
    def resume(cls, path: Path, origin: Origin) -> Study:
        """Open a study for writing, to continue it with a search of the same origin.

        Raises:
            StudyError: when there is none, it is damaged, newer, being written, or of another
                search.
        """
        check_exists(path)
        lock = WriterLock(path)
        try:
            # Before it is opened for writing, which may change it.
            with cls.read(path) as kept:
                origin.check_continues(kept.origin, path)
        except BaseException:
            lock.release()
            raise
        return cls(path, lock)

    @classmethod
    def read(cls, path: Path) -> Study:
        """Open a study for reading alone, also while it is being written.

        Raises:
            StudyError: when there is none, or it is damaged or newer.
        """
        check_exists(path)
        return cls(path, None)

    def keep(
        self, trials: Trials, batch: int, state: Mapping[str, NDArray[np.generic]] | None
    ) -> None:
        """Keep one batch of trials and, unless None, the controller state after it.

        Raises:
            StudyError: saying which trials are lost, when the file cannot take them.
        """
        first, last = int(trials.number[0]), int(trials.number[-1])
        lost = f"trials {first} to {last} are not saved, the {first} before them are"
        latest = self._unwritten if state is None else (last + 1, packed(state))
        due = time.monotonic() - self._state_written >= SECONDS_BETWEEN_STATES
        with self._transaction(lost):
            self._database.executemany(schema.PUT_TRIAL, _rows_of(trials, batch))
            if due and latest is not None:
                self._database.execute(schema.PUT_STATE, latest)
        # Not before: a state must not come to stand in the file without its trials.
        self._unwritten = latest
        if due and latest is not None:
            self._unwritten, self._state_written = None, time.monotonic()

    def keep_simulated(self, trials: Trials) -> None:
        """Write what the simulator says of some trials of predicted costs, and of no others.

        Raises:
            StudyError: when the file cannot take it; then it holds what it held before.
        """
        columns = (
            trials.number,
            trials.latency_ms,
            trials.energy_mj,
            trials.area_mm2,
            trials.reason,
            trials.reward,
            trials.satisfied,
        )
        with self._transaction("the trials are saved, what was simulated again is not"):
            self._database.execute("DELETE FROM simulated")
            rows = zip(*(column.tolist() for column in columns), strict=True)
            self._database.executemany(schema.PUT_SIMULATED, rows)

    def keep_notes(self, origin: Origin) -> None:
        """Write the notes of an origin, which are not compared, in place of those there.

        Raises:
            StudyError: when the file cannot take them; then it holds what it held before.
        """
        with self._transaction("the trials are saved, what was noted of the best is not"):
            self._database.execute(schema.PUT_NOTES, (origin.notes_text,))

    def trials(self) -> Trials:
        """All trials, in order."""
        return self._read_trials(schema.GET_TRIALS)

    def simulated(self) -> Trials:
        """The trials of predicted costs that were simulated again, in order, with true costs."""
        return self._read_trials(schema.GET_SIMULATED)

    def _read_trials(self, query: str) -> Trials:
        empty = no_trials(len(self.origin.space.decisions))
        with in_sentences(self.path):
            cursor = self._database.cursor()
            cursor.row_factory = None  # tuples: half the time of rows with names
            rows = cursor.execute(query).fetchall()
        if not rows:
            return empty
        names = [column[0] for column in cursor.description]
        columns: dict[str, Any] = dict(zip(names, zip(*rows, strict=True), strict=True))
        choices = columns.pop("choice")
        try:
            for name, column in columns.items():
                columns[name] = np.array(column, dtype=getattr(empty, name).dtype)
        except (TypeError, ValueError, OverflowError) as error:
            raise damaged(self.path, f"a trial's {name} is no number") from error
        try:
            # Each by itself: bytes that are missing in one are not to be taken from the next.
            if len({len(choice) for choice in choices}) > 1:
                raise ValueError("choices have different lengths")
            read = np.frombuffer(b"".join(choices), _CHOICE).astype(np.int64)
            columns["choices"] = read.reshape(len(rows), -1)
            self.origin.space.check(columns["choices"])
        except Exception as error:
            raise damaged(self.path, f"a trial's choice is not of its space: {error}") from error
        return Trials(**columns)

    def state(self) -> tuple[int, dict[str, NDArray[np.generic]]] | None:
        """The number of trials that the kept controller state has learnt from, and the state."""
        if self._unwritten is not None:
            return self._unwritten[0], unpacked(self._unwritten[1])
        with in_sentences(self.path):
            row = self._database.execute("SELECT trials, state FROM controller").fetchone()
        return None if row is None else (row["trials"], unpacked(row["state"]))

    def rows(self) -> list[dict[str, Any]]:
        """Trials as flat dictionaries: the measures, then the value of every decision.

        What is not a finite number (the latency of an infeasible design) is None.
        `accuracy_label` says what the accuracy is.
        """
        trials, decisions = self.trials(), self.origin.space.decisions
        columns: dict[str, list[Any]] = {
            field.name: _plain(getattr(trials, field.name))
            for field in fields(Trials)
            if field.name not in ("choices", "reason", "satisfied")
        }
        columns["feasible"] = trials.feasible.tolist()
        columns["satisfied"] = trials.satisfied.tolist()
        reasons = {reason.value: reason.name.lower() for reason in Reason}
        columns["reason"] = [reasons[number] for number in trials.reason.tolist()]
        columns["accuracy_label"] = [self.origin.notes["accuracy"]] * len(trials)
        for decision, chosen in zip(decisions, trials.choices.T.tolist(), strict=True):
            columns[decision.name] = [decision.values[index] for index in chosen]
        names = list(columns)
        return [dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def close(self) -> None:
        """Close the file and give up the lock; doing so twice is harmless."""
        database = getattr(self, "_database", None)
        if database is not None:
            if self._unwritten is not None:
                # Without it more is proposed again, and nothing is lost.
                with suppress(StudyError), self._transaction(""):
                    self._database.execute(schema.PUT_STATE, self._unwritten)
                self._unwritten = None
            database.close()
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> Study:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @contextmanager
    def _transaction(self, lost: str) -> Iterator[None]:
        """Within, all is written or nothing; `lost` says what is lost then."""
        with in_sentences(self.path, lost):
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._database.execute("COMMIT")
            except BaseException:
                # A full disk ends the transaction by itself; then there is nothing to undo.
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise

    def _read_origin(self) -> tuple[Origin, float]:
        with in_sentences(self.path):
            row = self._database.execute("SELECT * FROM study").fetchone()
        try:
            return Origin.read(row), row["created"]
        except Exception as error:
            raise damaged(self.path, f"what it is of cannot be read: {error}") from error

    def _check_numbers(self) -> None:
        """Raise a StudyError unless the trials are 0 to n-1, the learnt ones among them."""
        with in_sentences(self.path):
            first, last, count, learnt = self._database.execute(schema.GET_NUMBERS).fetchone()
        there = max(last + 1 if count else 0, learnt or 0)
        if count != there or (count and first != 0):
            raise damaged(self.path, f"its {count} trials are not those from 0 to {there - 1}")


def _rows_of(trials: Trials, batch: int) -> Iterator[tuple[object, ...]]:
    """Rows of table `trials`. SQLite keeps NaN as NULL, and infinity as itself."""
    choices = trials.choices.astype(_CHOICE)
    columns = (
        trials.accuracy,
        trials.latency_ms,
        trials.energy_mj,
        trials.area_mm2,
        trials.parameters,
        trials.reason,
        trials.reward,
        trials.feasible,
        trials.satisfied,
        trials.time,
    )
    return zip(
        trials.number.tolist(),
        repeat(batch, len(trials)),
        (row.tobytes() for row in choices),
        *(column.tolist() for column in columns),
        strict=True,
    )


def _plain(numbers: NDArray[Any]) -> list[Any]:
    """The numbers in Python's types; None for what is not finite."""
    plain: list[Any] = numbers.tolist()
    for row in np.flatnonzero(~np.isfinite(numbers)).tolist():
        plain[row] = None
    return plain
