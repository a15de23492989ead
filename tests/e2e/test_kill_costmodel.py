"""kill -9 while a cost model learns loses at most an epoch; resuming ends with the same weights."""

import os
import signal
import subprocess
import sys

import numpy as np

from nahas.costmodel.checkpoint import partial_folder
from nahas.costmodel.recipe import Recipe
from nahas.costmodel.train import Run, train
from tests.costmodel.fake import fake_costs, tiny_joint

RECIPE = Recipe(samples=600, epochs=30, batch=64, hidden=(16,), dropout=0.2)

# Appended, not inserted: an installed nahas comes before the checkout, as in the tests.
PROGRAM = """
import sys
sys.path.append({root!r})
from pathlib import Path
from nahas.costmodel.train import Run, train
from tests.costmodel.fake import fake_costs, tiny_joint
from tests.e2e.test_kill_costmodel import RECIPE

joint = tiny_joint()
train(
    joint,
    RECIPE,
    simulate=fake_costs(joint),
    progress=lambda *now: print(*now, flush=True),
    run=Run(output=Path({output!r}), resume=True),
)
"""


def killed_after(root, output, epochs):
    """Learn in another process, and kill it when it has told of so many epochs."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(root=str(root), output=str(output))],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=output.parent,
    )
    told = 0
    while told < epochs:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        told += line.startswith("learning")
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL


def test_a_killed_run_continues_as_if_it_had_never_stopped(tmp_path, root):
    joint = tiny_joint()
    output = tmp_path / "m.keras"
    for epochs in (2, 3):
        killed_after(root, output, epochs)
        assert partial_folder(output).is_dir()
        assert not output.exists()
    told = []
    resumed = train(
        joint,
        RECIPE,
        simulate=fake_costs(joint),
        progress=lambda *now: told.append(now),
        run=Run(output=output, resume=True),
    )
    first = next(done for what, done, *_ in told if what == "learning")
    assert 5 < first <= 30
    unbroken = train(joint, RECIPE, simulate=fake_costs(joint))
    pairs = zip(resumed.keras_model.get_weights(), unbroken.keras_model.get_weights(), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)
    assert resumed.card.errors == unbroken.card.errors
    resumed.save(output)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.csv", "m.json", "m.keras"]
