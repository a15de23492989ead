"""Arithmetic on one loop nest: coordinates as mixed-radix numbers.

[docs/equations.md 1]

Every dim of a layer is cut by its loops into digits: the coordinate is the sum of index times
step, and the step of a loop is the product of the trips of the loops inside it of the same
dim. Trips may overshoot the dim; what lies beyond is clipped and never charged.
"""

from __future__ import annotations

from typing import NamedTuple, cast

import numpy as np
import numpy.typing as npt

from nahas.kernels._jit import kernel

IntArray = npt.NDArray[np.int64]

DIMS = 8


def constant(value: int) -> int:
    """Make a constant for kernels that is not a literal.

    Numba compiles a kernel anew for every literal it is called with: with plain constants
    `evaluate` took twice as long to compile.
    """
    return cast(int, np.int64(value))


TOP = constant(0)
"""Before the outermost loop."""

ANY = constant(-1)
"""In place of a dim: all of them."""


class Nest(NamedTuple):
    """The loops of a mapping, outermost first: four int64 arrays [loops]."""

    slot: IntArray
    dim: IntArray
    trips: IntArray
    step: IntArray


@kernel()
def steps(dim: IntArray, trips: IntArray, step: IntArray) -> None:
    """Write each loop's step [loops]: the trips inside it of the same dim, multiplied."""
    inside = np.ones(DIMS, np.int64)
    for i in range(dim.size - 1, -1, -1):
        step[i] = inside[dim[i]]
        inside[dim[i]] *= trips[i]


@kernel()
def loops_above(slot: IntArray, level: int) -> int:
    """How many loops stand above the storage of `level`: those of the slots before 2 * level."""
    above = 0
    for i in range(slot.size):
        if slot[i] < 2 * level:
            above = i + 1
    return above


@kernel()
def fan_out(nest: Nest, dim: int, begin: int, end: int) -> int:
    """Instances along `dim` made by the spatial loops `begin` to `end`; any dim if ANY."""
    instances = 1
    for i in range(begin, end):
        if nest.slot[i] % 2 == 1 and (dim == ANY or dim == nest.dim[i]):
            instances *= nest.trips[i]
    return instances


@kernel()
def free(nest: Nest, i: int, outer: int, spread: int, inner: int) -> bool:
    """Whether loop `i` takes all its indices; the others stay at index 0.

    Free are the temporal loops before `outer`, the spatial ones before `spread`, and all from
    `inner` on.
    """
    if i >= inner:
        return True
    return bool(i < outer if nest.slot[i] % 2 == 0 else i < spread)


@kernel()
def points(nest: Nest, dim: int, extent: int, outer: int, spread: int, inner: int) -> int:
    """Index vectors of the free loops (see `free`) of `dim` with coordinate below `extent`.

    Digit by digit from the outside: all vectors with a smaller digit here lie below the limit
    whatever follows, because the digits inside never reach one step. With everything free it
    is the dim itself; with the loops of a tile free it is the clipped length of the tile,
    summed over the positions that the other free loops take. [docs/equations.md 1.3]
    """
    if extent <= 0:
        return 0
    inside = 1
    for i in range(nest.dim.size):
        if nest.dim[i] == dim and free(nest, i, outer, spread, inner):
            inside *= nest.trips[i]
    total = 0
    for i in range(nest.dim.size):
        if nest.dim[i] != dim:
            continue
        if free(nest, i, outer, spread, inner):
            inside //= nest.trips[i]
            last = (extent - 1) // nest.step[i]
            if last >= nest.trips[i]:
                return int(total + inside * nest.trips[i])
            total += last * inside
            extent -= last * nest.step[i]
        elif extent >= nest.step[i]:
            return total + inside
    return total + 1


@kernel()
def last_position(nest: Nest, dim: int, room: int, begin: int, end: int) -> int:
    """Offset of the last executed index of the temporal loops `begin` to `end` of `dim`.

    `room` is what the dim still has from the position of the outer loops on, at least 1.
    """
    offset = 0
    for i in range(begin, end):
        if nest.dim[i] == dim and nest.slot[i] % 2 == 0:
            index = min(nest.trips[i] - 1, (room - 1 - offset) // nest.step[i])
            offset += index * nest.step[i]
    return offset


@kernel()
def positions(nest: Nest, dim: int, end: int, begin: int, out: IntArray) -> int:
    """Write the offsets of the spatial loops `begin` to `end` of `dim`, ascending; their number."""
    number = 1
    out[0] = 0
    for i in range(end - 1, begin - 1, -1):
        if nest.dim[i] != dim or nest.slot[i] % 2 == 0:
            continue
        for index in range(1, nest.trips[i]):
            for k in range(number):
                out[index * number + k] = index * nest.step[i] + out[k]
        number *= nest.trips[i]
    return number
