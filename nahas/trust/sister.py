"""Our latencies beside those that Google released for a sister space of accelerators.

PRIME's tables (data/sister_runtimes.csv) give the least and the mean runtime of networks over all
feasible points of a wider space, on a simulator that is not public. Ours run over the paper's
50,000 points. Times do not compare, for the spaces differ; ratios between networks do.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from nahas import networks
from nahas.datafiles import packaged
from nahas.hardware import Hardware
from nahas.simulate import simulate_networks
from nahas.spaces import accelerator

TABLE = "sister_runtimes.csv"

UNITS = (0, 1)
"""Activation units per PE that are compared: the template's, and one element per cycle."""

TOLERANCE = 0.25
"""How far a ratio between two networks may be off."""


@dataclass(frozen=True)
class Runtimes:
    """The least and the mean latency of a network over a space, in microseconds."""

    min_us: float
    mean_us: float


@dataclass(frozen=True)
class SisterNetwork:
    """One network, theirs and ours.

    Attributes:
        units: activation units of a PE.
        feasible: points of our space that run it.
        min_off, mean_off: our ratio to the first network over theirs, minus 1.
    """

    network: str
    units: int
    feasible: int
    theirs: Runtimes
    ours: Runtimes
    min_off: float
    mean_off: float


@dataclass(frozen=True)
class SisterComparison:
    """Every network with every number of activation units."""

    points: int
    rows: tuple[SisterNetwork, ...]

    def document(self) -> dict[str, Any]:
        """The JSON form."""
        return {"points": self.points, "rows": [asdict(row) for row in self.rows]}


def every_accelerator() -> list[Hardware]:
    """The points of the accelerator space, all of them, in order."""
    space = accelerator.accelerator_space()
    digits = np.unravel_index(np.arange(space.size), space.cardinalities)
    return [accelerator.hardware(space.values(row)) for row in np.stack(digits, axis=1)]


def compare_with_sister(points: Sequence[Hardware] | None = None) -> SisterComparison:
    """Minimum and mean latency of each network of the table over `points`; of all when None."""
    points = every_accelerator() if points is None else points
    published = _published()
    chosen = [networks.named(name) for name in published]
    rows: list[SisterNetwork] = []
    for units in UNITS:
        hardware = [replace(point, activation_units=units) for point in points]
        latency_us = simulate_networks(chosen, hardware).latency_ms * 1e3
        runs = [each[np.isfinite(each)] for each in latency_us]
        ours = [Runtimes(float(each.min()), float(each.mean())) for each in runs]
        first = next(iter(published.values()))
        for (name, theirs), mine, known in zip(published.items(), ours, runs, strict=True):
            least = (mine.min_us / ours[0].min_us) / (theirs.min_us / first.min_us) - 1
            mean = (mine.mean_us / ours[0].mean_us) / (theirs.mean_us / first.mean_us) - 1
            rows.append(SisterNetwork(name, units, len(known), theirs, mine, least, mean))
    return SisterComparison(len(points), tuple(rows))


def _published() -> dict[str, Runtimes]:
    with packaged(TABLE).open(newline="", encoding="utf-8") as lines:
        return {
            row["network"]: Runtimes(float(row["min_us"]), float(row["mean_us"]))
            for row in csv.DictReader(lines)
        }
