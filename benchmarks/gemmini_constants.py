"""Fits the seven constants of `nahas validate --rtl` that no document gives, on some layers.

The layers are `LAYERS` of those in the file, drawn with `SEED`. The error is the mean of
|log(predicted / simulated)|, each capped at `CAP`, so that no row that began with cold caches
rules. Prints the calibrated constants and the layers that nahas/data/gemmini.yaml holds.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from nahas.trust.gemmini import read_rtl
from nahas.trust.gemmini_program import (
    CALIBRATED,
    cycles_of,
    load_constants,
    program_of,
    shape_of,
)

LAYERS, SEED, CAP, ROUNDS = 12, 0, 1.0, 4
STARTS = (
    (250, 126, 1.5, 4.0, 8.0, 1.2, 0.43),
    (275, 126, 1.9, 2.7, 11.0, 4.0, 0.5),
    (275, 126, 1.2, 10.0, 8.0, 2.0, 0.43),
)


def main() -> None:
    """Fit, and print."""
    from scipy.optimize import minimize

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="the folder with firesim_train.csv")
    rows = read_rtl(parser.parse_args().folder)
    shapes = sorted({shape_of(row) for row in rows})
    order = np.random.default_rng(SEED).permutation(len(shapes))
    layers = sorted(shapes[i] for i in order[:LAYERS])
    fixed = load_constants()
    chosen = [row for row in rows if shape_of(row) in layers]
    programs = [program_of(row, fixed) for row in chosen]
    cycles = np.array([row.cycles for row in chosen])

    def error(logs: np.ndarray) -> float:
        values = fixed.values | dict(zip(CALIBRATED, np.exp(logs).tolist(), strict=True))
        constants = replace(fixed, values=values)
        predicted = np.array([cycles_of(program, constants) for program in programs])
        return float(np.minimum(np.abs(np.log(predicted / cycles)), CAP).mean())

    best = None
    for start in STARTS:
        point = np.log(start)
        for _ in range(ROUNDS):
            found = minimize(error, point, method="Nelder-Mead", options={"adaptive": True})
            point = found.x
        if best is None or found.fun < best.fun:
            best = found
    for name, value in zip(CALIBRATED, np.exp(best.x), strict=True):
        print(f"  {name}: {value:.3g}")
    print(f"{len(chosen)} rows, error {best.fun:.4f}")
    print("calibration_layers:")
    print("\n".join(f"  - {layer}" for layer in layers))


if __name__ == "__main__":
    main()
