"""What is known of a layer on an accelerator without a mapping: all that the model sees."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from itertools import product
from operator import mul

import numpy as np
from numpy.typing import NDArray

from nahas.kernels.records import HardwareRow, LayerRow
from nahas.tile_bench.source import Pairs

Floats = NDArray[np.float64]
Named = dict[str, Floats]

EXTENTS = ("g", "k", "c", "p", "q", "r", "s")
LAYER_FIELDS = (*EXTENTS, "stride_p", "stride_q", "dilation_r", "dilation_s")
"""Fields of a layer that the model sees."""

HARDWARE_FIELDS = HardwareRow._fields[:9]
"""Fields of an accelerator that the model sees: all that is not a width or an energy. Bytes of a
word and energies come in where predictions become costs."""

LEARNED_FIELDS = (*HARDWARE_FIELDS, "weight_bytes", "activation_bytes", "partial_sum_bytes")
"""Fields of an accelerator on which mappings depend: none is served that was not learned."""

PES_X, PES_Y, LANES = 1, 2, 4
"""Spatial axes as bits of a set."""


@dataclass(frozen=True)
class Known:
    """What no mapping changes, and what a mapping can hardly better, of N pairs; [N] each.

    Attributes:
        layer, hardware: fields by name, of the layer and of the accelerator.
        blocks: blocks that the datapath leaves of G, K, C, P and Q.
        macs: multiply-accumulates.
        weights, inputs, outputs: words of the tensors.
        least_cycles: the fewest that computing takes, over all assignments of dims to axes.
        register_file_pj, local_memory_pj: energy of the accesses that every mapping makes.
    """

    layer: Named
    hardware: Named
    blocks: Named
    macs: Floats
    weights: Floats
    inputs: Floats
    outputs: Floats
    least_cycles: Floats
    register_file_pj: Floats
    local_memory_pj: Floats


def known(pairs: Pairs) -> Known:
    """What is known of pairs; costs grow and fall in proportion to it."""
    layer = _columns(LayerRow._fields, pairs.layers[pairs.pairs[:, 0]])
    hw = _columns(HardwareRow._fields, pairs.points[pairs.pairs[:, 1]])
    height = (layer["p"] - 1) * layer["stride_p"] + (layer["r"] - 1) * layer["dilation_r"] + 1
    width = (layer["q"] - 1) * layer["stride_q"] + (layer["s"] - 1) * layer["dilation_s"] + 1
    weights = layer["g"] * layer["k"] * layer["c"] * layer["r"] * layer["s"]
    inputs = layer["g"] * layer["c"] * height * width
    outputs = layer["g"] * layer["k"] * layer["p"] * layer["q"]
    macs = weights * layer["p"] * layer["q"]
    blocks, simd_k = _blocks(layer, hw)
    updates = outputs * layer["r"] * layer["s"] * blocks["c"]
    shared = np.ceil(layer["k"] / (simd_k * np.minimum(hw["lanes"], blocks["k"])))
    sums, of_weights = hw["partial_sum_bytes"] * updates, hw["weight_bytes"] * weights
    read = hw["activation_bytes"] * macs / layer["k"] * shared + of_weights
    written = hw["activation_bytes"] * (inputs + outputs) + of_weights
    return Known(
        layer=layer,
        hardware=hw,
        blocks=blocks,
        macs=macs,
        weights=weights,
        inputs=inputs,
        outputs=outputs,
        least_cycles=_least_cycles(layer, hw, blocks),
        register_file_pj=hw["register_file_read_pj_per_byte"] * (hw["weight_bytes"] * macs + sums)
        + hw["register_file_write_pj_per_byte"] * sums,
        local_memory_pj=hw["local_memory_read_pj_per_byte"] * read
        + hw["local_memory_write_pj_per_byte"] * written,
    )


def _columns(names: tuple[str, ...], rows: NDArray[np.int64] | Floats) -> Named:
    return dict(zip(names, rows.astype(np.float64).T, strict=True))


def _balanced(words: Floats, units: Floats) -> Floats:
    """As `kernels.tilings.balanced`: the units that `words` keep busy."""
    return np.asarray(np.ceil(words / np.ceil(words / units)), np.float64)


def _blocks(layer: Named, hw: Named) -> tuple[Named, Floats]:
    """As `kernels.tilings.blocks_of`, and the SIMD units that spread K."""
    simd_k = _balanced(layer["k"], hw["simd_units"])
    simd_g = _balanced(layer["g"], hw["simd_units"] // simd_k)
    dot = np.minimum(hw["macs_per_simd"], layer["c"])
    return {
        "g": np.ceil(layer["g"] / simd_g),
        "k": np.ceil(layer["k"] / simd_k),
        "c": np.ceil(layer["c"] / dot),
        "p": layer["p"],
        "q": layer["q"],
    }, simd_k


def _least_cycles(layer: Named, hw: Named, blocks: Named) -> Floats:
    """The fewest steps over all assignments of `kernels.menu`, whatever the memories hold.

    A dim of b blocks takes ceil(b / n) steps on the n instances of the axes that spread it. PEs
    spread G, K, P or Q; lanes G, K, C or Q, and P where Q is 1.
    """
    instances = [
        (hw["pes_x"] if axes & PES_X else 1.0)
        * (hw["pes_y"] if axes & PES_Y else 1.0)
        * (hw["lanes"] if axes & LANES else 1.0)
        for axes in range(8)
    ]
    left = {
        (dim, axes): np.ceil(count / instances[axes]) / count
        for dim, count in blocks.items()
        for axes in range(1, 8)
    }
    least = np.ones(len(layer["k"]))
    for x, y, lane in product("gkpq", "gkpq", "gkcpq"):
        spread: dict[str, int] = {}
        for dim, axis in ((x, PES_X), (y, PES_Y), (lane, LANES)):
            spread[dim] = spread.get(dim, 0) | axis
        share = reduce(mul, (left[item] for item in spread.items()))
        if lane == "p":
            share = np.where(layer["q"] == 1, share, 1.0)
        least = np.minimum(least, share)
    return least * reduce(mul, blocks.values()) * layer["r"] * layer["s"]


def features(of: Known, stays: Floats) -> NDArray[np.float32]:
    """What the model sees of N pairs [N, F]: logarithms to base 2, then what stays on chip.

    Args:
        of: the pairs.
        stays: [N, 4] records.RESIDENCY.
    """
    hw = of.hardware
    logs = {
        **{name: of.layer[name] for name in LAYER_FIELDS},
        **{name: hw[name] for name in HARDWARE_FIELDS},
        **{f"{name}_blocks": count for name, count in of.blocks.items()},
        **_ratios(of, stays),
    }
    columns = [np.log2(column) for column in logs.values()]
    share_reserved = stays[:, 2] / hw["local_memory_bytes"]
    seen = np.stack([*columns, stays[:, 0], stays[:, 1], stays[:, 3], share_reserved], axis=1)
    return seen.astype(np.float32)


def _ratios(of: Known, stays: Floats) -> Named:
    """Times and rooms that decide which mapping is best, relative to each other."""
    hw, layer, cycles = of.hardware, of.layer, of.least_cycles
    pes = hw["pes_x"] * hw["pes_y"]
    macs_per_cycle = pes * hw["lanes"] * hw["simd_units"] * hw["macs_per_simd"]
    room = hw["local_memory_bytes"] - stays[:, 2]
    weights, inputs, outputs = (
        hw["weight_bytes"] * of.weights,
        hw["activation_bytes"] * of.inputs,
        hw["activation_bytes"] * of.outputs,
    )
    # One byte more, so that a tensor that stays on chip has a logarithm.
    in_and_out = [
        (bytes_ * (1.0 - stays[:, place]) + 1.0) / hw["io_bytes_per_cycle"]
        for bytes_, place in ((weights, 3), (inputs, 0), (outputs, 1))
    ]
    sums = hw["partial_sum_bytes"] * of.outputs
    operands = hw["activation_bytes"] * of.macs / layer["k"] * of.blocks["k"]
    local = pes * hw["local_memory_bytes_per_cycle"] * cycles
    a_lane = hw["simd_units"] * hw["macs_per_simd"] * layer["r"] * layer["s"]
    return {
        "macs": of.macs,
        "weights": of.weights,
        "inputs": of.inputs,
        "outputs": of.outputs,
        "least_cycles": cycles,
        "utilisation": of.macs / (macs_per_cycle * cycles),
        "io_over_compute": sum(in_and_out) / cycles,
        "weight_io_over_compute": in_and_out[0] / cycles,
        "input_io_over_compute": in_and_out[1] / cycles,
        "output_io_over_compute": in_and_out[2] / cycles,
        "local_over_compute": (operands + weights + inputs + outputs) / local,
        "shared_local_over_compute": operands / hw["lanes"] / local,
        "whole_over_room": (weights + (inputs + sums) / pes) / room,
        "weights_over_room": weights / room,
        "inputs_over_room": inputs / pes / room,
        "sums_over_room": sums / pes / room,
        "weights_over_registers": a_lane * hw["weight_bytes"] / hw["register_file_bytes"],
    }
