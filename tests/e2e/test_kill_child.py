"""kill -9 while a child learns loses at most an epoch; resuming ends with the same weights."""

import os
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np

from nahas.children.train import train_child
from tests.children.tiny import RECIPE, images, network

LIMIT = 320
LONG = replace(RECIPE, epochs=4)

# Appended, not inserted: an installed nahas comes before the checkout, as in the tests.
PROGRAM = """
import sys
sys.path.append({root!r})
from pathlib import Path
from nahas.children.train import train_child
from tests.children.tiny import images, network
from tests.e2e.test_kill_child import LIMIT, LONG

train_child(
    network,
    images(LIMIT),
    LONG,
    folder=Path({folder!r}),
    progress=lambda done, *_: print("step", done, flush=True),
)
"""


def killed_after(root, folder, steps):
    """Train in another process, and kill it when it has told of so many steps."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(root=str(root), folder=str(folder))],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder.parent,
    )
    told = 0
    while told < steps:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        told += line.startswith("step")
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL


def test_a_killed_child_goes_on_as_if_it_had_never_stopped(tmp_path, root):
    dataset = images(LIMIT)
    steps = dataset.sizes["train"] // LONG.batch
    killed_after(root, tmp_path / "killed", 2 * steps + 3)
    resumed = train_child(network, dataset, LONG, folder=tmp_path / "killed", resume=True)
    whole = train_child(network, dataset, LONG)
    assert resumed.epochs == whole.epochs == LONG.epochs
    for ours, theirs in zip(resumed.weights, whole.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
