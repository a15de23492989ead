"""Search together, on a fixed accelerator, and one half after the other, with the same budget.

All three share trials, reward, targets and seeds; they differ in what is open, and when. The
accuracy is predicted by the packaged surrogate, and a few seeds of few trials are an
illustration: benchmarks/regret.py compares with many.

Run: python examples/compare_strategies.py [TRIALS [SEEDS]]
"""

import sys
from statistics import median

from nahas.strategies import Search, SearchResult, joint

STRATEGIES = ("joint", "fixed-accelerator", "phase")


def found(strategy: str, trials: int, seed: int) -> SearchResult:
    """A search of one strategy: a quick network within the baseline's area."""
    return joint(
        Search(strategy=strategy, latency="0.7x", area="1x", trials=trials, batch=10, seed=seed)
    )


def main(trials: int, seeds: int) -> None:
    """Print for each strategy how good its best designs are, and one of them."""
    print(f"{trials} trials, seeds 0 to {seeds - 1}; best design of each search")
    print(f"{'strategy':18} {'reward, median':>14} {'lowest':>7} {'within the targets':>18}")
    for strategy in STRATEGIES:
        results = [found(strategy, trials, seed) for seed in range(seeds)]
        best = [result.best[0] for result in results if result.best]
        if not best:
            print(f"{strategy:18} nothing feasible")
            continue
        rewards = [design.reward for design in best]
        within = f"{sum(design.satisfied for design in best)} of {seeds}"
        print(f"{strategy:18} {median(rewards):14.2f} {min(rewards):7.2f} {within:>18}")
    print(f"accuracy is {results[0].accuracy_label}")


if __name__ == "__main__":
    main(
        int(sys.argv[1]) if len(sys.argv) > 1 else 400,
        int(sys.argv[2]) if len(sys.argv) > 2 else 3,
    )
