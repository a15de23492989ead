"""Studies as one HTML file that needs nothing else: no network, no library, no server.

What the page shows is in it as JSON (`page_document`), column by column; its scripts draw it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.designs import Design, distinct_designs
from nahas.errors import EnergyError
from nahas.files import plain, write_text
from nahas.report.curves import best_so_far, reward_curves, volume_curve
from nahas.report.groups import Group
from nahas.report.importance import importance_document, importances
from nahas.report.layers import COMPONENT_WORDS, layer_documents, rounded
from nahas.report.provenance import Provenance, command_text, facts, provenance
from nahas.report.shown import Shown, in_pareto_mode, shown
from nahas.report.summary import (
    UNITS,
    WORDS,
    accelerator_text,
    best_designs,
    boundaries,
    checked,
    counted,
    failure,
    heading,
    in_order,
    phased,
    target_text,
)
from nahas.spaces.joint import JointSpace
from nahas.strategies import SearchResult
from nahas.study.trials import Trials
from nahas.vocabulary import Objective, Reason

SCRIPTS = ("draw", "fronts", "rewards", "importance", "parallel", "table", "layers", "main")

LETTERS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""A choice's value is told by its letter; '-' where the decision does not apply."""

MOST_DOTS = 1500
"""Trials of a study whose own rewards are drawn; of more, every n-th is."""

MEASURES = ("accuracy", *UNITS, "parameters", "reward")


def write_page(groups: Sequence[Group], path: Path) -> dict[str, Any]:
    """Write the page, whole or not at all; what it shows is given back."""
    document = page_document(groups)
    write_text(path, page_text(document))
    return document


def page_text(document: Mapping[str, Any]) -> str:
    """The page of a document. All that comes from files or options is escaped."""
    web = files("nahas.report") / "web"

    def read(name: str) -> str:
        return (web / name).read_text(encoding="utf-8")

    return Template(read("page.html")).substitute(
        title=escape(document["title"]),
        style=read("page.css"),
        data=_inert(json.dumps(plain(document), separators=(",", ":"), allow_nan=False)),
        script="\n".join(read(f"{name}.js") for name in SCRIPTS),
    )


def page_document(groups: Sequence[Group]) -> dict[str, Any]:
    """All that the page shows, as JSON has it but for numbers that are not finite."""
    ordered = [result for group in groups for result in group.results]
    joint = ordered[0].joint
    designs = shown(joint, [group.results for group in groups])
    known = [provenance(result) for result in ordered]
    names, of_design = _network_names(joint, designs.trials)
    deviations = {name: part for result in ordered for name, part in result.deviations.items()}
    return {
        "title": heading(ordered[0]) if len(ordered) == 1 else _title(joint, ordered),
        "accuracy_label": ordered[0].accuracy_label,
        "pareto": in_pareto_mode(ordered),
        "metrics": [{"key": key, "word": WORDS[key], "unit": UNITS[key]} for key in UNITS],
        "decisions": _decisions(joint),
        "components": COMPONENT_WORDS,
        "groups": _groups(groups, designs),
        "studies": _studies(groups, known),
        "designs": {
            **_columns(joint, designs),
            "network": of_design,
            "predicted": _predicted(ordered, designs),
        },
        "networks": names,
        "deviations": [deviations.get(name) for name in names],
        "best": designs.best,
        "step": designs.step,
        "distinct": designs.distinct,
        "importance": _importance(joint, designs, groups),
        "layers": _layers(joint, designs, ordered, known),
    }


def _title(joint: JointSpace, results: Sequence[SearchResult]) -> str:
    return (
        f"{len(results)} studies of {joint.network_space.name} networks x "
        f"{joint.accelerator.size:,} accelerators"
    )


def _groups(groups: Sequence[Group], designs: Shown) -> list[dict[str, Any]]:
    return [
        {
            "label": group.label,
            "targets": dict(in_order(group.results[0].targets)),
            "curves": _curves(group),
            "phases": boundaries(group.results[0]),
            "fronts": front,
        }
        for group, front in zip(groups, designs.fronts, strict=True)
    ]


def _curves(group: Group) -> dict[str, Any]:
    told = reward_curves([result.trials for result in group.results])
    if in_pareto_mode(group.results):
        told["volume"] = volume_curve(group.results)
    return told


def _decisions(joint: JointSpace) -> list[dict[str, Any]]:
    parts = (("network", joint.network_space.space), ("accelerator", joint.accelerator))
    return [
        {"name": decision.name, "values": decision.values, "part": part}
        for part, space in parts
        for decision in space.decisions
    ]


def _studies(groups: Sequence[Group], known: Sequence[Provenance]) -> list[dict[str, Any]]:
    of_group = [(number, r) for number, group in enumerate(groups) for r in group.results]
    return [
        {
            "group": number,
            "path": None if result.study is None else str(result.study),
            "seed": result.seed,
            "trials": len(result.trials),
            "distinct": distinct_designs(result.joint, result.trials),
            "counted": counted(result),
            "checked": checked(result),
            "phased": phased(result),
            "targets": target_text(result.targets),
            "satisfied": int(result.true.satisfied.sum()),
            "best": [_said(of) for of in best_designs(result, 1)],
            "baseline": {
                **{name: getattr(result.baseline, name) for name in ("accuracy", *UNITS)},
                "network": result.baseline.network,
                "accelerator": accelerator_text(result.baseline.hardware),
            },
            "dots": _dots(result.trials),
            "reasons": reasons(result),
            "command": command_text(result, of.settings),
            "facts": facts(result, of),
        }
        for (number, result), of in zip(of_group, known, strict=True)
    ]


def _said(of: Design) -> dict[str, Any]:
    return {
        **{name: getattr(of, name) for name in ("trial", "network", "satisfied", *MEASURES)},
        "accelerator": accelerator_text(of.hardware),
    }


def reasons(result: SearchResult) -> list[tuple[str, int]]:
    """How many trials meet every target, miss which targets, cannot run and why.

    In Pareto mode how many are on the front instead.
    """
    trials = result.trials
    told = [("meets every target", int(trials.satisfied.sum()))]
    if result.front is not None and result.simulated is None:
        on_front = len(result.front.rows)
        told = [("on the front", on_front), ("dominated", int(trials.satisfied.sum()) - on_front)]
    left = trials.feasible & ~trials.satisfied
    without = left & ~np.isfinite(trials.accuracy)
    left &= ~without
    misses = {
        metric: left & (getattr(trials, metric) > limit)
        for metric, limit in in_order(result.targets)
    }
    for metric, missed in misses.items():
        others = [other for name, other in misses.items() if name != metric]
        alone = missed & ~np.any(others, axis=0) if others else missed
        told.append((f"misses {WORDS.get(metric, metric)} alone", int(alone.sum())))
    several = np.sum(list(misses.values()), axis=0) > 1 if misses else np.zeros(0, np.bool_)
    told.append(("misses several targets", int(several.sum())))
    told.append(("has no accuracy", int(without.sum())))
    for reason in np.unique(trials.reason[~trials.feasible]).tolist():
        told.append((failure(Reason(reason)), int((trials.reason == reason).sum())))
    return [(text, count) for text, count in told if count]


def _dots(trials: Trials) -> dict[str, Any]:
    """Rewards of some trials, the rises of the best among them."""
    step = -(-len(trials) // MOST_DOTS) or 1
    rises = np.flatnonzero(np.diff(best_so_far(trials.reward), prepend=-np.inf) > 0)
    rows = np.union1d(np.arange(0, len(trials), step), rises)
    return {"trial": trials.number[rows], "reward": _numbers(trials.reward[rows]), "step": step}


def _network_names(joint: JointSpace, trials: Trials) -> tuple[list[str], NDArray[np.int64]]:
    """Names of the distinct networks, and which of them each design has."""
    of_space = joint.network_space
    networks = joint.split(trials.choices)[0]
    if not len(networks):
        return [], np.zeros(0, np.int64)
    distinct, of_design = np.unique(networks, axis=0, return_inverse=True)
    names = [of_space.network_name(of_space.space.values(row)) for row in distinct]
    return names, of_design.reshape(-1)


def _columns(joint: JointSpace, designs: Shown) -> dict[str, Any]:
    trials = designs.trials
    met = np.where(trials.satisfied, "m", np.where(trials.feasible, "r", "x"))
    return {
        "study": designs.study,
        "trial": trials.number,
        **{name: _numbers(getattr(trials, name)) for name in MEASURES},
        "state": "".join(met.tolist()),
        "reason": [failure(Reason(code)) if code else "" for code in trials.reason.tolist()]
        if not trials.feasible.all()
        else None,
        "choices": _letters(joint, trials),
    }


def _letters(joint: JointSpace, trials: Trials) -> list[str | list[int]]:
    """For each decision the values of all designs: a letter each, or numbers where too many."""
    used = joint.applicable(trials.choices) if len(trials) else np.zeros((0, 0), np.bool_)
    told: list[str | list[int]] = []
    for d, decision in enumerate(joint.space.decisions):
        if not len(trials):
            told.append("")
            continue
        values = np.where(used[:, d], trials.choices[:, d], -1).tolist()
        few = len(decision.values) <= len(LETTERS)
        told.append("".join(LETTERS[v] if v >= 0 else "-" for v in values) if few else values)
    return told


def _numbers(values: NDArray[Any]) -> list[float | None]:
    return [rounded(value) for value in values.tolist()]


def _predicted(results: Sequence[SearchResult], designs: Shown) -> dict[str, Any] | None:
    """What cost models told of the designs; None where no study asked one."""
    if all(result.simulated is None for result in results):
        return None
    told: dict[str, list[float | None]] = {metric: [] for metric in UNITS}
    for row, study in enumerate(designs.study.tolist()):
        result = results[study]
        at = np.searchsorted(result.trials.number, designs.trials.number[row])
        for metric, column in told.items():
            value = getattr(result.trials, metric)[at]
            column.append(None if result.simulated is None else rounded(float(value)))
    return told


def _importance(joint: JointSpace, designs: Shown, groups: Sequence[Group]) -> dict[str, Any]:
    """The importance of the accelerator's decisions for costs, and for a reward that all share.

    Not for rewards of Pareto mode, which follow from the designs before.
    """
    trials = designs.trials
    trials = trials[trials.feasible & np.isfinite(trials.accuracy)]
    if not len(trials):
        return {}
    metrics = {metric: np.log(getattr(trials, metric)) for metric in UNITS}
    alike = len({json.dumps(plain(_paid_for(group))) for group in groups}) == 1
    if alike and groups[0].results[0].front is None:
        metrics = {"reward": trials.reward, **metrics}
    networks, accelerators = joint.split(trials.choices)
    used = joint.applicable(trials.choices)[:, : networks.shape[1]]
    found = importances(accelerators, np.where(used, networks, -1), joint.accelerator, metrics)
    return {
        name: importance_document(of, joint.accelerator, logarithm=name != "reward")
        for name, of in found.items()
    }


def _paid_for(group: Group) -> list[Any]:
    """What rewards follow from: equal where rewards can be compared."""
    result = group.results[0]
    names = ("reward", "reward_exponents")
    return [dict(result.targets), *(result.options.get(name) for name in names)]


def _layers(
    joint: JointSpace,
    designs: Shown,
    results: Sequence[SearchResult],
    known: Sequence[Provenance],
) -> dict[int, Any]:
    """The layers of some designs by row; see `layers.layer_documents`."""
    told: dict[int, Any] = {}
    for number, (result, of) in enumerate(zip(results, known, strict=True)):
        rows = [row for row in designs.opened if designs.study[row] == number]
        if not rows:
            continue
        networks, hardware = joint.designs(designs.trials.choices[rows])
        kept = [
            {
                name: float(getattr(designs.trials, name)[row])
                for name in ("latency_ms", "energy_mj")
            }
            for row in rows
        ]
        objective = Objective[str(result.options.get("objective", "latency")).upper()]
        documents = layer_documents(networks, hardware, kept, objective, _tables(of.settings))
        told |= dict(zip(rows, documents, strict=True))
    return told


def _tables(settings: Mapping[str, Any]) -> Any:
    """The energy tables of the search, as far as they are still there."""
    from nahas.energy import load_tables

    if not settings.get("tables"):
        return None
    try:
        return load_tables(Path(settings["tables"]))
    except (OSError, EnergyError):
        return None


def _inert(text: str) -> str:
    """JSON inside a script element: nothing in it may look like the element's end."""
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
