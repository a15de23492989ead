from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nahas.children.data import Divided, Images, named, open_dataset
from nahas.children.data.images import Files
from nahas.children.quiet import import_keras
from nahas.errors import DataError
from nahas.spaces.task import Task
from tests.children.data.writing import class_folder, idx, records, shard

HALF = {"validation": 0.25, "seed": 3}


def opened(name: str | Path, **how: Any) -> Divided:
    found = open_dataset(name, **how)
    assert isinstance(found, Divided)
    return found


def all_pixels(dataset: Divided) -> np.ndarray:
    size = (dataset.task.height, dataset.task.width)
    return np.concatenate(
        [own.read(np.arange(len(own)), size, None) for own in dataset.parts.values()]
    )


def sums(pixels: np.ndarray) -> list[int]:
    return sorted(pixels.reshape(len(pixels), -1).sum(axis=1, dtype=np.int64).tolist())


def test_fashion_mnist_is_what_debian_installed(fashion: Images) -> None:
    found = opened("fashion-mnist", validation=0.1)
    assert found.sizes == {"train": 54_000, "validation": 6_000, "test": 10_000}
    assert found.task == Task(height=28, width=28, channels=1, classes=10)
    assert found.classes[7] == "sneaker"
    # Of all 60,000 training images: 0.2860 and 0.3530, as is commonly told.
    assert found.mean[0] == pytest.approx(0.2860, abs=1e-3)
    assert found.deviation[0] == pytest.approx(0.3530, abs=1e-3)
    for part in ("train", "validation"):
        labels = found.parts[part].labels
        assert np.bincount(labels).tolist() == [found.sizes[part] // 10] * 10


def test_a_limit_is_a_share_of_the_same_parts(fashion: Images) -> None:
    found = opened("fashion-mnist", limit=1000)
    assert found.sizes == {"train": 900, "validation": 100, "test": 1000}
    assert np.bincount(found.parts["validation"].labels).tolist() == [10] * 10
    whole = opened("fashion-mnist")
    np.testing.assert_array_equal(
        found.parts["train"].pixels,  # type: ignore[attr-defined]
        whole.parts["train"].pixels[:900],  # type: ignore[attr-defined]
    )


def test_idx_files_of_any_folder(garments: Images, tmp_path: Path) -> None:
    idx(idx(tmp_path / "own", "train", garments), "t10k", garments[np.arange(0, 60, 4)])
    found = opened(tmp_path / "own", **HALF)
    assert found.sizes == {"train": 45, "validation": 15, "test": 15}
    assert (found.name, found.classes) == ("own", ("0", "1", "2"))


@pytest.mark.parametrize("fourth", [False, True])
def test_an_npz_as_keras_has_it(coloured: Images, tmp_path: Path, fourth: bool) -> None:
    path = tmp_path / "own.npz"
    pixels = coloured.pixels
    if fourth:  # transparency, which is left out
        pixels = np.concatenate([pixels, pixels[..., :1]], axis=-1)
    labels = coloured.labels[:, None].astype(np.uint8)
    np.savez(path, x_train=pixels, y_train=labels, x_test=pixels[:12], y_test=labels[:12])
    found = opened(path, **HALF)
    assert found.sizes == {"train": 45, "validation": 15, "test": 12}
    assert found.task == Task(height=28, width=28, channels=3, classes=3)
    assert sums(all_pixels(found)) == sums(np.concatenate([coloured.pixels, coloured.pixels[:12]]))


def test_an_npz_of_pixels_and_labels_is_divided_in_three(garments: Images, tmp_path: Path) -> None:
    path = tmp_path / "own.npz"
    classes = np.array(["shirt", "trouser", "pullover", "never seen"])
    np.savez(path, pixels=garments.pixels[..., 0], labels=garments.labels, classes=classes)
    found = opened(path, **HALF)
    assert found.sizes == {"train": 30, "validation": 15, "test": 15}
    assert found.classes == tuple(classes)
    assert found.task == Task(height=28, width=28, channels=1, classes=4)
    assert sums(all_pixels(found)) == sums(garments.pixels)


def test_shards_of_jpeg_files(coloured: Images, tmp_path: Path) -> None:
    shard(tmp_path / "own" / "train_0.npz", coloured[np.arange(0, 60, 2)])
    shard(tmp_path / "own" / "train_1.npz", coloured[np.arange(1, 60, 2)])
    shard(tmp_path / "own" / "test.npz", coloured[np.arange(0, 60, 4)])
    found = opened(tmp_path / "own", **HALF)
    assert found.sizes == {"train": 45, "validation": 15, "test": 15}
    assert found.classes == ("shirt", "trouser", "pullover")
    back = all_pixels(found)[:60].mean(axis=(1, 2, 3))
    np.testing.assert_allclose(
        np.sort(back), np.sort(coloured.pixels.mean(axis=(1, 2, 3))), atol=1.0
    )


def test_cifar10_of_the_reference_data(shared: Path) -> None:
    folder = shared / "data" / "cifar10"
    if not folder.is_dir():
        pytest.skip(f"no CIFAR-10 at {folder}")
    found = opened(folder, limit=500)
    assert found.sizes == {"train": 450, "validation": 50, "test": 500}
    assert found.task == Task(height=32, width=32, channels=3, classes=10)
    assert found.classes == named.CIFAR10_CLASSES
    # The mean of CIFAR-10 is commonly told as (.4914, .4822, .4465).
    np.testing.assert_allclose(found.mean, (0.4914, 0.4822, 0.4465), atol=0.02)


@pytest.mark.parametrize(("suffix", "off"), [(".png", 0), (".jpg", 12), (".jpeg", 12)])
def test_folders_of_classes(coloured: Images, tmp_path: Path, suffix: str, off: int) -> None:
    folder = class_folder(tmp_path / "own", coloured, suffix)
    (folder / "README.md").write_text("Beside the folders of classes, anything may lie.")
    (folder / "a" / ".thumbnails").write_text("and what is hidden")
    found = opened(folder, **HALF)
    assert found.sizes == {"train": 30, "validation": 15, "test": 15}
    assert found.classes == ("a", "b", "c")
    back = all_pixels(found).mean(axis=(1, 2, 3))
    original = coloured.pixels.mean(axis=(1, 2, 3))
    np.testing.assert_allclose(np.sort(back), np.sort(original), atol=off / 10)


@pytest.mark.parametrize("third", ["test", None])
def test_folders_of_parts(coloured: Images, tmp_path: Path, third: str | None) -> None:
    folder = tmp_path / "own"
    class_folder(folder / "train", coloured)
    class_folder(folder / "val", coloured[np.arange(0, 60, 3)])
    if third:
        class_folder(folder / third, coloured[np.arange(0, 60, 6)])
        expected = {"train": 60, "validation": 20, "test": 10}
    else:  # accuracy is told of the images that nothing was chosen by
        expected = {"train": 45, "validation": 15, "test": 20}
    assert opened(folder, **HALF).sizes == expected


def test_large_images_are_decoded_when_they_are_read(coloured: Images, tmp_path: Path) -> None:
    folder = class_folder(tmp_path / "own", coloured, ".jpg", scale=4)
    found = opened(folder, image_size=96, **HALF)
    assert isinstance(found.parts["train"], Files)
    assert found.task == Task(height=96, width=96, channels=3, classes=3)
    pixels, _ = next(iter(found.batches("train", batch=30)))
    np.testing.assert_allclose(np.mean(pixels, axis=(0, 1, 2)), 0, atol=1e-4)
    np.testing.assert_allclose(np.std(pixels, axis=(0, 1, 2)), 1, atol=1e-3)


def test_images_of_differing_sizes_are_resized(coloured: Images, tmp_path: Path) -> None:
    folder = class_folder(tmp_path / "own", coloured)
    Image.new("RGB", (40, 80), "red").save(folder / "a" / "tall.png")
    with pytest.raises(
        DataError, match=r"have? .*000\.png has 28 x 28 pixels.*|differ.*image_size"
    ):
        opened(folder, **HALF)
    found = opened(folder, image_size=14, **HALF)
    assert found.task == Task(height=14, width=14, channels=3, classes=3)
    assert isinstance(found.parts["train"], Images)


def test_grey_and_transparent_images_beside_coloured_ones(
    coloured: Images, garments: Images, tmp_path: Path
) -> None:
    folder = class_folder(tmp_path / "own", garments)
    assert opened(folder, **HALF).task.channels == 1
    clear = Image.fromarray(coloured.pixels[0])
    clear.putalpha(7)
    clear.save(folder / "a" / "clear.png")
    found = opened(folder, **HALF)
    assert found.task.channels == 3
    assert sums(np.repeat(garments.pixels, 3, axis=-1)) != sums(all_pixels(found))
    assert set(sums(all_pixels(found))) == {
        *sums(np.repeat(garments.pixels, 3, axis=-1)),
        *sums(coloured.pixels[:1]),
    }


@pytest.mark.parametrize("first_label", [0, 1])
def test_tfrecords_in_the_layout_of_imagenet(
    coloured: Images, tmp_path: Path, first_label: int
) -> None:
    folder = tmp_path / "own"
    for number in range(2):
        rows = np.arange(number, 60, 2)
        path = folder / f"train-{number:05}-of-00002"
        records(path, coloured[rows], first_label=first_label)
    test = coloured[np.arange(0, 60, 4)]
    records(folder / "validation-00000-of-00001", test, first_label=first_label)
    found = opened(folder, **HALF)
    assert found.sizes == {"train": 45, "validation": 15, "test": 15}
    assert np.bincount(found.parts["train"].labels).tolist() == [15, 15, 15]
    assert found.task == Task(height=28, width=28, channels=3, classes=3)
    back = all_pixels(found)[:60].mean(axis=(1, 2, 3))
    np.testing.assert_allclose(
        np.sort(back), np.sort(coloured.pixels.mean(axis=(1, 2, 3))), atol=1.0
    )


@pytest.mark.parametrize(("name", "channels"), [("cifar10", 3), ("cifar100", 3)])
def test_data_sets_that_keras_loads(
    coloured: Images, monkeypatch: pytest.MonkeyPatch, name: str, channels: int
) -> None:
    labels = coloured.labels[:, None]
    loader = getattr(import_keras().datasets, name)
    loaded = (coloured.pixels, labels), (coloured.pixels, labels)
    monkeypatch.setattr(loader, "load_data", lambda: loaded)
    found = opened(name, **HALF)
    assert (found.name, found.task.channels) == (name, channels)
    assert found.sizes == {"train": 45, "validation": 15, "test": 60}


def test_fashion_mnist_is_loaded_by_keras_where_debian_is_not(
    garments: Images, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    loaded = (garments.pixels[..., 0], garments.labels), (garments.pixels[..., 0], garments.labels)
    monkeypatch.setattr(named, "FASHION_MNIST", tmp_path / "absent")
    monkeypatch.setattr(import_keras().datasets.fashion_mnist, "load_data", lambda: loaded)
    assert opened("fashion-mnist", **HALF).task.channels == 1
