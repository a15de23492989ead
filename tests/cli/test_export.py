"""`nahas export`: designs and studies of Optuna, from a run folder."""

from __future__ import annotations

import json
import shutil

import pytest

from nahas.cli import export as command
from nahas.outcome import chosen
from tests.outcome.studies import searched

COMMON = {"schema_version", "command", "nahas_version", "warnings"}


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept")
    searched(folder / "run")
    return folder


@pytest.fixture
def run(kept, tmp_path, monkeypatch):
    """A run folder of its own; the space's file stays where it was."""
    monkeypatch.chdir(tmp_path)
    return shutil.copytree(kept / "run", tmp_path / "run")


def test_what_help_does_not_import_is_what_the_library_says():
    assert command.BEST == chosen.BEST


def test_the_exported_yaml_simulates_to_the_card_s_numbers(nahas, run):
    ran = nahas("export", run)
    assert ran.code == 0, ran.err
    (folder,) = run.glob("trial-*")
    assert "not trained" in ran.out
    card = json.loads((folder / "card.json").read_text())
    network = f"{folder / card['network_file']}:{card['network']}"
    again = nahas("simulate", network, "--hardware", folder / "accelerator.yaml", "--json")
    document = json.loads(again.out)
    assert document["total"] == card["total"]
    assert document["layers"] == json.loads((folder / "layers.json").read_text())["layers"]


def test_the_document_is_the_card(nahas, run):
    ran = nahas("export", run / "study.db", "--rank", 2, "--out", "second", "--json")
    document = json.loads(ran.out)
    assert set(document) == COMMON | {"folder", "files", "card"}
    assert document["card"] == json.loads((run.parent / "second" / "card.json").read_text())
    assert document["card"]["found"]["rank"] == 2
    refused = nahas("export", run, "--rank", 2, "--out", "second")
    assert (refused.code, refused.out) == (2, "")
    assert "second is there already: replace it with --force" in refused.err
    assert nahas("export", run, "--trial", "5", "--out", "second", "--force").code == 0


def test_every_study_of_optuna_has_the_name_of_its_run(nahas, run):
    optuna = pytest.importorskip("optuna", reason="needs the extra search")
    ran = nahas("export", run, "--optuna", "sqlite:///o.db", "--json")
    assert ran.code == 0, ran.err
    told = json.loads(ran.out)["optuna"]
    assert told == {
        "storage": "sqlite:///o.db",
        "name": "run",
        "trials": 40,
        "values": ["reward"],
    }
    storage = optuna.storages.RDBStorage("sqlite:///o.db")
    assert len(optuna.load_study(study_name="run", storage=storage).trials) == 40
    storage.remove_session()
    assert nahas("export", run, "--optuna", "o.db").code == 2
    assert nahas("export", run, "--optuna", "o.db", "--name", "again").code == 0
    assert nahas("export", run, "--optuna", "o.db", "--force").code == 0


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (("--trial", "worst"), "'worst' is neither 'best' nor the number of a trial"),
        (("--trial", "40"), "has no trial 40: they are 0 to 39"),
        (("--rank", "2", "--trial", "3"), "--rank is 2, but ranks are of the best"),
        (("--name", "x"), "--name is that of a study of Optuna: give --optuna as well"),
        (("--optuna", "o.db", "--rank", "2"), "--rank is of one design, but --optuna writes all"),
        (("--optuna", "o.db", "--out", "x"), "--out is of one design, but --optuna writes all"),
    ],
)
def test_options_that_mean_nothing(nahas, run, given, sentence):
    ran = nahas("export", run, *given)
    assert (ran.code, ran.out) == (2, "")
    assert sentence in ran.err
    assert [path.name for path in run.parent.iterdir()] == ["run"]


def test_there_is_no_study(nahas, tmp_path):
    ran = nahas("export", tmp_path)
    assert ran.code == 2
    assert "there is no study" in ran.err


def test_keys_of_the_card_are_documented(nahas, run, root):
    card = json.loads(nahas("export", run, "--json").out)["card"]
    text = (root / "docs" / "json.md").read_text()
    nested = {name for target in card["targets"] for name in target} | set(card["accuracy"])
    keys = set(card) | nested | set(card["model"]) | set(card["found"])
    assert sorted(key for key in keys if f"`{key}`" not in text) == []
