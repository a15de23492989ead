"""Tables of many searches: medians with 95 % intervals, as rows and as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np

RESAMPLES = 10_000
PARTS = {"trials_to_99": 0.99, "trials_to_99_9": 0.999}
"""Of the optimum's reward: what is called reached. Where accuracies lie close, 99 % is soon had."""

LEVEL = PARTS["trials_to_99_9"]

Row = Mapping[str, Any]
Interval = list[float | None]
"""A median and the bounds of its interval; None is beyond every trial."""

RIVALS = ("fixed-accelerator", "phase", "phase-network")


def median_interval(values: Sequence[float]) -> Interval:
    """The median, and the 95 % interval of a seeded bootstrap of it.

    Values may be infinite: what was never reached. The bounds are medians of resamples, so that
    nothing is interpolated between a number and infinity.
    """
    ordered = np.sort(np.asarray(values, float))
    middle = [(len(ordered) - 1) // 2, len(ordered) // 2]
    rng = np.random.default_rng(0)
    ranks = np.sort(rng.integers(0, len(ordered), (RESAMPLES, len(ordered))), axis=1)
    medians = np.sort(ordered[ranks[:, middle]].mean(axis=1))
    low, high = medians[int(0.025 * RESAMPLES)], medians[int(0.975 * RESAMPLES) - 1]
    found = (ordered[middle].mean(), low, high)
    return [float(f"{value:.6g}") if np.isfinite(value) else None for value in found]


def best_of(row: Row) -> float:
    """The best reward within the targets; minus infinity where none is."""
    return float(row["climbs"][-1][1]) if row["climbs"] else -np.inf


def trials_to(row: Row, reward: float) -> float:
    """Trials until a design within the targets earns so much; infinite where none does."""
    return next((float(trial) for trial, best in row["climbs"] if best >= reward), np.inf)


def summary(rows: Sequence[Row], optima: Mapping[str, float] | None) -> dict[str, Any]:
    """The tables of searches of one space.

    Args:
        rows: of searches, as `regret.run` gives them.
        optima: the known optimum of each target; None takes the best of all rows.
    """
    hard = [row for row in rows if row["reward"] == "hard"]
    best = optima
    if best is None:
        targets = {row["target"] for row in hard if row["climbs"]}
        best = {name: max(best_of(r) for r in hard if r["target"] == name) for name in targets}
    return {
        "reference": "best of all runs" if optima is None else "known optimum",
        "optima": {name: float(f"{value:.9g}") for name, value in sorted(best.items())},
        "regret": [_regret(*group, best) for group in _groups(hard, *_NAMES)],
        "first": [row for group in _groups(hard, *_RIVALRY) for row in _first(*group, best)],
        "missed": [_missed(*group) for group in _groups(_soft(rows), *_NAMES)],
        "equal_accuracy": [
            row for group in _groups(hard, "controller", "trials") for row in _equal(*group)
        ],
    }


_NAMES = ("target", "controller", "strategy", "trials")
_RIVALRY = ("target", "controller", "trials")


def _soft(rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if row["reward"] == "soft"]


def _groups(rows: Iterable[Row], *names: str) -> list[tuple[dict[str, Any], list[Row]]]:
    """Rows that agree in some fields, each group in the order of seeds, groups as they come."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row[name] for name in names), []).append(row)
    return [
        (dict(zip(names, key, strict=True)), sorted(of, key=lambda row: row["seed"]))
        for key, of in sorted(groups.items(), key=lambda item: _order(item[0]))
    ]


def _order(key: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(str(part) if not isinstance(part, int) else f"{part:09d}" for part in key)


def _regret(names: dict[str, Any], rows: list[Row], best: Mapping[str, float]) -> dict[str, Any]:
    optimum = best.get(names["target"])
    told = {**names, "seeds": len(rows), "met": float(np.mean([bool(r["climbs"]) for r in rows]))}
    if optimum is None:
        return {**told, "regret": None, **dict.fromkeys(PARTS)}
    return {
        **told,
        "regret": median_interval([max(optimum - best_of(row), 0.0) for row in rows]),
        **{
            name: median_interval([trials_to(row, part * optimum) for row in rows])
            for name, part in PARTS.items()
        },
    }


def _first(
    names: dict[str, Any], rows: list[Row], best: Mapping[str, float]
) -> list[dict[str, Any]]:
    """Seeds under which joint search, or a rival, is the first at 99.9 % of the optimum."""
    optimum = best.get(names["target"])
    if optimum is None:
        return []
    by = {(row["strategy"], row["seed"]): trials_to(row, LEVEL * optimum) for row in rows}
    seeds = sorted({row["seed"] for row in rows})
    told = []
    for rival in RIVALS:
        pairs = [
            (by["joint", seed], by[rival, seed])
            for seed in seeds
            if ("joint", seed) in by and (rival, seed) in by
        ]
        if pairs:
            told.append(
                {
                    **names,
                    "rival": rival,
                    "seeds": len(pairs),
                    "joint_first": sum(joint < other for joint, other in pairs),
                    "rival_first": sum(other < joint for joint, other in pairs),
                    "neither": sum(np.isinf(joint) and np.isinf(other) for joint, other in pairs),
                }
            )
    return told


def _missed(names: dict[str, Any], rows: list[Row]) -> dict[str, Any]:
    """Searches by the soft reward whose most rewarded design misses a target."""
    return {**names, "seeds": len(rows), "missed": sum(not row["final_met"] for row in rows)}


def _equal(names: dict[str, Any], rows: list[Row]) -> list[dict[str, Any]]:
    """Energy and latency of rivals over those of joint search, at the accuracies both reach.

    The designs within their targets of all targets' searches of a seed make one front for each
    strategy. At every accuracy of either front that the other reaches too stands what the least
    costs of each; two strategies that are alike have a median ratio of 1 over many seeds. What
    one alone reaches is told beside: the highest accuracy of joint search less the rival's.
    """
    told = []
    seeds = sorted({row["seed"] for row in rows})
    for rival, metric in product(RIVALS, ("energy_mj", "latency_ms")):
        middles, higher = [], []
        for seed in seeds:
            own = [row for row in rows if row["seed"] == seed]
            joint, other = (_pooled(own, strategy, metric) for strategy in ("joint", rival))
            if not joint or not other:
                continue
            tops = max(joint)[0], max(other)[0]
            levels = {pair[0] for front in (joint, other) for pair in _front_of(front)}
            ratios = [
                _least(other, level) / _least(joint, level)
                for level in levels
                if level <= min(tops)
            ]
            middles.append(float(np.median(ratios)))
            higher.append(tops[0] - tops[1])
        if middles:
            told.append(
                {
                    **names,
                    "rival": rival,
                    "metric": metric,
                    "seeds": len(middles),
                    "ratio": median_interval(middles),
                    "higher": median_interval(higher),
                }
            )
    return told


def _least(pairs: Iterable[Sequence[float]], accuracy: float) -> float:
    """The least cost at which this accuracy is reached."""
    return min(value for reached, value in pairs if reached >= accuracy)


def _pooled(rows: Iterable[Row], strategy: str, metric: str) -> list[list[float]]:
    return [pair for row in rows if row["strategy"] == strategy for pair in row[metric]]


def _front_of(pairs: Iterable[Sequence[float]]) -> list[Sequence[float]]:
    """Pairs of accuracy and cost that none of the others betters, the most accurate first."""
    kept: list[Sequence[float]] = []
    for accuracy, value in sorted(pairs, key=lambda pair: (-pair[0], pair[1])):
        if not kept or value < kept[-1][1]:
            kept.append((accuracy, value))
    return kept


def markdown(results: Mapping[str, Any]) -> str:
    """The tables of every space, as the documentation has them."""
    return "\n\n".join(part for space, of in sorted(results.items()) for part in _tables(space, of))


def _tables(space: str, of: Mapping[str, Any]) -> list[str]:
    tables = (
        (f"regret to the {of['reference']}", _regret_cells(of)),
        (
            f"seeds under which each is first at {LEVEL:.1%} of the {of['reference']}",
            _first_cells(of),
        ),
        ("searches by the soft reward whose final design misses a target", _missed_cells(of)),
        ("cost of a rival over that of joint search, at equal accuracy", _equal_cells(of)),
    )
    return [f"**`{space}`: {title}**\n\n{_table(rows)}" for title, rows in tables if rows]


def _regret_cells(of: Mapping[str, Any]) -> list[dict[str, str]]:
    best = of["optima"]
    return [
        {
            "target": row["target"],
            "best": f"{best[row['target']]:.3f}" if row["target"] in best else "none",
            "strategy": row["strategy"],
            **_counts(row),
            "regret": _interval(row["regret"], lambda v: f"{v:.3f}", "none within"),
            **{
                f"trials to {part * 100:g} %": _interval(row[name], lambda v: f"{v:,.0f}", "never")
                for name, part in PARTS.items()
            },
            "within targets": f"{row['met']:.0%}",
        }
        for row in of["regret"]
    ]


def _first_cells(of: Mapping[str, Any]) -> list[dict[str, str]]:
    return [
        {
            "target": row["target"],
            "rival": row["rival"],
            **_counts(row),
            "joint first": str(row["joint_first"]),
            "rival first": str(row["rival_first"]),
            "neither": str(row["neither"]),
        }
        for row in of["first"]
    ]


def _missed_cells(of: Mapping[str, Any]) -> list[dict[str, str]]:
    return [
        {
            "target": row["target"],
            "strategy": row["strategy"],
            **_counts(row),
            "missed": str(row["missed"]),
            "of 4": f"{4 * row['missed'] / row['seeds']:.1f}",
        }
        for row in of["missed"]
    ]


def _equal_cells(of: Mapping[str, Any]) -> list[dict[str, str]]:
    return [
        {
            "cost": row["metric"].partition("_")[0],
            "rival": row["rival"],
            **_counts(row),
            "rival / joint": _interval(row["ratio"], lambda v: f"{v:.2f}", "-"),
            "joint reaches more by": _interval(row["higher"], lambda v: f"{v:.2f}", "-"),
        }
        for row in of["equal_accuracy"]
    ]


def _counts(row: Row) -> dict[str, str]:
    return {
        "controller": row["controller"],
        "trials": f"{row['trials']:,}",
        "seeds": str(row["seeds"]),
    }


def _table(rows: Sequence[Mapping[str, str]]) -> str:
    lines = [list(rows[0]), ["---"] * len(rows[0]), *(list(row.values()) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _interval(of: Interval | None, text: Callable[[float], str], beyond: str) -> str:
    if of is None:
        return "-"
    middle, low, high = (beyond if value is None else text(value) for value in of)
    return middle if middle == low == high else f"{middle} ({low} to {high})"
