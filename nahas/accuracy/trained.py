"""Accuracy by training: every network that is asked for is trained for a few epochs."""

from __future__ import annotations

import json
import math
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.children.data import Dataset
from nahas.children.jobs import folder_of
from nahas.children.learner import forget_models
from nahas.children.recipe import Recipe
from nahas.children.saved import about
from nahas.children.training import Progress, Reason, Training
from nahas.datafiles import check_schema_version
from nahas.errors import AccuracyError
from nahas.files import json_text, plain, write_text
from nahas.spaces.networks import NetworkSpace
from nahas.spaces.space import ChoiceArray

SCHEMA_VERSION = 1
"""Version of the ledger; a reader refuses any other."""


@dataclass(frozen=True, kw_only=True)
class Halving:
    """Successive halving of the children that are asked for together.

    All are trained for `first` epochs, the best go on until they have had `factor` times as many,
    the best of those again, until the recipe's epochs are done (Jamieson and Talwalkar,
    arXiv 1502.07943).

    Attributes:
        first: epochs that every child gets.
        keep: share of the children that go on, rounded up.
        factor: of the epochs from rung to rung.

    Raises:
        AccuracyError: for a value that stops none or all.
    """

    first: int = 1
    keep: float = 0.5
    factor: int = 2

    def __post_init__(self) -> None:
        rules = {
            "first": (self.first >= 1, "at least 1"),
            "keep": (0 < self.keep < 1, "above 0 and below 1"),
            "factor": (self.factor >= 2, "at least 2"),
        }
        for name, (kept, allowed) in rules.items():
            if not kept:
                raise AccuracyError(
                    f"halving: {name} is {getattr(self, name)!r}, but it must be {allowed}"
                )

    def rungs(self, epochs: int) -> list[int]:
        """Epochs that a child has had where some are stopped, and at its end."""
        rungs, rung = [], self.first
        while rung < epochs:
            rungs.append(rung)
            rung *= self.factor
        return [*rungs, epochs]


@dataclass(frozen=True, kw_only=True)
class Child:
    """A child that is remembered.

    Attributes:
        accuracy_percent: top-1 on the validation images; NaN where its loss was not finite.
        epochs: that it finished.
        seconds: that they took.
        reason: why it ended before its end, in the words of `Reason`; empty if it did not.
    """

    accuracy_percent: float
    epochs: int
    seconds: float
    reason: str


class TrainedChildren:
    """Accuracies of trained children; an `AccuracyBackend`.

    Each network is trained once. One whose loss is not finite has the accuracy NaN, which earns
    the lowest reward, and one that was stopped early that which it had by then; the ledger says
    why.

    Args:
        space: of the choices.
        dataset: what children learn, and are measured on.
        recipe: how.
        ledger: file that remembers them, so that a search that is resumed trains none again; a
            folder beside it keeps what is in training. None remembers in this object alone.
        halving: early termination of hopeless children; None trains all to their end.
        time_limit_s: of each child; None is none.
        progress: told of every step of the child in training.

    Raises:
        AccuracyError: when the ledger is damaged, or of other children.
    """

    def __init__(
        self,
        space: NetworkSpace,
        dataset: Dataset,
        recipe: Recipe,
        *,
        ledger: Path | None = None,
        halving: Halving | None = None,
        time_limit_s: float | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.space = space
        self._dataset = dataset
        self._recipe = recipe
        self._halving = halving
        self._time_limit_s = time_limit_s
        self._progress = progress
        self._ledger = Ledger(ledger, self.identity) if ledger else None
        self.children: dict[str, Child] = self._ledger.read() if self._ledger else {}

    @property
    def label(self) -> str:
        """What this accuracy is."""
        epochs = self._recipe.epochs
        stopped = ", hopeless ones stopped early" if self._halving else ""
        return (
            f"{self._dataset.name} top-1 % on validation images, each network trained for "
            f"{epochs} epoch{'s' if epochs > 1 else ''}{stopped}"
        )

    @property
    def identity(self) -> dict[str, Any]:
        """What makes these accuracies these and no others, without training any."""
        return {
            "space": self.space.name,
            "networks_sha256": self.space.networks_sha256,
            "dataset": about(self._dataset),
            "recipe": asdict(self._recipe),
            "halving": asdict(self._halving) if self._halving else None,
            "time_limit_s": self._time_limit_s,
        }

    def accuracy(self, choices: ChoiceArray) -> NDArray[np.float64]:
        """Accuracy in percent [B] of network choices [B, D]; what is not known yet is trained."""
        names = [self.space.network_name(self.space.space.values(choice)) for choice in choices]
        new = {
            name: choice
            for name, choice in zip(names, choices, strict=True)
            if name not in self.children
        }
        if new:
            with self._folder() as folder:
                self._train(new, folder)
        return np.array([self.children[name].accuracy_percent for name in names])

    def _train(self, new: Mapping[str, ChoiceArray], folder: Path) -> None:
        if self._halving is None:
            for name, choice in new.items():
                child = self._trained(name, choice, folder, self._recipe.epochs)
                self._remember({name: child}, folder)
            return
        alive, children = list(new), {}
        rungs = self._halving.rungs(self._recipe.epochs)
        for rung in rungs:
            for name in alive:
                children[name] = self._trained(name, new[name], folder, rung)
            if rung != rungs[-1]:
                alive = self._sorted_out(alive, children)
        # All at once: who is stopped depends on the others, so a killed batch begins them anew.
        self._remember(children, folder)

    def _sorted_out(self, alive: Sequence[str], children: dict[str, Child]) -> list[str]:
        """Who goes on; the others are marked as stopped, unless they have ended by themselves."""
        assert self._halving is not None
        going = [name for name in alive if children[name].reason == Reason.DONE]
        best = sorted(going, key=lambda name: -children[name].accuracy_percent)
        kept = set(best[: math.ceil(self._halving.keep * len(going))])
        for name in going:
            if name not in kept:
                stopped = {**asdict(children[name]), "reason": Reason.STOPPED.value}
                children[name] = Child(**stopped)
        return [name for name in going if name in kept]

    def _trained(self, name: str, choice: ChoiceArray, folder: Path, epochs: int) -> Child:
        training = Training(
            self.space.function(choice),
            self._dataset,
            self._recipe,
            folder=folder_of(folder, name),
            resume=True,
        )
        while not training.over and training.state.epoch < epochs:
            training.epoch(self._time_limit_s, self._progress)
        # A checkpoint of a batch that was killed may be of a later rung than this one.
        last = training.state.history[:epochs][-1]
        child = Child(
            accuracy_percent=float(last["validation_percent"]),
            epochs=min(training.state.epoch, epochs),
            seconds=last["seconds"],
            reason=training.reason.value,
        )
        del training
        forget_models()
        return child

    def _remember(self, children: Mapping[str, Child], folder: Path) -> None:
        self.children.update(children)
        if self._ledger:
            self._ledger.write(self.children)
        for name in children:
            shutil.rmtree(folder_of(folder, name), ignore_errors=True)

    @contextmanager
    def _folder(self) -> Iterator[Path]:
        """Where checkpoints of children in training are."""
        if self._ledger:
            yield self._ledger.path.with_suffix("")
        else:
            with tempfile.TemporaryDirectory(prefix="nahas-children-") as folder:
                yield Path(folder)


@dataclass(frozen=True)
class Ledger:
    """The file that remembers children.

    Attributes:
        path: of a JSON file.
        identity: what its accuracies are.
    """

    path: Path
    identity: Mapping[str, Any]

    def write(self, children: Mapping[str, Child]) -> None:
        """Write all children, whole or not at all.

        Raises:
            OSError: when it cannot be written.
        """
        remembered = {name: asdict(child) for name, child in children.items()}
        content = {"schema_version": SCHEMA_VERSION, **self.identity, "children": remembered}
        write_text(self.path, json_text(content))

    def read(self) -> dict[str, Child]:
        """The children that it remembers; none where there is no file.

        Raises:
            AccuracyError: when it is damaged, or of other children.
        """
        if not self.path.exists():
            return {}
        content = self._content()
        check_schema_version(content, self.path, SCHEMA_VERSION, AccuracyError)
        for name, ours in plain(self.identity).items():
            if content.get(name) != ours:
                raise AccuracyError(
                    f"{self.path}: remembers children of {name} {content.get(name)}, but here it "
                    f"is {ours}: name another run folder"
                )
        try:
            return {name: _child(of) for name, of in content["children"].items()}
        except (KeyError, TypeError, ValueError, AttributeError) as problem:
            raise AccuracyError(f"{self.path}: is damaged ({problem})") from problem

    def _content(self) -> dict[str, Any]:
        try:
            content: Any = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as problem:
            raise AccuracyError(f"{self.path}: cannot be read ({problem})") from problem
        if not isinstance(content, dict):
            raise AccuracyError(f"{self.path}: is no ledger of children (it holds no object)")
        return content


def _child(remembered: Mapping[str, Any]) -> Child:
    accuracy = remembered["accuracy_percent"]
    return Child(**{**remembered, "accuracy_percent": math.nan if accuracy is None else accuracy})
