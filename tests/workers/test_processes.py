"""Processes of this machine: what they give, what is done when one is lost, hangs or is full."""

import copy
import os
import signal
import subprocess
import sys
import time
from operator import add
from pathlib import Path

import pytest

from nahas.errors import UsageError, WorkerError
from nahas.vocabulary import Reason
from nahas.workers import processes
from nahas.workers.named import Workers
from nahas.workers.pool import GivenUpError
from nahas.workers.processes import Processes
from tests.workers import jobs


@pytest.fixture(scope="module")
def pool():
    pool = Processes(2, time_limit_s=30.0)
    yield pool
    pool.close()


@pytest.fixture
def marks(tmp_path):
    return str(tmp_path)


def reason_of(future):
    with pytest.raises(GivenUpError) as raised:
        future.result()
    return raised.value.reason


def test_each_task_gives_what_its_function_does_in_one_of_the_processes(pool):
    futures = [pool.submit(add, number, 1) for number in range(20)]
    assert [future.result() for future in futures] == list(range(1, 21))
    pids = {pool.submit(jobs.own_pid, 0.05).result() for _ in range(4)}
    assert pids <= set(pool.pids)
    assert os.getpid() not in pids


def test_a_killed_worker_is_replaced_and_its_task_done_by_another(pool, marks):
    assert pool.submit(jobs.dies_at_first, marks, "once").result() == 2


def test_a_worker_killed_from_outside_is_replaced_too(pool):
    futures = [pool.submit(jobs.own_pid, 0.3) for _ in range(2)]
    time.sleep(0.1)
    before = pool.pids
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    after = {future.result() for future in futures}
    assert not after & set(before)


def test_a_task_that_kills_every_worker_is_given_up_with_its_reason(pool, marks):
    assert reason_of(pool.submit(jobs.dies, marks, "always")) is Reason.WORKER_LOST
    assert jobs.count(marks, "always") == 1 + 2 + 1  # first, retries, and this one here
    assert pool.submit(add, 1, 1).result() == 2


def test_an_answer_that_cannot_be_sent_is_told_and_the_worker_goes_on(pool):
    with pytest.raises(WorkerError, match=r"pickle|Can't get local object") as raised:
        pool.submit(jobs.cannot_be_sent).result()
    assert not isinstance(raised.value, GivenUpError)


def test_an_error_of_the_pool_survives_the_pipe():
    again = copy.copy(GivenUpError(Reason.TIME_LIMIT))  # made by what pickle sends
    assert again.reason is Reason.TIME_LIMIT
    assert str(again) == str(GivenUpError(Reason.TIME_LIMIT))


def test_a_closed_pool_takes_no_task():
    closed = Processes(1)
    closed.close()
    with pytest.raises(WorkerError, match="closed and takes no more tasks"):
        closed.submit(add, 1, 1)


def test_a_worker_without_memory_is_told_from_one_that_was_lost(pool, marks, monkeypatch):
    assert reason_of(pool.submit(jobs.remembers_too_much)) is Reason.OUT_OF_MEMORY
    kills = iter(range(100))
    monkeypatch.setattr(processes, "_out_of_memory_kills", lambda: next(kills))
    assert reason_of(pool.submit(jobs.dies, marks, "by the system")) is Reason.OUT_OF_MEMORY


def test_a_task_that_hangs_is_killed_at_its_time_limit_and_not_tried_again(marks):
    pool = Processes(1, time_limit_s=2.0)
    hanging, next_one = pool.submit(jobs.own_pid, 1000.0), pool.submit(add, 1, 2)
    assert reason_of(hanging) is Reason.TIME_LIMIT
    assert next_one.result() == 3
    pool.close()


def test_what_a_task_raises_is_told_and_the_worker_goes_on(pool):
    with pytest.raises(UsageError, match="cpus is 0, but it must be at least 1"):
        pool.submit(_no_cores).result()
    with pytest.raises(WorkerError, match="saying 'TypeError: ") as raised:
        pool.submit(add, 1, "one").result()
    assert "Traceback" in raised.value.__notes__[0]
    with pytest.raises(WorkerError, match=r"ModuleNotFoundError|AttributeError"):
        pool.submit(_only_here()).result()
    assert pool.submit(add, 1, 1).result() == 2


def _no_cores():
    return Workers(cpus=0)


def _only_here():
    """A function that workers do not find under its name."""

    def gone():
        pass

    gone.__qualname__ = gone.__name__ = "gone"
    globals()["gone"] = gone
    return gone


def test_an_interrupt_of_the_terminal_is_for_the_driver_alone(pool):
    assert pool.submit(jobs.ignores_interrupt).result()


def test_closing_ends_processes_and_fails_what_is_not_done():
    pool = Processes(1)
    assert pool.submit(add, 1, 1).result() == 2
    (pid,) = pool.pids
    at_work, waiting = pool.submit(jobs.own_pid, 1000.0), pool.submit(add, 1, 1)
    pool.close()
    pool.close()
    assert at_work.cancelled() or reason_of(at_work) is Reason.WORKER_LOST
    assert waiting.cancelled()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_workers_end_with_a_driver_that_is_killed():
    code = """if __name__ == "__main__":
        import os, signal
        from nahas.workers.processes import Processes
        from os import getpid
        pool = Processes(1)
        print(pool.submit(getpid).result(), flush=True)
        import time
        pool.submit(time.sleep, 1000)
        time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGKILL)"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == -signal.SIGKILL
    pid = int(ran.stdout)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        if "Z" in _state(pid):
            return
        time.sleep(0.05)
    pytest.fail(f"worker {pid} outlives its driver")


def _state(pid):
    """The letter of a process' state where the system tells: Z is one that has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def test_each_process_has_its_share_of_the_cores(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    pool = Processes(1, threads=3)
    assert pool.submit(os.getenv, "OMP_NUM_THREADS").result() == "3"
    assert "OMP_NUM_THREADS" not in os.environ
    pool.close()


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ({"processes": 0}, "processes is 0, but it must be at least 1"),
        ({"cpus": 0}, "cpus is 0, but it must be at least 1"),
        ({"ray": "local", "gpus": -1.0}, "gpus is -1.0, but it must be 0 or more"),
        ({"time_limit_s": 0.0}, "time_limit_s is 0.0, but it must be above 0"),
        ({"retries": -1}, "retries is -1, but it must be 0 or more"),
        ({"gpus": 1.0}, "gpus is 1, but only a Ray cluster shares GPUs out: add --ray"),
    ],
)
def test_workers_that_mean_nothing_are_refused(what, message):
    with pytest.raises(UsageError, match=message):
        Workers(**what)
