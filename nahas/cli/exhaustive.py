"""`nahas cosearch --exhaustive`: every design costed, and what is true of all."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nahas.cli.options import use_workers
from nahas.cli.output import Output
from nahas.errors import UsageError

if TYPE_CHECKING:
    from rich.table import Table

    from nahas.exact.answer import Answer
    from nahas.problem import Search
    from nahas.report.exact import Told

EXIT_NOTHING_FEASIBLE = 3
ANSWER_FILE = "exact.json"

UNFIT = ("resume", "dry_run", "time_limit", "trackers", "cost_model", "pareto")
"""Options that mean nothing where every design is costed."""

METRICS = {
    "accuracy": "accuracy",
    "latency": "latency_ms",
    "energy": "energy_mj",
    "area": "area_mm2",
}
"""What `--front` may name, and the metric that is meant."""


def exhaustive(out: Output, search: Search, options: dict[str, Any]) -> int:
    """Cost every design of the space, and write and print what is true of all."""
    from nahas.exact.answer import exact_answer
    from nahas.exact.every import check_costed
    from nahas.problem import problem_of
    from nahas.report.exact import Told
    from nahas.strategies import reward_and_baseline

    folder = _folder(options)
    _check(folder, options)
    objectives = _objectives(options["front"])
    problem = problem_of(search)
    check_costed(problem)
    reward, baseline = reward_and_baseline(problem, search)
    started = time.monotonic()
    total = problem.joint.space.size
    out.say(f"costing {total:,} designs into {folder}")
    with out.progress("costing", total) as progress:
        answer = exact_answer(
            problem,
            [reward],
            objectives,
            best=search.best,
            progress=lambda done, _: progress.update(done),
        )
    told = Told(problem, baseline, answer)
    files = _written(told, folder, options, time.monotonic() - started)
    out.show({**told.document(), "files": files}, _table(told), *_lines(told, folder))
    if not answer.optima[0].satisfied:
        out.say("no design meets every target, and every design was costed: raise a target")
        return EXIT_NOTHING_FEASIBLE
    return 0


def _folder(options: dict[str, Any]) -> Path:
    space = options["space"].rpartition(":")[2]
    folder: Path = options["run_dir"] or Path("runs") / f"{space}-exact"
    return folder


def _check(folder: Path, options: dict[str, Any]) -> None:
    """Refuse options that contradict, and a folder with an answer."""
    for name in UNFIT:
        if options[name]:
            option = "--" + name.replace("_", "-").removesuffix("s")
            raise UsageError(
                f"{option} means nothing with --exhaustive, which costs every design at once: "
                "leave one of them out"
            )
    if options["strategy"] != "joint":
        raise UsageError(
            f"--strategy {options['strategy']} means nothing with --exhaustive, which costs every "
            "design of the joint space: leave one of them out"
        )
    if (folder / ANSWER_FILE).exists() and not options["force"]:
        raise UsageError(
            f"{folder} holds an exact answer already: replace it with --force, or name another "
            "--run-dir"
        )


def _objectives(text: str) -> tuple[str, ...]:
    from nahas.exact.front import check_objectives

    names = [name.strip() for name in text.split(",")]
    unknown = [name for name in names if name not in METRICS]
    if unknown:
        raise UsageError(
            f"--front names '{unknown[0]}', but a front is of two or more of {', '.join(METRICS)}"
        )
    objectives = tuple(METRICS[name] for name in names)
    check_objectives(objectives)
    return objectives


def _written(told: Told, folder: Path, options: dict[str, Any], wall_seconds: float) -> list[Path]:
    from nahas.files import json_text, write_text
    from nahas.manifest import manifest
    from nahas.report.exact import front_csv, write_front_figure

    made = manifest(
        "cosearch",
        options,
        seed=options["seed"],
        threads=use_workers(options["workers"]),
        wall_seconds=wall_seconds,
    )
    files = write_front_figure(told, folder)
    texts = {
        ANSWER_FILE: json_text(told.document()),
        "front.csv": front_csv(told),
        "manifest.json": json_text(made),
    }
    for name, text in texts.items():
        write_text(folder / name, text)
        files.append(folder / name)
    return files


def _table(told: Told) -> Table:
    from nahas.report.table import table_of

    optimum = told.answer.optima[0]
    return table_of(optimum.best, told.baseline, told.targets)


def _lines(told: Told, folder: Path) -> list[str]:
    """What is said below the table."""
    answer: Answer = told.answer
    of = answer.optima[0]
    rate = of.designs / answer.seconds
    within = "earn as much as the first within every target" if of.satisfied else "earn as much"
    return [
        f"accuracy: {told.accuracy_label}",
        f"every design was costed: {of.designs:,} ({rate:,.0f}/s, {answer.seconds:.0f} s), "
        f"by {of.pairs:,} mappings of a layer on an accelerator",
        f"{of.feasible:,} can run, {of.satisfied:,} of them meet every target, "
        f"{of.ties:,} {within}",
        f"{answer.checked:,} drawn at random were simulated one by one as well and agree",
        f"Pareto front of {', '.join(answer.front.objectives)}: {len(answer.front):,} designs",
        f"answer: {folder / ANSWER_FILE}, front: {folder / 'front.csv'}, "
        f"picture: {folder / 'front.png'}",
    ]
