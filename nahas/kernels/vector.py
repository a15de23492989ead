"""Layers without multiply-accumulates: pooling, sums, products with a gate, activations.

They run on the SIMD units, one element operation per unit and cycle, or, functions and gates, on
activation units where there are such; operands are in local memory, and outputs are spread
evenly over the PEs. [docs/equations.md 9]
"""

from __future__ import annotations

from numpy import ceil

from nahas.kernels._jit import kernel
from nahas.kernels.edge import COMPUTE, IO, LOCAL_MEMORY
from nahas.kernels.nest import constant
from nahas.kernels.records import CostRow, HardwareRow, LayerRow
from nahas.kernels.rows import RecordArray, hardware_row, layer_row
from nahas.vocabulary import LayerKind

SCALE, ACTIVATION = constant(LayerKind.SCALE), constant(LayerKind.ACTIVATION)


@kernel()
def vector_cost(
    layer: LayerRow, hw: HardwareRow, dram_input_words: float, output_on_chip: float
) -> CostRow:
    """Cycles and energy of one vector layer.

    Args:
        layer: its row; channels in g, window in r x s, tensors read in `operands`.
        hw: the accelerator.
        dram_input_words: words of those operands that do not wait on chip.
        output_on_chip: 1.0 where the output stays.
    """
    outputs = float(layer.n) * layer.g * layer.p * layer.q
    operations = outputs * layer.r * layer.s
    pes = min(hw.pes_x * hw.pes_y, outputs)
    units = hw.lanes * hw.simd_units
    if hw.activation_units > 0.0 and (layer.kind == SCALE or layer.kind == ACTIVATION):
        units = hw.activation_units
    units = min(units, ceil(outputs / pes))
    input_bytes = hw.activation_bytes * dram_input_words
    output_bytes = hw.activation_bytes * outputs * (1.0 - output_on_chip)
    reads = hw.activation_bytes * operations * layer.operands
    writes = hw.activation_bytes * outputs + input_bytes
    compute_cycles = ceil(ceil(outputs / pes) / units) * layer.r * layer.s
    local_cycles = ceil((reads + writes) / (pes * hw.local_memory_bytes_per_cycle))
    io_cycles = ceil((input_bytes + output_bytes) / hw.io_bytes_per_cycle)
    cycles = max(compute_cycles, max(local_cycles, io_cycles))
    bound = COMPUTE
    if cycles > compute_cycles:
        bound = IO if io_cycles >= local_cycles else LOCAL_MEMORY
    compute = operations * hw.vector_op_pj
    local = reads * hw.local_memory_read_pj_per_byte + writes * hw.local_memory_write_pj_per_byte
    dram = input_bytes * hw.dram_read_pj_per_byte + output_bytes * hw.dram_write_pj_per_byte
    leakage = cycles * hw.leakage_pj_per_cycle
    return CostRow(
        cycles, compute_cycles, local_cycles, io_cycles,
        compute + local + dram + leakage, compute, 0.0, local, dram, leakage,
        0.0, input_bytes, output_bytes, 0.0, input_bytes, output_bytes, bound, 0.0,
    )  # fmt: skip


@kernel()
def solve_vectors(
    layers: RecordArray, hardware: RecordArray, pairs: RecordArray, stays: RecordArray,
    dram_words: RecordArray, costs: RecordArray,
) -> None:  # fmt: skip
    """Cost every pair of a vector layer and an accelerator; the arrays are the search's.

    Args:
        layers: [L, 14] int64, records.LAYER.
        hardware: [H, 23] float64, records.HARDWARE.
        pairs: [N, 2] int64, the rows of both to combine.
        stays: [L, 4] float64, records.RESIDENCY of each layer.
        dram_words: [L] float64, words of each layer's operands that come from DRAM.
        costs: [L, 17] float64, written where a pair names the layer.
    """
    for i in range(pairs.shape[0]):
        layer = pairs[i, 0]
        hw = hardware_row(hardware[pairs[i, 1]])
        row = vector_cost(layer_row(layers[layer]), hw, dram_words[layer], stays[layer, 1])
        for j in range(len(row)):
            costs[layer, j] = row[j]
