"""`nahas fit-surrogate`: learn ImageNet accuracy of the mnasnet space from measured networks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nahas.cli.options import command, seed_option
from nahas.cli.output import Output, table

if TYPE_CHECKING:
    from rich.table import Table

COLUMNS = ("held out", "predictor", ">Kendall", ">Spearman", ">RMSE pp", ">MAE pp")


@command(
    "fit-surrogate",
    examples=(
        "nahas fit-surrogate --data accel-nasbench",
        "nahas fit-surrogate --data accel-nasbench --output mine.npz --figure mine.png --json",
    ),
)
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Folder with measured.csv.gz and splits.json of Accel-NASBench.",
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("accuracy_mnasnet.npz"),
    show_default=True,
    help="Where the weights go; their card goes beside them, ending in .json.",
)
@click.option(
    "--figure",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Draw predicted against measured accuracy of held-out networks, as PNG.",
)
@seed_option
def fit_surrogate(out: Output, *, data: Path, output: Path, figure: Path | None, seed: int) -> None:
    """Fit the accuracy surrogate of the mnasnet space and print its card.

    It is fitted on the train ids of the measured networks; what is printed is its error, and
    that of two plain predictors, on the val and test ids.
    """
    from nahas.accuracy import fit

    surrogate, card = fit.fit_surrogate(data, fit.Recipe(seed=seed), out.say)
    card = fit.save_surrogate(surrogate, card, output)
    if figure:
        from nahas.accuracy.figure import draw
        from nahas.accuracy.measurements import read_measurements

        draw(surrogate, read_measurements(data), figure)
    out.show(
        {"weights": output, "figure": figure, "card": card},
        _held_out(card),
        table(("what", ">value"), _facts(card)),
        f"weights: {output}, with their card beside them",
    )


def _held_out(card: dict[str, Any]) -> Table:
    rows = [
        (part, name, *(f"{held_out[part][measure]:.4f}" for measure in held_out[part]))
        for part in ("val", "test")
        for name, held_out in card["held_out"].items()
    ]
    return table(COLUMNS, rows, title=card["label"])


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
