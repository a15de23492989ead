"""Every trial as rows: CSV, JSON and Parquet files, or dictionaries for a DataFrame."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from nahas.errors import UsageError
from nahas.files import json_text, plain, write_text, written_whole
from nahas.strategies import SearchResult
from nahas.vocabulary import Reason

SCHEMA_VERSION = 1

MEASURES = ("accuracy", "latency_ms", "energy_mj", "area_mm2", "parameters", "reward")


def rows(result: SearchResult) -> list[dict[str, Any]]:
    """One flat dictionary per trial: number, network, accelerator, measures, verdict, label.

    A measure that is no finite number (the latency of what cannot run) is None. The label says
    what the accuracy is, and `costs` whether the costs are simulated or predicted; both are in
    every row, so that they are not lost where rows are cut or joined.
    """
    trials, joint = result.trials, result.joint
    if not len(trials):
        return []
    networks, accelerators = joint.split(trials.choices)
    of_space = joint.network_space
    found = []
    for row in range(len(trials)):
        name = of_space.network_name(of_space.space.values(networks[row]))
        found.append(
            {"trial": int(trials.number[row]), "network": name}
            | joint.accelerator.values(accelerators[row])
            | {measure: plain(getattr(trials, measure)[row]) for measure in MEASURES}
            | {
                "feasible": bool(trials.satisfied[row]),
                "runs": bool(trials.feasible[row]),
                "reason": Reason(int(trials.reason[row])).name.lower(),
                "accuracy_label": result.accuracy_label,
                "costs": "simulated" if result.simulated is None else "predicted",
            }
        )
    return found


def rows_of_all(results: Sequence[SearchResult]) -> list[dict[str, Any]]:
    """The rows of all studies; of several, each row names its study and seed first."""
    if len(results) == 1:
        return rows(results[0])
    return [
        {"study": plain(result.study), "seed": result.seed} | row
        for result in results
        for row in rows(result)
    ]


def write_csv(results: Sequence[SearchResult], path: Path) -> None:
    """Write the rows as CSV with a header; what is not known is empty."""
    table = rows_of_all(results)
    text = io.StringIO()
    if table:
        writer = csv.DictWriter(text, list(table[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)
    write_text(path, text.getvalue())


def write_json(results: Sequence[SearchResult], path: Path) -> None:
    """Write the rows as one JSON document; targets and seed stand there of a single study."""
    first, single = results[0], len(results) == 1
    content = {
        "schema_version": SCHEMA_VERSION,
        "accuracy_label": first.accuracy_label,
        **({"targets": dict(first.targets), "seed": first.seed} if single else {}),
        "trials": rows_of_all(results),
    }
    write_text(path, json_text(content))


def write_parquet(results: Sequence[SearchResult], path: Path) -> None:
    """Write the rows as Parquet.

    Raises:
        UsageError: when pyarrow is absent.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise UsageError(
            "Parquet needs pyarrow: run 'pip install nahas[data]', or export CSV or JSON"
        ) from error
    table = pyarrow.Table.from_pylist(rows_of_all(results))
    with written_whole(path) as temporary:
        parquet.write_table(table, temporary)


WRITERS: dict[str, Callable[[Sequence[SearchResult], Path], None]] = {
    "csv": write_csv,
    "json": write_json,
    "parquet": write_parquet,
}
"""Formats that `nahas report --export` offers."""
