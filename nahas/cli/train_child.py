"""`nahas train-child`: train networks on images and say how well they do."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from math import isnan, nan
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nahas.cli.image_options import data_options
from nahas.cli.options import command, one_of_resume_and_force, seconds, seed_option
from nahas.cli.output import Output, table
from nahas.errors import UsageError

if TYPE_CHECKING:
    from nahas.accuracy.measured import Measured, TableCard
    from nahas.children.data import Dataset
    from nahas.children.jobs import Done, Job
    from nahas.children.recipe import Recipe

EXIT_NOTHING = 3
EXIT_INTERRUPTED = 130

RUN_DIR_OF_FULL = Path("children")

COLUMNS = ("network", ">accuracy %", ">test %", ">epochs", ">parameters", ">seconds", "ended by")


def train_options(function: Any) -> Any:
    """The numbers of a recipe; what is not given is the preset's."""
    for option in reversed(
        (
            click.option("--epochs", type=click.IntRange(min=1), help="Passes over the images."),
            click.option("--batch", type=click.IntRange(min=1), help="Images of a step."),
            click.option("--optimizer", type=click.Choice(["sgd", "rmsprop"]), help="What learns."),
            click.option("--learning-rate", type=float, help="The highest of the cosine."),
        )
    ):
        function = option(function)
    return function


@command(
    "train-child",
    examples=(
        "nahas train-child macro:01011010 --data cifar10",
        "nahas train-child --space s1 --sample 20 --data cifar10 --table s1.csv",
        "nahas train-child mobilenet-v2 --data photos --image-size 96 --run-dir run --resume",
        "nahas train-child macro:22212220 --data cifar10 --full --device gpu",
    ),
)
@click.argument("networks", metavar="[NETWORK]...", nargs=-1)
@click.option(
    "--space", metavar="NAME|FILE.py:NAME", help="Train networks of this space, drawn with --seed."
)
@click.option("--sample", metavar="N", type=click.IntRange(min=1), help="How many of --space.")
@data_options
@click.option("--full", is_flag=True, help="Train to the end, with averaged weights, and keep it.")
@train_options
@click.option(
    "--test", is_flag=True, help="Measure on the test images as well; --full always does."
)
@click.option(
    "--time-limit",
    metavar="TIME",
    type=seconds,
    help="End each training after so long, like 90s, 15m, and measure what it has learned.",
)
@click.option(
    "--run-dir",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep a folder for each network: its checkpoint, a log of every epoch, the trained model "
    f"and its card.  [default with --full: {RUN_DIR_OF_FULL}]",
)
@click.option("--resume", is_flag=True, help="Go on with what --run-dir holds.")
@click.option("--force", is_flag=True, help="Begin anew, whatever --run-dir holds.")
@click.option(
    "--table",
    "measured",
    metavar="FILE.csv",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Append accuracies to this table, and leave out networks that it has.",
)
@click.option(
    "--workers",
    metavar="N",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Processes that train at the same time and share the cores.",
)
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "gpu"]),
    default="auto",
    show_default=True,
    help="Where to train; auto is a GPU where there is one.",
)
@seed_option
def train_child(out: Output, /, **options: Any) -> int | None:
    """Train each NETWORK on images and print its accuracy on images held out for validation.

    A NETWORK is a built-in one, or one of a space as a search prints it. The preset is the proxy,
    a few epochs; with --full it is a whole training. Networks for larger images are read for
    those of --data: docs/children.md says how.

    Equal options give equal accuracies on a CPU, killed and resumed or not.
    """
    from nahas.accuracy.measured import append_measured
    from nahas.children.jobs import train_jobs
    from nahas.spaces.from_file import without_file

    one_of_resume_and_force(options)
    jobs = _jobs(options, _networks(options))
    if not options["measured"]:
        _refuse_begun(jobs)
    dataset, recipe = jobs[0].images.open(), jobs[0].recipe
    card = _table_card(options, jobs, dataset) if options["measured"] else None
    known = _known(options["measured"], card, recipe.seed) if card else set()
    new = [job for job in jobs if without_file(job.network) not in known]
    if len(new) < len(jobs):
        out.say(f"{len(jobs) - len(new)} of {len(jobs)} networks are in {options['measured']}")
    _refuse_begun(new)
    done: list[Done] = []
    alone = options["workers"] == 1
    steps = dataset.sizes["train"] // recipe.batch * recipe.epochs if alone else 1
    with out.progress("training", steps * len(new)) as ticker:

        def step(number: int, at: int, total: int, note: str) -> None:
            ticker.update(number * total + at, f"network {number + 1} of {len(new)}: {note}")

        try:
            for child in train_jobs(new, workers=options["workers"], progress=step):
                done.append(child)
                if card:
                    append_measured(options["measured"], card, [_row(child, recipe.seed)])
                ticker.update(steps * len(done), f"{child.network}: {_percent(child)} %")
        except KeyboardInterrupt:
            if not jobs[0].folder:
                raise
            out.say("interrupted; continue with the same command and --resume")
            return EXIT_INTERRUPTED
    return _show(out, options, jobs, done)


def _networks(options: Mapping[str, Any]) -> list[str]:
    """The names that are given, or drawn."""
    if (options["space"] is None) != (options["sample"] is None):
        raise UsageError("--space and --sample go together: give both, or name the networks")
    names = list(dict.fromkeys(options["networks"]))
    if options["space"]:
        import numpy as np

        from nahas.spaces.named import named

        space = named(options["space"])
        drawn = space.space.sample(options["sample"], np.random.default_rng(options["seed"]))
        named_so = (space.full_name(space.space.values(choice)) for choice in drawn)
        names = list(dict.fromkeys([*names, *named_so]))
    if not names:
        raise UsageError("no network is given: name some, or draw them with --space and --sample")
    return names


def _recipe(options: Mapping[str, Any]) -> Recipe:
    from nahas.children.recipe import FULL, PROXY, Recipe

    own = {field.name for field in fields(Recipe)}
    given = {name: options[name] for name in own & set(options) if options[name] is not None}
    return replace(FULL if options["full"] else PROXY, **given)


def _jobs(options: Mapping[str, Any], names: Sequence[str]) -> list[Job]:
    from nahas import networks
    from nahas.children.jobs import Images, Job, folder_of
    from nahas.spaces.from_file import without_file

    for name in names:
        networks.function(name)  # a wrong name is told before the first is trained
    root = options["run_dir"] or (RUN_DIR_OF_FULL if options["full"] else None)
    if root is None and (options["resume"] or options["force"]):
        raise UsageError("--resume and --force are of what --run-dir keeps: give --run-dir DIR")
    images = Images(
        name_or_path=options["data"],
        limit=options["limit"],
        image_size=options["image_size"],
        least_map=options["least_map"],
    )
    job = Job(
        network="",
        images=images,
        recipe=_recipe(options),
        resume=options["resume"],
        replace=options["force"],
        time_limit_s=options["time_limit"],
        test=options["test"] or options["full"],
        device=options["device"],
    )
    return [
        replace(job, network=name, folder=folder_of(root, without_file(name)) if root else None)
        for name in names
    ]


def _refuse_begun(jobs: Sequence[Job]) -> None:
    """Refuse to lose a training, before the first job is begun."""
    from nahas.children.checkpoint import Folder

    for job in jobs:
        if job.folder and not (job.resume or job.replace):
            Folder(job.folder, {}).refuse_begun()


def _table_card(options: Mapping[str, Any], jobs: Sequence[Job], dataset: Dataset) -> TableCard:
    from nahas.accuracy.measured import TableCard
    from nahas.manifest import versions
    from nahas.spaces.from_file import without_file
    from nahas.spaces.named import named

    place = jobs[0].network.rpartition(":")[0]  # empty for a built-in network
    spaces = sorted({without_file(job.network).partition(":")[0] for job in jobs})
    if len(spaces) > 1:
        raise UsageError(f"--table holds networks of one space, but here are {', '.join(spaces)}")
    task, recipe = dataset.task, asdict(jobs[0].recipe)
    del recipe["seed"]  # each row has its own
    return TableCard(
        space=spaces[0],
        accuracy=f"{dataset.name} top-1 % of the {recipe['epochs']}-epoch proxy at "
        f"{task.height} x {task.width} px",
        dataset=dataset.name,
        task={**asdict(task), "images": dict(dataset.sizes)},
        recipe={**recipe, "time_limit_s": options["time_limit"]},
        networks_sha256=named(place).networks_sha256 if place else "",
        command=shlex.join(["nahas", *sys.argv[1:]]),
        versions=versions(),
    )


def _known(path: Path, card: TableCard, seed: int) -> set[str]:
    """Networks that the table has with this seed; it must be a table of such children."""
    from nahas.accuracy.measured import append_measured, read_measured

    append_measured(path, card, [])
    return {row.network for row in read_measured(path).rows if row.seed == seed}


def _row(done: Done, seed: int) -> Measured:
    from nahas.accuracy.measured import Measured
    from nahas.spaces.from_file import without_file

    trained = done.trained
    return Measured(
        network=without_file(done.network),
        accuracy_percent=round(trained.accuracy_percent, 4),
        test_percent=nan if done.test_percent is None else round(done.test_percent, 4),
        epochs=trained.epochs,
        seed=seed,
        seconds=round(trained.seconds, 1),
        reason=trained.reason.value,
    )


def _show(
    out: Output,
    options: Mapping[str, Any],
    jobs: Sequence[Job],
    done: Sequence[Done],
) -> int | None:
    from nahas.children.saved import about

    dataset, recipe = jobs[0].images.open(), jobs[0].recipe
    folders = {job.network: job.folder for job in jobs}
    children = [
        {
            "network": child.network,
            "accuracy_percent": child.trained.accuracy_percent,
            "test_percent": child.test_percent,
            "epochs": child.trained.epochs,
            "seconds": round(child.trained.seconds, 3),
            "reason": child.trained.reason.value,
            "parameters": child.trained.parameters,
            "history": child.trained.history,
            "folder": folders[child.network],
        }
        for child in done
    ]
    document = {
        "children": children,
        "dataset": about(dataset),
        "recipe": asdict(recipe),
        "table": options["measured"],
    }
    epochs = "1 epoch" if recipe.epochs == 1 else f"{recipe.epochs} epochs"
    sizes = ", ".join(f"{count:,} {part}" for part, count in dataset.sizes.items())
    out.show(
        document,
        f"{dataset.name}, top-1 on validation images ({sizes}); {epochs} of batches of "
        f"{recipe.batch}; seed {recipe.seed}",
        table(COLUMNS, map(_cells, done)),
        *([f"table: {options['measured']}"] if options["measured"] else []),
    )
    failed = [isnan(child.trained.accuracy_percent) for child in done]
    return EXIT_NOTHING if done and all(failed) else None


def _cells(child: Done) -> tuple[str, ...]:
    trained = child.trained
    return (
        child.network,
        _percent(child),
        "-" if child.test_percent is None else f"{child.test_percent:.2f}",
        str(trained.epochs),
        f"{trained.parameters:,}",
        f"{trained.seconds:.0f}",
        trained.reason.value,
    )


def _percent(child: Done) -> str:
    accuracy = child.trained.accuracy_percent
    return "-" if isnan(accuracy) else f"{accuracy:.2f}"
