"""A small world whose accuracies follow a known law, written as the benchmark's files are."""

import csv
import gzip
import json

import numpy as np
import pytest

from nahas.accuracy.stages import features
from nahas.spaces.mnasnet import network_space

NOISE = 0.3
SIZES = {"train": 360, "val": 60, "test": 60}


def law(choices):
    """An accuracy [B] that grows with the size of a network and bends at its stages."""
    columns = features(choices)
    size, depth = columns[:, 57], columns[:, 59]
    return 60.0 + 4.0 * (size - 19.5) + 3.0 * (depth - 2.5) + 1.5 * np.sin(3.0 * columns[:, 46])


def written(folder, rows, header, splits):
    folder.mkdir(parents=True, exist_ok=True)
    with gzip.open(folder / "measured.csv.gz", "wt", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([header, *rows])
    (folder / "splits.json").write_text(json.dumps(splits))
    return folder


@pytest.fixture(scope="session")
def space():
    return network_space().space


@pytest.fixture(scope="session")
def world(tmp_path_factory, space):
    """A folder of measurements of the law, with noise of `NOISE`."""
    rng = np.random.default_rng(7)
    choices = space.sample(sum(SIZES.values()), rng)
    accuracy = law(choices) + rng.normal(0.0, NOISE, len(choices))
    names = [decision.name for decision in space.decisions]
    rows = [
        [10 * i, *space.values(choice).values(), top1]
        for i, (choice, top1) in enumerate(zip(choices, accuracy, strict=True))
    ]
    ids = iter(range(0, 10 * len(rows), 10))
    splits = {part: [next(ids) for _ in range(size)] for part, size in SIZES.items()}
    splits["test"].append(123_457)  # upstream's test ids are not all in the table
    folder = tmp_path_factory.mktemp("world")
    return written(folder, rows, ["id", *names, "val_top1"], splits)
