"""Training of a supernet: weight steps, lessons of a policy between them, checkpoints."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nahas.children.data import Dataset, data_errors
from nahas.children.quiet import import_keras
from nahas.children.saved import about
from nahas.children.supernet import Supernet, SupernetRecipe
from nahas.children.supernet_files import (
    WEIGHTS,
    SupernetCard,
    SupernetFolder,
    SupernetState,
    decisions_hash,
    save_supernet,
    weights_hash,
)
from nahas.errors import TrainingError
from nahas.manifest import installed_version, versions
from nahas.spaces.space import ChoiceArray

MEASURED_BATCHES = 8
"""Validation batches at the end of an epoch, each with another network."""

Progress = Callable[[int, int, str], None]
"""Told how many steps are done, how many there are, and how it goes."""


class Policy(Protocol):
    """Chooses the networks that are trained, and learns which are good."""

    def sample(self) -> ChoiceArray:
        """A network to train [D]."""
        ...

    def learn(self, accuracy: Callable[[ChoiceArray], float]) -> None:
        """Take a lesson from the accuracy of networks [D], in percent, on validation images."""
        ...

    def row(self) -> dict[str, float]:
        """What the log says of the lessons since the last call."""
        ...

    def summary(self) -> dict[str, Any]:
        """What the card says: the choice, and how it was rewarded."""
        ...

    def state(self) -> Mapping[str, NDArray[Any]]:
        """All that the next draws and lessons depend on."""
        ...

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Continue from a `state`."""
        ...


@dataclass(frozen=True, kw_only=True)
class SupernetRun:
    """Where a training keeps its files, and when it ends.

    Attributes:
        folder: for weights, card, log and checkpoint; None keeps nothing.
        resume: go on from the checkpoint; where there is none, begin.
        replace: begin anew, whatever there is.
        time_limit_s: end of the training after the step in flight. What was learned in an
            epoch that is not whole is kept in the weights, but `resume` begins it again.
        identity: further facts that a resumed training must share, such as the targets.
    """

    folder: Path | None = None
    resume: bool = False
    replace: bool = False
    time_limit_s: float | None = None
    identity: Mapping[str, Any] | None = None


def train_supernet(
    supernet: Supernet,
    dataset: Dataset,
    recipe: SupernetRecipe,
    *,
    policy: Policy | None = None,
    run: SupernetRun | None = None,
    progress: Progress = lambda _done, _total, _note: None,
) -> SupernetCard:
    """Train the weights of a supernet in place.

    Args:
        supernet: new, with the recipe's seed.
        dataset: images of its task; weights learn from the train part, a policy from the
            validation part, which have no image in common.
        recipe: how.
        policy: draws the networks, and has a lesson after each step but the first ones; None
            draws all networks alike.
        run: where things are kept, and when it ends.
        progress: told of every step.

    Raises:
        TrainingError: when the loss is not finite, or a checkpoint cannot be used.
        DataError: when an image cannot be decoded.
    """
    return _Training(supernet, dataset, recipe, policy, run or SupernetRun()).run(progress)


class _Training:
    """One call of `train_supernet`."""

    def __init__(
        self,
        supernet: Supernet,
        dataset: Dataset,
        recipe: SupernetRecipe,
        policy: Policy | None,
        run: SupernetRun,
    ) -> None:
        self._supernet, self._dataset, self._recipe = supernet, dataset, recipe
        self._policy, self._run = policy, run
        self._folder = self._folder_of(run)
        self._state = SupernetState()
        self._total = recipe.epochs * len(self._batches("train", 0))
        self._stop = "epochs"

    def run(self, progress: Progress) -> SupernetCard:
        if self._folder is not None and not self._run.replace:
            self._state, policy = self._folder.read(self._supernet.weights)
            if policy and self._policy is not None:
                self._policy.restore(policy)
        began = time.monotonic() - self._state.seconds
        limit = self._run.time_limit_s
        end = math.inf if limit is None else time.monotonic() + limit
        while self._state.epoch < self._recipe.epochs and self._stop == "epochs":
            with data_errors():
                row = self._epoch(progress, end)
            self._state.seconds = time.monotonic() - began
            self._state.history.append({**row, "seconds": round(self._state.seconds, 3)})
            if self._stop == "epochs":
                self._state.epoch += 1
                if self._folder is not None:
                    kept = self._policy.state() if self._policy is not None else {}
                    self._folder.write(self._state, self._supernet.weights, kept)
        return self._finish()

    def _epoch(self, progress: Progress, end: float) -> dict[str, float | int]:
        epoch, recipe = self._state.epoch, self._recipe
        rng = np.random.default_rng([recipe.seed, 1, epoch])
        validation = self._validation(epoch)
        losses = []
        for batch in self._batches("train", epoch):
            fraction = self._state.steps / self._total
            losses.append(self._step(batch, fraction, rng))
            if self._policy is not None and fraction >= recipe.policy_start:
                lesson = next(validation)
                self._policy.learn(lambda choice: self._supernet.accuracy(choice, [lesson]))  # noqa: B023  # called before the next batch
            self._state.steps += 1
            progress(self._state.steps, self._total, f"loss {losses[-1]:.3f}")
            if time.monotonic() >= end:
                self._stop = "time limit"
                break
        return {
            "epoch": epoch + 1,
            "steps": self._state.steps,
            "loss": float(np.mean(losses)),
            "learning_rate": recipe.rates(fraction).rate,
            "validation_percent": self._measured(rng),
            **(self._policy.row() if self._policy is not None else {}),
        }

    def _step(self, batch: tuple[Any, Any], fraction: float, rng: np.random.Generator) -> float:
        recipe = self._recipe
        mixture = self._supernet.warmed(
            self._drawn(rng),
            rng,
            operations=_falling(fraction, recipe.operation_warm_up),
            filters=_falling(fraction, recipe.filter_warm_up),
        )
        rates = recipe.rates(fraction)
        loss = self._supernet.step(batch, mixture, rates, recipe.label_smoothing)
        if not math.isfinite(loss):
            raise TrainingError(
                f"the loss is {loss} at step {self._state.steps + 1} of epoch "
                f"{self._state.epoch + 1}, at a learning rate of {rates.rate:.3g}: take a lower "
                f"one than {recipe.learning_rate:g}"
            )
        return loss

    def _drawn(self, rng: np.random.Generator) -> ChoiceArray:
        if self._policy is not None:
            return self._policy.sample()
        drawn: ChoiceArray = self._supernet.space.space.sample(1, rng)[0]
        return drawn

    def _measured(self, rng: np.random.Generator) -> float:
        """Mean accuracy of networks as they are drawn, each on a batch of its own."""
        validation = self._validation(0)
        count = min(MEASURED_BATCHES, len(self._batches("validation", 0)))
        accuracies = [
            self._supernet.accuracy(
                self._supernet.space.space.sample(1, rng)[0], [next(validation)]
            )
            for _ in range(count)
        ]
        return float(np.mean(accuracies))

    def _validation(self, epoch: int) -> Iterator[tuple[Any, Any]]:
        """Batches of the validation part without end, in another order each time."""
        turn = epoch
        while True:
            yield from self._batches("validation", turn)
            turn += self._recipe.epochs

    def _batches(self, part: str, epoch: int) -> Any:
        recipe, train = self._recipe, part == "train"
        return self._dataset.batches(
            part,
            batch=recipe.batch * (1 if train else recipe.policy_batches),
            seed=recipe.seed,
            epoch=epoch,
            augment=train and recipe.augment,
            shuffle=True,
        )

    def _folder_of(self, run: SupernetRun) -> SupernetFolder | None:
        if run.folder is None:
            return None
        identity = {
            "space": self._supernet.space.name,
            "decisions_sha256": decisions_hash(self._supernet.space),
            "networks_sha256": self._supernet.space.networks_sha256,
            "dataset": about(self._dataset),
            **asdict(self._recipe),
            **(run.identity or {}),
        }
        folder = SupernetFolder(run.folder, identity)
        folder.check(resume=run.resume, replace=run.replace)
        return folder

    def _finish(self) -> SupernetCard:
        supernet, state = self._supernet, self._state
        backend = import_keras().backend.backend()
        card = SupernetCard(
            space=supernet.space.name,
            decisions_sha256=decisions_hash(supernet.space),
            networks_sha256=supernet.space.networks_sha256,
            dataset=about(self._dataset),
            recipe=asdict(self._recipe),
            epochs=state.epoch,
            steps=state.steps,
            seconds=round(state.seconds, 3),
            stop=self._stop,
            validation_percent=float(state.history[-1]["validation_percent"]),
            policy=self._policy.summary() if self._policy is not None else None,
            weights_sha256=weights_hash(supernet.weights.arrays()),
            backend=backend,
            versions={**versions(), backend: installed_version(backend)},
        )
        if self._folder is not None:
            self._folder.log(state)
            save_supernet(self._folder.path / WEIGHTS, supernet.weights, card)
        return card


def _falling(fraction: float, share: float) -> float:
    """From 1 at the beginning to 0 at a share of the training."""
    return max(0.0, 1.0 - fraction / share) if share else 0.0
