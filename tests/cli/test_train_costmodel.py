"""`nahas train-costmodel`: what it prints, writes and refuses."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from nahas.cli.train_costmodel import train_costmodel
from nahas.cost import DesignCosts
from nahas.costmodel import train as training
from nahas.costmodel.model import HEADS, load
from nahas.errors import NahasError
from nahas.spaces.joint import JointSpace
from nahas.spaces.named import named

# Keras 3.15 reads TensorFlow's variables in a way that NumPy 2 is going to drop.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

QUICK = ("--space", "macro", "--samples", "200", "--epochs", "2")


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
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        return CliRunner().invoke(train_costmodel, arguments, catch_exceptions=True)

    return call


def test_a_model_with_its_card_is_written_and_its_errors_are_printed(run, tmp_path):
    done = run(*QUICK)
    assert done.exit_code == 0, done.output
    assert "200 of 200 designs can run" in done.stdout
    rows = [line.split()[:2] for line in done.stdout.splitlines() if "hardware" in line]
    assert rows == [["hardware", head] for head in ("latency", "energy", "area")]
    joint = JointSpace(named("macro"))
    simulate = costs_by_formula(joint, None, None)
    model = load(tmp_path / "costmodel.keras", joint, simulate=simulate)
    assert model.card.samples == 200
    assert sorted(path.name for path in tmp_path.iterdir()) == ["costmodel.json", "costmodel.keras"]


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
    assert set(first["errors"]) == {"random", "hardware"}
    assert set(first["errors"]["random"]) == set(HEADS)
    assert set(first["errors"]["random"][HEADS[0]]) == {"mape", "within_10", "spearman", "kendall"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--space", "macr"), "unknown space 'macr': did you mean 'macro'"),
        (("--output", "model.h5"), r"model.h5: a cost model's file must end in \.keras"),
        (("--output", "none/m.keras"), "its folder is not there"),
        (("--tables", "."), "holds neither sram.csv nor"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(run, arguments, message):
    done = run(*QUICK, *arguments)
    assert isinstance(done.exception, NahasError)
    assert done.stdout == ""
    with pytest.raises(NahasError, match=message):
        raise done.exception
    assert "\n" not in str(done.exception)


def test_a_model_is_not_replaced_unasked(run, tmp_path):
    (tmp_path / "costmodel.keras").write_text("mine")
    done = run(*QUICK)
    assert "is there already" in str(done.exception)
    assert (tmp_path / "costmodel.keras").read_text() == "mine"
    assert run(*QUICK, "--force").exit_code == 0
    assert (tmp_path / "costmodel.keras").read_bytes()[:2] == b"PK"


@pytest.mark.parametrize("arguments", [("--samples", "5"), ("--epochs", "0"), ("--seed", "-1")])
def test_numbers_out_of_range_are_usage_errors(run, arguments):
    done = run(*arguments)
    assert done.exit_code == 2
    assert arguments[0] in done.stderr
