"""How fast the mapper is, what makes it so, and how near its answers are to what cannot be beaten.

Prints ratios measured in one run, warm, compile time apart: threads, objectives, inlining,
search against enumeration, and the gap to the work and the traffic that must be. `--save`
writes the rows to results/kernels.json.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numba
import numpy as np

Clock = Callable[[], float]
RESULTS = Path(__file__).parent / "results" / "kernels.json"
ROW = "{:<46} {:>14} {:>10}"
BUSY = 0.25
"""Load per core before the run above which its figures are called disturbed."""

VARIANTS = {
    "as shipped": {"inline": True, "checked": False},
    "called instead of inlined": {"inline": False, "checked": False},
    "inlined, divisors checked": {"inline": True, "checked": True},
}
"""Ways to compile the kernels that are marked `inline`."""


def line(what: str, figure: str = "", ratio: float | None = None) -> None:
    """Print a row of the table."""
    print(ROW.format(what, figure, "" if ratio is None else f"{ratio:.2f}x"), flush=True)


def rate(
    drawn: Any, objective: int, threads: int, clock: Clock = time.perf_counter
) -> tuple[float, float]:
    """Pairs per second of one pass over the drawn pairs, and candidates costed per pair."""
    from nahas.kernels.records import CostRow, CountsRow, MappingRow
    from nahas.kernels.solve import solve_pairs

    count = len(drawn.pairs)
    outcome = (  # touched, so that the clock sees no page fault
        np.ones((count, len(CostRow._fields))),
        np.ones((count, len(MappingRow._fields)), np.int64),
        np.ones((count, len(CountsRow._fields))),
        np.ones(count, np.int64),
    )
    numba.set_num_threads(threads)
    begun = clock()
    solve_pairs(drawn.layers, drawn.points, drawn.pairs, drawn.stays, objective, outcome)
    return count / (clock() - begun), float(outcome[3].mean())


def compared_threads(drawn: Any, rounds: int) -> dict[str, Any]:
    """Pairs per second on one thread and on all, taken in turn."""
    most = numba.config.NUMBA_NUM_THREADS
    rates: dict[int, list[float]] = {1: [], most: []}
    for _ in range(rounds):
        for threads, seen in rates.items():
            seen.append(rate(drawn, 0, threads)[0])
    one, every = median(rates[1]), median(rates[most])
    line("pairs/s on 1 thread", f"{one:,.0f}", 1.0)
    line(f"pairs/s on {most} threads", f"{every:,.0f}", every / one)
    return {"1": one, str(most): every, "ratio": every / one, "best": max(rates[most])}


def compared_objectives(drawn: Any, rounds: int) -> dict[str, Any]:
    """Pairs per second and candidates costed for each objective, on all threads."""
    from nahas.vocabulary import Objective

    most = numba.config.NUMBA_NUM_THREADS
    seen: dict[Objective, list[tuple[float, float]]] = {each: [] for each in Objective}
    for _ in range(rounds):
        for objective, passes in seen.items():
            passes.append(rate(drawn, int(objective), most))
    first = median(pairs for pairs, _ in seen[Objective.LATENCY])
    rows = {}
    for objective, passes in seen.items():
        name, pairs, costed = objective.name.lower(), median(p for p, _ in passes), passes[0][1]
        line(f"pairs/s for {name}", f"{pairs:,.0f}", pairs / first)
        rows[name] = {
            "pairs_per_second": pairs,
            "mappings_per_second": pairs * costed,
            "mappings_per_pair": costed,
            "ratio": pairs / first,
        }
    return rows


def compared_variants(pairs: int, rounds: int) -> dict[str, Any]:
    """Pairs per CPU second of each way to compile, each in a process of its own.

    Numba's cache does not know how a function was compiled: each variant has its own. Time of
    the CPU, because processes that run one after the other do not see the same load.
    """
    rows: dict[str, Any] = {}
    for name in VARIANTS:
        with tempfile.TemporaryDirectory() as folder:
            sizes = ["--pairs", str(pairs), "--rounds", str(rounds)]
            done = subprocess.run(
                [sys.executable, __file__, "--variant", name, *sizes],
                env={**os.environ, "NUMBA_CACHE_DIR": folder},
                stdout=subprocess.PIPE,
                check=True,
            )
        rows[name] = json.loads(done.stdout)
    shipped = rows["as shipped"]
    for name, row in rows.items():
        row["ratio"] = row["pairs_per_second"] / shipped["pairs_per_second"]
        line(f"pairs/CPU s, {name}", f"{row['pairs_per_second']:,.0f}", row["ratio"])
    for name, row in rows.items():
        row["bound_ratio"] = row["bounds_per_second"] / shipped["bounds_per_second"]
        line(f"bounds/CPU s, {name}", f"{row['bounds_per_second']:,.0f}", row["bound_ratio"])
    for name, row in rows.items():
        line(f"CPU s to compile, {name}", f"{row['compile_s']:.1f}")
    return rows


def compile_as(*, inline: bool, checked: bool) -> None:
    """From now on kernels are compiled in this way; before any of them is imported."""
    from nahas.kernels import _jit

    def kernel(*, parallel: bool = False, inline: bool = False, force: bool = inline) -> Any:
        return numba.njit(
            parallel=parallel,
            forceinline=inline and force,
            error_model="numpy" if inline and not checked else "python",
        )

    _jit.kernel = kernel


def measured_variant(name: str, pairs: int, rounds: int) -> dict[str, float]:
    """What one process of `compared_variants` prints."""
    compile_as(**VARIANTS[name])
    from nahas import tile_bench

    drawn = tile_bench.draw(pairs, 0)
    begun = time.process_time()
    rate(drawn, 0, 1)
    compile_s = time.process_time() - begun
    passes = [rate(drawn, 0, 1, time.process_time)[0] for _ in range(rounds)]
    return {
        "pairs_per_second": median(passes),
        "bounds_per_second": bound_rate(drawn, rounds),
        "compile_s": compile_s,
    }


def bound_rate(drawn: Any, rounds: int) -> float:
    """Bounds of assignments worked out per CPU second, median."""
    from nahas.kernels.menu import MOST_ASSIGNMENTS, assignments
    from nahas.kernels.records import ResidencyRow
    from nahas.kernels.rows import hardware_row, layer_row
    from nahas.kernels.search import bound, ideal
    from nahas.kernels.tilings import Axes, blocks_of

    @numba.njit
    def all_bounds(layers: Any, points: Any, pairs: Any, stays: Any, menu: Any) -> Any:
        count, total = 0, 0.0
        for i in range(pairs.shape[0]):
            layer, hw = layer_row(layers[pairs[i, 0]]), hardware_row(points[pairs[i, 1]])
            stay = ResidencyRow(stays[i, 0], stays[i, 1], stays[i, 2], stays[i, 3])
            blocks = blocks_of(layer, hw)
            for j in range(assignments(layer, hw, blocks, menu)):
                axes = Axes(menu[j, 0], menu[j, 1], menu[j, 2])
                row, _ = bound(layer, hw, stay, ideal(layer, hw, blocks, axes))
                total += row.cycles + row.energy_pj
                count += 1
        return count, total

    menu = np.empty((MOST_ASSIGNMENTS, 3), np.int64)
    tables = (drawn.layers, drawn.points, drawn.pairs, drawn.stays, menu)
    all_bounds(*tables)
    rates = []
    for _ in range(rounds):
        begun = time.process_time()
        count, _ = all_bounds(*tables)
        rates.append(count / (time.process_time() - begun))
    return median(rates)


def compared_enumeration(drawn: Any, sample: int) -> dict[str, Any]:
    """The search against every member of the mapspace, on one thread."""
    from nahas.kernels.records import ResidencyRow
    from nahas.kernels.rows import hardware_row, layer_row
    from nahas.layers import Layer
    from nahas.mapspace import candidates, evaluated_cost
    from nahas.vocabulary import LayerKind

    def enumerated(i: int) -> int:
        row = layer_row(drawn.layers[drawn.pairs[i, 0]])
        hw = hardware_row(drawn.points[drawn.pairs[i, 1]])
        stay = ResidencyRow(*drawn.stays[i].tolist())
        shape = {name: int(value) for name, value in row._asdict().items() if name != "kind"}
        layer = Layer(name="drawn", kind=LayerKind.CONVOLUTION, **shape)
        members = list(candidates(row, hw, stay))
        for member in members:
            evaluated_cost(layer, hw, stay, member)
        return len(members)

    enumerated(0)
    begun = time.perf_counter()
    sizes = [enumerated(i) for i in range(sample)]
    slow = sample / (time.perf_counter() - begun)
    fast = rate(drawn, 0, 1)[0]
    costed = rate(part(drawn, sample), 0, 1)[1]
    size = sum(sizes) / sample
    line("mapspace, members per pair", f"{size:.1f}", 1.0)
    line("search, members costed per pair", f"{costed:.1f}", costed / size)
    line("pairs/s by enumeration, evaluated", f"{slow:,.0f}", 1.0)
    line("pairs/s by search, 1 thread", f"{fast:,.0f}", fast / slow)
    return {
        "pairs": sample,
        "members_per_pair": size,
        "most_members": max(sizes),
        "costed_per_pair": costed,
        "enumeration_pairs_per_second": slow,
        "search_pairs_per_second": fast,
        "ratio": fast / slow,
    }


def part(drawn: Any, count: int) -> Any:
    """The first pairs of a draw."""
    from dataclasses import replace

    return replace(drawn, pairs=drawn.pairs[:count], stays=drawn.stays[:count])


def gap(drawn: Any) -> dict[str, Any]:
    """Cycles of the best mappings over the simple bound that no mapping of any space beats.

    The bound: every unit works in every cycle, and every word crosses the I/O interface once.
    """
    from nahas.kernels.records import CostRow
    from nahas.tile_bench.solve import room, solve_part
    from nahas.vocabulary import Bound, Objective

    costs = solve_part(drawn, slice(None), Objective.LATENCY, room(len(drawn.pairs)))[0]
    least = simple_bound(drawn)
    ratios = costs[:, CostRow._fields.index("cycles")] / least
    bounds = costs[:, CostRow._fields.index("bound")]
    rows: dict[str, Any] = {"all": quantiles(ratios)}
    for bound in Bound:
        if (bounds == bound).any():
            rows[bound.name.lower()] = quantiles(ratios[bounds == bound])
    for name, row in rows.items():
        share = row["pairs"] / len(ratios)
        line(f"cycles over the bound, median ({name}, {share:.0%})", "", row["median"])
        line("    90th percentile", "", row["percentile_90"])
    return rows


def quantiles(ratios: Any) -> dict[str, float]:
    """Median and 90th percentile of some ratios."""
    middle, high = np.quantile(ratios, (0.5, 0.9))
    return {"pairs": len(ratios), "median": float(middle), "percentile_90": float(high)}


def simple_bound(drawn: Any) -> Any:
    """The larger of MACs over units and compulsory bytes over I/O bandwidth, per pair [N]."""
    from nahas.kernels.records import HardwareRow, LayerRow

    layer = LayerRow(*drawn.layers[drawn.pairs[:, 0]].T.astype(float))
    hw = HardwareRow(*drawn.points[drawn.pairs[:, 1]].T)
    weights = layer.g * layer.k * layer.c * layer.r * layer.s
    outputs = layer.g * layer.k * layer.p * layer.q
    rows = touched(layer.p, layer.stride_p, layer.r, layer.dilation_r)
    columns = touched(layer.q, layer.stride_q, layer.s, layer.dilation_s)
    inputs = layer.g * layer.c * rows * columns
    macs = outputs * layer.c * layer.r * layer.s
    units = hw.pes_x * hw.pes_y * hw.lanes * hw.simd_units * hw.macs_per_simd
    off = 1 - drawn.stays
    moved = weights + inputs * off[:, 0] + outputs * off[:, 1]
    return np.maximum(np.ceil(macs / units), np.ceil(moved / hw.io_bytes_per_cycle))


def touched(outputs: Any, stride: Any, window: Any, dilation: Any) -> Any:
    """Input positions that a row of outputs needs, at least: a stride may skip some."""
    extent = (outputs - 1) * stride + (window - 1) * dilation + 1
    return np.minimum(extent, outputs * window)


def main() -> int:
    """Run the comparisons."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=7, help="passes of which the median counts")
    parser.add_argument("--sample", type=int, default=1000, help="pairs to enumerate")
    parser.add_argument("--variant", choices=VARIANTS, help=argparse.SUPPRESS)
    parser.add_argument("--save", action="store_true", help=f"write {RESULTS.name}")
    options = parser.parse_args()
    if options.variant:
        measured = measured_variant(options.variant, options.pairs, options.rounds)
        print(json.dumps(measured))
        return 0
    return report(options)


def report(options: argparse.Namespace) -> int:
    """Measure all, print the table, and write the document if asked to."""
    from nahas import tile_bench
    from nahas.manifest import cpu_name, manifest, usable_cores

    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    disturbed = load > BUSY * usable_cores()
    begun = time.perf_counter()
    drawn = tile_bench.draw(options.pairs, 0)
    few = part(drawn, max(1, options.pairs // 10))
    rate(few, 0, numba.config.NUMBA_NUM_THREADS)  # compiles, or loads what was compiled
    note = f"disturbed: load {load:.1f} before the run" if disturbed else f"load {load:.1f}"
    print(f"{cpu_name()}, numba {numba.__version__}, numpy {np.__version__}, {note}")
    print(f"{options.pairs:,} pairs, median of {options.rounds} passes")
    print(ROW.format("what", "measured", "ratio"))
    rows = {
        "threads": compared_threads(drawn, options.rounds),
        "objectives": compared_objectives(drawn, options.rounds),
        "compiled": compared_variants(len(few.pairs), options.rounds),
        "enumeration": compared_enumeration(drawn, min(options.sample, options.pairs)),
        "gap_to_bound": gap(drawn),
    }
    if options.save:
        run = manifest(
            "benchmarks/kernels.py",
            {"pairs": options.pairs, "rounds": options.rounds, "sample": options.sample},
            seed=0,
            threads=numba.config.NUMBA_NUM_THREADS,
            wall_seconds=time.perf_counter() - begun,
        )
        document = {"run": run, "load_before": load, "disturbed": disturbed, **rows}
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(document, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
