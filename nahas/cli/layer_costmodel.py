"""The model of layers on the command line: trained, and beside the simulator."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict
from time import perf_counter
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from nahas.cli.output import Output, Ticker, table
from nahas.errors import UsageError

if TYPE_CHECKING:
    from rich.table import Table

    from nahas.costmodel.held_out import Errors
    from nahas.simulate import NetworkCost

OF_DESIGNS = (
    "space",
    "hardware_space",
    "data",
    "label_only",
    "dropout",
    "members",
    "validity",
    "time_limit",
    "tensorboard",
    "worst",
    "resume",
)
"""Options of `nahas train-costmodel` that mean nothing with `--level layer`."""

COSTS = {"log_latency_ms": "latency", "log_energy_mj": "energy"}


def train_layers(out: Output, options: Mapping[str, Any]) -> None:
    """Train a model of layers with the options of `nahas train-costmodel`, and show its errors."""
    from nahas.children.device import on_device
    from nahas.costmodel.layerwise import LayerRecipe, train
    from nahas.costmodel.model import check_output
    from nahas.energy import load_tables
    from nahas.vocabulary import Objective

    for name in OF_DESIGNS:
        if _is_given(name):
            raise UsageError(
                f"--{name.replace('_', '-')} is for models of designs: leave it, or --level, out"
            )
    started, output = perf_counter(), options["output"]
    check_output(output, replace=options["force"])
    sizes = {"pairs": options["samples"]} if options["samples"] else {}
    sizes |= {"epochs": options["epochs"]} if _is_given("epochs") else {}
    recipe = LayerRecipe(
        **sizes,
        seed=options["seed"],
        hidden=options["hidden"],
        objective=Objective[options["objective"].upper()],
    )
    tables = load_tables(options["tables"]) if options["tables"] else None
    bars: dict[str, Ticker] = {}
    with ExitStack() as stack, on_device(options["device"]):

        def tell(what: str, done: int, total: int) -> None:
            if what not in bars:
                stack.close()  # takes the bar of the work before this away
                bars[what] = stack.enter_context(out.progress(what, total))
            bars[what].update(done)

        model = train(recipe, tables=tables, progress=tell)
    model.save(output)
    seconds = perf_counter() - started
    document = {**asdict(model.card), "model": output, "wall_seconds": round(seconds, 3)}
    del document["schema_version"]  # the card's own; the document has its own
    out.show(
        document,
        f"{model.card.pairs:,} pairs of a layer and an accelerator to learn from; "
        f"seed {recipe.seed}; {seconds:.0f} s",
        _errors_table(model.card.errors),
        f"model: {output}, with its card beside it",
    )


def _is_given(name: str) -> bool:
    """Whether the user gave an option on the command line."""
    source = click.get_current_context().get_parameter_source(name)
    return source == ParameterSource.COMMANDLINE


def _errors_table(errors: Errors) -> Table:
    rows = [
        (part, name, f"{heads[head]['mape']:.2f}", f"{heads[head]['within_10']:.1f}")
        for part, heads in errors.items()
        for head, name in COSTS.items()
    ]
    return table(("never seen", "cost", ">MAPE %", ">within 10 %"), rows)


def predicted_lines(
    cost: NetworkCost, options: Mapping[str, Any]
) -> tuple[dict[str, float], list[str]]:
    """What the model of `--cost-model` says of a simulated network: fields, and lines to print.

    Raises:
        UsageError: when the model has learned another objective, space or fusion.
        CostModelError: when it cannot be read, or has not learned this simulator or such layers.
    """
    file = options["cost_model"]
    if file is None:
        return {}, []
    from nahas.costmodel.layerwise import load
    from nahas.energy import load_tables

    model = load(file, load_tables(options["tables"]) if options["tables"] else None)
    learned = {"objective": model.card.objective, "space": "dataflows", "fusion": False}
    for name, value in learned.items():
        if options[name] != value:
            what = "layers without fusion" if name == "fusion" else f"{name} {value}"
            raise UsageError(f"{file} has learned {what}: leave out --{name} or --cost-model")
    predicted = [float(of[0]) for of in model.predict([cost.network], [cost.hardware])]
    told = [
        f"{value:.4g} {unit} ({value / true - 1:+.1%})"
        for value, true, unit in zip(
            predicted, (cost.latency_ms, cost.energy_mj), ("ms", "mJ"), strict=True
        )
    ]
    fields = dict(zip(("predicted_latency_ms", "predicted_energy_mj"), predicted, strict=True))
    return fields, [f"cost model: {', '.join(told)}"]
