"""Learning: epochs of compiled blocks, the best weights kept, a checkpoint after each."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.costmodel.checkpoint import Folder, State
from nahas.costmodel.columns import Blocks, Columns
from nahas.costmodel.features import encoder
from nahas.costmodel.perceptron import HEADS, VALIDITY, Normalisation, perceptron
from nahas.costmodel.recipe import Recipe
from nahas.costmodel.schedule import fractions, learning_rates
from nahas.costmodel.step import Learner
from nahas.errors import CostModelError
from nahas.spaces.space import Space

EachEpoch = Callable[[State], None]
"""Told after every epoch, when its checkpoint is on disk."""


@dataclass(frozen=True)
class Lesson:
    """What all members learn.

    Attributes:
        space: whose decisions the columns hold.
        train: rows to learn from.
        validation: rows whose loss says which weights are best.
        normal: how the targets were standardised.
        validity: whether there is a head for validity.
    """

    space: Space
    train: Columns
    validation: Columns
    normal: Normalisation
    validity: bool

    @property
    def heads(self) -> tuple[str, ...]:
        """Names of the heads that are learned."""
        return (*HEADS, VALIDITY) if self.validity else HEADS


def learn(
    lesson: Lesson,
    recipe: Recipe,
    state: State,
    folder: Folder | None = None,
    each_epoch: EachEpoch | None = None,
) -> list[Any]:
    """Learn the members of a recipe, from the state on, and give them with their best weights.

    Args:
        lesson: the rows.
        recipe: how.
        state: where to begin; it is carried along.
        folder: where a checkpoint of every epoch goes; None keeps none.
        each_epoch: told of every epoch.

    Raises:
        CostModelError: when a loss or a gradient is not finite.
    """
    members = [_perceptron(lesson, recipe, member) for member in range(recipe.members)]
    while state.member < recipe.members:
        keras_model = members[state.member]
        learner = Learner(keras_model, encoder(lesson.space), lesson.normal, recipe)
        if state.variables:
            learner.restore(state.variables)
        _learn_member(_Run(lesson, recipe, state, folder, learner), each_epoch or (lambda _: None))
        state.next_member()
    for keras_model, weights in zip(members, state.finished, strict=True):
        keras_model.set_weights(weights)
    return members


def seeds(recipe: Recipe, member: int) -> tuple[int, int]:
    """Seeds of a member's weights and of its order of learning."""
    weights, order = np.random.SeedSequence([recipe.seed, member]).generate_state(2).tolist()
    return weights, order


def _perceptron(lesson: Lesson, recipe: Recipe, member: int) -> Any:
    inputs = int(lesson.space.cardinalities.sum())
    seed, _ = seeds(recipe, member)
    return perceptron(inputs, lesson.normal, recipe, seed=seed, validity=lesson.validity)


@dataclass
class _Run:
    """One member's run."""

    lesson: Lesson
    recipe: Recipe
    state: State
    folder: Folder | None
    learner: Learner

    _started: float | None = field(default=None, init=False)

    def start_clock(self) -> None:
        """Begin to count seconds: after the first block, when all has been compiled."""
        if self._started is None:
            self.learner.measured(self.lesson.validation)
            self._started = time.monotonic() - self.state.seconds

    @property
    def seconds(self) -> float:
        if self._started is None:
            return self.state.seconds
        return time.monotonic() - self._started

    @property
    def of_time(self) -> float:
        """Fraction of this member's share of the time limit that has passed."""
        if self.recipe.time_limit_s is None:
            return 0.0
        members_left = self.recipe.members - self.state.member
        share = (self.recipe.time_limit_s - self.state.began) / members_left
        return (self.seconds - self.state.began) / share if share > 0 else 1.0

    @property
    def over(self) -> bool:
        """Whether the member has had its epochs or its time, or gets no better.

        One epoch there always is, however short the time.
        """
        state, recipe = self.state, self.recipe
        stale = state.epoch - state.best_epoch >= recipe.patience
        return state.epoch >= recipe.epochs or (state.epoch > 0 and (stale or self.of_time >= 1))

    def after_epoch(self, losses: NDArray[np.float64], rate: float) -> None:
        """Measure on the validation rows, keep the best weights, write the checkpoint."""
        state = self.state
        validation, errors = self.learner.measured(self.lesson.validation)
        if not np.isfinite(validation).all():
            raise _not_finite(self, "the validation loss", rate, [])
        state.epoch += 1
        if validation.sum() < state.best_loss:
            state.best_loss, state.best_epoch = float(validation.sum()), state.epoch
            state.best = self.learner.keras_model.get_weights()
        heads = self.lesson.heads
        state.history.append(
            {
                "member": state.member,
                "epoch": state.epoch,
                "learning_rate": rate,
                "loss": float(losses.sum()),
                **{f"loss_{name}": float(x) for name, x in zip(heads, losses, strict=True)},
                "validation_loss": float(validation.sum()),
                **{
                    f"validation_loss_{name}": float(x)
                    for name, x in zip(heads, validation, strict=True)
                },
                **{
                    f"validation_mape_{name}": float(x)
                    for name, x in zip(HEADS, errors, strict=True)
                },
            }
        )
        state.variables, state.seconds = self.learner.state(), self.seconds
        if self.folder:
            self.folder.write(state)


def _learn_member(run: _Run, each_epoch: EachEpoch) -> None:
    state, recipe, train = run.state, run.recipe, run.lesson.train
    blocks = Blocks(len(train), recipe.batch, recipe.steps)
    count, steps, _ = blocks.shape
    _, order = seeds(recipe, state.member)
    stream = iter(blocks.stream(train, order, range(state.epoch, recipe.epochs)))
    while not run.over:
        losses, taken = np.zeros(len(run.lesson.heads)), 0
        for number in range(count):
            first = (state.epoch * count + number) * steps
            done = fractions(first, steps, recipe.epochs * count * steps, run.of_time)
            rates = learning_rates(recipe, done)
            block = next(stream)
            tried, total, finite = run.learner.block(*block, rates)
            if not finite:  # asks for the number, so the block is done
                at = int(tried) - 1
                what = f"step {first + at}: the loss or its gradient"
                raise _not_finite(run, what, float(rates[at]), [part[at].numpy() for part in block])
            run.start_clock()
            losses += total.numpy()
            taken += steps
            if run.of_time >= 1:
                break
        run.after_epoch(losses / taken, float(rates[-1]))
        each_epoch(state)


def _not_finite(run: _Run, what: str, rate: float, batch: list[NDArray[Any]]) -> CostModelError:
    """The error that ends a run, when all that is needed to see why has been saved."""
    where = ""
    if run.folder:
        weights = enumerate(run.learner.keras_model.get_weights())
        columns = dict(zip(("choices", "targets", "can_run"), batch, strict=False))
        path = run.folder.save_batch({**columns, **{f"weight_{i}": w for i, w in weights}})
        held = "its batch and the weights that met it" if batch else "the weights"
        where = f"; {held} are in {path}"
    return CostModelError(
        f"member {run.state.member}, epoch {run.state.epoch + 1}, {what} is not finite at learning "
        f"rate {rate:.3g}{where}: try a lower learning rate"
    )
