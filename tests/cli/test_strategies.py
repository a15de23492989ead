"""`nahas cosearch --strategy`: phases told and resumed, and the one-shot search as a study."""

import json

import pytest

from nahas.strategies import recall
from tests.children.tiny import images
from tests.cli.test_train_supernet import LIMIT, SPACE

QUICK = ("cosearch", "--controller", "random", "--latency", "3x", "--area", "2x", "--json")
AT_ONCE = (
    *("cosearch", "--space", "small.py:small", "--strategy", "one-shot", "--json"),
    *("--data", "fashion-mnist", "--proxy-images", str(LIMIT), "--reward", "absolute"),
    *("--trials", "12", "--run-dir", "run"),
)


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    (tmp_path / "small.py").write_text(SPACE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("nahas.report.write.write_figures", lambda *_: [])


def told(ran):
    assert ran.code in (0, 3), ran.err
    return json.loads(ran.out)


def test_phases_are_told_and_go_on_where_they_were(nahas):
    how = (*QUICK, "--strategy", "phase", "--trials", "80", "--phase-share", "0.25")
    document = told(nahas(*how, "--run-dir", "a"))
    assert document["strategy"] == "phase"
    assert document["phases"] == [
        {"searches": "accelerator", "first": 0, "last": 19},
        {"searches": "network", "first": 20, "last": 79},
    ]
    assert told(nahas("report", "a", "--json"))["phases"] == document["phases"]
    told(nahas(*how, "--run-dir", "b", "--time-limit", "0.001s"))
    resumed = told(nahas("cosearch", "--run-dir", "b", "--resume", "--json"))
    assert resumed["best"] == document["best"]
    ran = nahas(*(word for word in how if word != "--json"), "--run-dir", "c")
    assert "strategy phase: accelerator in trials 0 to 19, then network in trials 20 to" in ran.out


def test_a_fixed_accelerator_by_its_values(nahas):
    how = ("--strategy", "fixed-accelerator", "--accelerator", "pes_x=2,simd_units=32")
    document = told(nahas(*QUICK, *how, "--trials", "20"))
    assert document["options"]["strategy_from"]["pes_x"] == 2
    assert {design["hardware"]["simd_units"] for design in document["best"]} == {32}
    ran = nahas(*QUICK, *how, "--accelerator", "pes_x=5")
    assert ran.code == 2
    assert "pes_x is 5, but hardware space 'paper' has 1, 2, 4, 6, 8" in ran.err


def test_one_shot_ends_with_a_design_measured_like_the_baseline(nahas, tmp_path):
    images(LIMIT)
    document = told(nahas(*AT_ONCE))
    assert (document["strategy"], document["trials"]) == ("one-shot", 1)
    label = "fashion-mnist top-1 %, with shared weights (not trained alone)"
    assert document["accuracy_label"] == label
    assert 0 <= document["baseline"]["accuracy"] <= 100
    (chosen,) = document["best"]
    card = json.loads((tmp_path / "run" / "supernet" / "supernet.json").read_text())
    assert chosen["network"] == card["policy"]["network"]
    assert chosen["hardware"] == card["policy"]["hardware"]
    assert card["steps"] == card["epochs"] * 9
    kept = recall(tmp_path / "run" / "study.db")
    assert kept.best[0].accuracy == chosen["accuracy"]
    assert kept.baseline.accuracy == document["baseline"]["accuracy"]

    measured = ("--supernet", "run/supernet/supernet.npz", "--accuracy", "one-shot")
    same = ("--data", "fashion-mnist", "--proxy-images", LIMIT, "--reward", "absolute")
    fixed = ("--strategy", "fixed-network", "--network", chosen["network"])
    space = ("--space", "small.py:small", "--controller", "random", "--trials", "4")
    again = told(nahas("cosearch", *space, *measured, *same, *fixed, "--run-dir", "c", "--json"))
    assert again["best"][0]["accuracy"] == pytest.approx(chosen["accuracy"], abs=1e-9)

    resumed = told(nahas("cosearch", "--run-dir", "run", "--resume", "--json"))
    assert resumed["best"] == document["best"]
    ran = nahas("cosearch", "--run-dir", "run", "--resume", "--trials", "40")
    assert ran.code == 2
    assert "strategy_trials = 12, not 40" in ran.err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--trials", "3"), "trials is 3, but one epoch of 144 images has 6 lessons"),
        (("--proxy-epochs", "2"), "--proxy-epochs does not go with --strategy one-shot"),
        (("--accuracy", "train"), "--accuracy train does not go with --strategy one-shot"),
        (("--network", "small:x"), "--network goes with --strategy fixed-network or phase"),
        (("--latency", "none", "--area", "none"), "a one-shot search needs a target"),
    ],
)
def test_what_a_one_shot_search_cannot_be(nahas, tmp_path, arguments, sentence):
    images(LIMIT)
    ran = nahas(*AT_ONCE, *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert sentence in ran.err.splitlines()[-1]
    assert not (tmp_path / "run").exists()


def test_one_shot_needs_images(nahas):
    ran = nahas("cosearch", "--strategy", "one-shot")
    assert ran.code == 2
    assert "--strategy one-shot needs --data, images" in ran.err
