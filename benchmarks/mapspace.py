"""What the mapspace of the search leaves out, measured: its optimum beside that of a wider one.

A layer may as well run on a part of an accelerator: on fewer PEs, lanes or SIMD units than there
are, with tiles for less local memory, or with less in the register file than would fit. Every
such mapping is a mapping of the whole accelerator, at its energies, leakage and bandwidth. So the
best over all parts is the optimum of a wider mapspace: fewer instances of every axis, and more
tiles than needed. Prints for sampled pairs the ratio of the two optima, geometric mean and worst
case. `--save` writes the rows to results/mapspace.json.
"""

from __future__ import annotations

import argparse
import json
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

RESULTS = Path(__file__).parent / "results" / "mapspace.json"
ROW = "{:<36} {:>10} {:>10} {:>10}"
SHARES = (1.0, 0.5, 0.25, 0.125)
"""Of a memory that a mapping may use; fewer bytes make more and smaller tiles."""


def parts(point: np.ndarray, what: str) -> np.ndarray:
    """Parts of an accelerator, [parts, fields] of records.HARDWARE, the whole one first."""
    from nahas.kernels.records import HardwareRow

    row = HardwareRow(*point.tolist())
    ways: dict[str, list[float]] = {}
    if what in ("instances", "all"):
        for name in ("pes_x", "pes_y", "lanes"):
            most = int(getattr(row, name))
            ways[name] = [float(n) for n in range(most, 0, -1)]
        ways["simd_units"] = sorted({row.simd_units, row.simd_units // 2 or 1.0}, reverse=True)
    if what in ("tiles", "all"):
        ways["local_memory_bytes"] = [row.local_memory_bytes * share for share in SHARES]
        ways["register_file_bytes"] = [row.register_file_bytes * share for share in SHARES]
    chosen = product(*ways.values())
    return np.array([row._replace(**dict(zip(ways, values, strict=True))) for values in chosen])


def optima(drawn: Any, index: int, what: str, objective: int) -> tuple[float, float, int]:
    """Figure of the pair's optimum, the best figure on any part, and how many parts there are."""
    from nahas.kernels.records import CostRow, CountsRow, MappingRow
    from nahas.kernels.solve import solve_pairs
    from nahas.vocabulary import Objective

    points = parts(drawn.points[drawn.pairs[index, 1]], what)
    size = len(points)
    pairs = np.stack([np.zeros(size, np.int64), np.arange(size)], axis=1)
    outcome = (
        np.empty((size, len(CostRow._fields))),
        np.empty((size, len(MappingRow._fields)), np.int64),
        np.empty((size, len(CountsRow._fields))),
        np.empty(size, np.int64),
    )
    layer = drawn.layers[drawn.pairs[index, 0]][np.newaxis]
    stays = np.repeat(drawn.stays[index][np.newaxis], size, axis=0)
    solve_pairs(layer, points, pairs, stays, objective, outcome)
    name = "cycles" if objective == Objective.LATENCY else "energy_pj"
    costs = outcome[0]
    runs = costs[:, CostRow._fields.index("reason")] == 0
    figures = np.where(runs, costs[:, CostRow._fields.index(name)], np.inf)
    return float(figures[0]), float(figures.min()), size


def compared(drawn: Any, what: str) -> dict[str, Any]:
    """The default optimum over the wider one, for latency and for energy."""
    from nahas.vocabulary import Objective

    rows: dict[str, Any] = {}
    for objective in (Objective.LATENCY, Objective.ENERGY):
        seen = [optima(drawn, i, what, int(objective)) for i in range(len(drawn.pairs))]
        ratios = np.array([own / best for own, best, _ in seen])
        name = objective.name.lower()
        rows[name] = {
            "geometric_mean": float(np.exp(np.log(ratios).mean())),
            "worst": float(ratios.max()),
            "unequal": float((ratios > 1.0 + 1e-12).mean()),
            "parts_per_pair": float(np.mean([size for _, _, size in seen])),
        }
        found = rows[name]
        mean, worst = f"{found['geometric_mean']:.4f}", f"{found['worst']:.3f}"
        print(ROW.format(f"{what}, {name}", mean, worst, f"{found['unequal']:.1%}"), flush=True)
    return rows


def main() -> None:
    """Print the table."""
    from nahas.tile_bench import draw

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save", action="store_true")
    chosen = parser.parse_args()
    drawn = draw(chosen.pairs, chosen.seed)
    print(ROW.format("default over wider optimum", "geo. mean", "worst", "unequal"))
    rows = {what: compared(drawn, what) for what in ("instances", "tiles", "all")}
    if chosen.save:
        content = {"pairs": chosen.pairs, "seed": chosen.seed, "ratios": rows}
        RESULTS.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
