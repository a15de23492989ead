"""Workers that are processes of this machine, started anew, killed when late, replaced when lost.

`concurrent.futures.ProcessPoolExecutor` gives up altogether when one of its processes is killed,
and cannot end a task that hangs. Here every worker has a thread that feeds it one task at a time
through a pipe, so that the end of the process is the end of the pipe and is noticed at once.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

from nahas.errors import WorkerError
from nahas.manifest import usable_cores
from nahas.vocabulary import Reason
from nahas.workers.pool import (
    CLOSED,
    RETRIES,
    GivenUpError,
    answered,
    opened,
    portable,
    tried_again,
)

T = TypeVar("T")

_Task = tuple[Future[Any], Callable[..., Any], tuple[Any, ...]]

_starting = threading.Lock()
"""Held while a process is started: it finds its environment in this one's."""


class Processes:
    """A `Pool` of processes, each of which begins when it is first needed.

    Args:
        workers: how many.
        threads: that each computes with; None is its share of the cores.
        time_limit_s: of a task, from when a worker takes it, the start of its process included;
            None is none.
        retries: how often a task goes to another process after one was lost.
    """

    def __init__(
        self,
        workers: int,
        *,
        threads: int | None = None,
        time_limit_s: float | None = None,
        retries: int = RETRIES,
    ) -> None:
        self._time_limit_s = time_limit_s
        self._retries = retries
        self._closed = False
        self._taking = threading.Lock()
        self._tasks: SimpleQueue[_Task | None] = SimpleQueue()
        share = threads or max(1, usable_cores() // workers)
        self._workers = [_Worker(share) for _ in range(workers)]
        self._feeders = [
            threading.Thread(target=self._feed, args=(worker,), daemon=True)
            for worker in self._workers
        ]
        for feeder in self._feeders:
            feeder.start()

    @property
    def pids(self) -> list[int]:
        """Of the processes that are at work or wait for it."""
        return [worker.pid for worker in self._workers if worker.pid is not None]

    def submit(self, function: Callable[..., T], *arguments: Any) -> Future[T]:
        """See `Pool.submit`."""
        future: Future[T] = Future()
        with self._taking:
            if self._closed:
                raise WorkerError(CLOSED)
            self._tasks.put((future, function, arguments))
        return future

    def close(self) -> None:
        """See `Pool.close`."""
        with self._taking:
            if self._closed:
                return
            self._closed = True
            for _ in self._feeders:
                self._tasks.put(None)
        for worker in self._workers:
            worker.stop()
        for feeder in self._feeders:
            feeder.join()

    def _feed(self, worker: _Worker) -> None:
        while (task := self._tasks.get()) is not None:
            future, function, arguments = task
            if self._closed:
                future.cancel()
            elif future.set_running_or_notify_cancel():
                self._run(worker, future, function, arguments)

    def _run(
        self,
        worker: _Worker,
        future: Future[Any],
        function: Callable[..., Any],
        arguments: tuple[Any, ...],
    ) -> None:
        losses = 0
        while not future.done():
            try:
                future.set_result(worker.call(function, arguments, self._time_limit_s))
            except GivenUpError as given_up:
                losses += 1
                if self._closed or not tried_again(given_up, losses, self._retries):
                    future.set_exception(given_up)
            except Exception as error:  # whatever it is, whoever waits for the future is told
                future.set_exception(error)


class _Worker:
    """One process at a time, a new one after each that was lost."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._lock = threading.Lock()
        self._stopped = False
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None

    @property
    def pid(self) -> int | None:
        process = self._process
        return process.pid if process else None

    def call(
        self, function: Callable[..., Any], arguments: tuple[Any, ...], limit_s: float | None
    ) -> Any:
        """What the function gives in the process.

        Raises:
            GivenUpError: when the process was lost, or took too long and was killed.
        """
        kills = _out_of_memory_kills()
        try:
            pipe = self._started()
            pipe.send((function, arguments))
            if not pipe.poll(limit_s):  # the end of the process ends it as well
                self._end()
                raise GivenUpError(Reason.TIME_LIMIT)
            answer = pipe.recv()
        except (EOFError, OSError) as error:
            self._end()
            memory = _out_of_memory_kills() > kills
            raise GivenUpError(Reason.OUT_OF_MEMORY if memory else Reason.WORKER_LOST) from error
        return opened(answer)

    def stop(self) -> None:
        """Kill the process and start no other."""
        with self._lock:
            self._stopped = True
            process = self._process
            if process is not None:
                process.kill()  # whoever waits for its answer is told by the pipe
        if process is not None:
            process.join()

    def _started(self) -> Connection:
        with self._lock:
            if self._stopped:
                raise EOFError
            if self._pipe is None:
                context = multiprocessing.get_context("spawn")
                self._pipe, theirs = context.Pipe()
                self._process = context.Process(target=_work, args=(theirs,), daemon=True)
                with _starting, environment(self._threads):
                    self._process.start()
                theirs.close()  # else its end would not be seen here
            return self._pipe

    def _end(self) -> None:
        with self._lock:
            if self._process is not None and self._pipe is not None:
                self._process.kill()
                self._process.join()
                self._pipe.close()
                self._process = self._pipe = None


def _work(pipe: Connection) -> None:
    """Answer tasks until the driver ends; Ctrl-C in its terminal is for the driver alone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_driver, daemon=True).start()
    while True:
        try:
            function, arguments = pipe.recv()
        except EOFError:
            return
        except Exception as error:  # of a function or an argument that cannot be read here
            pipe.send((False, portable(error)))
            continue
        answer = answered(function, arguments)
        try:
            pipe.send(answer)
        except OSError:  # the driver has ended
            return
        except Exception as error:  # of an answer that cannot be sent
            pipe.send((False, portable(error)))


def _end_with_driver() -> None:
    """End this process with the one that started it, however that ends."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _out_of_memory_kills() -> int:
    """Processes that Linux has killed for lack of memory so far; 0 where nobody counts them."""
    try:
        lines = Path("/proc/vmstat").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))


def variables(threads: int) -> dict[str, str]:
    """What workers find in their environment: how many threads to compute with.

    JAX would take most of a GPU's memory for its first process.
    """
    names = ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS")
    return {**dict.fromkeys(names, str(threads)), "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}


@contextmanager
def environment(threads: int) -> Iterator[None]:
    """Within, processes that start find the `variables`, unless the user has set them."""
    wanted = variables(threads)
    added = {name: value for name, value in wanted.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]
