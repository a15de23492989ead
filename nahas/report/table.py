"""The best designs as a table for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from nahas.designs import Design
from nahas.report.summary import (
    UNITS,
    WORDS,
    accelerator_text,
    best_designs,
    deviation_text,
    further_text,
    predicted_verdict,
    significant,
    verdict,
)
from nahas.strategies import SearchResult

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text


def designs_table(result: SearchResult, count: int) -> Table:
    """Up to `count` best networks, each on its best accelerator: accuracy, costs, targets.

    In Pareto mode designs of the front instead, which have no targets.
    Below an accuracy stands how far it may be off, where its back-end knows that.
    Below a simulated cost stands in brackets what a cost model predicted, where one was asked.
    The last row is the baseline design, that relative targets are multiples of.
    """
    predicted = result.simulated is not None
    best = best_designs(result, count)
    met = result.front is None
    return table_of(best, result.baseline, result.targets, predicted=predicted, met=met)


def table_of(
    best: Sequence[Design],
    baseline: Design,
    targets: Mapping[str, float],
    *,
    predicted: bool = False,
    met: bool = True,
) -> Table:
    """The table of these designs, as `designs_table`.

    `predicted` where a cost model was asked; `met` where it is told which meet their targets.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column("network\naccelerator", overflow="fold")
    table.add_column("accuracy\n%", justify="right", no_wrap=True)
    brackets = "\n(predicted)" if predicted else ""
    for metric, unit in UNITS.items():
        limit = targets.get(metric)
        ending = f"{unit} ≤ {limit:.3g}" if limit is not None else unit
        table.add_column(f"{WORDS[metric]}\n{ending}{brackets}", justify="right", no_wrap=True)
    rows = {str(rank): of for rank, of in enumerate(best, 1)} | {"base": baseline}
    if met:
        table.add_column("targets")
    for name, of in rows.items():
        if name == "base":
            table.add_section()
        verdicts = [_met(of, targets)] if met else []
        table.add_row(*_cells(name, of, targets), *verdicts)
    return table


def _cells(name: str, of: Design, targets: Mapping[str, float]) -> list[Text]:
    from rich.text import Text

    lines = (of.network, accelerator_text(of.hardware), further_text(of))
    costs = []
    for metric in UNITS:
        value = getattr(of, metric)
        over = value > targets.get(metric, float("inf"))
        cost = Text(significant(value), style="red" if over else "")
        if of.predicted is not None:
            cost.append(f"\n({significant(getattr(of.predicted, metric))})", style="default")
        costs.append(cost)
    return [
        Text(name),
        Text("\n".join(filter(None, lines))),
        Text("\n".join(filter(None, (f"{of.accuracy:.2f}", deviation_text(of))))),
        *costs,
    ]


def _met(of: Design, targets: Mapping[str, float]) -> Text:
    from rich.text import Text

    met = Text(verdict(of, targets), style="green" if of.satisfied else "red")
    if of.predicted is not None:
        met.append(f"\n({predicted_verdict(of)})", style="default")
    return met
