"""Hypervolume that each controller reaches in Pareto mode, beside as many random draws.

    python benchmarks/pareto.py --trials 1000 --seeds 3

Prints one row per controller: the mean over seeds, the lowest and the highest, the mean number of
designs on the front, and under how many seeds it beats random draws of the same seed; fails
unless every controller does under every seed. Hypervolumes are what docs/searching.md defines.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace

import numpy as np

from nahas.pareto import Front
from nahas.problem import Search, problem_of
from nahas.strategies import searched

CONTROLLERS = ("random", "local", "reinforce", "evolution", "ppo", "nsga2")


def main() -> int:
    """Search with every controller under every seed, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--space", default="mnasnet")
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--controllers", default=",".join(CONTROLLERS))
    given = parser.parse_args()
    search = Search(space=given.space, trials=given.trials, pareto=True)
    problem = problem_of(search)

    def front(controller: str, seed: int) -> Front:
        found = searched(problem, replace(search, controller=controller, seed=seed)).front
        assert found is not None
        return found

    drawn = [front("random", seed).hypervolume for seed in range(given.seeds)]
    print("| controller | mean | lowest | highest | on the front | beats random |")
    print("| --- | --- | --- | --- | --- | --- |")
    won = True
    for controller in given.controllers.split(","):
        fronts = [front(controller, seed) for seed in range(given.seeds)]
        volumes = np.array([found.hypervolume for found in fronts])
        wins = int((volumes > drawn).sum())
        won &= wins == given.seeds or controller == "random"
        print(
            f"| {controller} | {volumes.mean():.3f} | {volumes.min():.3f} | {volumes.max():.3f} "
            f"| {np.mean([len(found.rows) for found in fronts]):.0f} "
            f"| {wins} of {given.seeds} |",
            flush=True,
        )
    return 0 if won else 1


if __name__ == "__main__":
    sys.exit(main())
