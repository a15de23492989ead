"""Trials as arrays: what a search did, row by row, in memory and in files alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields

import numpy as np
from numpy.typing import NDArray

from nahas.cost import DesignCosts
from nahas.spaces.space import ChoiceArray


@dataclass(frozen=True, kw_only=True)
class Trials:
    """T trials in the order they were proposed.

    Attributes:
        number: [T] counts from 0 over the whole study.
        choices: [T, D] the proposed choices.
        accuracy: [T] in percent; NaN where it could not be had.
        latency_ms: [T]; inf where infeasible.
        energy_mj: [T]; inf where infeasible.
        area_mm2: [T].
        parameters: [T] trained numbers of the network.
        reason: [T] `vocabulary.Reason`; 0 is feasible.
        reward: [T] what the controller was told.
        satisfied: [T] feasible and within every target.
        time: [T] when the trial was kept, in seconds since 1970.
        phase: [T] the part of the search that proposed it, from 0; 0 where there is one.
        failure: [T] why the accuracy could not be had; 0 is that it was, or that nobody says.

    The last two are 0 unless they are given.
    """

    number: NDArray[np.int64]
    choices: ChoiceArray
    accuracy: NDArray[np.float64]
    latency_ms: NDArray[np.float64]
    energy_mj: NDArray[np.float64]
    area_mm2: NDArray[np.float64]
    parameters: NDArray[np.int64]
    reason: NDArray[np.int64]
    reward: NDArray[np.float64]
    satisfied: NDArray[np.bool_]
    time: NDArray[np.float64]
    phase: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    failure: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    def __post_init__(self) -> None:
        for name in ("phase", "failure"):
            if not len(getattr(self, name)):
                object.__setattr__(self, name, np.zeros(len(self.number), np.int64))

    def __len__(self) -> int:
        return len(self.number)

    @property
    def feasible(self) -> NDArray[np.bool_]:
        """[T] whether the accelerator can run the network."""
        mask: NDArray[np.bool_] = self.reason == 0
        return mask

    @property
    def costs(self) -> DesignCosts:
        """The costs alone."""
        return DesignCosts(
            latency_ms=self.latency_ms,
            energy_mj=self.energy_mj,
            area_mm2=self.area_mm2,
            parameters=self.parameters,
            reason=self.reason,
        )

    def __getitem__(self, rows: slice | list[int] | NDArray[np.generic]) -> Trials:
        """The trials of `rows`: a slice, a mask or indices."""
        return Trials(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})


def no_trials(decisions: int) -> Trials:
    """Trials [0] of choices with this many decisions."""
    real = np.zeros(0, np.float64)
    whole = np.zeros(0, np.int64)
    return Trials(
        number=whole,
        choices=np.zeros((0, decisions), np.int64),
        accuracy=real,
        latency_ms=real,
        energy_mj=real,
        area_mm2=real,
        parameters=whole,
        reason=whole,
        reward=real,
        satisfied=np.zeros(0, np.bool_),
        time=real,
    )


def joined(parts: Sequence[Trials]) -> Trials:
    """One block of trials from several; `parts` is not empty."""
    return Trials(
        **{
            field.name: np.concatenate([getattr(part, field.name) for part in parts])
            for field in fields(Trials)
        }
    )
