"""The options that say what `nahas cosearch` searches."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import click

from nahas.cli.image_options import data_option, image_size_option
from nahas.cli.options import seconds

F = TypeVar("F", bound=Callable[..., Any])

DOWNLOAD = "download"
"""What `--table` says instead of a path to get the published table."""


def search_options(function: F) -> F:
    """What to search, for what, and for how long."""
    groups = (
        _what_options(),
        _accuracy_options(),
        _images_options(),
        _reward_options("hard"),
        _how_options(),
        _worker_options(),
    )
    for option in reversed(list(chain(*groups))):
        function = option(function)
    return function


def with_absolute_paths(options: dict[str, Any]) -> dict[str, Any]:
    """The options with every file and folder that is read named from the root.

    So a run's saved options mean the same when it is resumed from another folder.
    """
    from nahas.hardware import PRESETS
    from nahas.spaces.from_file import absolute

    files: dict[str, Any] = {"space": absolute(options["space"])}
    for name in ("tables", "cost_model", "surrogate", "supernet"):
        if options[name] is not None:
            files[name] = Path(options[name]).absolute()
    table, data = options["table"], options["data"]
    if table is not None and table != DOWNLOAD:
        files["table"] = str(Path(table).absolute())
    if data is not None and Path(data).exists():
        files["data"] = str(Path(data).absolute())
    for name in ("baseline", "accelerator"):
        given = options[name]
        if given is not None and given not in PRESETS and Path(given).is_file():
            files[name] = str(Path(given).absolute())
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
            "--cost-model",
            metavar="FILE.keras",
            type=click.Path(dir_okay=False, path_type=Path),
            help="A model of 'nahas train-costmodel' to search by, instead of the simulator, which "
            "then checks the best designs.",
        ),
        click.option(
            "--pareto",
            is_flag=True,
            help="Search the front of accuracy, latency, energy and area, without targets.",
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


def _accuracy_options() -> list[Callable[[F], F]]:
    """Where accuracies come from: `nahas.accuracy.named.Source`."""
    return [
        click.option(
            "--accuracy",
            metavar="surrogate|table|train|one-shot",
            help="Where accuracies come from: predicted, measured before, measured now by training "
            "each network on --data, or of shared weights.  [default: what the next options speak "
            "of, else the packaged surrogate]",
        ),
        click.option(
            "--surrogate",
            metavar="FILE.npz",
            type=click.Path(dir_okay=False, path_type=Path),
            help="Predicted accuracies of 'nahas fit-surrogate', instead of the packaged ones.",
        ),
        click.option(
            "--table",
            metavar="PATH|download",
            help="Measured accuracies: a CSV file of 'nahas train-child --table', whose networks "
            "alone are searched, or the published table of space macro; 'download' gets that.",
        ),
        click.option(
            "--supernet",
            metavar="FILE.npz",
            type=click.Path(dir_okay=False, path_type=Path),
            help="Shared weights of 'nahas train-supernet'; their accuracy is no stand-alone one.",
        ),
    ]


def _images_options() -> list[Callable[[F], F]]:
    """What networks are trained or measured on, where they are, and for how long."""
    return [
        data_option("Images to train every proposed network on"),
        image_size_option(),
        click.option(
            "--proxy-images",
            metavar="N",
            type=click.IntRange(min=1),
            help="Learn and hold out N images at most.  [default: all]",
        ),
        click.option(
            "--proxy-epochs",
            metavar="N",
            type=click.IntRange(min=1),
            help="Epochs of such a training.  [default: those of the proxy recipe]",
        ),
        click.option(
            "--proxy-halving",
            is_flag=True,
            default=None,
            help="Stop the worse half of a batch's networks early, again and again.",
        ),
    ]


def reward_options(*, reward: str) -> Callable[[F], F]:
    """Targets, the baseline and the reward, `reward` by default."""

    def add(function: F) -> F:
        for option in reversed(_reward_options(reward)):
            function = option(function)
        return function

    return add


def _reward_options(reward: str) -> list[Callable[[F], F]]:
    return [
        _target("latency", "ms", "1x"),
        _target("energy", "mJ", "none"),
        _target("area", "mm2", "1x"),
        _target("parameters", "millions", "none"),
        click.option(
            "--baseline",
            metavar="PRESET|FILE",
            default="edge-baseline",
            show_default=True,
            help="The accelerator that targets like 0.8x are multiples of.",
        ),
        click.option(
            "--reward",
            default=reward,
            show_default=True,
            help="'hard' pays nothing below a target, 'soft' always trades; 'relu' and 'absolute' "
            "add instead of multiplying.",
        ),
        click.option(
            "--reward-p", type=float, help="Exponent where a target is met, instead of --reward's."
        ),
        click.option(
            "--reward-q", type=float, help="Exponent where it is missed, instead of --reward's."
        ),
    ]


def _strategy_options() -> list[Callable[[F], F]]:
    """What is searched together, one after the other, or not at all."""
    return [
        click.option(
            "--strategy",
            metavar="NAME",
            default="joint",
            show_default=True,
            help="What is searched together: joint; fixed-accelerator or fixed-network, the other "
            "alone; phase, the accelerator and then the network; phase-network, the reverse; "
            "one-shot, all with shared weights on --data.",
        ),
        click.option(
            "--network",
            metavar="NAME",
            help="The network that fixed-network keeps and phase sets out from.  [default: the "
            "space's own]",
        ),
        click.option(
            "--accelerator",
            metavar="PRESET|FILE|VALUES",
            help="The accelerator that fixed-accelerator keeps and phase-network sets out from, "
            "or values like pes_x=4,simd_units=32.  [default: --baseline]",
        ),
        click.option(
            "--phase-share",
            metavar="SHARE",
            type=float,
            default=0.5,
            show_default=True,
            help="Share of the trials of the first of two phases.",
        ),
    ]


def _how_options() -> list[Callable[[F], F]]:
    return [
        *_strategy_options(),
        click.option(
            "--controller",
            default="ppo",
            show_default=True,
            help="Who proposes: ppo, reinforce, evolution, local, random; nsga2 and optuna-tpe of "
            "Optuna, pyglove-evolution, or another plug-in.",
        ),
        click.option(
            "--batch",
            metavar="N",
            type=click.IntRange(min=1),
            default=20,
            show_default=True,
            help="Designs between two lessons of the controller.",
        ),
        click.option(
            "--ahead",
            metavar="N",
            type=click.IntRange(min=0),
            default=0,
            show_default=True,
            help="Batches to propose before the lesson of the one before them, so that no worker "
            "waits for it.",
        ),
    ]


def _worker_options() -> list[Callable[[F], F]]:
    """Who trains networks: `nahas.workers.named.Workers`."""
    return [
        click.option(
            "--workers",
            "--threads",
            metavar="N",
            type=click.IntRange(min=1),
            help="Networks to train at a time, each in a process of its own; where none is "
            "trained, threads of the simulator.  [default: one, in this process; all cores]",
        ),
        click.option(
            "--ray",
            metavar="ADDRESS",
            help="Train networks on the Ray cluster there; 'local' starts one of --workers CPUs.",
        ),
        click.option(
            "--child-cpus",
            metavar="N",
            type=click.IntRange(min=1),
            help="Cores of each training.  [default: its share of this machine; 1 with --ray]",
        ),
        click.option(
            "--child-gpus",
            metavar="N",
            type=click.FloatRange(min=0),
            default=0.0,
            show_default=True,
            help="GPUs of each training with --ray; 0.5 lets two share one.",
        ),
        click.option(
            "--child-time-limit",
            metavar="TIME",
            type=seconds,
            help="Kill a training after this, and keep its trial as failed: 90, 5m, 2h.",
        ),
        click.option(
            "--child-retries",
            metavar="N",
            type=click.IntRange(min=0),
            default=2,
            show_default=True,
            help="Give a training to another worker so often after one was lost.",
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
