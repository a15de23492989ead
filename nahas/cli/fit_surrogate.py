"""`nahas fit-surrogate`: learn the accuracy of a space's networks from measured ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nahas.cli.options import command, seed_option
from nahas.cli.output import Output, table
from nahas.errors import UsageError

if TYPE_CHECKING:
    from rich.table import Table

    from nahas.accuracy.surrogate import Surrogate

COLUMNS = ("held out", "predictor", ">Kendall", ">Spearman", ">RMSE pp", ">MAE pp")


@command(
    "fit-surrogate",
    examples=(
        "nahas fit-surrogate --space s1 --table s1.csv",
        "nahas fit-surrogate --data accel-nasbench",
        "nahas fit-surrogate --data accel-nasbench --output mine.npz --figure mine.png --json",
    ),
)
@click.option(
    "--space",
    metavar="NAME|FILE.py:NAME",
    default="mnasnet",
    show_default=True,
    help="The space whose networks --table has measured.",
)
@click.option(
    "--table",
    "measured",
    metavar="FILE.csv",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Measured accuracies, as 'nahas train-child --table' writes them.",
)
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Instead of a table, the folder with measured.csv.gz and splits.json of Accel-NASBench.",
)
@click.option(
    "--output",
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where the weights go; their card goes beside them, ending in .json.  "
    "[default: accuracy_SPACE.npz]",
)
@click.option(
    "--figure",
    type=click.Path(dir_okay=False, path_type=Path),
    help="With --data: draw predicted against measured accuracy of held-out networks, as PNG.",
)
@seed_option
def fit_surrogate(
    out: Output,
    *,
    space: str,
    measured: Path | None,
    data: Path | None,
    output: Path | None,
    figure: Path | None,
    seed: int,
) -> None:
    """Fit an accuracy surrogate of a space and print its card.

    From a table of measured networks it learns all, and what is printed is its error on each
    network predicted from all others. From the folder of Accel-NASBench, whose networks are of
    space mnasnet, it learns the train ids, and what is printed is its error, and that of two
    plain predictors, on the val and test ids.

    Search with it by 'nahas cosearch --surrogate FILE.npz'.
    """
    from nahas.accuracy import fit

    if (measured is None) == (data is None):
        raise UsageError("give what to learn from: either --table FILE.csv or --data FOLDER")
    if data is None and figure is not None:
        raise UsageError("--figure draws networks held out of --data: leave it out with --table")
    if data is not None and space != "mnasnet":
        raise UsageError(f"--data holds networks of space 'mnasnet', not '{space}': give --table")
    if measured is not None:
        surrogate, card = _of_table(out, space, measured, seed)
    elif data is not None:
        surrogate, card = fit.fit_surrogate(data, fit.Recipe(seed=seed), out.say)
    output = output or Path(f"accuracy_{surrogate.space.name}.npz")
    card = fit.save_surrogate(surrogate, card, output)
    if data is not None and figure is not None:
        from nahas.accuracy.figure import draw
        from nahas.accuracy.measurements import read_measurements

        draw(surrogate, read_measurements(data), figure)
    out.show(
        {"weights": output, "figure": figure, "card": card},
        _held_out(card),
        table(("what", ">value"), _facts(card) if data else _table_facts(card)),
        f"weights: {output}, with their card beside them",
    )


def _of_table(out: Output, space: str, path: Path, seed: int) -> tuple[Surrogate, dict[str, Any]]:
    from nahas.accuracy.fit_table import fit_table
    from nahas.accuracy.measured import read_measured
    from nahas.spaces.named import named

    of_space = named(space)
    found = read_measured(path)
    out.say(f"fitting on the networks of {path}")
    return fit_table(found, of_space, seed)


def _held_out(card: dict[str, Any]) -> Table:
    parts = next(iter(card["held_out"].values()))
    rows = [
        (part.replace("_", " "), name.replace("_", " "), *_measures(held_out[part]))
        for part in parts
        for name, held_out in card["held_out"].items()
    ]
    return table(COLUMNS, rows, title=card["label"])


def _measures(errors: dict[str, float]) -> list[str]:
    names = ("kendall", "spearman", "rmse_pp", "mae_pp")
    return [f"{errors[name]:.4f}" if name in errors else "" for name in names]


def _table_facts(card: dict[str, Any]) -> list[tuple[str, str]]:
    found = card["calibration"]["left_out"]
    return [
        ("networks", f"{card['networks']:,}"),
        ("networks without an accuracy, left out", f"{card['failed']:,}"),
        ("fitted deviation of accuracy over the space, pp", f"{card['amplitude_pp']:.3f}"),
        ("fitted deviation of one measurement, pp", f"{card['noise_pp']:.3f}"),
        (
            "left out, within 1 and 2 deviations of the prediction",
            f"{100 * found['within_1']:.1f} %, {100 * found['within_2']:.1f} %",
        ),
    ]


def _facts(card: dict[str, Any]) -> list[tuple[str, str]]:
    where, seeds, val = card["range"], card["seeds"], card["calibration"]["val"]
    facts = [
        ("networks in train, val, test", ", ".join(f"{n:,}" for n in card["sizes"].values())),
        ("fitted deviation of one measurement, pp", f"{card['noise_pp']:.3f}"),
        (
            "val within 1 and 2 deviations of the prediction",
            f"{100 * val['within_1']:.1f} %, {100 * val['within_2']:.1f} %",
        ),
        (
            "measured minus predicted, tenth of val predicted highest, pp",
            f"{val['top_tenth_measured_minus_predicted_pp']:+.3f}",
        ),
        (
            "measured, lowest to highest",
            f"{where['measured_lowest']:.2f} to {where['measured_highest']:.2f}",
        ),
        (
            f"predicted for {where['draws']:,} random networks",
            f"{where['drawn_lowest']:.2f} to {where['drawn_highest']:.2f}",
        ),
        (
            "highest prediction of the space",
            f"{where['space_highest']:.2f} +- {where['space_highest_deviation_pp']:.2f}",
        ),
    ]
    if seeds:
        error = seeds["surrogate_against_mean"]
        facts += [
            ("deviation between seeds, pp", f"{seeds['deviation_pp']:.3f}"),
            ("Kendall between seeds", f"{seeds['kendall_between_seeds']:.4f}"),
            (
                f"Kendall and RMSE against the mean of {seeds['seeds']} seeds",
                f"{error['kendall']:.4f}, {error['rmse_pp']:.3f}",
            ),
        ]
    return facts
