"""How many lengths may a Gaussian process have that learns from few measured networks?

Networks of NAS-Bench-Macro and of Accel-NASBench, drawn anew several times: a process with one
length for all features, one for each kind of feature, or one for each feature is fitted on some
and asked about others. `left out` is what each network is predicted to be from all others that
were fitted on, which is all that a user's own table can tell; `new` is the truth. A deviation is
right where errors are one of it (root mean square). `--save` writes
results/surrogate_lengths.json.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.accuracy.features import LinkFeatures
from nahas.accuracy.fit import compare
from nahas.accuracy.fit_table import SPREAD, STEPS
from nahas.accuracy.gaussian import Floats, Process, condition, covariance, left_out, likeliest
from nahas.accuracy.measurements import read_measurements
from nahas.accuracy.table import load_table
from nahas.files import json_text, write_text
from nahas.spaces.named import named
from nahas.spaces.space import ChoiceArray

RESULTS = Path(__file__).parent / "results" / "surrogate_lengths.json"
ROW = "{:<8} {:>8} {:<9} {:>12} {:>9} {:>12} {:>9} {:>12}"
NEW = 800


def main() -> None:
    """Print a row for each space, size and number of lengths."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--macro", type=Path, help="nas-bench-macro_cifar10.json")
    parser.add_argument("--accel", type=Path, help="folder of Accel-NASBench")
    parser.add_argument("--sizes", type=int, nargs="+", default=[60, 120, 240])
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--save", action="store_true")
    asked = parser.parse_args()
    head = ("space", "networks", "lengths", "tau left out", "tau new", "rms left out", "rms new")
    print(ROW.format(*head, "RMSE new, pp"))
    rows = []
    for space, choices, accuracy in measured(asked.macro, asked.accel):
        for size in asked.sizes:
            for row in compared(space, choices, accuracy, size, asked.draws):
                rows.append(row)
                print(
                    ROW.format(
                        *(v if isinstance(v, str | int) else f"{v:.3f}" for v in row.values())
                    )
                )
    if asked.save:
        write_text(RESULTS, json_text({"draws": asked.draws, "new": NEW, "rows": rows}))


def measured(macro: Path | None, accel: Path | None) -> Iterator[tuple[str, ChoiceArray, Floats]]:
    """Networks of each space that there are data of, and their accuracies."""
    if macro:
        choices = np.array(list(np.ndindex(*[3] * 8)))
        yield "macro", choices, load_table(macro).accuracy(choices)
    if accel:
        found = read_measurements(accel)
        yield "mnasnet", found.choices, found.accuracy


def compared(
    name: str, choices: ChoiceArray, accuracy: Floats, size: int, draws: int
) -> Iterator[dict[str, Any]]:
    """A row for each number of lengths: means over draws."""
    features = LinkFeatures(named(name))
    raw, kinds = features(choices), features.kinds
    ways = {"one": kinds * 0, "per kind": kinds, "each": np.arange(len(kinds))}
    told: dict[str, list[list[float]]] = {way: [] for way in ways}
    for draw in range(draws):
        rows = np.random.default_rng(draw).permutation(len(raw))[: size + NEW]
        for way, of_way in ways.items():
            told[way].append(asked_about(raw[rows], accuracy[rows], size, of_way))
    for way, found in told.items():
        mean = np.mean(found, axis=0).tolist()
        names = ("tau_left_out", "tau_new", "rms_left_out", "rms_new", "rmse_new_pp")
        yield {
            "space": name,
            "networks": size,
            "lengths": way,
            **dict(zip(names, mean, strict=True)),
        }


def asked_about(raw: Floats, accuracy: Floats, size: int, kinds: NDArray[np.int64]) -> list[float]:
    """Kendall's tau and deviations of networks left out and new, and the error of the new."""
    centre, spread = raw[:size].mean(axis=0), np.maximum(raw[:size].std(axis=0), SPREAD)
    inputs, targets = (raw - centre) / spread, accuracy - accuracy[:size].mean()
    width, deviation = raw.shape[1], float(targets[:size].std())
    start = Process(np.full(width, 0.5 / np.sqrt(width)), deviation, deviation / 3.0)
    known, new = inputs[:size], inputs[size:]
    process = likeliest(known, targets[:size], start, STEPS, kinds)
    out, out_deviation = left_out(process, known, targets[:size])
    near = covariance(new * process.scales, known * process.scales, process.amplitude)
    predicted = near @ condition(process, known, targets[:size])
    noisy = covariance(known * process.scales, known * process.scales, process.amplitude)
    noisy[np.diag_indices_from(noisy)] += process.noise**2
    explained = (np.linalg.solve(noisy, near.T).T * near).sum(axis=1)
    new_deviation = np.sqrt(process.amplitude**2 - explained + process.noise**2)
    errors = compare(predicted, targets[size:])
    return [
        compare(out, targets[:size])["kendall"],
        errors["kendall"],
        _rms((out - targets[:size]) / out_deviation),
        _rms((predicted - targets[size:]) / new_deviation),
        errors["rmse_pp"],
    ]


def _rms(units: Floats) -> float:
    return float(np.sqrt((units**2).mean()))


if __name__ == "__main__":
    main()
