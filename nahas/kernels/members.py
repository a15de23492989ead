"""The members of the general mapspace: which counts and orders a mapping may have, and its loops.

[docs/templates.md 2]
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nahas.kernels._jit import kernel
from nahas.kernels.evaluate import extents_of
from nahas.kernels.nest import DIMS, IntArray, constant
from nahas.kernels.records import LayerRow
from nahas.vocabulary import Dataflow, Dim, Level, Slot, Tensor

FloatArray = npt.NDArray[np.float64]

N, G, K, C, P, Q, R, S = (constant(dim) for dim in Dim)
LOCAL, REGISTERS = constant(Level.LOCAL_MEMORY), constant(Level.REGISTER_FILE)
SLOTS = len(Slot)
SHARED = constant(len(Tensor))

ORDERS = np.array(
    [
        [N, G, K, C, R, S, P, Q],
        [N, G, K, P, Q, C, R, S],
        [N, G, C, R, S, P, Q, K],
        [N, G, K, C, R, S, Q, P],
        [N, G, C, R, S, Q, P, K],
    ],
    np.int64,
)
"""Orders of a level's loops, outermost first: weights stay, outputs stay, inputs stay; then
weights and inputs again with P inside Q, so that inputs slide along P. At DRAM only the first
three differ, because Q, R and S are whole there."""
DRAM_ORDERS = 3

ANY, WEIGHT, OUTPUT, INPUT, ROW = (constant(dataflow) for dataflow in Dataflow)
STAYS = (WEIGHT, OUTPUT, INPUT, WEIGHT, INPUT)
"""The dataflow of each order."""


class Machine(NamedTuple):
    """An accelerator as the kernel reads it.

    Attributes:
        keep: [levels, tensors] what is stored.
        capacity: [levels, tensors and SHARED] bytes of one instance; infinite where unlimited.
        word_bytes: [levels, tensors].
        pj: [levels, tensors, accesses] per word.
        bytes_per_cycle: [levels] of one instance, reads and writes together.
        mac_pj: of one multiply-accumulate.
        spill: DRAM words that an output takes while its sum is incomplete.
        exact_multicast: see `evaluate`.
    """

    keep: npt.NDArray[np.bool_]
    capacity: FloatArray
    word_bytes: FloatArray
    pj: FloatArray
    bytes_per_cycle: FloatArray
    mac_pj: float
    spill: float
    exact_multicast: bool


@kernel()
def ceil_div(a: int, b: int) -> int:
    """The quotient, rounded up."""
    return -(-a // b)


@kernel()
def next_split(blocks: int, parts: int) -> int:
    """The least number of parts above `parts` whose largest part is smaller."""
    largest = ceil_div(blocks, parts)
    return blocks + 1 if largest == 1 else ceil_div(blocks, largest - 1)


@kernel()
def split(extent: int, fan: IntArray, tiles: int, held: int, out: IntArray) -> bool:
    """Write the loop counts [6 slots] of one dim; whether they are a member of the space.

    `fan` [3] bounds the instances at the PE array, the lane array and the datapath. Not a
    member: other counts than asked for (another member has them), or a last DRAM tile with a
    single trip in local memory where the others have more. [docs/templates.md 2]
    """
    wide = ceil_div(extent, ceil_div(extent, fan[2]))
    blocks = ceil_div(extent, wide)
    tile = ceil_div(blocks, tiles)
    pes = min(fan[0], tile)
    lanes = min(fan[1], ceil_div(tile, pes))
    work = ceil_div(tile, pes * lanes)
    if held > work or ceil_div(work, ceil_div(work, held)) != held:
        return False
    local = ceil_div(work, held)
    lanes = min(lanes, ceil_div(tile, pes * local * held))
    local = ceil_div(ceil_div(tile, pes), lanes * held)
    reach = lanes * local * held
    pes = ceil_div(tile, reach)
    out[0], out[1], out[2] = ceil_div(blocks, pes * reach), pes, local
    out[3], out[4], out[5] = lanes, held, wide
    last = min(blocks - (out[0] - 1) * pes * reach, reach)
    return bool(out[0] == tiles and (ceil_div(last, lanes * held) > 1 or local == 1))


@kernel()
def work_of(extent: int, fan: IntArray, tiles: int) -> int:
    """Blocks of a dim that one lane works through in one DRAM tile."""
    tile = ceil_div(ceil_div(extent, fan[2]), tiles)
    pes = min(fan[0], tile)
    return ceil_div(tile, pes * min(fan[1], ceil_div(tile, pes)))


@kernel()
def fits(layer: LayerRow, machine: Machine, counts: IntArray, level: int) -> bool:
    """Whether a level holds the largest tile of each tensor that it keeps.

    `counts` [dims, slots].
    """
    extents = extents_of(layer)
    tile = np.empty(DIMS, np.int64)
    for dim in range(DIMS):
        inside = 1
        for slot in range(2 * level, SLOTS):
            inside *= counts[dim, slot]
        tile[dim] = min(extents[dim], inside)
    rows = (tile[P] - 1) * layer.stride_p + (tile[R] - 1) * layer.dilation_r + 1
    columns = (tile[Q] - 1) * layer.stride_q + (tile[S] - 1) * layer.dilation_s + 1
    weights = tile[G] * tile[K] * tile[C] * tile[R] * tile[S]
    outputs = tile[N] * tile[G] * tile[K] * tile[P] * tile[Q]
    words = (weights, tile[N] * tile[G] * tile[C] * rows * columns, outputs)
    total = 0.0
    for tensor in range(3):
        if machine.keep[level, tensor]:
            held = words[tensor] * machine.word_bytes[level, tensor]
            if held > machine.capacity[level, tensor]:
                return False
            total += held
    return bool(total <= machine.capacity[level, SHARED])


@kernel()
def loops_of(counts: IntArray, dram_order: int, local_order: int, out: IntArray) -> int:
    """Write the loops [48, 3] of slot, dim and count that have more than one trip; how many."""
    number = 0
    for slot in range(SLOTS):
        order = dram_order if slot == 0 else local_order
        for place in range(DIMS):
            dim = ORDERS[order, place]
            if counts[dim, slot] > 1:
                out[number, 0], out[number, 1], out[number, 2] = slot, dim, counts[dim, slot]
                number += 1
    return number


@kernel()
def visits_of(extent: int, counts: IntArray) -> int:
    """Executed trips of the loops of one dim at DRAM and local memory together, of PE 0."""
    inner = counts[3] * counts[4] * counts[5]
    reach = counts[2] * inner
    last = min(extent - (counts[0] - 1) * counts[1] * reach, reach)
    return int((counts[0] - 1) * counts[2] + ceil_div(last, inner))


@kernel()
def fewer(work: int, held: int) -> int:
    """The next smaller part of a balanced split; 0 after the last."""
    return 0 if held == 1 else ceil_div(work, ceil_div(work, held - 1))


@kernel()
def is_repeated(trips: IntArray, order: int) -> bool:
    """Whether an earlier order has the same loops: it differs in loops of one trip.

    `trips` [dims] at the level of the order.
    """
    sums, positions = trips[C] * trips[R] * trips[S], trips[P] * trips[Q]
    if order == 1:
        return bool(sums == 1 or positions == 1)
    if order == 2:
        return bool(trips[K] == 1 or sums * positions == 1)
    if order == 3:
        return bool(trips[P] == 1 or trips[Q] == 1)
    return bool(order == 4 and (trips[K] == 1 or trips[P] == 1 or trips[Q] == 1))


@kernel()
def is_order_of(trips: IntArray, order: int, dataflow: int) -> bool:
    """Whether an order belongs to a dataflow, and no earlier one of it has the same loops.

    `trips` [dims] are those of local memory.
    """
    if dataflow in (ANY, ROW):
        return not is_repeated(trips, order)
    return bool(STAYS[order] == dataflow and (order < 3 or (trips[P] > 1 and trips[Q] > 1)))


@kernel()
def is_spread(counts: IntArray) -> bool:
    """Whether the loop counts [slots] of a dim spread it over PEs or lanes."""
    return bool(counts[1] * counts[3] > 1)


@kernel()
def has_rows_of(dataflow: int, window_spread: bool, rows_spread: bool) -> bool:
    """Whether a member that spreads R and P like this may have the dataflow.

    Row-stationary members spread both, and are of no other dataflow.
    """
    return bool(dataflow == ANY or (window_spread and rows_spread) == (dataflow == ROW))


@kernel()
def choices(extent: int, fan: IntArray, dim: int, most_held: int) -> tuple[float, float]:
    """Members of one dim: pairs of DRAM tiles and blocks held; and those not spread over arrays.

    At most `most_held` blocks are held.
    """
    blocks = ceil_div(extent, fan[2])
    tiles = extent if dim == N else 1
    found, narrow, counts = 0.0, 0.0, np.empty(SLOTS, np.int64)
    while tiles <= blocks:
        work = work_of(extent, fan, tiles)
        held = min(work, most_held)
        while held > 0:
            if split(extent, fan, tiles, held, counts):
                found += 1.0
                narrow += not is_spread(counts)
            held = fewer(work, held)
        tiles = blocks + 1 if dim == N or dim >= Q else next_split(blocks, tiles)
    return found, narrow


@kernel()
def space_size(extents: IntArray, fans: IntArray, keeps_positions: bool, dataflow: int) -> float:
    """Members of a dataflow, whether they fit or not, with every order of both levels.

    `keeps_positions` says whether the register file holds parts along Q.
    """
    orders = 0
    for order in range(len(ORDERS)):
        orders += dataflow in (ANY, ROW) or STAYS[order] == dataflow
    total = 0.0
    for i in range(len(fans)):
        members = float(DRAM_ORDERS * orders)
        for dim in (N, G, K, C, Q):
            many = dim in (K, C) or (dim == Q and keeps_positions)
            members *= choices(extents[dim], fans[i, :, dim], dim, extents[dim] if many else 1)[0]
        total += members * windows_and_rows(extents, fans[i], dataflow)
    return total


@kernel()
def windows_and_rows(extents: IntArray, fan: IntArray, dataflow: int) -> float:
    """Pairs of a part of the window that is held and a cut of P that a dataflow may have."""
    rows, columns = work_of(extents[R], fan[:, R], 1), work_of(extents[S], fan[:, S], 1)
    every, narrow = choices(extents[P], fan[:, P], P, 1)
    counts, pairs = np.empty(SLOTS, np.int64), 0.0
    for window in range(3):
        if (window == 1 and columns == 1) or (window == 2 and rows == 1):
            continue
        split(extents[R], fan[:, R], 1, rows if window == 2 else 1, counts)
        for rows_spread in (False, True):
            if has_rows_of(dataflow, is_spread(counts), rows_spread):
                pairs += every - narrow if rows_spread else narrow
    return pairs
