"""Closed forms of what a placement on the edge template moves and costs.

The counts equal those of `nahas.mapping.evaluate` on the loop nest that the placement stands
for (tests/kernels/test_search.py); docs/equations.md derives them.
"""

from __future__ import annotations

from numpy import ceil

from nahas.kernels._jit import kernel
from nahas.kernels.nest import constant
from nahas.kernels.records import CostRow, CountsRow, HardwareRow, LayerRow, ResidencyRow
from nahas.kernels.tilings import Placement, Split, extent, local_tile_words
from nahas.vocabulary import Bound, DramOrder

WEIGHTS_STAY_P, WEIGHTS_STAY_Q, OUTPUTS_STAY, INPUTS_STAY_P, INPUTS_STAY_Q = (
    constant(order) for order in DramOrder
)
COMPUTE, LOCAL_MEMORY, IO = float(Bound.COMPUTE), float(Bound.LOCAL_MEMORY), float(Bound.IO)


@kernel(inline=True)
def weight_repeats(at: Placement, order: int) -> tuple[float, float]:
    """Times that each weight enters local memory, and a register file.

    Only P and Q leave weights in place. A loop over them repeats the fetch when a loop that
    moves the weights, of more than one trip, stands inside it.
    """
    into_local = 1.0
    inside = at.c.dram if order == OUTPUTS_STAY else at.k.dram
    if order >= OUTPUTS_STAY and inside > 1.0:
        into_local = at.p.dram * at.q.dram
    reduction = at.c.local * at.local_r * at.local_s
    if at.output_stationary and reduction > 1.0:
        return into_local, at.p.visits * at.q.visits
    if at.g.local * at.k.local * reduction > 1.0:
        return into_local, at.p.dram * at.q.dram
    return into_local, into_local


@kernel(inline=True)
def output_repeats(at: Placement, order: int) -> tuple[float, float]:
    """Times that each output visits local memory, and a register file.

    A loop over the reduction evicts outputs when a loop that moves them stands inside it.
    """
    moves = at.p.dram * at.q.dram
    if order >= INPUTS_STAY_P:
        moves *= at.k.dram
    in_local = at.c.dram if order != OUTPUTS_STAY and moves > 1.0 else 1.0
    positions = at.p.local * at.q.local
    if not at.output_stationary and positions > 1.0:
        return in_local, at.c.visits * at.local_r * at.local_s
    if at.g.local * at.k.local * positions > 1.0:
        return in_local, at.c.dram
    return in_local, in_local


@kernel(inline=True)
def slides_along_p(at: Placement, order: int) -> bool:
    """Whether P is the innermost DRAM loop that moves inputs, of P and Q."""
    if order in (WEIGHTS_STAY_P, INPUTS_STAY_P):
        return at.p.dram > 1.0
    return at.q.dram == 1.0


@kernel(inline=True)
def swept(
    positions: float, stride: float, window: float, dilation: float, cut: Split, sliding: bool
) -> float:
    """Input rows read from DRAM over one sweep of P, summed over the PEs that spread P.

    Columns along Q likewise. PEs read their halos separately. While the tile only slides
    (`sliding`) and overlaps the one before, a PE reads just the new rows. [docs/equations.md]
    """
    halo = (window - 1.0) * dilation + 1.0 - stride
    shift = stride * cut.pes * cut.reach
    if not sliding or cut.dram == 1.0 or shift >= extent(cut.reach, stride, window, dilation):
        return float(positions * stride + ceil(positions / cut.reach) * halo)
    late = ceil(positions / cut.reach) - cut.pes
    again = float(late * stride * cut.reach * (cut.pes - 1.0))
    return positions * stride + cut.pes * halo + again


@kernel(inline=True)
def count(layer: LayerRow, at: Placement, order: int) -> CountsRow:
    """All words that a placement moves; `order` is that of the DRAM loops."""
    into_local, into_register = weight_repeats(at, order)
    in_local, in_register = output_repeats(at, order)
    weights = float(layer.g) * layer.k * layer.c * layer.r * layer.s
    outputs = float(layer.g) * layer.k * layer.p * layer.q
    macs = outputs * layer.c * layer.r * layer.s
    pixels = at.p.dram * at.q.dram
    sliding = order != OUTPUTS_STAY or at.c.dram == 1.0
    along_p = slides_along_p(at, order)
    rows = swept(layer.p, layer.stride_p, layer.r, layer.dilation_r, at.p, sliding and along_p)
    columns = swept(
        layer.q, layer.stride_q, layer.s, layer.dilation_s, at.q, sliding and not along_p
    )
    evicted = order < INPUTS_STAY_P and at.c.dram * pixels > 1.0
    inputs = float(layer.g) * layer.c * rows * columns * (at.k.dram if evicted else 1.0)
    pixel_pes = at.p.pes * at.q.pes
    pixel_lanes = at.p.lanes * at.q.lanes
    updates = outputs * layer.r * layer.s * ceil(layer.c / at.blocks.dot)
    return CountsRow(
        at.g.steps * at.k.steps * at.c.steps * at.p.steps * at.q.steps * layer.r * layer.s,
        at.g.pes * at.k.pes * pixel_pes,
        macs,
        weights * into_register * pixel_pes * pixel_lanes,
        updates,
        updates - outputs * at.c.lanes,
        outputs * (in_register - 1.0) * at.c.lanes,
        weights * into_local * pixel_pes,
        weights * into_register * pixel_pes,
        inputs * at.k.pes,
        macs / layer.k * ceil(layer.k / (at.k.lanes * at.blocks.simd_k)),
        outputs * (in_local - 1.0),
        outputs * in_register,
        outputs * (in_register - 1.0),
        weights * into_local,
        inputs,
        outputs * (in_local - 1.0),
        outputs * in_local,
    )


@kernel(inline=True)
def register_file_energy(counts: CountsRow, hw: HardwareRow) -> float:
    """PJ of all register files, which hold weights and partial sums."""
    reads = hw.weight_bytes * counts.macs + hw.partial_sum_bytes * counts.register_output_reads
    writes = hw.weight_bytes * counts.register_weight_fills + hw.partial_sum_bytes * (
        counts.register_output_updates + counts.register_output_fills
    )
    return hw.register_file_read_pj_per_byte * reads + hw.register_file_write_pj_per_byte * writes


@kernel(inline=True)
def local_traffic(counts: CountsRow, hw: HardwareRow, stay: ResidencyRow) -> tuple[float, float]:
    """Bytes read from and written to all local memories.

    An output's last visit leaves an activation; every earlier one leaves a partial sum. Weights
    or an activation that stay on chip are read where they rest, and written there.
    """
    finished = counts.dram_output_updates - counts.dram_output_reads
    read = counts.local_input_reads + counts.dram_input_reads * stay.input_on_chip
    written = counts.local_input_fills + finished + finished * stay.output_on_chip
    spilt, weight, activation = hw.partial_sum_bytes, hw.weight_bytes, hw.activation_bytes
    reads = weight * (counts.local_weight_reads + counts.dram_weight_reads * stay.weights_on_chip)
    reads += spilt * counts.local_output_reads
    writes = spilt * (counts.local_output_fills + counts.local_output_reads)
    writes += weight * counts.local_weight_fills
    return reads + activation * read, writes + activation * written


@kernel(inline=True)
def cost(counts: CountsRow, hw: HardwareRow, stay: ResidencyRow) -> CostRow:
    """Cycles and energy of counted traffic; the tile sizes are left 0.

    Partial sums that local memory cannot keep cross the I/O interface both ways, wherever the
    finished output goes. Weights or an activation that stay on chip move between local
    memories: a read or write there in place of one of DRAM, nothing over the interface.
    """
    reads, writes = local_traffic(counts, hw, stay)
    partial = hw.partial_sum_bytes * counts.dram_output_reads
    weights = hw.weight_bytes * (1.0 - stay.weights_on_chip) * counts.dram_weight_reads
    inputs = hw.activation_bytes * (1.0 - stay.input_on_chip) * counts.dram_input_reads
    finished = counts.dram_output_updates - counts.dram_output_reads
    outputs = partial + hw.activation_bytes * (1.0 - stay.output_on_chip) * finished
    local_cycles = ceil((reads + writes) / (counts.pes * hw.local_memory_bytes_per_cycle))
    io_cycles = ceil((weights + inputs + partial + outputs) / hw.io_bytes_per_cycle)
    cycles = max(counts.compute_cycles, max(local_cycles, io_cycles))
    mac = counts.macs * hw.mac_pj
    register = register_file_energy(counts, hw)
    local = reads * hw.local_memory_read_pj_per_byte + writes * hw.local_memory_write_pj_per_byte
    read = weights + inputs + partial
    dram = read * hw.dram_read_pj_per_byte + outputs * hw.dram_write_pj_per_byte
    leakage = cycles * hw.leakage_pj_per_cycle
    bound = COMPUTE
    if cycles > counts.compute_cycles:
        bound = IO if io_cycles >= local_cycles else LOCAL_MEMORY
    energy = mac + register + local + dram + leakage
    return CostRow(
        cycles, counts.compute_cycles, local_cycles, io_cycles,
        energy, mac, register, local, dram, leakage,
        weights, inputs, partial + outputs, 0.0, 0.0, 0.0, bound, 0.0,
    )  # fmt: skip


@kernel(inline=True)
def first_weights(layer: LayerRow, at: Placement) -> float:
    """Weights with which every register file starts.

    Later ones stream in behind them, in the order in which they are used. Output-stationary
    loops run through the whole reduction before they come to the next outputs.
    """
    g = min(at.g.pes * at.g.lanes * at.blocks.simd_g, float(layer.g))
    k = min(at.k.pes * at.k.lanes * at.blocks.simd_k, float(layer.k))
    reduction = at.c.lanes * at.c.register
    window = layer.r * layer.s / (at.local_r * at.local_s)
    if at.output_stationary and at.p.local * at.q.local > 1.0:
        reduction, window = at.c.reach, float(layer.r * layer.s)
    return g * k * min(reduction * at.blocks.dot, float(layer.c)) * window


@kernel(inline=True)
def first_and_last_tile(
    layer: LayerRow, hw: HardwareRow, at: Placement, stay: ResidencyRow
) -> tuple[float, float, float]:
    """Bytes over I/O before the first cycle (weights, inputs) and after the last (outputs).

    Partial sums that waited in local memory leave as activations.
    """
    _, inputs, outputs = local_tile_words(layer, at)
    channel_pes = at.g.pes * at.k.pes
    pixel_pes = at.p.pes * at.q.pes
    every_output = float(layer.g) * layer.k * layer.p * layer.q
    return (
        hw.weight_bytes * first_weights(layer, at) * (1.0 - stay.weights_on_chip),
        hw.activation_bytes * inputs * at.g.pes * pixel_pes * (1.0 - stay.input_on_chip),
        hw.activation_bytes
        * min(outputs * channel_pes * pixel_pes, every_output)
        * (1.0 - stay.output_on_chip),
    )
