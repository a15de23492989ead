"""What is told of all designs of a space: JSON, a table of the front, and a picture."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nahas.designs import Design
from nahas.exact.answer import Answer
from nahas.kernels.pareto import nondominated
from nahas.problem import Problem
from nahas.report.figures import ACCENT, GREY, INK, SHOWN_QUANTILE, STYLE, TARGET, save_figure
from nahas.report.summary import design_document, target_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Told:
    """An exact answer with what people need to understand it.

    Attributes:
        problem: of which it is.
        baseline: the design that relative targets are multiples of.
        answer: of one reward.
    """

    problem: Problem
    baseline: Design
    answer: Answer

    @property
    def targets(self) -> Mapping[str, float]:
        """The limits by metric, in the metric's unit."""
        return {target.metric: target.limit for target in self.answer.optima[0].reward.targets}

    @property
    def accuracy_label(self) -> str:
        """What every accuracy is."""
        return self.problem.accuracy.label

    @cached_property
    def within(self) -> NDArray[np.bool_]:
        """[F] which designs of the front meet every target."""
        front = self.answer.front
        met = np.ones(len(front), np.bool_)
        for metric, limit in self.targets.items():
            met &= getattr(front, metric) <= limit
        return met

    def document(self) -> dict[str, Any]:
        """The answer in JSON: docs/json.md explains the keys."""
        of, front = self.answer.optima[0], self.answer.front
        return {
            "best": [design_document(d, rank) for rank, d in enumerate(of.best, 1)],
            "highest_reward": design_document(of.highest, None) if of.highest else None,
            "ties": of.ties,
            "accuracy_label": self.accuracy_label,
            "targets": dict(self.targets),
            "reward_exponents": [of.reward.p, of.reward.q],
            "baseline": design_document(self.baseline, None),
            "space": self.problem.joint.network_space.name,
            "hardware_space": self.problem.joint.hardware_space,
            "designs": of.designs,
            "running_designs": of.feasible,
            "feasible_designs": of.satisfied,
            "mapped_pairs": of.pairs,
            "front": {
                "objectives": list(front.objectives),
                "designs": len(front),
                "feasible_designs": int(self.within.sum()),
            },
            "simulated_again": self.answer.checked,
            "energy_difference": self.answer.energy_difference,
            "seconds": round(self.answer.seconds, 3),
        }


def front_csv(told: Told) -> str:
    """The front as a CSV table: a row for each design, the most accurate first."""
    joint, front = told.problem.joint, told.answer.front
    metrics = ("accuracy", "latency_ms", "energy_mj", "area_mm2")
    networks, accelerators = joint.split(front.choices)
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    hardware = [decision.name for decision in joint.accelerator.decisions]
    rows.writerow(["network", *metrics, "feasible", *hardware])
    for i, (network, accelerator) in enumerate(zip(networks, accelerators, strict=True)):
        name = joint.network_space.network_name(joint.network_space.space.values(network))
        values = joint.accelerator.values(accelerator)
        told_metrics = (float(getattr(front, metric)[i]) for metric in metrics)
        rows.writerow([name, *told_metrics, bool(told.within[i]), *values.values()])
    return text.getvalue()


def write_front_figure(told: Told, folder: Path) -> list[Path]:
    """Write `front` as PNG and SVG, and return the paths.

    Raises:
        OSError: when the folder cannot be written.
    """
    import matplotlib as mpl

    with mpl.rc_context(STYLE):
        return save_figure(front_figure(told), folder, "front")


def front_figure(told: Told) -> Figure:
    """Accuracy against latency of the designs on the front; grey is what misses a target.

    The line is the front of accuracy and latency within the targets, the star the optimum.
    """
    from matplotlib.figure import Figure

    front, of = told.answer.front, told.answer.optima[0]
    figure = Figure(figsize=(8.0, 5.0), layout="constrained")
    axes: Axes = figure.subplots()
    axes.set_title(
        f"{told.problem.joint.network_space.name}: the front of all {of.designs:,} designs",
        loc="left",
        fontsize=11,
    )
    _draw_front(figure, axes, told)
    if of.optimum is not None:
        best = of.optimum
        axes.plot(
            best.latency_ms,
            best.accuracy,
            "*",
            markersize=15,
            color=ACCENT,
            label="optimum",
            zorder=6,
        )
    axes.plot(
        told.baseline.latency_ms,
        told.baseline.accuracy,
        "D",
        markersize=7,
        markerfacecolor="white",
        markeredgecolor=INK,
        label="baseline design",
        zorder=5,
    )
    if "latency_ms" in told.targets:
        axes.axvline(told.targets["latency_ms"], color=TARGET, linestyle="--", linewidth=1)
    if len(front):
        low, high = np.quantile(front.accuracy, SHOWN_QUANTILE), front.accuracy.max()
        margin = 0.05 * (high - low) + 0.1
        axes.set_ylim(float(low - margin), float(high + margin))
    axes.set_xscale("log")
    axes.set_xlabel(f"latency, ms; targets: {target_text(told.targets)}")
    axes.set_ylabel("accuracy, %")
    axes.legend(loc="lower right", fontsize=8.5)
    return figure


def _draw_front(figure: Figure, axes: Axes, told: Told) -> None:
    front, met = told.answer.front, told.within
    missed = "misses a target"
    axes.scatter(front.latency_ms[~met], front.accuracy[~met], s=9, color=GREY, label=missed)
    if not met.any():
        return
    shown = axes.scatter(
        front.latency_ms[met],
        front.accuracy[met],
        s=14,
        c=front.energy_mj[met],
        cmap="viridis_r",
        label="meets every target",
        zorder=3,
    )
    figure.colorbar(shown, ax=axes, label="energy, mJ", pad=0.015, aspect=30)
    points = np.stack([front.latency_ms[met], -front.accuracy[met]], axis=1)
    line = points[nondominated(points)]
    line = line[np.argsort(line[:, 0])]
    axes.step(line[:, 0], -line[:, 1], where="post", color=INK, linewidth=1.2, zorder=4)
