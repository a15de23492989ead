"""Accuracy by training: every network that is asked for is trained for a few epochs."""

from __future__ import annotations

import concurrent.futures
import math
import shutil
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.accuracy.halving import Halving, Plan, whole
from nahas.accuracy.ledger import Child, Ledger
from nahas.children.data import Dataset
from nahas.children.jobs import Images, folder_of
from nahas.children.learner import forget_models
from nahas.children.recipe import Recipe
from nahas.children.saved import about
from nahas.children.training import Progress, Reason, Training
from nahas.spaces.named import named
from nahas.spaces.networks import NetworkSpace
from nahas.spaces.space import ChoiceArray
from nahas.spaces.task import NetworkFunction
from nahas.vocabulary import GIVEN_UP
from nahas.vocabulary import Reason as TrialReason
from nahas.workers.named import Workers
from nahas.workers.pool import GivenUpError, Pool


@dataclass(frozen=True, kw_only=True)
class Elsewhere:
    """Who trains children, if not this process.

    Attributes:
        workers: that do.
        images: the data set, for them to open themselves.
    """

    workers: Workers
    images: Images


@dataclass
class _Group:
    """Children that were begun together.

    Attributes:
        plan: which of them to train next, and how far.
        futures: what becomes of those that are in training now.
    """

    plan: Plan
    choices: Mapping[str, ChoiceArray]
    futures: Mapping[str, Future[Child]] = field(default_factory=dict)

    @property
    def ready(self) -> bool:
        return all(future.done() for future in self.futures.values())


class TrainedChildren:
    """Accuracies of trained children; an `AccuracyBackend`, and an `Early` one.

    Each network is trained once. One whose loss is not finite has the accuracy NaN, which earns
    the lowest reward, and one that was stopped early that which it had by then; the ledger says
    why. So does it of one that no worker could finish, which has the accuracy NaN as well.

    Which children are trained together, and so what halving makes of them, follows from the order
    of `begin` alone, not from who is done first.

    Args:
        space: of the choices.
        dataset: what children learn, and are measured on.
        recipe: how.
        ledger: file that remembers them, so that a search that is resumed trains none again; a
            folder beside it keeps what is in training. None remembers in this object alone.
        halving: early termination of hopeless children; None trains all to their end.
        time_limit_s: of each child, which then has the accuracy of what it learned; None is none.
        progress: told of every step of the child in training, if it is trained here.
        elsewhere: who trains them; None is this process, one after the other.

    Raises:
        AccuracyError: when the ledger is damaged, or of other children.
    """

    def __init__(  # noqa: PLR0913 - what is trained, how, when it ends, and who is told or does it
        self,
        space: NetworkSpace,
        dataset: Dataset,
        recipe: Recipe,
        *,
        ledger: Path | None = None,
        halving: Halving | None = None,
        time_limit_s: float | None = None,
        progress: Progress | None = None,
        elsewhere: Elsewhere | None = None,
    ) -> None:
        self.space = space
        self._dataset = dataset
        self._recipe = recipe
        self._halving = halving
        self._time_limit_s = time_limit_s
        self._progress = progress
        self._elsewhere = elsewhere
        self._pool: Pool | None = None
        limit_s = elsewhere.workers.time_limit_s if elsewhere else None
        self._ledger = Ledger(ledger, self.identity, limit_s) if ledger else None
        self._begun: list[_Group] = []
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

    def begin(self, choices: ChoiceArray) -> None:
        """Begin to train what is not known yet of network choices [B, D]."""
        begun = {name for group in self._begun for name in group.choices}
        new = {
            name: choice
            for name, choice in zip(self._names(choices), choices, strict=True)
            if name not in self.children and name not in begun
        }
        together = [[name] for name in new] if self._halving is None else [list(new)] * bool(new)
        for names in together:
            epochs = self._recipe.epochs
            plan = self._halving.plan(names, epochs) if self._halving else whole(names, epochs)
            group = _Group(plan, {name: new[name] for name in names})
            self._begun.append(group)
            self._train(group, *next(plan))
            self._advance(group)

    def accuracy(self, choices: ChoiceArray) -> NDArray[np.float64]:
        """Accuracy in percent [B] of network choices [B, D]; what is not known yet is trained."""
        return np.array([child.accuracy_percent for child in self._known(choices)])

    def failures(self, choices: ChoiceArray) -> NDArray[np.int64]:
        """`vocabulary.Reason` [B] of choices [B, D] whose children no worker finished, else 0."""
        children = self._known(choices)
        return np.array([_failure(child) for child in children], np.int64)

    def close(self) -> None:
        """End all workers and whatever they train; what was remembered stays."""
        if self._pool is not None:
            self._pool.close()
            self._pool = None
            self._begun.clear()

    def _names(self, choices: ChoiceArray) -> list[str]:
        return [self.space.network_name(self.space.space.values(choice)) for choice in choices]

    def _known(self, choices: ChoiceArray) -> list[Child]:
        """The children of choices [B, D], waiting for those in training."""
        self.begin(choices)
        names = self._names(choices)
        while any(name not in self.children for name in names):
            futures = [future for group in self._begun for future in group.futures.values()]
            going = [future for future in futures if not future.done()]
            concurrent.futures.wait(going, return_when=concurrent.futures.FIRST_COMPLETED)
            for group in list(self._begun):
                self._advance(group)
        return [self.children[name] for name in names]

    def _advance(self, group: _Group) -> None:
        """Take a group as far as it goes without waiting."""
        while group.ready:
            told = {name: _outcome(future) for name, future in group.futures.items()}
            try:
                names, epochs = group.plan.send(told)
            except StopIteration as end:
                # All at once: who is stopped depends on the others, so a killed group begins anew.
                self._remember(end.value)
                self._begun.remove(group)
                return
            self._train(group, names, epochs)

    def _train(self, group: _Group, names: Sequence[str], epochs: int) -> None:
        group.futures = {name: self._submit(name, group.choices[name], epochs) for name in names}

    def _submit(self, name: str, choice: ChoiceArray, epochs: int) -> Future[Child]:
        if self._elsewhere is None:
            future: Future[Child] = Future()
            future.set_result(self._trained(name, choice, epochs))
            return future
        if self._pool is None:
            self._pool = self._elsewhere.workers.open()
        job = _Job(
            space=self.space.place,
            choice=tuple(choice.tolist()),
            images=self._elsewhere.images,
            recipe=self._recipe,
            folder=folder_of(self._folder, name),
            epochs=epochs,
            time_limit_s=self._time_limit_s,
        )
        return self._pool.submit(_trained_job, job)

    def _trained(self, name: str, choice: ChoiceArray, epochs: int) -> Child:
        """Train a child here."""
        function, folder = self.space.function(choice), folder_of(self._folder, name)
        how = (folder, epochs, self._time_limit_s, self._progress)
        return _trained_child(function, self._dataset, self._recipe, *how)

    def _remember(self, children: Mapping[str, Child]) -> None:
        self.children.update(children)
        if self._ledger:
            self._ledger.write(self.children)
        for name in children:
            shutil.rmtree(folder_of(self._folder, name), ignore_errors=True)

    @cached_property
    def _folder(self) -> Path:
        """Where checkpoints of children in training are."""
        if self._ledger:
            return self._ledger.path.with_suffix("")
        folder = tempfile.mkdtemp(prefix="nahas-children-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return Path(folder)


@dataclass(frozen=True, kw_only=True)
class _Job:
    """A child to train, in words that another process understands.

    Attributes:
        space: place of its space.
        choice: in that.
        images: what it learns.
        recipe: how.
        folder: of its checkpoints.
        epochs: to train it for, those of its checkpoint included.
        time_limit_s: as `TrainedChildren` has it.
    """

    space: str
    choice: tuple[int, ...]
    images: Images
    recipe: Recipe
    folder: Path
    epochs: int
    time_limit_s: float | None


def _trained_job(job: _Job) -> Child:
    function = _space(job.space).function(np.array(job.choice, np.int64))
    how = (job.folder, job.epochs, job.time_limit_s, None)
    return _trained_child(function, job.images.open(), job.recipe, *how)


_space = cache(named)


def _trained_child(
    function: NetworkFunction,
    dataset: Dataset,
    recipe: Recipe,
    folder: Path,
    epochs: int,
    time_limit_s: float | None,
    progress: Progress | None,
) -> Child:
    training = Training(function, dataset, recipe, folder=folder, resume=True)
    while not training.over and training.state.epoch < epochs:
        training.epoch(time_limit_s, progress)
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


def _outcome(future: Future[Child]) -> Child:
    try:
        return future.result()
    except GivenUpError as given_up:
        reason = Reason[given_up.reason.name].value
        return Child(accuracy_percent=math.nan, epochs=0, seconds=0.0, reason=reason)


_FAILURES = {Reason[reason.name].value: reason for reason in GIVEN_UP}


def _failure(child: Child) -> TrialReason:
    if math.isfinite(child.accuracy_percent):  # what it learned within its time counts
        return TrialReason.OK
    return _FAILURES.get(child.reason, TrialReason.OK)
