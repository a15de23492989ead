"""What the model predicts of a layer, and the simulator's costs made of it.

A head is the logarithm of a figure over the part of it that is known without a mapping (`Known`):
near 0, whatever the size of the layer or of the accelerator. Bytes and energies follow exactly from
words, so accelerators with other energies need no new model.
"""

from __future__ import annotations

from functools import reduce
from operator import add

import numpy as np
from numpy.typing import NDArray

from nahas.costmodel.layerwise.features import Floats, Known
from nahas.kernels.records import CostRow, CountsRow
from nahas.vocabulary import Bound, Reason

HEADS = (
    "busy_cycles",
    "weight_words",
    "input_words",
    "output_words",
    "register_file_pj",
    "local_memory_pj",
    "first_weight_words",
    "first_input_words",
    "last_output_words",
)
"""Outputs of the model: cycles of computing or of local memory, whichever are more; words that come
from or go to DRAM, or would if nothing stayed on chip; energies; the tiles that the first cycle
waits for and that the last one leaves."""

WHOLE_TIMES = (HEADS.index("weight_words"), HEADS.index("output_words"))
"""Heads of tensors that are moved a whole number of times."""

SHARES = slice(HEADS.index("first_weight_words"), len(HEADS))
LEAST_SHARE = 0.003
"""Shares below it are learned as if they were as large: they take no time."""


def heads_of(of: Known, stays: Floats, costs: Floats, counts: Floats) -> NDArray[np.float32]:
    """The heads [N, 9] of solved pairs; NaN where a tile stays on chip, which tells nothing of it.

    Args:
        of: the pairs.
        stays: [N, 4] records.RESIDENCY.
        costs: [N, 18] records.COST, of mappings that fit.
        counts: [N, 18] records.COUNTS.
    """
    cost = dict(zip(CostRow._fields, costs.T, strict=True))
    count = dict(zip(CountsRow._fields, counts.T, strict=True))
    weight_bytes = of.hardware["weight_bytes"] * of.weights
    input_bytes, output_bytes = (
        of.hardware["activation_bytes"] * words for words in (of.inputs, of.outputs)
    )
    ratios = np.stack(
        [
            np.maximum(cost["compute_cycles"], cost["local_memory_cycles"]) / of.least_cycles,
            count["dram_weight_reads"] / of.weights,
            count["dram_input_reads"] / of.inputs,
            count["dram_output_updates"] / of.outputs,
            cost["register_file_pj"] / of.register_file_pj,
            cost["local_memory_pj"] / of.local_memory_pj,
            np.where(stays[:, 3] == 0, cost["first_weight_bytes"] / weight_bytes, np.nan),
            np.where(stays[:, 0] == 0, cost["first_input_bytes"] / input_bytes, np.nan),
            np.where(stays[:, 1] == 0, cost["last_output_bytes"] / output_bytes, np.nan),
        ],
        axis=1,
    )
    ratios[:, SHARES] = np.maximum(ratios[:, SHARES], LEAST_SHARE)
    logarithms: NDArray[np.float32] = np.log(ratios).astype(np.float32)
    return logarithms


def costs_of(of: Known, stays: Floats, heads: NDArray[np.float32]) -> Floats:
    """The costs [N, 18], records.COST, of layers alone, of heads [N, 9].

    Computing and local memory are not told apart: both take as long as the slower of the two.
    """
    hw = of.hardware
    ratios = np.exp(heads.astype(np.float64))
    times = np.maximum(np.rint(ratios[:, WHOLE_TIMES]), 1.0).T
    busy = ratios[:, 0] * of.least_cycles
    streams = 1.0 - stays[:, [3, 0, 1]].T  # weights, inputs, outputs
    weight_bytes = hw["weight_bytes"] * of.weights * streams[0]
    input_bytes = hw["activation_bytes"] * of.inputs * streams[1]
    output_bytes = hw["activation_bytes"] * of.outputs * streams[2]
    partial = hw["partial_sum_bytes"] * of.outputs * (times[1] - 1.0)
    # Partial sums that leave come back: they cross the interface twice.
    moved = (times[0] * weight_bytes, ratios[:, 2] * input_bytes, 2 * partial + output_bytes)
    io_cycles = np.ceil(sum(moved) / hw["io_bytes_per_cycle"])
    cycles = np.maximum(busy, io_cycles)
    energies = {
        "mac_pj": of.macs * hw["mac_pj"],
        "register_file_pj": ratios[:, 4] * of.register_file_pj,
        "local_memory_pj": ratios[:, 5] * of.local_memory_pj,
        "dram_pj": (moved[0] + moved[1] + partial) * hw["dram_read_pj_per_byte"]
        + (partial + output_bytes) * hw["dram_write_pj_per_byte"],
        "leakage_pj": cycles * hw["leakage_pj_per_cycle"],
    }
    columns: dict[str, Floats] = {
        **energies,
        "energy_pj": reduce(add, energies.values()),
        "cycles": cycles,
        "compute_cycles": busy,
        "local_memory_cycles": busy,
        "io_cycles": io_cycles,
        "weight_bytes": moved[0],
        "input_bytes": moved[1],
        "output_bytes": moved[2],
        "first_weight_bytes": np.minimum(ratios[:, 6], 1.0) * weight_bytes,
        "first_input_bytes": ratios[:, 7] * input_bytes,
        "last_output_bytes": np.minimum(ratios[:, 8], 1.0) * output_bytes,
        "bound": np.where(io_cycles > busy, float(Bound.IO), float(Bound.COMPUTE)),
        "reason": np.full(len(cycles), float(Reason.OK)),
    }
    return np.stack([columns[name] for name in CostRow._fields], axis=1)
