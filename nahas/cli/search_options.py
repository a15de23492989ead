"""The options that say what `nahas cosearch` searches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from nahas.cli.options import seconds

F = TypeVar("F", bound=Callable[..., Any])

DOWNLOAD = "download"
"""What `--table` says instead of a path to get the published table."""


def search_options(function: F) -> F:
    """What to search, for what, and for how long."""
    for option in reversed([*_what_options(), *_reward_options(), *_how_options()]):
        function = option(function)
    return function


def with_absolute_paths(options: dict[str, Any]) -> dict[str, Any]:
    """The options with every file and folder that is read named from the root.

    So a run's saved options mean the same when it is resumed from another folder.
    """
    from nahas.hardware import PRESETS
    from nahas.spaces.from_file import absolute

    names = ("table", "tables", "cost_model", "baseline")
    table, tables, cost_model, baseline = (options[name] for name in names)
    files: dict[str, Any] = {"space": absolute(options["space"])}
    if table is not None and table != DOWNLOAD:
        files["table"] = str(Path(table).absolute())
    if tables is not None:
        files["tables"] = Path(tables).absolute()
    if cost_model is not None:
        files["cost_model"] = Path(cost_model).absolute()
    if baseline not in PRESETS and Path(baseline).is_file():
        files["baseline"] = str(Path(baseline).absolute())
    return options | files


def _what_options() -> list[Callable[[F], F]]:
    return [
        click.option(
            "--space",
            metavar="NAME|FILE.py:NAME",
            default="mnasnet",
            show_default=True,
            help="The network space, or one of your own in a file.",
        ),
        click.option(
            "--hardware-space",
            default="paper",
            show_default=True,
            help="The accelerators: 'paper', or 'wide', where some cannot run some networks.",
        ),
        click.option(
            "--table",
            metavar="PATH|download",
            help="Measured accuracies of the space's networks, instead of predicted ones; "
            "'download' gets the published table.",
        ),
        click.option(
            "--cost-model",
            metavar="FILE.keras",
            type=click.Path(dir_okay=False, path_type=Path),
            help="A model of 'nahas train-costmodel' to search by, instead of the simulator, which "
            "then checks the best designs.",
        ),
        click.option(
            "--trials",
            "--max-trials",
            metavar="N",
            type=click.IntRange(min=1),
            default=2500,
            show_default=True,
            help="Designs to try, over the whole study.",
        ),
        click.option(
            "--time-limit", metavar="TIME", type=seconds, help="Stop after this: 90, 5m, 2h."
        ),
    ]


def _reward_options() -> list[Callable[[F], F]]:
    return [
        _target("latency", "ms", "1x"),
        _target("energy", "mJ", "none"),
        _target("area", "mm2", "1x"),
        click.option(
            "--baseline",
            metavar="PRESET|FILE",
            default="edge-baseline",
            show_default=True,
            help="The accelerator that targets like 0.8x are multiples of.",
        ),
        click.option(
            "--reward",
            default="hard",
            show_default=True,
            help="'hard' pays nothing below a target, 'soft' always trades.",
        ),
        click.option(
            "--reward-p", type=float, help="Exponent where a target is met, instead of --reward's."
        ),
        click.option(
            "--reward-q", type=float, help="Exponent where it is missed, instead of --reward's."
        ),
    ]


def _how_options() -> list[Callable[[F], F]]:
    return [
        click.option(
            "--controller",
            default="ppo",
            show_default=True,
            help="Who proposes: ppo, random, or a plug-in.",
        ),
        click.option(
            "--batch",
            metavar="N",
            type=click.IntRange(min=1),
            default=20,
            show_default=True,
            help="Designs between two lessons of the controller.",
        ),
    ]


def _target(metric: str, unit: str, default: str) -> Callable[[F], F]:
    return click.option(
        f"--{metric}",
        metavar="LIMIT",
        default=default,
        show_default=True,
        help=f"Most {metric} allowed, in {unit}, or like 0.8x of the baseline's, or none.",
    )
