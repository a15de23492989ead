"""Traffic of weights and outputs, whose tiles are equal or disjoint.

[docs/equations.md 2]
"""

from __future__ import annotations

from nahas.kernels._jit import kernel
from nahas.kernels.nest import (
    DIMS,
    TOP,
    IntArray,
    Nest,
    constant,
    fan_out,
    last_position,
    points,
)

FIRST = constant(-1)
"""The step before which a level is empty, in place of the loop that moves."""


@kernel()
def is_relevant(relevant: int, dim: int) -> bool:
    """Whether `dim` indexes the tensor whose dims are the bits of `relevant`."""
    return (relevant >> dim) & 1 == 1


@kernel()
def moved(nest: Nest, dim: int, extent: int, loop: int, end: int) -> int:
    """Words along `dim` of all new tiles when `loop` advances, over every context and instance.

    A context is one executed position of the temporal loops outside `loop`; `loop` itself
    takes its indices from 1 on, the loops inside are back at 0. The tile is clipped to the
    dim. `end` is the number of loops above the level.
    """
    if loop == FIRST:
        return points(nest, dim, extent, TOP, end, end)
    words = points(nest, dim, extent, loop, end, end)
    if nest.dim[loop] == dim:
        return points(nest, dim, extent, loop + 1, end, end) - words
    return words


@kernel()
def kept_still(nest: Nest, dim: int, extent: int, loop: int, end: int) -> int:
    """The part of `moved` in which the tile stays where it was along `dim`.

    Every loop of `dim` inside `loop` had one trip. If one of them has a larger count that is
    so only at the last position of the outer loops, and only if what is left of the dim there
    fits into the smallest of their steps: any earlier position has a whole outer step left.
    """
    if loop == FIRST or nest.dim[loop] == dim:
        return 0
    smallest = 0
    for i in range(loop + 1, end):
        if nest.dim[i] == dim and nest.slot[i] % 2 == 0 and nest.trips[i] > 1:
            smallest = nest.step[i]
    if smallest == 0:
        return moved(nest, dim, extent, loop, end)
    room = extent - last_position(nest, dim, extent, TOP, loop)
    if room > smallest:
        return 0
    return points(nest, dim, room, TOP, end, end)


@kernel()
def contexts(nest: Nest, dim: int, extent: int, loop: int) -> int:
    """Executed positions of the temporal loops of `dim` outside `loop`, and of `loop` from 1 on."""
    if loop == FIRST:
        return 1
    inside = nest.dim.size
    outer = points(nest, dim, extent, loop, TOP, inside)
    if nest.dim[loop] == dim:
        return points(nest, dim, extent, loop + 1, TOP, inside) - outer
    return outer


@kernel()
def arrivals(nest: Nest, extents: IntArray, relevant: int, loop: int, ends: tuple[int, int]) -> int:
    """Words that arrive at a level when `loop` advances, counted once per owner.

    `ends` holds the number of loops above the level and above the owner. With the level as
    its own owner these are words over all instances; with the parent as owner, distinct words
    per parent instance: along dims that do not index the tensor the instances below one
    parent share a word, idle or not.
    """
    end, owner_end = ends
    all_tiles = 1
    same_tiles = 1
    for dim in range(DIMS):
        if is_relevant(relevant, dim):
            all_tiles *= moved(nest, dim, extents[dim], loop, end)
            same_tiles *= kept_still(nest, dim, extents[dim], loop, end)
        else:
            copies = contexts(nest, dim, extents[dim], loop) * fan_out(nest, dim, TOP, owner_end)
            all_tiles *= copies
            same_tiles *= copies
    return all_tiles - same_tiles


@kernel()
def visits(nest: Nest, extents: IntArray, relevant: int, ends: tuple[int, int]) -> int:
    """Words of every visit of a tile to a level, over the whole layer; `ends` as in `arrivals`."""
    words = arrivals(nest, extents, relevant, FIRST, ends)
    for loop in range(ends[0]):
        if nest.slot[loop] % 2 == 0:
            words += arrivals(nest, extents, relevant, loop, ends)
    return words


@kernel()
def first_visits(nest: Nest, extents: IntArray, relevant: int, owner_end: int) -> int:
    """Words that are there for the first time: the tensor, once per owner that works on it."""
    words = 1
    for dim in range(DIMS):
        if is_relevant(relevant, dim):
            words *= extents[dim]
        else:
            words *= fan_out(nest, dim, TOP, owner_end)
    return words


@kernel()
def operands(nest: Nest, extents: IntArray, relevant: int, end: int) -> int:
    """Distinct words with a real point below each instance and cycle, over the whole layer.

    Along dims of the tensor every coordinate is one word once; along the others the points
    below one instance share a word, and the first of them is real if any is.
    """
    words = 1
    for dim in range(DIMS):
        if is_relevant(relevant, dim):
            words *= extents[dim]
        else:
            words *= points(nest, dim, extents[dim], nest.dim.size, end, nest.dim.size)
    return words


@kernel()
def working_copies(nest: Nest, extents: IntArray, relevant: int, end: int) -> int:
    """Words of the tensor times the instances along its other dims that ever see a real point."""
    words = 1
    for dim in range(DIMS):
        if is_relevant(relevant, dim):
            words *= extents[dim]
        else:
            words *= points(nest, dim, extents[dim], TOP, end, nest.dim.size)
    return words
