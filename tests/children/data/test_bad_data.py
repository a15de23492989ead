"""What is wrong with data is told in one sentence, with the file, before training starts."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nahas.children.data import Images, in_memory, named, open_dataset
from nahas.children.quiet import import_keras
from nahas.errors import DataError
from tests.children.data.writing import class_folder, idx, records, shard


def refused(path: str | Path, sentence: str, **how: Any) -> None:
    with pytest.raises(DataError, match=sentence) as caught:
        open_dataset(path, **how)
    assert "\n" not in str(caught.value)


def test_an_unknown_name_is_told_with_the_nearest() -> None:
    refused("cifar-10", "no data set, file or folder 'cifar-10'; did you mean 'cifar10'")
    refused("nowhere/else", "no data set, file or folder 'nowhere/else'.*cifar10, cifar100, fash")


def test_a_file_that_is_no_npz(tmp_path: Path) -> None:
    (tmp_path / "own.txt").write_text("images")
    refused(tmp_path / "own.txt", r"own\.txt: is no npz")


@pytest.mark.parametrize("name", ["cifar10", "fashion-mnist"])
def test_no_network_and_nothing_in_the_cache(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail() -> None:
        raise Exception("URL fetch failure on https://there: None -- unreachable")

    monkeypatch.setattr(named, "FASHION_MNIST", tmp_path / "absent")
    monkeypatch.setattr(getattr(import_keras().datasets, name.replace("-", "_")), "load_data", fail)
    instead = "path of an npz" if name == "cifar10" else "package dataset-fashion-mnist"
    refused(name, f"{name}: .*cannot be downloaded.*unreachable.*no network.*{instead}")


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("seed", -1, "seed is -1"),
        ("validation", 0.0, "validation is 0.0, but it must lie between 0 and 0.5"),
        ("validation", 0.5, "validation is 0.5"),
        ("limit", 1, "limit is 1"),
        ("image_size", 0, "image_size is 0"),
        ("image_size", 1, "garments: images of 1 x 1 pixels are smaller than the last feature map"),
        (
            "least_map",
            29,
            "garments: images of 28 x 28 .*at least 29 x 29.*image_size .--image-size",
        ),
        ("limit", 4, "garments: no image is left for the validation part.*limit 4"),
        ("validation", 0.001, "garments: no image is left for the validation part.*is 0.001"),
    ],
)
def test_what_is_asked_for_must_make_sense(
    class_folders: Path, field: str, value: Any, sentence: str
) -> None:
    refused(class_folders, sentence, **{field: value})


def test_an_empty_folder(tmp_path: Path) -> None:
    refused(tmp_path, "has no folders of classes, but there must be at least 2")


def test_one_class_alone(class_folders: Path) -> None:
    shutil.rmtree(class_folders / "b")
    shutil.rmtree(class_folders / "c")
    refused(class_folders, "garments: has 1 folder of a class, but")


def test_a_class_without_images(class_folders: Path) -> None:
    (class_folders / "d").mkdir()
    refused(class_folders, "the class 'd' has no images")


def test_a_file_among_images_that_is_none(class_folders: Path) -> None:
    (class_folders / "b" / "notes.txt").write_text("notes")
    refused(class_folders, r"b/notes\.txt: is no JPEG or PNG image: take it out")


def test_parts_of_different_classes(tmp_path: Path, coloured: Images) -> None:
    class_folder(tmp_path / "own" / "train", coloured)
    class_folder(tmp_path / "own" / "test", coloured)
    (tmp_path / "own" / "test" / "c").rename(tmp_path / "own" / "test" / "z")
    refused(tmp_path / "own", "only one of train and test has the class 'c'")


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def garbled(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[:20] = bytes(range(20))
    path.write_bytes(content)


def with_16_bits(path: Path) -> None:
    Image.fromarray(np.arange(784, dtype=np.uint16).reshape(28, 28)).save(path, "PNG")


@pytest.mark.parametrize("scale", [1, 4])
@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize("damage", [cut_off, emptied, garbled, with_16_bits])
def test_a_damaged_image_is_named(
    tmp_path: Path, coloured: Images, damage: Callable[[Path], None], suffix: str, scale: int
) -> None:
    folder = class_folder(tmp_path / "own", coloured, suffix, scale)
    damage(folder / "b" / f"025{suffix}")
    refused(folder, rf"own/b/025{suffix}: cannot be decoded as JPEG or PNG \(.+\): mend it")


def test_a_small_image_damaged_inside_is_named(tmp_path: Path, coloured: Images) -> None:
    folder = class_folder(tmp_path / "own", coloured)
    path = folder / "b" / "025.png"
    content = path.read_bytes()
    middle = content.index(b"IDAT") + 10
    path.write_bytes(content[:middle] + bytes(40) + content[middle + 40 :])
    refused(folder, r"own/b/025\.png: cannot be decoded")


def npz(path: Path, images: Images, **changes: Any) -> Path:
    arrays = {"pixels": images.pixels, "labels": images.labels} | changes
    np.savez(path, **{name: value for name, value in arrays.items() if value is not None})
    return path


LABELS = np.repeat([0, 1, 2], 20)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"labels": None}, "has no array 'labels' but 'pixels'; needed are 'x_train'"),
        ({"pixels": None}, "has no array 'x_train' but 'labels'"),
        ({"labels": LABELS[:59]}, "pixels has 60 images, but labels has 59 labels"),
        ({"labels": np.eye(3)[LABELS]}, r"labels is float64 of the shape \(60, 3\)"),
        (
            {"labels": LABELS - 1},
            r"own\.npz: train: image 0 has the label -1, but labels begin at 0",
        ),
        ({"labels": LABELS * 1000}, "there is a label 2000, but only 60 images"),
        ({"labels": LABELS * 0}, "fewer|classes is 1, but it must be at least 2|of one class"),
        ({"labels": LABELS * 2}, r"own\.npz: no training image has the label 1, but others .* 4:"),
        ({"classes": np.array(["a", "b"])}, "classes has 2 names, but there is a label 2: name"),
        ({"labels": LABELS.astype(object)}, "cannot be read as an npz of plain arrays.*pickle"),
        ({"pixels": np.zeros((60, 28, 28, 2), np.uint8)}, r"the shape \(60, 28, 28, 2\), but pix"),
        ({"pixels": np.zeros((60, 28), np.uint8)}, r"the shape \(60, 28\), but pixels are"),
        ({"pixels": np.zeros((60, 28, 28))}, "pixels is float64, but pixels are uint8"),
    ],
)
def test_an_npz_must_hold_images_and_labels(
    tmp_path: Path, garments: Images, changes: dict[str, Any], sentence: str
) -> None:
    refused(npz(tmp_path / "own.npz", garments, **changes), sentence)


def test_an_npz_cut_off(tmp_path: Path, garments: Images) -> None:
    path = npz(tmp_path / "own.npz", garments)
    cut_off(path)
    refused(path, r"own\.npz: is no npz file, or one that was cut off")
    path.write_text("junk")
    refused(path, r"own\.npz: is no npz file")


def test_parts_of_an_npz_of_different_sizes(tmp_path: Path, garments: Images) -> None:
    path, (x, y) = tmp_path / "own.npz", (garments.pixels, garments.labels)
    np.savez(path, x_train=x, y_train=y, x_test=x[:, 2:], y_test=y)
    refused(
        path,
        r"sizes \(train 28 x 28, test 26 x 28\): say with image_size \(--image-size\)",
    )
    assert open_dataset(path, image_size=24).task.height == 24
    np.savez(path, x_train=x, y_train=y, x_test=x.repeat(3, axis=3), y_test=y)
    refused(path, "own: test images have 3 channels, but train images 1", image_size=24)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("offsets", "has no array 'offsets', so it is no shard"),
        ("label", "has no array 'label', so it is no shard"),
    ],
)
def test_a_shard_must_be_whole(tmp_path: Path, coloured: Images, name: str, sentence: str) -> None:
    path = shard(tmp_path / "own" / "train.npz", coloured)
    arrays = dict(np.load(path))
    np.savez(path, **{key: array for key, array in arrays.items() if key != name})
    refused(path.parent, sentence)
    np.savez(path, **arrays | {"label": arrays["label"][:-1]})
    refused(path.parent, "has 60 images, but 59 labels")


def test_a_damaged_image_of_a_shard_is_named(tmp_path: Path, coloured: Images) -> None:
    path = shard(tmp_path / "own" / "train.npz", coloured)
    arrays = dict(np.load(path))
    start = int(arrays["offsets"][17])
    arrays["jpeg"][start : start + 50] = 0
    np.savez(path, **arrays)
    refused(path.parent, r"train\.npz: image 17: cannot be decoded")


def test_shards_of_different_classes(tmp_path: Path, coloured: Images) -> None:
    shard(tmp_path / "own" / "train_0.npz", coloured)
    path = shard(tmp_path / "own" / "train_1.npz", coloured)
    np.savez(path, **dict(np.load(path)) | {"classes": np.array(["x", "y", "z"])})
    refused(tmp_path / "own", r"train_1\.npz: has other classes than .*train_0\.npz")


def test_idx_files_cut_off_or_missing(tmp_path: Path, garments: Images) -> None:
    idx(tmp_path / "own", "train", garments)
    refused(tmp_path / "own", "t10k-images-idx3-ubyte: cannot be read as an IDX file")
    idx(tmp_path / "own", "t10k", garments)
    cut_off(tmp_path / "own" / "train-images-idx3-ubyte.gz")
    refused(tmp_path / "own", r"train-images-idx3-ubyte\.gz: cannot be read as an IDX file")
    idx(tmp_path / "own", "train", garments)
    garbled(tmp_path / "own" / "train-labels-idx1-ubyte")
    refused(tmp_path / "own", "train-labels-idx1-ubyte: .*begins with 0x10203, not 0x801")


def test_tfrecords_cut_off(tmp_path: Path, coloured: Images) -> None:
    path = records(tmp_path / "own" / "train-00000-of-00001", coloured)
    cut_off(path)
    refused(path.parent, "train-00000-of-00001: the record at byte .* is cut off or damaged")
    emptied(path)
    refused(path.parent, "train-00000-of-00001: has no records")


def test_tfrecords_of_something_else(tmp_path: Path) -> None:
    import tensorflow as tf

    with tf.io.TFRecordWriter(str(tmp_path / "train.tfrecord")) as writer:
        writer.write(tf.train.Example().SerializeToString())
    refused(tmp_path, r"train\.tfrecord: record at byte 12: is no Example of an image.*class/label")


def test_arrays_in_memory_are_checked(garments: Images) -> None:
    parts = dict.fromkeys(("train", "validation", "test"), garments)
    with pytest.raises(DataError, match="own: the test part is missing or has no images"):
        in_memory("own", {part: parts[part] for part in ("train", "validation")})
    with pytest.raises(DataError, match="own: the test part is missing or has no images"):
        in_memory("own", parts | {"test": garments[np.arange(0)]})
    with pytest.raises(DataError, match="own: the parts have images of different shapes"):
        in_memory("own", parts | {"test": Images(garments.pixels[:, 1:], garments.labels)})
    with pytest.raises(DataError, match="own: all 20 images of the train part are of one class"):
        in_memory("own", parts | {"train": garments[np.arange(20)]})


def test_batches_of_no_part_or_of_no_images(garments: Images) -> None:
    own = in_memory("own", dict.fromkeys(("train", "validation", "test"), garments))
    with pytest.raises(DataError, match=r"own: has no part 'dev'.*train, validation, test"):
        own.batches("dev", batch=1)
    with pytest.raises(DataError, match="batch is 0"):
        own.batches("train", batch=0)
