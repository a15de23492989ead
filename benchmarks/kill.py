"""Is a search that was killed the one that never was? kill -9 at random moments, again and again.

Each search runs in a process of its own, which asks before every batch. A life ends at a trial
that the seed draws and, there, at a random moment of the batch: while the controller proposes or
learns, while designs are simulated, or while SQLite writes. Some lives end sooner, while the
process starts. The last life goes on to the end, and its trials, its best designs and its
controller are compared, bit for bit, with those of one unbroken process. Exits with 1 unless all
are equal. `--save` writes the rows to results/kill.json.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from nahas.manifest import manifest, usable_cores
from nahas.problem import Search, problem_of
from nahas.result import recall
from nahas.strategies import searched
from nahas.study.store import Study
from nahas.study.trials import Trials

RESULTS = Path(__file__).parent / "results" / "kill.json"
ROW = "{:<12} {:>6} {:>9} {:>9} {:>7} {:>7}"
SEARCHES = {
    "ppo": {"controller": "ppo"},
    "reinforce": {"controller": "reinforce"},
    "random": {"controller": "random"},
    "phase": {"controller": "reinforce", "strategy": "phase"},
    "ahead": {"controller": "ppo", "ahead": 2},
    "pareto": {"controller": "evolution", "pareto": True},
}
"""What is killed, by a name: options of `Search`."""

WHILE_STARTING = 0.15
"""The share of lives that end before their first batch."""


@dataclass
class Lives:
    """What became of the lives of a search.

    Attributes:
        starting: how many ended before their first batch.
        lost: trials that were told of, then not found in the study; there must be none.
        again: trials that were under way when the process died, and are proposed again.
        start_s: how long processes took to ask for their first batch.
        batch_s: how long the last batches took.
    """

    starting: int = 0
    lost: int = 0
    again: int = 0
    start_s: list[float] = field(default_factory=list)
    batch_s: deque[float] = field(default_factory=lambda: deque(maxlen=5))


def run_searched(options: dict[str, Any]) -> None:
    """Search, in a process that will be killed; before each batch, tell and ask."""

    def tell(trials: Trials) -> None:
        print(int(trials.number[-1]) + 1, flush=True)
        sys.stdin.readline()

    search = Search(**{**options, "study": Path(options["study"])})
    problem = problem_of(search)
    print("ready", flush=True)
    sys.stdin.readline()
    searched(problem, search, tell)
    print("over", flush=True)


def killed(search: Search, until: int, moment: float, lives: Lives) -> None:
    """One life: up to so many trials, and dead at `moment`, from 0 to 1, of what comes next."""
    told = _kept(search)
    begun = time.monotonic()
    process = _process(replace(search, resume=told is not None))
    assert process.stdout
    if until < 0 and lives.start_s:
        time.sleep(moment * lives.start_s[-1])
        lives.starting += 1
    else:
        _line(process)
        lives.start_s.append(time.monotonic() - begun)
        before = time.monotonic()
        while (told or 0) < until:
            _go_on(process)
            told = int(_line(process))
            now = time.monotonic()
            lives.batch_s.append(now - before)
            before = now
        _go_on(process)
        time.sleep(moment * (float(np.median(lives.batch_s)) if lives.batch_s else 0.1))
    process.send_signal(signal.SIGKILL)
    rest = process.communicate()[0].split()
    assert process.returncode == -signal.SIGKILL, process.returncode
    told = int(rest[-1]) if rest and rest[-1].isdigit() else told
    kept = _kept(search)
    lives.lost += max(0, (told or 0) - (kept or 0))
    lives.again += search.batch if (kept or 0) == (told or 0) and until >= 0 else 0


def compared(search: Search, kills: int, folder: Path) -> dict[str, Any]:
    """Kill a search so often, let it end, and compare it with an unbroken one."""
    rng = np.random.default_rng([search.seed, kills])
    broken = replace(search, study=folder / "broken.db")
    lives = Lives()
    moments = np.sort(rng.integers(1, search.trials - search.batch, kills))
    for number, until in enumerate(moments.tolist()):
        starting = number > 0 and rng.random() < WHILE_STARTING
        killed(broken, -1 if starting else until, rng.random(), lives)
    _to_the_end(replace(broken, resume=_kept(broken) is not None))
    unbroken = replace(search, study=folder / "unbroken.db")
    _to_the_end(unbroken)
    equal = {
        "trials": _same_trials(broken, unbroken),
        "best": _best(broken) == _best(unbroken),
        "controller": _same_state(broken, unbroken),
    }
    return {
        "kills": kills,
        "while_starting": lives.starting,
        "lost_trials": lives.lost,
        "proposed_again": lives.again,
        "equal": equal,
    }


def _to_the_end(search: Search) -> None:
    process = _process(search)
    while _line(process) != "over":
        _go_on(process)
    process.communicate()


def _process(search: Search) -> subprocess.Popen[str]:
    changed = {
        f.name: getattr(search, f.name)
        for f in fields(Search)
        if getattr(search, f.name) != f.default
    }
    options = json.dumps({**changed, "study": str(search.study)})
    return subprocess.Popen(
        [sys.executable, __file__, "--life", options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"the search ended by itself, with {process.wait()}")
    return line.strip()


def _go_on(process: subprocess.Popen[str]) -> None:
    assert process.stdin
    process.stdin.write("\n")
    process.stdin.flush()


def _kept(search: Search) -> int | None:
    """How many trials the study holds; None where there is no study yet."""
    assert search.study
    if not search.study.exists():
        return None
    with Study.read(search.study) as study:
        return len(study.trials())


def _same_trials(a: Search, b: Search) -> bool:
    both = []
    for search in (a, b):
        assert search.study
        with Study.read(search.study) as study:
            both.append(study.trials())
    return all(
        getattr(both[0], f.name).tobytes() == getattr(both[1], f.name).tobytes()
        for f in fields(Trials)
        if f.name != "time"
    )


def _best(search: Search) -> object:
    assert search.study
    return recall(search.study, 10).best


def _same_state(a: Search, b: Search) -> bool:
    both = []
    for search in (a, b):
        assert search.study
        with Study.read(search.study) as study:
            kept = study.state()
            assert kept
            both.append((kept[0], {name: part.tobytes() for name, part in kept[1].items()}))
    return both[0] == both[1]


def main() -> int:
    """Run the kill test."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--life", help=argparse.SUPPRESS)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--searches", nargs="+", choices=SEARCHES, default=list(SEARCHES))
    parser.add_argument("--save", action="store_true", help=f"write {RESULTS.name}")
    options = parser.parse_args()
    if options.life:
        run_searched(json.loads(options.life))
        return 0
    begun = time.monotonic()
    print(f"{options.kills} kills over {options.trials} trials, compared bit for bit")
    print(ROW.format("search", "kills", "starting", "again", "lost", "equal"))
    rows = []
    for name in options.searches:
        search = Search(**SEARCHES[name], trials=options.trials, seed=options.seed)
        with tempfile.TemporaryDirectory() as folder:
            row = {"search": name, **compared(search, options.kills, Path(folder))}
        rows.append(row)
        said = "yes" if all(row["equal"].values()) else "NO"
        keys = ("search", "kills", "while_starting", "proposed_again", "lost_trials")
        print(ROW.format(*(row[key] for key in keys), said), flush=True)
    if options.save:
        run = manifest(
            "benchmarks/kill.py",
            {"kills": options.kills, "trials": options.trials},
            seed=options.seed,
            threads=usable_cores(),
            wall_seconds=time.monotonic() - begun,
        )
        RESULTS.write_text(json.dumps({"run": run, "rows": rows}, indent=2) + "\n")
    return 0 if all(all(row["equal"].values()) and not row["lost_trials"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
