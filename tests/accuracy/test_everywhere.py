"""Every space with every back-end, from Python and from the command line.

Whatever trains is a stub here: what an accuracy is worth is tested beside each back-end.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from nahas.accuracy.fit import save_surrogate
from nahas.accuracy.fit_table import fit_table
from nahas.accuracy.measured import Measured, TableCard, append_measured, read_measured
from nahas.accuracy.named import LEDGER, Source, backend_of
from nahas.accuracy.trained import Child, TrainedChildren
from nahas.children.data import open_dataset
from nahas.children.saved import about
from nahas.cli.main import run
from nahas.errors import StudyError
from nahas.problem import REFERENCES, Search, problem_of
from nahas.spaces.named import NAMES, named
from nahas.strategies import joint, recall
from tests.undrawn import leave_out

WHAT = "images top-1 % of the 1-epoch proxy at 8 px"
QUICK = ("--controller", "random", "--trials", "4", "--batch", "2", "--json")


def guess(name: str) -> float:
    """A percentage that is a network's own."""
    return 40.0 + int(hashlib.sha256(name.encode()).hexdigest()[:4], 16) / 2000.0


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder with a table and a surrogate of every space, and images."""
    folder = tmp_path_factory.mktemp("accuracies")
    rng = np.random.default_rng(0)
    for name in NAMES:
        space = named(name)
        names = [space.network_name(space.space.values(c)) for c in space.space.sample(24, rng)]
        rows = [Measured(network=n, accuracy_percent=guess(n)) for n in (*names, REFERENCES[name])]
        append_measured(folder / f"{name}.csv", TableCard(space=name, accuracy=WHAT), rows)
        fitted = fit_table(read_measured(folder / f"{name}.csv"), space)
        save_surrogate(*fitted, folder / f"{name}.npz")
    pixels = rng.integers(0, 256, (60, 8, 8, 3), dtype=np.uint8)
    np.savez(folder / "images.npz", pixels=pixels, labels=np.arange(60) % 3)
    return folder


@pytest.fixture(autouse=True)
def _quick(monkeypatch, tmp_path, files):
    def train(_self, name, _choice, epochs):
        return Child(accuracy_percent=guess(name), epochs=epochs, seconds=1.0, reason="")

    card = SimpleNamespace(
        recipe={"batch": 4, "seed": 0},
        weights_sha256="0" * 64,
        dataset=about(open_dataset(str(files / "images.npz"))),
    )

    def load_supernet(_path, space, _task):
        def accuracy(choice, batches):
            assert sum(len(labels) for _, labels in batches) > 0
            return guess(space.network_name(space.space.values(choice)))

        return SimpleNamespace(space=space, accuracy=accuracy), card

    monkeypatch.setattr(TrainedChildren, "_trained", train)
    monkeypatch.setattr("nahas.accuracy.oneshot.load_supernet", load_supernet)
    monkeypatch.setattr("nahas.children.supernet_files.read_card", lambda _: card)
    leave_out(monkeypatch)
    monkeypatch.chdir(tmp_path)


def options(files: Path, space: str) -> dict[str, dict[str, object]]:
    """What to say of each back-end."""
    return {
        "table": {"table": files / f"{space}.csv"},
        "surrogate": {"surrogate": files / f"{space}.npz"},
        "train": {"data": str(files / "images.npz"), "proxy_epochs": 1},
        "one-shot": {"supernet": files / "shared.npz", "data": str(files / "images.npz")},
    }


LABELS = {
    "table": f"{WHAT}, measured",
    "surrogate": f"{WHAT}, predicted",
    "train": "images top-1 % on validation images, each network trained for 1 epoch",
    "one-shot": "images top-1 %, with shared weights (not trained alone)",
}


@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("space", NAMES)
def test_a_space_is_searched_by_a_back_end(files, space, kind, capsys):
    said = options(files, space)[kind]
    arguments = [
        str(part) for key, value in said.items() for part in (f"--{key.replace('_', '-')}", value)
    ]
    assert run(["cosearch", "--space", space, *arguments, *QUICK]) in (0, 3)
    told = json.loads(capsys.readouterr().out)
    result = joint(Search(space=space, controller="random", trials=4, batch=2, **said))
    assert told["accuracy_label"] == result.accuracy_label == LABELS[kind]
    assert [of["network"] for of in told["best"]] == [of.network for of in result.best]
    for of, design in zip(told["best"], result.best, strict=True):
        assert of["accuracy"] == design.accuracy
        assert of["accuracy_deviation"] == design.accuracy_deviation
        assert (of["accuracy_deviation"] is not None) == (kind == "surrogate")
        if kind != "surrogate":
            assert of["accuracy"] == guess(of["network"])
    recalled = recall(Path("runs") / f"{space}-0" / "study.db")
    assert recalled.best == result.best
    assert recalled.baseline == result.baseline
    assert recalled.accuracy_label == result.accuracy_label


class TestTables:
    def test_a_search_proposes_nothing_but_what_was_measured(self, files):
        table = files / "s1.csv"
        result = joint(Search(space="s1", table=table, controller="random", trials=40))
        known = {row.network for row in read_measured(table).rows}
        assert {of.network for of in result.best} <= known
        assert result.joint.network_space.space.size == len(known)

    def test_without_the_baseline_network_nothing_is_searched(self, files, tmp_path, capsys):
        text = (files / "s1.csv").read_text()
        lines = [line for line in text.splitlines() if not line.startswith(REFERENCES["s1"])]
        (tmp_path / "part.csv").write_text("\n".join(lines) + "\n")
        assert run(["cosearch", "--space", "s1", "--table", "part.csv", *QUICK]) == 2
        said = capsys.readouterr().err
        assert f"part.csv: has no accuracy of '{REFERENCES['s1']}': add it with" in said
        assert not (tmp_path / "runs").exists()

    def test_a_network_that_failed_is_kept_and_earns_nothing(self, files, tmp_path, capsys):
        lines = (files / "macro.csv").read_text().splitlines()
        lines = [
            line
            if line.startswith(("#", "network", REFERENCES["macro"]))
            else f"{line.split(',')[0]},,,0,0,,not finite"
            for line in lines
        ]
        (tmp_path / "failed.csv").write_text("\n".join(lines) + "\n")
        assert run(["cosearch", "--space", "macro", "--table", "failed.csv", *QUICK[:-1]]) == 3
        assert "4 trials have no accuracy" in capsys.readouterr().out
        trials = recall(Path("runs/macro-0/study.db")).trials
        assert np.isnan(trials.accuracy).all()
        assert not trials.reward.any()


class TestTraining:
    def search(self, files, **more):
        of = {"space": "macro", "controller": "random", "trials": 4, "batch": 2}
        return Search(**{**of, **options(files, "macro")["train"], **more})

    def test_each_network_is_trained_once_and_remembered(self, files, tmp_path, monkeypatch):
        search = self.search(files, study=tmp_path / "run" / "study.db")
        first = joint(search)
        children = json.loads((tmp_path / "run" / LEDGER).read_text())["children"]
        networks = first.joint.split(first.trials.choices)[0]
        space = first.joint.network_space
        tried = {space.network_name(space.space.values(choice)) for choice in networks}
        assert set(children) == {*tried, REFERENCES["macro"]}

        def refuse(*_):
            raise AssertionError("trained again")

        monkeypatch.setattr(TrainedChildren, "_trained", refuse)
        (tmp_path / "run" / "study.db").unlink()
        assert joint(search).best == first.best

    def test_nothing_is_trained_to_look_whether_a_study_goes_on(self, files, tmp_path, monkeypatch):
        search = self.search(files, study=tmp_path / "run" / "study.db")
        joint(search)
        asked = []
        monkeypatch.setattr(TrainedChildren, "accuracy", lambda _, choices: asked.append(choices))
        problem = problem_of(search)
        assert problem.probed() == problem_of(search).probed()
        assert asked == []

    @pytest.mark.parametrize("more", [{"proxy_epochs": 2}, {"proxy_images": 30}])
    def test_other_children_do_not_go_on_with_a_study(self, files, tmp_path, more):
        study = tmp_path / "run" / "study.db"
        joint(self.search(files, study=study))
        (tmp_path / "run" / LEDGER).unlink()
        with pytest.raises(StudyError, match="with other accuracies"):
            joint(self.search(files, study=study, resume=True, trials=8, **more))

    def test_a_dry_run_trains_nothing(self, files, monkeypatch, capsys):
        def refuse(*_):
            raise AssertionError("trained")

        monkeypatch.setattr(TrainedChildren, "_trained", refuse)
        data = ("--data", str(files / "images.npz"))
        assert run(["cosearch", "--space", "macro", *data, *QUICK, "--dry-run"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert told["accuracy_label"].startswith("images top-1 %")
        assert told["warnings"] == [
            "the time that networks take to be trained or measured is not in it"
        ]

    def test_halving_and_sizes_reach_the_children(self, files):
        source = Source(
            data=str(files / "images.npz"), proxy_images=30, proxy_epochs=3, proxy_halving=True
        )
        _, backend = backend_of(source, named("macro"))
        assert backend.identity["recipe"]["epochs"] == 3
        assert backend.identity["halving"] == {"first": 1, "keep": 0.5, "factor": 2}
        assert sum(backend.identity["dataset"]["images"].values()) <= 60
        assert "hopeless ones stopped early" in backend.label


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--accuracy", "traim"), "did you mean 'train'?"),
        (("--accuracy", "train"), "--accuracy train needs --data"),
        (("--accuracy", "one-shot", "--data", "x"), "needs --supernet"),
        (("--accuracy", "table"), "--accuracy table needs --table"),
        (
            ("--table", "x.csv", "--data", "cifar10"),
            "--data goes with --accuracy train or one-shot",
        ),
        (("--surrogate", "none.npz"), "none.npz: cannot be read"),
        (("--table", "none.csv"), "none.csv: cannot be read"),
        (("--data", "no-such-images"), "no-such-images"),
        (("--ray", "local"), "--ray trains networks on a cluster, but accuracies come from"),
        (("--child-gpus", "1"), "gpus is 1, but only a Ray cluster shares GPUs out"),
    ],
)
def test_what_cannot_be_meant_is_a_sentence_and_leaves_nothing(tmp_path, capsys, arguments, said):
    assert run(["cosearch", "--space", "macro", *QUICK, *arguments]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert len(told.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
