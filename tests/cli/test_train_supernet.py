"""`nahas train-supernet`: a space of one's own, searched, kept, resumed, measured by; errors."""

import csv
import json

import pytest

from nahas import networks
from nahas.accuracy.oneshot import OneShotAccuracy
from nahas.children.data import open_dataset
from nahas.errors import AccuracyError
from nahas.spaces.named import named
from nahas.strategies import Search, joint
from tests.children.tiny import images
from tests.cli.test_docs import keys_in

LIMIT = 160
SPACE = """
from nahas.spaces.own import network_space


@network_space
def small(on, choose):
    width = choose("width", (8, 16), widths=True)
    x = on.conv(on.input(32, 32, 3), width, kernel=3, stride=2)
    x = on.depthwise(on.activation(x, "relu"), kernel=choose("kernel", (3, 5)), stride=2)
    return on.dense(on.global_pool(on.activation(x, "relu")), 1000)
"""
QUICK = (
    *("--space", "small.py:small", "--data", "fashion-mnist", "--limit", str(LIMIT)),
    *("--epochs", "2", "--batch", "16", "--optimizer", "sgd", "--learning-rate", "2"),
)
FILES = ["supernet.checkpoint.npz", "supernet.csv", "supernet.json", "supernet.npz"]


@pytest.fixture(autouse=True)
def _file(tmp_path, monkeypatch):
    """The space's file, in the folder where commands run."""
    images(LIMIT)
    (tmp_path / "small.py").write_text(SPACE)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of weights that no policy chose, and what the command printed."""
    from nahas.cli.main import run

    images(LIMIT)
    folder = tmp_path_factory.mktemp("weights")
    (folder / "small.py").write_text(SPACE)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert run(["train-supernet", *QUICK, "--policy", "none", "--out", str(folder)]) == 0
    return folder


def test_a_design_is_chosen_simulated_and_documented(nahas, tmp_path, root):
    ran = nahas("train-supernet", *QUICK, "--latency", "1x", "--area", "none", "--json")
    assert ran.code in (0, 3), ran.err
    document = json.loads(ran.out)
    chosen, policy = document["chosen"], document["policy"]
    assert ran.code == (0 if chosen["feasible"] else 3)
    assert (chosen["network"], chosen["hardware"]) == (policy["network"], policy["hardware"])
    assert "with shared weights (not trained alone)" in document["accuracy_label"]
    assert document["targets"] == {"latency_ms": document["baseline"]["latency_ms"]}
    assert document["baseline"]["accuracy"] is None
    assert 0 <= chosen["accuracy"] <= 100
    assert 0 < policy["least_probability"] <= 1
    network = networks.named(f"small.py:{chosen['network']}")
    assert network.parameters == chosen["parameters"]

    card = json.loads((tmp_path / "supernet" / "supernet.json").read_text())
    assert {name: document[name] for name in card if name != "schema_version"} == {
        name: value for name, value in card.items() if name != "schema_version"
    }
    assert sorted(path.name for path in (tmp_path / "supernet").iterdir()) == FILES
    with (tmp_path / "supernet" / "supernet.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["epoch"], row["steps"]) for row in rows] == [("1", "9"), ("2", "18")]
    assert {"reward", "satisfied", "sampled_percent", "entropy"} <= set(rows[0])

    free = ("hardware", "recipe", "versions", "reward", "dataset")
    known = {name: None if name in free else value for name, value in document.items()}
    for part in ("policy", "chosen", "baseline"):
        known[part] = {name: None if name in free else v for name, v in known[part].items()}
    text = (root / "docs" / "json.md").read_text()
    assert sorted(key for key in keys_in(known) if f"`{key}`" not in text) == []


def test_without_a_policy_weights_learn_and_nothing_is_chosen(nahas, tmp_path):
    arguments = ("train-supernet", *QUICK, "--policy", "none", "--no-augment", "--out", "weights")
    ran = nahas(*arguments, "--json")
    assert ran.code == 0, ran.err
    document = json.loads(ran.out)
    assert document["policy"] is None
    assert not {"chosen", "baseline", "targets", "accuracy_label"} & set(document)
    assert document["recipe"]["augment"] is False
    assert (document["epochs"], document["steps"], document["stop"]) == (2, 18, "epochs")

    ran = nahas(*arguments)
    assert ran.code == 2
    assert "weights: holds a training that is finished; begin anew with --force" in ran.err
    for flag in ("--resume", "--force"):
        ran = nahas(*arguments, flag, "--json")
        assert ran.code == 0, ran.err
        assert json.loads(ran.out)["weights_sha256"] == document["weights_sha256"]
    for other, sentence in {
        ("--epochs", "3"): "holds a training with epochs 2, but here it is 3",
        ("--seed", "1"): "holds a training with dataset",
        ("--learning-rate", "1"): "holds a training with learning_rate 2.0, but here it is 1.0",
    }.items():
        ran = nahas(*arguments, *other, "--resume")
        assert ran.code == 2
        assert sentence in ran.err
    assert sorted(path.name for path in (tmp_path / "weights").iterdir()) == FILES


def test_a_time_limit_keeps_what_was_learned(nahas):
    ran = nahas("train-supernet", *QUICK, "--policy", "none", "--time-limit", "0.001s")
    assert ran.code == 0, ran.err
    assert "0 epochs, 1 steps" in ran.out
    assert "with shared weights" in ran.out


def test_shared_weights_measure_a_search(nahas, trained):
    """`nahas cosearch --accuracy one-shot`, and the same from Python."""
    said = {"supernet": trained / "supernet.npz", "data": "fashion-mnist", "proxy_images": LIMIT}
    options = [
        part for name, value in said.items() for part in (f"--{name.replace('_', '-')}", value)
    ]
    how = ("--space", "small.py:small", "--controller", "reinforce", "--trials", "12")
    ran = nahas("cosearch", *how, "--accuracy", "one-shot", *options, "--run-dir", "run", "--json")
    assert ran.code in (0, 3), ran.err
    document = json.loads(ran.out)
    label = "fashion-mnist top-1 %, with shared weights (not trained alone)"
    assert document["accuracy_label"] == label
    search = Search(space="small.py:small", controller="reinforce", trials=12, **said)
    result = joint(search)
    assert result.accuracy_label == label
    found = {design.network: design.accuracy for design in result.best}
    assert {of["network"]: of["accuracy"] for of in document["best"]}.items() <= found.items()
    space = named("small.py:small")
    backend = OneShotAccuracy(space, said["supernet"], open_dataset("fashion-mnist", limit=LIMIT))
    for name, accuracy in found.items():
        assert backend.accuracy(space.choice_named(name)[None]) == [accuracy]
    ran = nahas("report", "run", "--json")
    assert ran.code in (0, 3), ran.err
    assert json.loads(ran.out)["accuracy_label"] == label


def test_images_that_the_weights_may_have_learned_measure_nothing(trained):
    space = named("small.py:small")
    for other in ({"limit": LIMIT - 20}, {"limit": LIMIT, "seed": 1}):
        dataset = open_dataset("fashion-mnist", **other)
        with pytest.raises(AccuracyError, match="give the same data, as many images of it, and"):
            OneShotAccuracy(space, trained / "supernet.npz", dataset)


def test_weights_of_another_seed_are_measured_on_what_they_did_not_learn(nahas):
    seed = ("--policy", "none", "--seed", "4", "--epochs", "1")
    assert nahas("train-supernet", *QUICK, *seed).code == 0
    said = ("--supernet", "supernet/supernet.npz", "--data", "fashion-mnist")
    how = ("--space", "small.py:small", "--controller", "random", "--trials", "4")
    ran = nahas("cosearch", *how, "--proxy-images", LIMIT, *said, "--accuracy", "one-shot")
    assert ran.code in (0, 3), ran.err
    ran = nahas("cosearch", *how, *said, "--accuracy", "one-shot", "--run-dir", "other")
    assert ran.code == 2
    assert "has learned 144 images of fashion-mnist, but here are 54000 others" in ran.err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--space", "s9"), "s9"),
        (("--space", "small.py:sma11"), "did you mean 'small'?"),
        (("--data", "cifar11"), "cifar11"),
        (("--hardware-space", "papr"), "did you mean 'paper'?"),
        (("--learning-rate", "0"), "supernet: learning_rate is 0.0, but it must be above 0"),
        (("--latency", "none", "--area", "none"), "a one-shot search needs a target"),
        (("--latency", "fast"), "fast"),
        (("--baseline", "edge"), "edge"),
        (("--reward", "harsh"), "harsh"),
        (("--cost-model", "none.keras"), "none.keras"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(nahas, tmp_path, arguments, sentence):
    ran = nahas("train-supernet", *QUICK, *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert sentence in ran.err.splitlines()[-1]
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] in ([], ["__pycache__"])
