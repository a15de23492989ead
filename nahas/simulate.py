"""Latency, energy and area of networks on accelerators: the ground truth of every search.

The rules of a network (docs/equations.md): layers run in sequence, batch 1, in words of the
accelerator's widths. An activation that fits stays on chip (`kernels.residency`). Weights stream
from DRAM in every inference but for those that an accelerator has memory for
(`kernels.parameters`), and the first of each layer come in while the layer before runs; only the
first layer's first tiles and the last layer's last tile are waited for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.cost import DesignCosts
from nahas.dataflow import dataflow_of
from nahas.edge_mapping import edge_mapping
from nahas.energy import Tables, area_mm2
from nahas.errors import UsageError
from nahas.fusion import solve_fused
from nahas.hardware import Hardware
from nahas.kernels.fusion import StageRow
from nahas.kernels.records import CostRow, HardwareRow, MappingRow
from nahas.layers import Layer
from nahas.mapping import Mapping
from nahas.network import Network, stacked
from nahas.sequence import Outcome, hardware_rows, solve_designs
from nahas.vocabulary import Bound, Dataflow, Mapspace, Objective, Reason

PJ_PER_MJ = 1e9
BYTES_PER_MEGABYTE = 1e6
BLOCK_LAYERS = 65_536
"""Layers that `simulate_networks` costs at once: some 50 MB of intermediate tables."""


@dataclass(frozen=True, kw_only=True)
class Fused:
    """How a layer is computed in a fused group (docs/equations.md 12).

    Attributes:
        stage: its place in the group, from 1.
        tile_rows: rows of the group's output that a tile makes.
        tiles: tiles of the group.
        keeps_halo: whether rows that the next tile needs again are kept, not made again.
        weights_rest: whether the group's weights come in once and rest in local memory.
        made_rows: rows of the layer's output that the first tile makes: those of the mapping.
        macs: multiply-accumulates of all tiles, those made again included.
    """

    stage: int
    tile_rows: int
    tiles: int
    keeps_halo: bool
    weights_rest: bool
    made_rows: int
    macs: int


@dataclass(frozen=True, kw_only=True)
class LayerCost:
    """One layer of a simulated network.

    Attributes:
        cycles: the largest of the three that follow.
        io_cycles: what crosses the I/O interface while the layer runs: its own traffic but for
            its first weights, which have come in before, and those of the next layer; in a fused
            group, its share of the group's.
        energy_pj: the sum of the five components; `mac_pj` is the vector units' energy in a
            vector layer.
        *_bytes: traffic over the I/O interface by tensor.
        utilisation: multiply-accumulates done over those possible in `cycles`.
        input_on_chip, output_on_chip: whether the activation stays in local memory.
        weights_on_chip: whether the weights wait there from the inference before.
        mapping: the loop nest; None on the vector path. In a fused group that of the first tile.
        fused: how it is computed in a fused group; None where it runs by itself.
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
    fused: Fused | None = None

    @property
    def dataflow(self) -> Dataflow | None:
        """The dataflow of the mapping; None on the vector path, and where nothing fits."""
        if self.mapping is None:
            return None
        mapped = replace(self.layer, p=self.fused.made_rows) if self.fused else self.layer
        return dataflow_of(self.mapping, mapped)


@dataclass(frozen=True, kw_only=True)
class NetworkCost:
    """A network on an accelerator.

    Attributes:
        layers: [L] in execution order.
        objective: what each layer's mapping minimises.
        space: the mappings that were looked at.
        fusion: whether inverted bottlenecks could run tile by tile; `LayerCost.fused` says which
            do.
        startup_cycles: waiting for the first tile, before anything computes.
        drain_cycles: waiting for the last tile to leave.
        latency_ms: all layers in sequence, with start-up and drain.
        energy_mj: dynamic energy and leakage, DRAM included.
        area_mm2: the accelerator.
    """

    network: Network
    hardware: Hardware
    layers: tuple[LayerCost, ...]
    objective: Objective
    space: Mapspace
    fusion: bool
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


def simulate_designs(
    networks: Sequence[Network],
    hardware: Sequence[Hardware],
    objective: Objective = Objective.LATENCY,
    tables: Tables | None = None,
    *,
    fusion: bool = False,
    space: Mapspace = Mapspace.DATAFLOWS,
) -> DesignCosts:
    """Costs of B designs: `networks[i]` on `hardware[i]`, every layer at its best mapping.

    Args:
        networks: B networks.
        hardware: B accelerators.
        objective: what each layer's mapping minimises.
        tables: energy and area tables; the packaged ones when None.
        fusion: whether inverted bottlenecks may run tile by tile, where that is better.
        space: the mappings that are looked at.

    Raises:
        UsageError: when the two lengths differ, or for fusion in another space than the default.
        NetworkError: when a network cannot be simulated.
        EnergyError: when an accelerator is outside the tables.
    """
    if len(networks) != len(hardware):
        raise UsageError(
            f"simulate_designs got {len(networks)} networks and {len(hardware)} accelerators: "
            "give one accelerator per network"
        )
    points = hardware_rows(hardware, tables)
    solve = _solver(fusion, space)
    outcome = solve([network.table for network in networks], points, objective)
    latency_ms, energy_mj, reason = design_totals(outcome, points, clocks_mhz(hardware))
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
    *,
    fusion: bool = False,
    space: Mapspace = Mapspace.DATAFLOWS,
) -> DesignCosts:
    """Costs of every network on every accelerator: as `simulate_designs`, in arrays [N, H].

    Layers that are equal, in one network or in several, are mapped once per accelerator and
    state of its memory. Memory does not grow with N x H beyond the result.

    Args:
        networks: N networks.
        hardware: H accelerators.
        objective: what each layer's mapping minimises.
        tables: energy and area tables; the packaged ones when None.
        fusion: whether inverted bottlenecks may run tile by tile, where that is better.
        space: the mappings that are looked at.

    Raises:
        UsageError: for fusion in another space than the default.
        NetworkError: when a network cannot be simulated.
        EnergyError: when an accelerator is outside the tables.
    """
    solve = _solver(fusion, space)
    layers = [network.table for network in networks]
    points, clocks = hardware_rows(hardware, tables), clocks_mhz(hardware)
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
            outcome = solve(layers * len(here), repeated, objective, twins)
            totals = design_totals(outcome, repeated, clocks[part].repeat(len(layers)))
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


def _solver(fusion: bool, space: Mapspace) -> Callable[..., Outcome]:
    """How designs are solved, given the tables of their networks."""
    if not fusion:
        return lambda tables, points, objective, twins=None: solve_designs(
            stacked(tables), points, objective, twins, space
        )
    if space != Mapspace.DATAFLOWS:
        raise UsageError(
            f"space is {space.name.lower()}, but fused layers are mapped in the space 'dataflows' "
            "alone: leave out fusion, or the space"
        )
    return solve_fused


def clocks_mhz(hardware: Sequence[Hardware]) -> NDArray[np.float64]:
    """The clock of each accelerator [H]."""
    return np.array([point.clock_mhz for point in hardware], np.float64)


def design_totals(
    outcome: Outcome, points: NDArray[np.float64], clock_mhz: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Latency in ms, energy in mJ and reason of each design [B].

    Args:
        outcome: of solved designs, in sequence.
        points: [B, 23] their accelerators, records.HARDWARE.
        clock_mhz: [B] of each.
    """
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
    *,
    fusion: bool = False,
    space: Mapspace = Mapspace.DATAFLOWS,
) -> NetworkCost:
    """A network on an accelerator, layer by layer; as `simulate_designs` in every total.

    With `fusion` inverted bottlenecks may run tile by tile; then `LayerCost.fused` says how.

    Raises:
        UsageError: for fusion in another space than the default.
        NetworkError: when the network cannot be simulated.
        EnergyError: when the accelerator is outside the tables.
    """
    points = hardware_rows([hardware], tables)
    outcome = _solver(fusion, space)([network.table], points, objective)
    costs = simulate_designs([network], [hardware], objective, tables, fusion=fusion, space=space)
    startup, drain = outcome.waiting[:, 0]
    return NetworkCost(
        network=network,
        hardware=hardware,
        layers=tuple(
            _layer_cost(layer, hardware, outcome, i) for i, layer in enumerate(network.layers)
        ),
        objective=objective,
        space=space,
        fusion=fusion,
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
    fused = _fused(outcome, i)
    mapped_layer = replace(layer, p=fused.made_rows) if fused else layer
    nest = MappingRow(*outcome.mappings[i].tolist())
    return LayerCost(
        layer=layer,
        **fields,
        utilisation=layer.macs / (row.cycles * hardware.macs_per_cycle),
        input_on_chip=bool(outcome.stays[i, 0]),
        output_on_chip=bool(outcome.stays[i, 1]),
        weights_on_chip=bool(outcome.stays[i, 3]),
        bound=Bound(int(row.bound)),
        reason=Reason(int(row.reason)),
        mapping=edge_mapping(mapped_layer, nest) if mapped else None,
        fused=fused,
    )


def _fused(outcome: Outcome, i: int) -> Fused | None:
    if outcome.stages is None or outcome.stages[i, 0] == 0:
        return None
    row = StageRow(*outcome.stages[i].tolist())
    flags = {"keeps_halo": bool(row.keeps_halo), "weights_rest": bool(row.weights_rest)}
    return Fused(**row._asdict() | flags)
