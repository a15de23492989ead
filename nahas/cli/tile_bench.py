"""`nahas tile-bench`: how fast the mapper is, and whether it finds the optimum."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from nahas.cli.options import (
    announce_compilation,
    command,
    objective_option,
    seed_option,
    workers_option,
)
from nahas.cli.output import Output, table

if TYPE_CHECKING:
    from nahas.tile_bench import TileBench


@command(
    "tile-bench",
    examples=(
        "nahas tile-bench",
        "nahas tile-bench --pairs 10000 --verify 200 --json",
        "nahas tile-bench --workers 1 --objective edp",
    ),
)
@click.option(
    "--pairs",
    metavar="N",
    type=click.IntRange(min=1),
    default=1_000_000,
    show_default=True,
    help="Layer and accelerator pairs to map.",
)
@click.option(
    "--verify",
    metavar="N",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Pairs to check by enumerating every mapping, loop by loop.",
)
@objective_option
@workers_option
@seed_option
def tile_bench(
    out: Output, *, pairs: int, verify: int, objective: str, workers: int | None, seed: int
) -> int:
    """Map random layers on random accelerators and print pairs and mappings per second.

    Compilation is timed apart. With --verify, exits with 1 when a pair was not solved at its
    optimum.
    """
    from nahas.tile_bench import run
    from nahas.vocabulary import Objective

    announce_compilation(out)
    found = run(
        pairs, seed=seed, objective=Objective[objective.upper()], threads=workers, verify=verify
    )
    told = _document(found)
    shown = {**told, "optimal": found.optimal}
    rows = [(name.replace("_", " "), _text(value)) for name, value in shown.items()]
    out.show(told, table(("what", ">measured"), rows))
    return 1 if found.mismatches else 0


def _document(found: TileBench) -> dict[str, Any]:
    """The JSON document, without its header: docs/json.md explains the keys."""
    return {
        "pairs_per_second": found.pairs_per_second,
        "mappings_per_second": found.mappings_per_second,
        "pairs": found.pairs,
        "threads": found.threads,
        "objective": found.objective.name.lower(),
        "optimal": found.optimal is True,  # not known is not proven
        "verified": found.verified,
        "mismatches": found.mismatches,
        "infeasible": found.infeasible,
        "compile_seconds": round(found.compile_s, 3),
        "mapspace_mean": found.mapspace_mean,
        "mapspace_max": found.mapspace_max,
        "distinct_layers": found.distinct_layers,
        "distinct_accelerators": found.distinct_accelerators,
        "seed": found.seed,
    }


def _text(value: object) -> str:
    if value is None:
        return "not verified"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
