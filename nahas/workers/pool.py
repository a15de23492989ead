"""What all workers have in common: a pool takes functions, and a future tells what they gave."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Protocol, TypeVar

from nahas.errors import NahasError, WorkerError
from nahas.vocabulary import Reason

T = TypeVar("T")

RETRIES = 2
"""How often a task is given to another worker after the first was lost."""

CLOSED = "the pool of workers is closed and takes no more tasks: open another"

_EXHAUSTED = ("ResourceExhaustedError", "OutOfMemoryError")
"""What TensorFlow and PyTorch raise when a GPU has no memory left."""

Answer = tuple[bool, Any]
"""Whether a task went well, and what it gave or raised."""


class GivenUpError(WorkerError):
    """A task that no worker could finish.

    Attributes:
        reason: WORKER_LOST, OUT_OF_MEMORY or TIME_LIMIT.
    """

    def __init__(self, reason: Reason) -> None:
        super().__init__(
            f"a task was given up ({reason.name.lower().replace('_', ' ')}): try again with fewer "
            "--workers, or more memory or time for each"
        )
        self.reason = reason

    def __reduce__(self) -> tuple[type[GivenUpError], tuple[Reason]]:
        """Made anew from its reason, not from its message."""
        return type(self), (self.reason,)


class Pool(Protocol):
    """Takes functions and runs them elsewhere, as many at a time as it has workers."""

    def submit(self, function: Callable[..., T], *arguments: Any) -> Future[T]:
        """Run a function of a module, with arguments that can be sent, when a worker is free.

        A task whose worker is lost goes to another one, some times; then its future raises
        `GivenUpError`. One that takes longer than the pool allows is killed, and given up at
        once. What the function raises, the future raises: a NahasError as it is, all else as a
        WorkerError.

        Raises:
            WorkerError: when the pool is closed.
        """
        ...

    def close(self) -> None:
        """End all workers; tasks that are not done fail. Doing so twice is harmless."""
        ...


def answered(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Answer:
    """Call a function in a worker; the answer can be sent, whatever the function raised."""
    try:
        return True, function(*arguments)
    except Exception as error:  # whatever it is, the driver is told, and the worker goes on
        return False, portable(error)


def portable(error: Exception) -> Exception:
    """An exception that can be sent to another process: nahas' own, or what says the same."""
    kind = type(error).__name__
    if isinstance(error, MemoryError) or kind in _EXHAUSTED or "RESOURCE_EXHAUSTED" in str(error):
        return MemoryError(str(error))
    if isinstance(error, NahasError):
        return error
    said = WorkerError(f"a worker failed over its task, saying '{kind}: {error}': --debug shows it")
    said.add_note("".join(traceback.format_exception(error)))
    return said


def opened(answer: Answer) -> Any:
    """What a task gave.

    Raises:
        GivenUpError: when its worker had no memory left.
        NahasError: what the task raised.
    """
    good, value = answer
    if good:
        return value
    if isinstance(value, MemoryError):
        raise GivenUpError(Reason.OUT_OF_MEMORY)
    raise value


def tried_again(given_up: GivenUpError, losses: int, retries: int) -> bool:
    """Whether a task that was lost so often goes to another worker."""
    return given_up.reason is not Reason.TIME_LIMIT and losses <= retries
