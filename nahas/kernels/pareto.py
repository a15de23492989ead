"""Pareto fronts and dominated volumes of points in two or three objectives, all minimised.

A point dominates another when it is no worse in every objective and better in one. The
hypervolume is the measure of what a set of points dominates below a reference point
(Zitzler and Thiele, 1999, doi:10.1109/4235.797969).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nahas.kernels._jit import kernel

Points = NDArray[np.float64]


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
    """Volume that points [N, M] dominate below `reference` [M]; M is 2 or 3.

    Points that are not better than the reference in every objective add nothing.
    """
    if points.ndim != 2 or points.shape[1] not in (2, 3) or reference.shape != points.shape[1:]:
        raise ValueError(
            f"points of shape {points.shape} and a reference of shape {reference.shape}: "
            "expected [N, 2] with [2], or [N, 3] with [3]"
        )
    inside = points[(points < reference).all(axis=1)]
    front = inside[nondominated(inside)]
    flat = np.zeros((len(front), 3))
    flat[:, : points.shape[1]] = front
    # In two objectives every point stands at depth 0 of a box of depth 1.
    box = np.append(reference, 1.0)[:3].astype(np.float64)
    by_width = np.ascontiguousarray(flat[np.argsort(flat[:, 0], kind="stable")])
    depths = np.append(np.unique(by_width[:, 2]), box[2])
    return float(_volume(by_width, depths, box))


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
def _volume(points: Points, depths: NDArray[np.float64], box: NDArray[np.float64]) -> float:
    """Volume below `box` [3] of points [N, 3] sorted by the first objective.

    Cuts along the third objective at `depths`: between two cuts the dominated area is that of
    the points not deeper than the first, a staircase read off in order of the first objective.
    """
    volume = 0.0
    for cut in range(depths.size - 1):
        area = 0.0
        lowest = box[1]
        for i in range(points.shape[0]):
            if points[i, 2] <= depths[cut] and points[i, 1] < lowest:
                area += (box[0] - points[i, 0]) * (lowest - points[i, 1])
                lowest = points[i, 1]
        volume += area * (depths[cut + 1] - depths[cut])
    return volume
