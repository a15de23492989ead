"""`nahas fit-surrogate`: what it prints, writes and refuses."""

import json

import pytest
from click.testing import CliRunner

from nahas.accuracy import fit
from nahas.accuracy.surrogate import card_path, load_surrogate, packaged_weights, read_card
from nahas.cli.fit_surrogate import fit_surrogate
from nahas.errors import AccuracyError, UsageError

MEASURES = ["kendall", "spearman", "rmse_pp", "mae_pp"]


def small_fit(folder, recipe, progress):
    """The packaged surrogate, as if it had just been fitted: the fit itself has its own tests."""
    progress(f"reading {folder.name}")
    card = read_card(card_path(packaged_weights("mnasnet")))
    card["recipe"] = {**card["recipe"], "seed": recipe.seed}
    return load_surrogate(), card


@pytest.fixture
def run(monkeypatch, tmp_path):
    monkeypatch.setattr(fit, "fit_surrogate", small_fit)
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        return CliRunner().invoke(fit_surrogate, ["--data", "measured", *arguments])

    return call


def test_the_card_is_printed_and_the_weights_are_written(run, tmp_path):
    done = run()
    assert done.exit_code == 0, done.output
    assert "ImageNet top-1 % of the 16-epoch recipe, predicted" in done.stdout
    rows = [line.split()[:2] for line in done.stdout.splitlines() if "0." in line]
    for part in ("val", "test"):
        for predictor in ("surrogate", "mlp", "ridge"):
            assert [part, predictor] in rows
    assert "4,100, 512, 112" in done.stdout
    assert done.stderr == "reading measured\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "accuracy_mnasnet.json",
        "accuracy_mnasnet.npz",
    ]
    load_surrogate(tmp_path / "accuracy_mnasnet.npz")


def test_json_is_the_card_and_nothing_else(run, tmp_path):
    done = run("--json", "--seed", "5", "--output", "mine.npz")
    document = json.loads(done.stdout)
    assert document["command"] == "fit-surrogate"
    assert document["weights"] == "mine.npz"
    card = document["card"]
    assert card["recipe"]["seed"] == 5
    assert card["held_out"]["surrogate"]["test"].keys() == set(MEASURES)
    assert card == json.loads((tmp_path / "mine.json").read_text())


def test_a_card_without_seeds_is_printed_too(run, monkeypatch):
    monkeypatch.setattr(
        fit,
        "fit_surrogate",
        lambda *arguments: (small_fit(*arguments)[0], {**small_fit(*arguments)[1], "seeds": None}),
    )
    done = run()
    assert done.exit_code == 0, done.output
    assert "between seeds" not in done.stdout


def test_data_are_needed():
    for given in ([], ["--data", "a", "--table", "b"]):
        done = CliRunner().invoke(fit_surrogate, given)
        assert isinstance(done.exception, UsageError)
        assert "either --table FILE.csv or --data FOLDER" in str(done.exception)


def test_a_folder_without_measurements_is_refused(tmp_path):
    done = CliRunner().invoke(fit_surrogate, ["--data", str(tmp_path / "nothing")])
    assert isinstance(done.exception, AccuracyError)
    assert "measured.csv.gz: cannot be read" in str(done.exception)


def test_help_shows_an_example():
    assert (
        "nahas fit-surrogate --data accel-nasbench"
        in CliRunner().invoke(fit_surrogate, ["--help"]).stdout
    )
