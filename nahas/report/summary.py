"""What a report says of a study: its best designs, its front, its targets, its accuracy's name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.hardware import Hardware
from nahas.spaces.joint import JointSpace
from nahas.study.front import front
from nahas.study.trials import Trials
from nahas.vocabulary import Reason

UNITS = {"latency_ms": "ms", "energy_mj": "mJ", "area_mm2": "mm²"}
"""Metrics that may have a target, and their units as people write them."""

WORDS = {"latency_ms": "latency", "energy_mj": "energy", "area_mm2": "area"}
"""The same metrics as people say them."""


@dataclass(frozen=True, kw_only=True)
class Design:
    """One network on one accelerator, with its costs.

    Attributes:
        rank: 1 is the best.
        trial: the first trial that proposed it.
        network: a name that `nahas.networks.named` finds again.
        feasible: the accelerator can run the network, and every target is met.
        reason: why the accelerator cannot run it; 'ok' where it can.
    """

    rank: int
    trial: int
    network: str
    hardware: Hardware
    accuracy: float
    latency_ms: float
    energy_mj: float
    area_mm2: float
    parameters: int
    reward: float
    feasible: bool
    reason: str


@dataclass(frozen=True, kw_only=True)
class Summary:
    """A search as reports read it.

    Attributes:
        joint: the space that was searched.
        trials: all trials, in order.
        accuracy_label: what the accuracy is, wherever it is shown.
        targets: the most that metrics should be, by field of `DesignCosts`.
        seed: of the search.
        facts: what else to print (controller, reward, versions ...), by name.
    """

    joint: JointSpace
    trials: Trials
    accuracy_label: str
    targets: Mapping[str, float]
    seed: int
    facts: Mapping[str, Any]

    @property
    def space(self) -> str:
        """Name of the network space."""
        return self.joint.network_space.name

    @property
    def feasible(self) -> int:
        """How many trials run and meet every target."""
        return int(self.trials.satisfied.sum())

    def best(self, count: int) -> list[Design]:
        """Up to `count` distinct designs, best first: see `ranked`."""
        rows = ranked(self.trials)[:count]
        return [self._design(rank, int(row)) for rank, row in enumerate(rows, 1)]

    def front(self) -> NDArray[np.int64]:
        """Rows of the trials that meet every target and that none of them dominates.

        In accuracy and latency; from the least to the most accurate.
        """
        rows = np.flatnonzero(self.trials.satisfied)
        return rows[front(self.trials[rows])] if rows.size else rows

    def _design(self, rank: int, row: int) -> Design:
        trials = self.trials
        networks, accelerators = self.joint.split(trials.choices[row : row + 1])
        of_space = self.joint.network_space
        values = self.joint.accelerator.values(accelerators[0])
        measures = ("accuracy", "latency_ms", "energy_mj", "area_mm2", "reward")
        return Design(
            rank=rank,
            trial=int(trials.number[row]),
            network=of_space.network_name(of_space.space.values(networks[0])),
            hardware=Hardware(**values),
            parameters=int(trials.parameters[row]),
            feasible=bool(trials.satisfied[row]),
            reason=Reason(int(trials.reason[row])).name.lower(),
            **{name: float(getattr(trials, name)[row]) for name in measures},
        )


def ranked(trials: Trials) -> NDArray[np.int64]:
    """Rows of the distinct designs, best first.

    Designs that meet every target come first, then those that run. Within each, the reward
    decides, then the latency, then which was proposed first. A design that was proposed again
    counts once.
    """
    if not len(trials):
        return np.zeros(0, np.int64)
    _, first = np.unique(trials.choices, axis=0, return_index=True)
    rows = np.sort(first)
    keys = (
        trials.number[rows],
        trials.latency_ms[rows],
        -trials.reward[rows],
        ~trials.feasible[rows],
        ~trials.satisfied[rows],
    )
    return rows[np.lexsort(keys)].astype(np.int64)


def accelerator_text(hardware: Hardware) -> str:
    """An accelerator in a line: its seven parameters."""
    return (
        f"{hardware.pes_x}x{hardware.pes_y} PEs, {hardware.compute_lanes} lanes, "
        f"{hardware.simd_units} SIMD, {hardware.local_memory_mb:g} MB, "
        f"{hardware.register_file_kb:g} KB, {hardware.io_gb_per_s:g} GB/s"
    )


def verdict(design: Design, targets: Mapping[str, float]) -> str:
    """Whether a design meets its targets: 'met', or by how much it misses which."""
    if design.reason != "ok":
        return f"cannot run: {design.reason.replace('_', ' ')}"
    over = [
        f"{WORDS[metric]} +{getattr(design, metric) / limit - 1:.1%}"
        for metric, limit in targets.items()
        if getattr(design, metric) > limit
    ]
    return ", ".join(over) or ("met" if design.feasible else "no accuracy")


def document(summary: Summary, count: int, study: Path | None) -> dict[str, Any]:
    """The JSON document of a search, without its header: see docs/json.md."""
    return {
        "best": [_design_document(design) for design in summary.best(count)],
        "accuracy_label": summary.accuracy_label,
        "targets": dict(summary.targets),
        "space": summary.space,
        "seed": summary.seed,
        "trials": len(summary.trials),
        "feasible_trials": summary.feasible,
        "study": None if study is None else str(study),
        **summary.facts,
    }


def _design_document(design: Design) -> dict[str, Any]:
    parts = {field.name: getattr(design, field.name) for field in fields(design)}
    return parts | {
        "hardware": {f.name: getattr(design.hardware, f.name) for f in fields(Hardware)}
    }
