"""`nahas train-costmodel`: learn the simulator's costs of a joint space."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import click

from nahas.cli.options import command, seed_option, tables_option, use_workers, workers_option
from nahas.cli.output import Output, Ticker, table

if TYPE_CHECKING:
    from rich.table import Table

    from nahas.costmodel.card import Card, Errors
    from nahas.costmodel.train import Progress

HEADS = {
    "log_latency_ms": "latency",
    "log_energy_mj": "energy",
    "log_area_mm2": "area",
}


@command(
    "train-costmodel",
    examples=(
        "nahas train-costmodel",
        "nahas train-costmodel --space macro --samples 5000 --output macro.keras --json",
    ),
)
@click.option("--space", default="mnasnet", show_default=True, help="The network space.")
@click.option(
    "--samples",
    type=click.IntRange(min=20),
    default=20_000,
    show_default=True,
    help="Designs to draw and simulate.",
)
@click.option(
    "--epochs",
    type=click.IntRange(min=1),
    default=60,
    show_default=True,
    help="Passes over the training designs.",
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("costmodel.keras"),
    show_default=True,
    help="Where the model goes; its card goes beside it, ending in .json.",
)
@click.option("--force", is_flag=True, help="Replace the model at --output.")
@tables_option
@workers_option
@seed_option
def train_costmodel(
    out: Output, *, force: bool, output: Path, workers: int | None, **options: object
) -> None:
    """Train a Keras model of the simulator and print its error on held-out designs.

    The model gives latency, energy and area of networks of --space on the 50,000 accelerators.
    Errors are on designs held out at random, and on whole datapaths (PEs, SIMD units and
    lanes) that no training design has.
    """
    from nahas.costmodel.model import check_output

    check_output(output, replace=force)
    use_workers(workers)
    started = perf_counter()
    card = _train(out, output, **options)  # type: ignore[arg-type]  # Click has checked the types
    seconds = perf_counter() - started
    document = {**asdict(card), "model": output, "wall_seconds": round(seconds, 3)}
    del document["schema_version"]  # the card's own; the document has its own
    out.show(
        document,
        f"{card.feasible:,} of {card.samples:,} designs can run; "
        f"{card.split_sizes['train']:,} to learn from; seed {card.seed}; {seconds:.0f} s",
        _table(card.errors),
        f"model: {output}, with its card beside it",
    )


def _train(
    out: Output,
    output: Path,
    *,
    space: str,
    samples: int,
    epochs: int,
    tables: Path | None,
    seed: int,
) -> Card:
    from nahas.costmodel.train import Recipe, train
    from nahas.energy import load_tables
    from nahas.spaces.joint import JointSpace
    from nahas.spaces.named import named

    joint = JointSpace(named(space))
    with ExitStack() as stack:
        model = train(
            joint,
            Recipe(samples=samples, epochs=epochs, seed=seed),
            tables=load_tables(tables) if tables else None,
            progress=_progress(out, stack),
        )
    model.save(output)
    return model.card


def _progress(out: Output, stack: ExitStack) -> Progress:
    """Progress that shows one bar per kind of work, one after the other."""
    bars: dict[str, Ticker] = {}

    def tell(what: str, done: int, total: int) -> None:
        if what not in bars:
            stack.close()  # takes the bar of the work before this away
            bars[what] = stack.enter_context(out.progress(what, total))
        bars[what].update(done)

    return tell


def _table(errors: Errors) -> Table:
    columns = ("held out", "cost", ">MAPE %", ">within 10 %", ">Spearman", ">Kendall")
    rows = [
        (
            part,
            name,
            *(
                "-" if head[measure] is None else f"{head[measure]:.{digits}f}"
                for measure, digits in (
                    ("mape", 2),
                    ("within_10", 1),
                    ("spearman", 4),
                    ("kendall", 4),
                )
            ),
        )
        for part, heads in errors.items()
        for head, name in ((heads[key], HEADS[key]) for key in HEADS)
    ]
    return table(columns, rows)
