"""`nahas simulate`: one network on one accelerator, layer by layer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nahas.cli.cosearch import EXIT_NOTHING_FEASIBLE
from nahas.cli.options import (
    announce_compilation,
    command,
    export_option,
    hardware_option,
    mapspace,
    objective_option,
    space_options,
    tables_option,
    use_workers,
    workers_option,
    write_export,
)
from nahas.cli.output import Output

if TYPE_CHECKING:
    from nahas.network import Network


@command(
    "simulate",
    examples=(
        "nahas simulate mobilenet-v2",
        "nahas simulate resnet-50 --hardware edgetpu-v3 --objective energy --space full",
        "nahas simulate mobilenet-v2 --hardware my_accelerator.yaml --fusion",
        "nahas simulate my_model.onnx --hardware my_accelerator.yaml --json",
        "nahas simulate resnet-50 --cost-model layers.keras",
        "nahas simulate mobilenet-v2 --export timeloop:mobilenet-v2-timeloop",
    ),
)
@click.argument("network")
@hardware_option
@objective_option
@space_options
@click.option(
    "--fusion",
    is_flag=True,
    help="Run inverted bottlenecks tile by tile, expand to project on chip, where that is better.",
)
@click.option(
    "--cost-model",
    metavar="FILE.keras",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Print what this model of layers predicts too: nahas train-costmodel --level layer.",
)
@tables_option
@workers_option
@export_option
def simulate(out: Output, *, network: str, hardware: str, **options: Any) -> int:
    """Simulate NETWORK, a built-in name or a .keras, .onnx or .tflite file, on an accelerator.

    Built in are mobilenet-v2, mobilenet-v3-large, mobilenet-edgetpu, efficientnet-b0,
    efficientnet-b1, efficientnet-b2, efficientnet-b3, efficientnet-edgetpu-s,
    efficientnet-edgetpu-m, efficientnet-edgetpu-l, autoseg-edgetpu-xs, autoseg-edgetpu-s,
    autoseg-edgetpu-m and resnet-50; a network that a search has printed is one too, as
    macro:22212220, with the file before it where the space is one's own.

    Prints for every layer its shape, work, cycles, what bounds it, which of its activations stay
    on chip, its utilisation, its energy by component and its mapping; then the totals. Exits with
    3 when a layer cannot be mapped.
    """
    from nahas.cli.layer_costmodel import predicted_lines
    from nahas.energy import load_tables
    from nahas.hardware import hardware_from
    from nahas.interop.export import points_of
    from nahas.report.network import layers_table, mappings_text, network_document, totals_table
    from nahas.simulate import simulate as simulated
    from nahas.vocabulary import Objective, Reason

    described, further = network_from(out, network)
    accelerator, folder = hardware_from(hardware), options["tables"]
    own = load_tables(folder) if folder else None
    use_workers(options["workers"])
    announce_compilation(out)
    objective = Objective[options["objective"].upper()]
    space = mapspace(options)
    cost = simulated(described, accelerator, objective, own, fusion=options["fusion"], space=space)
    if options["export"]:
        further |= write_export(out, points_of(cost, own), options["export"])
    predicted, lines = predicted_lines(cost, options)
    out.show(
        network_document(cost) | further | predicted,
        layers_table(cost),
        mappings_text(cost),
        totals_table(cost),
        *lines,
    )
    if options["fusion"] and not any(layer.fused for layer in cost.layers):
        out.say("fusion: no group of layers is better fused here")
    return 0 if cost.reason is Reason.OK else EXIT_NOTHING_FEASIBLE


def network_from(out: Output, text: str) -> tuple[Network, dict[str, Any]]:
    """The network of a built-in name, or of a model file; of that also what became of operators."""
    from nahas.interop.models import KERAS_SUFFIXES, SUFFIXES, read_model
    from nahas.networks import named
    from nahas.spaces.from_file import in_file

    path = Path(text)
    if in_file(text.rpartition(":")[0]):
        return named(text), {}
    suffixes = (*SUFFIXES, *KERAS_SUFFIXES)
    if path.suffix not in suffixes and len(path.parts) == 1 and not path.is_file():
        return named(text), {}
    reading = read_model(path)
    out.say(str(reading))
    return reading.network, {"operators": reading.document()}
