"""The default mapspace beside the full one: what it gives up, and what the full one takes.

For seeded random pairs prints the ratio of the two optima for latency and for energy, geometric
mean and worst case; then, with more pairs, how many each space solves per second, by objective
and threads, and how large it is. Whoever wants the default menu to hold more finds here
what that could gain. `--save` writes the rows to results/mapspace.json.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numba
import numpy as np

RESULTS = Path(__file__).parent / "results" / "mapspace.json"
ROW = "{:<44} {:>13} {:>10} {:>10}"
WORST = 5
"""Pairs that are named with their layer and accelerator."""


def figures(pairs: Any, objective: Any, space: Any) -> tuple[np.ndarray, np.ndarray]:
    """The objective's figure of every pair's optimum, infinite where nothing fits [N]; seconds."""
    from nahas.kernels.records import CostRow
    from nahas.tile_bench.solve import room, solve_part
    from nahas.vocabulary import Objective

    place = room(len(pairs.pairs))
    begun = time.perf_counter()
    costs = solve_part(replace(pairs, space=space), slice(None), objective, place)[0]
    elapsed = time.perf_counter() - begun

    def column(name: str) -> np.ndarray:
        return costs[:, CostRow._fields.index(name)]

    figure = {
        Objective.LATENCY: column("cycles"),
        Objective.ENERGY: column("energy_pj"),
        Objective.EDP: column("cycles") * column("energy_pj"),
    }[objective]
    return np.where(column("reason") == 0, figure, np.inf), np.array(elapsed)


def compared(pairs: Any) -> dict[str, Any]:
    """Default optimum over full optimum, for latency and for energy."""
    from nahas.vocabulary import Mapspace, Objective

    rows: dict[str, Any] = {}
    print(ROW.format("default over full optimum", "geo. mean", "worst", "unequal"))
    for objective in (Objective.LATENCY, Objective.ENERGY):
        own, _ = figures(pairs, objective, Mapspace.DATAFLOWS)
        best, _ = figures(pairs, objective, Mapspace.FULL)
        runs = np.isfinite(own)
        ratios = own[runs] / best[runs]
        name = objective.name.lower()
        found = {
            "pairs": int(runs.sum()),
            "geometric_mean": float(np.exp(np.log(ratios).mean())),
            "worst": float(ratios.max()),
            "unequal": float((ratios > 1.0 + 1e-12).mean()),
            "only_in_full": int((~runs & np.isfinite(best)).sum()),
        }
        rows[name] = found
        mean, worst = f"{found['geometric_mean']:.4f}", f"{found['worst']:.3f}"
        print(ROW.format(name, mean, worst, f"{found['unequal']:.1%}"), flush=True)
        found["worst_pairs"] = [
            described(pairs, int(i)) | {"ratio": float((own / best)[i])}
            for i in np.argsort(-np.where(runs, own / best, 0.0))[:WORST]
        ]
    return rows


def described(pairs: Any, index: int) -> dict[str, Any]:
    """A pair's layer and accelerator: what of the layer is not 1, and the parameters."""
    from nahas.kernels.records import HardwareRow, LayerRow

    layer, point = pairs.pairs[index]
    shape = LayerRow(*pairs.layers[layer].tolist())._asdict()
    row = HardwareRow(*pairs.points[point].tolist())._asdict()
    parameters = list(row)[:9]
    return {
        "layer": {name: value for name, value in shape.items() if value != 1 and name != "kind"},
        "accelerator": {name: row[name] for name in parameters},
    }


def speeds(pairs: Any, rounds: int) -> dict[str, Any]:
    """Pairs per second of both spaces, by objective and threads, taken in turn; the median."""
    from nahas.vocabulary import Mapspace, Objective

    most = int(numba.config.NUMBA_NUM_THREADS)
    rows: dict[str, Any] = {}
    print(
        ROW.format(f"pairs/s, {len(pairs.pairs):,} pairs", "1 thread", f"{most} threads", "scale")
    )
    for space in (Mapspace.DATAFLOWS, Mapspace.FULL):
        for objective in Objective:
            seen: dict[int, list[float]] = {1: [], most: []}
            for _ in range(rounds):
                for threads, rates in seen.items():
                    numba.set_num_threads(threads)
                    rates.append(len(pairs.pairs) / float(figures(pairs, objective, space)[1]))
            one, every = median(seen[1]), median(seen[most])
            name = f"{space.name.lower()}, {objective.name.lower()}"
            rows[name] = {"1": one, str(most): every, "ratio": every / one}
            print(
                ROW.format(name, f"{one:,.0f}", f"{every:,.0f}", f"{every / one:.2f}x"), flush=True
            )
    return rows


def sizes(pairs: Any, sample: int) -> dict[str, Any]:
    """Members of both spaces, over the first pairs: geometric mean and largest."""
    from nahas.tile_bench.verify import members
    from nahas.vocabulary import Mapspace

    rows: dict[str, Any] = {}
    print(ROW.format(f"members, {sample} pairs", "geo. mean", "largest", ""))
    for space in (Mapspace.DATAFLOWS, Mapspace.FULL):
        of = replace(pairs, space=space)
        found = np.array([members(of, i) for i in range(sample)], np.float64)
        found = found[found > 0]
        mean, largest = float(np.exp(np.log(found).mean())), float(found.max())
        rows[space.name.lower()] = {"geometric_mean": mean, "largest": largest}
        print(ROW.format(space.name.lower(), f"{mean:,.0f}", f"{largest:.2e}", ""), flush=True)
    return rows


def main() -> None:
    """Print the tables."""
    from nahas.manifest import manifest
    from nahas.tile_bench import draw

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=1000, help="pairs whose optima are compared")
    parser.add_argument("--timed", type=int, default=20_000, help="pairs that are timed")
    parser.add_argument("--rounds", type=int, default=3, help="passes of which the median counts")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save", action="store_true", help=f"write {RESULTS.name}")
    chosen = parser.parse_args()
    begun = time.perf_counter()
    drawn = draw(max(chosen.pairs, chosen.timed), chosen.seed)

    def part(count: int) -> Any:
        return replace(drawn, pairs=drawn.pairs[:count], stays=drawn.stays[:count])

    ratios = compared(part(chosen.pairs))  # compiles both searches
    rows = {
        "ratios": ratios,
        "speeds": speeds(part(chosen.timed), chosen.rounds),
        "sizes": sizes(drawn, min(200, chosen.pairs)),
    }
    if chosen.save:
        sampled = {"pairs": chosen.pairs, "timed": chosen.timed, "rounds": chosen.rounds}
        threads = int(numba.config.NUMBA_NUM_THREADS)
        wall = time.perf_counter() - begun
        run = manifest(
            "benchmarks/mapspace.py", sampled, seed=chosen.seed, threads=threads, wall_seconds=wall
        )
        RESULTS.write_text(json.dumps({"run": run, **rows}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
