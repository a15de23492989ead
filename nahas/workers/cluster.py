"""Workers of a Ray cluster.

Ray's own retries are off: the driver counts losses, so that a task that kills every worker it
gets is given up, with its reason. Every task first says that it has begun, so that its time
limit does not count the time that it waits for a free worker.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

from nahas.errors import UsageError, WorkerError
from nahas.vocabulary import Reason
from nahas.workers.pool import RETRIES, Answer, GivenUpError, answered, opened, tried_again
from nahas.workers.processes import variables

T = TypeVar("T")

LOCAL = "local"
"""The address of a cluster that is started on this machine, and ends with the search."""

LOCAL_STORE_BYTES = 100_000_000
"""Shared memory of a local cluster: tasks and answers are some hundred bytes."""

_LOOK_S = 0.1
"""How often the driver looks for tasks that are late or new."""


@dataclass(eq=False)
class _Running:
    """A task that the cluster has.

    Attributes:
        future: to be told.
        function, arguments: what it is.
        answers: Ray's generator of two values: None when it begins, then the answer.
        began: when, by `time.monotonic`; None while it waits.
        losses: workers that were lost over it.
        late: whether it was killed for its time.
    """

    future: Future[Any]
    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    answers: Any = None
    began: float | None = None
    losses: int = 0
    late: bool = False


class Cluster:
    """A `Pool` of the workers of a Ray cluster.

    Args:
        address: of the cluster, such as 'auto' or 'ray://host:10001'; `LOCAL` starts one here.
        cpus: that a task needs.
        gpus: the same; a half lets two tasks share one.
        time_limit_s: of a task, from when it begins; None is none.
        retries: how often a task goes to another worker after one was lost.
        workers: CPUs of a local cluster; None is all.

    Raises:
        UsageError: when Ray is not installed.
        WorkerError: when there is no cluster at the address.
    """

    def __init__(
        self,
        address: str,
        *,
        cpus: int = 1,
        gpus: float = 0.0,
        time_limit_s: float | None = None,
        retries: int = RETRIES,
        workers: int | None = None,
    ) -> None:
        self._ray = _ray()
        self._time_limit_s = time_limit_s
        self._retries = retries
        self._lock = threading.Lock()
        self._running: list[_Running] = []
        self._closed = threading.Event()
        self._mine = self._joined(address, cpus, workers)
        self._remote = self._ray.remote(_begun_then_answered).options(
            num_cpus=cpus, num_gpus=gpus, max_retries=0, num_returns="streaming"
        )
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def submit(self, function: Callable[..., T], *arguments: Any) -> Future[T]:
        """See `Pool.submit`."""
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()
        task = _Running(future, function, arguments)
        with self._lock:
            self._begin(task)
            self._running.append(task)
        return future

    def close(self) -> None:
        """See `Pool.close`."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._watcher.join()
        for task in self._running:
            self._ray.cancel(task.answers, force=True)
            task.future.set_exception(GivenUpError(Reason.WORKER_LOST))
        if self._mine:
            self._ray.shutdown()

    def _joined(self, address: str, cpus: int, workers: int | None) -> bool:
        """Join a cluster, or start one; whether that has been done here."""
        if self._ray.is_initialized():
            return False
        local = {"num_cpus": workers, "object_store_memory": LOCAL_STORE_BYTES}
        try:
            self._ray.init(
                address=address,
                include_dashboard=False if address == LOCAL else None,
                log_to_driver=False,
                logging_level="ERROR",
                runtime_env={"env_vars": variables(cpus)},
                **(local if address == LOCAL else {}),
            )
        except (ConnectionError, RuntimeError, ValueError) as error:
            said = " ".join(str(error).split())
            raise WorkerError(
                f"ray is {address!r}, but no cluster can be joined there ({said}): give the "
                "address of one that runs, or 'local' to start one here"
            ) from error
        return True

    def _begin(self, task: _Running) -> None:
        task.began, task.late = None, False
        task.answers = self._remote.remote(task.function, task.arguments)

    def _watch(self) -> None:
        while not self._closed.is_set():
            with self._lock:
                tasks = {id(task.answers): task for task in self._running}
            waiting = [task.answers for task in tasks.values()]
            if not waiting:
                self._closed.wait(_LOOK_S)
                continue
            ready, _ = self._ray.wait(
                waiting, num_returns=len(waiting), timeout=_LOOK_S, fetch_local=False
            )
            for answers in ready:
                self._read(tasks[id(answers)])
            self._kill_late(tasks.values())

    def _read(self, task: _Running) -> None:
        try:
            answer: Answer | None = self._ray.get(next(task.answers))
            if answer is None:
                task.began = time.monotonic()
                return
            task.future.set_result(opened(answer))
        except GivenUpError as given_up:
            self._lost(task, given_up)
        except (self._ray.exceptions.RayError, StopIteration) as error:
            self._lost(task, GivenUpError(self._why(task, error)))
        except Exception as error:  # whatever it is, whoever waits for the future is told
            task.future.set_exception(error)
        if task.future.done():
            with self._lock:
                self._running.remove(task)

    def _why(self, task: _Running, error: Exception) -> Reason:
        if task.late:
            return Reason.TIME_LIMIT
        memory = isinstance(error, self._ray.exceptions.OutOfMemoryError)
        return Reason.OUT_OF_MEMORY if memory else Reason.WORKER_LOST

    def _lost(self, task: _Running, given_up: GivenUpError) -> None:
        task.losses += 1
        if tried_again(given_up, task.losses, self._retries):
            self._begin(task)
        else:
            task.future.set_exception(given_up)

    def _kill_late(self, tasks: Any) -> None:
        if self._time_limit_s is None:
            return
        for task in tasks:
            begun = task.began is not None and not task.late
            if begun and time.monotonic() - task.began >= self._time_limit_s:
                task.late = True
                self._ray.cancel(task.answers, force=True)


def _begun_then_answered(
    function: Callable[..., Any], arguments: tuple[Any, ...]
) -> Iterator[Answer | None]:
    """What runs in a worker."""
    yield None
    yield answered(function, arguments)


def _ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise UsageError(
            "workers of a cluster need Ray, which is not installed: pip install 'nahas[ray]'"
        ) from error
    return ray
