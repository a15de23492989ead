"""How near the mapper's two inner loops come to what the core can issue.

For each loop: candidates per second of one thread, the instructions that a candidate executes by
class, what the core executes of that class where nothing else is in its way, and so the ceiling
that each class sets. All is measured in one process, in turn, in time of the CPU. `--save`
writes the rows to results/roofline.json.

The loops are those of `search` (every assignment's bound) and of `every_order` (a placement in
the five orders of its loops, cut along K and P), here of any pair. What a pair needs once, such as
its blocks and assignments, is shared by its candidates. machine_code.py says how executed
instructions are counted, and how exactly.

A ceiling is that of one class alone: classes share ports, and instructions wait for one another
and for branches that were not foreseen. Pairs that come many times in a row show what the latter
cost. "If packed" supposes a candidate to a lane and all lanes on one way through the branches.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numba
import numpy as np
from machine_code import CLASSES, MNEMONICS, PACKED, SCALAR, Count, Job, executed, issued, written
from peaks import peak_rates, peaks

from nahas import tile_bench
from nahas.kernels.edge import cost, count
from nahas.kernels.menu import MOST_ASSIGNMENTS, assignments
from nahas.kernels.records import ResidencyRow
from nahas.kernels.rows import hardware_row, layer_row
from nahas.kernels.search import DRAM_ORDERS, bound, ideal
from nahas.kernels.tilings import Axes, Blocks, K, P, Placement, Split, Wish, blocks_of, place
from nahas.manifest import cpu_name, manifest, usable_cores

RESULTS = Path(__file__).parent / "results" / "roofline.json"
ROW = "{:<20}" + 6 * " {:>12}"
BUSY = 0.25
"""Load per core before the run above which its figures are called disturbed."""
Peaks = dict[str, dict[str, float]]
"""Results per second by class and form."""
AGAIN = 50
"""Times in a row that the same pair comes where branches shall be foreseen."""


@numba.njit
def split_at(row: Any, j: int) -> Any:
    """Nine numbers of a row as a cut dim."""
    return Split(
        row[j], row[j + 1], row[j + 2], row[j + 3], row[j + 4],
        row[j + 5], row[j + 6], row[j + 7], row[j + 8],
    )  # fmt: skip


@numba.njit
def bounds(layers: Any, points: Any, pairs: Any, stays: Any, menu: Any) -> Any:
    """Work out the bound of every assignment of every pair; how many, and a sum."""
    candidates, total = 0, 0.0
    for i in range(pairs.shape[0]):
        layer, hw = layer_row(layers[pairs[i, 0]]), hardware_row(points[pairs[i, 1]])
        stay = ResidencyRow(stays[i, 0], stays[i, 1], stays[i, 2], stays[i, 3])
        blocks = blocks_of(layer, hw)
        size = assignments(layer, hw, blocks, menu)
        for j in range(size):
            axes = Axes(menu[j, 0], menu[j, 1], menu[j, 2])
            row, _ = bound(layer, hw, stay, ideal(layer, hw, blocks, axes))
            total += row.cycles + row.energy_pj
        candidates += size
    return candidates, total


@numba.njit
def place_all(layers: Any, points: Any, pairs: Any, placements: Any) -> None:
    """Cut each layer in two along K and P, and write the placement as a row of numbers."""
    for i in range(pairs.shape[0]):
        layer, hw = layer_row(layers[pairs[i, 0]]), hardware_row(points[pairs[i, 1]])
        wish = Wish(1.0, 2.0, 1.0, 2.0, 1.0, False)
        at = place(layer, hw, blocks_of(layer, hw), Axes(K, P, K), wish)
        row = placements[i]
        j = 0
        for cut in (at.g, at.k, at.c, at.p, at.q):
            for loops in cut:
                row[j] = loops
                j += 1
        for width in at.blocks:
            row[j] = width
            j += 1
        row[j], row[j + 1] = at.local_r, at.local_s


@numba.njit
def costs(layers: Any, points: Any, pairs: Any, stays: Any, placements: Any) -> Any:
    """Cost every placement in every order of the loops of DRAM; how many, and a sum."""
    candidates, total = 0, 0.0
    for i in range(pairs.shape[0]):
        layer, hw = layer_row(layers[pairs[i, 0]]), hardware_row(points[pairs[i, 1]])
        stay = ResidencyRow(stays[i, 0], stays[i, 1], stays[i, 2], stays[i, 3])
        row = placements[i]
        at = Placement(
            split_at(row, 0), split_at(row, 9), split_at(row, 18), split_at(row, 27),
            split_at(row, 36), Blocks(row[45], row[46], row[47], row[48], row[49], row[50]),
            row[51], row[52], False, True,
        )  # fmt: skip
        for order in range(DRAM_ORDERS):
            figures = cost(count(layer, at, order), hw, stay)
            total += figures.cycles + figures.energy_pj
        candidates += DRAM_ORDERS
    return candidates, total


def loops(drawn: Any) -> dict[str, Job]:
    """The two loops over drawn pairs."""
    tables = (drawn.layers, drawn.points, drawn.pairs)
    placements = np.empty((len(drawn.pairs), 5 * len(Split._fields) + len(Blocks._fields) + 2))
    place_all(*tables, placements)
    menu = np.empty((MOST_ASSIGNMENTS, 3), np.int64)
    return {
        "bounds of assignments": (bounds, (*tables, drawn.stays, menu)),
        "costs of placements": (costs, (*tables, drawn.stays, placements)),
    }


def repeated(drawn: Any) -> Any:
    """Some of the pairs, each many times in a row."""
    rows = np.repeat(np.arange(0, len(drawn.pairs), AGAIN), AGAIN)
    return replace(drawn, pairs=drawn.pairs[rows], stays=drawn.stays[rows])


def timed(jobs: dict[Any, Job], rounds: int) -> dict[Any, float]:
    """Calls per CPU second in the quickest pass, the jobs taken in turn.

    The quickest, because a ceiling is what a core does when it is left alone.
    """
    taken: dict[Any, list[float]] = {key: [] for key in jobs}
    for run, tables in jobs.values():
        run(*tables)  # compiles
    for _ in range(rounds):
        for key, (run, tables) in jobs.items():
            begun = time.process_time()
            run(*tables)
            taken[key].append(time.process_time() - begun)
    return {key: 1 / min(seen) for key, seen in taken.items()}


def roofline(rate: float, count: Count, code: Count, peak: Peaks) -> dict[str, Any]:
    """The ceilings of a loop of `rate` candidates per second.

    `count` are the instructions that one executes, `code` those that the function holds.
    """
    classes: dict[str, dict[str, float]] = {}
    for what in (what for what in CLASSES if issued(count, what)):
        each = issued(count, what)
        share = issued(count, what, packed=True) / each
        classes[what] = {"in_code": issued(code, what), "executed": each, "packed_share": share}
        for form, most in peak.get(what, {}).items():
            classes[what][f"{form}_ceiling"] = most / each
    row: dict[str, Any] = {"candidates_per_second": rate, "classes": classes}
    for form in (SCALAR, PACKED):
        ceilings = {what: of.get(f"{form}_ceiling", np.inf) for what, of in classes.items()}
        binding = min(ceilings, key=ceilings.__getitem__)
        row[form] = {"binding": binding, "ceiling": ceilings[binding]}
    return {**row, "reached": rate / row[SCALAR]["ceiling"]}


def show(name: str, row: dict[str, Any], peak: Peaks) -> None:
    """Print the table of a loop; rates in millions per second."""

    def millions(rate: float | None) -> str:
        return "" if rate is None else f"{rate / 1e6:,.{1 if rate < 1e8 else 0}f}"

    print(f"\n{name}: {millions(row['candidates_per_second'])} M/s on one thread")
    print(ROW.format("class", "in code", "executed", "packed", "core M/s", "ceiling", "if packed"))
    for what, of in row["classes"].items():
        figures = f"{of['in_code']:.0f}", f"{of['executed']:.1f}", f"{of['packed_share']:.0%}"
        rates = peak.get(what, {}).get(SCALAR), of.get("scalar_ceiling"), of.get("packed_ceiling")
        print(ROW.format(what, *figures, *map(millions, rates)))
    for form, word in ((SCALAR, "now"), (PACKED, "with a candidate to a lane")):
        gain = row[form]["ceiling"] / row["candidates_per_second"]
        print(f"ceiling {word}: {row[form]['binding']}, {gain:.1f}x the rate")
    print(f"where each pair comes {AGAIN} times in a row: {row['repeated']:.2f}x the rate")


def report(options: argparse.Namespace) -> dict[str, Any]:
    """Measure all, print the tables, and return the rows."""
    drawn = tile_bench.draw(options.pairs, 0)
    peak_loops, ours, again = peaks(options.turns), loops(drawn), loops(repeated(drawn))
    jobs = {**peak_loops, **ours, **{(name, AGAIN): job for name, job in again.items()}}
    calls = timed(jobs, options.rounds)
    peak = peak_rates(peak_loops, calls)
    rows: dict[str, Any] = {}
    for name, (run, tables) in ours.items():
        candidates = run(*tables)[0]
        rate = candidates * calls[name]
        total = executed(run, *tables)
        each = Count({what: times / candidates for what, times in total.items()})
        rows[name] = roofline(rate, each, written(run), peak)
        rows[name]["repeated"] = run(*again[name][1])[0] * calls[name, AGAIN] / rate
        show(name, rows[name], peak)
    return {"peaks_per_second": peak, "loops": rows}


def main() -> int:
    """Measure, print, and write the document if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=20_000)
    parser.add_argument("--turns", type=int, default=10_000, help="of the loops of peaks")
    parser.add_argument("--rounds", type=int, default=25, help="the quickest pass counts")
    parser.add_argument("--save", action="store_true", help=f"write {RESULTS.name}")
    options = parser.parse_args()
    if MNEMONICS is None:
        print(f"the machine code of {platform.machine()} is not read")
        return 0
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    disturbed = load > BUSY * usable_cores()
    note = f"disturbed: load {load:.1f} before the run" if disturbed else f"load {load:.1f}"
    print(f"{cpu_name()}, numba {numba.__version__}, numpy {np.__version__}, {note}")
    print(f"{options.pairs:,} pairs, quickest of {options.rounds} passes")
    begun = time.perf_counter()
    rows = report(options)
    if options.save:
        run = manifest(
            "benchmarks/roofline.py",
            {"pairs": options.pairs, "turns": options.turns, "rounds": options.rounds},
            seed=0,
            threads=1,
            wall_seconds=time.perf_counter() - begun,
        )
        document = {"run": run, "load_before": load, "disturbed": disturbed, **rows}
        RESULTS.write_text(json.dumps(document, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
