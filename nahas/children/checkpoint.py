"""What a training leaves on disk after every epoch, so that a killed one goes on."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from nahas.errors import TrainingError
from nahas.files import npz_bytes, plain, write_text, written_whole

CHECKPOINT = "checkpoint.npz"
LOG = "log.csv"

Arrays = list[NDArray[Any]]
Row = dict[str, float | int]
"""What is known of an epoch, by column."""


@dataclass
class State:
    """How far a training has come: all that the rest of it depends on.

    Attributes:
        epoch: epochs that are done.
        seconds: that they took, compilation and measuring included.
        history: a row for each of them.
        variables: of the model, after the last.
        optimizer: its variables.
    """

    epoch: int = 0
    seconds: float = 0.0
    history: list[Row] = field(default_factory=list)
    variables: Arrays = field(default_factory=list)
    optimizer: Arrays = field(default_factory=list)


@dataclass(frozen=True)
class Folder:
    """The folder of one training: its checkpoint, and its log for people.

    Attributes:
        path: the folder.
        identity: what a training must share with the one that it continues.
    """

    path: Path
    identity: Mapping[str, Any]

    def write(self, state: State) -> None:
        """Replace checkpoint and log, each whole or not at all.

        Raises:
            OSError: when they cannot be written.
        """
        facts = {"epoch": state.epoch, "seconds": state.seconds, "history": state.history}
        arrays = {
            "facts": np.array(json.dumps({"identity": plain(self.identity), **facts})),
            **{f"variable_{number}": array for number, array in enumerate(state.variables)},
            **{f"optimizer_{number}": array for number, array in enumerate(state.optimizer)},
        }
        with written_whole(self.path / CHECKPOINT) as temporary:
            temporary.write_bytes(npz_bytes(arrays))
        self.log(state.history)

    def log(self, history: list[Row]) -> None:
        """Write a row for each epoch as CSV."""
        text = io.StringIO()
        writer = csv.DictWriter(text, list(history[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(history)
        write_text(self.path / LOG, text.getvalue())

    @property
    def begun(self) -> bool:
        """Whether there is a checkpoint."""
        return (self.path / CHECKPOINT).exists()

    def refuse_begun(self) -> None:
        """Refuse to lose a training that was begun.

        Raises:
            TrainingError: saying what to do.
        """
        if self.begun:
            raise TrainingError(
                f"{self.path}: holds a training that was begun; go on with --resume, or begin "
                "again with --force"
            )

    def read(self) -> State:
        """The state at the last checkpoint, or the beginning where there is none.

        Raises:
            TrainingError: when it is damaged, or of a training with another recipe or data.
        """
        path = self.path / CHECKPOINT
        if not path.exists():
            return State()
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
                arrays = dict(kept)
            facts = json.loads(str(arrays["facts"]))
            identity = facts.pop("identity")
            state = State(
                variables=_numbered(arrays, "variable"),
                optimizer=_numbered(arrays, "optimizer"),
                **facts,
            )
        except (OSError, EOFError, ValueError, KeyError, TypeError, BadZipFile) as problem:
            reason = " ".join(str(problem).split())
            raise TrainingError(
                f"{path}: cannot be read as a checkpoint ({reason}); begin again with --force"
            ) from problem
        self._check(identity)
        return state

    def _check(self, identity: Mapping[str, Any]) -> None:
        for name, ours in plain(self.identity).items():
            if identity.get(name) != ours:
                raise TrainingError(
                    f"{self.path}: holds a training with {name} {identity.get(name)!r}, but here "
                    f"it is {ours!r}: resume with the same recipe and data, or begin again with "
                    "--force"
                )


def _numbered(arrays: Mapping[str, NDArray[Any]], name: str) -> Arrays:
    count = sum(key.startswith(f"{name}_") for key in arrays)
    return [arrays[f"{name}_{number}"] for number in range(count)]
