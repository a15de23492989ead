"""A design that leaves its study: the folder says all, and builds itself again."""

from __future__ import annotations

import csv
import json
import runpy
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nahas import networks
from nahas.children.graph import keras_model
from nahas.children.keras_file import weights_hash
from nahas.datafiles import packaged
from nahas.errors import StudyError, UsageError
from nahas.hardware import load_hardware
from nahas.interop.models import read_model
from nahas.interop.timeloop_v4 import read_timeloop
from nahas.outcome.check import differences, read_card
from nahas.outcome.chosen import chosen
from nahas.outcome.write import write_outcome
from nahas.result import recall
from nahas.simulate import simulate
from nahas.study.store import Study
from tests.outcome.studies import searched

FILES = {
    "accelerator.yaml",
    "accelerator_accelforge.yaml",
    "accelerator_timeloop.yaml",
    "accelforge",
    "card.json",
    "card.md",
    "layers.csv",
    "layers.json",
    "model.keras",
    "rebuild.py",
    "space.py",
    "timeloop",
    "zigzag",
}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A study of a listed space of one's own, and its result as read from the file."""
    folder = tmp_path_factory.mktemp("run")
    searched(folder)
    return folder / "study.db"


@pytest.fixture(scope="module")
def result(study):
    return recall(study)


@pytest.fixture(scope="module")
def origin(study):
    with Study.read(study) as read:
        return read.origin


@pytest.fixture(scope="module")
def outcome(result, origin, tmp_path_factory):
    """The folder of the best design, moved away from where it was written."""
    folder = tmp_path_factory.mktemp("outcome") / "written"
    write_outcome(result, origin, chosen(result), folder)
    return folder.rename(folder.with_name("moved"))


@pytest.fixture
def copy(outcome, tmp_path):
    return Path(shutil.copytree(outcome, tmp_path / "copy"))


def again(folder):
    """What rebuild.py does, in this process."""
    card = read_card(folder)
    name = f"{folder / card['network_file']}:{card['network']}"
    cost = simulate(networks.named(name), load_hardware(folder / "accelerator.yaml"))
    cost = replace(cost, network=replace(cost.network, name=card["network"]))
    model = keras_model(networks.function(name), name="again")
    return differences(folder, cost, model)


def rebuilt(folder):
    """The exit code of rebuild.py, in this process."""
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(folder / "rebuild.py"), run_name="__main__")
    return ended.value.code


def test_the_folder_holds_what_its_page_says(outcome):
    assert {path.name for path in outcome.iterdir()} == FILES
    page = (outcome / "card.md").read_text()
    card = json.loads((outcome / "card.json").read_text())
    assert all(f"`{name}" in page for name in FILES - {"card.json", "card.md"})
    assert set(card["sha256"]) >= FILES - {
        "card.json",
        "card.md",
        "timeloop",
        "accelforge",
        "zigzag",
    }
    assert card["model"]["state"].startswith("not trained")
    assert "not trained" in page
    assert card["accuracy"]["label"] in page


def test_the_card_is_the_study_s_design(outcome, result):
    card, best = read_card(outcome), result.best[0]
    assert card["network"] == best.network
    assert card["accuracy"]["percent"] == best.accuracy
    assert {name: card["hardware"][name] for name in best.hardware} == best.hardware
    for name in ("latency_ms", "energy_mj", "area_mm2", "parameters"):
        assert card["total"][name] == pytest.approx(getattr(best, name), rel=1e-12)
    assert sum(card["total"]["energy_by_component_mj"].values()) == pytest.approx(
        card["total"]["energy_mj"]
    )
    assert {t["metric"]: t["met"] for t in card["targets"]} == {
        "latency_ms": True,
        "area_mm2": True,
    }
    assert (card["found"]["trial"], card["found"]["rank"]) == (best.trial, 1)
    assert set(card["found"]["fingerprints"]) == {
        "accuracies",
        "costs",
        "energy tables",
        "kernels",
    }


def test_rebuild_runs_alone_and_agrees(outcome):
    done = subprocess.run(
        [sys.executable, outcome / "rebuild.py"],
        capture_output=True,
        text=True,
        cwd=outcome.parent,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("as the card says\n")


def test_the_check_finds_nothing_where_nothing_changed(copy):
    assert again(copy) == []


def test_an_accelerator_that_was_changed_is_found(copy):
    path = copy / "accelerator.yaml"
    path.write_text(path.read_text().replace("io_gb_per_s: ", "io_gb_per_s: 1"))
    found = again(copy)
    assert found[0] == "accelerator.yaml is not the file that was written"
    assert any("total.latency_ms is" in sentence for sentence in found)


def test_a_model_that_was_changed_is_found(copy):
    from nahas.children.quiet import import_keras

    keras = import_keras()
    model = keras.models.load_model(copy / "model.keras")
    model.set_weights([weight + 1 for weight in model.get_weights()])
    model.save(copy / "model.keras")
    found = again(copy)
    assert "model.keras has other weights than the card says" in found
    assert "model.keras has other weights than those of its seed" in found


def test_a_file_that_is_no_model_and_one_that_is_missing_are_found(copy):
    (copy / "model.keras").write_bytes(b"")
    (copy / "layers.csv").unlink()
    found = again(copy)
    assert "layers.csv is missing" in found
    assert any("model.keras cannot be read as a Keras model" in sentence for sentence in found)


def test_the_model_is_the_network_that_was_costed(outcome):
    reading = read_model(outcome / "model.keras").network
    card = read_card(outcome)
    assert reading.macs == card["total"]["macs"]
    assert reading.parameters == card["total"]["parameters"]
    assert card["model"]["input"] == [16, 16, 3]


def test_every_layer_has_its_costs_and_its_mapping(outcome):
    document = json.loads((outcome / "layers.json").read_text())
    with (outcome / "layers.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == [layer["name"] for layer in document["layers"]]
    assert [row["mapping"] for row in rows] == [of["mapping"] or "" for of in document["layers"]]
    assert [float(row["energy_pj"]) for row in rows] == [
        layer["energy_pj"] for layer in document["layers"]
    ]
    mapped = [layer for layer in document["layers"] if layer["loops"]]
    folders = sorted((outcome / "timeloop").iterdir())
    assert len(folders) == len(mapped) == read_card(outcome)["mappings"]["timeloop"]["layers"]
    layer, mapping = read_timeloop(folders[0])
    assert layer.macs == mapped[0]["macs"]
    assert mapping.loops


class TestChosen:
    def test_ranks_are_of_distinct_networks(self, result):
        ranked = [chosen(result, rank=rank).design for rank in (1, 2, 3)]
        assert [each.network for each in ranked] == [b.network for b in result.best[:3]]

    def test_a_trial_by_its_number(self, result):
        of = chosen(result, 17)
        assert (of.design.trial, of.rank) == (17, None)
        assert of.design.latency_ms == result.trials.latency_ms[17]

    def test_what_there_is_not(self, result):
        with pytest.raises(StudyError, match=r"has no trial 40: they are 0 to 39"):
            chosen(result, 40)
        with pytest.raises(StudyError, match=r"4 designs of distinct networks .* none of rank 9"):
            chosen(result, rank=9)
        with pytest.raises(UsageError, match="--rank is 2, but ranks are of the best"):
            chosen(result, 17, 2)

    def test_of_a_pareto_search_no_design_is_the_best(self, result, origin, tmp_path):
        options = {**result.options, "reward": "pareto", "targets": {}}
        pareto = replace(result, options=options, targets={})
        with pytest.raises(UsageError, match=r"no design is the best: give --trial N, one of its"):
            chosen(pareto)
        card = write_outcome(pareto, origin, chosen(pareto, 7), tmp_path / "new")
        assert card["targets"] == []
        assert "## Targets\n\nNone." in (tmp_path / "new" / "card.md").read_text()

    def test_what_cannot_run_is_refused_with_its_reason(self, result):
        reason = np.where(result.trials.number == 3, 1, 0)
        broken = replace(result, trials=replace(result.trials, reason=reason))
        with pytest.raises(StudyError, match=r"trial 3 of study .* cannot run: its accelerator"):
            chosen(broken, 3)

    def test_of_a_cost_model_s_study_the_simulated_costs(self, result):
        trials = replace(result.trials, latency_ms=2 * result.trials.latency_ms)
        predicted = replace(result, trials=trials, simulated=result.trials[[3, 5]])
        assert chosen(predicted, 5).design.latency_ms == result.trials.latency_ms[5]
        assert chosen(predicted, 5).simulated
        assert not chosen(predicted, 4).simulated


def test_a_prediction_is_told_beside_the_simulated_costs(result, origin, tmp_path):
    trials = replace(result.trials, latency_ms=2 * result.trials.latency_ms)
    predicted = replace(result, trials=trials, simulated=result.trials[[3]])
    card = write_outcome(predicted, origin, chosen(predicted, 4), tmp_path / "new")
    true = float(result.trials.latency_ms[4])
    assert card["total"]["latency_ms"] == pytest.approx(true)
    assert card["predicted"]["latency_ms"] == pytest.approx(2 * true)
    assert card["reward"] is None


def test_costs_of_another_simulator_are_refused(result, origin, tmp_path):
    trials = replace(result.trials, latency_ms=1.01 * result.trials.latency_ms)
    with pytest.raises(StudyError, match=r"says latency_ms .* but the simulator of this nahas"):
        write_outcome(result, origin, chosen(replace(result, trials=trials), 4), tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


class TestFolder:
    def test_one_that_is_there_stays_unless_it_is_an_outcome(self, result, origin, copy, tmp_path):
        of = chosen(result, rank=2)
        with pytest.raises(UsageError, match=r"is there already: replace it with --force"):
            write_outcome(result, origin, of, copy)
        other = tmp_path / "mine"
        other.mkdir()
        (other / "letter.txt").write_text("dear")
        with pytest.raises(UsageError, match="is no folder that 'nahas export' has made"):
            write_outcome(result, origin, of, other, replace_it=True)
        write_outcome(result, origin, of, copy, replace_it=True)
        assert read_card(copy)["found"]["rank"] == 2
        assert {path.name for path in tmp_path.iterdir()} == {"copy", "mine"}

    def test_it_is_whole_or_as_it_was(self, result, origin, copy, tmp_path, monkeypatch):
        def fail(*_):
            raise OSError(28, "No space left on device")

        before = (copy / "card.json").read_bytes()
        monkeypatch.setattr("nahas.outcome.write.card_page", fail)
        for folder in (copy, tmp_path / "new"):
            with pytest.raises(OSError, match="No space left"):
                write_outcome(result, origin, chosen(result), folder, replace_it=True)
        assert (copy / "card.json").read_bytes() == before
        assert [path.name for path in tmp_path.iterdir()] == ["copy"]


def test_own_energy_tables_go_along(tmp_path):
    tables = tmp_path / "tables"
    tables.mkdir()
    text = packaged("energy_constants.csv").read_text()
    lines = text.splitlines(keepends=True)
    row = next(i for i, line in enumerate(lines) if line.startswith("dram_read"))
    cells = lines[row].split(",")
    cells[2] = str(2 * float(cells[2]))
    lines[row] = ",".join(cells)
    (tables / "energy_constants.csv").write_text("".join(lines))
    result = recall(searched(tmp_path / "run", tables=tables).study)
    with Study.read(result.study) as read:
        origin = read.origin
    with pytest.raises(StudyError, match="give their folder with --tables"):
        write_outcome(result, origin, chosen(result), tmp_path / "new")
    write_outcome(result, origin, chosen(result), tmp_path / "new", tables=tables)
    shutil.rmtree(tables)
    assert rebuilt(tmp_path / "new") == 0


def test_the_weights_of_a_child_are_taken(result, origin, study, tmp_path):
    from nahas.children.recipe import Recipe
    from nahas.children.saved import save_child, standalone
    from nahas.children.train import Trained
    from nahas.children.training import Reason
    from tests.children.tiny import images

    of, dataset = chosen(result), images(500)
    function = result.joint.network_space.function(of.choice)
    model = standalone_of(function, dataset)
    weights = [weight + 0.5 for weight in model.get_weights()]
    trained = Trained(
        accuracy_percent=12.5,
        epochs=1,
        seconds=1.0,
        reason=Reason.DONE,
        parameters=of.network.parameters,
        history=(),
        weights=weights,
    )
    save_child(tmp_path / "child", of.design.network, function, dataset, Recipe(), trained)
    assert standalone(function, dataset.task, weights).count_params() == model.count_params()
    card = write_outcome(result, origin, of, tmp_path / "new", child=tmp_path / "child")
    assert card["model"]["state"] == "trained"
    assert card["model"]["trained"]["accuracy_percent"] == 12.5
    assert card["model"]["weights_sha256"] == weights_hash(weights)
    assert rebuilt(tmp_path / "new") == 0
    with pytest.raises(UsageError, match=r"is a child of mine:.*, but the design has mine:"):
        write_outcome(
            result, origin, chosen(result, rank=2), tmp_path / "other", child=tmp_path / "child"
        )


def standalone_of(function, dataset):
    from nahas.spaces.task import function_for_task

    return keras_model(function_for_task(function, dataset.task), name="child")
