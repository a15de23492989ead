"""Images per second of one core: opening a data set, and an epoch of each kind of batches.

Time is that of the process on its core, so other programs on the machine matter little.

The images are Fashion-MNIST (Debian's package dataset-fashion-mnist): as it is; three to an image
in colours at 32 x 32, as large as CIFAR's; and those enlarged to 256 x 256 as JPEG files, in a
folder of classes and in TFRecords, for a network that reads 224 x 224. Photographs have finer
detail, so their files are larger and decode more slowly. `--save` writes results/data.json.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from nahas.children.data import Dataset, Images

RESULTS = Path(__file__).parent / "results" / "data.json"
ROW = "{:<32}{:>12}{:>14}{:>14}{:>14}"
BATCH = 128


def epoch_rate(dataset: Dataset, kind: Any, rounds: int, **how: Any) -> float:
    """Images per second of the training part, in the best of some rounds."""
    from nahas.children.data import dataset as module

    module.as_batches = kind
    best = 0.0
    for epoch in range(rounds):
        start = time.process_time()
        images = sum(
            len(labels) for _, labels in dataset.batches("train", batch=BATCH, epoch=epoch, **how)
        )
        best = max(best, images / (time.process_time() - start))
    return best


def measured(name: str, path: str | Path, rounds: int, **how: Any) -> dict[str, Any]:
    """Print and return the row of one data set."""
    from nahas.children.data import open_dataset
    from nahas.children.data.batches import keras_batches, tensorflow_batches

    start = time.process_time()
    dataset = open_dataset(path, **how)
    opened = time.process_time() - start
    augmented = {"augment": True, "shuffle": True}
    row = {
        "name": name,
        "train_images": dataset.sizes["train"],
        "open_images_per_second": sum(dataset.sizes.values()) / opened,
        "plain_images_per_second": epoch_rate(dataset, tensorflow_batches, rounds),
        "tf_data_images_per_second": epoch_rate(dataset, tensorflow_batches, rounds, **augmented),
        "pydataset_images_per_second": epoch_rate(dataset, keras_batches, rounds, **augmented),
    }
    print(ROW.format(name, *(f"{value:,.0f}" for value in list(row.values())[2:])))
    return row


def coloured(images: Images, count: int, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Images in colours [N, side, side, 3], three garments of a class in each, and labels."""
    from nahas.children.data.crops import resized

    rows = np.argsort(images.labels, kind="stable")
    grey = images.pixels[rows][..., 0]
    pixels = np.stack([grey, np.roll(grey, 1, axis=0), np.roll(grey, 2, axis=0)], axis=-1)
    some = np.linspace(0, len(rows) - 1, count).astype(int)
    return resized(pixels[some], (side, side)), images.labels[rows][some]


def write_large(folder: Path, images: Images, count: int) -> None:
    """The same images as JPEG files, below `classes`, and as TFRecords, below `records`."""
    import tensorflow as tf
    from PIL import Image

    pixels, labels = coloured(images, count, 256)
    (folder / "records").mkdir()
    with tf.io.TFRecordWriter(str(folder / "records" / "train-00000-of-00001")) as writer:
        for number, (image, label) in enumerate(zip(pixels, labels.tolist(), strict=True)):
            buffer = io.BytesIO()
            Image.fromarray(image).save(buffer, "JPEG", quality=95)
            own = folder / "classes" / str(label)
            own.mkdir(parents=True, exist_ok=True)
            (own / f"{number}.jpg").write_bytes(buffer.getvalue())
            feature = {
                "image/encoded": tf.train.Feature(
                    bytes_list=tf.train.BytesList(value=[buffer.getvalue()])
                ),
                "image/class/label": tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
            }
            features = tf.train.Features(feature=feature)
            writer.write(tf.train.Example(features=features).SerializeToString())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=20_000, help="small ones; a tenth large")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--save", action="store_true")
    chosen = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    from nahas.children.data import Divided, Images, open_dataset
    from nahas.children.data.named import FASHION_MNIST
    from nahas.manifest import cpu_name

    if not FASHION_MNIST.is_dir():
        print(f"no images at {FASHION_MNIST}: apt-get install dataset-fashion-mnist")
        return
    print(f"{cpu_name()}, one core, images/s, batches of {BATCH}")
    print(ROW.format("", "open", "plain", "tf.data", "PyDataset"))
    rows = [measured("fashion-mnist 28 x 28 x 1", "fashion-mnist", chosen.rounds)]
    found = open_dataset("fashion-mnist")
    assert isinstance(found, Divided)
    train = found.parts["train"]
    assert isinstance(train, Images)
    with tempfile.TemporaryDirectory() as folder:
        pixels, labels = coloured(train, chosen.images, 32)
        path = Path(folder) / "small.npz"
        np.savez(path, pixels=pixels, labels=labels)
        rows.append(measured("npz 32 x 32 x 3", path, chosen.rounds))
        write_large(Path(folder), train, max(chosen.images // 10, 40))
        for name in ("classes", "records"):
            own = Path(folder) / name
            rows.append(measured(f"{name}, JPEG 256 to 224", own, chosen.rounds, image_size=224))
    if chosen.save:
        content = {"cpu": cpu_name(), "batch": BATCH, "rows": rows}
        RESULTS.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
