"""Closed forms of what a placement on the edge template moves and costs.

The counts equal those of `nahas.mapping.evaluate` on the loop nest that the placement stands
for (tests/kernels/test_search.py); docs/equations.md derives them.
"""

from __future__ import annotations

from numpy import ceil

from nahas.kernels._jit import kernel
from nahas.kernels.records import CostRow, CountsRow, HardwareRow, LayerRow, ResidencyRow
from nahas.kernels.tilings import (
    PARTIAL_SUM_BYTES,
    Placement,
    Split,
    extent,
    is_partial,
    local_tile_bytes,
)
from nahas.vocabulary import Bound

COMPUTE, LOCAL_MEMORY, IO = float(Bound.COMPUTE), float(Bound.LOCAL_MEMORY), float(Bound.IO)


@kernel(inline=True)
def weight_repeats(at: Placement, channels_outer: bool) -> tuple[float, float]:
    """Times that each weight enters local memory, and a register file.

    Only P (and Q, in local memory) leave weights in place. A loop over them repeats the
    fetch when a loop that moves the weights, of more than one trip, stands inside it.
    """
    dram_moves = at.g.dram * at.k.dram * at.c.dram > 1.0
    reduction = at.c.local * at.local_r * at.local_s
    local_moves = at.g.local * at.k.local * reduction > 1.0
    into_local = at.p.dram if dram_moves and not channels_outer else 1.0
    if at.output_stationary and reduction > 1.0:
        return into_local, at.p.visits * at.q.visits
    if local_moves:
        return into_local, at.p.dram
    return into_local, into_local


@kernel(inline=True)
def output_repeats(at: Placement) -> float:
    """Times that each output visits a register file: the reduction loops that evict it.

    No mapping of the space evicts outputs from local memory before they are complete.
    """
    channels = at.g.local * at.k.local
    positions = at.p.local * at.q.local
    if at.output_stationary:
        return at.c.dram if channels * positions > 1.0 else 1.0
    if positions > 1.0:
        return at.c.visits * at.local_r * at.local_s
    return at.c.dram if channels > 1.0 else 1.0


@kernel(inline=True)
def input_rows(layer: LayerRow, p: Split, sliding: bool) -> float:
    """Input rows read from DRAM over one sweep of P, summed over the PEs that spread P.

    PEs read their halos separately. While the tile only slides along P (`sliding`) and
    overlaps the one before, a PE reads just the new rows. [docs/equations.md]
    """
    halo = (layer.r - 1.0) * layer.dilation_r + 1.0 - layer.stride_p
    shift = layer.stride_p * p.pes * p.reach
    if (
        not sliding
        or p.dram == 1.0
        or shift >= extent(p.reach, layer.stride_p, layer.r, layer.dilation_r)
    ):
        return float(layer.p * layer.stride_p + ceil(layer.p / p.reach) * halo)
    first = min(float(layer.p), p.pes * p.reach)
    rest = layer.p - first
    late = ceil(layer.p / p.reach) - p.pes
    again = float(late * layer.stride_p * p.reach * (p.pes - 1.0))
    return (first + rest) * layer.stride_p + p.pes * halo + again


@kernel(inline=True)
def count(layer: LayerRow, at: Placement, channels_outer: bool) -> CountsRow:
    """All words that a placement moves."""
    into_local, into_register = weight_repeats(at, channels_outer)
    visits = output_repeats(at)
    weights = float(layer.g) * layer.k * layer.c * layer.r * layer.s
    outputs = float(layer.g) * layer.k * layer.p * layer.q
    macs = outputs * layer.c * layer.r * layer.s
    channel_moves = at.c.dram * at.g.dram > 1.0
    rows = input_rows(layer, at.p, not channel_moves or channels_outer)
    width_halo = (layer.s - 1.0) * layer.dilation_s + 1.0 - layer.stride_q
    columns = layer.q * layer.stride_q + ceil(layer.q / at.q.reach) * width_halo
    evicted = channels_outer and at.p.dram > 1.0
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
        outputs * (visits - 1.0) * at.c.lanes,
        weights * into_local * pixel_pes,
        weights * into_register * pixel_pes,
        inputs * at.k.pes,
        macs / layer.k * ceil(layer.k / (at.k.lanes * at.blocks.simd_k)),
        outputs * visits,
        outputs * (visits - 1.0),
        weights * into_local,
        inputs,
        outputs,
    )


@kernel(inline=True)
def register_file_energy(counts: CountsRow, hw: HardwareRow) -> float:
    """PJ of all register files. Weights are bytes, partial sums four."""
    partial_reads = PARTIAL_SUM_BYTES * counts.register_output_reads
    partial_writes = PARTIAL_SUM_BYTES * (
        counts.register_output_updates + counts.register_output_fills
    )
    return hw.register_file_read_pj_per_byte * (counts.macs + partial_reads) + (
        hw.register_file_write_pj_per_byte * (counts.register_weight_fills + partial_writes)
    )


@kernel(inline=True)
def local_traffic(counts: CountsRow) -> tuple[float, float]:
    """Bytes read from and written to all local memories.

    An output's last visit leaves a byte; every earlier one leaves a partial sum.
    """
    outputs = counts.dram_output_updates
    partial = PARTIAL_SUM_BYTES * counts.local_output_reads
    reads = counts.local_weight_reads + counts.local_input_reads + partial
    return reads, counts.local_weight_fills + counts.local_input_fills + partial + outputs


@kernel(inline=True)
def cost(counts: CountsRow, hw: HardwareRow, stay: ResidencyRow) -> CostRow:
    """Cycles and energy of counted traffic; the tile sizes are left 0.

    An activation that stays on chip moves between local memories: a read or write there in
    place of one of DRAM, and nothing over the I/O interface.
    """
    reads, writes = local_traffic(counts)
    weights, inputs, outputs = (
        counts.dram_weight_reads,
        counts.dram_input_reads * (1.0 - stay.input_on_chip),
        counts.dram_output_updates * (1.0 - stay.output_on_chip),
    )
    reads += counts.dram_input_reads * stay.input_on_chip
    writes += counts.dram_output_updates * stay.output_on_chip
    local_cycles = ceil((reads + writes) / (counts.pes * hw.local_memory_bytes_per_cycle))
    io_cycles = ceil((weights + inputs + outputs) / hw.io_bytes_per_cycle)
    cycles = max(counts.compute_cycles, max(local_cycles, io_cycles))
    mac = counts.macs * hw.mac_pj
    register = register_file_energy(counts, hw)
    local = reads * hw.local_memory_read_pj_per_byte + writes * hw.local_memory_write_pj_per_byte
    dram = (weights + inputs) * hw.dram_read_pj_per_byte + outputs * hw.dram_write_pj_per_byte
    leakage = cycles * hw.leakage_pj_per_cycle
    bound = COMPUTE
    if cycles > counts.compute_cycles:
        bound = IO if io_cycles >= local_cycles else LOCAL_MEMORY
    energy = mac + register + local + dram + leakage
    return CostRow(
        cycles, counts.compute_cycles, local_cycles, io_cycles,
        energy, mac, register, local, dram, leakage,
        weights, inputs, outputs, 0.0, 0.0, 0.0, bound, 0.0,
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
    if at.output_stationary:
        reduction, window = at.c.reach, float(layer.r * layer.s)
    return g * k * min(reduction * at.blocks.dot, float(layer.c)) * window


@kernel(inline=True)
def first_and_last_tile(
    layer: LayerRow, at: Placement, stay: ResidencyRow
) -> tuple[float, float, float]:
    """Bytes over I/O before the first cycle (weights, inputs) and after the last (outputs).

    Partial sums that waited in local memory leave as single bytes.
    """
    _, inputs, outputs = local_tile_bytes(layer, at)
    if is_partial(at):
        outputs /= PARTIAL_SUM_BYTES
    channel_pes = at.g.pes * at.k.pes
    pixel_pes = at.p.pes * at.q.pes
    every_output = float(layer.g) * layer.k * layer.p * layer.q
    return (
        first_weights(layer, at),
        inputs * at.g.pes * pixel_pes * (1.0 - stay.input_on_chip),
        min(outputs * channel_pes * pixel_pes, every_output) * (1.0 - stay.output_on_chip),
    )
