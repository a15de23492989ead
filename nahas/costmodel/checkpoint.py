"""What a training run leaves on disk while it runs, so that a killed one goes on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from nahas.errors import CostModelError
from nahas.files import npz_bytes, plain, written_whole

CHECKPOINT = "checkpoint.npz"
NOT_FINITE = "not_finite.npz"

Arrays = list[NDArray[Any]]
Row = dict[str, float | int]


@dataclass
class State:
    """How far a run has come: all that the rest of it depends on.

    Attributes:
        member: the member that is learning, from 0.
        epoch: its epochs that are done.
        seconds: of learning so far, all members.
        began: seconds of learning when this member began.
        best_epoch: the epoch, from 1, of the lowest validation loss; 0 before the first.
        best_loss: that loss; infinite before the first.
        best: the weights after that epoch.
        variables: everything that the member's run changes, after the last epoch.
        finished: best weights of the members before.
        history: a row for each epoch of each member.
    """

    member: int = 0
    epoch: int = 0
    seconds: float = 0.0
    began: float = 0.0
    best_epoch: int = 0
    best_loss: float = float("inf")
    best: Arrays = field(default_factory=list)
    variables: Arrays = field(default_factory=list)
    finished: list[Arrays] = field(default_factory=list)
    history: list[Row] = field(default_factory=list)

    @property
    def best_rows(self) -> list[Row]:
        """The row of the best epoch of each finished member."""
        best: dict[float, Row] = {}
        for row in self.history:
            kept = best.get(row["member"])
            if kept is None or row["validation_loss"] < kept["validation_loss"]:
                best[row["member"]] = row
        return list(best.values())

    def next_member(self) -> None:
        """Keep the best weights of this member and begin with the next."""
        self.finished.append(self.best)
        self.member += 1
        self.epoch = self.best_epoch = 0
        self.began, self.best_loss = self.seconds, float("inf")
        self.best, self.variables = [], []


@dataclass(frozen=True)
class Folder:
    """The folder NAME.keras.partial beside a model that is being learned.

    Attributes:
        path: the folder.
        identity: what a run must share with the one that it continues: recipe, origin, data.
    """

    path: Path
    identity: Mapping[str, Any]

    def write(self, state: State) -> None:
        """Replace the checkpoint, whole or not at all.

        Raises:
            CostModelError: when it cannot be written.
        """
        facts = {name: getattr(state, name) for name in _FACTS}
        arrays = {
            **_numbered("best", state.best),
            **_numbered("variable", state.variables),
            **{
                key: array
                for member, weights in enumerate(state.finished)
                for key, array in _numbered(f"finished{member}", weights).items()
            },
        }
        text = json.dumps({"identity": plain(self.identity), **facts})
        self._save(CHECKPOINT, {"facts": np.array(text), **arrays})

    def read(self) -> State:
        """The state at the last checkpoint, or the beginning where there is none.

        Raises:
            CostModelError: when it is damaged, or of a run with other options or data.
        """
        path = self.path / CHECKPOINT
        if not path.exists():
            return State()
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
                arrays = dict(kept)
            facts = json.loads(str(arrays.pop("facts")))
            identity = facts.pop("identity")
            finished = [_taken(arrays, f"finished{member}") for member in range(facts["member"])]
            state = State(
                best=_taken(arrays, "best"),
                variables=_taken(arrays, "variable"),
                finished=finished,
                **facts,
            )
        except (OSError, EOFError, ValueError, KeyError, TypeError, BadZipFile) as problem:
            reason = " ".join(str(problem).split())
            raise CostModelError(
                f"{path}: cannot be read as a checkpoint ({reason}); begin again with --force"
            ) from problem
        self._check(identity)
        return state

    def _check(self, identity: Mapping[str, Any]) -> None:
        for name, ours in plain(self.identity).items():
            if identity.get(name) != ours:
                raise CostModelError(
                    f"{self.path}: holds a run with {name} {identity.get(name)!r}, but here it is "
                    f"{ours!r}: resume with the same options and data, or begin again with --force"
                )

    def save_batch(self, arrays: Mapping[str, NDArray[Any]]) -> Path:
        """Write the batch that could not be learned from, and the weights that met it."""
        self._save(NOT_FINITE, arrays)
        return self.path / NOT_FINITE

    def _save(self, name: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        path = self.path / name
        try:
            with written_whole(path) as temporary:
                temporary.write_bytes(npz_bytes(arrays))
        except OSError as problem:
            raise CostModelError(
                f"{path}: cannot be written ({problem.strerror or problem})"
            ) from problem


_FACTS = ("member", "epoch", "seconds", "began", "best_epoch", "best_loss", "history")


def partial_folder(model: Path) -> Path:
    """The folder of a model that is being learned."""
    return model.with_name(f"{model.name}.partial")


def remove_partial(model: Path) -> None:
    """Remove the folder of a model that has been learned, or is to be learned anew."""
    shutil.rmtree(partial_folder(model), ignore_errors=True)


def _numbered(name: str, arrays: Arrays) -> dict[str, NDArray[Any]]:
    return {f"{name}_{number}": array for number, array in enumerate(arrays)}


def _taken(arrays: Mapping[str, NDArray[Any]], name: str) -> Arrays:
    count = sum(key.startswith(f"{name}_") for key in arrays)
    return [arrays[f"{name}_{number}"] for number in range(count)]
