"""The examples run as a reader would run them, and say what their first lines promise."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"


def said_by(name: str, *arguments: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def numbers(line: str) -> list[float]:
    return [float(text) for text in re.findall(r"(?<![\w-])\d+(?:\.\d+)?", line)]


def line_of(text: str, start: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(start))


def test_every_example_is_tested_and_says_how_to_run_it() -> None:
    here = Path(__file__).read_text()
    for path in EXAMPLES.glob("*.py"):
        assert f'"{path.name}"' in here, f"{path.name} has no test"
        assert f"Run: python examples/{path.name}" in path.read_text()


def test_simulate_network__orders_the_accelerators(tmp_path: Path) -> None:
    said = said_by("simulate_network.py", folder=tmp_path)
    rows = [
        line.split() for line in said.splitlines() if "edge-baseline " in line or "coral " in line
    ]
    latency = {(row[0], row[1]): float(row[3]) for row in rows if len(row) == 7}
    assert len(latency) == 8
    for network in {name for name, _ in latency}:
        assert latency[network, "edge-baseline"] < latency[network, "coral"]
    shares = [numbers(line)[-1] for line in said.splitlines() if line.endswith("%")]
    assert sum(shares) == pytest.approx(100, abs=0.5)


def test_own_accelerator__more_of_anything_is_not_slower(tmp_path: Path) -> None:
    said = said_by("own_accelerator.py", folder=tmp_path)
    latency, _, area = numbers(line_of(said, "as in the file"))
    for variant in ("twice the bandwidth", "twice the local memory", "twice the PEs"):
        quicker, _, larger = numbers(line_of(said, variant))
        assert quicker <= latency
        assert larger >= area
    assert "pes_x is 0" in said


def test_own_accelerator__names_the_wrong_line_of_a_file(tmp_path: Path) -> None:
    text = (EXAMPLES / "own_accelerator.yaml").read_text()
    (tmp_path / "wrong.yaml").write_text(text.replace("pes_x", "pes_z"))
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "own_accelerator.py"), "wrong.yaml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "pes_z is not a hardware parameter" in done.stderr


def test_keras_model__reads_what_was_saved(tmp_path: Path) -> None:
    said = said_by("keras_model.py", folder=tmp_path)
    macs = {"conv2d ": 32 * 32 * 27 * 16, "depthwise_conv2d": 32 * 32 * 9 * 64, "dense": 160}
    for layer, expected in macs.items():
        assert numbers(line_of(said, layer).removeprefix(layer))[0] == expected
    assert "LSTM" in line_of(said, "what cannot be read is named")


def test_search_for_energy__reports_both_searches_and_the_label(tmp_path: Path) -> None:
    said = said_by("search_for_energy.py", "60", folder=tmp_path)
    for controller in ("ppo", "random"):
        assert "after 60 trials" in line_of(said, controller)
    assert "predicted" in line_of(said, "accuracy is")
    assert line_of(said, "network mnasnet:")


def test_compare_strategies__has_a_row_for_each_with_one_budget(tmp_path: Path) -> None:
    said = said_by("compare_strategies.py", "40", "1", folder=tmp_path)
    assert line_of(said, "40 trials, seeds 0 to 0")
    for strategy in ("joint", "fixed-accelerator", "phase"):
        middle, lowest = numbers(line_of(said, strategy))[:2]
        assert 0 < lowest == middle < 100
    assert "predicted" in line_of(said, "accuracy is")


def test_own_space__meets_its_targets_and_says_what_the_score_is(tmp_path: Path) -> None:
    said = said_by("own_space.py", "60", folder=tmp_path)
    assert "made-up score" in line_of(said, "score:")
    assert "57% applies" in line_of(said, "36,864 choices")
    baseline, best = (numbers(line_of(said, start)) for start in ("baseline", "best"))
    assert best[0] > baseline[0]
    assert best[1] <= 2 * baseline[1]
    assert best[2] <= baseline[2]
    assert "tiny:width=16,depth=3,kind0=plain,kind1=plain,kind2=plain" in said


def test_relaxed_search__descends_below_random_accelerators(tmp_path: Path) -> None:
    train = ["train-costmodel", "--samples", "10000", "--epochs", "40", "--output", "m.keras"]
    done = subprocess.run(
        [sys.executable, "-c", "from nahas.cli.main import main; main()", *train],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    said = said_by("relaxed_search.py", "m.keras", folder=tmp_path)
    limit = numbers(line_of(said, "baseline"))[1]
    found = {name: numbers(line_of(said, name)) for name in ("gradients", "random")}
    for true_ms, predicted_ms, true_mm2, *_ in found.values():
        assert predicted_ms == pytest.approx(true_ms, rel=0.5)
        assert true_mm2 <= limit
    assert found["gradients"][0] < found["random"][0]
