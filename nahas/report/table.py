"""The best designs as a table for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from nahas.report.summary import UNITS, WORDS, Design, Summary, accelerator_text, verdict

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text


def designs_table(summary: Summary, count: int) -> Table:
    """Up to `count` best designs: network and accelerator, accuracy, costs, targets."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("#", justify="right")
    table.add_column("network\naccelerator", overflow="fold")
    table.add_column("accuracy\n%", justify="right")
    for metric, unit in UNITS.items():
        limit = summary.targets.get(metric)
        ending = f"{unit} ≤ {limit:.3g}" if limit is not None else unit
        table.add_column(f"{WORDS[metric]}\n{ending}", justify="right")
    table.add_column("targets")
    for design in summary.best(count):
        table.add_row(
            str(design.rank),
            Text(f"{design.network}\n{accelerator_text(design.hardware)}"),
            f"{design.accuracy:.2f}",
            *_costs(design, summary.targets),
            Text(verdict(design, summary.targets), style="green" if design.feasible else "red"),
        )
    return table


def captions(summary: Summary) -> Sequence[str]:
    """What must stand below every table of accuracies, and how much was searched."""
    return (
        f"accuracy: {summary.accuracy_label}",
        f"{len(summary.trials):,} trials, {summary.feasible:,} of them meet every target; "
        f"seed {summary.seed}",
    )


def _costs(design: Design, targets: Mapping[str, float]) -> list[Text]:
    from rich.text import Text

    cells = []
    for metric in UNITS:
        value = getattr(design, metric)
        over = value > targets.get(metric, float("inf"))
        cells.append(Text(significant(value), style="red" if over else ""))
    return cells


def significant(value: float) -> str:
    """A cost with as many digits as it means something: 0.287, 3.14, 87.6, 1,204."""
    if value >= 1000:
        return f"{value:,.0f}"
    digits = 3 if value < 1 else 2 if value < 10 else 1
    return f"{value:.{digits}f}"
