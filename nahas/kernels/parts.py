"""The least that the members of the full mapspace cost that use the same part of an accelerator.

A part is a number of SIMD units and of instances of every axis. Its bounds are costs of counts
that no member undercuts; [docs/mapspace.md, The full space] says why.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy import ceil
from numpy.typing import NDArray

from nahas.kernels._jit import kernel
from nahas.kernels.edge import INPUTS_STAY_P, OUTPUTS_STAY, WEIGHTS_STAY_P, cost
from nahas.kernels.records import CountsRow, HardwareRow, LayerRow, ResidencyRow
from nahas.kernels.search import rank
from nahas.kernels.tilings import Axes, Blocks, C, G, K, P, Q, Split, split

FloatArray = NDArray[np.float64]


class Pair(NamedTuple):
    """What is mapped on what, what a mapping is good for, and where it is looked for.

    Attributes:
        objective, space: `vocabulary.Objective` and `vocabulary.Mapspace`.
    """

    layer: LayerRow
    hw: HardwareRow
    stay: ResidencyRow
    objective: int
    space: int


class Part(NamedTuple):
    """The part of an accelerator that members share.

    Attributes:
        axes: the dims that PE x, PE y and lanes spread.
        x, y, lanes: how many instances of each are used.
        blocks: what the SIMD units in use leave of the layer.
    """

    axes: Axes
    x: float
    y: float
    lanes: float
    blocks: Blocks


class Open(NamedTuple):
    """Instances that are not decided yet: a bound may use all of them and copies nothing there."""

    lanes: float
    pes: float


class Cut(NamedTuple):
    """Tiles at DRAM along every dim."""

    g: float
    k: float
    c: float
    p: float
    q: float


class Repeats(NamedTuple):
    """How often words move, at least.

    Attributes:
        weights, inputs, outputs: times that each comes to local memory.
        fills: times that each weight comes to a register file.
        visits: times that each output does.
    """

    weights: float
    inputs: float
    outputs: float
    fills: float
    visits: float


ONCE = Cut(1.0, 1.0, 1.0, 1.0, 1.0)
"""The whole layer in one tile."""


@kernel(inline=True)
def pes_along(part: Part, dim: int) -> float:
    """PEs that spread a dim."""
    x = part.x if part.axes.x == dim else 1.0
    return x * part.y if part.axes.y == dim else x


@kernel(inline=True)
def lanes_along(part: Part, dim: int) -> float:
    """Lanes that spread a dim."""
    return part.lanes if part.axes.lane == dim else 1.0


@kernel(inline=True)
def shared(blocks: float, part: Part, dim: int) -> float:
    """Blocks of a dim that one lane works through, at least."""
    return float(ceil(blocks / (pes_along(part, dim) * lanes_along(part, dim))))


@kernel()
def exact(blocks: float, tiles: float, held: float, part: Part, dim: int) -> tuple[Split, bool]:
    """The balanced split of a dim, and whether it uses all that it is asked to use."""
    x = part.x if part.axes.x == dim else 1.0
    y = part.y if part.axes.y == dim else 1.0
    lanes = lanes_along(part, dim)
    cut = split(blocks, tiles, (x, y, lanes), held)
    asked = cut.dram == tiles and cut.pes == x * y and cut.lanes == lanes and cut.register == held
    return cut, asked


@kernel(inline=True)
def boxes_along(part: Part, dim: int) -> float:
    """PEs with a share of a dim, at least: of two axes that spread it the last row may be short."""
    if part.axes.x == dim and part.axes.y == dim:
        return part.x * part.y - part.y + 1.0
    return pes_along(part, dim)


@kernel(inline=True)
def least_swept(
    positions: float, stride: float, window: float, dilation: float,
    boxes: tuple[float, float], whole: bool,
) -> float:  # fmt: skip
    """Input rows that members read with so many PEs along P; columns along Q likewise.

    Every PE reads a halo. Where the stride is above the window, boxes skip the rows between them;
    so do tiles, if the layer is cut. `boxes` are the fewest and the most; `whole` says that no
    member cuts.
    """
    halo = (window - 1.0) * dilation + 1.0 - stride
    if halo >= 0.0:
        return positions * stride + boxes[0] * halo
    if whole:
        return positions * stride + min(boxes[1], positions) * halo
    return positions * min(stride, window)


@kernel(inline=True)
def fits_one(pair: Pair) -> bool:
    """Whether one PE could hold the whole layer and all partial sums."""
    layer, hw = pair.layer, pair.hw
    height = (layer.p - 1.0) * layer.stride_p + (layer.r - 1.0) * layer.dilation_r + 1.0
    width = (layer.q - 1.0) * layer.stride_q + (layer.s - 1.0) * layer.dilation_s + 1.0
    weights = float(layer.g) * layer.k * layer.c * layer.r * layer.s * hw.weight_bytes
    inputs = float(layer.g) * layer.c * height * width * hw.activation_bytes
    outputs = float(layer.g) * layer.k * layer.p * layer.q * hw.partial_sum_bytes
    return bool(weights + inputs + outputs <= hw.local_memory_bytes - pair.stay.reserved_bytes)


@kernel(inline=True)
def least_counts(pair: Pair, part: Part, left: Open, whole: bool) -> CountsRow:
    """The least that members of a part move, if their register files held all they need.

    `whole` leaves out members that cut P or Q, which matters where tiles could skip rows.
    """
    layer, blocks = pair.layer, part.blocks
    weights = float(layer.g) * layer.k * layer.c * layer.r * layer.s
    outputs = float(layer.g) * layer.k * layer.p * layer.q
    macs = outputs * layer.c * layer.r * layer.s
    steps = shared(blocks.g, part, G) * shared(blocks.k, part, K) * shared(blocks.c, part, C)
    steps *= shared(float(layer.p), part, P) * shared(float(layer.q), part, Q)
    steps *= float(layer.r * layer.s)
    along_p = boxes_along(part, P), pes_along(part, P) * left.pes
    along_q = boxes_along(part, Q), pes_along(part, Q) * left.pes
    rows = least_swept(layer.p, layer.stride_p, layer.r, layer.dilation_r, along_p, whole)
    columns = least_swept(layer.q, layer.stride_q, layer.s, layer.dilation_s, along_q, whole)
    inputs = float(layer.g) * layer.c * rows * columns
    updates = outputs * layer.r * layer.s * ceil(layer.c / blocks.dot)
    copies = weights * pes_along(part, P) * pes_along(part, Q)
    lanes_k = lanes_along(part, K) * left.lanes
    return CountsRow(
        ceil(steps / (left.lanes * left.pes)), part.x * part.y * left.pes, macs,
        copies * lanes_along(part, P) * lanes_along(part, Q),
        updates, updates - outputs * lanes_along(part, C) * left.lanes, 0.0,
        copies, copies, inputs * pes_along(part, K),
        macs / layer.k * ceil(layer.k / (lanes_k * blocks.simd_k)),
        0.0, outputs, 0.0, weights, inputs, 0.0, outputs,
    )  # fmt: skip


@kernel(inline=True)
def repeated(counts: CountsRow, times: Repeats) -> CountsRow:
    """`least_counts` with words moving so often."""
    weights, outputs = counts.dram_weight_reads, counts.dram_output_updates
    again, spilled = outputs * (times.outputs - 1.0), outputs * (times.visits - 1.0)
    return CountsRow(
        counts.compute_cycles, counts.pes, counts.macs,
        counts.register_weight_fills * times.fills,
        counts.register_output_updates, counts.register_output_reads, spilled,
        counts.local_weight_fills * times.weights, counts.local_weight_reads * times.fills,
        counts.local_input_fills * times.inputs, counts.local_input_reads,
        again, outputs * times.visits, spilled, weights * times.weights,
        counts.dram_input_reads * times.inputs, again, outputs * times.outputs,
    )  # fmt: skip


@kernel(inline=True)
def figures(pair: Pair, counts: CountsRow) -> tuple[float, float]:
    """What counts cost: the objective, and what breaks its ties."""
    row = cost(counts, pair.hw, pair.stay)
    return rank(row.cycles, row.energy_pj, pair.objective)


@kernel(inline=True)
def is_better(first: float, second: float, best: FloatArray) -> bool:
    """Whether two figures come before those of the best so far, the first two of `best`."""
    return bool(first < best[0] or (first == best[0] and second < best[1]))


@kernel(inline=True)
def held_weights(pair: Pair, blocks: Blocks) -> float:
    """Blocks of weights that a register file holds at most, beside one block of sums."""
    simd = blocks.simd_g * blocks.simd_k
    room = pair.hw.register_file_bytes - simd * pair.hw.partial_sum_bytes
    return room // (simd * blocks.dot * pair.hw.weight_bytes)


@kernel(inline=True)
def held_positions(pair: Pair, blocks: Blocks) -> float:
    """Positions of which a register file holds sums at most, beside two blocks of weights."""
    simd = blocks.simd_g * blocks.simd_k
    room = pair.hw.register_file_bytes - 2.0 * (simd * blocks.dot * pair.hw.weight_bytes)
    return room // (simd * pair.hw.partial_sum_bytes)


@kernel(inline=True)
def smaller_part(blocks: float, held: float) -> float:
    """The next smaller part of a balanced split of `blocks`; 0 after 1."""
    return 0.0 if held <= 1.0 else float(ceil(blocks / ceil(blocks / (held - 1.0))))


@kernel(inline=True)
def largest_part(blocks: float, most: float) -> float:
    """The largest part of a balanced split that is at most `most`; 0 where `most` is below 1."""
    return 0.0 if most < 1.0 else float(ceil(blocks / ceil(blocks / min(most, blocks))))


@kernel()
def least_visits(pair: Pair, part: Part, left: Open) -> float:
    """Visits of an output to register files that cannot hold all weights of a lane; see `least`.

    1 where they can; infinite where they hold no two blocks.
    """
    layer = pair.layer
    channels = ceil(part.blocks.c / (lanes_along(part, C) * left.lanes))
    held = held_weights(pair, part.blocks)
    if channels * layer.r * layer.s <= held:
        return 1.0
    held = held // 2.0
    visits = np.inf
    for window in (float(layer.r * layer.s), float(layer.s), 1.0):
        if held >= window:
            trips = ceil(channels / (held // window)) * layer.r * layer.s / window
            visits = min(visits, trips)
    return visits


@kernel()
def least_fills(pair: Pair, part: Part, left: Open) -> float:
    """Times that a weight comes to register files that keep the sums of some positions.

    Infinite where there is no room for one.
    """
    room = held_positions(pair, part.blocks)
    if room < 1.0:
        return np.inf
    layer = pair.layer
    if left.pes * left.lanes > 1.0:
        spread = part.x * part.y * left.pes * part.lanes * left.lanes
        return max(1.0, float(layer.p * layer.q) / (room * spread))
    p_work, q_work = shared(float(layer.p), part, P), shared(float(layer.q), part, Q)
    fills = np.inf
    q = largest_part(q_work, room)
    while q > 0.0:
        fills = min(fills, ceil(q_work / q) * ceil(p_work / min(room // q, p_work)))
        q = smaller_part(q_work, q)
    return fills


@kernel()
def least_fills_cut(pair: Pair, part: Part, left: Open) -> float:
    """`least_fills` where DRAM cuts P or Q: no positions are held along the dim that it cuts."""
    room = held_positions(pair, part.blocks)
    p = pair.layer.p / (pes_along(part, P) * lanes_along(part, P))
    q = pair.layer.q / (pes_along(part, Q) * lanes_along(part, Q))
    fills = min(p * max(1.0, q / room), q * max(1.0, p / room))
    return max(1.0, fills / (left.lanes * left.pes))


@kernel()
def may_win(pair: Pair, part: Part, left: Open, best: FloatArray) -> bool:
    """Whether a member of a part might be better than the best so far.

    Either each output comes to a register file `least_visits` times, or each weight
    `least_fills` times. Members that cut P or Q are bounded apart where their tiles skip rows.
    """
    visits = least_visits(pair, part, left)
    fills = np.inf if visits == 1.0 else least_fills(pair, part, left)
    for cuts in range(2):
        if cuts and (not has_gaps(pair.layer) or fits_one(pair)):
            break
        counts = least_counts(pair, part, left, not cuts)
        if cuts and fills < np.inf:
            fills = max(fills, least_fills_cut(pair, part, left))
        for times in (Repeats(1.0, 1.0, 1.0, 1.0, visits), Repeats(1.0, 1.0, 1.0, fills, 1.0)):
            if times.fills < np.inf and times.visits < np.inf:
                first, second = figures(pair, repeated(counts, times))
                if is_better(first, second, best):
                    return True
    return False


class Floor(NamedTuple):
    """What is known of all members of a part.

    Attributes:
        counts: `least_counts`.
        visits, fills: `least_visits` and `least_fills`; infinite where the other is 1.
    """

    counts: CountsRow
    visits: float
    fills: float


@kernel()
def floor_of(pair: Pair, part: Part) -> Floor:
    """The floor of a part in which everything is decided."""
    left = Open(1.0, 1.0)
    visits = least_visits(pair, part, left)
    fills = np.inf if visits == 1.0 else least_fills(pair, part, left)
    return Floor(least_counts(pair, part, left, False), visits, fills)


@kernel(inline=True)
def spills(pair: Pair, part: Part, cut: Cut) -> bool:
    """Whether register files cannot hold the weights of a tile, so that local memory loops.

    They hold all of a lane's weights once only where no loop changes them, else twice.
    """
    layer, held = pair.layer, held_weights(pair, part.blocks)
    channels = ceil(ceil(part.blocks.c / cut.c) / lanes_along(part, C))
    if cut.g * cut.k * cut.c > 1.0:
        held = held // 2.0
    return bool(channels * layer.r * layer.s > held)


@kernel()
def may_win_cut(pair: Pair, floor: Floor, cut: Cut, several: bool, best: FloatArray) -> bool:
    """Whether a member with these tiles might be better than the best so far, in some order.

    `several` says that local memory loops over G, K or the reduction, so that every tile of pixels
    fetches the weights of register files again. [docs/equations.md 7.1-7.3]
    """
    pixels = cut.p * cut.q
    for order in (WEIGHTS_STAY_P, OUTPUTS_STAY, INPUTS_STAY_P):
        inside = cut.c if order == OUTPUTS_STAY else cut.k
        weights = pixels if order >= OUTPUTS_STAY and inside > 1.0 else 1.0
        moves = pixels * cut.k if order >= INPUTS_STAY_P else pixels
        outputs = cut.c if order != OUTPUTS_STAY and moves > 1.0 else 1.0
        inputs = cut.k if order < INPUTS_STAY_P and cut.c * pixels > 1.0 else 1.0
        fills = pixels if several else weights
        spilled = Repeats(weights, inputs, outputs, fills, max(outputs, floor.visits))
        refilled = Repeats(weights, inputs, outputs, max(fills, floor.fills), outputs)
        for times in (spilled, refilled):
            if times.fills < np.inf and times.visits < np.inf:
                first, second = figures(pair, repeated(floor.counts, times))
                if is_better(first, second, best):
                    return True
    return False


@kernel(inline=True)
def has_gaps(layer: LayerRow) -> bool:
    """Whether rows or columns lie between windows, which small tiles need not read."""
    rows = (layer.r - 1) * layer.dilation_r + 1 < layer.stride_p
    return rows or (layer.s - 1) * layer.dilation_s + 1 < layer.stride_q


@kernel(inline=True)
def swept_with(
    positions: float, stride: float, window: float, dilation: float, known: tuple[float, float]
) -> float:
    """`least_swept` of tiles that are known, as boxes and reach: they may skip rows."""
    halo = (window - 1.0) * dilation + 1.0 - stride
    boxes, reach = known
    if halo >= 0.0:
        return positions * stride + boxes * halo
    return float(positions * stride + ceil(positions / reach) * halo)


@kernel()
def floor_with(pair: Pair, part: Part, floor: Floor, p: Split, q: Split) -> Floor:
    """The floor of members with these tiles along P and Q.

    Register files hold positions only along dims that DRAM leaves whole.
    """
    layer, counts = pair.layer, floor.counts
    known_p, known_q = (boxes_along(part, P), p.reach), (boxes_along(part, Q), q.reach)
    rows = swept_with(layer.p, layer.stride_p, layer.r, layer.dilation_r, known_p)
    columns = swept_with(layer.q, layer.stride_q, layer.s, layer.dilation_s, known_q)
    inputs = float(layer.g) * layer.c * rows * columns
    least = CountsRow(
        counts.compute_cycles, counts.pes, counts.macs, counts.register_weight_fills,
        counts.register_output_updates, counts.register_output_reads,
        counts.register_output_fills, counts.local_weight_fills, counts.local_weight_reads,
        inputs * pes_along(part, K), counts.local_input_reads, counts.local_output_fills,
        counts.local_output_updates, counts.local_output_reads, counts.dram_weight_reads,
        inputs, counts.dram_output_reads, counts.dram_output_updates,
    )  # fmt: skip
    fills = floor.fills
    if fills < np.inf and p.dram * q.dram > 1.0:
        room = held_positions(pair, part.blocks)
        p_work, q_work = shared(float(layer.p), part, P), shared(float(layer.q), part, Q)
        p_held = 1.0 if p.dram > 1.0 else min(room, p_work)
        q_held = 1.0 if q.dram > 1.0 else min(room, q_work)
        fills = max(fills, ceil(p_work / p_held) * ceil(q_work / q_held))
    return Floor(least, floor.visits, fills)
