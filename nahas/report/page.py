"""A search as one HTML file that needs nothing else: no network, no library, no server."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from nahas.files import json_text, write_text
from nahas.report.drawing import Axis, Plot, colour_scale
from nahas.report.figures import SHOWN_QUANTILE, heading
from nahas.report.summary import (
    UNITS,
    WORDS,
    Design,
    Summary,
    accelerator_text,
    document,
    verdict,
)
from nahas.report.table import significant

MOST_DOTS = 4000
"""Trials that are drawn; of more, every n-th is, and the front whole."""

MOST_ROWS = 300
"""Designs in the page's table."""


def write_page(summary: Summary, path: Path) -> None:
    """Write the page, whole or not at all."""
    write_text(path, page_text(summary))


def page_text(summary: Summary) -> str:
    """The page. All that comes from files or options is escaped."""
    best = summary.best(MOST_ROWS)
    trials = summary.trials
    met = trials.energy_mj[trials.satisfied]
    energy = f"{met.min():.3g} mJ (light) to {met.max():.3g} mJ (dark)" if met.size else "in mJ"
    step = _step(len(trials))
    thinned = f" Every {step}th trial is drawn, and the front whole." if step > 1 else ""
    template = Template((files("nahas.report") / "page.html").read_text(encoding="utf-8"))
    return template.substitute(
        title=escape(heading(summary)),
        accuracy_label=escape(summary.accuracy_label),
        sentence=escape(_sentence(summary, best)),
        pareto=pareto_svg(summary),
        energy_range=escape(energy),
        thinned=escape(thinned),
        rewards=rewards_svg(summary),
        window=_window(len(trials)),
        shown=len(best),
        distinct=len(np.unique(trials.choices, axis=0)),
        columns="".join(_columns(summary.targets)),
        rows="\n".join(_row(design, summary.targets) for design in best),
        facts="\n".join(_facts(summary)),
        data=_inert(json_text(document(summary, MOST_ROWS, None))),
    )


def pareto_svg(summary: Summary) -> str:
    """Accuracy against latency; colour is energy, grey misses a target."""
    trials = summary.trials
    runs = trials.feasible & np.isfinite(trials.accuracy)
    if not runs.any():
        return "<p>No design that was tried can run.</p>"
    latency, accuracy = trials.latency_ms[runs], trials.accuracy[runs]
    target = summary.targets.get("latency_ms")
    right = max(float(np.quantile(latency, 1 - SHOWN_QUANTILE)), target or 0.0) * 1.05
    low, high = float(np.quantile(accuracy, SHOWN_QUANTILE)), float(accuracy.max())
    room = max(high - low, 0.1) * 0.08
    left = float(latency.min()) * 0.95
    plot = Plot(
        "accuracy against latency",
        Axis("latency, ms", left, right, logarithmic=right > 8 * left),
        Axis("accuracy, %", low - room, high + room),
    )
    met = trials.satisfied
    colour = colour_scale(*_ends(trials.energy_mj[met]))
    front = summary.front()
    drawn = np.zeros(len(trials), np.bool_)
    drawn[:: _step(len(trials))] = True
    drawn[front] = True
    for row in np.flatnonzero(runs & drawn & ~met).tolist():
        plot.dot(*_point(summary, row), "dot-missed", _says(summary, row))
    for row in np.flatnonzero(drawn & met).tolist():
        fill = colour(float(trials.energy_mj[row]))
        plot.dot(*_point(summary, row), "dot-met", _says(summary, row), fill)
    plot.line([_point(summary, row) for row in front.tolist()], "front", steps=True)
    if target is not None:
        plot.limit(target, f"target {target:.3g} ms")
    for design in summary.best(1):
        if design.feasible:
            plot.star(design.latency_ms, design.accuracy, f"best: {design.network}")
    return plot.text()


def rewards_svg(summary: Summary) -> str:
    """Reward of each trial, the mean of a window, the best so far."""
    trials = summary.trials
    paid = trials.reward[trials.reward > 0]
    if len(trials) < 2 or not paid.size:
        return "<p>There is no reward to draw.</p>"
    low, high = float(np.quantile(paid, SHOWN_QUANTILE)), float(paid.max())
    room = max(high - low, 0.1) * 0.08
    number, reward = trials.number.astype(float), trials.reward
    plot = Plot(
        "reward over trials",
        Axis("trial", float(number[0]), float(number[-1])),
        Axis("reward", low - room, high + room),
    )
    for row in range(0, len(trials), _step(len(trials))):
        plot.dot(number[row], reward[row], "plain", _says(summary, row))
    window = _window(len(trials))
    mean = np.convolve(reward, np.full(window, 1 / window), mode="valid")
    thin = max(1, len(mean) // MOST_DOTS)
    plot.line(list(zip(number[window - 1 :: thin], mean[::thin], strict=True)), "mean", steps=False)
    best = np.maximum.accumulate(reward)
    rises = np.flatnonzero(np.diff(best, prepend=-np.inf) > 0)
    points = [(float(number[row]), float(best[row])) for row in rises]
    plot.line([*points, (float(number[-1]), float(best[-1]))], "front", steps=True)
    return plot.text()


def _sentence(summary: Summary, best: list[Design]) -> str:
    trials = len(summary.trials)
    if not summary.feasible:
        return f"None of {trials:,} trials meets every target."
    first = best[0]
    return (
        f"{summary.feasible:,} of {trials:,} trials meet every target. The best design reaches "
        f"{first.accuracy:.2f} % at {first.latency_ms:.3g} ms, {first.energy_mj:.3g} mJ and "
        f"{first.area_mm2:.3g} mm²: {first.network} on {accelerator_text(first.hardware)}."
    )


def _columns(targets: Mapping[str, float]) -> list[str]:
    costs = [
        f"{WORDS[metric]}, {unit}" + (f" ≤ {targets[metric]:.3g}" if metric in targets else "")
        for metric, unit in UNITS.items()
    ]
    names = ["#", "network", "accelerator", "accuracy, %", *costs, "parameters, M", "targets"]
    words = ("network", "accelerator", "targets")
    return [
        f"<th{'' if name in words else ' class=number'}><button>{escape(name)}</button></th>"
        for name in names
    ]


def _row(design: Design, targets: Mapping[str, float]) -> str:
    said = verdict(design, targets)
    cells = [
        _number(design.rank, str(design.rank)),
        f"<td><code>{escape(design.network)}</code></td>",
        f"<td>{escape(accelerator_text(design.hardware))}</td>",
        _number(design.accuracy, f"{design.accuracy:.2f}"),
        *(_number(getattr(design, m), significant(getattr(design, m))) for m in UNITS),
        _number(design.parameters, f"{design.parameters / 1e6:.2f}"),
        f'<td class="{"met" if design.feasible else "missed"}">{escape(said)}</td>',
    ]
    return f"<tr{' data-met' if design.feasible else ''}>{''.join(cells)}</tr>"


def _number(value: float, text: str) -> str:
    return f'<td class="number" data-value="{value}">{escape(text)}</td>'


def _facts(summary: Summary) -> list[str]:
    facts: dict[str, Any] = {
        "accuracy": summary.accuracy_label,
        "targets": ", ".join(
            f"{WORDS[metric]} ≤ {limit:.4g} {UNITS[metric]}"
            for metric, limit in summary.targets.items()
        )
        or "none",
        "seed": summary.seed,
        "trials": f"{len(summary.trials):,}",
        **summary.facts,
    }
    return [
        f"<tr><td>{escape(str(name).replace('_', ' '))}</td><td>{escape(_flat(value))}</td></tr>"
        for name, value in facts.items()
    ]


def _flat(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_flat(item)}" for key, item in value.items())
    return str(value)


def _inert(json: str) -> str:
    """JSON inside a script element: nothing in it may look like the element's end."""
    return json.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _point(summary: Summary, row: int) -> tuple[float, float]:
    return float(summary.trials.latency_ms[row]), float(summary.trials.accuracy[row])


def _says(summary: Summary, row: int) -> str:
    trials = summary.trials
    return (
        f"trial {trials.number[row]}: {trials.accuracy[row]:.2f} %, "
        f"{trials.latency_ms[row]:.3g} ms, {trials.energy_mj[row]:.3g} mJ, "
        f"{trials.area_mm2[row]:.3g} mm², reward {trials.reward[row]:.2f}"
    )


def _ends(values: np.ndarray[Any, np.dtype[np.float64]]) -> tuple[float, float]:
    return (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)


def _step(trials: int) -> int:
    return -(-trials // MOST_DOTS) if trials else 1


def _window(trials: int) -> int:
    return max(1, trials // 25)
