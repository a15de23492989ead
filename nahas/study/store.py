"""The study: every trial of a search in one SQLite file, with what is needed to continue it.

One process writes, any number read meanwhile (SQLite's write-ahead log). A batch of trials and
the controller state after it are one transaction: kill -9 at any moment loses the batch in
flight and nothing else. Power loss may lose the last batches, never the file (synchronous =
normal).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from itertools import repeat
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.errors import StudyError
from nahas.spaces.space import ChoiceArray
from nahas.study import schema
from nahas.study.file import check_exists, damaged, in_sentences, make, readable, writable
from nahas.study.lock import WriterLock
from nahas.study.origin import Origin
from nahas.study.state import packed, unpacked
from nahas.study.trials import Trials, no_trials
from nahas.vocabulary import Reason

_CHOICE = np.dtype("<u2")


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
        self,
        trials: Trials,
        batch: int,
        state: Mapping[str, NDArray[np.generic]] | None,
        in_flight: Mapping[int, ChoiceArray] | None = None,
    ) -> None:
        """Write one batch of trials and, unless None, the controller state after it.

        Args:
            trials: of the batch.
            batch: its number.
            state: of the controller.
            in_flight: by number, the choices [B, D] of the batches that the controller of that
                state has proposed and not learnt from; None is none.

        Raises:
            StudyError: saying which trials are lost, when the file cannot take them.
        """
        first, last = int(trials.number[0]), int(trials.number[-1])
        lost = f"trials {first} to {last} are not saved, the {first} before them are"
        blob = packed(state) if state is not None else None
        with self._transaction(lost):
            self._database.executemany(schema.PUT_TRIAL, _rows_of(trials, batch))
            if blob is not None:
                self._database.execute(schema.PUT_STATE, (last + 1, blob))
                self._database.execute("DELETE FROM in_flight")
                flying = ((n, _bytes(choices)) for n, choices in (in_flight or {}).items())
                self._database.executemany(schema.PUT_IN_FLIGHT, flying)

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
        decisions = len(self.origin.space.decisions)
        with in_sentences(self.path):
            rows = self._database.execute(query).fetchall()
        if not rows:
            return no_trials(decisions)
        empty = no_trials(decisions)
        columns: dict[str, Any] = {}
        try:
            for field in fields(Trials):
                column = [row[field.name] for row in rows] if field.name != "choices" else []
                columns[field.name] = np.array(column, dtype=getattr(empty, field.name).dtype)
        except (TypeError, ValueError, OverflowError) as error:
            raise damaged(self.path, f"a trial's {field.name} is no number") from error
        try:
            choices = np.stack([np.frombuffer(row["choice"], _CHOICE) for row in rows])
            columns["choices"] = choices.astype(np.int64)
            self.origin.space.check(columns["choices"])
        except Exception as error:
            raise damaged(self.path, f"a trial's choice is not of its space: {error}") from error
        return Trials(**columns)

    def state(self) -> tuple[int, dict[str, NDArray[np.generic]]] | None:
        """The number of trials that the kept controller state has learnt from, and the state."""
        with in_sentences(self.path):
            row = self._database.execute("SELECT trials, state FROM controller").fetchone()
        return None if row is None else (row["trials"], unpacked(row["state"]))

    def in_flight(self) -> dict[int, ChoiceArray]:
        """The batches that the kept controller has proposed and not learnt from, in order."""
        space = self.origin.space
        with in_sentences(self.path):
            rows = self._database.execute(schema.GET_IN_FLIGHT).fetchall()
        flying = {}
        for row in rows:
            try:
                choices = np.frombuffer(row["choices"], _CHOICE).astype(np.int64)
                flying[row["batch"]] = choices.reshape(-1, len(space.decisions))
                space.check(flying[row["batch"]])
            except Exception as error:
                raise damaged(self.path, f"a batch in flight makes no sense: {error}") from error
        return flying

    def rows(self) -> list[dict[str, Any]]:
        """Trials as flat dictionaries: the measures, then the value of every decision.

        What is not a finite number (the latency of an infeasible design) is None.
        `accuracy_label` says what the accuracy is.
        """
        trials = self.trials()
        names = [f.name for f in fields(Trials) if f.name not in ("choices", "reason", "satisfied")]
        table = []
        for row, choice in enumerate(trials.choices):
            measures = {name: _plain(getattr(trials, name)[row]) for name in names}
            table.append(
                measures
                | {
                    "feasible": bool(trials.feasible[row]),
                    "satisfied": bool(trials.satisfied[row]),
                    "reason": Reason(int(trials.reason[row])).name.lower(),
                    "accuracy_label": self.origin.notes["accuracy"],
                }
                | self.origin.space.values(choice)
            )
        return table

    def close(self) -> None:
        """Close the file and give up the lock; doing so twice is harmless."""
        database = getattr(self, "_database", None)
        if database is not None:
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
        trials.phase,
        trials.failure,
    )
    return zip(
        trials.number.tolist(),
        repeat(batch, len(trials)),
        (row.tobytes() for row in choices),
        *(column.tolist() for column in columns),
        strict=True,
    )


def _bytes(choices: ChoiceArray) -> bytes:
    return choices.astype(_CHOICE).tobytes()


def _plain(value: np.generic) -> int | float | None:
    plain: int | float = value.item()
    return plain if np.isfinite(plain) else None
