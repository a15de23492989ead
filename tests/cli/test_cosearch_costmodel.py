"""A cost model from training to a search by it, a report of the search, and what is refused."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nahas.costmodel.predicted import load_for, predicted_costs
from nahas.errors import CostModelError
from nahas.problem import Search, problem_of
from nahas.spaces.joint import JointSpace
from nahas.spaces.named import named
from nahas.vocabulary import Objective, Reason

# Keras 3.15 reads TensorFlow's variables in a way that NumPy 2 is going to drop.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

TRAIN = ("train-costmodel", "--samples", "600", "--epochs", "12", "--output", "model.keras")
SEARCH = ("cosearch", "--cost-model", "model.keras", "--controller", "random", "--trials", "60")
LOOSE = ("--latency", "3x", "--area", "2x")
COSTS = ("latency_ms", "energy_mj", "area_mm2")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with a model of space mnasnet."""
    from nahas.cli.main import run

    folder = tmp_path_factory.mktemp("model")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert run([*TRAIN, "--quiet"]) == 0
    return folder


@pytest.fixture
def folder(trained, tmp_path, monkeypatch):
    """A working folder with the model in it; searches draw no pictures."""
    for file in trained.glob("model.*"):
        shutil.copy(file, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("nahas.report.write.write_figures", lambda *_: [])
    return tmp_path


def told(ran, code=0):
    assert ran.code == code, ran.err
    return json.loads(ran.out)


def test_designs_have_predicted_and_simulated_costs(nahas, folder):
    document = told(nahas(*SEARCH, *LOOSE, "--json"))
    problem = problem_of(Search())
    assert document["cost_model"]["weights_sha256"] == document["options"]["cost_model"]
    assert document["cost_model"]["simulated_again"] == document["distinct_designs"] == 60
    assert len(document["best"]) == 5
    for design in document["best"]:
        network = problem.joint.network_space.choice_named(design["network"])
        hardware = problem.joint.accelerator.choice(design["hardware"])
        choices = np.concatenate([network, hardware])[None]
        true = problem.simulate(*problem.joint.designs(choices))
        model = load_for("model.keras", problem.joint, Objective.LATENCY)
        guessed = predicted_costs(model, choices)
        for name in COSTS:
            assert design[name] == getattr(true, name)[0]
            assert design["predicted"][name] == pytest.approx(getattr(guessed, name)[0], rel=1e-4)
        assert design["predicted"]["latency_ms"] != design["latency_ms"]
        assert design["parameters"] == true.parameters[0] == guessed.parameters[0]
        within = all(design[name] <= limit for name, limit in document["targets"].items())
        assert design["feasible"] == within
    saved = json.loads(Path("runs/mnasnet-0/best.json").read_text())
    assert saved["best"] == document["best"]
    page = Path("runs/mnasnet-0/report.html").read_text()
    assert "designs were simulated again: of" in page
    assert re.search(r'"predicted": ?\{"latency_ms": ?\[', page)


def test_the_report_says_the_same_as_the_search(nahas, folder):
    searched = told(nahas(*SEARCH, *LOOSE, "--json"))
    reported = told(nahas("report", "runs/mnasnet-0", "--json"))
    for key in ("best", "cost_model", "baseline", "targets", "feasible_trials"):
        assert reported[key] == searched[key]
    table = nahas("report", "runs/mnasnet-0").out
    assert "(predicted)" in table
    assert "costs of trials are predicted, by cost model" in table


def test_a_resumed_search_knows_its_model(nahas, folder, monkeypatch):
    told(nahas(*SEARCH, *LOOSE, "--json"))
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    run = ("cosearch", "--run-dir", "../runs/mnasnet-0", "--resume", "--json")
    longer = told(nahas(*run, "--trials", "80"))
    assert longer["trials"] == 80
    assert all(design["predicted"] for design in longer["best"])


def test_truth_decides_the_exit_code(nahas, folder, monkeypatch):
    def dreamer(model, choices):
        costs = predicted_costs(model, choices)
        return replace(costs, latency_ms=np.full(len(choices), 1e-6))

    monkeypatch.setattr("nahas.costmodel.predicted.predicted_costs", dreamer)
    ran = nahas(*SEARCH, "--json", "--latency", "0.0001", "--area", "none")
    document = told(ran, 3)
    assert document["feasible_trials"] == 60
    assert document["cost_model"]["predicted_feasible"] > 0
    assert document["cost_model"]["truly_feasible"] == 0
    assert document["cost_model"]["feasible"] == 0
    assert nahas("report", "runs/mnasnet-0", "-q").code == 3


def test_where_not_all_was_simulated_it_says_so(nahas, folder, monkeypatch):
    monkeypatch.setattr("nahas.recheck.MOST", 10)
    ran = nahas(*SEARCH, "--latency", "0.0001", "--area", "none")
    assert ran.code == 3
    assert "10 of 60 designs were simulated again" in " ".join((ran.out + ran.err).split())
    assert "no design that was simulated again meets every" in " ".join(ran.err.split())


def test_a_model_of_something_else_is_refused_before_anything_is_written(nahas, folder):
    before = sorted(path.name for path in folder.iterdir())
    for arguments, said in (
        (
            ("--space", "s1", "--table", "t.json"),
            "holds networks of space 'macro', but --space is 's1'",
        ),
        (("--hardware-space", "wide"), "is of another hardware space ('paper', here 'wide')"),
        (("--hardware-space", "wider"), "unknown hardware space 'wider'"),
        (("--objective", "energy"), "objective 'latency', but the search asks for 'energy'"),
        (("--cost-model", "none.keras"), "none.keras: is not there"),
        (("--cost-model", "model.h5"), "must end in .keras"),
    ):
        ran = nahas(*SEARCH, *arguments)
        assert ran.code == 2
        assert said in " ".join(ran.err.split())
        assert sorted(path.name for path in folder.iterdir()) == before


def test_a_model_of_another_space_is_refused(folder):
    with pytest.raises(CostModelError, match=r"another space \('mnasnet\+acc.*here 'macro\+acc"):
        load_for("model.keras", JointSpace(named("macro")), Objective.LATENCY)


def test_a_model_that_cannot_tell_what_runs_is_refused_where_some_cannot(nahas, folder):
    wide = ("--hardware-space", "wide")
    small = ("--samples", "600", "--epochs", "1", "--output", "blind.keras", "--quiet")
    assert nahas("train-costmodel", *wide, *small, "--validity", "off").code == 0
    ran = nahas("cosearch", *wide, "--cost-model", "blind.keras")
    assert ran.code == 2
    said = " ".join(ran.err.split())
    assert "takes every design for one that can run" in said
    assert "train another with --validity auto, or on more samples" in said
    assert not Path("runs").exists()


def test_what_is_predicted_not_to_run_costs_infinitely_much(folder):
    joint = JointSpace(named("mnasnet"))
    model = load_for("model.keras", joint, Objective.LATENCY)
    choices = joint.space.sample(6, np.random.default_rng(0))

    class Doubtful:
        joint = model.joint

        def predict(self, choices):
            costs = model.predict(choices)
            return type(
                "Predicted", (), vars(costs) | {"validity": np.array([0, 0.4, 0.5, 1, 1, 1])}
            )

    costs = predicted_costs(Doubtful(), choices)
    assert costs.reason.tolist() == [Reason.PREDICTED] * 2 + [0] * 4
    assert np.isinf(costs.latency_ms).tolist() == [True] * 2 + [False] * 4
    assert np.isinf(costs.energy_mj).tolist() == [True] * 2 + [False] * 4
    assert np.isfinite(costs.area_mm2).all()
    assert (costs.parameters > 0).all()
