"""Programs so simple that they are obviously right; tests compare the kernels with them.

`walked` runs a mapping: every temporal step in order, every instance of every level, each with
the tile it holds. Nothing is multiplied out, so it is only for tiny layers.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import product

import numpy as np

from nahas.layers import Layer
from nahas.mapping import Mapping
from nahas.vocabulary import Access, Dim, Level, Tensor

DIMS_OF = {
    Tensor.WEIGHTS: (Dim.G, Dim.K, Dim.C, Dim.R, Dim.S),
    Tensor.INPUTS: (Dim.N, Dim.G, Dim.C, Dim.P, Dim.Q, Dim.R, Dim.S),
    Tensor.OUTPUTS: (Dim.N, Dim.G, Dim.K, Dim.P, Dim.Q),
}
EMPTY = (0, 0)


class Walk:
    """One mapping being executed."""

    def __init__(self, layer: Layer, mapping: Mapping, exact_multicast: bool) -> None:
        self.layer = layer
        self.loops = mapping.loops
        self.keep = mapping.keep
        self.exact_multicast = exact_multicast
        self.step = mapping.steps()
        self.extent = {dim: getattr(layer, dim.name.lower()) for dim in Dim}
        self.temporal = [i for i, loop in enumerate(self.loops) if not loop.is_spatial]
        self.spatial = [i for i, loop in enumerate(self.loops) if loop.is_spatial]
        self.counts = np.zeros((3, 3, 3), np.int64)
        self.cycles = 0
        self.begun = [set() for _ in Level]  # (instance, output word)
        self.largest = {}  # (level, tensor) -> box of the first tile

    def run(self) -> None:
        tiles = {
            (level, tensor): Tiles(self, level, tensor)
            for level in (Level.LOCAL_MEMORY, Level.REGISTER_FILE)
            for tensor in self.keep[level]
        }
        for time in self.indices(self.temporal):
            if any(start >= self.extent[dim] for dim, start in self.start(time).items()):
                continue
            self.cycles += 1
            for held in tiles.values():
                held.advance(time)
            self.compute(time)
        for held in tiles.values():
            held.finish()
        self.largest = {key: held.first for key, held in tiles.items()}

    def indices(self, loops: list[int]) -> list[dict[int, int]]:
        """Every index vector of some loops, in the order of execution."""
        ranges = [range(self.loops[i].count) for i in loops]
        return [dict(zip(loops, index, strict=True)) for index in product(*ranges)]

    def start(self, index: dict[int, int]) -> dict[Dim, int]:
        """The coordinate of an index vector; loops that are not in it stay at 0."""
        at = dict.fromkeys(Dim, 0)
        for i, value in index.items():
            at[self.loops[i].dim] += value * self.step[i]
        return at

    def above(self, level: Level, loops: list[int]) -> list[int]:
        return [i for i in loops if self.loops[i].slot < 2 * level]

    def parent(self, level: Level, tensor: Tensor) -> Level:
        return max(outer for outer in Level if outer < level and tensor in self.keep[outer])

    def word(self, tensor: Tensor, at: dict[Dim, int]) -> tuple[int, ...]:
        if tensor is not Tensor.INPUTS:
            return tuple(at[dim] for dim in DIMS_OF[tensor])
        row = at[Dim.P] * self.layer.stride_p + at[Dim.R] * self.layer.dilation_r
        column = at[Dim.Q] * self.layer.stride_q + at[Dim.S] * self.layer.dilation_s
        return (at[Dim.N], at[Dim.G], at[Dim.C], row, column)

    def compute(self, time: dict[int, int]) -> None:
        """Every real point of one cycle reads its operands and updates its output."""
        points = [(place, self.start(time | place)) for place in self.indices(self.spatial)]
        real = [(p, at) for p, at in points if all(at[dim] < self.extent[dim] for dim in Dim)]
        for tensor in Tensor:
            level = self.parent(len(Level), tensor)
            touched = self.touched(real, level, tensor)
            if tensor is Tensor.OUTPUTS:
                again = touched & self.begun[level]
                self.counts[level, tensor, Access.READS] += len(again)
                self.counts[level, tensor, Access.UPDATES] += len(touched)
            else:
                self.counts[level, tensor, Access.READS] += len(touched)
        for level in Level:
            self.begun[level] |= self.touched(real, level, Tensor.OUTPUTS)

    def touched(self, real: list, level: Level, tensor: Tensor) -> set:
        """The words of some points, apart for every instance of a level."""
        above = self.above(level, self.spatial)
        return {(tuple(place[i] for i in above), self.word(tensor, at)) for place, at in real}


class Tiles:
    """What every instance of a level holds of one tensor."""

    def __init__(self, walk: Walk, level: Level, tensor: Tensor) -> None:
        self.walk, self.level, self.tensor = walk, level, tensor
        self.parent = walk.parent(level, tensor)
        self.time_above = walk.above(level, walk.temporal)
        self.places = walk.indices(walk.above(level, walk.spatial))
        self.parent_loops = walk.above(self.parent, walk.spatial)
        self.tile = dict.fromkeys(Dim, 1)
        for loop in walk.loops:
            if loop.slot >= 2 * level:
                self.tile[loop.dim] *= loop.count
        self.held = [self.box(None)] * len(self.places)
        self.seen = [set() for _ in self.places]
        self.first = self.box(dict.fromkeys(range(len(walk.loops)), 0))

    def box(self, index: dict[int, int] | None) -> tuple[tuple[int, int], ...]:
        """Start and length of the tile along every axis of the tensor, clipped to the layer."""
        dims = DIMS_OF[self.tensor]
        part = dict.fromkeys(dims, EMPTY)
        if index is not None:
            start = self.walk.start(index)
            for dim in dims:
                length = min(self.tile[dim], self.walk.extent[dim] - start[dim])
                part[dim] = (start[dim], length) if length > 0 else EMPTY
        if self.tensor is not Tensor.INPUTS:
            return tuple(part[dim] for dim in dims)
        layer = self.walk.layer
        rows = window(part[Dim.P], part[Dim.R], layer.stride_p, layer.dilation_r)
        columns = window(part[Dim.Q], part[Dim.S], layer.stride_q, layer.dilation_s)
        return (part[Dim.N], part[Dim.G], part[Dim.C], rows, columns)

    def advance(self, time: dict[int, int]) -> None:
        """Move every instance to its tile of this step and count what that takes."""
        above = {i: time[i] for i in self.time_above}
        boxes = [self.box(above | place) for place in self.places]
        if self.tensor is Tensor.OUTPUTS:
            self.drain(boxes)
        asked = defaultdict(set)  # parent instance -> what it is asked for
        for k, (new, old) in enumerate(zip(boxes, self.held, strict=True)):
            words = fetched(new, old)
            if self.tensor is Tensor.OUTPUTS:
                words &= self.seen[k]  # what was never there starts from zero
                self.seen[k] |= words_of(new)
            self.count(self.level, Access.FILLS, len(words))
            parent = tuple(self.places[k][i] for i in self.parent_loops)
            if self.tensor is Tensor.INPUTS and not self.walk.exact_multicast:
                if words:
                    asked[parent].add((new, old, len(words)))
            else:
                asked[parent] |= words
        for slabs in asked.values():
            shared = self.tensor is Tensor.INPUTS and not self.walk.exact_multicast
            total = sum(slab[2] for slab in slabs) if shared else len(slabs)
            self.count(self.parent, Access.READS, total)
        self.held = boxes

    def drain(self, boxes: list) -> None:
        """What leaves goes to the parent, summed over the instances that hold the same word."""
        leaving = defaultdict(set)
        for place, new, old in zip(self.places, boxes, self.held, strict=True):
            parent = tuple(place[i] for i in self.parent_loops)
            leaving[parent] |= words_of(old) - words_of(new)
        for words in leaving.values():
            self.count(self.parent, Access.UPDATES, len(words))

    def finish(self) -> None:
        if self.tensor is Tensor.OUTPUTS:
            self.drain([self.box(None)] * len(self.places))

    def count(self, level: Level, access: Access, words: int) -> None:
        self.walk.counts[level, self.tensor, access] += words


def window(p: tuple[int, int], r: tuple[int, int], stride: int, dilation: int) -> tuple[int, int]:
    if EMPTY in (p, r):
        return EMPTY
    return (p[0] * stride + r[0] * dilation, (p[1] - 1) * stride + (r[1] - 1) * dilation + 1)


def words_of(box: tuple[tuple[int, int], ...]) -> set[tuple[int, ...]]:
    return set(product(*(range(start, start + length) for start, length in box)))


def fetched(new: tuple, old: tuple) -> set[tuple[int, ...]]:
    """The words that a tile asks for, given the tile before."""
    words, before = words_of(new), words_of(old)
    changed = [axis for axis in range(len(new)) if new[axis] != old[axis]]
    if not before or len(changed) != 1:
        return words if changed else set()
    start, old_start = new[changed[0]][0], old[changed[0]][0]
    return words - before if start >= old_start else words


def walked(layer: Layer, mapping: Mapping, exact_multicast: bool = False) -> Walk:
    """Execute a mapping; the finished walk has `counts`, `cycles` and `begun`."""
    walk = Walk(layer, mapping, exact_multicast)
    walk.run()
    return walk
