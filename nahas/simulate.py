"""Latency, energy and area of networks on accelerators: the ground truth of every search.

The rules of a network (docs/equations.md): layers run in sequence, batch 1, int8 with int32
partial sums. An activation that fits stays on chip (`kernels.residency`). Weights stream from
DRAM in every inference but for those that an accelerator has memory for (`kernels.parameters`),
and the first of each layer come in while the layer before runs; only the first layer's first
tiles and the last layer's last tile are waited for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.cost import DesignCosts
from nahas.edge_mapping import edge_mapping
from nahas.energy import Tables, access_energies, area_mm2
from nahas.errors import UsageError
from nahas.hardware import Hardware
from nahas.kernels.parameters import keep_weights
from nahas.kernels.records import CostRow, CountsRow, HardwareRow, MappingRow, ResidencyRow
from nahas.kernels.residency import settle_designs
from nahas.kernels.solve import solve_pairs
from nahas.kernels.vector import solve_vectors
from nahas.layers import Layer
from nahas.mapping import Mapping
from nahas.network import LayerTable, Network
from nahas.vocabulary import Bound, LayerKind, Objective, Reason

PJ_PER_MJ = 1e9
BYTES_PER_MEGABYTE = 1e6
BLOCK_LAYERS = 65_536
"""Layers that `simulate_networks` costs at once: some 50 MB of intermediate tables."""


@dataclass(frozen=True, kw_only=True)
class LayerCost:
    """One layer of a simulated network.

    Attributes:
        cycles: the largest of the three that follow.
        io_cycles: what crosses the I/O interface while the layer runs: its own traffic but for
            its first weights, which have come in before, and those of the next layer.
        energy_pj: the sum of the five components; `mac_pj` is the vector units' energy in a
            vector layer.
        *_bytes: traffic over the I/O interface by tensor.
        utilisation: multiply-accumulates done over those possible in `cycles`.
        input_on_chip, output_on_chip: whether the activation stays in local memory.
        weights_on_chip: whether the weights wait there from the inference before.
        mapping: the loop nest; None on the vector path.
    """

    layer: Layer
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
    utilisation: float
    input_on_chip: bool
    output_on_chip: bool
    weights_on_chip: bool
    bound: Bound
    reason: Reason
    mapping: Mapping | None


@dataclass(frozen=True, kw_only=True)
class NetworkCost:
    """A network on an accelerator.

    Attributes:
        layers: [L] in execution order.
        startup_cycles: waiting for the first tile, before anything computes.
        drain_cycles: waiting for the last tile to leave.
        latency_ms: all layers in sequence, with start-up and drain.
        energy_mj: dynamic energy and leakage, DRAM included.
        area_mm2: the accelerator.
    """

    network: Network
    hardware: Hardware
    layers: tuple[LayerCost, ...]
    startup_cycles: float
    drain_cycles: float
    latency_ms: float
    energy_mj: float
    area_mm2: float

    @property
    def cycles(self) -> float:
        """Clock cycles of one inference: the layers in sequence, start-up and drain."""
        return sum(layer.cycles for layer in self.layers) + self.startup_cycles + self.drain_cycles

    @property
    def tops(self) -> float:
        """Tera-operations per second reached; a multiply-accumulate is two operations."""
        return 2 * self.network.macs / (self.latency_ms * 1e9)

    @property
    def weight_megabytes(self) -> float:
        """Weights over the I/O interface, in 1e6 bytes."""
        return sum(layer.weight_bytes for layer in self.layers) / BYTES_PER_MEGABYTE

    @property
    def activation_megabytes(self) -> float:
        """Activations over the I/O interface, in 1e6 bytes."""
        moved = sum(layer.input_bytes + layer.output_bytes for layer in self.layers)
        return moved / BYTES_PER_MEGABYTE

    @cached_property
    def reason(self) -> Reason:
        """Why the network cannot run; OK when it can. Of several, the last of `Reason`."""
        return max(layer.reason for layer in self.layers)


@dataclass(frozen=True)
class Outcome:
    """What the kernels say of B designs whose layers stand one after the other; N in all.

    Attributes:
        starts: [B + 1] where each design's layers start.
        costs: [N, 17] records.COST.
        mappings: [N, 26] records.MAPPING; zeros on the vector path.
        counts: [N, 16] records.COUNTS.
        stays: [N, 4] records.RESIDENCY.
        candidates: [N] mappings costed.
        waiting: [2, B] cycles of start-up and drain.
    """

    starts: NDArray[np.int64]
    costs: NDArray[np.float64]
    mappings: NDArray[np.int64]
    counts: NDArray[np.float64]
    stays: NDArray[np.float64]
    candidates: NDArray[np.int64]
    waiting: NDArray[np.float64]

    def column(self, name: str) -> NDArray[np.float64]:
        """One field of the costs [N]: a view."""
        return self.costs[:, CostRow._fields.index(name)]

    def total(self, name: str) -> NDArray[np.float64]:
        """One field of the costs, summed over the layers of each design [B]."""
        return np.add.reduceat(self.column(name), self.starts[:-1])


def hardware_rows(
    hardware: Sequence[Hardware], tables: Tables | None = None
) -> NDArray[np.float64]:
    """Accelerators as the kernels read them: [H, 20], records.HARDWARE.

    Raises:
        EnergyError: when a memory or the node is outside the tables.
    """
    of = _row if tables is None else (lambda point: _row_from(point, tables))
    return np.array([of(point) for point in hardware], np.float64)


@lru_cache(maxsize=65_536)  # the paper's accelerator space has 50,000 points
def _row(hardware: Hardware) -> HardwareRow:
    return _row_from(hardware, None)


def _row_from(hardware: Hardware, tables: Tables | None) -> HardwareRow:
    energies = access_energies(hardware, tables)
    return HardwareRow(
        pes_x=float(hardware.pes_x),
        pes_y=float(hardware.pes_y),
        lanes=float(hardware.compute_lanes),
        simd_units=float(hardware.simd_units),
        macs_per_simd=float(hardware.macs_per_simd),
        local_memory_bytes=float(hardware.local_memory_bytes),
        register_file_bytes=float(hardware.register_file_bytes),
        local_memory_bytes_per_cycle=float(hardware.local_memory_bytes_per_cycle),
        io_bytes_per_cycle=float(hardware.io_bytes_per_cycle),
        mac_pj=energies.mac_pj,
        vector_op_pj=energies.vector_op_pj,
        register_file_read_pj_per_byte=energies.register_file_read_pj_per_byte,
        register_file_write_pj_per_byte=energies.register_file_write_pj_per_byte,
        local_memory_read_pj_per_byte=energies.local_memory_read_pj_per_byte,
        local_memory_write_pj_per_byte=energies.local_memory_write_pj_per_byte,
        dram_read_pj_per_byte=energies.dram_read_pj_per_byte,
        dram_write_pj_per_byte=energies.dram_write_pj_per_byte,
        leakage_pj_per_cycle=_leakage_pj_per_cycle(energies.leakage_mw, hardware),
        parameter_memory_bytes=float(hardware.parameter_memory_bytes),
        activation_units=float(hardware.activation_units),
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
    tables: Sequence[LayerTable],
    points: NDArray[np.float64],
    objective: Objective,
    twins: NDArray[np.int64] | None = None,
) -> Outcome:
    """B designs, `tables[i]` on the accelerator `points[i]` [B, 20]: layers in sequence.

    `twins` [N] may number the layers of all designs, equal layers on equal accelerators alike:
    then each is mapped once.
    """
    outcome = solve_layers(tables, points, objective, twins)
    sequence(outcome, points.repeat(np.diff(outcome.starts), axis=0))
    return outcome


def solve_layers(
    tables: Sequence[LayerTable],
    points: NDArray[np.float64],
    objective: Objective,
    twins: NDArray[np.int64] | None = None,
) -> Outcome:
    """As `solve_designs`, but each layer as if it ran alone: no waiting, no prefetch."""
    lengths = np.array([len(table.rows) for table in tables], np.int64)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    rows = np.concatenate([table.rows for table in tables])
    flow = (
        np.concatenate([table.operands for table in tables]),
        np.concatenate([table.sizes for table in tables]),
        np.concatenate([table.output_words for table in tables]),
        np.concatenate([table.last_use for table in tables]),
    )
    outcome = empty_outcome(starts, np.empty((len(rows), len(ResidencyRow._fields))))
    dram_words = np.empty(len(rows))
    settle_designs(starts, flow, points, np.empty((2, len(rows))), outcome.stays, dram_words)
    keep_weights(starts, rows, points, outcome.stays)
    pairs = np.stack([np.arange(len(rows)), np.repeat(np.arange(len(tables)), lengths)], axis=1)
    is_mapped = rows[:, 0] == LayerKind.CONVOLUTION
    vectors, mapped = pairs[~is_mapped], pairs[is_mapped]
    solve_vectors(rows, points, vectors, outcome.stays, dram_words, outcome.costs)
    stays, spread = outcome.stays[is_mapped], slice(None)
    if twins is not None:
        first, spread = _first_of_twins(twins[is_mapped], stays)
        mapped, stays = mapped[first], stays[first]
    found = empty_outcome(starts, stays)
    kept = (found.costs, found.mappings, found.counts, found.candidates)
    solve_pairs(rows, points, mapped, found.stays, int(objective), kept)
    for name in ("costs", "mappings", "counts", "candidates"):
        getattr(outcome, name)[is_mapped] = getattr(found, name)[spread]
    return outcome


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
        points: [N, 20] the accelerator of each layer, records.HARDWARE.
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
    io = np.ceil(np.maximum(moved, 0.0) / io_bytes_per_cycle)
    compute, local = of("compute_cycles"), of("local_memory_cycles")
    cycles = np.maximum(np.maximum(compute, local), io)
    bound = np.where(io >= local, Bound.IO, Bound.LOCAL_MEMORY)
    leaked = cycles * leakage - of("leakage_pj")
    of("bound")[:] = np.where(cycles > compute, bound, Bound.COMPUTE)
    of("io_cycles")[:] = io
    of("cycles")[:] = cycles
    of("leakage_pj")[:] += leaked
    of("energy_pj")[:] += leaked


def simulate_designs(
    networks: Sequence[Network],
    hardware: Sequence[Hardware],
    objective: Objective = Objective.LATENCY,
    tables: Tables | None = None,
) -> DesignCosts:
    """Costs of B designs: `networks[i]` on `hardware[i]`, every layer at its best mapping.

    Args:
        networks: B networks.
        hardware: B accelerators.
        objective: what each layer's mapping minimises.
        tables: energy and area tables; the packaged ones when None.

    Raises:
        UsageError: when the two lengths differ.
        NetworkError: when a network cannot be simulated.
        EnergyError: when an accelerator is outside the tables.
    """
    if len(networks) != len(hardware):
        raise UsageError(
            f"simulate_designs got {len(networks)} networks and {len(hardware)} accelerators: "
            "give one accelerator per network"
        )
    points = hardware_rows(hardware, tables)
    outcome = solve_designs([network.table for network in networks], points, objective)
    latency_ms, energy_mj, reason = _totals(outcome, points, _clocks_mhz(hardware))
    return DesignCosts(
        latency_ms=latency_ms,
        energy_mj=energy_mj,
        area_mm2=np.array([area_mm2(point, tables) for point in hardware]),
        parameters=np.array([network.parameters for network in networks], np.int64),
        reason=reason,
    )


def simulate_networks(
    networks: Sequence[Network],
    hardware: Sequence[Hardware],
    objective: Objective = Objective.LATENCY,
    tables: Tables | None = None,
) -> DesignCosts:
    """Costs of every network on every accelerator: as `simulate_designs`, in arrays [N, H].

    Layers that are equal, in one network or in several, are mapped once per accelerator and
    state of its memory. Memory does not grow with N x H beyond the result.

    Args:
        networks: N networks.
        hardware: H accelerators.
        objective: what each layer's mapping minimises.
        tables: energy and area tables; the packaged ones when None.

    Raises:
        NetworkError: when a network cannot be simulated.
        EnergyError: when an accelerator is outside the tables.
    """
    layers = [network.table for network in networks]
    points, clocks = hardware_rows(hardware, tables), _clocks_mhz(hardware)
    shape = (len(networks), len(hardware))
    latency_ms, energy_mj, reason = np.empty(shape), np.empty(shape), np.empty(shape, np.int64)
    if layers:
        rows = np.concatenate([table.rows for table in layers])
        number = np.unique(rows, axis=0, return_inverse=True)[1].reshape(-1)
        block = max(1, BLOCK_LAYERS // len(rows))
        for begin in range(0, len(hardware), block):
            part = slice(begin, min(begin + block, len(hardware)))
            here = np.arange(part.stop - part.start)
            # Accelerator by accelerator, all networks on each.
            twins = (number * len(here) + here[:, np.newaxis]).reshape(-1)
            repeated = points[part].repeat(len(layers), axis=0)
            outcome = solve_designs(layers * len(here), repeated, objective, twins)
            totals = _totals(outcome, repeated, clocks[part].repeat(len(layers)))
            for result, total in zip((latency_ms, energy_mj, reason), totals, strict=True):
                result[:, part] = total.reshape(len(here), len(layers)).T
    area = np.array([area_mm2(point, tables) for point in hardware])
    parameters = np.array([network.parameters for network in networks], np.int64)
    return DesignCosts(
        latency_ms=latency_ms,
        energy_mj=energy_mj,
        area_mm2=np.broadcast_to(area, shape),
        parameters=np.broadcast_to(parameters[:, np.newaxis], shape),
        reason=reason,
    )


def _clocks_mhz(hardware: Sequence[Hardware]) -> NDArray[np.float64]:
    return np.array([point.clock_mhz for point in hardware], np.float64)


def _totals(
    outcome: Outcome, points: NDArray[np.float64], clock_mhz: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Latency in ms, energy in mJ and reason of each design [B]."""
    reason = np.maximum.reduceat(outcome.column("reason"), outcome.starts[:-1]).astype(np.int64)
    leakage = points[:, HardwareRow._fields.index("leakage_pj_per_cycle")]
    waiting = outcome.waiting.sum(axis=0)
    latency = (outcome.total("cycles") + waiting) / (clock_mhz * 1e3)
    energy = (outcome.total("energy_pj") + waiting * leakage) / PJ_PER_MJ
    runs = reason == Reason.OK
    return np.where(runs, latency, np.inf), np.where(runs, energy, np.inf), reason


def simulate(
    network: Network,
    hardware: Hardware,
    objective: Objective = Objective.LATENCY,
    tables: Tables | None = None,
) -> NetworkCost:
    """A network on an accelerator, layer by layer; as `simulate_designs` in every total.

    Raises:
        NetworkError: when the network cannot be simulated.
        EnergyError: when the accelerator is outside the tables.
    """
    points = hardware_rows([hardware], tables)
    outcome = solve_designs([network.table], points, objective)
    costs = simulate_designs([network], [hardware], objective, tables)
    startup, drain = outcome.waiting[:, 0]
    return NetworkCost(
        network=network,
        hardware=hardware,
        layers=tuple(
            _layer_cost(layer, hardware, outcome, i) for i, layer in enumerate(network.layers)
        ),
        startup_cycles=float(startup),
        drain_cycles=float(drain),
        latency_ms=float(costs.latency_ms[0]),
        energy_mj=float(costs.energy_mj[0]),
        area_mm2=float(costs.area_mm2[0]),
    )


def _layer_cost(layer: Layer, hardware: Hardware, outcome: Outcome, i: int) -> LayerCost:
    row = CostRow(*outcome.costs[i].tolist())
    mapped = not layer.kind.is_vector and row.reason == Reason.OK
    fields: dict[str, Any] = {
        name: value
        for name, value in row._asdict().items()
        if name in LayerCost.__dataclass_fields__ and name not in ("bound", "reason")
    }
    return LayerCost(
        layer=layer,
        **fields,
        utilisation=layer.macs / (row.cycles * hardware.macs_per_cycle),
        input_on_chip=bool(outcome.stays[i, 0]),
        output_on_chip=bool(outcome.stays[i, 1]),
        weights_on_chip=bool(outcome.stays[i, 3]),
        bound=Bound(int(row.bound)),
        reason=Reason(int(row.reason)),
        mapping=edge_mapping(layer, MappingRow(*outcome.mappings[i].tolist())) if mapped else None,
    )
