"""What is exported computes what was trained, and is what was costed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nahas.children.data import Dataset, Images, in_memory
from nahas.children.export import (
    Child,
    Export,
    ExportCard,
    export_child,
    formats,
    is_divided_alike,
    read_child,
)
from nahas.children.export.measure import agreements, raw_pixels, representative
from nahas.children.export.runs import Runtime
from nahas.errors import DataError, TrainingError, UsageError
from nahas.files import json_text
from nahas.interop.models import read_model
from nahas.spaces.builder import read_layers
from tests.children.export.conftest import WRITABLE, tiny

FORMATS = formats.FORMATS
READ = ("keras", "tflite", "tflite-int8", "onnx")
"""Formats that `nahas simulate` reads."""

Made = tuple[Path, ExportCard]


def needs(name: str) -> Any:
    absent = name not in WRITABLE
    return pytest.param(name, marks=pytest.mark.skipif(absent, reason="the extra is absent"))


def form(card: ExportCard, name: str) -> Any:
    return next(form for form in card.forms if form.format == name)


def test_the_child_has_learned(exported: Made) -> None:
    assert 55 < form(exported[1], "keras").agreement.before_percent < 95


@pytest.mark.parametrize("name", [*map(needs, FORMATS)])
def test_a_file_is_as_accurate_as_the_child(exported: Made, name: str) -> None:
    found = form(exported[1], name).agreement
    assert found.images == (300 if "onnx" not in name else found.images)
    assert found.drop_pp == pytest.approx(found.before_percent - found.accuracy_percent)
    if name == "tflite-int8":
        assert abs(found.drop_pp) <= 2
        assert found.same_class_percent >= 95
    else:
        assert found.drop_pp == 0
        assert found.same_class_percent == 100


@pytest.mark.parametrize("name", [*map(needs, FORMATS)])
def test_a_file_computes_the_logits_of_the_child(
    exported: Made, child_file: Path, fashion: Dataset, name: str
) -> None:
    pixels = representative(fashion, (28, 28), 20, seed=3)
    expected = read_child(child_file).logits(pixels)
    found = FORMATS[name].run(exported[0] / FORMATS[name].file).classify(pixels)
    tolerance = 0.1 * np.abs(expected).max() if name == "tflite-int8" else 1e-4
    np.testing.assert_allclose(found, expected, atol=tolerance)


@pytest.mark.parametrize("name", [*map(needs, READ)])
def test_what_is_exported_is_what_was_costed(exported: Made, name: str) -> None:
    """Layer by layer: kinds, shapes, multiply-accumulates and edges; not what folding saves."""
    costed = read_layers("tiny", tiny)
    if name == "onnx":
        pytest.importorskip("onnx")
    found = read_model(exported[0] / FORMATS[name].file).network
    assert found.macs == costed.macs
    assert [replace(layer, name="", parameters=0) for layer in found.layers] == [
        replace(layer, name="", parameters=0) for layer in costed.layers
    ]
    assert found.inputs == costed.inputs


def test_int8_is_int8_from_end_to_end(exported: Made) -> None:
    ends = form(exported[1], "tflite-int8").quantisation
    assert (ends["input"]["type"], ends["output"]["type"]) == ("int8", "int8")
    # Images have black and white pixels, so the input is the pixel, 128 less.
    assert (ends["input"]["scale"], ends["input"]["zero_point"]) == (pytest.approx(1.0), -128)
    assert form(exported[1], "tflite").quantisation is None
    from nahas.interop.tflite_in import _schema

    content = (exported[0] / "model_int8.tflite").read_bytes()
    (graph,) = _schema().ModelT.InitFromObj(_schema().Model.GetRootAs(content, 0)).subgraphs
    kinds = vars(_schema().TensorType)
    assert {tensor.type for tensor in graph.tensors} <= {kinds["INT8"], kinds["INT32"]}
    scales = [tensor.quantization.scale for tensor in graph.tensors if tensor.quantization]
    assert max(len(scale) for scale in scales if scale is not None) >= 24  # one for each filter


def test_the_card_tells_of_every_file(exported: Made, child_file: Path) -> None:
    folder, card = exported
    written = json.loads((folder / "card.json").read_text())
    assert written == json.loads(json_text(card))
    assert (card.network, card.dataset, card.output) == ("own:tiny", "fashion-mnist", "logits")
    assert card.trained == json.loads(child_file.with_suffix(".json").read_text())
    files = {
        file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in folder.rglob("*")
        if file.is_file() and file.name != "card.json"
    }
    assert card.sha256 == files
    assert {form.file for form in card.forms} == {name.partition("/")[0] for name in files}
    int8, whole = form(card, "tflite-int8").kib, form(card, "keras").kib
    assert int8 == (folder / "model_int8.tflite").stat().st_size / 1024 < whole


def test_probabilities_where_they_are_asked_for(
    child_file: Path, fashion: Dataset, tmp_path: Path
) -> None:
    settings = Export(formats=("keras",), probabilities=True, images=100, part="validation")
    card = export_child(read_child(child_file), fashion, tmp_path / "new", settings)
    assert card.output == "probabilities"
    assert "validation images" in card.accuracy_label
    pixels = representative(fashion, (28, 28), 5, seed=0)
    found = FORMATS["keras"].run(tmp_path / "new" / "model.keras").classify(pixels)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)
    assert card.forms[0].agreement.same_class_percent == 100


def test_pixels_are_found_again(fashion: Dataset) -> None:
    (standardised, _), *_ = fashion.batches("test", batch=50)
    pixels = raw_pixels(np.asarray(standardised), fashion)
    assert np.array_equal(pixels, fashion.parts["test"].pixels[:50])
    assert representative(fashion, (28, 28), 120, seed=0).shape == (120, 28, 28, 1)


def test_a_slow_runtime_looks_at_fewer_images(child_file: Path, fashion: Dataset) -> None:
    """Both are counted on the images that it has looked at: wrong everywhere but for class 3."""
    child = read_child(child_file)
    third = np.eye(10, dtype=np.float32)[3]
    fast = Runtime("fast", lambda pixels: np.tile(third, (len(pixels), 1)))
    slow = fast._replace(classify=child.logits, most_images=130)
    found = agreements(child, {"fast": fast, "slow": slow}, fashion, "test", 250)
    assert (found["fast"].images, found["slow"].images) == (250, 130)
    labels = fashion.parts["test"].labels
    assert found["fast"].accuracy_percent == pytest.approx(100 * np.mean(labels[:250] == 3))
    said = child.logits(fashion.parts["test"].pixels[:130]).argmax(axis=1)
    assert found["slow"].before_percent == pytest.approx(100 * np.mean(said == labels[:130]))
    assert found["slow"].same_class_percent == 100


def test_what_cannot_be_written_leaves_nothing(
    child_file: Path, fashion: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(source: object, path: Path) -> None:
        path.write_text("half")
        raise RuntimeError("no int8 kernel of Erf\nand a page more")

    monkeypatch.setitem(FORMATS, "tflite-int8", FORMATS["tflite-int8"]._replace(write=fails))
    with pytest.raises(UsageError, match=r"'tflite-int8' cannot .* \(no int8 kernel of Erf\)"):
        export_child(read_child(child_file), fashion, tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_replaced(child_file: Path, fashion: Dataset, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="exists, and nothing is replaced"):
        export_child(read_child(child_file), fashion, tmp_path)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"images": 0}, "images is 0"),
        ({"representative_images": -1}, "representative_images is -1"),
        ({"part": "holdout"}, "part is 'holdout': allowed are train, validation, test"),
    ],
)
def test_settings_that_mean_nothing(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        Export(**settings)


def test_formats_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="no format is given"):
        formats.check_formats(())
    with pytest.raises(UsageError, match="unknown format 'coreml': known are keras, savedmodel"):
        formats.check_formats(("coreml",))
    monkeypatch.setattr(formats, "find_spec", {}.get)
    with pytest.raises(UsageError, match=r"needs tf2onnx.*pip install 'nahas\[export\]'"):
        formats.check_formats(("onnx",))


def test_other_backends_write_keras_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    class Keras:
        class backend:  # noqa: N801  # as Keras has it
            backend = staticmethod(lambda: "jax")

    monkeypatch.setattr(formats, "import_keras", lambda: Keras)
    formats.check_formats(("keras",))
    with pytest.raises(UsageError, match="Keras runs on jax here: set KERAS_BACKEND=tensorflow"):
        formats.check_formats(("keras", "tflite"))


def images(count: int, shape: tuple[int, ...]) -> Images:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (count, *shape), dtype=np.uint8)
    return Images(pixels, np.arange(count, dtype=np.int64) % 10)


@pytest.mark.parametrize(
    ("shape", "classes", "sentence"),
    [
        ((32, 28, 1), 10, "'other' has height 32, but the child was trained with height 28"),
        ((28, 28, 3), 10, "channels 3, but the child was trained with channels 1"),
        ((28, 28, 1), 12, "classes 12, but the child was trained with classes 10"),
        ((28, 28, 1), 10, "a class '0' where the child was trained on 't-shirt'"),
    ],
)
def test_data_sets_of_others(
    child_file: Path, tmp_path: Path, shape: tuple[int, ...], classes: int, sentence: str
) -> None:
    parts = {part: images(24, shape) for part in ("train", "validation", "test")}
    other = in_memory("other", parts, classes=tuple(map(str, range(classes))))
    with pytest.raises(DataError, match=sentence.replace("'other'", "other")):
        export_child(read_child(child_file), other, tmp_path / "new")


def test_images_divided_otherwise_are_noticed(child_file: Path, fashion: Dataset) -> None:
    child = read_child(child_file)
    assert is_divided_alike(child, fashion)
    other = Child(**{**vars(child), "mean": child.mean + 0.001})
    assert not is_divided_alike(other, fashion)


def test_files_that_are_no_child(child_file: Path, tmp_path: Path) -> None:
    card = json.loads(child_file.with_suffix(".json").read_text())
    path = tmp_path / "child.keras"
    path.write_bytes(child_file.read_bytes())
    aside = path.with_suffix(".json")
    with pytest.raises(TrainingError, match=r"child\.json: no such file, but a child has"):
        read_child(tmp_path)
    for text, sentence in (
        ("[1]", "is not the card of a child"),
        ("{", "is not the card of a child"),
        (json.dumps({"network": "s1:k3"}), "is not a trained child of nahas"),
        (json.dumps({**card, "dataset": {**card["dataset"], "classes": ["a"]}}), "1 classes"),
        (json.dumps({**card, "weights_sha256": "0"}), "its card is that of other weights"),
    ):
        aside.write_text(text)
        with pytest.raises(TrainingError, match=sentence):
            read_child(tmp_path)
    aside.write_text(json.dumps(card))
    assert read_child(tmp_path).network == "own:tiny"
    path.write_bytes(b"PK nothing")
    with pytest.raises(TrainingError, match="cannot be read as a Keras model"):
        read_child(path)
