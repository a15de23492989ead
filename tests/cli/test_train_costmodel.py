"""`nahas train-costmodel`: what it prints, writes and refuses."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from nahas.cli.train_costmodel import train_costmodel
from nahas.cost import DesignCosts
from nahas.costmodel import train as training
from nahas.costmodel.model import load
from nahas.costmodel.perceptron import HEADS
from nahas.errors import NahasError
from nahas.spaces.joint import JointSpace
from nahas.spaces.named import named

# Keras 3.15 reads TensorFlow's variables in a way that NumPy 2 is going to drop.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

QUICK = ("--space", "macro", "--samples", "500", "--epochs", "2")


def costs_by_formula(joint, objective, tables):
    """Stands in for the simulator: costs that differ between designs, every one feasible."""

    def simulate(choices):
        size = 1.0 + choices.sum(axis=1)
        return DesignCosts(
            latency_ms=1 / size,
            energy_mj=size,
            area_mm2=size**2,
            parameters=np.ones(len(size), dtype=np.int64),
            reason=np.zeros(len(size), dtype=np.int64),
        )

    return simulate


@pytest.fixture
def run(monkeypatch, tmp_path):
    monkeypatch.setattr(training, "simulator", costs_by_formula)
    monkeypatch.setattr(training, "bounds", lambda *_: lambda _: {"io": 0.25, "compute": 0.75})
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        return CliRunner().invoke(train_costmodel, arguments, catch_exceptions=True)

    return call


def test_a_model_with_its_card_is_written_and_its_errors_are_printed(run, tmp_path):
    done = run(*QUICK, "--worst", "2")
    assert done.exit_code == 0, done.output
    assert "500 of 500 designs can run" in done.stdout
    rows = [line.split()[:2] for line in done.stdout.splitlines() if "networks  " in line]
    assert rows == [["networks", head] for head in ("latency", "energy", "area")]
    assert "validity: all samples can run" in done.stdout
    assert done.stdout.count("; cycles: io 25%, compute 75%\n") == 2
    assert done.stdout.count("\n    hardware: pes_x ") == 2
    joint = JointSpace(named("macro"))
    simulate = costs_by_formula(joint, None, None)
    model = load(tmp_path / "costmodel.keras", joint, simulate=simulate)
    assert model.card.samples == 500
    written = ["costmodel.csv", "costmodel.json", "costmodel.keras"]
    assert sorted(path.name for path in tmp_path.iterdir()) == written
    assert len((tmp_path / "costmodel.csv").read_text().splitlines()) == 1 + 2


def test_json_is_the_card_alone_and_the_seed_decides_it(run):
    documents = []
    for seed in ("3", "3", "4"):
        done = run(*QUICK, "--seed", seed, "--json", "--output", "m.keras", "--force")
        assert done.exit_code == 0, done.output
        assert done.stderr == ""
        document = json.loads(done.stdout)
        assert document.pop("wall_seconds") > 0
        documents.append(document)
    first, second, other = documents
    assert first == second
    assert first["weights_sha256"] != other["weights_sha256"]
    assert first["schema_version"] == 1
    assert first["model"] == "m.keras"
    assert first["origin"]["space"] == "macro+accelerator"
    assert set(first["errors"]) == {"random", "hardware", "networks"}
    assert set(first["errors"]["random"]) == set(HEADS)
    measures = {"mape", "median", "within_10", "spearman", "kendall"}
    assert set(first["errors"]["random"][HEADS[0]]) == measures
    text = (Path(__file__).parents[2] / "docs" / "json.md").read_text()
    undocumented = [key for key in first if f"`{key}`" not in text]
    assert undocumented == []


def test_an_interrupted_run_says_how_to_go_on_and_does(run, tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(training, "write_log", interrupted)
        done = run(*QUICK)
    assert done.exit_code != 0
    assert "interrupted; continue with the same command and --resume" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["costmodel.keras.partial"]
    assert "holds a run that was broken off; go on with --resume" in str(run(*QUICK).exception)
    other = run(*QUICK, "--hidden", "8", "--resume")
    assert "holds a run with hidden [256, 256, 256], but here it is [8]" in str(other.exception)
    done = run(*QUICK, "--resume")
    assert done.exit_code == 0, done.output
    assert len((tmp_path / "costmodel.csv").read_text().splitlines()) == 1 + 2
    assert "is there already" in str(run(*QUICK, "--resume").exception)


def test_samples_are_written_once_and_read_again(run, tmp_path):
    pytest.importorskip("pyarrow")
    done = run(*QUICK, "--data", "s.parquet", "--label-only")
    assert done.exit_code == 0, done.output
    assert "500 of 500 designs can run" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["s.parquet"]
    quick = ("--space", "macro", "--epochs", "2", "--json")
    read = run(*quick, "--data", "s.parquet")
    assert read.exit_code == 0, read.output
    drawn = run(*quick, "--samples", "500", "--output", "drawn.keras")
    weights = {json.loads(done.stdout)["weights_sha256"] for done in (read, drawn)}
    assert len(weights) == 1
    done = run(*quick, "--samples", "600", "--data", "s.parquet", "--force")
    assert "s.parquet: holds 500 samples, but --samples is 600" in str(done.exception)
    for option, value, held in (("--seed", "9", "0"), ("--objective", "energy", "latency")):
        done = run(*quick, "--data", "s.parquet", "--force", option, value)
        told = f"s.parquet: holds samples of {option[2:]} {held}, but here it is {value}: pass"
        assert told in str(done.exception)


def test_labelling_that_was_killed_goes_on(run, tmp_path, monkeypatch):
    pytest.importorskip("pyarrow")
    arguments = (*QUICK, "--data", "s.parquet", "--label-only")

    def killed_in_the_third(joint, objective, tables):
        calls = iter(range(3))

        def simulate(choices):
            if next(calls) == 2:  # the first is of the probes
                raise KeyboardInterrupt
            return costs_by_formula(joint, objective, tables)(choices)

        return simulate

    monkeypatch.setattr("nahas.costmodel.parquet.CHUNK", 300)
    with monkeypatch.context() as patched:
        patched.setattr(training, "simulator", killed_in_the_third)
        done = run(*arguments)
    assert done.exit_code != 0
    assert "continue with the same command and --resume" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["s.parquet.partial"]
    assert "go on with --resume" in str(run(*arguments).exception)
    done = run(*arguments, "--resume")
    assert done.exit_code == 0, done.output
    assert [path.name for path in tmp_path.iterdir()] == ["s.parquet"]
    done = run(*QUICK, "--data", "t.parquet", "--label-only", "--resume")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "s.parquet").read_bytes() == (tmp_path / "t.parquet").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--space", "macr"), "unknown space 'macr': did you mean 'macro'"),
        (("--output", "model.h5"), r"model.h5: a cost model's file must end in \.keras"),
        (("--output", "none/m.keras"), "its folder is not there"),
        (("--tables", "."), "holds neither sram.csv nor"),
        (("--hardware-space", "pape"), "unknown hardware space 'pape'"),
        (("--validity", "required"), r"validity is required, but all \d+ designs to learn from"),
        (("--device", "gpu"), "TensorFlow sees no GPU here"),
        (("--label-only",), "--label-only writes samples to a file: give --data"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(run, arguments, message):
    done = run(*QUICK, *arguments)
    assert isinstance(done.exception, NahasError)
    assert done.stdout == ""
    with pytest.raises(NahasError, match=message):
        raise done.exception
    assert "\n" not in str(done.exception)


@pytest.mark.parametrize("name", ["costmodel.keras", "costmodel.json", "costmodel.csv"])
def test_nothing_is_replaced_unasked(run, tmp_path, name):
    (tmp_path / name).write_text("mine")
    done = run(*QUICK)
    assert f"{name}: is there already" in str(done.exception)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "mine"
    assert run(*QUICK, "--force").exit_code == 0
    assert (tmp_path / "costmodel.keras").read_bytes()[:2] == b"PK"


@pytest.mark.parametrize(
    "arguments",
    [
        ("--samples", "5"),
        ("--epochs", "0"),
        ("--seed", "-1"),
        ("--hidden", "64,x"),
        ("--hidden", "0"),
        ("--dropout", "1"),
        ("--members", "0"),
        ("--time-limit", "soon"),
    ],
)
def test_values_out_of_range_are_usage_errors(run, arguments):
    done = run(*arguments)
    assert done.exit_code == 2
    assert arguments[0] in done.stderr
