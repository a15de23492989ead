"""The true Pareto front of a joint space: no design is left out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, fields

import numpy as np
from numpy.typing import NDArray

from nahas.errors import UsageError
from nahas.exact.costs import Block, JointCosts
from nahas.exact.every import Progress, costs_of, walk
from nahas.kernels import pareto
from nahas.kernels.exact import screen
from nahas.problem import Problem
from nahas.spaces.space import ChoiceArray

OBJECTIVES = ("accuracy", "latency_ms", "energy_mj", "area_mm2")
"""What a front may be of. Accuracy is better when high, all else when low."""

FIRST_SLICE = 4
"""Accelerators that are swept first; each further slice has twice as many, while it can: what is
known of few accelerators already leaves little of the others."""


@dataclass(frozen=True, kw_only=True)
class ExactFront:
    """The designs that no other dominates, F of them, from the most accurate on.

    Of designs that are equal in every objective the one of least area is kept; then the earlier
    accelerator, then the earlier network.

    Attributes:
        objectives: in which.
        choices: [F, D] joint choices.
        accuracy: [F] in percent.
        latency_ms: [F].
        energy_mj: [F].
        area_mm2: [F].
        designs: how many were costed: all.
        seconds: that it took.
    """

    objectives: tuple[str, ...]
    choices: ChoiceArray
    accuracy: NDArray[np.float64]
    latency_ms: NDArray[np.float64]
    energy_mj: NDArray[np.float64]
    area_mm2: NDArray[np.float64]
    designs: int
    seconds: float

    def __len__(self) -> int:
        return len(self.choices)


def exact_front(
    problem: Problem,
    objectives: Sequence[str] = OBJECTIVES,
    *,
    progress: Progress = lambda *_: None,
) -> ExactFront:
    """The Pareto front of all designs.

    Args:
        problem: as of `nahas.exact.optimum.exact_optima`.
        objectives: two or more of `OBJECTIVES`.
        progress: told after every block.

    Raises:
        UsageError: as `exact_optima`, and for an unknown objective, or fewer than two.
    """
    check_objectives(objectives)
    begun = time.monotonic()
    costs = costs_of(problem)
    sweeping = Sweeping(costs, problem.accuracy.accuracy(costs.networks), objectives)
    walk(costs, sweeping.take, progress)
    return sweeping.answer(time.monotonic() - begun)


def check_objectives(objectives: Sequence[str]) -> None:
    """Raise a UsageError unless there are two or more different ones, all known."""
    unknown = [name for name in objectives if name not in OBJECTIVES]
    if unknown or len(set(objectives)) < max(2, len(objectives)):
        raise UsageError(
            f"the objectives of a front are {', '.join(objectives) or 'none'}, but it needs two or "
            f"more different ones of {', '.join(OBJECTIVES)}"
        )


@dataclass(frozen=True)
class _Designs:
    """Some designs.

    Attributes:
        places: [F, 2] the network and the accelerator of each.
        metrics: [F, 4] accuracy, latency in ms, energy in mJ and area in mm2.
        points: [F, 4] the objectives, all minimised, 0 where one is not meant.
    """

    places: NDArray[np.int64]
    metrics: NDArray[np.float64]
    points: NDArray[np.float64]

    def __getitem__(self, rows: NDArray[np.generic]) -> _Designs:
        return _Designs(self.places[rows], self.metrics[rows], self.points[rows])

    @classmethod
    def joined(cls, parts: Sequence[_Designs]) -> _Designs:
        """All designs of one or more parts, in order."""
        return cls(*(np.concatenate([getattr(of, f.name) for of in parts]) for f in fields(cls)))


def _no_designs() -> _Designs:
    return _Designs(np.zeros((0, 2), np.int64), np.zeros((0, 4)), np.zeros((0, 4)))


@dataclass
class Sweeping:
    """Finds the Pareto front, block by block of accelerators, the smallest first.

    No design that comes later has less area than one before. So a new design is dominated by an
    earlier one exactly where that is as good in the three other objectives; and of the earlier
    ones those that are best in these three say as much about it as all. They are few: `known`.
    Only designs of equal area may still be dominated by later ones, which is seen to at the end.

    Args:
        costs: that the blocks are of.
        accuracy: [N] in percent; NaN where it is not known.
        objectives: of the front.
    """

    costs: JointCosts
    accuracy: NDArray[np.float64]
    objectives: Sequence[str]
    known: _Designs = field(default_factory=_no_designs)
    front: list[_Designs] = field(default_factory=lambda: [_no_designs()])
    swept: int = 0

    def __post_init__(self) -> None:
        self._sign = np.array([float(name in self.objectives) for name in OBJECTIVES])
        self._sign[0] *= -1.0
        known = np.flatnonzero(np.isfinite(self.accuracy))
        self._told = np.where(np.isfinite(self.accuracy), -self._sign[0] * self.accuracy, 0.0)
        self._order = known[np.argsort(-self._told[known], kind="stable")]

    def take(self, block: Block) -> None:
        """Sweep over the designs of a block."""
        begin = 0
        while begin < len(block.accelerators):
            end = begin + max(FIRST_SLICE, self.swept)
            part = block[begin:end]
            self._add(part, self._left(part))
            self.swept += len(part.accelerators)
            begin = end

    def _left(self, block: Block) -> NDArray[np.bool_]:
        """[N, A] which designs none of the known ones is as good as, area apart."""
        points = self.known.points[np.argsort(self.known.points[:, 0], kind="stable")]
        known = (-points[:, 0], points[:, 1].copy(), points[:, 2].copy())
        used = (float(self._sign[1]), float(self._sign[2]))
        left = np.zeros(block.latency_ms.shape, np.bool_)
        screen((block.latency_ms, block.energy_mj), self._told, self._order, used, known, left)
        return left

    def _add(self, block: Block, left: NDArray[np.bool_]) -> None:
        """Add the designs that are left to the front, and to those that are known."""
        at, networks = np.nonzero(left.T)
        metrics = np.stack(
            [
                self.accuracy[networks],
                block.latency_ms[networks, at],
                block.energy_mj[networks, at],
                block.area_mm2[at],
            ],
            axis=1,
        )
        places = np.stack([networks, block.accelerators[at]], axis=1)
        new = _Designs(places, metrics, metrics * self._sign)
        new = new[pareto.nondominated(new.points)]
        both = _Designs.joined([self.known, new])
        self.known = both[pareto.nondominated(both.points[:, :3])]
        self.front = [*self.front, new] if self._sign[3] else [self.known]

    def answer(self, seconds: float) -> ExactFront:
        """The front of all designs that were taken."""
        found = _Designs.joined(self.front)
        found = found[_best_of_equal_area(found.points)]
        found = found[np.lexsort(found.points.T[::-1])]
        accuracy, latency_ms, energy_mj, area_mm2 = found.metrics.T
        return ExactFront(
            objectives=tuple(self.objectives),
            choices=self.costs.choices(*found.places.T),
            accuracy=accuracy,
            latency_ms=latency_ms,
            energy_mj=energy_mj,
            area_mm2=area_mm2,
            designs=len(self.costs),
            seconds=seconds,
        )


def _best_of_equal_area(points: NDArray[np.float64]) -> NDArray[np.int64]:
    """Rows of points [F, 4] that none of the same last objective dominates; equal ones once."""
    order = np.argsort(points[:, 3], kind="stable")
    edges = np.flatnonzero(np.diff(points[order, 3])) + 1
    groups = np.split(order, edges)
    return np.concatenate([group[pareto.nondominated(points[group, :3])] for group in groups])
