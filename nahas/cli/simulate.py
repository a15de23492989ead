"""`nahas simulate`: one network on one accelerator, layer by layer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from nahas.cli.cosearch import EXIT_NOTHING_FEASIBLE
from nahas.cli.options import (
    announce_compilation,
    command,
    hardware_option,
    objective_option,
    tables_option,
    use_workers,
    workers_option,
)
from nahas.cli.output import Output

if TYPE_CHECKING:
    from nahas.network import Network


@command(
    "simulate",
    examples=(
        "nahas simulate mobilenet-v2",
        "nahas simulate resnet-50 --hardware edgetpu-v3 --objective energy",
        "nahas simulate mobilenet-v2 --hardware my_accelerator.yaml --fusion",
        "nahas simulate my_model.keras --hardware my_accelerator.yaml --json",
    ),
)
@click.argument("network")
@hardware_option
@objective_option
@click.option(
    "--fusion",
    is_flag=True,
    help="Run inverted bottlenecks tile by tile, expand to project on chip, where that is better.",
)
@tables_option
@workers_option
def simulate(
    out: Output,
    *,
    network: str,
    hardware: str,
    objective: str,
    fusion: bool,
    tables: Path | None,
    workers: int | None,
) -> int:
    """Simulate NETWORK, a built-in name or a .keras file, on an accelerator.

    Prints for every layer its shape, work, cycles, what bounds it, which of its activations stay
    on chip, its utilisation, its energy by component and its mapping; then the totals. Exits with
    3 when a layer cannot be mapped.
    """
    from nahas.energy import load_tables
    from nahas.hardware import hardware_from
    from nahas.report.network import layers_table, mappings_text, network_document, totals_table
    from nahas.simulate import simulate as simulated
    from nahas.vocabulary import Objective, Reason

    described, accelerator = network_from(network), hardware_from(hardware)
    use_workers(workers)
    announce_compilation(out)
    cost = simulated(
        described,
        accelerator,
        Objective[objective.upper()],
        load_tables(tables) if tables else None,
        fusion=fusion,
    )
    out.show(
        network_document(cost),
        layers_table(cost),
        mappings_text(cost),
        totals_table(cost),
    )
    return 0 if cost.reason is Reason.OK else EXIT_NOTHING_FEASIBLE


def network_from(text: str) -> Network:
    """The network that a user names: a built-in name, or the path of a Keras file."""
    from nahas.interop.keras_in import read_keras
    from nahas.networks import named

    path = Path(text)
    if path.suffix in (".keras", ".h5", ".hdf5") or len(path.parts) > 1 or path.is_file():
        return read_keras(path)
    return named(text)
