"""`nahas cosearch --exhaustive` from end to end, on few networks and few accelerators."""

from __future__ import annotations

import csv
import json

import pytest

from nahas.spaces.accelerator import accelerator_space
from nahas.spaces.space import Decision, Space
from tests.cli.test_docs import DOCS, keys_in

TABLE = {"11111111": 91.9, "22212202": 93.1, "10101100": 89.4, "00000000": 80.0}
ASKED = ("cosearch", "--space", "macro", "--table", "few.csv", "--exhaustive")
FILES = {"exact.json", "front.csv", "front.png", "front.svg", "manifest.json"}


@pytest.fixture(autouse=True)
def _few(tmp_path, monkeypatch):
    """A table of four networks, and two values of each hardware decision."""
    monkeypatch.chdir(tmp_path)
    rows = (f"macro:{name},{accuracy}" for name, accuracy in TABLE.items())
    (tmp_path / "few.csv").write_text("\n".join(["network,accuracy_percent", *rows]) + "\n")
    whole = accelerator_space()
    few = Space(whole.name, tuple(Decision(d.name, d.values[-2:]) for d in whole.decisions))
    monkeypatch.setattr("nahas.problem.accelerator_space", lambda _: few)


def told(ran):
    assert ran.code == 0, ran.err
    return json.loads(ran.out)


def test_run_folder_document_and_front(nahas, tmp_path):
    document = told(nahas(*ASKED, "--area", "none", "--json"))
    folder = tmp_path / "runs" / "macro-exact"
    assert {path.name for path in folder.iterdir()} == FILES
    assert document["designs"] == len(TABLE) * 2**7
    assert document["best"][0]["network"] == "macro:22212202"
    assert document["best"][0]["reward"] == 93.1
    assert document["simulated_again"] == document["designs"]
    assert document["energy_difference"] < 1e-12
    rows = list(csv.DictReader((folder / "front.csv").read_text().splitlines()))
    assert len(rows) == document["front"]["designs"]
    assert sum(row["feasible"] == "True" for row in rows) == document["front"]["feasible_designs"]
    assert rows[0]["network"] == "macro:22212202"
    assert float(rows[0]["latency_ms"]) <= document["best"][0]["latency_ms"]
    kept = json.loads((folder / "exact.json").read_text())
    assert kept["best"] == document["best"]
    made = json.loads((folder / "manifest.json").read_text())
    assert made["options"]["exhaustive"] is True


@pytest.mark.usefixtures("undrawn")
class TestWhatIsAsked:
    def test_people_are_told_that_every_design_was_costed(self, nahas):
        ran = nahas(*ASKED, "--latency", "none", "--area", "none", "--best", "2")
        assert ran.code == 0, ran.err
        assert f"every design was costed: {len(TABLE) * 2**7}" in ran.out
        assert "simulated one by one as well and agree" in ran.out
        assert "macro:10101100" not in ran.out  # two networks are listed, and the baseline

    def test_every_key_is_documented(self, nahas):
        document = told(nahas(*ASKED, "--area", "none", "--json"))
        for design in (*document["best"], document["highest_reward"], document["baseline"]):
            design["hardware"] = None
        text = (DOCS / "json.md").read_text()
        assert sorted(key for key in keys_in(document) if f"`{key}`" not in text) == []

    def test_targets_reward_and_front_are_heard(self, nahas):
        asked = (
            "--latency",
            "0.05",
            "--area",
            "none",
            "--reward",
            "soft",
            "--front",
            "latency,energy",
        )
        document = told(nahas(*ASKED, *asked, "--json"))
        assert document["targets"] == {"latency_ms": 0.05}
        assert document["reward_exponents"] == [-0.07, -0.07]
        assert document["front"]["objectives"] == ["latency_ms", "energy_mj"]
        assert document["best"][0]["latency_ms"] <= 0.05

    def test_no_design_meets_the_targets(self, nahas):
        ran = nahas(*ASKED, "--latency", "0.000001")
        assert ran.code == 3
        assert "every design was costed: raise a target" in ran.err
        assert "0 of them meet every target" in ran.out

    def test_an_answer_is_replaced_only_when_asked_to(self, nahas):
        told(nahas(*ASKED, "--area", "none", "--json"))
        ran = nahas(*ASKED, "--json")
        assert ran.code == 2
        assert "replace it with --force, or name another --run-dir" in ran.err
        told(nahas(*ASKED, "--area", "none", "--force", "--json"))


@pytest.fixture
def undrawn(monkeypatch):
    """Answers without pictures, where a test looks at something else."""
    monkeypatch.setattr("nahas.report.exact.write_front_figure", lambda *_: [])


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--resume",), "--resume means nothing with --exhaustive"),
        (("--dry-run",), "--dry-run means nothing with --exhaustive"),
        (("--time-limit", "5m"), "--time-limit means nothing with --exhaustive"),
        (("--tracker", "mlflow"), "--tracker means nothing with --exhaustive"),
        (("--cost-model", "model.keras"), "--cost-model means nothing with --exhaustive"),
        (("--front", "accuracy,speed"), "--front names 'speed'"),
        (("--front", "latency"), "needs two or more different ones"),
    ],
)
def test_what_contradicts_is_refused(nahas, more, said, tmp_path):
    ran = nahas(*ASKED, *more)
    assert ran.code == 2
    assert said in ran.err
    assert not (tmp_path / "runs").exists()


def test_a_space_that_is_too_large_is_refused(nahas):
    ran = nahas("cosearch", "--exhaustive")
    assert ran.code == 2
    assert "space 'mnasnet' has 104,485,552,128 networks" in ran.err
    assert "name a --table that lists some of its networks" in ran.err


def test_accuracies_that_would_be_trained_are_refused(nahas, monkeypatch):
    from dataclasses import replace

    from nahas.problem import problem_of
    from tests.exact.small import Drawn

    class Training(Drawn):
        identity: dict[str, str]

    def trained(search):
        accuracy = Training(4)
        accuracy.identity = {}
        return replace(problem_of(search), accuracy=accuracy)

    monkeypatch.setattr("nahas.problem.problem_of", trained)
    ran = nahas(*ASKED)
    assert ran.code == 2
    assert "takes seconds for each network" in ran.err
