"""Lines that a cache between Gemmini and DRAM misses while a layer runs, tile after tile.

The loops of DRAM are walked from the inside out. As long as the lines that a set of inner loops
touches fit the cache, each comes in once, however often it is read; what does not fit comes in
again for each step of the loops outside. Lines of rows that are a power of two apart share few of
the cache's sets and so take more of it than they fill. [docs/trust.md]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import gcd, prod
from typing import NamedTuple

from nahas.vocabulary import Dim

_MOVING = (
    (Dim.K, Dim.C, Dim.R, Dim.S),
    (Dim.C, Dim.P, Dim.Q, Dim.R, Dim.S),
    (Dim.K, Dim.P, Dim.Q),
)
"""The dims that move weights, inputs and outputs."""


class Lines(NamedTuple):
    """Lines of a tensor: how many there are, and the share of the cache they take, in lines."""

    touched: float
    taken: float


@dataclass(frozen=True)
class Cache:
    """A cache of sets x ways lines."""

    sets: int
    ways: int
    line_bytes: int

    def lines(self, rows: int, row_bytes: int, apart_bytes: int) -> Lines:
        """Lines of rows of so many bytes each, so far apart."""
        if row_bytes >= apart_bytes or apart_bytes < self.line_bytes:
            touched = max(1.0, rows * apart_bytes / self.line_bytes)
            return Lines(touched, touched)
        per_row = max(1.0, row_bytes / self.line_bytes)
        touched = rows * per_row
        apart = apart_bytes // self.line_bytes if apart_bytes % self.line_bytes == 0 else 1
        common = gcd(apart, self.sets)
        reached = min(rows, self.sets // common) * per_row if per_row < common else self.sets
        reached = min(self.sets, max(1.0, reached))
        return Lines(touched, touched * self.sets / reached if touched > reached else touched)


def missed_lines(
    cache: Cache,
    size: Mapping[Dim, int],
    stride: int,
    tile: Mapping[Dim, int],
    loops: Sequence[tuple[Dim, int]],
) -> float:
    """Lines of all tensors that come into the cache while the loops run once.

    Args:
        cache: which one.
        size: of the layer, by dim.
        stride: of its window.
        tile: what one step of the innermost loop touches, by dim.
        loops: outermost first.

    A layer that fits the cache whole misses nothing: it ran before.
    """
    room = cache.sets * cache.ways
    for inside in range(len(loops) + 1):
        touched = _touched(cache, size, stride, _reach(size, tile, loops[inside:]))
        taken = sum(lines.taken for lines in touched)
        if taken <= room:
            break
    if inside == 0 and taken <= room:
        return 0.0
    outer = loops[:inside]
    total = 0.0
    for moving, lines in zip(_MOVING, touched, strict=True):
        again = prod(count for _, count in outer)
        # A tile that the loop around does not move stays, if there is room for two of the others.
        if outer and outer[-1][0] not in moving and 2 * taken - lines.taken <= room:
            again //= outer[-1][1]
        total += lines.touched * again
    return total


def _reach(
    size: Mapping[Dim, int], tile: Mapping[Dim, int], loops: Sequence[tuple[Dim, int]]
) -> dict[Dim, int]:
    reach = dict(tile)
    for dim, count in loops:
        reach[dim] = min(size[dim], reach[dim] * count)
    return reach


def _touched(
    cache: Cache, size: Mapping[Dim, int], stride: int, reach: Mapping[Dim, int]
) -> tuple[Lines, Lines, Lines]:
    """Weights lie as R S C K, inputs as rows, columns, C and outputs as P Q K, a byte a word."""
    height = (reach[Dim.Q] - 1) * stride + reach[Dim.S]
    width = (reach[Dim.P] - 1) * stride + reach[Dim.R]
    filters = reach[Dim.R] * reach[Dim.S] * reach[Dim.C]
    return (
        cache.lines(filters, reach[Dim.K], size[Dim.K]),
        cache.lines(height * width, reach[Dim.C], size[Dim.C]),
        cache.lines(reach[Dim.P] * reach[Dim.Q], reach[Dim.K], size[Dim.K]),
    )
