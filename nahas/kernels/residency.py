"""Which activations stay on chip between layers: the choice that saves most DRAM traffic.

[docs/equations.md 10]
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.kernels._jit import kernel
from nahas.kernels.rows import hardware_row

Array = NDArray[Any]

TILE_SHARE = 0.5
"""Part of every local memory that is kept for tiles; activations may fill the rest."""

MOST_SHELVES = 12
"""Outputs alive at once up to which the choice is exact: every layer looks at all sets of them.
No built-in network has more than three."""


@kernel()
def reside(
    operands: Array, output_words: Array, last_use: Array, capacity_words: float, reserved: Array
) -> None:
    """Decide which outputs stay: of all sets that fit, one that saves most DRAM traffic.

    An output that stays is held in every layer from the one that makes it to the last that reads
    it, spread evenly over the PEs. In every layer, what is held fits the part of all local
    memories that activations may fill. The network's input and its output always cross the I/O
    interface. Of equal sets, the one with the earliest output in which they differ.

    Args:
        operands: [L, 2] int64, the layers that each reads: -1 is the network's input, -2 none.
        output_words: [L] int64, words of every layer's output.
        last_use: [L] int64, the last layer that reads it; the layer itself where none does.
        capacity_words: of all local memories together.
        reserved: [2, L] float64, written: whether the output of the layer stays (1.0), and the
            words that are held while the layer runs.
    """
    room = capacity_words * (1.0 - TILE_SHARE)
    if hold_early(output_words, last_use, room, reserved):
        return
    shelves, saved = np.empty((2, output_words.size), np.int64)
    words_saved(operands, output_words, saved)
    count = shelve(output_words, last_use, room, shelves)
    if count > MOST_SHELVES:
        return
    keeps = np.zeros((output_words.size, 1 << count), np.bool_)
    best_choices(operands, (output_words, last_use, shelves, saved), room, keeps)
    hold_best(output_words, last_use, shelves, keeps, reserved)


@kernel()
def hold_early(output_words: Array, last_use: Array, room: float, reserved: Array) -> bool:
    """Hold outputs in execution order, each that fits beside those before it.

    Returns:
        Whether every output that can stay by itself does: then no set saves more.
    """
    stays, held = reserved[0], reserved[1]
    held[:] = 0.0
    everything = True
    for i in range(output_words.size):
        stays[i] = 0.0
        if last_use[i] == i:
            continue
        fits = True
        for j in range(i, last_use[i] + 1):
            fits = fits and held[j] + output_words[i] <= room
        if fits:
            stays[i] = 1.0
            for j in range(i, last_use[i] + 1):
                held[j] += output_words[i]
        elif output_words[i] <= room:
            everything = False
    return everything


@kernel()
def words_saved(operands: Array, output_words: Array, saved: Array) -> None:
    """Words that an output spares the I/O interface when it stays: one write and every read.

    Args:
        operands: [L, 2] int64, the layers that each reads, below 0 where it reads none.
        output_words: [L] int64, words of every output.
        saved: [L] int64, written.
    """
    saved[:] = output_words
    for i in range(output_words.size):
        for j in range(operands.shape[1]):
            source = operands[i, j]
            if source >= 0:
                saved[source] += output_words[source]


@kernel()
def shelve(output_words: Array, last_use: Array, room: float, shelves: Array) -> int:
    """Give every output that can stay a shelf, which no other has while it is alive.

    Args:
        output_words: [L] int64, words of every output.
        last_use: [L] int64, its last reader, as in `reside`.
        room: words that activations may fill.
        shelves: [L] int64, written: the shelf, the lowest that is free; -1 for an output that
            nobody reads or that is larger than the room.

    Returns:
        How many shelves there are; above MOST_SHELVES, some outputs were given none.
    """
    until = np.full(MOST_SHELVES, -1)
    count = 0
    for i in range(output_words.size):
        shelves[i] = -1
        if last_use[i] == i or output_words[i] > room:
            continue
        shelf = 0
        while shelf < MOST_SHELVES and until[shelf] >= i:
            shelf += 1
        count = max(count, shelf + 1)
        if shelf < MOST_SHELVES:
            shelves[i], until[shelf] = shelf, last_use[i]
    return count


@kernel()
def best_choices(
    operands: Array, outputs: tuple[Array, Array, Array, Array], room: float, keeps: Array
) -> None:
    """For every layer and every set of outputs held when it starts: whether to keep its own.

    Backward, with V_i(h) the most words that layers from i on can save when h is held:
    V_i(h) = max(V_{i+1}(h - freed_i), saved_i + V_{i+1}(h + i - freed_i)), the second only where
    h + i fits. What can be saved from i on depends on the past through h alone, so V is the best
    of all subsets. When equal, the output is kept.

    Args:
        operands: [L, 2] int64.
        outputs: words, last use, shelf and saved words of every output, int64 [L] each.
        room: words that activations may fill.
        keeps: [L, 2**S] bool, written; bit s of a set is the output on shelf s.
    """
    words, last_use, shelves, saved = outputs
    states = keeps.shape[1]
    held_bytes, now, later = np.zeros((3, states), np.int64)
    for i in range(words.size - 1, -1, -1):
        freed = 0
        for j in range(operands.shape[1]):
            source = operands[i, j]
            if source >= 0 and last_use[source] == i and shelves[source] >= 0:
                freed |= 1 << shelves[source]
                put(held_bytes, 1 << shelves[source], words[source])
        own = 1 << shelves[i] if shelves[i] >= 0 else 0
        for held in range(states):
            now[held] = later[held & ~freed]
            if own and held_bytes[held] + words[i] <= room:
                kept = saved[i] + later[(held | own) & ~freed]
                keeps[i, held] = kept >= now[held]
                now[held] = max(kept, now[held])
        now, later = later, now


@kernel()
def put(held_bytes: Array, shelf: int, words: int) -> None:
    """Count an output of so many words on a shelf, a bit, in the bytes of all sets of shelves."""
    for held in range(held_bytes.size):
        if held & shelf:
            held_bytes[held] = held_bytes[held & ~shelf] + words


@kernel()
def hold_best(
    output_words: Array, last_use: Array, shelves: Array, keeps: Array, reserved: Array
) -> None:
    """Follow the choices of `best_choices` from the first layer, where nothing is held.

    Args:
        output_words: [L] int64, words of every output.
        last_use: [L] int64, its last reader, as in `reside`.
        shelves: [L] int64, as `shelve` wrote it.
        keeps: [L, 2**S] bool, as `best_choices` wrote it.
        reserved: [2, L] float64, written as in `reside`.
    """
    stays, held_bytes = reserved[0], reserved[1]
    held_bytes[:] = 0.0
    until = np.full(MOST_SHELVES, -1)
    for i in range(output_words.size):
        stays[i] = 0.0
        if shelves[i] < 0:
            continue
        held = 0
        for shelf in range(MOST_SHELVES):
            if until[shelf] >= i:
                held |= 1 << shelf
        if keeps[i, held]:
            stays[i], until[shelves[i]] = 1.0, last_use[i]
            for j in range(i, last_use[i] + 1):
                held_bytes[j] += output_words[i]


@kernel()
def stays_of(
    operands: Array,
    sizes: Array,
    reserved: Array,
    words_per_byte: float,
    out: Array,
    dram_words: Array,
) -> None:
    """What each layer finds on chip.

    Args:
        operands: [L, 2] int64, the layers it reads: -1 is the network's input, -2 none.
        sizes: [L, 2] int64, words of each operand.
        reserved: as `reside` wrote it.
        words_per_byte: words that take a byte in each PE, among which they are spread.
        out: [L, 4] float64, records.RESIDENCY of each layer: all but the weights written.
        dram_words: [L] float64, written: words of all operands that come from DRAM.
    """
    stays, held = reserved[0], reserved[1]
    for i in range(operands.shape[0]):
        out[i, 0] = 1.0
        dram_words[i] = 0.0
        for j in range(operands.shape[1]):
            source = operands[i, j]
            if source == -2 or (source >= 0 and stays[source] == 1.0):
                continue
            out[i, 0] = 0.0
            dram_words[i] += sizes[i, j]
        out[i, 1] = stays[i]
        out[i, 2] = np.ceil(held[i] / words_per_byte)


@kernel()
def settle_designs(
    starts: Array, layers: tuple[Array, Array, Array, Array], points: Array, reserved: Array,
    stays: Array, dram_words: Array,
) -> None:  # fmt: skip
    """`reside` and `stays_of` for B designs whose layers stand one after the other; N in all.

    Args:
        starts: [B + 1] int64, where each design's layers start.
        layers: operands [N, 2], sizes [N, 2], output words [N] and last use [N] of all
            layers; indices of layers count within their design.
        points: [B, 23] float64, records.HARDWARE.
        reserved: [2, N] float64, scratch.
        stays: [N, 4] float64, records.RESIDENCY: all but the weights written.
        dram_words: [N] float64, written.
    """
    operands, sizes, output_words, last_use = layers
    for i in range(points.shape[0]):
        hw = hardware_row(points[i])
        words_per_byte = hw.pes_x * hw.pes_y / hw.activation_bytes
        a, b = starts[i], starts[i + 1]
        held = reserved[:, a:b]
        capacity = words_per_byte * hw.local_memory_bytes
        reside(operands[a:b], output_words[a:b], last_use[a:b], capacity, held)
        stays_of(operands[a:b], sizes[a:b], held, words_per_byte, stays[a:b], dram_words[a:b])
