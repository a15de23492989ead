"""One mapping of one layer: its loop nest, what each level stores, and what that costs in accesses.

For example::

    DRAM stores weights inputs outputs
      for k in 0..3
        LOCAL_MEMORY stores weights inputs outputs
          for p in 0..7
            parallel for k in 0..7 over LANE_ARRAY
              REGISTER_FILE stores weights outputs
                ...

The counting rules are those of docs/equations.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np
import numpy.typing as npt

from nahas.errors import MappingError
from nahas.layers import MOST_EXTENT, MOST_MACS, Layer
from nahas.templates import ALL, REFERENCE, Template
from nahas.vocabulary import Access, Dim, Level, Slot, Tensor

READ, WRITE, SHARED = range(3)
"""Columns of the limits of `bandwidth_cycles`."""


@dataclass(frozen=True)
class Loop:
    """One loop of a nest: where it stands, what it cuts and into how many steps.

    Raises:
        MappingError: when `count` is below 1.
    """

    slot: Slot
    dim: Dim
    count: int

    def __post_init__(self) -> None:
        if self.count < 1:
            raise MappingError(
                f"the loop over {self.dim.name} in {self.slot.name} has count {self.count}, "
                "but a loop runs at least once"
            )

    @property
    def is_spatial(self) -> bool:
        """Whether the steps of the loop run side by side."""
        return self.slot % 2 == 1

    def __str__(self) -> str:
        return f"{self.dim.name}{self.count}"


@dataclass(frozen=True)
class Mapping:
    """A loop nest, outermost first, and the tensors that each level stores.

    Attributes:
        loops: sorted by slot; counts may overshoot a dim (the rest is clipped, not padded).
        keep: what each level stores [3], in the order of `Level`; DRAM stores every tensor. A
            tensor that a level does not store passes it by.

    Raises:
        MappingError: when loops are out of order or DRAM does not store every tensor.
    """

    loops: tuple[Loop, ...]
    keep: tuple[frozenset[Tensor], frozenset[Tensor], frozenset[Tensor]] = (ALL, ALL, ALL)

    def __post_init__(self) -> None:
        for outer, inner in zip(self.loops, self.loops[1:], strict=False):
            if inner.slot < outer.slot:
                raise MappingError(
                    f"the loop {inner} in {inner.slot.name} stands inside {outer} in "
                    f"{outer.slot.name}, but loops are ordered from DRAM to DATAPATH"
                )
        if len(self.keep) != len(Level) or self.keep[Level.DRAM] != ALL:
            raise MappingError("keep needs one set of tensors per level, and DRAM stores them all")

    def steps(self) -> tuple[int, ...]:
        """How far one step of each loop moves along its dim."""
        inside = dict.fromkeys(Dim, 1)
        steps = []
        for loop in reversed(self.loops):
            steps.append(inside[loop.dim])
            inside[loop.dim] *= loop.count
        return tuple(reversed(steps))

    def check(self, layer: Layer) -> None:
        """Refuse a mapping that leaves a part of the layer out or has a step without any.

        Raises:
            MappingError: when the counts of a dim do not cover it, the last step of a loop
                lies wholly outside its dim, or the layer runs on the vector path.
        """
        if layer.macs > MOST_MACS or max(extent_of(layer, dim) for dim in Dim) > MOST_EXTENT:
            raise MappingError(
                f"layer '{layer.name}' is too large to count exactly: at most {MOST_EXTENT} along "
                f"a dim and {MOST_MACS} multiply-accumulates"
            )
        if layer.kind.is_vector:
            raise MappingError(
                f"layer '{layer.name}' is a {layer.kind.name.lower()}, "
                "which runs on the vector path and has no mapping"
            )
        covered = dict.fromkeys(Dim, 1)
        for loop, step in zip(self.loops, self.steps(), strict=True):
            covered[loop.dim] *= loop.count
            extent = extent_of(layer, loop.dim)
            if (loop.count - 1) * step >= extent:
                raise MappingError(
                    f"layer '{layer.name}': the last step of the loop {loop} in {loop.slot.name} "
                    f"starts at {(loop.count - 1) * step}, but {loop.dim.name} ends at {extent}: "
                    f"use a count of at most {ceil(extent / step)}"
                )
        for dim, reach in covered.items():
            if reach < extent_of(layer, dim):
                raise MappingError(
                    f"layer '{layer.name}': the loops over {dim.name} cover {reach} of "
                    f"{extent_of(layer, dim)}; their counts must multiply to at least that"
                )

    def loop_table(self) -> npt.NDArray[np.int64]:
        """The loops as the kernels read them: slot, dim, count [loops, 3]."""
        rows = [(loop.slot, loop.dim, loop.count) for loop in self.loops]
        return np.array(rows, np.int64).reshape(-1, 3)

    def keep_table(self) -> npt.NDArray[np.bool_]:
        """Which level stores which tensor [3, 3], as the kernels read it."""
        return np.array([[tensor in kept for tensor in Tensor] for kept in self.keep])

    def __str__(self) -> str:
        """One line, slots without loops left out: ``DRAM K2 | LANE_ARRAY K8 P4``."""
        parts = []
        for slot in Slot:
            loops = [str(loop) for loop in self.loops if loop.slot == slot and loop.count > 1]
            if loops:
                parts.append(" ".join([slot.name, *loops]))
        for level, kept in zip(Level, self.keep, strict=True):
            if kept != ALL:
                stored = " ".join(_names(kept)) or "nothing"
                parts.append(f"{level.name} stores {stored}")
        return " | ".join(parts) or "one step"

    def drawing(self, layer: Layer | None = None) -> str:
        """The loop nest as indented pseudo-code, one line per level and loop.

        With a layer, loops that have fewer steps in the last tile of their dim say which.
        """
        last = last_counts(layer, self) if layer else [loop.count for loop in self.loops]
        lines: list[str] = []
        for slot in Slot:
            if slot % 2 == 0:
                level = Level(slot // 2)
                stored = " ".join(_names(self.keep[level])) or "nothing"
                lines.append("  " * len(lines) + f"{level.name} stores {stored}")
            for loop, steps in zip(self.loops, last, strict=True):
                if loop.slot != slot or loop.count == 1:
                    continue
                text = f"for {loop.dim.name.lower()} in 0..{loop.count - 1}"
                if loop.is_spatial:
                    text = f"parallel {text} over {slot.name}"
                if steps < loop.count:
                    text += f" (edge: 0..{steps - 1})"
                lines.append("  " * len(lines) + text)
        lines.append("  " * len(lines) + "multiply-accumulate")
        return "\n".join(lines)


def last_counts(layer: Layer, mapping: Mapping) -> tuple[int, ...]:
    """Steps of each loop when all loops of its dim outside it are in their last one [loops].

    They are the digits of the dim's last point, plus one: where factors are ragged, fewer than
    the loop's count. [docs/equations.md 1.3]
    """
    left = {dim: extent_of(layer, dim) - 1 for dim in Dim}
    counts = []
    for loop, step in zip(mapping.loops, mapping.steps(), strict=True):
        digit, left[loop.dim] = divmod(left[loop.dim], step)
        counts.append(digit + 1)
    return tuple(counts)


@dataclass(frozen=True, eq=False)
class AccessCounts:
    """What one mapping costs, in words over all instances and the whole layer.

    Attributes:
        counts: int64 [levels, tensors, accesses].
        compute_cycles: executed temporal steps, one multiply-accumulate per datapath and step.
        instances: int64 [levels], how many of each level the mapping spreads over.
        first_touches: int64 [levels], output words that an instance begins, summed over the
            instances that ever work: neither filled nor read.
        tile_words: int64 [levels, tensors], the largest tile, stored or not.
    """

    counts: npt.NDArray[np.int64]
    compute_cycles: int
    instances: npt.NDArray[np.int64]
    first_touches: npt.NDArray[np.int64]
    tile_words: npt.NDArray[np.int64]

    def of(self, level: Level, tensor: Tensor, access: Access) -> int:
        """One count."""
        return int(self.counts[level, tensor, access])


def evaluate(layer: Layer, mapping: Mapping, template: Template = REFERENCE) -> AccessCounts:
    """Count the accesses of a mapping, exactly.

    Args:
        layer: a layer of multiply-accumulates.
        mapping: must cover the layer.
        template: says whether partly overlapping halos share a read of their parent.

    Raises:
        MappingError: as `Mapping.check` says.
    """
    from nahas.kernels import evaluate as kernels

    mapping.check(layer)
    row = layer.row
    loops, keep = mapping.loop_table(), mapping.keep_table()
    counts = np.zeros((len(Level), len(Tensor), len(Access)), np.int64)
    first_touches = np.zeros(len(Level), np.int64)
    tile_words = np.zeros((len(Level), len(Tensor)), np.int64)
    cycles = kernels.evaluate(row, loops, keep, template.exact_multicast, counts)
    kernels.first_touches(row, loops, first_touches)
    kernels.tile_words(row, loops, tile_words)
    instances = np.ones(len(Level), np.int64)
    for level in Level:
        for loop in mapping.loops:
            if loop.is_spatial and loop.slot < 2 * level:
                instances[level] *= loop.count
    return AccessCounts(counts, int(cycles), instances, first_touches, tile_words)


def access_energy_pj(counts: AccessCounts, pj_per_word: npt.NDArray[np.float64]) -> float:
    """Energy of all accesses: words times energy per word [levels, accesses], summed in order."""
    return float((counts.counts.sum(axis=1) * pj_per_word).sum())


def bandwidth_cycles(counts: AccessCounts, words_per_cycle: npt.NDArray[np.float64]) -> int:
    """Cycles when each instance of a level moves at most so many words per cycle.

    Args:
        counts: what `evaluate` returned.
        words_per_cycle: limits [levels, (READ, WRITE, SHARED)], infinite where there is none.
            Fills and updates are writes; SHARED bounds reads and writes together.

    A level that needs more words per cycle than its limit, averaged over the layer, stretches
    the computing by that ratio; the slowest level decides. Needs are summed tensor by tensor
    in double precision, as the reference does: where the exact result is whole, the last bit
    decides between it and one cycle more. [docs/equations.md 5.2]
    """
    cycles = counts.compute_cycles
    for level in Level:
        words = counts.counts[level] / counts.instances[level] / counts.compute_cycles
        read = write = 0.0
        for tensor in Tensor:
            read += words[tensor, Access.READS]
            write += words[tensor, Access.FILLS] + words[tensor, Access.UPDATES]
        speed = 1.0
        for need, limit in zip((read, write, read + write), words_per_cycle[level], strict=True):
            if need > 0:
                speed = min(speed, limit / need)
        cycles = max(cycles, ceil(counts.compute_cycles / speed))
    return cycles


def extent_of(layer: Layer, dim: Dim) -> int:
    """The size of one dim of a layer."""
    return int(getattr(layer, dim.name.lower()))


def _names(kept: frozenset[Tensor]) -> list[str]:
    return [tensor.name.lower() for tensor in Tensor if tensor in kept]
