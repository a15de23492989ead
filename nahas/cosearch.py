"""The search loop: ask, measure, reward, tell, keep. Everything in it is handed in.

Where measuring takes long, a window of batches is in flight: batch k is asked when batch
k - ahead - 1 has been told, and begun at once. Batches are told and kept in the order in which
they were asked, so that the trials follow from the seed and the window alone, never from who is
done first; a proposal is at most `ahead` lessons behind, and no more than the window's batches
wait for workers.
"""

from __future__ import annotations

import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from types import FrameType

import numpy as np

from nahas.controllers.base import Controller, MultiObjective, State
from nahas.errors import StudyError, UsageError
from nahas.measurer import Measures
from nahas.pareto import ParetoReward
from nahas.reward import Rewarding
from nahas.spaces.space import ChoiceArray
from nahas.study.trials import Trials

Keep = Callable[[Trials, int, State | None], None]
"""Takes a batch of trials, its number, and the state of the search after it."""

IN_FLIGHT = "cosearch.in_flight"
"""The array of a kept state that holds the choices of batches in flight [ahead * batch, D]."""


class Stop(StrEnum):
    """Why a search ended."""

    TRIALS = "trials"
    TIME = "time limit"
    INTERRUPT = "interrupt"


@dataclass(frozen=True, kw_only=True)
class Run:
    """How long to search, and in what steps.

    Attributes:
        trials: end of the search, counted over the whole study.
        batch: trials between two lessons of the controller.
        start: trials of the study that the controller has learnt from already.
        time_limit_s: end of the search after the batch in flight; None is none.
        ahead: batches that are asked before the lesson of the one before them.
        in_flight: batches [batch, D] that were asked before `start`, and not told; the oldest
            first.

    Raises:
        UsageError: naming the field, its value and what is allowed.
    """

    trials: int
    batch: int = 20
    start: int = 0
    time_limit_s: float | None = None
    ahead: int = 0
    in_flight: tuple[ChoiceArray, ...] = ()

    def __post_init__(self) -> None:
        for name, least in (("trials", 1), ("batch", 1), ("start", 0), ("ahead", 0)):
            value = getattr(self, name)
            if value < least:
                raise UsageError(f"{name} is {value}, but it must be at least {least}")
        if self.time_limit_s is not None and not self.time_limit_s > 0:
            raise UsageError(f"the time limit is {self.time_limit_s} s, but it must be above 0")


def nothing_begins(_: ChoiceArray) -> None:
    """Begin nothing: for what is measured in no time."""


def cosearch(
    controller: Controller,
    measure: Callable[[ChoiceArray], Measures],
    reward: Rewarding,
    run: Run,
    keep: Keep,
    *,
    stop: Callable[[], bool] = lambda: False,
    begin: Callable[[ChoiceArray], None] = nothing_begins,
) -> Stop:
    """Search until the run ends.

    The controller always draws whole batches, and the whole window. Where the trials end within
    one, its beginning is measured and kept but not learnt from: a later, longer run draws it
    again, whole, and so continues as if it had never stopped.

    Args:
        controller: proposes choices and learns from rewards.
        measure: accuracies and costs of choices [B, D].
        reward: makes one number of them.
        run: where to begin and when to end.
        keep: called with every batch, in order.
        stop: asked before every batch; True ends the search, and drops what is in flight.
        begin: called with the choices [B, D] of every batch when it is asked; `measure` then waits
            for what it has begun.
    """
    begun = time.monotonic()
    done = run.start
    window = _Window(run, controller, begin)
    while done < run.trials:
        if stop():
            return Stop.INTERRUPT
        if run.time_limit_s is not None and time.monotonic() - begun >= run.time_limit_s:
            return Stop.TIME
        choices = window.oldest(done)[: run.trials - done]
        whole = len(choices) == run.batch
        trials = rewarded(choices, measure(choices), reward, first=done)
        if whole:
            teach(controller, trials, reward)
        keep(trials, done // run.batch, window.state() if whole else None)
        done += len(choices)
    return Stop.TRIALS


class _Window:
    """Batches that were asked and not told, the oldest first."""

    def __init__(
        self, run: Run, controller: Controller, begin: Callable[[ChoiceArray], None]
    ) -> None:
        self._run = run
        self._controller = controller
        self._begin = begin
        self._batches = deque(run.in_flight)
        for place, choices in enumerate(self._batches):
            self._begin_some(choices, run.start + place * run.batch)

    def oldest(self, done: int) -> ChoiceArray:
        """Take out the oldest batch, trials from `done` on, once the window is full behind it."""
        while len(self._batches) <= self._run.ahead:
            choices = self._controller.ask(self._run.batch)
            self._begin_some(choices, done + len(self._batches) * self._run.batch)
            self._batches.append(choices)
        return self._batches.popleft()

    def state(self) -> State:
        """All that the next trials depend on."""
        state = self._controller.state()
        return {**state, IN_FLIGHT: np.concatenate(self._batches)} if self._batches else state

    def _begin_some(self, choices: ChoiceArray, first: int) -> None:
        """Begin a batch whose first trial has this number, as far as trials are wanted."""
        if first < self._run.trials:
            self._begin(choices[: self._run.trials - first])


def continued(run: Run, controller: Controller, state: State) -> Run:
    """The run from a kept state on, into which the controller is put as well.

    Raises:
        StudyError: when the state is not of such a run.
    """
    arrays = dict(state)
    flight = arrays.pop(IN_FLIGHT, np.zeros((0, 0), np.int64))
    if len(flight) != run.ahead * run.batch:
        raise StudyError(
            f"the kept state has {len(flight)} trials in flight, but a window of {run.ahead} "
            f"batches of {run.batch} has {run.ahead * run.batch}: restore a copy, or start another "
            "study"
        )
    controller.restore(arrays)
    in_flight = tuple(np.split(flight.astype(np.int64), run.ahead)) if run.ahead else ()
    return replace(run, in_flight=in_flight)


def teach(controller: Controller, trials: Trials, reward: Rewarding) -> None:
    """Tell a controller its trials' rewards; in Pareto mode, if it can, their objectives."""
    if isinstance(reward, ParetoReward) and isinstance(controller, MultiObjective):
        objectives = reward.objectives(trials.accuracy, trials.costs)
        controller.tell_objectives(trials.choices, objectives)
    else:
        controller.tell(trials.choices, trials.reward)


def rewarded(choices: ChoiceArray, measures: Measures, reward: Rewarding, *, first: int) -> Trials:
    """The trials of measured choices [B, D], numbered from `first`."""
    accuracy, costs = measures
    return Trials(
        number=np.arange(first, first + len(choices)),
        choices=choices,
        accuracy=accuracy,
        latency_ms=costs.latency_ms,
        energy_mj=costs.energy_mj,
        area_mm2=costs.area_mm2,
        parameters=costs.parameters,
        reason=costs.reason,
        reward=reward.of(accuracy, costs),
        satisfied=reward.satisfied(accuracy, costs),
        time=np.full(len(choices), time.time()),
    )


@contextmanager
def interrupts() -> Iterator[Callable[[], bool]]:
    """Give a function that tells whether Ctrl-C was pressed; a second press raises at once.

    A handler of the program's own that was there before hears of the first press as well. Outside
    the main thread, where Python delivers no signals, the function never tells so.
    """
    pressed = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield pressed.is_set
        return

    def note(number: int, frame: FrameType | None) -> None:
        if pressed.is_set():
            signal.default_int_handler(number, frame)
        pressed.set()
        if callable(before) and before is not signal.default_int_handler:
            before(number, frame)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield pressed.is_set
    finally:
        signal.signal(signal.SIGINT, before)
