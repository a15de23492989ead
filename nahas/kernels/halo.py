"""Sliding windows of the input along one axis: what a move keeps of a tile.

[docs/equations.md 3]

An input row is stride * p + dilation * r, so a tile of rows follows the tiles of two dims, its
sides: the output position and the filter position. Tiles of neighbours, in time and in space,
may overlap. Everything here is per axis; `nahas.kernels.evaluate` multiplies the axes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nahas.kernels._jit import kernel
from nahas.kernels.nest import TOP, IntArray, Nest, fan_out, last_position, points, positions
from nahas.kernels.reuse import FIRST

STILL = 1
SLAB = 2
SLID = 4
WHOLE = 8
PATTERNS = 16
"""Sets of the four marks: a word lies in a tile that stays, in the new part of a tile that
slid, anywhere in a tile that slid, in a tile that is fetched whole."""


class Side(NamedTuple):
    """One of the two dims behind an axis of the input, at one level.

    Fields: the dim, its extent, the input rows per unit of it (stride or dilation), its tile,
    the offsets of the instances [instances] ascending, how many of them share a parent, and
    room for the moves [contexts, 4] of a loop (see `moves`).
    """

    dim: int
    extent: int
    scale: int
    tile: int
    offsets: IntArray
    shared: int
    moves: IntArray


@kernel()
def side(nest: Nest, dim: int, extent: int, scale: int, ends: tuple[int, int]) -> Side:
    """The side `dim` at a level with `ends` loops above it and above its parent."""
    end, parent_end = ends
    tile = 1
    for i in range(end, nest.dim.size):
        if nest.dim[i] == dim:
            tile *= nest.trips[i]
    offsets = np.empty(fan_out(nest, dim, TOP, end), np.int64)
    positions(nest, dim, end, TOP, offsets)
    room = np.empty((points(nest, dim, extent, end, TOP, nest.dim.size), 4), np.int64)
    shared = fan_out(nest, dim, parent_end, end)
    return Side(dim, extent, scale, tile, offsets, shared, room)


@kernel()
def reached(nest: Nest, on: Side, room: int, end: int) -> int:
    """The least `room` with the same clipped tiles in every instance, so that contexts merge."""
    rest = room
    for i in range(end):
        if nest.dim[i] == on.dim and nest.slot[i] % 2 == 1:
            rest -= min(nest.trips[i] - 1, (rest - 1) // nest.step[i]) * nest.step[i]
    return room - rest + min(on.tile, rest)


@kernel()
def add_move(moves: IntArray, number: int, shift: int, room: int, before: int) -> int:
    """Count one more context of this kind in `moves`; the new number of kinds."""
    for k in range(number):
        if moves[k, 0] == shift and moves[k, 1] == room and moves[k, 2] == before:
            moves[k, 3] += 1
            return number
    moves[number, 0] = shift
    moves[number, 1] = room
    moves[number, 2] = before
    moves[number, 3] = 1
    return number + 1


@kernel()
def moves(nest: Nest, on: Side, loop: int, end: int) -> int:
    """Write the moves of a side when `loop` advances; their number.

    A move is: the shift of the tile, the room from the new position to the end of the dim, the
    same from the old position, and the number of contexts with this move. Rooms are reduced by
    `reached`, so nests of perfect factors have one move per loop and ragged ones a few.
    """
    if loop == FIRST:
        return add_move(on.moves, TOP, TOP, reached(nest, on, on.extent, end), TOP)
    own = nest.dim[loop] == on.dim
    total = nest.trips[loop] - 1 if own else 1
    for i in range(loop):
        if nest.dim[i] == on.dim and nest.slot[i] % 2 == 0:
            total *= nest.trips[i]
    number = 0
    for context in range(total):
        left = context
        before = 0
        for i in range(loop - 1, -1, -1):
            if nest.dim[i] == on.dim and nest.slot[i] % 2 == 0:
                before += left % nest.trips[i] * nest.step[i]
                left //= nest.trips[i]
        now = before
        if own:
            before += left * nest.step[loop]
            now = before + nest.step[loop]
        if now >= on.extent:
            continue
        before += last_position(nest, on.dim, on.extent - before, loop + 1, end)
        room = reached(nest, on, on.extent - now, end)
        room_before = reached(nest, on, on.extent - before, end)
        number = add_move(on.moves, number, now - before, room, room_before)
    return number


@kernel()
def interval(a: Side, b: Side, at: tuple[int, int], rooms: tuple[int, int]) -> tuple[int, int]:
    """Start and length of the input rows of two tiles at offsets `at`; (0, 0) if empty.

    `rooms` are what the dims have left from offset 0 on. The rows between the first and the
    last are counted too, touched or not.
    """
    a_length = min(a.tile, rooms[0] - at[0])
    b_length = min(b.tile, rooms[1] - at[1])
    if a_length <= 0 or b_length <= 0:
        return 0, 0
    start = a.scale * at[0] + b.scale * at[1]
    return start, a.scale * (a_length - 1) + b.scale * (b_length - 1) + 1


@kernel()
def ask(a: Side, b: Side, pair: tuple[int, int], at: tuple[int, int]) -> tuple[int, int, int, int]:
    """New and old interval of the instance at offsets `at` in the pair of moves `pair`."""
    i, k = pair
    start, length = interval(a, b, at, (a.moves[i, 1], b.moves[k, 1]))
    # Positions count from the new origin, so the old tile lies one shift back; its room is
    # counted from the old origin, hence the offsets stay as they are there.
    old, old_length = interval(a, b, at, (a.moves[i, 2], b.moves[k, 2]))
    if old_length > 0:
        old -= a.scale * a.moves[i, 0] + b.scale * b.moves[k, 0]
    return start, length, old, old_length


@kernel()
def mark_of(asked: tuple[int, int, int, int]) -> int:
    """How an interval follows the one before: STILL, SLID (forward, overlapping) or WHOLE."""
    start, length, old, old_length = asked
    if old_length == 0:
        return WHOLE
    if start == old and length == old_length:
        return STILL
    if old <= start < old + old_length:
        return SLID
    return WHOLE


@kernel()
def is_new(seen: IntArray, number: int, asked: tuple[int, int, int, int]) -> bool:
    """Whether none of the first `number` rows of `seen` [asks, 4] is `asked`; writes it behind."""
    start, length, old, old_length = asked
    for k in range(number):
        if (
            seen[k, 0] == start
            and seen[k, 1] == length
            and seen[k, 2] == old
            and seen[k, 3] == old_length
        ):
            return False
    seen[number, 0] = start
    seen[number, 1] = length
    seen[number, 2] = old
    seen[number, 3] = old_length
    return True


@kernel()
def add_words(
    a: Side, b: Side, pair: tuple[int, int], group: tuple[int, int], words: IntArray
) -> None:
    """Add the words that one parent's instances ask for along the axis to `words` [2, 3].

    Row 0 counts every instance, row 1 each distinct ask once. Columns: all tiles, the tiles
    that stay, and what tiles that slid spare against a whole fetch. Two instances can ask for
    the same interval only if both sides are spread, so only then is anything compared.
    """
    times = a.moves[pair[0], 3] * b.moves[pair[1], 3]
    compare = a.shared > 1 and b.shared > 1
    seen = np.empty((a.shared * b.shared if compare else 0, 4), np.int64)
    number = 0
    for i in range(group[0] * a.shared, (group[0] + 1) * a.shared):
        for k in range(group[1] * b.shared, (group[1] + 1) * b.shared):
            asked = ask(a, b, pair, (a.offsets[i], b.offsets[k]))
            start, length, old, old_length = asked
            if length == 0:
                continue
            mark = mark_of(asked)
            still = length if mark == STILL else 0
            spared = 0
            if mark == SLID:
                spared = length - max(0, start + length - old - old_length)
            rows = 1
            if not compare or is_new(seen, number, asked):
                number += 1
                rows = 2
            for row in range(rows):
                words[row, 0] += times * length
                words[row, 1] += times * still
                words[row, 2] += times * spared


@kernel()
def add_marks(
    a: Side, b: Side, pair: tuple[int, int], group: tuple[int, int], marks: IntArray
) -> None:
    """Set the marks of every input row [rows] that one parent's instances hold."""
    for i in range(group[0] * a.shared, (group[0] + 1) * a.shared):
        for k in range(group[1] * b.shared, (group[1] + 1) * b.shared):
            asked = ask(a, b, pair, (a.offsets[i], b.offsets[k]))
            start, length, old, old_length = asked
            mark = mark_of(asked)
            for row in range(start, start + length):
                marks[row] |= mark
                if mark == SLID and row >= old + old_length:
                    marks[row] |= SLAB


@kernel()
def add_patterns(
    a: Side, b: Side, pair: tuple[int, int], group: tuple[int, int], patterns: IntArray
) -> None:
    """Add to `patterns` [16] how many input rows carry each set of marks at one parent."""
    rows = a.scale * (a.extent - 1) + b.scale * (b.extent - 1) + 1
    marks = np.zeros(rows, np.int64)
    add_marks(a, b, pair, group, marks)
    times = a.moves[pair[0], 3] * b.moves[pair[1], 3]
    for row in range(rows):
        patterns[marks[row]] += times


@kernel()
def axis(a: Side, b: Side, numbers: tuple[int, int], words: IntArray, patterns: IntArray) -> None:
    """Sum an axis over all contexts and instances, when the sides have `numbers` moves.

    Writes `words` [2, 3] as `add_words` says and, where `patterns` [16] is not empty, the rows
    with each set of marks.
    """
    words[:] = 0
    patterns[:] = 0
    for i in range(numbers[0]):
        for k in range(numbers[1]):
            for above_a in range(a.offsets.size // a.shared):
                for above_b in range(b.offsets.size // b.shared):
                    add_words(a, b, (i, k), (above_a, above_b), words)
                    if patterns.size > 0:
                        add_patterns(a, b, (i, k), (above_a, above_b), patterns)


@kernel()
def fetched_together(x: int, y: int) -> bool:
    """Whether a word with marks `x` and `y` on its two axes is new to some instance."""
    tile = STILL | SLID | WHOLE
    whole = (x & WHOLE and y & tile) or (x & tile and y & WHOLE) or (x & SLID and y & SLID)
    slab = (x & SLAB and y & STILL) or (x & STILL and y & SLAB)
    return bool(whole or slab)


@kernel()
def distinct_rows(a: IntArray, b: IntArray, scales: tuple[int, int]) -> int:
    """Distinct input rows of every pair of the offsets `a` and `b`."""
    if a.size == 1 or b.size == 1:
        return a.size * b.size
    touched = np.zeros(scales[0] * a[-1] + scales[1] * b[-1] + 1, np.bool_)
    for i in a:
        for k in b:
            touched[scales[0] * i + scales[1] * k] = True
    return int(touched.sum())


@kernel()
def rows_used(nest: Nest, a: Side, b: Side, end: int) -> int:
    """Distinct input rows per cycle with a real point below each instance, over the layer.

    How many points below an instance are real depends on its position alone, and the real
    ones come first, so positions are counted by that number on either side.
    """
    loops = nest.dim.size
    below_a = np.empty(fan_out(nest, a.dim, end, loops), np.int64)
    below_b = np.empty(fan_out(nest, b.dim, end, loops), np.int64)
    positions(nest, a.dim, loops, end, below_a)
    positions(nest, b.dim, loops, end, below_b)
    rows = 0
    for i in range(below_a.size):
        at_a = points(nest, a.dim, a.extent - below_a[i], loops, end, loops)
        if i + 1 < below_a.size:
            at_a -= points(nest, a.dim, a.extent - below_a[i + 1], loops, end, loops)
        for k in range(below_b.size):
            at_b = points(nest, b.dim, b.extent - below_b[k], loops, end, loops)
            if k + 1 < below_b.size:
                at_b -= points(nest, b.dim, b.extent - below_b[k + 1], loops, end, loops)
            if at_a * at_b > 0:
                distinct = distinct_rows(below_a[: i + 1], below_b[: k + 1], (a.scale, b.scale))
                rows += at_a * at_b * distinct
    return rows
