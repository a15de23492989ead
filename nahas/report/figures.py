"""Pictures of a search for papers and READMEs: PNG and SVG by matplotlib, without a screen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nahas.files import written_whole
from nahas.report.curves import running_mean, volume_so_far, window
from nahas.report.groups import Group
from nahas.report.summary import best_designs, boundaries, heading, in_order, limit_text
from nahas.strategies import SearchResult
from nahas.study.front import front_rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GREY, INK, ACCENT, TARGET = "#b8bec6", "#1f2933", "#c2410c", "#7a1f1f"

STYLE: Any = {
    "font.size": 10,
    "axes.edgecolor": "#8a94a0",
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e9ed",
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.edgecolor": "none",
    "legend.framealpha": 0.9,
    "svg.hashsalt": "nahas",  # the same picture is the same bytes
}

SHOWN_QUANTILE = 0.02
"""The least accurate 2 % of the trials may fall below the picture, which they would squeeze."""


def write_figures(
    groups: Sequence[Group], folder: Path, document: Mapping[str, Any] | None = None
) -> list[Path]:
    """Write pictures, each as PNG and SVG, and return the paths.

    `pareto` and `rewards` always; of a page's document also `importance` and `layers`, where
    it tells of them.

    Raises:
        OSError: when the folder cannot be written.
    """
    import matplotlib as mpl

    from nahas.report.compared import fronts_compared, rewards_compared
    from nahas.report.explained import importance_figure, layers_figure

    results = [result for group in groups for result in group.results]
    drawn: dict[str, Callable[[], Figure]] = {
        "pareto": lambda: fronts_compared(groups),
        "rewards": lambda: rewards_compared(groups),
    }
    if len(results) == 1:
        drawn["pareto"] = lambda: pareto_figure(results[0])
        drawn["rewards"] = lambda: rewards_figure(results[0])
    if document and document["importance"]:
        drawn["importance"] = lambda: importance_figure(document)
    if document and any(document["layers"].values()):
        drawn["layers"] = lambda: layers_figure(document)
    written: list[Path] = []
    with mpl.rc_context(STYLE):
        for name, draw in drawn.items():
            written += save_figure(draw(), folder, name)
    return written


def save_figure(figure: Figure, folder: Path, name: str) -> list[Path]:
    """Write a figure as PNG and SVG, each whole or not at all; the files."""
    written = []
    for kind in ("png", "svg"):
        path = folder / f"{name}.{kind}"
        with written_whole(path) as temporary:
            dated = {"Date": None} if kind == "svg" else {}
            figure.savefig(temporary, format=kind, dpi=160, metadata=dated)
        written.append(path)
    return written


def pareto_figure(result: SearchResult) -> Figure:
    """Accuracy against latency; colour is energy; grey is what misses a target.

    The line is the front of what meets every target, the star the best design, the diamond the
    baseline design; these three are simulated, also where a cost model predicted the other dots.
    """
    figure, axes = canvas(heading(result), result.accuracy_label)
    trials = result.trials
    runs = trials.feasible & np.isfinite(trials.accuracy)
    missed = runs & ~trials.satisfied
    axes.scatter(
        trials.latency_ms[missed],
        trials.accuracy[missed],
        s=9,
        color=GREY,
        alpha=0.6,
        linewidths=0,
        label=f"misses a target{_by(result)}",
    )
    if trials.satisfied.any():
        _draw_met(figure, axes, result)
    if result.true.satisfied.any():
        _draw_front(axes, result)
        if result.front is None:
            _mark_best(axes, result)
    _draw_baseline_and_target(axes, result)
    _set_limits(axes, result)
    axes.set_xlabel(f"latency, ms{_other_targets(result)}")
    axes.set_ylabel("accuracy, %")
    axes.legend(loc="lower right", fontsize=8.5)
    return figure


def _draw_met(figure: Figure, axes: Axes, result: SearchResult) -> None:
    trials = result.trials
    met = trials.satisfied
    shown = axes.scatter(
        trials.latency_ms[met],
        trials.accuracy[met],
        s=16,
        c=trials.energy_mj[met],
        cmap="viridis_r",
        linewidths=0,
        zorder=3,
        label=f"{'runs' if result.front is not None else 'meets every target'}{_by(result)}",
    )
    figure.colorbar(shown, ax=axes, label="energy, mJ", pad=0.015, aspect=30)


def _by(result: SearchResult) -> str:
    return "" if result.simulated is None else " (predicted)"


def _draw_front(axes: Axes, result: SearchResult) -> None:
    trials = result.true
    front = front_rows(trials)
    axes.step(
        trials.latency_ms[front],
        trials.accuracy[front],
        where="post",
        color=INK,
        linewidth=1.2,
        zorder=4,
        label="Pareto front" if result.simulated is None else "Pareto front (simulated)",
    )


def _draw_baseline_and_target(axes: Axes, result: SearchResult) -> None:
    axes.plot(
        result.baseline.latency_ms,
        result.baseline.accuracy,
        linestyle="none",
        marker="D",
        markersize=7,
        markerfacecolor="white",
        markeredgecolor=INK,
        zorder=5,
        label="baseline design",
    )
    if "latency_ms" in result.targets:
        axes.axvline(
            result.targets["latency_ms"],
            color=TARGET,
            linestyle="--",
            linewidth=1.1,
            zorder=2,
            label=f"latency target, {result.targets['latency_ms']:.3g} ms",
        )


def rewards_figure(result: SearchResult) -> Figure:
    """Reward of every trial in order, its running mean, and the best so far.

    In Pareto mode the hypervolume instead. Dotted lines stand between phases.
    """
    if result.front is not None:
        return _volume_figure(result)
    figure, axes = canvas(f"Reward: {heading(result)}", result.accuracy_label)
    trials = result.trials
    if len(trials):
        axes.scatter(trials.number, trials.reward, s=7, color=GREY, alpha=0.55, linewidths=0)
        over = window(len(trials))
        mean = running_mean(trials.reward, over)
        axes.plot(trials.number, mean, color=ACCENT, label=f"mean of {over} trials")
        best = np.maximum.accumulate(trials.reward)
        axes.step(trials.number, best, where="post", color=INK, label="best so far")
        paid = trials.reward[trials.reward > 0]
        if paid.size:
            axes.set_ylim(bottom=float(np.quantile(paid, SHOWN_QUANTILE)) * 0.98)
        for first, searches in boundaries(result):
            axes.axvline(first, color=INK, linestyle=":", label=f"from here the {searches}")
        axes.legend(loc="lower right", fontsize=8.5)
    axes.set_xlabel("trial")
    axes.set_ylabel("reward")
    return figure


def _volume_figure(result: SearchResult) -> Figure:
    figure, axes = canvas(f"Hypervolume: {heading(result)}", result.accuracy_label)
    volume = volume_so_far(result)
    axes.step(np.arange(1, len(volume) + 1), volume, where="post", color=ACCENT)
    axes.set_xlabel("trials")
    axes.set_ylabel("hypervolume")
    return figure


def canvas(title: str, accuracy_label: str) -> tuple[Figure, Axes]:
    """An empty figure with a title, and below it what accuracy is."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.4, 5.0), layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title, loc="left", fontsize=11, pad=22)
    axes.text(
        0,
        1.025,
        f"accuracy: {accuracy_label}",
        transform=axes.transAxes,
        fontsize=8.5,
        color="#52606d",
    )
    return figure, axes


def _mark_best(axes: Axes, result: SearchResult) -> None:
    best = best_designs(result, 1)[0]
    at = (best.latency_ms, best.accuracy)
    axes.plot(*at, marker="*", markersize=15, color=ACCENT, markeredgecolor="white", zorder=6)
    axes.annotate(
        f"{best.accuracy:.2f} %, {best.latency_ms:.3g} ms\n"
        f"{best.energy_mj:.3g} mJ, {best.area_mm2:.3g} mm²",
        at,
        xytext=(-10, 8),
        textcoords="offset points",
        ha="right",
        fontsize=8.5,
        color=ACCENT,
        zorder=7,
    )


def _set_limits(axes: Axes, result: SearchResult) -> None:
    from matplotlib.ticker import LogLocator

    trials = result.trials
    runs = trials.feasible & np.isfinite(trials.accuracy)
    if not runs.any():
        return
    latency, accuracy = trials.latency_ms[runs], trials.accuracy[runs]
    low, high = float(np.quantile(accuracy, SHOWN_QUANTILE)), float(accuracy.max())
    if np.isfinite(result.baseline.accuracy):
        low, high = min(low, result.baseline.accuracy), max(high, result.baseline.accuracy)
    room = max(high - low, 0.1) * 0.1
    axes.set_ylim(low - room, high + 1.4 * room)
    right = float(np.quantile(latency, 1 - SHOWN_QUANTILE))
    right = max(right, result.targets.get("latency_ms", 0.0))
    if np.isfinite(result.baseline.latency_ms):
        right = max(right, result.baseline.latency_ms)
    left = float(latency.min())
    if right > 8 * left:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter("")
        axes.set_xlim(left * 0.9, right * 1.1)
    else:
        beside = 0.06 * (right - left) or 0.06 * right
        axes.set_xlim(max(0.0, left - beside), right + beside)


def _other_targets(result: SearchResult) -> str:
    others = [
        limit_text(metric, limit)
        for metric, limit in in_order(result.targets)
        if metric != "latency_ms"
    ]
    return f"   (other targets: {', '.join(others)})" if others else ""
