"""`nahas export-child`: from the folder of a trained child to files and a card."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nahas.children.data import open_dataset
from nahas.children.data.named import FASHION_MNIST
from nahas.children.graph import keras_model
from nahas.children.recipe import Recipe
from nahas.children.saved import save_child
from nahas.children.train import Trained
from nahas.children.training import Reason
from nahas.cli import export_child

DATA = ("--data", "fashion-mnist", "--limit", 500)


def tiny(on):
    x = on.activation(on.conv(on.input(28, 28, 1), 4, kernel=3, stride=2), "relu")
    return on.dense(on.global_pool(x), 10)


@pytest.fixture(scope="module")
def child(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a child that has learned nothing yet."""
    if not FASHION_MNIST.is_dir():
        pytest.skip("Debian's package dataset-fashion-mnist is not installed")
    folder = tmp_path_factory.mktemp("child")
    trained = Trained(
        accuracy_percent=10.0,
        epochs=1,
        seconds=1.0,
        reason=Reason.DONE,
        parameters=98,
        history=(),
        weights=keras_model(tiny).get_weights(),
    )
    dataset = open_dataset("fashion-mnist", limit=500)
    save_child(folder, "own:tiny", tiny, dataset, Recipe(), trained)
    return folder


def test_formats_are_those_of_the_library():
    from nahas.children.export import FORMATS

    assert tuple(FORMATS) == export_child.FORMATS


def test_files_a_table_and_a_card(nahas, child, tmp_path):
    folder = tmp_path / "new"
    ran = nahas("export-child", child, *DATA, "--out", folder, "--images", 100)
    assert (ran.code, ran.out.count("model_int8.tflite")) == (0, 1)
    assert "top-1 on the test images of fashion-mnist, measured with each file" in ran.out
    assert "own:tiny: logits of pixels of 0 to 255" in ran.out
    assert {file.name for file in folder.iterdir()} == {
        "card.json",
        "model.keras",
        "model_int8.tflite",
    }
    assert ran.err.splitlines() == ["writing model.keras", "writing model_int8.tflite"]
    simulated = nahas("simulate", folder / "model_int8.tflite", "--json")
    assert json.loads(simulated.out)["total"]["macs"] == 14 * 14 * 4 * 9 + 40


def test_the_document_is_the_card(nahas, child, tmp_path):
    folder = tmp_path / "new"
    given = ("--format", "keras", "--probabilities", "--json")
    ran = nahas("export-child", child / "child.keras", *DATA, "--out", folder, *given)
    assert (ran.code, ran.err) == (0, "")
    document = json.loads(ran.out)
    assert document["card"] == json.loads((folder / "card.json").read_text())
    assert document["card"]["output"] == "probabilities"
    assert document["warnings"] == []


def test_other_parts_of_the_data_set_are_warned_of(nahas, child, tmp_path):
    data = ("--data", "fashion-mnist", "--limit", 400, "--images", 10)
    ran = nahas("export-child", child, *data, "--out", tmp_path / "new", "--format", "keras")
    assert ran.code == 0
    assert "is not what the child has learned" in ran.err


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (("--format", "keras,coreml"), "'coreml' is none of keras, savedmodel, tflite"),
        (("--images", "0"), "0 is not in the range"),
    ],
)
def test_options_that_mean_nothing(nahas, tmp_path, given, sentence):
    ran = nahas("export-child", tmp_path, *DATA, "--out", tmp_path / "new", *given)
    assert ran.code == 2
    assert sentence in ran.err


def test_what_is_no_child(nahas, tmp_path):
    ran = nahas("export-child", tmp_path, *DATA, "--out", tmp_path / "new")
    assert ran.code == 2
    assert "child.json: no such file, but a child has its card there" in ran.err
    assert not (tmp_path / "new").exists()
