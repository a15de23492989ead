"""How long does it take to cost every design of a space, and what is true of all of them?

With `--table` all 6,561 networks of space macro with their measured accuracies; without, some
networks of the default space with the packaged surrogate. Prints designs costed per second, the
mappings that were solved for them, the optimum for several targets, the size of the front, and
that designs drawn at random cost what the simulator says. `--save` writes results/exact.json.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from nahas.exact.answer import Answer, exact_answer
from nahas.manifest import manifest, usable_cores
from nahas.problem import Problem, Search, problem_of
from nahas.reward import Reward
from nahas.spaces.joint import JointSpace
from nahas.spaces.listed import listed
from nahas.spaces.named import named
from nahas.spaces.simulated import simulate_choices
from nahas.spaces.space import Decision, Space
from nahas.strategies import reward_and_baseline

RESULTS = Path(__file__).parent / "results" / "exact.json"
ROW = "{:<34} {:>8} {:>9} {:>12} {:>9}  {}"

TARGETS = (
    {"latency": "1x", "area": "1x"},
    {"latency": "0.5x", "area": "1x"},
    {"latency": "0.5x", "area": "0.1x"},
    {"latency": "1x", "energy": "0.5x", "area": "1x"},
    {"latency": "1x", "area": "1x", "reward": "soft"},
    {"latency": "1x", "area": "1x", "reward": "absolute"},
)
"""Options of `nahas cosearch` of which the optimum is told; targets that are not named are none."""


class Renamed:
    """Accuracies of some networks of a space, given those of the space."""

    def __init__(self, problem: Problem, some: Any) -> None:
        self._problem, self._some = problem, some
        self.label = problem.accuracy.label

    def accuracy(self, choices: np.ndarray) -> np.ndarray:
        """Accuracy in percent [B] of choices [B, 1] of networks in the list."""
        names = [self._some.network_name(self._some.space.values(row)) for row in choices]
        space = self._problem.joint.network_space
        return self._problem.accuracy.accuracy(np.array([space.choice_named(n) for n in names]))


def few(problem: Problem, networks: int, values: int) -> Problem:
    """Some networks of the problem's space on accelerators of so many values of each decision."""
    joint = problem.joint
    if networks:
        whole = joint.network_space
        drawn = whole.space.sample(2 * networks, np.random.default_rng(0))
        reference = whole.network_name(whole.space.values(problem.reference))
        names = [reference, *(whole.network_name(whole.space.values(of)) for of in drawn)]
        some = listed(whole, list(dict.fromkeys(names))[:networks])
        accuracy = Renamed(problem, some)
        problem = replace(problem, accuracy=accuracy, reference=some.choice_named(reference))
        joint = JointSpace(some, joint.accelerator)
    if values:
        decisions = (Decision(d.name, d.values[:values]) for d in joint.accelerator.decisions)
        accelerators = Space(joint.accelerator.name, tuple(decisions))
        joint = JointSpace(joint.network_space, accelerators)
    cost = partial(simulate_choices, joint, objective=problem.objective, tables=problem.tables)
    return replace(problem, joint=joint, cost=cost)


def rewards_of(problem: Problem, search: Search) -> list[Reward]:
    """The rewards of `TARGETS`."""
    none = {"latency": None, "energy": None, "area": None}
    searches = [replace(search, **{**none, **options}) for options in TARGETS]
    return [reward_and_baseline(problem, of)[0] for of in searches]


def rows_of(answer: Answer) -> list[dict[str, Any]]:
    """A row for each of `TARGETS`."""
    rows = []
    for options, of in zip(TARGETS, answer.optima, strict=True):
        best = of.optimum
        rows.append(
            {
                "options": options,
                "satisfied": of.satisfied,
                "ties": of.ties,
                "reward": best.reward if best else None,
                "highest_reward": of.highest.reward if of.highest else None,
                "network": best.network if best else None,
                "hardware": dict(best.hardware) if best else None,
            }
        )
    return rows


def print_rows(rows: list[dict[str, Any]]) -> None:
    """Print the optima."""
    print(ROW.format("targets", "optimum", "highest", "within", "ties", "network"))
    for row in rows:
        options = " ".join(f"{name} {value}" for name, value in row["options"].items())
        reward, highest = (f"{row[name] or 0:.3f}" for name in ("reward", "highest_reward"))
        cells = (options, reward, highest, f"{row['satisfied']:,}", f"{row['ties']:,}")
        print(ROW.format(*cells, row["network"]))


def main() -> int:
    """Cost every design, and print what is true of all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", type=Path, help="the published table of space macro")
    parser.add_argument("--networks", type=int, default=20, help="without --table: how many")
    parser.add_argument("--values", type=int, default=0, help="of each hardware decision; 0: all")
    parser.add_argument("--checked", type=int, default=20_000)
    parser.add_argument("--save", action="store_true", help=f"write {RESULTS.name}")
    options = parser.parse_args()
    search = Search(space="macro" if options.table else Search().space, table=options.table)
    networks = 0 if options.table else options.networks
    problem = few(problem_of(search), networks, options.values)
    # Compiles what is compiled once.
    exact_answer(few(problem_of(Search()), 2, 1), [Reward(())], checked=1)
    begun = time.process_time()
    answer = exact_answer(problem, rewards_of(problem, search), checked=options.checked)
    processor_seconds = time.process_time() - begun
    first = answer.optima[0]
    print(f"{named(search.space).name}: {first.designs:,} designs, {problem.accuracy.label}")
    print(
        f"{answer.seconds:.1f} s ({processor_seconds:.1f} s of processor time) with "
        f"{usable_cores()} cores, {first.designs / answer.seconds:,.0f} designs/s; "
        f"{first.pairs:,} mappings of a layer on an accelerator"
    )
    print(
        f"{answer.checked:,} designs simulated one by one: latency and area equal to the last "
        f"bit, energy to {answer.energy_difference:.1e}"
    )
    print(f"front of {', '.join(answer.front.objectives)}: {len(answer.front):,} designs")
    rows = rows_of(answer)
    print_rows(rows)
    if options.save:
        told = {
            "designs": first.designs,
            "seconds": answer.seconds,
            "processor_seconds": processor_seconds,
            "designs_per_second": first.designs / answer.seconds,
            "mapped_pairs": first.pairs,
            "checked": answer.checked,
            "energy_difference": answer.energy_difference,
            "front": len(answer.front),
        }
        asked = {name: str(value) for name, value in vars(options).items() if name != "save"}
        if options.table:
            asked["table"] = options.table.name
        run = manifest(
            "benchmarks/exact.py",
            asked,
            seed=0,
            threads=usable_cores(),
            wall_seconds=answer.seconds,
        )
        document = {"run": run, "accuracy": problem.accuracy.label, **told, "rows": rows}
        RESULTS.write_text(json.dumps(document, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
