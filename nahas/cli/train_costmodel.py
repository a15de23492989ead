"""`nahas train-costmodel`: learn the simulator's costs of a joint space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import click

from nahas.cli.options import (
    command,
    objective_option,
    seconds,
    seed_option,
    tables_option,
    use_workers,
    workers_option,
)
from nahas.cli.output import Output, Ticker, table
from nahas.errors import UsageError

if TYPE_CHECKING:
    from rich.table import Table

    from nahas.costmodel.card import Card
    from nahas.costmodel.held_out import Errors
    from nahas.costmodel.logs import Progress
    from nahas.costmodel.recipe import Recipe
    from nahas.costmodel.train import Labelled

SAMPLES = 20_000

HEADS = {
    "log_latency_ms": "latency",
    "log_energy_mj": "energy",
    "log_area_mm2": "area",
}


def units(text: str | tuple[int, ...]) -> tuple[int, ...]:
    """Read the units of hidden layers, given like 256,256,256."""
    if not isinstance(text, str):
        return text
    try:
        read = tuple(int(part) for part in text.split(","))
    except ValueError:
        read = ()
    if not read or min(read) < 1:
        raise click.BadParameter(f"'{text}' are no layers: give their units, like 256,256,256")
    return read


@command(
    "train-costmodel",
    examples=(
        "nahas train-costmodel",
        "nahas train-costmodel --space s1 --samples 500000 --data s1.parquet --output s1.keras",
        "nahas train-costmodel --members 3 --time-limit 15m --output three.keras",
        "nahas train-costmodel --space macro --samples 5000 --output macro.keras --json",
        "nahas train-costmodel --level layer --samples 500000 --epochs 30 --output layers.keras",
    ),
)
@click.option(
    "--level",
    type=click.Choice(["design", "layer"]),
    default="design",
    show_default=True,
    help="Learn designs of one space, or layers, which serve any network.",
)
@click.option(
    "--space",
    metavar="NAME|FILE.py:NAME",
    default="mnasnet",
    show_default=True,
    help="The network space, or one of your own in a file.",
)
@click.option("--hardware-space", default="paper", show_default=True, help="The accelerators.")
@click.option(
    "--samples",
    type=click.IntRange(min=40),
    help=f"Designs to draw and simulate.  [default: {SAMPLES}, or what --data holds]",
)
@click.option(
    "--data",
    metavar="FILE.parquet",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Read the samples from this file; where it is not there, write them to it first.",
)
@click.option("--label-only", is_flag=True, help="Write --data and train nothing.")
@click.option(
    "--epochs",
    type=click.IntRange(min=1),
    default=60,
    show_default=True,
    help="Passes over the training designs, at most.",
)
@click.option(
    "--hidden",
    metavar="UNITS,...",
    type=units,
    default="256,256,256",
    show_default=True,
    help="Units of the hidden layers.",
)
@click.option(
    "--dropout",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.0,
    show_default=True,
    help="Share of hidden units left out of a training step.",
)
@click.option(
    "--members",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Models of an ensemble, whose disagreement is the uncertainty of a prediction.",
)
@click.option(
    "--validity",
    type=click.Choice(["auto", "required", "off"]),
    default="auto",
    show_default=True,
    help="Whether to predict if a design can run: where some samples cannot, always, or never.",
)
@click.option(
    "--time-limit",
    metavar="TIME",
    type=seconds,
    help="Learn for at most so long, like 90s, 15m; the learning rate falls to 0 by then, so "
    "results depend on the machine's speed.",
)
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "gpu"]),
    default="auto",
    show_default=True,
    help="Where to learn; auto is a GPU where TensorFlow sees one.",
)
@click.option(
    "--tensorboard",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write every epoch for TensorBoard too; it always goes to a CSV file beside --output.",
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("costmodel.keras"),
    show_default=True,
    help="Where the model goes; its card goes beside it, ending in .json.",
)
@click.option(
    "--worst",
    metavar="N",
    type=click.IntRange(0, 20),
    default=0,
    show_default=True,
    help="Print the N worst held-out designs and what may be the reason; the card has 20.",
)
@click.option("--resume", is_flag=True, help="Go on with a run that was broken off.")
@click.option(
    "--force", is_flag=True, help="Replace what is at --output: the model, its card and its log."
)
@objective_option
@tables_option
@workers_option
@seed_option
def train_costmodel(out: Output, /, **options: Any) -> None:
    """Train a Keras model of the simulator and print its error on held-out designs.

    The model gives latency, energy and area of networks of --space on accelerators of
    --hardware-space. Errors are on designs held out at random, on accelerators and on networks
    that no training design has.

    With --level layer it gives latency and energy of any network on the paper's accelerators:
    --samples are pairs of a layer and an accelerator, 500,000 by default, and errors are on the
    built-in networks, whose layers it does not learn from, and on networks of every space.
    """
    from nahas.cli.layer_costmodel import train_layers
    from nahas.costmodel.train import Run, labelled, train
    from nahas.energy import load_tables
    from nahas.spaces.accelerator import accelerator_space
    from nahas.spaces.joint import JointSpace
    from nahas.spaces.named import named

    use_workers(options["workers"])
    if options["level"] == "layer":
        return train_layers(out, options)
    started = perf_counter()
    joint = JointSpace(named(options["space"]), accelerator_space(options["hardware_space"]))
    tables = load_tables(options["tables"]) if options["tables"] else None
    recipe, output = _recipe(options), options["output"]
    run = Run(
        output=output,
        resume=options["resume"],
        replace=options["force"],
        tensorboard=options["tensorboard"],
        device=options["device"],
    )
    if not options["label_only"]:
        run.check()
    elif options["data"] is None:
        raise UsageError("--label-only writes samples to a file: give --data FILE.parquet as well")
    with ExitStack() as stack:
        progress = _progress(out, stack)
        try:
            data = labelled(
                joint,
                recipe,
                tables=tables,
                file=options["data"],
                resume=options["resume"],
                progress=progress,
            )
            _check_samples(options, data)
            if options["label_only"]:
                stack.close()
                return _show_samples(out, data, options["data"])
            model = train(joint, recipe, data=data, tables=tables, progress=progress, run=run)
        except KeyboardInterrupt:
            out.say("interrupted; continue with the same command and --resume")
            raise
    model.save(output)
    _show(out, model.card, options, perf_counter() - started)
    return None


def _recipe(options: Mapping[str, Any]) -> Recipe:
    from nahas.costmodel.recipe import Recipe
    from nahas.vocabulary import Objective

    return Recipe(
        samples=options["samples"] or SAMPLES,
        seed=options["seed"],
        objective=Objective[options["objective"].upper()],
        members=options["members"],
        validity=options["validity"],
        hidden=options["hidden"],
        dropout=options["dropout"],
        epochs=options["epochs"],
        time_limit_s=options["time_limit"],
    )


def _check_samples(options: Mapping[str, Any], data: Labelled) -> None:
    if options["samples"] not in (None, len(data.samples)):
        raise UsageError(
            f"{options['data']}: holds {len(data.samples):,} samples, but --samples is "
            f"{options['samples']:,}: leave --samples out, or name another file"
        )


def _progress(out: Output, stack: ExitStack) -> Progress:
    """Progress that shows one bar per kind of work, one after the other."""
    bars: dict[str, Ticker] = {}

    def tell(what: str, done: int, total: int, note: str) -> None:
        if what not in bars:
            stack.close()  # takes the bar of the work before this away
            bars[what] = stack.enter_context(out.progress(what, total))
        bars[what].update(done, note)

    return tell


def _show_samples(out: Output, data: Labelled, file: Path) -> None:
    samples = data.samples
    can_run = int((samples.reason == 0).sum())
    out.show(
        {
            "origin": asdict(data.origin),
            "samples": len(samples),
            "feasible": can_run,
            "split_sizes": {name: len(rows) for name, rows in vars(data.parts).items()},
            "data": file,
        },
        f"{can_run:,} of {len(samples):,} designs can run",
        f"samples: {file}",
    )


def _show(out: Output, card: Card, options: Mapping[str, Any], seconds: float) -> None:
    from nahas.costmodel.logs import log_path

    output = options["output"]
    document = {**asdict(card), "model": output, "wall_seconds": round(seconds, 3)}
    del document["schema_version"]  # the card's own; the document has its own
    epochs = ", ".join(str(row["epoch"]) for row in card.best_epochs)
    out.show(
        document,
        f"{card.feasible:,} of {card.samples:,} designs can run; "
        f"{card.split_sizes['train']:,} to learn from; best epoch {epochs}; "
        f"seed {options['seed']}; {seconds:.0f} s",
        errors_table(card.errors),
        *_validity_lines(card),
        *worst_lines(card.worst[: options["worst"]]),
        f"model: {output}, with its card beside it; every epoch: {log_path(output)}",
    )


def errors_table(errors: Errors) -> Table:
    """The errors of the costs, a row for each split and cost."""
    columns = ("held out", "cost", ">MAPE %", ">median %", ">within 10 %", ">Spearman", ">Kendall")
    measures = {"mape": 2, "median": 2, "within_10": 1, "spearman": 4, "kendall": 4}
    rows = [
        (part, name, *(_number(heads[head][key], digits) for key, digits in measures.items()))
        for part, heads in errors.items()
        for head, name in HEADS.items()
    ]
    return table(columns, rows)


def _validity_lines(card: Card) -> list[str]:
    told = [
        f"validity, {part}: AUC {_number(heads['validity']['auc'], 5)}, "
        f"{_number(heads['validity']['accuracy'], 2)} % right"
        for part, heads in card.errors.items()
        if "validity" in heads
    ]
    return told or [f"validity: {card.validity}"]


def worst_lines(cases: Sequence[Mapping[str, Any]]) -> list[str]:
    """The worst held-out designs: how far off, what may be the reason, and what they are."""
    told = []
    for case in cases:
        reasons = [f"{case['training_rows_on_accelerator']} training designs on its accelerator"]
        if case["latency_share"]:
            shares = (f"{name} {share:.0%}" for name, share in case["latency_share"].items())
            reasons.append(f"cycles: {', '.join(shares)}")
        told.append(
            f"{case['error_percent']:+.1f} % {case['cost']} ({case['split']}): "
            f"{case['predicted']:.4g} for {case['true']:.4g}; {'; '.join(reasons)}"
        )
        told += [
            f"    {part}: " + ", ".join(f"{name} {value}" for name, value in case[part].items())
            for part in ("hardware", "network")
        ]
    return told


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
