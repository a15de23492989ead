"""Pictures of why: what the accelerator's decisions matter, and the best design's layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from nahas.report.compared import COLOURS
from nahas.report.figures import INK
from nahas.report.summary import WORDS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BOUND_COLOURS = {"compute": COLOURS[0], "local memory": COLOURS[2], "I/O": COLOURS[3]}


def importance_figure(document: Mapping[str, Any]) -> Figure:
    """Shares of the variance over all accelerators, one panel for each metric.

    Args:
        document: of `page.page_document`.
    """
    from matplotlib.figure import Figure

    metrics = document["importance"]
    figure = Figure(figsize=(3.1 * len(metrics), 3.4), layout="constrained")
    for axes, (metric, of) in zip(
        np.ravel(figure.subplots(1, len(metrics))), metrics.items(), strict=True
    ):
        told = of["decisions"][::-1]
        names = [decision["name"].replace("_", " ") for decision in told]
        alone = np.array([decision["alone"] for decision in told])
        together = np.array([decision["together"] for decision in told])
        error = [decision["error"] for decision in told]
        axes.barh(names, 100 * alone, color=COLOURS[0], label="by itself")
        axes.barh(
            names,
            100 * together,
            left=100 * alone,
            xerr=100 * np.array(error),
            color=COLOURS[0],
            alpha=0.4,
            ecolor=INK,
            label="with one other",
        )
        axes.set_title(
            f"{WORDS.get(metric, metric)} (explained {of['explained']:.0%})", fontsize=10
        )
        axes.set_xlabel("share of variance, %")
        axes.tick_params(labelsize=8)
    figure.axes[0].legend(fontsize=7.5, loc="lower right")
    return figure


def layers_figure(document: Mapping[str, Any]) -> Figure:
    """Roofline and energy by layer of the best design whose layers are in the document."""
    from matplotlib.figure import Figure

    layers = document["layers"]
    best = [row for row in np.asarray(document["best"]).tolist() if layers.get(row)]
    of = layers[best[0]] if best else next(filter(None, layers.values()))
    figure = Figure(figsize=(11.0, 4.2), layout="constrained")
    figure.suptitle(of["network"], x=0.01, ha="left", fontsize=10)
    left, right = figure.subplots(1, 2)
    _draw_roofline(left, of)
    base = np.zeros(len(of["name"]))
    for part, name, colour in zip(of["energy_uj"], document["components"], COLOURS, strict=False):
        right.bar(np.arange(len(base)), part, bottom=base, color=colour, width=0.85, label=name)
        base = base + np.array(part)
    right.set_xlabel("layers in the order they run")
    right.set_ylabel("energy, µJ")
    right.legend(fontsize=8)
    return figure


def _draw_roofline(axes: Axes, of: Mapping[str, Any]) -> None:
    macs, moved, times = (np.array(of[name], dtype=float) for name in ("macs", "bytes", "ms"))
    drawn = (macs > 0) & (moved > 0)
    intensity, speed = macs[drawn] / moved[drawn], macs[drawn] / times[drawn] / 1e6
    bounds = np.array(of["bound"])[drawn]
    for bound, colour in BOUND_COLOURS.items():
        some = bounds == bound
        axes.scatter(
            intensity[some],
            speed[some],
            s=12 + 160 * times[drawn][some] / times.max(),
            color=colour,
            alpha=0.65,
            linewidths=0,
            label=f"bound by {bound}",
        )
    ridge = of["peak_gmacs"] / of["io_gb_per_s"]
    low, high = (
        min(intensity.min(initial=ridge), ridge) / 2,
        max(intensity.max(initial=ridge), ridge) * 2,
    )
    axes.plot([low, ridge, high], [low * of["io_gb_per_s"], *[of["peak_gmacs"]] * 2], color=INK)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("multiply-accumulates per byte over the I/O interface")
    axes.set_ylabel("10⁹ multiply-accumulates/s")
    axes.legend(fontsize=8, loc="lower right")
