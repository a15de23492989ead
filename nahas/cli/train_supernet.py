"""`nahas train-supernet`: train all networks of a space at once, and search them meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from nahas.cli.image_options import data_option, image_size_option, limit_option
from nahas.cli.options import (
    command,
    objective_option,
    one_of_resume_and_force,
    seconds,
    seed_option,
    tables_option,
    use_workers,
    workers_option,
)
from nahas.cli.output import Output, table
from nahas.cli.search_options import reward_options

if TYPE_CHECKING:
    from nahas.children.supernet import SupernetRecipe
    from nahas.children.supernet_files import SupernetCard
    from nahas.children.train_supernet import SupernetRun
    from nahas.designs import Design
    from nahas.oneshot import OneShot
    from nahas.problem import Search

EXIT_NOTHING_FEASIBLE = 3

F = TypeVar("F", bound=Callable[..., Any])


def _recipe_options(function: F) -> F:
    """How the weights and the policy learn."""
    for option in reversed(
        (
            click.option(
                "--epochs",
                type=click.IntRange(min=1),
                default=90,
                show_default=True,
                help="Passes over the training images.",
            ),
            click.option(
                "--batch",
                type=click.IntRange(min=1),
                default=256,
                show_default=True,
                help="Images of a step.",
            ),
            click.option(
                "--optimizer",
                type=click.Choice(["rmsprop", "sgd"]),
                default="rmsprop",
                show_default=True,
                help="What weights learn by.",
            ),
            click.option(
                "--learning-rate",
                type=float,
                default=0.165,
                show_default=True,
                help="The highest, for batches of 256 images; it grows with the batch.",
            ),
            click.option(
                "--policy-learning-rate",
                type=float,
                default=3e-4,
                show_default=True,
                help="Of the policy at the beginning, for batches of 256; it grows to 10 times it.",
            ),
            click.option("--no-augment", is_flag=True, help="Take training images as they are."),
        )
    ):
        function = option(function)
    return function


@command(
    "train-supernet",
    examples=(
        "nahas train-supernet --space s1 --data cifar10 --out supernet",
        "nahas train-supernet --space s1 --data photos --image-size 64 --policy none --out weights",
        "nahas train-supernet --space macro --data fashion-mnist --limit 2000 --epochs 4 "
        "--batch 64 --latency 0.8x --out small",
    ),
)
@click.option(
    "--space",
    metavar="NAME|FILE.py:NAME",
    default="s1",
    show_default=True,
    help="The network space, or one of your own in a file.",
)
@click.option("--hardware-space", default="paper", show_default=True, help="The accelerators.")
@data_option("The images", required=True)
@limit_option(least=2)
@image_size_option()
@click.option(
    "--policy",
    type=click.Choice(["reinforce", "none"]),
    default="reinforce",
    show_default=True,
    help="Who draws the networks; none draws all alike and searches nothing.",
)
@_recipe_options
@reward_options(reward="absolute")
@click.option(
    "--cost-model",
    metavar="FILE.keras",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A model of 'nahas train-costmodel' to search by, instead of the simulator.",
)
@click.option("--time-limit", metavar="TIME", type=seconds, help="Stop after this: 90, 5m, 2h.")
@click.option(
    "--out",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("supernet"),
    show_default=True,
    help="Folder for weights, card, log and checkpoint.",
)
@click.option("--resume", is_flag=True, help="Go on with a training that was broken off.")
@click.option("--force", is_flag=True, help="Replace what is in the folder.")
@objective_option
@tables_option
@workers_option
@seed_option
def train_supernet(out: Output, /, **options: Any) -> int | None:
    """Train the networks of a space with shared weights, and search them and accelerators.

    At every step one network learns; then the policy, over the decisions of networks and of
    accelerators, is told how a design of its own does on other images and what it costs. The
    design that it chooses is simulated. Accuracies with shared weights are not those of networks
    trained alone: train the choice with 'nahas train-child'.
    """
    from nahas.children.data import open_dataset
    from nahas.children.device import on_device
    from nahas.children.supernet_files import SupernetFolder

    one_of_resume_and_force(options)
    SupernetFolder(options["folder"], {}).check(resume=options["resume"], replace=options["force"])
    use_workers(options["workers"])
    recipe, run = _recipe(options), _run(options)
    with on_device("auto"):
        dataset = open_dataset(
            options["data"],
            seed=options["seed"],
            limit=options["limit"],
            image_size=options["image_size"],
        )
        steps = recipe.epochs * max(dataset.sizes["train"] // recipe.batch, 1)
        with out.progress("training", steps) as progress:
            how: dict[str, Any] = {
                "run": run,
                "progress": lambda done, _, note: progress.update(done, note),
            }
            if options["policy"] == "none":
                return _show(out, _weights_alone(options, dataset, recipe, how), None, run)
            from nahas.oneshot import PolicyRecipe, one_shot

            policy = PolicyRecipe(learning_rate=options["policy_learning_rate"])
            found = one_shot(_search(options), dataset, recipe, policy=policy, **how)
    return _show(out, found.card, found, run)


def _weights_alone(
    options: Mapping[str, Any], dataset: Any, recipe: SupernetRecipe, how: dict[str, Any]
) -> SupernetCard:
    from nahas.children.supernet import Supernet
    from nahas.children.train_supernet import train_supernet
    from nahas.spaces.named import named

    supernet = Supernet.new(named(options["space"]), dataset.task, seed=recipe.seed)
    return train_supernet(supernet, dataset, recipe, **how)


def _recipe(options: Mapping[str, Any]) -> SupernetRecipe:
    from nahas.children.supernet import SupernetRecipe

    names = ("epochs", "batch", "optimizer", "learning_rate", "seed")
    return SupernetRecipe(
        **{name: options[name] for name in names}, augment=not options["no_augment"]
    )


def _run(options: Mapping[str, Any]) -> SupernetRun:
    from nahas.children.train_supernet import SupernetRun

    return SupernetRun(
        folder=options["folder"],
        resume=options["resume"],
        replace=options["force"],
        time_limit_s=options["time_limit"],
    )


def _search(options: Mapping[str, Any]) -> Search:
    from nahas.problem import Search
    from nahas.vocabulary import Objective

    def limit(metric: str) -> str | None:
        text: str = options[metric]
        return None if text.strip().lower() == "none" else text

    names = ("space", "hardware_space", "seed", "reward", "reward_p", "reward_q", "baseline")
    return Search(
        **{name: options[name] for name in (*names, "tables", "cost_model")},
        latency=limit("latency"),
        energy=limit("energy"),
        area=limit("area"),
        parameters=limit("parameters"),
        objective=Objective[options["objective"].upper()],
    )


def _show(out: Output, card: SupernetCard, found: OneShot | None, run: SupernetRun) -> int | None:
    """The card, and the chosen design beside the baseline."""
    document = {**asdict(card), "folder": run.folder}
    del document["schema_version"]  # the card's own; the document has its own
    epochs = "epoch" if card.epochs == 1 else "epochs"
    told: list[Any] = [
        f"{card.epochs} {epochs}, {card.steps} steps in {card.seconds:.0f} s; networks drawn at "
        f"random have {card.validation_percent:.2f} % with shared weights"
    ]
    if found is not None:
        from nahas.report.summary import design_document

        document |= {
            "chosen": design_document(found.chosen, None),
            "baseline": design_document(found.baseline, None),
            "targets": dict(found.targets),
            "accuracy_label": found.accuracy_label,
        }
        rows = [("chosen", found.chosen), ("baseline", found.baseline)]
        told += [_designs(rows), f"accuracy: {found.accuracy_label}", found.chosen.network]
        told.append(", ".join(f"{name} {value}" for name, value in found.chosen.hardware.items()))
    out.show(document, *told, f"weights, card and log of every epoch: {run.folder}")
    if found is None or found.chosen.satisfied:
        return None
    out.say("the chosen design misses a target: raise it, or train for more --epochs")
    return EXIT_NOTHING_FEASIBLE


def _designs(rows: list[tuple[str, Design]]) -> Any:
    columns = ("design", ">accuracy %", ">latency ms", ">energy mJ", ">area mm2", "meets targets")
    return table(
        columns,
        [
            (
                name,
                f"{design.accuracy:.2f}" if design.accuracy == design.accuracy else "-",
                f"{design.latency_ms:.4f}",
                f"{design.energy_mj:.4f}",
                f"{design.area_mm2:.2f}",
                "yes" if design.satisfied else design.reason if not design.feasible else "no",
            )
            for name, design in rows
        ],
    )
