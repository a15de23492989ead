"""How well shared weights rank networks that were trained alone.

python benchmarks/one_shot_rank.py --space s1 --supernet FILE.npz --data cifar10 --table FILE.csv
    [--picture FILE.png]

The table has the columns of `nahas train-child --table`. Prints Kendall's and Spearman's
correlation, each with the 95 % interval of 2,000 bootstrap samples of the networks.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from nahas.accuracy.oneshot import OneShotAccuracy
from nahas.children.data import open_dataset
from nahas.spaces.named import named

SAMPLES = 2000


def measured(path: Path) -> dict[str, float]:
    """Mean accuracy by network, of the rows that have one."""
    rows: dict[str, list[float]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if not row["reason"]:
                rows.setdefault(row["network"], []).append(float(row["accuracy_percent"]))
    return {name: float(np.mean(values)) for name, values in rows.items()}


def interval(alone: NDArray[np.float64], shared: NDArray[np.float64], of: str) -> str:
    """A correlation and its bootstrap interval."""
    measure = getattr(stats, of)
    rng = np.random.default_rng(0)
    draws = []
    for rows in rng.integers(0, len(alone), (SAMPLES, len(alone))):
        if np.ptp(alone[rows]) and np.ptp(shared[rows]):
            draws.append(measure(alone[rows], shared[rows]).statistic)
    low, high = np.quantile(draws, (0.025, 0.975))
    return f"{measure(alone, shared).statistic:.3f} ({low:.3f} to {high:.3f})"


def main() -> None:
    """Measure, print and draw."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--space", default="s1")
    parser.add_argument("--supernet", type=Path, required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--picture", type=Path)
    given = parser.parse_args()
    space, table = named(given.space), measured(given.table)
    backend = OneShotAccuracy(space, given.supernet, open_dataset(given.data))
    choices = np.array([space.choice_named(name) for name in table])
    alone, shared = np.array(list(table.values())), backend.accuracy(choices)
    print(f"{len(table)} networks; {backend.label}: {shared.min():.2f} to {shared.max():.2f}")
    print(f"trained alone: {alone.min():.2f} to {alone.max():.2f}")
    print(f"Kendall {interval(alone, shared, 'kendalltau')}")
    print(f"Spearman {interval(alone, shared, 'spearmanr')}")
    if given.picture:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(5, 4), layout="constrained")
        axes = figure.subplots()
        axes.scatter(alone, shared, s=14)
        axes.set_xlabel("trained alone, top-1 %")
        axes.set_ylabel(backend.label)
        figure.savefig(given.picture)


if __name__ == "__main__":
    main()
