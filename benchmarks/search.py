"""Does learning pay? The default search against as many random draws, seed by seed.

Prints one line per seed and exits with 1 unless the learnt search's best design is better than
the best random one under every seed. `--save` writes the rows to results/search.json.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from nahas.designs import distinct_designs
from nahas.manifest import manifest, usable_cores
from nahas.problem import Problem, Search, problem_of
from nahas.strategies import SearchResult, searched
from nahas.study.front import hypervolume

RESULTS = Path(__file__).parent / "results" / "search.json"
ROW = "{:>5} {:>10} {:>10} {:>8} {:>11} {:>8} {:>9} {:>9}"


def samples_to(result: SearchResult, reward: float) -> int | None:
    """Trials until a design within every target earns more than `reward`; None: never."""
    trials = result.trials
    reached = np.flatnonzero(trials.satisfied & (trials.reward > reward))
    return int(reached[0]) + 1 if reached.size else None


def volume(result: SearchResult) -> float:
    """Hypervolume of accuracy (%) and latency (ms) of the designs within the area target.

    The reference is half the baseline's accuracy at twice its latency.
    """
    small = result.trials.area_mm2 <= result.targets.get("area_mm2", np.inf)
    corner = {
        "accuracy": result.baseline.accuracy / 2,
        "latency_ms": 2 * result.baseline.latency_ms,
    }
    return hypervolume(result.trials[small], corner)


def compared(problem: Problem, search: Search) -> dict[str, Any]:
    """One seed's row."""
    learnt = searched(problem, search)
    drawn = searched(problem, replace(search, controller="random"))
    best, rival = learnt.best[0], drawn.best[0]
    better = (best.satisfied, best.reward) > (rival.satisfied, rival.reward)
    return {
        "seed": search.seed,
        "ppo_reward": best.reward,
        "random_reward": rival.reward,
        "better": better,
        "samples_to_random_best": samples_to(learnt, rival.reward),
        "ppo_satisfied": best.satisfied,
        "random_satisfied": rival.satisfied,
        "ppo_distinct": distinct_designs(problem.joint, learnt.trials),
        "hypervolume_ratio": volume(learnt) / volume(drawn),
        "ppo_seconds": learnt.seconds,
        "random_seconds": drawn.seconds,
        "ppo_best": best.network,
        "ppo_hardware": dict(best.hardware),
    }


def print_row(row: dict[str, Any]) -> None:
    """Print a seed's row under the heading."""
    gain = row["ppo_reward"] - row["random_reward"]
    samples = row["samples_to_random_best"] or "never"
    cells = (
        row["seed"],
        f"{row['ppo_reward']:.3f}",
        f"{row['random_reward']:.3f}",
        f"{gain:+.3f}",
        samples,
        f"{row['hypervolume_ratio']:.3f}",
        f"{row['ppo_seconds']:.1f}",
        f"{row['random_seconds']:.1f}",
    )
    print(ROW.format(*cells), flush=True)


def main() -> int:
    """Run the comparison."""
    default = Search()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--trials", type=int, default=default.trials)
    parser.add_argument("--save", action="store_true", help=f"write {RESULTS.name}")
    options = parser.parse_args()
    problem = problem_of(default)
    searched(problem, replace(default, trials=20))  # compiles and traces
    print(f"{options.trials} trials each; reward of the best design, {problem.accuracy.label}")
    print(ROW.format("seed", "ppo", "random", "gain", "to random's", "volume", "ppo s", "random s"))
    rows = []
    for seed in range(options.seeds):
        rows.append(compared(problem, replace(default, seed=seed, trials=options.trials)))
        print_row(rows[-1])
    wins = sum(row["better"] for row in rows)
    print(f"ppo is better under {wins} of {len(rows)} seeds")
    if options.save:
        seconds = sum(row["ppo_seconds"] + row["random_seconds"] for row in rows)
        run = manifest(
            "benchmarks/search.py",
            {"seeds": options.seeds, "trials": options.trials},
            seed=0,
            threads=usable_cores(),
            wall_seconds=seconds,
        )
        RESULTS.parent.mkdir(exist_ok=True)
        document = {"run": run, "accuracy": problem.accuracy.label, "wins": wins, "rows": rows}
        RESULTS.write_text(json.dumps(document, indent=2) + "\n")
    return 0 if wins == len(rows) else 1


if __name__ == "__main__":
    sys.exit(main())
