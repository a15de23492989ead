"""`nahas train-child`: names or samples, kept, tabled, resumed; errors in one sentence."""

import json

import pytest

from nahas.accuracy.measured import read_measured
from nahas.children import jobs
from tests.children.tiny import images, network

SPACE = """
from nahas.spaces.own import network_space


@network_space
def few(on, choose):
    x = on.conv(on.input(28, 28, 1), 4, kernel=choose("kernel", (1, 3)), stride=2)
    return on.dense(on.global_pool(on.activation(x, "relu")), 10)
"""

ARGUMENTS = ("--data", "fashion-mnist", "--limit", "320", "--epochs", "1", "--batch", "32")


@pytest.fixture
def small(monkeypatch):
    """Every network is the small one, so that a command takes a second."""
    images(320)
    monkeypatch.setattr(jobs.networks, "function", lambda _: network)


@pytest.mark.usefixtures("small")
def test_networks_are_trained_kept_and_tabled(nahas, tmp_path):
    table, folder = tmp_path / "macro.csv", tmp_path / "run"
    kept = (*ARGUMENTS, "--table", table, "--run-dir", folder)
    ran = nahas("train-child", "macro:00000000", *kept, "--test", "--json")
    assert ran.code == 0, ran.err
    document = json.loads(ran.out)
    (child,) = document["children"]
    assert child["network"] == "macro:00000000"
    assert 0 < child["accuracy_percent"] < 100
    assert 0 < child["test_percent"] < 100
    files = {path.name for path in (folder / "macro_00000000").iterdir()}
    assert files == {"checkpoint.npz", "child.json", "child.keras", "log.csv"}
    (row,) = read_measured(table).rows
    assert row.accuracy_percent == pytest.approx(child["accuracy_percent"], abs=1e-4)

    ran = nahas("train-child", "macro:00000000", "macro:00000001", *kept)
    assert ran.code == 0, ran.err
    assert "1 of 2 networks are in" in ran.err
    assert [row.network for row in read_measured(table).rows] == [
        "macro:00000000",
        "macro:00000001",
    ]
    ran = nahas("train-child", "macro:00000002", *kept, "--learning-rate", "0.01")
    assert ran.code == 2
    assert "holds accuracies of recipe" in ran.err


@pytest.mark.usefixtures("small")
def test_a_run_folder_goes_on_or_begins_anew_when_told(nahas, tmp_path):
    arguments = ("train-child", "macro:00000000", *ARGUMENTS, "--run-dir", tmp_path)
    first = nahas(*arguments, "--json")
    assert first.code == 0, first.err
    ran = nahas(*arguments)
    assert ran.code == 2
    assert "go on with --resume, or begin again with --force" in ran.err
    for flag in ("--resume", "--force"):
        ran = nahas(*arguments, flag, "--json")
        assert ran.code == 0, ran.err
        ours, theirs = (json.loads(of.out)["children"][0] for of in (ran, first))
        assert ours["accuracy_percent"] == theirs["accuracy_percent"]


@pytest.mark.usefixtures("small")
def test_a_child_that_is_begun_is_told_before_anything_is_read(nahas, tmp_path):
    (tmp_path / "macro_00000001").mkdir()
    (tmp_path / "macro_00000001" / "checkpoint.npz").touch()
    networks = ("macro:00000000", "macro:00000001")
    ran = nahas("train-child", *networks, "--data", "nowhere", "--run-dir", tmp_path)
    assert ran.code == 2
    assert "macro_00000001: holds a training that was begun; go on with --resume" in ran.err


@pytest.mark.usefixtures("small")
def test_an_interruption_is_told_once_with_how_to_go_on(nahas, tmp_path, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(jobs, "train_job", interrupted)
    ran = nahas("train-child", "macro:00000000", *ARGUMENTS, "--run-dir", tmp_path)
    assert ran.code == 130
    assert ran.err.strip() == "interrupted; continue with the same command and --resume"


@pytest.mark.usefixtures("small")
def test_a_sample_of_a_space_is_drawn_by_the_seed(nahas):
    arguments = ("train-child", "--space", "macro", "--sample", "2", *ARGUMENTS, "--json")
    ran = nahas(*arguments, "--seed", "3", "--learning-rate", "1e30")
    assert ran.code == 3, "no child has an accuracy"
    children = json.loads(ran.out)["children"]
    assert len({child["network"] for child in children}) == 2
    assert [child["reason"] for child in children] == ["not finite"] * 2
    assert [child["accuracy_percent"] for child in children] == [None] * 2


def test_workers_change_no_more_than_the_last_bits(nahas, tmp_path):
    images(320)
    (tmp_path / "spaces.py").write_text(SPACE)
    names = [f"{tmp_path}/spaces.py:few:kernel={kernel}" for kernel in (3, 1)]
    alone, together = (
        nahas("train-child", *names, *ARGUMENTS, "--workers", workers, "--json", *more)
        for workers, more in ((1, ()), (2, ("--table", tmp_path / "few.csv")))
    )
    assert (alone.code, together.code) == (0, 0), together.err
    ours, theirs = (json.loads(ran.out)["children"] for ran in (together, alone))
    assert [child["network"] for child in ours] == names
    assert ours[0]["parameters"] != ours[1]["parameters"]
    for one, other in zip(ours, theirs, strict=True):
        assert one["parameters"] == other["parameters"]
        (epoch,), (expected,) = one["history"], other["history"]
        for loss in ("loss", "validation_loss"):
            assert epoch[loss] == pytest.approx(expected[loss], rel=1e-4)
    rows = read_measured(tmp_path / "few.csv").rows
    assert [row.network for row in rows] == ["few:kernel=3", "few:kernel=1"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "no network is given: name some, or draw them with --space and --sample"),
        (("--space", "macro"), "--space and --sample go together"),
        (("macro:0",), "'macro:0' is not a network of space 'macro'"),
        (("macro:00000000", "--resume"), "give --run-dir DIR"),
        (("macro:00000000", "--resume", "--force"), "--force begins anew: give one of them"),
        (("macro:00000000", "--learning-rate", "0"), "learning_rate is 0.0, but it must be above"),
        (("macro:00000000", "--device", "gpu"), "TensorFlow sees no GPU here"),
        (("macro:00000000", "mobilenet-v2", "--table", "t.csv"), "holds networks of one space"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(nahas, tmp_path, monkeypatch, arguments, sentence):
    images(320)
    monkeypatch.chdir(tmp_path)
    ran = nahas("train-child", *arguments, *ARGUMENTS)
    assert ran.code == 2
    assert sentence in ran.err
    assert list(tmp_path.iterdir()) == []
