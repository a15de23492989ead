"""Pareto fronts and dominated volumes of points in two to four objectives, all minimised.

A point dominates another when it is no worse in every objective and better in one. The
hypervolume is the measure of what a set of points dominates below a reference point
(Zitzler and Thiele, 1999, doi:10.1109/4235.797969).

Volumes are sums over slabs. Take points by their last objective, the best first: what a point
dominates in the other objectives and no earlier one does, it dominates from its own last
objective down to the reference's, so

    volume(P) = sum over p of exclusive(p | points before it) (reference_last - p_last),

with `exclusive` one objective lower. And what a point dominates that a set does not is its own
box less the volume of the set clipped to that box, max(q, p) of every q: the recursion of While,
Bradstreet and Barone ("A fast way of calculating exact hypervolumes", 2012,
doi:10.1109/TEVC.2010.2077298). In two objectives it is a staircase.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nahas.kernels._jit import kernel

Points = NDArray[np.float64]

MOST_OBJECTIVES = 4


def nondominated(points: Points) -> NDArray[np.bool_]:
    """Mark the Pareto front of points [N, M], all objectives minimised.

    Of equal points the first is kept; a point with NaN or infinity is never on the front.
    """
    kept = np.zeros(len(points), dtype=np.bool_)
    finite = np.flatnonzero(np.isfinite(points).all(axis=1))
    # Sorted by the first objective, then the next: whatever dominates a point, or equals it and
    # was given earlier, stands before it. `lexsort` is stable and takes the last key first.
    order = finite[np.lexsort(points[finite].T[::-1])]
    _mark_front(np.ascontiguousarray(points[order]), front := np.zeros(order.size, np.int64))
    kept[order] = front == 1
    return kept


def hypervolume(points: Points, reference: NDArray[np.float64]) -> float:
    """Volume that points [N, M] dominate below `reference` [M]; M is 2, 3 or 4.

    Points that are not better than the reference in every objective add nothing.
    """
    _check(points, reference)
    gains = Archive(reference).add(points)
    return float(gains[gains > 0].sum())


class Archive:
    """The front of all points that were added, and the volume it dominates.

    Args:
        reference: [M] the corner that a point must better in every objective; M is 2, 3 or 4.
    """

    def __init__(self, reference: NDArray[np.float64]) -> None:
        self._reference = reference
        # A missing objective is 0 of every point, below a reference of 1.
        self._box = np.ones(MOST_OBJECTIVES)
        self._box[: reference.size] = reference
        self._front = np.zeros((64, MOST_OBJECTIVES))
        self._count = 0

    @property
    def front(self) -> Points:
        """[F, M] the points better than the reference that no other dominates, in no order."""
        return self._front[: self._count, : self._reference.size].copy()

    def add(self, points: Points) -> NDArray[np.float64]:
        """Add points [N, M], one after the other: what each makes of the front as it finds it.

        Returns:
            [N] the volume that a point adds; or, where it adds none, minus the amount by which
            all its objectives would have to fall for it to be no longer outside the reference
            or dominated: 0 of a point that is on the front already, -inf where an objective
            is infinite or NaN.
        """
        _check(points, self._reference)
        needed = self._count + len(points)
        if needed > len(self._front):
            grown = np.zeros((2 * needed, MOST_OBJECTIVES))
            grown[: self._count] = self._front[: self._count]
            self._front = grown
        gains = np.full(len(points), -np.inf)
        own = np.ascontiguousarray(points, dtype=np.float64)
        self._count = int(_added(own, self._front, self._count, self._box, gains))
        return gains


def _check(points: Points, reference: NDArray[np.float64]) -> None:
    shape = points.shape[1:]
    if points.ndim != 2 or reference.shape != shape or not 2 <= shape[0] <= MOST_OBJECTIVES:
        raise ValueError(
            f"points of shape {points.shape} and a reference of shape {reference.shape}: "
            "expected [N, 2] with [2], [N, 3] with [3], or [N, 4] with [4]"
        )


@kernel()
def _mark_front(points: Points, front: NDArray[np.int64]) -> None:
    """Set front [N] to 1 where no earlier point of the front is as good in every objective.

    `points` [N, M] are sorted lexicographically, so only an earlier point can dominate; and a
    dominated point is dominated by one of the front, dominance being transitive.
    """
    for i in range(points.shape[0]):
        beaten = False
        for j in range(i):
            if front[j] == 0:
                continue
            beaten = True
            for m in range(points.shape[1]):
                if points[j, m] > points[i, m]:
                    beaten = False
                    break
            if beaten:
                break
        if not beaten:
            front[i] = 1


@kernel()
def _added(points: Points, front: Points, count: int, box: Points, gains: Points) -> int:
    """Add points [N, M] to the first `count` of `front` [.., 4]; how many there are then.

    `gains` [N], of -inf, becomes what `Archive.add` returns.
    """
    point = np.zeros(4)
    for i in range(points.shape[0]):
        short = -np.inf
        for m in range(points.shape[1]):
            point[m] = points[i, m]
            short = max(short, point[m] - box[m])
        if not np.isfinite(point.sum()):
            continue
        for j in range(count):
            least = np.inf
            for m in range(points.shape[1]):
                least = min(least, point[m] - front[j, m])
            short = max(short, least)
        if short >= 0.0:
            gains[i] = -short
            continue
        gains[i] = _exclusive_4(point, front, count, box)
        count = _joined(front, count, point)
    return count


@kernel()
def _exclusive_4(point: Points, points: Points, count: int, box: Points) -> float:
    """Volume that `point` dominates and the first `count` of `points` do not."""
    clipped = np.empty((count + 1, 4))
    corner = np.empty(4)
    kept = 0
    for i in range(count):
        for m in range(4):
            corner[m] = max(points[i, m], point[m])
        kept = _joined(clipped, kept, corner)
    own = 1.0
    for m in range(4):
        own *= box[m] - point[m]
    return own - _volume_4(clipped[:kept], box)


@kernel()
def _joined(front: Points, count: int, point: Points) -> int:
    """Let `point` join the first `count` of `front`; how many there are then.

    Those that it dominates leave; where one is as good in every objective it does not join. They
    stay sorted by the fourth objective.
    """
    for j in range(count):
        if not _anywhere_below(point, front[j]):
            return count
    kept = 0
    for j in range(count):
        if _anywhere_below(front[j], point):
            front[kept] = front[j]
            kept += 1
    place = kept
    while place > 0 and front[place - 1, 3] > point[3]:
        front[place] = front[place - 1]
        place -= 1
    front[place] = point
    return kept + 1


@kernel()
def _anywhere_below(a: Points, b: Points) -> bool:
    """Whether `a` is better than `b` in some objective."""
    below = False
    for m in range(a.size):
        below |= a[m] < b[m]
    return below


@kernel()
def _volume_4(points: Points, box: Points) -> float:
    """Volume below `box` [4] of points [N, 4] sorted by the fourth objective."""
    volume = 0.0
    clipped, stairs = np.empty((points.shape[0], 3)), np.empty((points.shape[0], 2))
    for i in range(points.shape[0]):
        point = points[i]
        kept = 0
        for j in range(i):
            place = kept
            z = max(points[j, 2], point[2])
            while place > 0 and clipped[place - 1, 2] > z:
                clipped[place] = clipped[place - 1]
                place -= 1
            clipped[place, 0] = max(points[j, 0], point[0])
            clipped[place, 1] = max(points[j, 1], point[1])
            clipped[place, 2] = z
            kept += 1
        own = (box[0] - point[0]) * (box[1] - point[1]) * (box[2] - point[2])
        new = own - _volume_3(clipped[:kept], box, stairs)
        volume += new * (box[3] - point[3])
    return volume


@kernel()
def _volume_3(points: Points, box: Points, stairs: Points) -> float:
    """Volume below `box` of points [N, 3] sorted by the third objective.

    `stairs` [N, 2] is room for the points so far that none dominates in the other two, by the
    first of these.
    """
    volume = area = 0.0
    steps = 0
    for i in range(points.shape[0]):
        place = steps
        while place > 0 and stairs[place - 1, 0] > points[i, 0]:
            stairs[place] = stairs[place - 1]
            place -= 1
        stairs[place] = points[i, :2]
        grown, lowest = 0.0, box[1]
        kept = 0
        for j in range(steps + 1):
            if stairs[j, 1] < lowest:
                grown += (box[0] - stairs[j, 0]) * (lowest - stairs[j, 1])
                lowest = stairs[j, 1]
                stairs[kept] = stairs[j]
                kept += 1
        volume += (grown - area) * (box[2] - points[i, 2])
        area, steps = grown, kept
    return volume
