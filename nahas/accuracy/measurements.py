"""Reads the measured networks of Accel-NASBench that the surrogate is fitted on."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.accuracy.gaussian import Floats
from nahas.errors import AccuracyError
from nahas.spaces import mnasnet
from nahas.spaces.space import ChoiceArray, Decision

MEASURED = "measured.csv.gz"
SPLITS = "splits.json"
SEEDS = "seeds/proxified-seed*.csv"
PARTS = ("train", "val", "test")

_TOP1 = 4
_FIRST_DECISION = 9
_STAGES = len(mnasnet.CHANNELS)
_PER_STAGE = 4


@dataclass(frozen=True)
class Measurements:
    """Measured networks and upstream's division of them.

    Attributes:
        choices: [N, 28] choices of the space `mnasnet`.
        accuracy: [N] top-1 in percent.
        parts: of `train`, `val` and `test`, the rows that belong to it.
        sha256: of each file read.
    """

    choices: ChoiceArray
    accuracy: Floats
    parts: Mapping[str, NDArray[np.int64]]
    sha256: Mapping[str, str]

    def part(self, name: str) -> tuple[ChoiceArray, Floats]:
        """Choices and accuracies of one part."""
        rows = self.parts[name]
        return self.choices[rows], self.accuracy[rows]

    def repeated(self, name: str) -> int:
        """How many networks of a part are measured in `train` too."""
        known = {tuple(choice) for choice in self.part("train")[0].tolist()}
        return sum(tuple(choice) in known for choice in self.part(name)[0].tolist())


def read_measurements(folder: Path) -> Measurements:
    """The table and its division, from a folder with `measured.csv.gz` and `splits.json`.

    Raises:
        AccuracyError: when a file is missing or damaged, a value lies outside the space, or a
            part has fewer than two networks.
    """
    table, splits = _bytes(folder / MEASURED), _bytes(folder / SPLITS)
    rows = _table(folder / MEASURED, table)
    row_of = {row["id"]: position for position, row in enumerate(rows)}
    parts = {}
    for name, ids in _parts(folder / SPLITS, splits).items():
        known = [row_of[str(identity)] for identity in ids if str(identity) in row_of]
        if len(known) < 2:
            raise AccuracyError(f"{folder / SPLITS}:{name} names fewer than 2 measured networks")
        parts[name] = np.array(known, dtype=np.int64)
    decisions = mnasnet.network_space().space.decisions
    choices = [_choice(folder / MEASURED, decisions, row) for row in rows]
    accuracy = [_top1(folder / MEASURED, row) for row in rows]
    digests = {MEASURED: table, SPLITS: splits}
    return Measurements(
        np.array(choices, dtype=np.int64),
        np.array(accuracy),
        parts,
        {name: hashlib.sha256(content).hexdigest() for name, content in digests.items()},
    )


def read_column(folder: Path, column: str) -> Floats:
    """One measured column [N], in the order of `read_measurements`; nan where it is empty.

    Raises:
        AccuracyError: when the file is missing or damaged, or the column is not there or holds
            something else than numbers.
    """
    path = folder / MEASURED
    rows = _table(path, _bytes(path))
    if column not in rows[0]:
        raise AccuracyError(f"{path}: has no column {column}")
    try:
        return np.array([float(row[column] or "nan") for row in rows])
    except ValueError as problem:
        raise AccuracyError(f"{path}: {column} holds what is not a number ({problem})") from problem


def read_seeds(folder: Path) -> tuple[ChoiceArray, Floats] | None:
    """Networks that were trained with several seeds by the same recipe, if the folder has them.

    Returns:
        Choices [N, 28] and top-1 in percent [S, N] of S seeds; None without their files.

    Raises:
        AccuracyError: when a file is damaged or the seeds disagree on the networks.
    """
    decisions = mnasnet.network_space().space.decisions
    found: list[tuple[list[list[int]], list[float]]] = []
    paths = sorted(folder.glob(SEEDS))
    for path in paths:
        lines = list(csv.reader(path.read_text(encoding="utf-8").splitlines()))
        rows = [_seed_row(path, line) for line in lines]
        choices = [_choice(path, decisions, row) for row in rows]
        found.append((choices, [_top1(path, row) for row in rows]))
    if not found:
        return None
    if any(choices != found[0][0] for choices, _ in found):
        raise AccuracyError(f"{folder}: the files {SEEDS} list different networks")
    return np.array(found[0][0], dtype=np.int64), np.array([top1 for _, top1 in found])


def _seed_row(path: Path, line: list[str]) -> dict[str, str]:
    """A line without names: top-1 in column 4; from column 9 on, stage by stage, e, k, l, se."""
    if len(line) != _FIRST_DECISION + _PER_STAGE * _STAGES:
        raise AccuracyError(f"{path}: a row has {len(line)} columns, which is not its format")
    row = {"id": line[2], "val_top1": line[_TOP1]}
    for position, kind in enumerate(("e", "k", "l", "se")):
        start = _FIRST_DECISION + position * _STAGES
        row |= {f"block{i}_{kind}": line[start + i] for i in range(_STAGES)}
    return row


def _table(path: Path, content: bytes) -> list[dict[str, str]]:
    try:
        rows = list(csv.DictReader(gzip.decompress(content).decode("utf-8").splitlines()))
    except (OSError, EOFError, UnicodeDecodeError) as problem:
        raise AccuracyError(f"{path}: is not a gzipped CSV table ({problem})") from problem
    if not rows or not {"id", "val_top1"} <= set(rows[0]):
        raise AccuracyError(f"{path}: has no rows with the columns id and val_top1")
    return rows


def _parts(path: Path, content: bytes) -> dict[str, list[Any]]:
    try:
        parts: Any = json.loads(content)
    except ValueError as problem:
        raise AccuracyError(f"{path}: is not JSON ({problem})") from problem
    for name in PARTS:
        if not isinstance(parts, dict) or not isinstance(parts.get(name), list):
            raise AccuracyError(f"{path}:{name} is missing: a list of ids is needed")
    return {name: parts[name] for name in PARTS}


def _choice(path: Path, decisions: Iterable[Decision], row: Mapping[str, str]) -> list[int]:
    indices = []
    for decision in decisions:
        spelled = [str(value) for value in decision.values]
        if row.get(decision.name) not in spelled:
            raise AccuracyError(
                f"{path}: network {row['id']}: {decision.name} is {row.get(decision.name)!r}, "
                f"allowed are {spelled}"
            )
        indices.append(spelled.index(row[decision.name]))
    return indices


def _top1(path: Path, row: Mapping[str, str]) -> float:
    try:
        top1 = float(row["val_top1"])
    except ValueError:
        top1 = float("nan")
    if not 0.0 <= top1 <= 100.0:
        raise AccuracyError(
            f"{path}: network {row['id']}: val_top1 is {row['val_top1']!r}, not 0 to 100 percent"
        )
    return top1


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as problem:
        raise AccuracyError(f"{path}: cannot be read ({problem.strerror or problem})") from problem
