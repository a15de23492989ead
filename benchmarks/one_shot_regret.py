"""How good are the designs that joint one-shot searches of space macro end with?

    python benchmarks/one_shot_regret.py nas-bench-macro_cifar10.json

results/one_shot_joint.csv has a row for each search, made by

    KERAS_BACKEND=torch nahas train-supernet --space macro --data cifar10 --epochs 12 \
        --latency TARGET --area 1x --policy-learning-rate 1e-3 --seed SEED --json

(2,100 steps of 256 images, 10 searches on one H100; CIFAR-10 was a copy in JPEG). A network's own
accuracy is the published one, of whole trainings alone. Every design of the space is costed, so
the best is known: within the targets, and of all designs that are no slower and no larger than the
one chosen. Prints a row for each search, and the median of each target with its 95 % interval.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
from regret_rows import median_interval

from nahas.exact.optimum import exact_optima
from nahas.problem import Problem, Search, problem_of
from nahas.reward import Reward, Target
from nahas.spaces.space import ChoiceArray

CHOSEN = Path(__file__).parent / "results" / "one_shot_joint.csv"
ROW = "{:<8} {:>4} {:>16} {:>8} {:>8} {:>8} {:>12} {:>16}"


def design_of(problem: Problem, row: dict[str, str]) -> ChoiceArray:
    """The choice [D] of the joint space that a search ended with."""
    network = problem.network(row["network"])
    decisions = problem.joint.accelerator.decisions
    values = {d.name: float(row[d.name]) for d in decisions}
    return np.concatenate([network, problem.joint.accelerator.choice(values)])


def main() -> None:
    """Compare each search's design with the best there is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", type=Path, help="the published table of space macro")
    options = parser.parse_args()
    problem = problem_of(Search(space="macro", table=options.table))
    with CHOSEN.open(newline="") as file:
        rows = list(csv.DictReader(file))
    designs = np.array([design_of(problem, row) for row in rows])
    accuracy, costs = problem.accuracies(designs), problem.cost(designs)
    base = problem.simulate(
        [problem.joint.network_space.network(problem.reference)], [problem.baseline]
    )
    limits = [
        (float(row["latency_target"].rstrip("x")) * base.latency_ms[0], base.area_mm2[0])
        for row in rows
    ]
    own = list(zip(costs.latency_ms, costs.area_mm2, strict=True))
    found = exact_optima(problem, [within(*pair) for pair in [*limits, *own]], best=1)
    optima = [answer.optimum.accuracy if answer.optimum else np.nan for answer in found]
    best, at_its_cost = np.split(np.array(optima), 2)
    print(
        ROW.format(
            "latency", "seed", "network", "ms", "mm2", "alone %", "best within", "at its cost"
        )
    )
    for i, row in enumerate(rows):
        ms, mm2 = (f"{getattr(costs, name)[i]:.4f}" for name in ("latency_ms", "area_mm2"))
        figures = (f"{figure[i]:.2f}" for figure in (accuracy, best, at_its_cost))
        print(ROW.format(row["latency_target"], row["seed"], row["network"], ms, mm2, *figures))
    for target in sorted({row["latency_target"] for row in rows}):
        of = np.array([row["latency_target"] == target for row in rows])
        for words, rival in (("within the targets", best), ("at its cost", at_its_cost)):
            middle, low, high = median_interval((rival - accuracy)[of])
            print(f"latency {target}: the best {words} is {middle} points better ({low} to {high})")


def within(latency_ms: float, area_mm2: float) -> Reward:
    """Accuracy, of what is no slower and no larger."""
    targets = [Target("latency_ms", float(latency_ms)), Target("area_mm2", float(area_mm2))]
    return Reward.preset("hard", targets)


if __name__ == "__main__":
    main()
