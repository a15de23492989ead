"""Disks that fill, limits of file sizes and folders that cannot be written, from the system itself.

Each program runs in a process of its own, on a file system of its own where it needs one: Linux
lends that to any user in a namespace, where the machine allows it.
"""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

PROGRAM = """
import sys
sys.path.append({root!r})  # after an installed nahas
import resource
from dataclasses import replace
from pathlib import Path
from nahas.errors import StudyError
from nahas.problem import Search
from nahas.strategies import searched
from nahas.study.store import Study
from tests.e2e.test_kill import assert_same
from tests.fakes import fake_problem

folder = Path(sys.argv[1])
search = Search(
    space="macro", controller="reinforce", trials=600, seed=3, study=folder / "run" / "study.db"
)

def fails(search):
    try:
        searched(fake_problem(), search)
    except StudyError as error:
        print(error)
    else:
        raise AssertionError("it did not fail")

def kept():
    with Study.read(search.study) as study:
        return study.trials()

def ends_as_if_nothing_had_been():
    resumed = searched(fake_problem(), replace(search, resume=True))
    unbroken = searched(fake_problem(), replace(search, study=None))
    assert_same(resumed.trials, unbroken.trials)
    assert resumed.best == unbroken.best
"""

FULL = (
    PROGRAM
    + """
ballast = folder / "ballast"
with ballast.open("wb", buffering=0) as file:
    try:
        while True:
            file.write(bytes(4096))
    except OSError:
        pass
fails(search)
assert not search.study.exists()
with ballast.open("r+b") as file:
    file.truncate(ballast.stat().st_size - 200_000)
fails(search)
assert 0 < len(kept()) < 600
fails(replace(search, resume=True))
ballast.unlink()
ends_as_if_nothing_had_been()
"""
)

LIMITED = (
    PROGRAM
    + """
before = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, before[1]))
fails(search)
assert 0 < len(kept()) < 600
resource.setrlimit(resource.RLIMIT_FSIZE, before)
ends_as_if_nothing_had_been()
"""
)

READ_ONLY = (
    PROGRAM
    + """
import subprocess
searched(fake_problem(), replace(search, trials=100))
subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
assert len(kept()) == 100
fails(replace(search, resume=True))
fails(replace(search, study=folder / "other" / "study.db"))
"""
)


def in_space_of_its_own(root, tmp_path, program):
    """What a program prints whose folder is a file system of 1 MB."""
    if not shutil.which("unshare"):
        pytest.skip("no unshare(1) here")
    mount = 'mount -t tmpfs -o size=1M none "$1"'
    alone = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    if subprocess.run([*alone, mount, "sh", tmp_path], capture_output=True, check=False).returncode:
        pytest.skip("no file system of one's own here")
    command = [*alone, f'{mount} && shift && exec "$@"', "sh", tmp_path, sys.executable]
    return printed([*command, "-c", program.format(root=str(root)), tmp_path])


def printed(command):
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.splitlines()


def test_a_full_disk_loses_no_kept_trial(root, tmp_path):
    start, within, again = in_space_of_its_own(root, tmp_path, FULL)
    assert "as its folder says 'No space left on device': nothing was searched" in start
    assert "the disk is full: trials " in within
    assert within.endswith("free some space, then continue with --resume")
    assert "free some space" in again or "No space left" in again


def test_a_limit_of_file_sizes_is_no_damage(root, tmp_path):
    command = [sys.executable, "-c", LIMITED.format(root=str(root)), tmp_path]
    (within,) = printed(command)
    assert "could not be written (disk I/O error): trials " in within
    assert "a limit of file sizes" in within
    assert within.endswith("then continue with --resume")


def test_a_read_only_folder_is_read_and_never_searched_in(root, tmp_path):
    resumed, fresh = in_space_of_its_own(root, tmp_path, READ_ONLY)
    for said in (resumed, fresh):
        assert "as its folder says 'Read-only file system': nothing was searched" in said
        assert said.endswith("name a study in a folder that you may write")
