"""Pictures of several studies: a colour for each search, a band for its seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nahas.report.curves import reward_curves, volume_curve
from nahas.report.figures import GREY, INK, SHOWN_QUANTILE, TARGET, canvas
from nahas.report.groups import Group
from nahas.report.shown import in_pareto_mode
from nahas.study.front import front_rows
from nahas.study.trials import joined

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = (
    "#2563eb", "#0f766e", "#a21caf", "#a16207", "#be123c", "#4d7c0f", "#475569", "#6d28d9",
)  # fmt: skip
"""Of the page in its light colours, in its order."""

DASHES = ("-", "--", ":", "-.")


def fronts_compared(groups: Sequence[Group]) -> Figure:
    """Accuracy against latency: what meets every target, and the front, of each search."""
    figure, axes = canvas(_title(groups), groups[0].results[0].accuracy_label)
    shown = []
    for number, group in enumerate(groups):
        trials = joined([result.true for result in group.results])
        met = trials[trials.satisfied]
        colour, dash = _style(number)
        axes.scatter(met.latency_ms, met.accuracy, s=9, color=colour, alpha=0.35, linewidths=0)
        front = front_rows(trials)
        axes.step(
            trials.latency_ms[front],
            trials.accuracy[front],
            where="post",
            color=colour,
            linestyle=dash,
            label=f"{group.label} ({len(group.results)} seeds)",
        )
        shown += met.accuracy.tolist()
    for limit in dict.fromkeys(g.results[0].targets.get("latency_ms") for g in groups):
        if limit is not None:
            axes.axvline(limit, color=TARGET, linestyle="--", linewidth=1.1)
    base = groups[0].results[0].baseline
    axes.plot(
        base.latency_ms,
        base.accuracy,
        linestyle="none",
        marker="D",
        markersize=7,
        markerfacecolor="white",
        markeredgecolor=INK,
        label="baseline design",
    )
    if shown:
        axes.set_ylim(bottom=float(np.quantile(shown, SHOWN_QUANTILE)))
    axes.set_xlabel("latency, ms")
    axes.set_ylabel("accuracy, %")
    axes.legend(loc="lower right", fontsize=8.5)
    return figure


def rewards_compared(groups: Sequence[Group]) -> Figure:
    """The best reward so far: the median over seeds, and their quartiles.

    Where all are in Pareto mode, the hypervolume.
    """
    pareto = in_pareto_mode([result for group in groups for result in group.results])
    word = "hypervolume" if pareto else "best reward so far"
    figure, axes = canvas(f"{word}: {_title(groups)}", groups[0].results[0].accuracy_label)
    lowest = []
    for number, group in enumerate(groups):
        curves = reward_curves([result.trials for result in group.results])
        if not curves["trials"]:
            continue
        colour, dash = _style(number)
        low, middle, high = volume_curve(group.results) if pareto else curves["best"]
        axes.fill_between(
            curves["trials"], low, high, step="post", color=colour, alpha=0.18, linewidth=0
        )
        axes.step(
            curves["trials"],
            middle,
            where="post",
            color=colour,
            linestyle=dash,
            label=f"{group.label}: median and quartiles of {len(group.results)} seeds",
        )
        lowest += [value for value in low if value > 0]
    if lowest:
        axes.set_ylim(bottom=float(np.quantile(lowest, 2 * SHOWN_QUANTILE)) * 0.99)
        axes.legend(loc="lower right", fontsize=8.5)
    else:
        axes.text(0.5, 0.5, "no reward", transform=axes.transAxes, color=GREY)
    axes.set_xlabel("trials")
    axes.set_ylabel(word)
    return figure


def _title(groups: Sequence[Group]) -> str:
    joint = groups[0].results[0].joint
    studies = sum(len(group.results) for group in groups)
    return (
        f"{joint.network_space.name} networks x {joint.accelerator.size:,} accelerators: "
        f"{studies} studies"
    )


def _style(number: int) -> tuple[str, str]:
    return COLOURS[number % len(COLOURS)], DASHES[number % len(DASHES)]
