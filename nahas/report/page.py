"""A search as one HTML file that needs nothing else: no network, no library, no server."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

import nahas
from nahas.designs import Design, distinct_designs
from nahas.files import json_text, write_text
from nahas.report.drawing import Axis, Plot, colour_scale
from nahas.report.figures import SHOWN_QUANTILE
from nahas.report.summary import (
    UNITS,
    WORDS,
    accelerator_text,
    best_designs,
    checked,
    counted,
    deviation_text,
    document,
    further_text,
    heading,
    predicted_verdict,
    significant,
    target_text,
    verdict,
)
from nahas.strategies import SearchResult
from nahas.study.front import front_rows
from nahas.study.trials import Trials

MOST_DOTS = 4000
"""Trials that are drawn; of more, every n-th is, and the front whole."""

MOST_ROWS = 300
"""Designs in the page's table."""


PREDICTED_IN_BRACKETS = (
    " Costs are simulated; in brackets stands what the cost model predicted, which the search saw."
)


def write_page(result: SearchResult, path: Path) -> None:
    """Write the page, whole or not at all."""
    write_text(path, page_text(result))


def page_text(result: SearchResult) -> str:
    """The page. All that comes from files or options is escaped."""
    best = best_designs(result, MOST_ROWS)
    trials = result.trials
    met = trials.energy_mj[trials.satisfied]
    energy = f"{met.min():.3g} mJ (light) to {met.max():.3g} mJ (dark)" if met.size else "in mJ"
    step = _step(len(trials))
    thinned = f" One trial in {step} is drawn, and the front whole." if step > 1 else ""
    template = Template((files("nahas.report") / "page.html").read_text(encoding="utf-8"))
    return template.substitute(
        title=escape(heading(result)),
        accuracy_label=escape(result.accuracy_label),
        sentence=escape(_sentence(result, best)),
        checked=f"<p>{escape(said)}.</p>" if (said := checked(result)) else "",
        pareto=pareto_svg(result),
        energy_range=escape(energy),
        thinned=escape(thinned),
        rewards=rewards_svg(result),
        window=_window(len(trials)),
        shown=len(best),
        distinct=f"{distinct_designs(result.joint, trials):,}",
        columns="".join(_columns(result.targets)),
        predicted="" if result.simulated is None else PREDICTED_IN_BRACKETS,
        rows="\n".join(_row(rank, of, result.targets) for rank, of in enumerate(best, 1)),
        facts="\n".join(_facts(result)),
        data=_inert(json_text(document(result, MOST_ROWS))),
    )


def pareto_svg(result: SearchResult) -> str:
    """Accuracy against latency; colour is energy, grey misses a target."""
    trials = result.trials
    runs = trials.feasible & np.isfinite(trials.accuracy)
    if not runs.any():
        return "<p>No design that was tried can run.</p>"
    latency, accuracy = trials.latency_ms[runs], trials.accuracy[runs]
    target = result.targets.get("latency_ms")
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
    true = result.true
    front = front_rows(true)
    drawn = np.zeros(len(trials), np.bool_)
    drawn[:: _step(len(trials))] = True
    drawn[np.searchsorted(trials.number, true.number[front])] = True
    for row in np.flatnonzero(runs & drawn & ~met).tolist():
        plot.dot(*_point(trials, row), "dot-missed", _says(result, row))
    for row in np.flatnonzero(drawn & met).tolist():
        fill = colour(float(trials.energy_mj[row]))
        plot.dot(*_point(trials, row), "dot-met", _says(result, row), fill)
    plot.line([_point(true, row) for row in front.tolist()], "front", steps=True)
    base = result.baseline
    if np.isfinite(base.latency_ms) and plot.holds(base.latency_ms, base.accuracy):
        plot.dot(base.latency_ms, base.accuracy, "baseline", f"baseline design: {base.network}")
    if target is not None:
        plot.limit(target, f"target {target:.3g} ms")
    for of in best_designs(result, 1 if result.front is None else 0):
        if of.satisfied:
            plot.star(of.latency_ms, of.accuracy, f"best: {of.network}")
    return plot.text()


def rewards_svg(result: SearchResult) -> str:
    """Reward of each trial, the mean of a window, the best so far."""
    trials = result.trials
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
        plot.dot(number[row], reward[row], "plain", _says(result, row))
    window = _window(len(trials))
    mean = np.convolve(reward, np.full(window, 1 / window), mode="valid")
    thin = max(1, len(mean) // MOST_DOTS)
    plot.line(list(zip(number[window - 1 :: thin], mean[::thin], strict=True)), "mean", steps=False)
    best = np.maximum.accumulate(reward)
    rises = np.flatnonzero(np.diff(best, prepend=-np.inf) > 0)
    points = [(float(number[row]), float(best[row])) for row in rises]
    plot.line([*points, (float(number[-1]), float(best[-1]))], "front", steps=True)
    return plot.text()


def _sentence(result: SearchResult, best: list[Design]) -> str:
    if not best or not best[0].satisfied or result.front is not None:
        return f"{counted(result)}."
    first = best[0]
    return (
        f"{counted(result)}. The best design reaches {first.accuracy:.2f} % at "
        f"{first.latency_ms:.3g} ms, {first.energy_mj:.3g} mJ and {first.area_mm2:.3g} mm²: "
        f"{first.network} on {accelerator_text(first.hardware)}."
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


def _row(rank: int, of: Design, targets: Mapping[str, float]) -> str:
    cells = [
        _number(rank, str(rank)),
        f"<td><code>{escape(of.network)}</code></td>",
        f"<td>{escape(' '.join((accelerator_text(of.hardware), further_text(of))).strip())}</td>",
        _number(of.accuracy, f"{of.accuracy:.2f} {deviation_text(of)}".strip()),
        *(_number(getattr(of, m), _cost_text(of, m)) for m in UNITS),
        _number(of.parameters, f"{of.parameters / 1e6:.2f}"),
        f'<td class="{"met" if of.satisfied else "missed"}">{escape(_verdict_text(of, targets))}'
        "</td>",
    ]
    return f"<tr{' data-met' if of.satisfied else ''}>{''.join(cells)}</tr>"


def _cost_text(of: Design, metric: str) -> str:
    text = significant(getattr(of, metric))
    if of.predicted is None:
        return text
    return f"{text} ({significant(getattr(of.predicted, metric))})"


def _verdict_text(of: Design, targets: Mapping[str, float]) -> str:
    said = verdict(of, targets)
    return f"{said} ({predicted_verdict(of)})" if of.predicted else said


def _number(value: float, text: str) -> str:
    return f'<td class="number" data-value="{value}">{escape(text)}</td>'


def _facts(result: SearchResult) -> list[str]:
    base = result.baseline
    facts: dict[str, Any] = {
        "accuracy": result.accuracy_label,
        "targets": target_text(result.targets),
        "seed": result.seed,
        "baseline design": (
            f"{base.network} on {accelerator_text(base.hardware)}: {base.accuracy:.2f} %, "
            f"{base.latency_ms:.3g} ms, {base.energy_mj:.3g} mJ, {base.area_mm2:.3g} mm²"
        ),
        **{name: value for name, value in result.options.items() if name != "targets"},
        "drawn by": f"nahas {nahas.__version__}",
    }
    return [
        f"<tr><td>{escape(name.replace('_', ' '))}</td><td>{escape(_flat(value))}</td></tr>"
        for name, value in facts.items()
    ]


def _flat(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_flat(item)}" for key, item in value.items())
    return str(value)


def _inert(json: str) -> str:
    """JSON inside a script element: nothing in it may look like the element's end."""
    return json.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _point(trials: Trials, row: int) -> tuple[float, float]:
    return float(trials.latency_ms[row]), float(trials.accuracy[row])


def _says(result: SearchResult, row: int) -> str:
    trials = result.trials
    predicted = "" if result.simulated is None else ", predicted"
    return (
        f"trial {trials.number[row]}: {trials.accuracy[row]:.2f} %, "
        f"{trials.latency_ms[row]:.3g} ms, {trials.energy_mj[row]:.3g} mJ, "
        f"{trials.area_mm2[row]:.3g} mm², reward {trials.reward[row]:.2f}{predicted}"
    )


def _ends(values: np.ndarray[Any, np.dtype[np.float64]]) -> tuple[float, float]:
    return (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)


def _step(trials: int) -> int:
    return -(-trials // MOST_DOTS) if trials else 1


def _window(trials: int) -> int:
    return max(1, trials // 25)
