"""Tables of our own measurements: accuracies of trained networks of one space, by one recipe.

A table is a CSV file that explains itself: lines `# key: JSON` say what was measured and how,
then come the columns of `COLUMNS`, a row for each training. `nahas train-child --table` appends
to it; a file of one's own needs the columns `network` and `accuracy_percent` alone.
"""

from __future__ import annotations

import csv
import fcntl
import io
import json
import math
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.datafiles import check_schema_version
from nahas.errors import AccuracyError, SpaceError
from nahas.files import plain, write_text
from nahas.spaces.listed import listed
from nahas.spaces.networks import NetworkSpace
from nahas.spaces.space import ChoiceArray

SCHEMA_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One training of one network.

    Attributes:
        network: its name, as a search prints it.
        accuracy_percent: on validation images, which a search may see; NaN where there is none.
        test_percent: on test images, which no search has seen; NaN where it was not measured.
        epochs: trained.
        seed: of the training.
        seconds: that it took.
        reason: why there is no accuracy, or why training ended before its end; empty where
            neither is so.
    """

    network: str
    accuracy_percent: float
    test_percent: float = math.nan
    epochs: int = 0
    seed: int = 0
    seconds: float = math.nan
    reason: str = ""

    @property
    def whole(self) -> bool:
        """Whether there is an accuracy, of a training that came to its end."""
        return not self.reason and math.isfinite(self.accuracy_percent)


COLUMNS = tuple(column.name for column in fields(Measured))
NEEDED = ("network", "accuracy_percent")


@dataclass(frozen=True, kw_only=True)
class TableCard:
    """What a table holds, and how it was made; equal for all of its rows.

    Attributes:
        space: name of the network space.
        accuracy: what its percentages are, e.g. `cifar10 top-1 % of the 15-epoch proxy at 32 px`;
            labels say `, measured` or `, predicted` after it.
        dataset: name of the images.
        task: fields of `nahas.spaces.task.Task`.
        recipe: of the training.
        networks_sha256: `NetworkSpace.networks_sha256` of the space; empty where there is none,
            or where it is not known.
        command: that measured, as a shell takes it.
        versions: of the programs at work.
    """

    space: str
    accuracy: str
    dataset: str = ""
    task: Mapping[str, Any] = field(default_factory=dict)
    recipe: Mapping[str, Any] = field(default_factory=dict)
    networks_sha256: str = ""
    command: str = ""
    versions: Mapping[str, Any] = field(default_factory=dict)


DECIDING = ("space", "accuracy", "dataset", "task", "recipe")
"""What must be equal for accuracies to stand in one table."""


@dataclass(frozen=True)
class MeasuredFile:
    """A table as read.

    Attributes:
        path: of the file.
        card: None where the file says nothing of itself.
        rows: in the file's order, each network and seed once.
    """

    path: Path
    card: TableCard | None
    rows: tuple[Measured, ...]

    @property
    def accuracy(self) -> str:
        """What its percentages are, as far as it says."""
        return self.card.accuracy if self.card else f"accuracy % of {self.path.name}"

    @property
    def seeds(self) -> int:
        """How many accuracies of whole trainings there are at most of one network."""
        known = Counter(row.network for row in self.rows if row.whole)
        return max(known.values(), default=0)

    def mean(self) -> dict[str, float]:
        """Accuracy of every network in percent: the mean over seeds trained to the end, or NaN."""
        known: dict[str, list[float]] = {}
        for row in self.rows:
            had = known.setdefault(row.network, [])
            if row.whole:
                had.append(row.accuracy_percent)
        return {name: sum(had) / len(had) if had else math.nan for name, had in known.items()}


def read_measured(path: str | Path) -> MeasuredFile:
    """Read a table.

    Raises:
        AccuracyError: when the file is missing, no such table, of another schema version, says an
            accuracy that is no percentage, or has a network and seed twice; names the line.
    """
    path = Path(path)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as problem:
        raise AccuracyError(f"{path}: cannot be read ({problem.strerror or problem})") from problem
    except UnicodeDecodeError as problem:
        raise AccuracyError(f"{path}: is not a CSV file ({problem})") from problem
    header = [line for line in lines if line.startswith("#")]
    reader = csv.DictReader(line for line in lines if not line.startswith("#"))
    absent = [name for name in NEEDED if name not in (reader.fieldnames or ())]
    if absent:
        raise AccuracyError(
            f"{path}: has no column {absent[0]}: a table of measured accuracies has the columns "
            f"{','.join(COLUMNS)}, of which {' and '.join(NEEDED)} are needed"
        )
    rows: dict[tuple[str, int], Measured] = {}
    for row in reader:
        line = f"{path}:{reader.line_num + len(header)}"
        measured = _row(line, row)
        key = (measured.network, measured.seed)
        if key in rows:
            raise AccuracyError(
                f"{line}: network '{measured.network}' with seed {measured.seed} stands twice: "
                "remove one of the rows"
            )
        rows[key] = measured
    return MeasuredFile(path, _card(path, header), tuple(rows.values()))


@dataclass(frozen=True, eq=False)
class MeasuredTable:
    """Measured accuracies of networks of a space; an `AccuracyBackend`.

    Attributes:
        space: whose choices are asked for: the networks of the table and no others, unless it
            has every network of its space.
        path: of its file.
        label: what this accuracy is.
        mean: accuracy of every network in percent; NaN where no training gave one.
    """

    space: NetworkSpace
    path: Path
    label: str
    mean: Mapping[str, float]

    def accuracy(self, choices: ChoiceArray) -> NDArray[np.float64]:
        """Measured accuracy in percent [B] of network choices [B, D].

        Raises:
            AccuracyError: when a choice lies outside the space.
        """
        try:
            values = [self.space.space.values(choice) for choice in choices]
        except SpaceError as problem:
            raise AccuracyError(f"{self.path}: has no such network: {problem}") from problem
        return np.array([self.mean[self.space.network_name(of)] for of in values])

    def choice_named(self, name: str) -> ChoiceArray:
        """The choice [D] of a network name.

        Raises:
            AccuracyError: when it was not measured.
        """
        if name not in self.mean:
            raise AccuracyError(
                f"{self.path}: has no accuracy of '{name}': add it with "
                f"'nahas train-child {name} --table {self.path}'"
            )
        return self.space.choice_named(name)


def load_measured(path: str | Path, space: NetworkSpace) -> MeasuredTable:
    """The accuracies that a table holds of networks of a space.

    Raises:
        AccuracyError: when the table cannot be read, is empty or is of another space, or of
            one whose networks were others.
    """
    table = read_measured(path)
    mean = table.mean()
    if table.card is not None and table.card.space != space.name:
        raise AccuracyError(
            f"{path}: holds networks of space '{table.card.space}', not '{space.name}'"
        )
    if table.card is not None:
        _check_networks(table, table.card, space.networks_sha256)
    if not mean:
        raise AccuracyError(f"{path}: holds no networks")
    try:
        of_table = listed(space, mean)
    except SpaceError as problem:
        raise AccuracyError(f"{path}: {problem}") from problem
    whole = len(mean) == space.space.size
    seeds = f", mean of up to {table.seeds} seeds" if table.seeds > 1 else ""
    label = f"{table.accuracy}, measured{seeds}"
    return MeasuredTable(space if whole else of_table, table.path, label, mean)


def append_measured(path: Path, card: TableCard, rows: Sequence[Measured]) -> int:
    """Add trainings to a table, whole or not at all, and return how many were new.

    A network and seed that is there already is left as it is. Processes may append to one
    table at the same time: they take turns.

    Raises:
        AccuracyError: when the file is no table, or one of other accuracies.
        OSError: when it cannot be written; then it holds what it held before.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _alone_in(path.parent):
        table = read_measured(path) if path.exists() else MeasuredFile(path, card, ())
        _check_alike(table, card)
        known = {(row.network, row.seed) for row in table.rows}
        new = {(row.network, row.seed): row for row in rows}
        added = [row for key, row in new.items() if key not in known]
        if added or not path.exists():
            write_text(path, _text(table.card or card, [*table.rows, *added]))
    return len(added)


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Within, no other process appends in this folder; the kernel drops the lock with us."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _check_alike(table: MeasuredFile, card: TableCard) -> None:
    if table.card is None:
        raise AccuracyError(
            f"{table.path}: does not say how its accuracies were measured, so none can be added: "
            "name another file"
        )
    for name in DECIDING:
        there, here = (_compared(getattr(of, name)) for of in (table.card, card))
        if there != here:
            raise AccuracyError(
                f"{table.path}: holds accuracies of {name} {there}, not {here}: name another file"
            )
    _check_networks(table, table.card, card.networks_sha256)


def _check_networks(table: MeasuredFile, card: TableCard, here: str) -> None:
    """Refuse accuracies of networks that are not the space's any more, where both are known."""
    there = card.networks_sha256
    if there and here and there != here:
        raise AccuracyError(
            f"{table.path}: was measured when the networks of space '{card.space}' were others "
            f"({there[:8]}, now {here[:8]}): name another file, or undo what was changed"
        )


def _compared(value: Any) -> str:
    """A part of a card as text; the seed of a recipe is a row's matter."""
    if isinstance(value, Mapping):
        value = {key: part for key, part in value.items() if key != "seed"}
    return json.dumps(plain(value), sort_keys=True)


def _text(card: TableCard, rows: Iterable[Measured]) -> str:
    text = io.StringIO()
    for name, value in {"schema_version": SCHEMA_VERSION, **asdict(card)}.items():
        text.write(f"# {name}: {json.dumps(plain(value))}\n")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow(["" if value != value else value for value in asdict(row).values()])
    return text.getvalue()


def _card(path: Path, header: Sequence[str]) -> TableCard | None:
    """The card of the lines `# key: JSON`."""
    if not header:
        return None
    content: dict[str, Any] = {}
    for number, line in enumerate(header, 1):
        key, _, text = line.lstrip("# ").partition(":")
        try:
            content[key] = json.loads(text)
        except ValueError as problem:
            raise AccuracyError(
                f"{path}:{number}: '{line}' is not a key and its value in JSON ({problem})"
            ) from problem
    check_schema_version(content, path, SCHEMA_VERSION, AccuracyError)
    names = [known.name for known in fields(TableCard)]
    for name in ("space", "accuracy"):
        if not isinstance(content.get(name), str) or not content[name]:
            raise AccuracyError(f"{path}: {name} is missing from the lines that begin with #")
    return TableCard(**{name: content[name] for name in names if name in content})


def _row(line: str, row: Mapping[str, str | None]) -> Measured:
    network, reason = row["network"], row.get("reason") or ""
    if not network:
        raise AccuracyError(f"{line}: has no network")
    accuracy, test = (_percent(line, name, row.get(name)) for name in COLUMNS[1:3])
    if math.isnan(accuracy) and not reason:
        raise AccuracyError(
            f"{line}: network '{network}' has neither an accuracy_percent nor a reason "
            "why there is none"
        )
    return Measured(
        network=network,
        accuracy_percent=accuracy,
        test_percent=test,
        epochs=_whole_number(line, "epochs", row.get("epochs") or "0"),
        seed=_whole_number(line, "seed", row.get("seed") or "0"),
        seconds=_number(line, "seconds", row.get("seconds") or "nan"),
        reason=reason,
    )


def _percent(line: str, name: str, text: str | None) -> float:
    value = _number(line, name, text or "nan")
    if not math.isnan(value) and not 0.0 <= value <= 100.0:
        raise AccuracyError(f"{line}: {name} is {text}, but a number from 0 to 100 is needed")
    return value


def _whole_number(line: str, name: str, text: str) -> int:
    value = _number(line, name, text)
    if not value.is_integer() or value < 0:
        raise AccuracyError(f"{line}: {name} is {text}, but a whole number from 0 on is needed")
    return int(value)


def _number(line: str, name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise AccuracyError(f"{line}: {name} is '{text}', which is no number") from None
