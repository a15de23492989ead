"""Which activations stay on chip between layers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.kernels._jit import kernel
from nahas.kernels.rows import hardware_row

Array = NDArray[Any]

TILE_SHARE = 0.5
"""Part of every local memory that is kept for tiles; activations may fill the rest."""


@kernel()
def reside(output_words: Array, last_use: Array, capacity_bytes: float, reserved: Array) -> None:
    """Decide in execution order which outputs stay; an early one has the place first.

    An output stays when, in every layer from the one that makes it to the last that reads it,
    it fits the part of all local memories that activations may fill, beside those that stay
    already. It is then spread evenly over the PEs. The network's input and its output always
    cross the I/O interface.

    Args:
        output_words: [L] int64, bytes of every layer's output.
        last_use: [L] int64, the last layer that reads it; the layer itself where none does.
        capacity_bytes: of all local memories together.
        reserved: [2, L] float64, written: whether the output of the layer stays (1.0), and the
            bytes that are held while the layer runs.
    """
    room = capacity_bytes * (1.0 - TILE_SHARE)
    stays, held = reserved[0], reserved[1]
    held[:] = 0.0
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


@kernel()
def stays_of(
    operands: Array, sizes: Array, reserved: Array, pes: float, out: Array, dram_words: Array
) -> None:
    """What each layer finds on chip.

    Args:
        operands: [L, 2] int64, the layers it reads: -1 is the network's input, -2 none.
        sizes: [L, 2] int64, words of each operand.
        reserved: as `reside` wrote it.
        pes: PEs of the accelerator.
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
        out[i, 2] = np.ceil(held[i] / pes)


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
        points: [B, 20] float64, records.HARDWARE.
        reserved: [2, N] float64, scratch.
        stays: [N, 4] float64, records.RESIDENCY: all but the weights written.
        dram_words: [N] float64, written.
    """
    operands, sizes, output_words, last_use = layers
    for i in range(points.shape[0]):
        hw = hardware_row(points[i])
        pes = hw.pes_x * hw.pes_y
        a, b = starts[i], starts[i + 1]
        held = reserved[:, a:b]
        reside(output_words[a:b], last_use[a:b], pes * hw.local_memory_bytes, held)
        stays_of(operands[a:b], sizes[a:b], held, pes, stays[a:b], dram_words[a:b])
