"""How well one accuracy of networks ranks them as another does; docs/oneshot.md quotes it.

    python benchmarks/ranks.py FIRST SECOND [--space macro] [--data cifar10] [--networks 30]
        [--save FILE.csv] [--picture FILE.png]

FIRST and SECOND are a table of `nahas train-child --table` or of `--save`, the published
NAS-Bench-Macro as JSON, or a supernet of `nahas train-supernet` with the images that it learned.
Networks are those of the tables, the first of them where fewer are asked for; where neither is a
table, they are drawn at random with seed 0. Prints Kendall's and Spearman's correlation, each with
the 95 % interval of 2,000 bootstrap samples of the networks. `--save` keeps what FIRST says.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from nahas.accuracy.measured import Measured, TableCard, append_measured, read_measured
from nahas.accuracy.oneshot import OneShotAccuracy
from nahas.accuracy.table import load_table
from nahas.children.data import open_dataset
from nahas.files import written_whole
from nahas.manifest import versions
from nahas.spaces.named import named
from nahas.spaces.networks import NetworkSpace

SAMPLES = 2000
EDGES = (0.025, 0.975)
DRAWN = 30
VALIDATION_IMAGES = 5000

Accuracies = Mapping[str, float]


class Accuracy:
    """What a file says of networks."""

    def __init__(self, path: Path, space: NetworkSpace, data: str | None) -> None:
        self.known: Accuracies | None = None
        self.backend = None
        if path.suffix == ".csv":
            table = read_measured(path)
            self.label, self.known = table.accuracy, table.mean()
        elif path.suffix == ".json":
            self.backend = load_table(path)
        elif data is None:
            raise SystemExit(f"{path} is measured on images: name them with --data")
        else:
            images = open_dataset(data)
            self.backend = OneShotAccuracy(space, path, images, images=VALIDATION_IMAGES)
        if self.backend is not None:
            self.label = self.backend.label
        self._space = space

    def of(self, networks: Sequence[str]) -> NDArray[np.float64]:
        """Percent of each network."""
        if self.known is not None:
            return np.array([self.known[name] for name in networks])
        assert self.backend is not None
        choices = np.array([self._space.choice_named(name) for name in networks])
        return self.backend.accuracy(choices)


def common(space: NetworkSpace, sources: Sequence[Accuracy], count: int | None) -> list[str]:
    """Names of the networks that all sources know."""
    tables = [source.known for source in sources if source.known is not None]
    if tables:
        both = [name for name in tables[0] if all(name in table for table in tables)]
        return both[:count]
    drawn = space.space.sample(count or DRAWN, np.random.default_rng(0))
    return list(dict.fromkeys(space.network_name(space.space.values(row)) for row in drawn))


def interval(first: NDArray[np.float64], second: NDArray[np.float64], of: str) -> str:
    """A correlation and its bootstrap interval."""
    measure = getattr(stats, of)
    rng = np.random.default_rng(0)
    draws = []
    for rows in rng.integers(0, len(first), (SAMPLES, len(first))):
        if np.ptp(first[rows]) and np.ptp(second[rows]):
            draws.append(measure(first[rows], second[rows]).statistic)
    low, high = np.quantile(draws, EDGES)
    return f"{measure(first, second).statistic:.3f} ({low:.3f} to {high:.3f})"


def save(path: Path, space: NetworkSpace, label: str, accuracies: Accuracies) -> None:
    """Keep accuracies as a table."""
    card = TableCard(
        space=space.name,
        accuracy=label,
        command=shlex.join(["python", *sys.argv]),
        versions=versions(),
    )
    rows = [Measured(network=name, accuracy_percent=value) for name, value in accuracies.items()]
    append_measured(path, card, rows)


def draw(path: Path, labels: Sequence[str], values: Sequence[NDArray[np.float64]]) -> None:
    """Each network as a point."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 4), layout="constrained")
    axes = figure.subplots()
    axes.scatter(values[1], values[0], s=12)
    axes.set_ylabel(labels[0], fontsize=8)
    axes.set_xlabel(labels[1], fontsize=8)
    with written_whole(path) as temporary:
        figure.savefig(temporary, format="png", dpi=130, metadata={"Software": None})


def main() -> None:
    """Measure, print, keep and draw."""
    parser = argparse.ArgumentParser()
    parser.add_argument("first", type=Path)
    parser.add_argument("second", type=Path)
    parser.add_argument("--space", default="macro")
    parser.add_argument("--data")
    parser.add_argument("--networks", type=int)
    parser.add_argument("--save", type=Path)
    parser.add_argument("--picture", type=Path)
    given = parser.parse_args()
    space = named(given.space)
    sources = [Accuracy(path, space, given.data) for path in (given.first, given.second)]
    networks = common(space, sources, given.networks)
    first, second = (source.of(networks) for source in sources)
    print(f"{len(networks)} networks of {space.name}")
    for source, values in zip(sources, (first, second), strict=True):
        print(f"  {values.min():.2f} to {values.max():.2f}: {source.label}")
    print(f"Kendall  {interval(first, second, 'kendalltau')}")
    print(f"Spearman {interval(first, second, 'spearmanr')}")
    if given.save:
        save(given.save, space, sources[0].label, dict(zip(networks, first, strict=True)))
    if given.picture:
        draw(given.picture, [source.label for source in sources], (first, second))


if __name__ == "__main__":
    main()
