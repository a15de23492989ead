"""`nahas studies`: list studies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from nahas.cli.options import command
from nahas.cli.output import Output, table

if TYPE_CHECKING:
    from nahas.report.studies import Listed

SORTS = ("path", "space", "strategy", "controller", "seed", "trials", "best_reward", "begun")
"""`nahas.report.studies.SORTS`, which help need not import."""

COLUMNS = (
    "study",
    "space",
    "strategy, controller",
    ">seed",
    ">trials",
    ">meet every\ntarget",
    ">best\nreward",
    "state",
    "begun (UTC)",
    ">size",
)


@command(
    "studies",
    examples=(
        "nahas studies",
        "nahas studies runs --sort best_reward",
        "nahas studies /data/searches --json",
    ),
)
@click.argument("folder", default=".", type=click.Path(path_type=Path))
@click.option(
    "--sort",
    type=click.Choice([name.replace("_", "-") for name in SORTS]),
    default="path",
    show_default=True,
    help="Order; trials, rewards and times from the greatest.",
)
@click.option("--reverse", is_flag=True, help="The other way round.")
def studies(out: Output, *, folder: Path, sort: str, reverse: bool) -> int:
    """List the studies below FOLDER: what each searches, how far it is, and whether it goes on.

    A study is 'running' while a process writes it, 'finished' when its search came to its end,
    and else 'interrupted': nahas cosearch --resume continues it. What cannot be read is named with
    the reason.
    """
    from nahas.files import plain
    from nahas.report.studies import studies as found_below

    found, unreadable = found_below(folder, sort.replace("-", "_"))
    if reverse:
        found.reverse()
    for of in unreadable:
        out.warn(f"{of.path} cannot be read: {of.reason}")
    volumes = any(of.hypervolume is not None for of in found)
    columns = [*COLUMNS, *([">hyper-\nvolume"] if volumes else [])]
    out.show(
        {"folder": folder, "studies": [plain(of) for of in found], "unreadable": plain(unreadable)},
        table(columns, [_row(of, volumes) for of in found])
        if found
        else f"no studies below '{folder}': nahas cosearch makes one",
    )
    return 0


def _row(of: Listed, volumes: bool) -> list[str]:
    from nahas.report.provenance import when

    wanted = f" of {of.wanted:,}" if of.wanted and of.wanted > of.trials else ""
    running = f"running, process {of.pid or 'unknown'}"
    row = [
        str(of.path),
        f"{of.space}, {of.hardware_space}",
        f"{of.strategy}, {of.controller}",
        str(of.seed),
        f"{of.trials:,}{wanted}",
        f"{of.satisfied:,}",
        "" if of.best_reward is None else f"{of.best_reward:.2f}",
        running if of.state == "running" else of.state,
        when(of.begun).removesuffix(" UTC"),
        f"{of.bytes / 1e6:.1f} MB",
    ]
    volume = "" if of.hypervolume is None else f"{of.hypervolume:.3g}"
    return [*row, volume] if volumes else row
