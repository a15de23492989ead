"""Files of images in every layout that is read, made of images given."""

from __future__ import annotations

import gzip
import io
import struct
from pathlib import Path

import numpy as np
from PIL import Image

from nahas.children.data import Images

FINE = {"quality": 95, "subsampling": 0}
"""Of a JPEG: garments blended in colours have edges of colour alone."""


def class_folder(folder: Path, images: Images, suffix: str = ".png", scale: int = 1) -> Path:
    """A folder for each class, named by a letter, of images that are enlarged `scale` times."""
    for number, (pixels, label) in enumerate(zip(images.pixels, images.labels, strict=True)):
        own = folder / "abc"[label]
        own.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(pixels.squeeze())
        image = image.resize((image.width * scale, image.height * scale))
        image.save(own / f"{number:03}{suffix}", **FINE)
    return folder


def jpeg(pixels: np.ndarray) -> bytes:
    """The bytes of one image as a JPEG file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels.squeeze()).save(buffer, "JPEG", **FINE)
    return buffer.getvalue()


def shard(path: Path, images: Images) -> Path:
    """An npz of JPEG files."""
    files = [jpeg(pixels) for pixels in images.pixels]
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        path,
        jpeg=np.frombuffer(b"".join(files), np.uint8),
        offsets=np.cumsum([0] + [len(file) for file in files]).astype(np.uint32),
        label=images.labels.astype(np.uint8),
        classes=np.array(["shirt", "trouser", "pullover"]),
    )
    return path


def idx(folder: Path, stem: str, images: Images) -> Path:
    """The two IDX files of a part."""
    folder.mkdir(parents=True, exist_ok=True)
    count, height, width, _ = images.pixels.shape
    pixels = struct.pack(">4I", 0x803, count, height, width) + images.pixels.tobytes()
    labels = struct.pack(">2I", 0x801, count) + images.labels.astype(np.uint8).tobytes()
    (folder / f"{stem}-images-idx3-ubyte.gz").write_bytes(gzip.compress(pixels))
    (folder / f"{stem}-labels-idx1-ubyte").write_bytes(labels)
    return folder


def records(path: Path, images: Images, *, first_label: int = 0) -> Path:
    """A TFRecord file of JPEG files."""
    import tensorflow as tf

    def feature(pixels: np.ndarray, label: int) -> dict[str, object]:
        encoded = tf.train.BytesList(value=[jpeg(pixels)])
        return {
            "image/encoded": tf.train.Feature(bytes_list=encoded),
            "image/class/label": tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
        }

    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for pixels, label in zip(images.pixels, images.labels.tolist(), strict=True):
            features = tf.train.Features(feature=feature(pixels, label + first_label))
            writer.write(tf.train.Example(features=features).SerializeToString())
    return path
