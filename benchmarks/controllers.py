"""How many designs does a search propose and score per second, by controller?

Whole searches, on the space macro with its table of measured accuracies (where `--table` names
it) and on mnasnet with the packaged surrogate, without a study file and with one. Prints designs
per second, the shares of time that the controller and the measuring take, and how many designs
were distinct. Each search is preceded by a short one of another seed, which compiles. `--save`
writes the rows to results/controllers.json.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from nahas import phases, strategies
from nahas.controllers.named import CONTROLLERS
from nahas.designs import distinct_designs
from nahas.manifest import manifest, usable_cores
from nahas.problem import Problem, Search, problem_of

RESULTS = Path(__file__).parent / "results" / "controllers.json"
ROW = "{:>8} {:>10} {:>6} {:>6} {:>10} {:>11} {:>10} {:>9} {:>9}"
HEAD = ("space", "controller", "batch", "study", "designs/s", "controller", "measuring", "distinct",
        "best")  # fmt: skip


class Watch:
    """Seconds spent in functions that it wraps."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def timed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The same function; its time counts."""

        def call(*arguments: Any, **named: Any) -> Any:
            begun = time.perf_counter()
            try:
                return function(*arguments, **named)
            finally:
                self.seconds += time.perf_counter() - begun

        return call


def measured(problem: Problem, search: Search) -> dict[str, Any]:
    """One row: a search, and where its time went."""
    controlling, measuring = Watch(), Watch()
    make = phases.controller_of

    def watched(*arguments: Any, **named: Any) -> Any:
        controller = make(*arguments, **named)
        for name in ("ask", "tell", "state"):
            setattr(controller, name, controlling.timed(getattr(controller, name)))
        return controller

    class Measurer(strategies.Measurer):
        __call__ = measuring.timed(strategies.Measurer.__call__)

    before = phases.controller_of, strategies.Measurer
    phases.controller_of, strategies.Measurer = watched, Measurer
    try:
        begun = time.perf_counter()
        result = strategies.searched(problem, search)
        seconds = time.perf_counter() - begun
    finally:
        phases.controller_of, strategies.Measurer = before
    return {
        "space": search.space,
        "controller": search.controller,
        "batch": search.batch,
        "study": search.study is not None,
        "designs_per_s": search.trials / seconds,
        "controller_share": controlling.seconds / seconds,
        "measuring_share": measuring.seconds / seconds,
        "distinct": distinct_designs(problem.joint, result.trials),
        "best_reward": result.best[0].reward,
        "seconds": seconds,
    }


def rows_of(search: Search, options: argparse.Namespace) -> list[dict[str, Any]]:
    """The rows of one space, printed as they come."""
    rows = []
    for controller in options.controllers:
        for batch in options.batches:
            for kept in (False, True) if options.study else (False,):
                named = replace(search, controller=controller, batch=batch)
                # A problem of its own: the one before would remember what it has solved.
                strategies.searched(
                    problem_of(named), replace(named, trials=2 * batch, seed=search.seed + 1)
                )
                with tempfile.TemporaryDirectory() as folder:
                    study = Path(folder) / "study.db" if kept else None
                    row = measured(problem_of(named), replace(named, study=study))
                rows.append(row)
                print_row(row)
    return rows


def print_row(row: dict[str, Any]) -> None:
    """Print a row under the heading."""
    cells = (
        row["space"],
        row["controller"],
        row["batch"],
        "yes" if row["study"] else "no",
        f"{row['designs_per_s']:,.0f}",
        f"{row['controller_share']:.0%}",
        f"{row['measuring_share']:.0%}",
        f"{row['distinct']:,}",
        f"{row['best_reward']:.2f}",
    )
    print(ROW.format(*cells), flush=True)


def main() -> None:
    """Run the searches."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", type=Path, help="NAS-Bench-Macro's table; without it no macro")
    parser.add_argument("--trials", type=int, default=20_000)
    parser.add_argument("--batches", type=int, nargs="+", default=[20, 1000])
    parser.add_argument("--controllers", nargs="+", default=list(CONTROLLERS))
    parser.add_argument("--study", action="store_true", help="each search with a study file too")
    parser.add_argument("--save", action="store_true", help=f"write {RESULTS.name}")
    options = parser.parse_args()
    searches = [Search(trials=options.trials)]
    if options.table:
        searches.insert(0, replace(searches[0], space="macro", table=options.table))
    begun = time.perf_counter()
    print(f"{options.trials} designs each, {usable_cores()} cores")
    print(ROW.format(*HEAD))
    rows = [row for search in searches for row in rows_of(search, options)]
    if options.save:
        given = {"trials": options.trials, "batches": options.batches}
        seconds = time.perf_counter() - begun
        run = manifest(
            "benchmarks/controllers.py", given, seed=0, threads=usable_cores(), wall_seconds=seconds
        )
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps({"run": run, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
