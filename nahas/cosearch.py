"""The search loop: ask, measure, reward, tell, keep. Everything in it is handed in."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from types import FrameType

import numpy as np

from nahas.controllers.base import Controller, MultiObjective, State
from nahas.errors import UsageError
from nahas.measurer import Measures
from nahas.pareto import ParetoReward
from nahas.reward import Rewarding
from nahas.spaces.space import ChoiceArray
from nahas.study.trials import Trials

Keep = Callable[[Trials, int, State | None], None]
"""Takes a batch of trials, its number, and the controller's state after it."""


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

    Raises:
        UsageError: naming the field, its value and what is allowed.
    """

    trials: int
    batch: int = 20
    start: int = 0
    time_limit_s: float | None = None

    def __post_init__(self) -> None:
        for name, least in (("trials", 1), ("batch", 1), ("start", 0)):
            value = getattr(self, name)
            if value < least:
                raise UsageError(f"{name} is {value}, but it must be at least {least}")
        if self.time_limit_s is not None and not self.time_limit_s > 0:
            raise UsageError(f"the time limit is {self.time_limit_s} s, but it must be above 0")


def cosearch(
    controller: Controller,
    measure: Callable[[ChoiceArray], Measures],
    reward: Rewarding,
    run: Run,
    keep: Keep,
    *,
    stop: Callable[[], bool] = lambda: False,
) -> Stop:
    """Search until the run ends.

    The controller always draws whole batches. Where the trials end within one, its beginning is
    measured and kept but not learnt from: a later, longer run draws it again, whole, and so
    continues as if it had never stopped.

    Args:
        controller: proposes choices and learns from rewards.
        measure: accuracies and costs of choices [B, D].
        reward: makes one number of them.
        run: where to begin and when to end.
        keep: called with every batch, in order.
        stop: asked before every batch; True ends the search.
    """
    begun = time.monotonic()
    done = run.start
    while done < run.trials:
        if stop():
            return Stop.INTERRUPT
        if run.time_limit_s is not None and time.monotonic() - begun >= run.time_limit_s:
            return Stop.TIME
        choices = controller.ask(run.batch)[: run.trials - done]
        whole = len(choices) == run.batch
        trials = rewarded(choices, measure(choices), reward, first=done)
        if whole:
            teach(controller, trials, reward)
        keep(trials, done // run.batch, controller.state() if whole else None)
        done += len(choices)
    return Stop.TRIALS


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
