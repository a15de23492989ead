"""The rows that kernels read and write: NamedTuples of plain numbers and dtypes made from them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class LayerRow(NamedTuple):
    """One layer; see `nahas.layers.Layer` for the fields. All int64."""

    kind: int
    n: int
    g: int
    k: int
    c: int
    p: int
    q: int
    r: int
    s: int
    stride_p: int
    stride_q: int
    dilation_r: int
    dilation_s: int
    operands: int


LAYER = np.dtype([(name, np.int64) for name in LayerRow._fields])


class HardwareRow(NamedTuple):
    """One accelerator as the mapper sees it. All float64, so that divisions need no casts.

    Attributes:
        local_memory_bytes: of one PE.
        weight_bytes, activation_bytes, partial_sum_bytes: of a word; int4 takes half a byte. A
            partial sum is an output while its sum is incomplete.
        parameter_memory_bytes: the part of local memory in which weights may stay between
            inferences.
        activation_units: of one PE, for functions and gates; 0 where the SIMD units do these.
    """

    pes_x: float
    pes_y: float
    lanes: float
    simd_units: float
    macs_per_simd: float
    local_memory_bytes: float
    register_file_bytes: float
    local_memory_bytes_per_cycle: float
    io_bytes_per_cycle: float
    mac_pj: float
    vector_op_pj: float
    register_file_read_pj_per_byte: float
    register_file_write_pj_per_byte: float
    local_memory_read_pj_per_byte: float
    local_memory_write_pj_per_byte: float
    dram_read_pj_per_byte: float
    dram_write_pj_per_byte: float
    leakage_pj_per_cycle: float
    weight_bytes: float
    activation_bytes: float
    partial_sum_bytes: float
    parameter_memory_bytes: float = 0.0
    activation_units: float = 0.0


HARDWARE = np.dtype([(name, np.float64) for name in HardwareRow._fields])


class ResidencyRow(NamedTuple):
    """What the network keeps on chip around one layer. All float64.

    Attributes:
        input_on_chip, output_on_chip: 1.0 where the activation costs no DRAM traffic.
        reserved_bytes: local memory of every PE that holds what stays, in bytes.
        weights_on_chip: 1.0 where the weights wait in parameter memory.
    """

    input_on_chip: float
    output_on_chip: float
    reserved_bytes: float
    weights_on_chip: float = 0.0


RESIDENCY = np.dtype([(name, np.float64) for name in ResidencyRow._fields])


class MappingRow(NamedTuple):
    """A mapping of the edge template; every field an integer.

    `pe_x_dim`, `pe_y_dim` and `lane_dim` are `vocabulary.Dim`, `*_count` how many instances
    each axis uses. `simd_g` x `simd_k` SIMD units are used, and `dot` of each one's width.
    `dram_*`, `local_*`, `register_*` are the temporal loop counts of a dim at a level.
    `dram_order` is `vocabulary.DramOrder`.
    `output_stationary` puts the reduction loops of the local memory innermost; otherwise P
    and Q are innermost and the weights of the register file stay.
    """

    pe_x_dim: int
    pe_x_count: int
    pe_y_dim: int
    pe_y_count: int
    lane_dim: int
    lane_count: int
    simd_g: int
    simd_k: int
    dot: int
    dram_g: int
    dram_k: int
    dram_c: int
    dram_p: int
    dram_q: int
    dram_order: int
    local_g: int
    local_k: int
    local_c: int
    local_p: int
    local_q: int
    local_r: int
    local_s: int
    output_stationary: int
    register_c: int
    register_p: int
    register_q: int
    register_r: int
    register_s: int


MAPPING = np.dtype([(name, np.int64) for name in MappingRow._fields])


class CountsRow(NamedTuple):
    """Words moved by one layer, in total over all instances; the model of `kernels.evaluate`.

    Outputs that leave the register file before their sum is complete are partial sums.
    """

    compute_cycles: float
    pes: float
    macs: float
    register_weight_fills: float
    register_output_updates: float
    register_output_reads: float
    register_output_fills: float
    local_weight_fills: float
    local_weight_reads: float
    local_input_fills: float
    local_input_reads: float
    local_output_fills: float
    local_output_updates: float
    local_output_reads: float
    dram_weight_reads: float
    dram_input_reads: float
    dram_output_reads: float
    dram_output_updates: float


COUNTS = np.dtype([(name, np.float64) for name in CountsRow._fields])


class CostRow(NamedTuple):
    """Cycles, energy and traffic of one layer on one accelerator.

    Attributes:
        cycles: the largest of compute_cycles, local_memory_cycles and io_cycles.
        *_pj: energy of the component; energy_pj is their sum.
        weight_bytes, input_bytes, output_bytes: DRAM traffic of the tensor.
        first_weight_bytes, first_input_bytes: what must come in before the first cycle.
        last_output_bytes: what leaves after the last one.
        bound, reason: `vocabulary.Bound`, `vocabulary.Reason`.
    """

    cycles: float
    compute_cycles: float
    local_memory_cycles: float
    io_cycles: float
    energy_pj: float
    mac_pj: float
    register_file_pj: float
    local_memory_pj: float
    dram_pj: float
    leakage_pj: float
    weight_bytes: float
    input_bytes: float
    output_bytes: float
    first_weight_bytes: float
    first_input_bytes: float
    last_output_bytes: float
    bound: float
    reason: float


COST = np.dtype([(name, np.float64) for name in CostRow._fields])
