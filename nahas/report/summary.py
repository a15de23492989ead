"""What every report says of a search, in the same words: table, figures, page and JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.designs import Design, Prediction, distinct_designs
from nahas.pareto import OBJECTIVES, REFERENCE, Front
from nahas.phases import JOINT, ONE_SHOT, phases_in
from nahas.reward import PER_UNIT
from nahas.strategies import SearchResult
from nahas.vocabulary import GIVEN_UP, Reason

UNITS = {"latency_ms": "ms", "energy_mj": "mJ", "area_mm2": "mm²"}
"""What is shown of every design, and the units as people write them."""

WORDS = {
    "latency_ms": "latency",
    "energy_mj": "energy",
    "area_mm2": "area",
    "parameters": "parameters",
}
"""Metrics that may have a target, as people say them."""


def heading(result: SearchResult) -> str:
    """What was searched, in a line."""
    predicted = "" if result.simulated is None else ", costs predicted"
    return (
        f"{result.joint.network_space.name} networks x "
        f"{result.joint.accelerator.size:,} accelerators: "
        f"{tried(result)}, seed {result.seed}{predicted}"
    )


def tried(result: SearchResult) -> str:
    """How many trials there were, and of how many designs: a search proposes some again."""
    distinct = distinct_designs(result.joint, result.trials)
    return f"{_count(len(result.trials), 'trial')} of {_count(distinct, 'distinct design')}"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def counted(result: SearchResult) -> str:
    """How many trials there were, and how many of them are any good."""
    if result.front is not None:
        return f"{tried(result)}; {front_text(result.front)}; seed {result.seed}"
    met = int(result.trials.satisfied.sum())
    meet = "meet" if result.simulated is None else "are predicted to meet"
    without = int((result.trials.feasible & ~np.isfinite(result.trials.accuracy)).sum())
    failed = f"; {without:,} trials have no accuracy" if without else ""
    return (
        f"{tried(result)}; {met:,} trials {meet} every target{failed}{_given_up(result)}; "
        f"seed {result.seed}"
    )


def _given_up(result: SearchResult) -> str:
    """How many trials no worker could finish, by reason; empty where there are none."""
    counts = {why: int((result.trials.reason == why).sum()) for why in GIVEN_UP}
    parts = [f"{count:,} {_words(why.name.lower())}" for why, count in counts.items() if count]
    return f"; given up: {', '.join(parts)}" if parts else ""


def _words(name: str) -> str:
    return name.replace("_", " ")


def front_text(front: Front) -> str:
    """How many designs are on the front, and its hypervolume."""
    return f"{len(front.rows):,} designs on the front, hypervolume {front.hypervolume:.4f}"


def checked(result: SearchResult) -> str:
    """Who said the costs, and how often the simulator agreed; empty where it said all of them."""
    again = result.simulated
    if again is None:
        return ""
    by = f"costs of trials are predicted, by cost model {result.options['cost_model'][:12]}"
    if not len(again):
        return f"{by}; no design was simulated again yet"
    promised = _promised(result)
    kept, others = (int((which & again.satisfied).sum()) for which in (promised, ~promised))
    tried = distinct_designs(result.joint, result.trials)
    which = f"all {tried:,}" if len(again) == tried else f"{len(again):,} of {tried:,}"
    return (
        f"{by}; {which} designs were simulated again: of {int(promised.sum()):,} predicted to meet "
        f"every target {kept:,} do, and {others:,} others; designs are listed with simulated costs"
    )


def phased(result: SearchResult) -> str:
    """What was searched when, in a line; empty where it is one joint phase of all trials."""
    told = _phases_document(result)
    if result.options.get("strategy") == ONE_SHOT:
        return (
            "one-shot: the design that a policy ended with while shared weights learned, measured "
            "with these; train it alone to know its accuracy"
        )
    if len(told) == 1 and told[0]["searches"] == JOINT:
        return ""
    parts = (
        f"{phase['searches']} in trials {phase['first']:,} to {phase['last']:,}"
        for phase in told
        if phase["last"] is not None
    )
    return f"strategy {result.options['strategy']}: {', then '.join(parts)}"


def boundaries(result: SearchResult) -> list[tuple[int, str]]:
    """Where a phase follows another: the number of its first trial, and what it searches."""
    return [
        (phase["first"], phase["searches"])
        for phase in _phases_document(result)
        if phase["first"] and phase["last"] is not None
    ]


def _phases_document(result: SearchResult) -> list[dict[str, Any]]:
    count = len(result.trials)
    return [
        {
            "searches": phase.searches,
            "first": phase.start,
            "last": min(phase.end or count, count) - 1 if phase.start < count else None,
        }
        for phase in phases_in(result.options)
    ]


def none_met(result: SearchResult) -> str:
    """That no design meets every target, as far as designs were simulated."""
    if result.front is not None:
        return "no design can run and has an accuracy"
    some = len(result.true) < distinct_designs(result.joint, result.trials)
    return f"no design{' that was simulated again' if some else ''} meets every target"


def _promised(result: SearchResult) -> NDArray[np.bool_]:
    """Of the trials simulated again, which were predicted to meet every target."""
    again = result.true.number
    return result.trials.satisfied[np.searchsorted(result.trials.number, again)]


def best_designs(result: SearchResult, count: int) -> list[Design]:
    """Up to `count` designs to show: see `SearchResult.designs`."""
    return result.designs(count)


def accelerator_text(hardware: Mapping[str, Any]) -> str:
    """An accelerator in a line: its seven parameters."""
    return (
        f"{hardware['pes_x']}x{hardware['pes_y']} PEs, "
        f"{hardware['compute_lanes']} lane{'s' if hardware['compute_lanes'] > 1 else ''}, "
        f"{hardware['simd_units']} SIMD, {hardware['local_memory_mb']:g} MB, "
        f"{hardware['register_file_kb']:g} KB, {hardware['io_gb_per_s']:g} GB/s"
    )


def further_text(of: Design) -> str:
    """On how many further accelerators the network of a best design was tried; may be empty."""
    more = of.further_accelerators
    return f"and on {more:,} further accelerator{'s' if more > 1 else ''}" if more else ""


def verdict(of: Design, targets: Mapping[str, float]) -> str:
    """Whether a design meets its targets: 'met', or which it misses by how much."""
    if of.satisfied:
        return "met"
    if not of.feasible:
        return failure(Reason[of.reason.upper()])
    over = [
        f"{WORDS[metric]} +{getattr(of, metric) / limit - 1:.1%}"
        for metric, limit in in_order(targets)
        if getattr(of, metric) > limit
    ]
    return ", ".join(over) or "no accuracy"


def failure(reason: Reason) -> str:
    """What became of a design that earned nothing: 'cannot run: local memory'."""
    what = "no accuracy" if reason in GIVEN_UP else "cannot run"
    return f"{what}: {_words(reason.name.lower())}"


def deviation_text(of: Design) -> str:
    """How far an accuracy may be off; empty where nobody knows."""
    return "" if of.accuracy_deviation is None else f"± {of.accuracy_deviation:.2f}"


def predicted_verdict(of: Design) -> str:
    """What a cost model promised of the targets; empty where none was asked."""
    if of.predicted is None:
        return ""
    return "predicted met" if of.predicted.satisfied else "predicted missed"


def target_text(targets: Mapping[str, float]) -> str:
    """Targets in a line."""
    return ", ".join(limit_text(*target) for target in in_order(targets)) or "none"


def in_order(targets: Mapping[str, float]) -> list[tuple[str, float]]:
    """Targets in the order of `WORDS`, whatever order they were read in."""
    return [(metric, targets[metric]) for metric in WORDS if metric in targets]


def limit_text(metric: str, limit: float) -> str:
    """A target: 'latency ≤ 0.3 ms', 'parameters ≤ 5.3 M'."""
    return f"{WORDS[metric]} ≤ {limit / PER_UNIT.get(metric, 1.0):.4g} {UNITS.get(metric, 'M')}"


def significant(value: float) -> str:
    """A cost with as many digits as it means something: 0.287, 3.14, 87.6, 1,204."""
    if value >= 1000:
        return f"{value:,.0f}"
    digits = 3 if value < 1 else 2 if value < 10 else 1
    return f"{value:.{digits}f}"


def document(result: SearchResult, count: int) -> dict[str, Any]:
    """The JSON document of a search, without its header: docs/json.md explains the keys."""
    return {
        "best": [design_document(d, rank) for rank, d in enumerate(best_designs(result, count), 1)],
        "accuracy_label": result.accuracy_label,
        "targets": dict(result.targets),
        "baseline": design_document(result.baseline, None),
        "space": result.joint.network_space.name,
        "seed": result.seed,
        "trials": len(result.trials),
        "distinct_designs": distinct_designs(result.joint, result.trials),
        "feasible_trials": int(result.trials.satisfied.sum()),
        "stopped_by": result.stop,
        "seconds": round(result.seconds, 3),
        "study": result.study,
        "options": dict(result.options),
        "strategy": result.options.get("strategy", JOINT),
        "phases": _phases_document(result),
        "cost_model": _cost_model_document(result),
        "pareto": _pareto_document(result),
    }


def _pareto_document(result: SearchResult) -> dict[str, Any] | None:
    if result.front is None:
        return None
    return {
        "objectives": list(OBJECTIVES),
        "reference": {name: REFERENCE[name] for name in OBJECTIVES},
        "designs_on_front": len(result.front.rows),
        "hypervolume": result.front.hypervolume,
        "hypervolume_after_batch": result.front.after_batch.tolist(),
    }


def _cost_model_document(result: SearchResult) -> dict[str, Any] | None:
    again = result.simulated
    if again is None:
        return None
    promised = _promised(result)
    return {
        "weights_sha256": result.options["cost_model"],
        "simulated_again": len(again),
        "predicted_feasible": int(promised.sum()),
        "truly_feasible": int((promised & again.satisfied).sum()),
        "feasible": int(again.satisfied.sum()),
    }


def design_document(of: Design, rank: int | None) -> dict[str, Any]:
    """A design in JSON. `feasible` there means: it runs and meets every target."""
    return {
        "rank": rank,
        "trial": of.trial,
        "network": of.network,
        "hardware": dict(of.hardware),
        "further_accelerators": of.further_accelerators,
        "accuracy": of.accuracy,
        "accuracy_deviation": of.accuracy_deviation,
        "latency_ms": of.latency_ms,
        "energy_mj": of.energy_mj,
        "area_mm2": of.area_mm2,
        "parameters": of.parameters,
        "reward": of.reward,
        "feasible": of.satisfied,
        "runs": of.feasible,
        "reason": of.reason,
        "predicted": _prediction_document(of.predicted) if of.predicted else None,
    }


def _prediction_document(of: Prediction) -> dict[str, Any]:
    return {
        "latency_ms": of.latency_ms,
        "energy_mj": of.energy_mj,
        "area_mm2": of.area_mm2,
        "reward": of.reward,
        "feasible": of.satisfied,
        "runs": of.feasible,
    }
