"""`nahas validate`: our figures beside those of other tools, simulated RTL and real devices."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from nahas.cli.options import command
from nahas.cli.output import Output, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType
    from rich.table import Table

    from nahas.validate import Validation


_KINDS = {"cases": "FILE", "peers": "FILE", "dpu": "FOLDER", "rtl": "FOLDER", "devices": "FOLDER"}
"""What each option is given."""


@command(
    "validate",
    examples=(
        "nahas validate --cases timeloop_cases.json",
        "nahas validate --cases timeloop_cases.json --verbose",
        "nahas validate --cases timeloop_cases.json --json",
        "nahas validate --peers peer_workload.json",
        "nahas validate --dpu accel-nasbench",
        "nahas validate --rtl gemmini-rtl",
        "nahas validate --devices edge-devices",
        "nahas validate --sister",
    ),
)
@click.option(
    "--cases",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A JSON file of reference cases: layer, mapping and what Timeloop counts.",
)
@click.option(
    "--peers",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A JSON file of layers and accelerators: our optimum beside the best of other mappers.",
)
@click.option(
    "--dpu",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder of Accel-NASBench: simulated latency beside that of two FPGA accelerators.",
)
@click.option(
    "--rtl",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder of DOSA's Gemmini data: predicted cycles beside those of simulated RTL, and our "
    "counts beside Timeloop's rows.",
)
@click.option(
    "--architectures",
    metavar="N",
    type=click.IntRange(min=0),
    default=6,
    show_default=True,
    help="With --rtl: architectures of the Timeloop rows, drawn with a fixed seed; 0 takes all.",
)
@click.option(
    "--devices",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder of layer lists and latencies: simulated beside measured on Edge TPUs.",
)
@click.option(
    "--sister",
    is_flag=True,
    help="Latencies over all 50,000 accelerators beside those released for a sister space.",
)
def validate(out: Output, *, architectures: int, sister: bool, **given: Path | None) -> int:
    """Compare with Timeloop, other mappers, simulated RTL, measured devices or a sister space.

    One comparison at a time, by the option that names its data. docs/trust.md and docs/peers.md
    explain what each of them shows, and where the data is from.

    --cases compares access counts, energies and cycles with Timeloop's, case by case: exits with 1
    when any number differs or a mapping does not fit the given array. A case that needs what is
    not modelled, a transfer between neighbouring PEs, is refused by name; with nothing but such
    cases it exits with 2. With --verbose every number is shown.

    --peers exits with 1 where another mapper is better, and --sister where ratios between
    networks are off by more than 25 %. The others print how far apart figures are, and exit
    with 0.
    """
    from nahas.errors import UsageError

    chosen = [(name, path) for name, path in given.items() if path is not None]
    if len(chosen) + sister != 1:
        options = ", ".join(f"--{name} {kind}" for name, kind in _KINDS.items())
        raise UsageError(f"give one of {options} and --sister")
    if sister:
        from nahas.cli.devices import show_sister

        return show_sister(out)
    name, path = chosen[0]
    if name == "peers":
        from nahas.cli.peers import show_peers

        return show_peers(out, path)
    if name == "dpu":
        from nahas.cli.dpu import show_dpus

        return show_dpus(out, path)
    if name == "rtl":
        from nahas.cli.rtl import show_rtl

        return show_rtl(out, path, architectures)
    if name == "devices":
        from nahas.cli.devices import show_devices

        return show_devices(out, path)
    return _show_cases(out, path)


def _show_cases(out: Output, cases: Path) -> int:
    from nahas.errors import InteropError
    from nahas.validate import Verdict
    from nahas.validate import validate as validated

    found = validated(cases)
    out.show(
        found.document(), _overview(found), *_details(found, out.verbosity > 0), _totals(found)
    )
    if found.number(Verdict.REFUSED) == len(found.comparisons):
        raise InteropError(f"{cases}: every case is refused, so nothing was compared")
    return 1 if found.number(Verdict.DIFFERS) else 0


def _overview(found: Validation) -> Table:
    rows = []
    for made in found.comparisons:
        verdict = f"refused: {made.reason}" if made.reason else str(made.verdict)
        energy = next((q for q in made.quantities if q.name == "energy_pj"), None)
        ours = f"{energy.ours:,.1f}" if energy else None
        expected = f"{energy.expected:,.1f}" if energy else None
        compared = len(made.quantities)
        rows.append(
            (made.case, made.layer, compared, len(made.differences), ours, expected, verdict)
        )
    columns = ("case", "layer", ">numbers", ">differ", ">pJ", ">expected pJ", "verdict")
    return table(columns, rows)


def _details(found: Validation, everything: bool) -> Iterator[RenderableType]:
    """Tables of every number, or of those that differ, and what else is to be said of a case."""
    for made in found.comparisons:
        numbers = made.quantities if everything else made.differences
        if numbers:
            rows = [
                (q.name, f"{q.ours:,}", f"{q.expected:,}", "" if q.agrees else "differs")
                for q in numbers
            ]
            title = f"{made.case}: {made.mapping}"
            yield table(("number", ">ours", ">expected", ""), rows, title=title)
        yield from (f"does not fit: {made.case}: {misfit}" for misfit in made.misfits)
        yield from (f"note: {made.case}: {remark}" for remark in made.remarks)
        if everything and made.not_compared:
            yield f"note: {made.case}: not compared: {', '.join(made.not_compared)}"


def _totals(found: Validation) -> str:
    totals = found.document()["totals"]
    text = ", ".join(f"{number} {ending}" for ending, number in totals.items())
    passed_over = sum(len(made.not_compared) for made in found.comparisons)
    return f"{text}; {passed_over} numbers given but not compared" if passed_over else text
