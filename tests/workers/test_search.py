"""Searches whose networks are trained by workers: the same trials, whoever is done first."""

import json
import os
import signal

import numpy as np
import pytest

from nahas.accuracy.halving import Halving
from nahas.problem import Search
from nahas.report.summary import counted
from nahas.strategies import recall
from nahas.vocabulary import Reason
from nahas.workers.pool import GivenUpError
from nahas.workers.processes import Processes
from tests.workers import jobs
from tests.workers.searching import SEARCH, Here, Kept, same, search_by


@pytest.fixture(scope="module")
def pool():
    pool = Processes(2)
    yield pool
    pool.close()


@pytest.fixture
def unbroken(monkeypatch, tmp_path):
    """The trials of a search that trains its networks one after the other."""

    def trials(**more):
        return search_by(monkeypatch, jobs.by_arithmetic, Here(), tmp_path / "unbroken", **more)

    return trials


def trained_in(folder):
    """How often each network was begun."""
    return {path.name: path.stat().st_size for path in (folder / "marks").iterdir()}


def test_workers_change_no_trial(monkeypatch, tmp_path, pool, unbroken):
    trials = search_by(monkeypatch, jobs.by_arithmetic, Kept(pool), tmp_path / "by-workers")
    assert same(trials, unbroken())
    assert trials.number.tolist() == list(range(SEARCH.trials))


def test_killed_workers_lose_no_trial_and_make_none_twice(monkeypatch, tmp_path, pool, unbroken):
    folder = tmp_path / "killed"
    trials = search_by(monkeypatch, jobs.by_arithmetic_with_losses, Kept(pool), folder)
    assert same(trials, unbroken())
    times = trained_in(folder)
    assert set(times.values()) == {1, 2}
    remembered = json.loads((folder / "children.json").read_text())["children"]
    assert len(remembered) == len(times)


def test_halving_is_within_a_batch_whoever_is_done_first(monkeypatch, tmp_path, pool, unbroken):
    halved = {"halving": Halving()}
    folder = tmp_path / "halved"
    trials = search_by(monkeypatch, jobs.by_arithmetic, Kept(pool), folder, **halved)
    assert same(trials, unbroken(**halved))
    remembered = json.loads((folder / "children.json").read_text())["children"]
    assert {child["reason"] for child in remembered.values()} == {"", "stopped early"}


WORDS = {
    Reason.WORKER_LOST: "worker lost",
    Reason.OUT_OF_MEMORY: "out of memory",
    Reason.TIME_LIMIT: "time limit",
}


class BrokenError(Exception):
    """What ends a search in a test where a signal would."""


@pytest.mark.parametrize("batches", [1, 4])
def test_a_search_that_was_killed_goes_on_to_the_same_trials(
    monkeypatch, tmp_path, pool, unbroken, batches
):
    folder, seen = tmp_path / "broken", []

    def progress(trials):
        seen.append(trials)
        if len(seen) == batches:
            raise BrokenError

    by = (monkeypatch, jobs.by_arithmetic, Kept(pool), folder)
    with pytest.raises(BrokenError):
        search_by(*by, progress=progress)
    trials = search_by(*by, resume=True)
    assert same(trials, unbroken())


def test_a_longer_search_begins_like_a_shorter_one(monkeypatch, tmp_path, unbroken):
    by = (monkeypatch, jobs.by_arithmetic, Here(), tmp_path / "longer")
    search_by(*by, trials=21)
    assert same(search_by(*by, resume=True), unbroken())


def test_a_network_that_no_worker_can_train_is_kept_with_its_reason(monkeypatch, tmp_path):
    told = {0: Reason.WORKER_LOST, 1: Reason.OUT_OF_MEMORY, 2: Reason.TIME_LIMIT}

    def some_given_up(job):
        if (reason := told.get(job.choice[0])) and sum(job.choice[1:]) % 2:
            raise GivenUpError(reason)
        return jobs.by_arithmetic(job)

    # The baseline, macro:11111111, is trained too, and must not be given up.
    trials = search_by(monkeypatch, some_given_up, Here(), tmp_path / "given-up", trials=60)
    lost = np.isnan(trials.accuracy)
    assert 0 < lost.sum() < 60
    able = lost & ~np.isin(trials.reason, [Reason.LOCAL_MEMORY])
    assert {Reason(int(reason)) for reason in trials.reason[able]} == set(told.values())
    assert (trials.reward[lost] == 0).all()
    assert not trials.satisfied[lost].any()
    assert np.isinf(trials.latency_ms[lost]).all()
    by = (monkeypatch, jobs.by_arithmetic, Here(), tmp_path / "given-up")
    assert same(search_by(*by, trials=60, resume=True), trials)
    result = recall(tmp_path / "given-up" / "study.db")
    counts = [f"{(trials.reason == why).sum()} {words}" for why, words in WORDS.items()]
    assert f"; given up: {', '.join(counts)}; seed 0" in counted(result)


def test_a_worker_killed_while_it_trains_is_replaced(monkeypatch, tmp_path, unbroken):
    """By hand, in the middle of the search, as an operator or the system would."""
    pool = Processes(2)
    batches = []

    def kill_one(trials):
        batches.append(trials)
        if len(batches) in (2, 5):
            os.kill(pool.pids[0], signal.SIGKILL)

    folder = tmp_path / "by-hand"
    trials = search_by(monkeypatch, jobs.by_arithmetic, Kept(pool), folder, progress=kill_one)
    pool.close()
    assert same(trials, unbroken())


def test_who_trains_is_what_the_search_says():
    assert Search().hired is None
    assert Search(workers=1).hired is not None
    assert Search(ray="local").hired.ray == "local"
    assert Search(child_retries=5).hired is None
    assert Search(child_time_limit_s=9.0).hired.time_limit_s == 9.0
