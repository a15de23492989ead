"""Layers of networks at their best mappings, and in sequence on an accelerator.

An activation that fits stays on chip (`kernels.residency`). Weights stream from DRAM in every
inference, and the first weights of each layer come in while the layer before runs; only the
first layer's first tiles and the last layer's last tile are waited for. [docs/equations.md 11]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.energy import Tables, access_energies
from nahas.hardware import BITS_PER_BYTE, Hardware
from nahas.kernels.parameters import keep_weights
from nahas.kernels.records import CostRow, CountsRow, HardwareRow, MappingRow, ResidencyRow
from nahas.kernels.residency import settle_designs
from nahas.kernels.solve import solve_pairs
from nahas.kernels.solve_full import solve_full_pairs
from nahas.kernels.vector import solve_vectors
from nahas.network import LayerStack
from nahas.vocabulary import Bound, LayerKind, Mapspace, Objective


@dataclass(frozen=True)
class Outcome:
    """What the kernels say of B designs whose layers stand one after the other; N in all.

    Attributes:
        starts: [B + 1] where each design's layers start.
        costs: [N, 18] records.COST.
        mappings: [N, 28] records.MAPPING; zeros on the vector path.
        counts: [N, 18] records.COUNTS.
        stays: [N, 4] records.RESIDENCY.
        candidates: [N] mappings costed.
        waiting: [2, B] cycles of start-up and drain.
        stages: [N, 7] fusion.StageRow of layers in fused groups; zeros for the others, None where
            there is no group. Mappings are those of a group's first tile, its counts are zeros.
    """

    starts: NDArray[np.int64]
    costs: NDArray[np.float64]
    mappings: NDArray[np.int64]
    counts: NDArray[np.float64]
    stays: NDArray[np.float64]
    candidates: NDArray[np.int64]
    waiting: NDArray[np.float64]
    stages: NDArray[np.int64] | None = None

    def column(self, name: str) -> NDArray[np.float64]:
        """One field of the costs [N]: a view."""
        return self.costs[:, CostRow._fields.index(name)]

    def total(self, name: str) -> NDArray[np.float64]:
        """One field of the costs, summed over the layers of each design [B]."""
        return np.add.reduceat(self.column(name), self.starts[:-1])


def hardware_rows(
    hardware: Sequence[Hardware], tables: Tables | None = None
) -> NDArray[np.float64]:
    """Accelerators as the kernels read them: [H, 23], records.HARDWARE.

    Raises:
        EnergyError: when a memory or the node is outside the tables.
    """
    of = _row if tables is None else (lambda point: row_of(point, tables))
    return np.array([of(point) for point in hardware], np.float64)


@lru_cache(maxsize=65_536)  # the paper's accelerator space has 50,000 points
def _row(hardware: Hardware) -> HardwareRow:
    return row_of(hardware, None)


def row_of(hardware: Hardware, tables: Tables | None) -> HardwareRow:
    """An accelerator as the kernels read it.

    Raises:
        EnergyError: when a memory or the node is outside the tables.
    """
    energies = access_energies(hardware, tables)
    return HardwareRow(
        pes_x=hardware.pes_x,
        pes_y=hardware.pes_y,
        lanes=hardware.compute_lanes,
        simd_units=hardware.simd_units,
        macs_per_simd=hardware.macs_per_simd,
        local_memory_bytes=hardware.local_memory_bytes,
        register_file_bytes=hardware.register_file_bytes,
        local_memory_bytes_per_cycle=hardware.local_memory_bytes_per_cycle,
        io_bytes_per_cycle=hardware.io_bytes_per_cycle,
        mac_pj=energies.mac_pj,
        vector_op_pj=energies.vector_op_pj,
        register_file_read_pj_per_byte=energies.register_file_read_pj_per_byte,
        register_file_write_pj_per_byte=energies.register_file_write_pj_per_byte,
        local_memory_read_pj_per_byte=energies.local_memory_read_pj_per_byte,
        local_memory_write_pj_per_byte=energies.local_memory_write_pj_per_byte,
        dram_read_pj_per_byte=energies.dram_read_pj_per_byte,
        dram_write_pj_per_byte=energies.dram_write_pj_per_byte,
        leakage_pj_per_cycle=_leakage_pj_per_cycle(energies.leakage_mw, hardware),
        weight_bytes=hardware.weight_bits / BITS_PER_BYTE,
        activation_bytes=hardware.activation_bits / BITS_PER_BYTE,
        partial_sum_bytes=hardware.partial_sum_bits / BITS_PER_BYTE,
        parameter_memory_bytes=hardware.parameter_memory_bytes,
        activation_units=hardware.activation_units,
    )


def _leakage_pj_per_cycle(leakage_mw: float, hardware: Hardware) -> float:
    nanoseconds = 1e3 / hardware.clock_mhz
    return leakage_mw * nanoseconds  # 1 mW over 1 ns is 1 pJ


def empty_outcome(starts: NDArray[np.int64], stays: NDArray[np.float64]) -> Outcome:
    """Room for the kernels' answers about `stays.shape[0]` layers."""
    size = stays.shape[0]
    return Outcome(
        starts=starts,
        costs=np.zeros((size, len(CostRow._fields))),
        mappings=np.zeros((size, len(MappingRow._fields)), np.int64),
        counts=np.zeros((size, len(CountsRow._fields))),
        stays=stays,
        candidates=np.zeros(size, np.int64),
        waiting=np.zeros((2, len(starts) - 1)),
    )


def solve_designs(
    layers: LayerStack,
    points: NDArray[np.float64],
    objective: Objective,
    twins: NDArray[np.int64] | None = None,
    space: Mapspace = Mapspace.DATAFLOWS,
) -> Outcome:
    """B designs, network i of `layers` on the accelerator `points[i]` [B, 23], in sequence.

    `twins` [N] may number the layers of all designs, equal layers on equal accelerators alike:
    then each is mapped once.
    """
    outcome = solve_layers(layers, points, objective, twins, space)
    repeated = points.repeat(np.diff(outcome.starts), axis=0)
    if space == Mapspace.FULL:
        default = solve_layers(layers, points, objective, twins)
        keep_ties(outcome, default, objective)
        sequence(default, repeated)
        sequence(outcome, repeated)
        keep_better_designs(outcome, default, points, objective)
        return outcome
    sequence(outcome, repeated)
    return outcome


MAPPED = ("costs", "mappings", "counts", "candidates")
"""What an outcome says of every layer's mapping."""


def keep_ties(outcome: Outcome, default: Outcome, objective: Objective) -> None:
    """Take the default's mapping of each layer whose objective it reaches as well.

    Of equal cycles the full space has the least energy, which is often slow in computing; that
    shows once weights are fetched ahead. [docs/mapspace.md]
    """
    ties = _objective_of(outcome, objective) >= _objective_of(default, objective)
    for name in MAPPED:
        getattr(outcome, name)[ties] = getattr(default, name)[ties]


def keep_better_designs(
    outcome: Outcome, default: Outcome, points: NDArray[np.float64], objective: Objective
) -> None:
    """Take the default's mappings of each design whose total they make better.

    Both outcomes stand in sequence; `points` [B, 23] are the accelerators, records.HARDWARE.
    """
    leakage = points[:, HardwareRow._fields.index("leakage_pj_per_cycle")]
    totals = []
    for each in (outcome, default):
        waiting = each.waiting.sum(axis=0)
        cycles, energy = each.total("cycles") + waiting, each.total("energy_pj") + waiting * leakage
        runs = np.maximum.reduceat(each.column("reason"), each.starts[:-1]) == 0
        totals.append(np.where(runs, _figure(cycles, energy, objective), np.inf))
    worse = totals[0] > totals[1]
    layers = worse.repeat(np.diff(outcome.starts))
    for name in MAPPED:
        getattr(outcome, name)[layers] = getattr(default, name)[layers]
    outcome.waiting[:, worse] = default.waiting[:, worse]


def _objective_of(outcome: Outcome, objective: Objective) -> NDArray[np.float64]:
    """What the mapping of every layer minimises [N]; infinite where none fits."""
    cycles, energy = outcome.column("cycles"), outcome.column("energy_pj")
    return np.where(outcome.column("reason") == 0, _figure(cycles, energy, objective), np.inf)


def _figure(
    cycles: NDArray[np.float64], energy_pj: NDArray[np.float64], objective: Objective
) -> NDArray[np.float64]:
    figures = {Objective.LATENCY: cycles, Objective.ENERGY: energy_pj}
    return figures.get(objective, cycles * energy_pj)


def solve_layers(
    layers: LayerStack,
    points: NDArray[np.float64],
    objective: Objective,
    twins: NDArray[np.int64] | None = None,
    space: Mapspace = Mapspace.DATAFLOWS,
) -> Outcome:
    """As `solve_designs`, but each layer as if it ran alone: no waiting, no prefetch."""
    outcome, dram_words = settle(layers, points)
    map_layers(outcome, (layers.rows, points, dram_words), objective, twins, space)
    return outcome


def settle(layers: LayerStack, points: NDArray[np.float64]) -> tuple[Outcome, NDArray[np.float64]]:
    """What stays on chip around every layer, before any is mapped.

    Returns:
        An outcome of which `stays` is written, and the words of each layer's operands that come
        from DRAM [N].
    """
    starts, rows = layers.starts, layers.rows
    flow = (layers.operands, layers.sizes, layers.output_words, layers.last_use)
    outcome = empty_outcome(starts, np.empty((len(rows), len(ResidencyRow._fields))))
    dram_words = np.empty(len(rows))
    settle_designs(starts, flow, points, np.empty((2, len(rows))), outcome.stays, dram_words)
    keep_weights(starts, rows, points, outcome.stays)
    return outcome, dram_words


Estimate = Callable[
    [NDArray[np.int64], NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]],
    NDArray[np.float64],
]
"""What stands in for a mapping search: costs [M, 18] from rows of layers [N, 14], accelerators
[B, 23], which of both make a pair [M, 2], and what stays on chip around each [M, 4]."""


def estimate_designs(
    layers: LayerStack, points: NDArray[np.float64], estimate: Estimate
) -> Outcome:
    """As `solve_designs`, but the costs of mapped layers are estimates; there are no mappings.

    What stays on chip, vector layers and the layers' sequence are those of the simulator.
    """
    outcome, dram_words = settle(layers, points)
    rows, designs = layers.rows, np.repeat(np.arange(len(points)), np.diff(layers.starts))
    pairs = np.stack([np.arange(len(rows)), designs], axis=1)
    is_mapped = rows[:, 0] == LayerKind.CONVOLUTION
    solve_vectors(rows, points, pairs[~is_mapped], outcome.stays, dram_words, outcome.costs)
    of_mapped = estimate(rows, points, pairs[is_mapped], outcome.stays[is_mapped])
    outcome.costs[is_mapped] = of_mapped
    sequence(outcome, points[designs])
    return outcome


def map_layers(
    outcome: Outcome,
    layers: tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]],
    objective: Objective,
    twins: NDArray[np.int64] | None = None,
    space: Mapspace = Mapspace.DATAFLOWS,
) -> None:
    """Map every layer that is in no fused group, given what stays on chip around it.

    Args:
        outcome: `starts`, `stays` and `stages` are read; the rest is written.
        layers: rows of all layers [N, 14], accelerators [B, 23], and words of each layer's
            operands that come from DRAM [N].
        objective: what each mapping minimises.
        twins: as in `solve_designs`.
        space: the mappings that are looked at.
    """
    rows, points, dram_words = layers
    designs = np.repeat(np.arange(len(points)), np.diff(outcome.starts))
    pairs = np.stack([np.arange(len(rows)), designs], axis=1)
    is_mapped = rows[:, 0] == LayerKind.CONVOLUTION
    is_vector = ~is_mapped
    if outcome.stages is not None:
        is_mapped &= outcome.stages[:, 0] == 0
        is_vector &= outcome.stages[:, 0] == 0
    vectors, mapped = pairs[is_vector], pairs[is_mapped]
    solve_vectors(rows, points, vectors, outcome.stays, dram_words, outcome.costs)
    stays, spread = outcome.stays[is_mapped], slice(None)
    if twins is not None:
        first, spread = _first_of_twins(twins[is_mapped], stays)
        mapped, stays = mapped[first], stays[first]
    found = empty_outcome(outcome.starts, stays)
    kept = (found.costs, found.mappings, found.counts, found.candidates)
    if space == Mapspace.DATAFLOWS:
        solve_pairs(rows, points, mapped, found.stays, int(objective), kept)
    else:
        aim = int(objective), int(space)
        solve_full_pairs(rows, points, mapped, found.stays, aim, kept)
    for name in ("costs", "mappings", "counts", "candidates"):
        getattr(outcome, name)[is_mapped] = getattr(found, name)[spread]


def _first_of_twins(
    twins: NDArray[np.int64], stays: NDArray[np.float64]
) -> tuple[NDArray[np.int64], Any]:
    """Of equal layers on equal accelerators in equal company, the first, and which is whose."""
    inputs, outputs, reserved, weights = stays.astype(np.int64).T
    kept = twins * 8 + weights * 4 + inputs * 2 + outputs
    key = kept * (reserved.max(initial=0) + 1) + reserved
    _, first, spread = np.unique(key, return_index=True, return_inverse=True)
    return first, spread


def sequence(outcome: Outcome, points: NDArray[np.float64]) -> None:
    """Put the layers of each design in sequence: prefetch, start-up and drain.

    The first weights of a layer come in while the layer before runs, whose I/O they join.
    The first layer's first tiles come in before anything computes, the last layer's last tile
    leaves after everything has, and neither crosses the interface again. Rewrites the costs
    that depend on it, and the waiting. [docs/equations.md 11]

    Args:
        outcome: costs of layers alone; changed.
        points: [N, 23] the accelerator of each layer, records.HARDWARE.
    """
    starts, ends = outcome.starts[:-1], outcome.starts[1:] - 1
    of = outcome.column
    io_bytes_per_cycle, leakage = (
        points[:, HardwareRow._fields.index(name)]
        for name in ("io_bytes_per_cycle", "leakage_pj_per_cycle")
    )
    first_weights, first_inputs = of("first_weight_bytes"), of("first_input_bytes")
    following = np.append(first_weights[1:], 0.0)
    following[ends] = 0.0
    moved = of("weight_bytes") + of("input_bytes") + of("output_bytes") - first_weights + following
    moved[starts] -= first_inputs[starts]
    moved[ends] -= of("last_output_bytes")[ends]
    first = (first_weights + first_inputs)[starts] / io_bytes_per_cycle[starts]
    last = of("last_output_bytes")[ends] / io_bytes_per_cycle[ends]
    outcome.waiting[:] = np.ceil([first, last])
    compute, local = of("compute_cycles"), of("local_memory_cycles")
    busy = np.maximum(compute, local)
    if outcome.stages is not None:
        _level(moved, busy, outcome.stages[:, 0])
    io = np.ceil(np.maximum(moved, 0.0) / io_bytes_per_cycle)
    cycles = np.maximum(busy, io)
    bound = np.where(io >= local, Bound.IO, Bound.LOCAL_MEMORY)
    leaked = cycles * leakage - of("leakage_pj")
    of("bound")[:] = np.where(cycles > compute, bound, Bound.COMPUTE)
    of("io_cycles")[:] = io
    of("cycles")[:] = cycles
    of("leakage_pj")[:] += leaked
    of("energy_pj")[:] += leaked


def _level(moved: NDArray[np.float64], busy: NDArray[np.float64], stage: NDArray[np.int64]) -> None:
    """Spread the traffic of each fused group over its layers, by the cycles that each is busy."""
    first = np.flatnonzero(stage <= 1)
    lengths = np.diff(first, append=len(stage))
    total, time = (np.add.reduceat(of, first).repeat(lengths) for of in (moved, busy))
    fused = stage > 0
    moved[fused] = busy[fused] * total[fused] / time[fused]
