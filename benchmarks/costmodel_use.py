"""Is a learned cost model worth having, where the simulator can be had?

First designs per second of both, on the same designs. Then searches by both from the same seeds:
the true reward, latency and energy of the design that each ends with, the designs that the model
promised to be within every target and are not, and where the time goes. Last, in words, which of
the two is the better choice by these numbers, unless they are too few to tell: a sign test over
the seeds says so, for which at least 6 that all agree are needed.

Without `--model` a small one is trained first, which shows that the script runs and nothing else.
`--save` writes the rows to results/costmodel_use.json.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import comb
from pathlib import Path
from statistics import fmean, median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from nahas.cost import DesignCosts
from nahas.costmodel.features import features
from nahas.costmodel.model import CostModel
from nahas.costmodel.predicted import load_for
from nahas.manifest import manifest, usable_cores
from nahas.problem import Problem, Search, problem_of
from nahas.spaces.simulated import simulate_choices
from nahas.spaces.space import ChoiceArray
from nahas.strategies import SearchResult, searched
from nahas.vocabulary import Objective

RESULTS = Path(__file__).parent / "results" / "costmodel_use.json"
SPEEDS = "{:<44} {:>12} {:>14}"
SEARCHES = "{:>4} {:>9} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>14}"

MEASURES = ("accuracy", "latency_ms", "energy_mj", "area_mm2")

CHANCE = 0.05
"""Probability below which more wins than losses are not laid to chance."""

WORTH = 0.05
"""Share of a search's time that a model must save to be worth its training."""

Row = dict[str, Any]
Costs = Callable[[ChoiceArray], DesignCosts]


def main() -> None:
    """Run both comparisons."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, help="the .keras file; without it, a small one")
    parser.add_argument("--space", default=Search.space)
    parser.add_argument("--samples", type=int, default=2000, help="of the small model")
    parser.add_argument("--epochs", type=int, default=10, help="of the small model")
    parser.add_argument("--designs", type=int, default=200_000, help="to predict")
    parser.add_argument("--simulated", type=int, default=20_000, help="of these, to simulate")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--trials", type=int, default=Search.trials)
    parser.add_argument("--save", action="store_true", help=f"write {RESULTS.name}")
    options = parser.parse_args()
    begun = time.perf_counter()
    with TemporaryDirectory() as folder:
        path = options.model or small_model(Path(folder) / "small.keras", options)
        search = Search(space=options.space, trials=options.trials, best=5, cost_model=path)
        problems = {
            "simulator": problem_of(replace(search, cost_model=None)),
            "model": problem_of(search),
        }
        model = load_for(path, problems["model"].joint, Objective.LATENCY)
    rates = speeds(model, options.designs, options.simulated, options.rounds)
    rows = searches(problems, search, options.seeds)
    words = verdict(rows, rates, model.card.samples)
    print("", *words, sep="\n")
    if options.save:
        given = {name: value for name, value in vars(options).items() if name != "save"}
        run = manifest(
            "benchmarks/costmodel_use.py",
            given | {"model": options.model and options.model.name},
            seed=0,
            threads=usable_cores(),
            wall_seconds=time.perf_counter() - begun,
        )
        content = {
            "run": run,
            "model": {"weights_sha256": model.card.weights_sha256, "samples": model.card.samples},
            "accuracy": problems["simulator"].accuracy.label,
            "per_second": rates,
            "searches": rows,
            "words": words,
        }
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(content, indent=2) + "\n")


def small_model(path: Path, options: argparse.Namespace) -> Path:
    """Train a model that is too small to say anything about its kind."""
    from nahas.cli.main import run

    numbers = ("--samples", str(options.samples), "--epochs", str(options.epochs))
    code = run(
        ["train-costmodel", "--space", options.space, *numbers, "--output", str(path), "--quiet"]
    )
    if code:
        raise SystemExit(code)
    return path


def per_second(work: Callable[[], Any], count: int, rounds: int) -> float:
    """Median rate of `count` designs, after a round that is not counted."""
    work()
    taken = []
    for _ in range(rounds):
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return count / median(taken)


def speeds(model: CostModel, designs: int, simulated: int, rounds: int) -> dict[str, float]:
    """Designs per second of the model and of the simulator, in large batches and in a search's."""
    import tensorflow as tf

    joint, batch = model.joint, Search.batch
    choices = joint.space.sample(designs, np.random.default_rng(0))
    few, some = choices[:batch], choices[:simulated]
    keras_call = tf.function(lambda rows: model.keras_model(rows, training=False))
    told = tf.constant(features(joint, choices[: min(designs, 8192)]))
    rates = {
        "predicted": per_second(lambda: model.predict(choices), designs, rounds),
        "keras_call": per_second(lambda: keras_call(told), len(told), 10 * rounds),
        "simulated": per_second(lambda: simulate_choices(joint, some), len(some), rounds),
        "predicted_in_batches_of_a_search": per_second(
            lambda: model.predict(few), batch, 20 * rounds
        ),
        "simulated_in_batches_of_a_search": per_second(
            lambda: simulate_choices(joint, few), batch, 20 * rounds
        ),
    }
    print(f"{usable_cores()} cores, space {joint.space.name}, medians of {rounds} rounds")
    print(SPEEDS.format("", "designs/s", "x simulator"))
    for name, text, beside in (
        ("predicted", f"model, from choices, {designs:,} at once", "simulated"),
        ("keras_call", f"model, from features, {len(told):,} at once", "simulated"),
        ("simulated", f"simulator, {len(some):,} at once", "simulated"),
        ("predicted_in_batches_of_a_search", f"model, {batch} at once", None),
        ("simulated_in_batches_of_a_search", f"simulator, {batch} at once", None),
    ):
        base = rates[beside or "simulated_in_batches_of_a_search"]
        print(SPEEDS.format(text, f"{rates[name]:,.0f}", f"{rates[name] / base:.1f}"))
    return rates


@dataclass
class Timed:
    """A problem whose costs are asked with a watch in hand."""

    problem: Problem
    seconds: float = 0.0

    def watched(self) -> Problem:
        """The problem; whatever tells its costs adds to `seconds`."""
        predict = self.problem.predict and self._watched(self.problem.predict)
        return replace(self.problem, cost=self._watched(self.problem.cost), predict=predict)

    def _watched(self, tell: Costs) -> Costs:
        def told(choices: ChoiceArray) -> DesignCosts:
            begun = time.perf_counter()
            costs = tell(choices)
            self.seconds += time.perf_counter() - begun
            return costs

        return told


def searches(problems: dict[str, Problem], search: Search, seeds: int) -> list[Row]:
    """A row for each seed and way to know costs."""
    for problem in problems.values():
        searched(problem, replace(search, trials=search.batch))  # compiles and traces
    print(f"\n{search.trials} trials each; rewards and costs are simulated; 'broken' designs were")
    print("predicted to be within every target and are not")
    heading = ("seed", "costs by", "reward", "targets", "%", "ms", "mJ", "search s", "costs s")
    print(SEARCHES.format(*heading, "broken"))
    rows = []
    for seed in range(seeds):
        for name, problem in problems.items():
            timed = Timed(problem)
            result = searched(timed.watched(), replace(search, seed=seed))
            rows.append(searched_row(result, name, timed.seconds))
            print_search(rows[-1])
    return rows


def searched_row(result: SearchResult, name: str, cost_seconds: float) -> Row:
    """What a search ended with, in truth."""
    best, again = result.best[0] if result.best else None, result.true
    promised = result.trials.satisfied[np.searchsorted(result.trials.number, again.number)]
    return {
        "seed": result.seed,
        "costs_by": name,
        "network": best and best.network,
        "hardware": best and dict(best.hardware),
        "reward": best.reward if best else 0.0,
        "satisfied": best is not None and best.satisfied,
        **{name: best and getattr(best, name) for name in MEASURES},
        "seconds": result.seconds,
        "cost_seconds": cost_seconds,
        "distinct": len(np.unique(result.trials.choices, axis=0)),
        "simulated_again": 0 if result.simulated is None else len(again),
        "promised": int(promised.sum()),
        "broken": int((promised & ~again.satisfied).sum()),
    }


def print_search(row: Row) -> None:
    """Print a search under the heading."""
    broken = f"{row['broken']} of {row['promised']}" if row["simulated_again"] else "-"
    print(
        SEARCHES.format(
            row["seed"],
            row["costs_by"],
            f"{row['reward']:.3f}",
            "met" if row["satisfied"] else "missed",
            *("-" if row[name] is None else f"{row[name]:.3f}" for name in MEASURES[:3]),
            f"{row['seconds']:.1f}",
            f"{row['cost_seconds']:.2f}",
            broken,
        ),
        flush=True,
    )


def sign_test(won: int, lost: int) -> float:
    """Probability of wins at least as uneven, either way, if both sides were equally good."""
    count = won + lost
    tail = sum(comb(count, k) for k in range(min(won, lost) + 1)) / 2**count
    return min(1.0, 2 * tail)


def verdict(rows: list[Row], rates: dict[str, float], samples: int) -> list[str]:
    """Which is the better choice, in words that follow from the numbers."""
    true, guessed = ([r for r in rows if r["costs_by"] == by] for by in ("simulator", "model"))
    mean = {
        name: [fmean(float(row[name]) for row in part) for part in (true, guessed)]
        for name in ("reward", "seconds", "cost_seconds", "distinct")
    }
    pairs = list(zip(true, guessed, strict=True))
    lost = sum((b["satisfied"], b["reward"]) < (a["satisfied"], a["reward"]) for a, b in pairs)
    won = sum((b["satisfied"], b["reward"]) > (a["satisfied"], a["reward"]) for a, b in pairs)
    promised, broken = (sum(row[name] for row in guessed) for name in ("promised", "broken"))
    saved = mean["cost_seconds"][0] - mean["cost_seconds"][1]
    labels = samples / rates["simulated"]
    words = [
        f"Costs take {mean['cost_seconds'][0]:.2f} s of a search's {mean['seconds'][0]:.1f} s "
        f"by the simulator, for {mean['distinct'][0]:,.0f} distinct designs, and "
        f"{mean['cost_seconds'][1]:.2f} s of {mean['seconds'][1]:.1f} s by the model, simulating "
        "again included; the rest is the controller.",
        f"The final design is truly better by the simulator under {lost} of {len(pairs)} seeds, by "
        f"the model under {won}; mean reward {mean['reward'][0]:.3f} and {mean['reward'][1]:.3f}.",
        f"Of {promised} designs that the model promised to be within every target and that were "
        f"simulated again, {broken} are not.",
        f"Labelling the model's {samples:,} samples takes the simulator {labels:.1f} s, before any "
        "training.",
    ]
    if saved < WORTH * mean["seconds"][0]:
        why = f"the model saves {max(saved, 0):.2f} s of {mean['seconds'][0]:.1f} s"
        return [*words, f"The simulator is the better choice here: {why}."]
    pays = (
        f"{saved:.2f} s less for costs repay the labels alone after {labels / saved:.0f} searches"
    )
    chance = sign_test(won, lost)
    if chance >= CHANCE:
        found = f"Neither is shown to find better designs (sign test p = {chance:.2f})"
    else:
        better = "simulator" if lost > won else "model"
        found = f"The {better} finds the better designs (sign test p = {chance:.3f})"
    return [*words, f"{found}; {pays}."]


if __name__ == "__main__":
    main()
