"""A supernet on disk: its weights, its card, and what a training needs to go on."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from nahas.children.operations import Operations, operations
from nahas.children.shared import SharedWeights, survey
from nahas.children.supernet import Supernet
from nahas.errors import TrainingError
from nahas.files import json_text, plain, write_npz, write_text, written_whole
from nahas.spaces.networks import NetworkSpace
from nahas.spaces.task import Task, for_task

SCHEMA_VERSION = 1
"""Version of the card."""

WEIGHTS = "supernet.npz"
CHECKPOINT = "supernet.checkpoint.npz"
LOG = "supernet.csv"

Arrays = Mapping[str, NDArray[Any]]

_UNREADABLE = (OSError, EOFError, ValueError, KeyError, TypeError, BadZipFile)


@dataclass(frozen=True, kw_only=True)
class SupernetCard:
    """Facts about shared weights, beside their file.

    Attributes:
        space: name of the network space.
        decisions_sha256: of its decisions and their values.
        networks_sha256: `NetworkSpace.networks_sha256`; empty where an older nahas trained it.
        dataset: what they learned: the facts of `about`, the fields of `Task` among them.
        recipe: how, the fields of `SupernetRecipe`.
        epochs: whole ones that they learned for.
        steps: of the training.
        seconds: that it took.
        stop: why it ended: 'epochs' or 'time limit'.
        validation_percent: mean accuracy of networks drawn at the end, with shared weights.
        policy: what a policy chose, and how it was rewarded; None where there was none.
        weights_sha256: of the weights and their names.
        backend: what computed.
        versions: of nahas, Python and the distributions that a number may depend on.
    """

    space: str
    decisions_sha256: str
    dataset: Mapping[str, Any]
    recipe: Mapping[str, Any]
    epochs: int
    steps: int
    seconds: float
    stop: str
    validation_percent: float
    policy: Mapping[str, Any] | None
    weights_sha256: str
    backend: str
    versions: Mapping[str, str | None]
    networks_sha256: str = ""
    schema_version: int = SCHEMA_VERSION


@dataclass
class SupernetState:
    """How far a training has come.

    Attributes:
        epoch: epochs that are done.
        steps: steps that are done.
        seconds: that they took.
        history: a row for each epoch.
    """

    epoch: int = 0
    steps: int = 0
    seconds: float = 0.0
    history: list[dict[str, float | int]] = field(default_factory=list)


@dataclass(frozen=True)
class SupernetFolder:
    """The folder of one training.

    Attributes:
        path: the folder.
        identity: what a training must share with the one that it continues.
    """

    path: Path
    identity: Mapping[str, Any]

    def check(self, *, resume: bool, replace: bool) -> None:
        """Refuse to lose a supernet or a training that was broken off.

        Raises:
            TrainingError: naming what is there and what to do.
        """
        if resume or replace:
            return
        if self._finished():
            raise TrainingError(
                f"{self.path}: holds a training that is finished; begin anew with --force, or "
                "name another folder"
            )
        for name in (CHECKPOINT, WEIGHTS):
            if (self.path / name).exists():
                raise TrainingError(
                    f"{self.path / name}: is there already; go on with --resume, replace it with "
                    "--force, or name another folder"
                )

    def _finished(self) -> bool:
        try:
            return read_card(self.path / WEIGHTS).stop == "epochs"
        except TrainingError:
            return False

    def write(self, state: SupernetState, weights: SharedWeights, policy: Arrays) -> None:
        """Replace checkpoint and log, each whole or not at all.

        Raises:
            TrainingError: when a weight is not finite.
            OSError: when they cannot be written.
        """
        arrays = {
            "facts": np.array(json.dumps({"identity": plain(self.identity), **asdict(state)})),
            **{f"weight/{name}": array for name, array in finite(weights.arrays()).items()},
            **{f"slot/{name}": array for name, array in weights.slot_arrays().items()},
            **{f"policy/{name}": array for name, array in policy.items()},
        }
        _write(self.path / CHECKPOINT, arrays)
        self.log(state)

    def log(self, state: SupernetState) -> None:
        """Write a row for each epoch as CSV."""
        text = io.StringIO()
        writer = csv.DictWriter(text, list(state.history[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(state.history)
        write_text(self.path / LOG, text.getvalue())

    def read(self, weights: SharedWeights) -> tuple[SupernetState, Arrays]:
        """Put weights where the last checkpoint left them; its state, and the policy's.

        Where there is none, nothing changes.

        Raises:
            TrainingError: when it is damaged, or of another training.
        """
        path = self.path / CHECKPOINT
        if not path.exists():
            return SupernetState(), {}
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
                arrays = dict(kept)
            facts = json.loads(str(arrays.pop("facts")))
            identity = facts.pop("identity")
            state = SupernetState(**facts)
        except _UNREADABLE as problem:
            raise _damaged(path, problem, "begin again with --force") from problem
        for name, ours in plain(self.identity).items():
            if identity.get(name) != ours:
                raise TrainingError(
                    f"{path}: holds a training with {name} {identity.get(name)!r}, but here it is "
                    f"{ours!r}: resume with the same options and data, or begin again with --force"
                )
        weights.assign(_below("weight/", arrays))
        weights.assign_slots(_below("slot/", arrays))
        return state, _below("policy/", arrays)


def save_supernet(path: Path, weights: SharedWeights, card: SupernetCard) -> None:
    """Write weights, and their card beside them, each whole or not at all.

    Raises:
        TrainingError: when a weight is not finite.
        OSError: when they cannot be written.
    """
    _write(path, finite(weights.arrays()))
    write_text(path.with_suffix(".json"), json_text(asdict(card)))


def load_supernet(
    path: Path, space: NetworkSpace, task: Task, on: Operations | None = None
) -> tuple[Supernet, SupernetCard]:
    """Read the supernet of a space and a task.

    Args:
        path: the file of weights; its card lies beside it.
        space: whose networks are asked about.
        task: of the images that they are measured on.
        on: what to compute with; None is Keras' backend.

    Raises:
        TrainingError: when a file is missing, damaged, or of another space or task.
    """
    card = read_card(path)
    ours = {
        "space": (card.space, space.name),
        "decisions": (card.decisions_sha256, decisions_hash(space)),
        "task": (card.dataset.get("task"), plain(asdict(task))),
        "networks": (card.networks_sha256 or space.networks_sha256, space.networks_sha256),
    }
    for name, (theirs, here) in ours.items():
        if theirs != here:
            raise TrainingError(
                f"{path}: holds weights for {name} {theirs}, but here it is {here}: train others "
                "with 'nahas train-supernet'"
            )
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
            arrays = dict(kept)
    except _UNREADABLE as problem:
        raise _damaged(path, problem, "train it again") from problem
    if weights_hash(arrays) != card.weights_sha256:
        raise TrainingError(
            f"{path}: has other weights than its card {path.with_suffix('.json').name} says: "
            "copy both files again, or train it again"
        )
    read = for_task(space, task)
    for name, shape in survey(read).items():
        if name not in arrays or any(np.less(arrays[name].shape, shape)):
            raise TrainingError(
                f"{path}: has no weight {name} of {shape}, which networks of space '{space.name}' "
                "have now: train the supernet again"
            )
    return Supernet(space, task, SharedWeights(read, on or operations(), arrays=arrays)), card


def read_card(path: Path) -> SupernetCard:
    """The card beside a file of weights.

    Raises:
        TrainingError: when it is missing, damaged, or of a newer nahas.
    """
    beside = path.with_suffix(".json")
    if not path.is_file():
        raise TrainingError(f"{path}: is not there; 'nahas train-supernet' writes such files")
    if not beside.is_file():
        raise TrainingError(
            f"{path}: has no card {beside.name} beside it: give a file that 'nahas train-supernet' "
            "has written, or copy its card as well"
        )
    try:
        content = json.loads(beside.read_text(encoding="utf-8"))
        card = SupernetCard(**content)
    except _UNREADABLE as problem:
        raise _damaged(beside, problem, "train the supernet again") from problem
    if card.schema_version != SCHEMA_VERSION:
        raise TrainingError(
            f"{beside}: has version {card.schema_version}, but this nahas reads {SCHEMA_VERSION}: "
            "use the nahas that wrote it"
        )
    return card


def finite(arrays: Arrays) -> Arrays:
    """The same arrays, unless a number in one is not finite: then a TrainingError."""
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise TrainingError(
                f"the shared weight {name} is not finite any more: lower the learning rate, and go "
                "on from the last whole epoch with --resume"
            )
    return arrays


def weights_hash(arrays: Arrays) -> str:
    """SHA-256 of weights and their names."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].shape}".encode())
        digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()


def decisions_hash(space: NetworkSpace) -> str:
    """SHA-256 of a space's decisions, in order, and their values."""
    text = json.dumps([[d.name, plain(d.values)] for d in space.space.decisions])
    return hashlib.sha256(text.encode()).hexdigest()


def _write(path: Path, arrays: Arrays) -> None:
    """Arrays to a file, whole or not at all; never a second copy of all of them in memory."""
    with written_whole(path) as temporary, temporary.open("wb") as file:
        write_npz(file, arrays)


def _below(prefix: str, arrays: Arrays) -> dict[str, NDArray[Any]]:
    return {
        name.removeprefix(prefix): array
        for name, array in arrays.items()
        if name.startswith(prefix)
    }


def _damaged(path: Path, problem: Exception, remedy: str) -> TrainingError:
    reason = " ".join(str(problem).split())
    return TrainingError(f"{path}: cannot be read ({reason}); {remedy}")
