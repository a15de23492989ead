"""kill -9 at any moment loses at most the batch in flight; resuming finds the same trials."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import fields, replace

import numpy as np
import pytest

from nahas.errors import StudyError
from nahas.problem import Search
from nahas.strategies import searched
from nahas.study.store import Study
from nahas.study.trials import Trials
from tests.fakes import fake_problem

# Appended, not inserted: an installed nahas comes before the checkout, as in the tests.
PROGRAM = """
import sys
sys.path.append({root!r})
from pathlib import Path
from nahas.problem import Search
from nahas.strategies import searched
from tests.fakes import fake_problem

def tell(trials):
    print(len(trials), flush=True)

search = Search(
    space="macro", controller={controller!r}, trials={trials}, batch=20, seed=3,
    study=Path({study!r}), resume={resume},
)
searched(fake_problem(seconds=0.02), search, tell)
"""


SLOW = """
import os, signal
signal.signal(signal.SIGINT, lambda *_: os.write(1, b"pressed\\n"))

def tell(trials):
    print(len(trials), flush=True)
    time.sleep(60)
"""


def search_of(controller, trials, study):
    return Search(
        space="macro", controller=controller, trials=trials, batch=20, seed=3, study=study
    )


def start(root, search, resume=False, slow=False):
    head, tail = PROGRAM.split("\nsearch =")
    program = f"{head}{'import time' + SLOW if slow else ''}\nsearch ={tail}".format(
        root=str(root),
        controller=search.controller,
        trials=search.trials,
        study=str(search.study),
        resume=resume,
    )
    return subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=search.study.parent,
    )


def killed_after(process, batches, delay_s=0.0):
    """Kill a search when it has told of so many batches, and a moment later; batches told."""
    for _ in range(batches):
        assert process.stdout.readline(), process.stderr.read()
    time.sleep(delay_s)
    os.kill(process.pid, signal.SIGKILL)
    told = batches + len(process.stdout.readlines())
    process.wait()
    process.stdout.close()
    process.stderr.close()
    assert process.returncode == -signal.SIGKILL
    return told


def assert_same(a, b):
    for field in fields(Trials):
        if field.name != "time":
            assert np.array_equal(getattr(a, field.name), getattr(b, field.name)), field.name


# A life ends so many batches after it began, and so many seconds later.
@pytest.mark.parametrize(
    ("controller", "lives"), [("random", [(2, 0.011), (1, 0.0)]), ("ppo", [(2, 0.004)])]
)
def test_a_killed_search_continues_as_if_it_had_never_stopped(tmp_path, root, controller, lives):
    search = search_of(controller, 200, tmp_path / "killed.db")
    before = 0
    for life, (batches, delay_s) in enumerate(lives):
        told = killed_after(start(root, search, resume=life > 0), batches, delay_s)
        with Study.read(search.study) as study:
            kept = study.trials()
        # A new life may propose again, alike, what came after the controller's last kept state.
        assert before <= len(kept) <= before + 20 * (told + 1)
        assert life > 0 or len(kept) >= 20 * told
        before = len(kept)
    resumed = searched(fake_problem(), replace(search, resume=True))
    unbroken = searched(fake_problem(), replace(search, study=tmp_path / "unbroken.db"))
    assert_same(resumed.trials, unbroken.trials)
    assert resumed.best == unbroken.best
    assert sorted(p.name for p in tmp_path.iterdir()) == ["killed.db", "unbroken.db"]


def test_a_kill_at_any_moment_leaves_a_whole_study(tmp_path, root):
    """Kills without waiting for a batch: while the file is made, between batches, in a commit."""
    search = search_of("random", 100_000, tmp_path / "study.db")
    process = start(root, search)
    while not search.study.exists():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.001)
    killed_after(process, 0)
    for delay_s in (0.0, 0.013):
        killed_after(start(root, search, resume=True), 1, delay_s)
        database = sqlite3.connect(search.study)
        assert database.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        numbers = [row[0] for row in database.execute("SELECT number FROM trials ORDER BY number")]
        learnt = database.execute("SELECT trials FROM controller").fetchone()[0]
        database.close()
        assert numbers == list(range(len(numbers)))
        assert 0 < learnt <= len(numbers)
        assert learnt % 20 == len(numbers) % 20 == 0


def test_two_processes_do_not_write_one_study(tmp_path, root):
    search = search_of("random", 100_000, tmp_path / "study.db")
    process = start(root, search)
    assert process.stdout.readline()
    with pytest.raises(StudyError, match=f"is being written by process {process.pid}: wait"):
        searched(fake_problem(), replace(search, resume=True))
    killed_after(process, 0)
    short = replace(search, resume=True, trials=20)
    assert len(searched(fake_problem(), short).trials) >= 20


def test_ctrl_c_ends_a_search_with_its_batch_kept(tmp_path, root):
    search = search_of("random", 100_000, tmp_path / "study.db")
    process = start(root, search)
    assert process.stdout.readline()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    with Study.read(search.study) as study:
        assert len(study.trials()) == 20 * (1 + len(out.splitlines()))


def test_a_second_ctrl_c_ends_at_once_and_leaves_a_whole_study(tmp_path, root):
    search = search_of("random", 200, tmp_path / "study.db")
    process = start(root, search, slow=True)
    assert process.stdout.readline() == "20\n"
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "pressed\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert out == ""
    assert process.returncode == -signal.SIGINT
    assert "KeyboardInterrupt" in err
    with Study.read(search.study) as study:
        assert len(study.trials()) == 20
    resumed = searched(fake_problem(), replace(search, resume=True))
    assert_same(resumed.trials, searched(fake_problem(), replace(search, study=None)).trials)


def test_a_clock_that_goes_back_changes_nothing_but_the_times(tmp_path, monkeypatch):
    clock = iter(range(2_000_000_000, 0, -1_000_000))
    monkeypatch.setattr(time, "time", lambda: float(next(clock)))
    search = replace(search_of("reinforce", 100, tmp_path / "back.db"), time_limit_s=3600.0)
    broken = searched(fake_problem(), search)
    broken = searched(fake_problem(), replace(search, resume=True, trials=200))
    monkeypatch.undo()
    unbroken = searched(fake_problem(), replace(search, study=None, trials=200))
    assert_same(broken.trials, unbroken.trials)
    assert broken.best == unbroken.best
    assert broken.seconds >= 0
    assert (np.diff(broken.trials.time) <= 0).all()
