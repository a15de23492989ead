from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nahas.children.data import Dataset, Divided, Images, data_errors, in_memory, open_dataset
from nahas.children.data import dataset as module
from nahas.children.data.batches import keras_batches, tensorflow_batches
from nahas.children.quiet import import_keras
from nahas.errors import DataError
from tests.children.data.writing import class_folder

KINDS = [tensorflow_batches, keras_batches]


@pytest.fixture(params=["in memory", "files"])
def dataset(request: pytest.FixtureRequest, coloured: Images, tmp_path: Path) -> Dataset:
    """Images of 28 pixels in memory; images of 84 pixels that are decoded when read."""
    if request.param == "in memory":
        rows = np.arange(60)
        parts = {"train": rows[::2], "validation": rows[1::4], "test": rows[3::4]}
        return in_memory("garments", {part: coloured[own] for part, own in parts.items()})
    folder = class_folder(tmp_path / "garments", coloured, ".jpg", scale=3)
    return open_dataset(folder, validation=0.25)


def read(batches: Any) -> tuple[np.ndarray, np.ndarray]:
    pixels, labels = zip(*((np.asarray(x), np.asarray(y)) for x, y in batches), strict=True)
    return np.concatenate(pixels), np.concatenate(labels)


def test_both_kinds_of_batches_hold_the_same_pixels(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    for kind in KINDS:
        monkeypatch.setattr(module, "as_batches", kind)
        how = {"batch": 7, "seed": 5, "epoch": 3, "augment": True, "shuffle": True}
        batches = dataset.batches("train", **how)
        assert len(batches) == 4
        seen.append(read(batches))
    (pixels, labels), (others, other_labels) = seen
    assert (pixels.dtype, labels.dtype) == (np.float32, np.int32)
    np.testing.assert_array_equal(pixels, others)
    np.testing.assert_array_equal(labels, other_labels)


def test_an_epoch_is_a_function_of_its_seed_and_number(dataset: Dataset) -> None:
    def pixels(**how: Any) -> np.ndarray:
        return read(dataset.batches("train", batch=10, augment=True, shuffle=True, **how))[0]

    first = pixels(seed=1, epoch=2)
    np.testing.assert_array_equal(first, pixels(seed=1, epoch=2))
    assert np.abs(first - pixels(seed=1, epoch=3)).max() > 1
    assert np.abs(first - pixels(seed=2, epoch=2)).max() > 1


def test_evaluation_sees_every_image_once_and_in_order(dataset: Dataset) -> None:
    assert isinstance(dataset, Divided)
    batches = dataset.batches("validation", batch=4)
    pixels, labels = read(batches)
    own = dataset.parts["validation"]
    height, width, channels = (dataset.task.height, dataset.task.width, dataset.task.channels)
    assert len(batches) == -(-dataset.sizes["validation"] // 4)
    np.testing.assert_array_equal(labels, own.labels)
    raw = own.read(np.arange(len(own)), (height, width), None)
    assert raw.shape == (len(own), height, width, channels)
    np.testing.assert_allclose(pixels, (raw / 255 - dataset.mean) / dataset.deviation, atol=2e-6)


def test_shuffled_epochs_leave_out_the_last_batch_unless_it_is_the_only_one(
    dataset: Dataset,
) -> None:
    assert dataset.sizes["train"] == 30
    lengths = [len(y) for _, y in dataset.batches("train", batch=8, shuffle=True)]
    assert lengths == [8, 8, 8]
    lengths = [len(y) for _, y in dataset.batches("train", batch=64, shuffle=True)]
    assert lengths == [30]
    lengths = [len(y) for _, y in dataset.batches("train", batch=8)]
    assert lengths == [8, 8, 8, 6]


def test_shuffling_changes_the_order_alone(dataset: Dataset) -> None:
    def sums(shuffle: bool) -> np.ndarray:
        return read(dataset.batches("train", batch=15, shuffle=shuffle))[0].sum(axis=(1, 2, 3))

    assert (sums(True) != sums(False)).any()
    np.testing.assert_array_equal(np.sort(sums(True)), np.sort(sums(False)))


@pytest.mark.parametrize("augment", [False, True])
def test_a_larger_network_gets_larger_images(dataset: Dataset, augment: bool) -> None:
    size = (dataset.task.height + 6, dataset.task.width + 4)
    for pixels, _ in dataset.batches("train", batch=16, augment=augment, size=size):
        assert pixels.shape[1:] == (*size, 3)
        assert 0.7 < np.std(pixels) < 1.3


@pytest.mark.parametrize("kind", KINDS)
def test_keras_trains_and_evaluates_on_batches(
    garments: Images, monkeypatch: pytest.MonkeyPatch, kind: Any
) -> None:
    keras = import_keras()
    monkeypatch.setattr(module, "as_batches", kind)
    own = in_memory("garments", dict.fromkeys(("train", "validation", "test"), garments))
    layers = [keras.layers.Flatten(), keras.layers.Dense(3, kernel_initializer="zeros")]
    model = keras.Sequential([keras.Input((28, 28, 1)), *layers])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"], jit_compile=False)
    for epoch in range(6):
        batches = own.batches("train", batch=10, epoch=epoch, shuffle=True)
        model.fit(batches, shuffle=False, verbose=0)
    told = model.evaluate(own.batches("test", batch=25), verbose=0, return_dict=True)
    assert told["accuracy"] > 0.8


def test_an_image_damaged_after_the_start_is_named(coloured: Images, tmp_path: Path) -> None:
    folder = class_folder(tmp_path / "garments", coloured, ".jpg", scale=3)
    own = open_dataset(folder)
    for path in folder.rglob("*.jpg"):
        path.write_bytes(path.read_bytes()[:300])
    named = rf"{tmp_path}.*\.jpg: cannot be decoded as JPEG or PNG"
    with pytest.raises(DataError, match=named), data_errors():
        list(own.batches("train", batch=10))


def test_other_errors_pass_through() -> None:
    with pytest.raises(ValueError, match="another"), data_errors():
        raise ValueError("another")
    with pytest.raises(DataError, match=r"^ours$"), data_errors():
        raise DataError("ours")


def test_data_of_past_epochs_are_let_go(coloured: Images) -> None:
    import gc
    import weakref

    pictures = Images(coloured.pixels.copy(), coloured.labels)
    gone = weakref.ref(pictures)
    own = in_memory("garments", dict.fromkeys(("train", "validation", "test"), pictures))
    for epoch in range(2):
        list(own.batches("train", batch=30, epoch=epoch))
    del own, pictures
    gc.collect()
    assert gone() is None
