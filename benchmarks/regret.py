"""How far from the best design do searches end? Controllers x strategies x targets x seeds.

On space macro, whose accuracies are measured, every design is costed and the optimum is known: the
regret of a search is what its best design within the targets earns less than that. Where it cannot
be known (mnasnet) the best of all runs stands for it, and is called so. Beside regret stand the
trials until 99 % of the optimum, the share of runs that end within every target, and, of the same
runs, what the paper claims: fewer samples, fewer targets missed, less energy at equal accuracy.

    python benchmarks/regret.py --space macro --table FILE.json --workers 2 --save
    python benchmarks/regret.py --space macro --table FILE.json --workers 2 --save --resume
    python benchmarks/regret.py --markdown

Every finished search is a line of --cells, so that a killed run goes on with --resume.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from functools import cache
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numba
import numpy as np
from regret_rows import markdown, summary

from nahas.controllers.named import CONTROLLERS, knobs
from nahas.errors import NahasError
from nahas.files import json_text, write_text
from nahas.manifest import manifest
from nahas.phases import ONE_SHOT, STRATEGIES
from nahas.problem import Problem, Search, problem_of
from nahas.reward import Reward, Target
from nahas.strategies import SearchResult, searched
from nahas.study.front import front

RESULTS = Path(__file__).parent / "results" / "regret.json"

TARGETS: dict[str, dict[str, str | None]] = {
    "latency 0.6x": {"latency": "0.6x", "energy": None, "area": "1x"},
    "latency 0.8x": {"latency": "0.8x", "energy": None, "area": "1x"},
    "latency 1x": {"latency": "1x", "energy": None, "area": "1x"},
    "latency 1.5x": {"latency": "1.5x", "energy": None, "area": "1x"},
    "energy 0.5x": {"latency": None, "energy": "0.5x", "area": "1x"},
    "energy 0.8x": {"latency": None, "energy": "0.8x", "area": "1x"},
}
"""Multiples of the baseline design's; latency 1.5x is the case of larger networks."""

COMPARED = tuple(name for name in STRATEGIES if name != ONE_SHOT)
"""Shared weights measure something else: their accuracies have no place among these."""

ONE_THREAD = dict.fromkeys(
    (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "TF_NUM_INTRAOP_THREADS",
        "TF_NUM_INTEROP_THREADS",
    ),
    "1",
)
"""Of the processes that search, which inherit it; what they find does not depend on it."""

SEARCHES_OF_A_PROCESS = 40
"""Policies leave traces of their graphs in a process: after so many a new one takes over."""


@dataclass(frozen=True)
class Cell:
    """One search."""

    space: str
    target: str
    reward: str
    strategy: str
    controller: str
    trials: int
    seed: int

    @property
    def search(self) -> Search:
        """Its options, but for where accuracies come from."""
        return Search(
            space=self.space,
            reward=self.reward,
            strategy=self.strategy,
            controller=self.controller,
            trials=self.trials,
            seed=self.seed,
            best=1,
            **TARGETS[self.target],
        )


@cache
def problem(space: str, table: str | None) -> Problem:
    """What designs are measured with, once for a process."""
    return problem_of(Search(space=space, table=Path(table) if table else None))


def run(cell: Cell, table: str | None) -> dict[str, Any]:
    """Search a cell, and what is kept of it."""
    begun = time.process_time()
    result = searched(problem(cell.space, table), cell.search)
    return {**asdict(cell), **kept(result), "cpu_seconds": round(time.process_time() - begun, 2)}


def kept(result: SearchResult) -> dict[str, Any]:
    """How the best reward within the targets climbed, how the search ended, and its fronts."""
    trials = result.trials
    within = np.where(trials.satisfied, trials.reward, -np.inf)
    best = np.maximum.accumulate(within)
    climbs = np.flatnonzero(best > np.concatenate([[-np.inf], best[:-1]]))
    top = int(np.argmax(np.where(trials.feasible, trials.reward, -np.inf)))
    met = trials[trials.satisfied]
    return {
        "climbs": [[int(row) + 1, float(f"{best[row]:.9g}")] for row in climbs],
        "final_met": bool(trials.satisfied[top]),
        "met_share": float(trials.satisfied.mean()),
        **{name: _front(met, name) for name in ("energy_mj", "latency_ms")},
    }


def _front(trials: Any, metric: str) -> list[list[float]]:
    if not len(trials):
        return []
    rows = front(trials, ("accuracy", metric))
    pairs = zip(trials.accuracy[rows], getattr(trials, metric)[rows], strict=True)
    return [[float(f"{accuracy:.7g}"), float(f"{value:.7g}")] for accuracy, value in pairs]


def cells_of(options: argparse.Namespace) -> list[Cell]:
    """All searches that the options ask for, seeds outermost: a broken run has whole seeds."""
    hard = product(options.targets, ["hard"], options.strategies, options.controllers)
    limited = [name for name in options.targets if TARGETS[name]["latency"]]
    soft = product(limited, ["soft"], options.strategies, options.controllers)
    asked = [*hard, *(() if options.no_soft else soft)]
    return [
        Cell(options.space, *what, trials, seed)
        for seed in range(options.first_seed, options.first_seed + options.seeds)
        for trials in options.trials
        for what in asked
    ]


def references(options: argparse.Namespace) -> dict[str, float | None] | None:
    """The optimum's reward for each target, by costing every design; None where that is too much.

    That of a target that no design meets is None.
    """
    from nahas.exact.optimum import exact_optima

    what = problem(options.space, options.table)
    rewards = []
    for name in options.targets:
        search = Cell(options.space, name, "hard", "joint", "random", 20, 0).search
        limits = searched(what, search).targets
        rewards.append(Reward.preset("hard", [Target(*limit) for limit in limits.items()]))
    try:
        optima = exact_optima(what, rewards, best=1)
    except NahasError as error:
        print(f"the optimum is not known here: {error}", file=sys.stderr)
        return None
    found = zip(options.targets, (of.optimum for of in optima), strict=True)
    return {name: of.reward if of is not None and of.satisfied else None for name, of in found}


class Kept:
    """The lines of a file, each a finished search or the optima, of this code alone."""

    def __init__(self, path: Path, code: dict[str, str], *, resume: bool) -> None:
        self._path, self._code = path, code
        if path.exists() and not resume:
            sys.exit(f"{path} holds searches of an earlier run: go on with --resume, or remove it")
        self.rows = list(self._read()) if path.exists() else []

    def add(self, row: dict[str, Any], code: str) -> None:
        """Keep a row at once."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({**row, "code": self._code[code]}) + "\n")
        self.rows.append(row)

    def _read(self) -> Iterator[dict[str, Any]]:
        for line in self._path.read_text(encoding="utf-8").splitlines():
            try:
                row = json.loads(line)
            except json.JSONDecodeError:
                continue  # a line that a kill cut short
            if row.pop("code") == self._code.get(row.get("controller", "optima")):
                yield row


def code_of(options: argparse.Namespace) -> dict[str, str]:
    """What the searches of each controller follow from, besides the cell."""
    of = problem(options.space, options.table).probed()
    return {
        name: json.dumps([of, knobs(name)], sort_keys=True)
        for name in (*options.controllers, "optima")
    }


def main() -> int:
    """Run what is missing, and print the tables."""
    options = arguments()
    if options.markdown:
        print(markdown(json.loads(RESULTS.read_text(encoding="utf-8"))))
        return 0
    if options.table is not None and not Path(options.table).is_file():
        print(f"skipped: no table of accuracies at {options.table}")
        return 0
    begun = time.monotonic()
    found = Kept(options.cells, code_of(options), resume=options.resume)
    optima = next((row["optima"] for row in found.rows if "optima" in row), {})
    if not set(optima or options.targets) >= set(options.targets):
        optima = {}
    if optima == {} and not options.best_known:
        optima = references(options)
        found.add({"optima": optima}, "optima")
    search_all(options, found)
    wanted = {tuple(asdict(cell).values()) for cell in cells_of(options)}
    names = list(Cell.__dataclass_fields__)
    rows = [row for row in found.rows if tuple(row.get(name) for name in names) in wanted]
    document = {
        "accuracy": problem(options.space, options.table).accuracy.label,
        **summary(rows, {n: of for n, of in optima.items() if of is not None} if optima else None),
    }
    print(markdown({options.space: document}))
    if options.save:
        save(options, document, time.monotonic() - begun)
    return 0


def search_all(options: argparse.Namespace, found: Kept) -> None:
    """Search the cells that are not kept yet, and keep each when it is done."""
    names = list(Cell.__dataclass_fields__)
    done = {tuple(row.get(name) for name in names) for row in found.rows}
    left = [cell for cell in cells_of(options) if tuple(asdict(cell).values()) not in done]
    for count, row in enumerate(_rows(options, left), 1):
        found.add(row, row["controller"])
        words = " ".join(str(row[name]) for name in names)
        best = row["climbs"][-1][1] if row["climbs"] else "none within the targets"
        print(f"{count}/{len(left)} {words}: {best}", file=sys.stderr, flush=True)


def _rows(options: argparse.Namespace, cells: list[Cell]) -> Iterator[dict[str, Any]]:
    if options.workers == 1:
        yield from (run(cell, options.table) for cell in cells)
        return
    os.environ.update(ONE_THREAD)
    with ProcessPoolExecutor(
        options.workers,
        get_context("spawn"),
        numba.set_num_threads,
        (1,),
        max_tasks_per_child=SEARCHES_OF_A_PROCESS,
    ) as pool:
        for done in as_completed([pool.submit(run, cell, options.table) for cell in cells]):
            yield done.result()


def save(options: argparse.Namespace, document: dict[str, Any], seconds: float) -> None:
    """Put the space's tables into the results, beside those of other spaces."""
    kept_ones = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    asked = {
        name: getattr(options, name)
        for name in (
            "space",
            "first_seed",
            "seeds",
            "trials",
            "controllers",
            "strategies",
            "targets",
        )
    }
    made = manifest(
        "benchmarks/regret.py", asked, seed=0, threads=options.workers, wall_seconds=seconds
    )
    write_text(RESULTS, json_text({**kept_ones, options.space: {"run": made, **document}}))


def arguments() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--space", default="mnasnet")
    parser.add_argument("--table", help="measured accuracies of macro; skipped where not there")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument(
        "--first-seed",
        type=int,
        default=100,
        help="seeds below 100 are those that hyperparameters were chosen on",
    )
    parser.add_argument("--trials", type=int, nargs="+", default=[Search.trials])
    parser.add_argument("--controllers", nargs="+", default=list(CONTROLLERS))
    parser.add_argument("--strategies", nargs="+", default=list(COMPARED), choices=COMPARED)
    parser.add_argument("--targets", nargs="+", default=list(TARGETS), choices=TARGETS)
    parser.add_argument("--no-soft", action="store_true", help="leave missed targets out")
    parser.add_argument("--best-known", action="store_true", help="do not compute the optimum")
    parser.add_argument("--workers", type=int, default=1, help="processes, each of one thread")
    parser.add_argument("--cells", type=Path, help="where finished searches are kept")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--save", action="store_true", help=f"write {RESULTS.name}")
    parser.add_argument("--markdown", action="store_true", help="print what was saved")
    options = parser.parse_args()
    options.cells = options.cells or RESULTS.with_name(f"regret_{options.space}.jsonl")
    return options


if __name__ == "__main__":
    sys.exit(main())
