"""Workers of a real Ray cluster, started here with several processes."""

import os
import sys
from operator import add

import pytest

from nahas.errors import UsageError, WorkerError
from nahas.vocabulary import Reason
from nahas.workers.named import Workers
from nahas.workers.pool import GivenUpError
from tests.workers import jobs
from tests.workers.searching import Here, Kept, same, search_by


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A cluster of two CPUs whose tasks may take 20 seconds."""
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'nahas[ray]'")
    with pytest.MonkeyPatch.context() as patch:
        # Ray asks its makers for nothing, and warns of a later default that changes nothing here.
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        pool = Workers(ray="local", processes=2, time_limit_s=20.0).open()
        yield pool
        pool.close()


def test_a_search_by_a_cluster_whose_workers_are_killed_is_the_unbroken_one(
    cluster, monkeypatch, tmp_path
):
    by = (jobs.by_arithmetic_with_losses, Kept(cluster), tmp_path / "by-cluster")
    trials = search_by(monkeypatch, *by)
    times = [path.stat().st_size for path in (tmp_path / "by-cluster" / "marks").iterdir()]
    assert set(times) == {1, 2}
    by = (jobs.by_arithmetic, Here(), tmp_path / "unbroken")
    assert same(trials, search_by(monkeypatch, *by))


def test_tasks_that_kill_fill_or_fail_are_told_apart(cluster, tmp_path):
    futures = {
        Reason.WORKER_LOST: cluster.submit(jobs.dies, str(tmp_path), "always"),
        Reason.OUT_OF_MEMORY: cluster.submit(jobs.remembers_too_much),
    }
    for reason, future in futures.items():
        with pytest.raises(GivenUpError) as raised:
            future.result()
        assert raised.value.reason is reason
    assert jobs.count(str(tmp_path), "always") == 1 + 2 + 1  # first, retries, and this one here
    with pytest.raises(WorkerError, match="saying 'TypeError: "):
        cluster.submit(add, 1, "one").result()


def test_a_task_that_hangs_is_killed(cluster, monkeypatch):
    monkeypatch.setattr(cluster, "_time_limit_s", 1.0)
    with pytest.raises(GivenUpError) as raised:
        cluster.submit(jobs.own_pid, 1000.0).result()
    assert raised.value.reason is Reason.TIME_LIMIT
    assert cluster.submit(jobs.own_pid).result() != os.getpid()


def test_without_ray_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r"pip install 'nahas\[ray\]'"):
        Workers(ray="local").open()
