"""What exports write: one layer and its mapping on an accelerator, as other tools see a nest.

Other tools have one loop of a dim at a level and name the axis that a spatial loop is spread
over; a nest of ours may have neither, and this module finds both or says why not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil, prod

from nahas.energy import Tables, access_energies, mac_energy_pj
from nahas.errors import InteropError
from nahas.hardware import Hardware
from nahas.layers import Layer
from nahas.mapping import Loop, Mapping, extent_of
from nahas.templates import EDGE, Accelerator, Axis, Memory
from nahas.vocabulary import Dim, Level, Slot, Tensor

SPREADABLE = tuple(dim for dim in Dim if dim is not Dim.N)
TENSOR_NAMES = {Tensor.WEIGHTS: "Weights", Tensor.INPUTS: "Inputs", Tensor.OUTPUTS: "Outputs"}


@dataclass(frozen=True, kw_only=True)
class MappedPoint:
    """One layer and its mapping on an accelerator: what an export writes.

    Raises:
        MappingError: when the mapping does not cover the layer.
    """

    accelerator: Accelerator
    layer: Layer
    mapping: Mapping

    def __post_init__(self) -> None:
        self.mapping.check(self.layer)

    @property
    def mac_pj(self) -> float:
        """Energy of one multiply-accumulate."""
        of = self.accelerator
        if of.mac_pj is not None:
            return of.mac_pj
        widths = (of.weight_bits, of.activation_bits, of.partial_sum_bits)
        return mac_energy_pj(of.technology_nm, widths)

    def keeps(self, level: Level) -> list[Tensor]:
        """The tensors that a level stores, in the order of `Tensor`."""
        return [tensor for tensor in Tensor if tensor in self.mapping.keep[level]]


@dataclass(frozen=True)
class Spread:
    """One axis of the accelerator, a name of its own, and the loops spread over it."""

    name: str
    axis: Axis
    loops: tuple[Loop, ...]


def edge_accelerator(hardware: Hardware, tables: Tables | None = None) -> Accelerator:
    """The edge accelerator as levels and axes: what `nahas simulate` maps on.

    Raises:
        EnergyError: when the node or a memory size is outside the tables.
    """
    energies = access_energies(hardware, tables)
    return Accelerator(
        name="edge",
        memories=(
            Memory(
                bytes_per_cycle=hardware.io_bytes_per_cycle,
                read_pj_per_byte=energies.dram_read_pj_per_byte,
                write_pj_per_byte=energies.dram_write_pj_per_byte,
            ),
            Memory(
                capacity_bytes=hardware.local_memory_bytes,
                bytes_per_cycle=hardware.local_memory_bytes_per_cycle,
                read_pj_per_byte=energies.local_memory_read_pj_per_byte,
                write_pj_per_byte=energies.local_memory_write_pj_per_byte,
            ),
            Memory(
                keeps=EDGE.keep[Level.REGISTER_FILE],
                capacity_bytes=hardware.register_file_bytes,
                read_pj_per_byte=energies.register_file_read_pj_per_byte,
                write_pj_per_byte=energies.register_file_write_pj_per_byte,
            ),
        ),
        axes=(
            _axis("pe_x", Slot.PE_ARRAY, hardware.pes_x, SPREADABLE),
            _axis("pe_y", Slot.PE_ARRAY, hardware.pes_y, SPREADABLE),
            _axis("lanes", Slot.LANE_ARRAY, hardware.compute_lanes, SPREADABLE),
            _axis("simd_units", Slot.DATAPATH, hardware.simd_units, (Dim.G, Dim.K)),
            _axis("dot", Slot.DATAPATH, hardware.macs_per_simd, (Dim.C,)),
        ),
        mac_pj=energies.mac_pj,
        technology_nm=hardware.technology_nm,
        weight_bits=hardware.weight_bits,
        activation_bits=hardware.activation_bits,
        partial_sum_bits=hardware.partial_sum_bits,
        clock_mhz=hardware.clock_mhz,
    )


def _axis(name: str, slot: Slot, size: int, dims: tuple[Dim, ...]) -> Axis:
    return Axis(name=name, slot=slot, size=size, dims=dims)


def merged(point: MappedPoint) -> Mapping:
    """The mapping with at most one loop of a dim in a temporal slot, and none of one step.

    Neighbouring loops of one dim are one loop of as many steps, ragged or not: the steps beyond
    the dim are none.

    Raises:
        InteropError: when loops of one dim stand in a slot with others between them.
    """
    loops: list[Loop] = []
    for loop, step in zip(point.mapping.loops, point.mapping.steps(), strict=True):
        if loop.count == 1:
            continue
        before = loops[-1] if loops else None
        if before and not loop.is_spatial and (before.slot, before.dim) == (loop.slot, loop.dim):
            most = ceil(extent_of(point.layer, loop.dim) / step)
            loops[-1] = replace(loop, count=min(before.count * loop.count, most))
        else:
            loops.append(loop)
    temporal = [(loop.slot, loop.dim) for loop in loops if not loop.is_spatial]
    for slot, dim in temporal:
        if temporal.count((slot, dim)) > 1:
            raise InteropError(
                f"layer '{point.layer.name}': loops over {dim.name} stand twice in {slot.name}, "
                "with others between them, but other tools have one loop of a dim at a level"
            )
    return Mapping(tuple(loops), point.mapping.keep)


def ragged_dims(layer: Layer, mapping: Mapping) -> list[Dim]:
    """Dims whose counts do not multiply to their extent exactly."""
    return [
        dim
        for dim in Dim
        if prod(loop.count for loop in mapping.loops if loop.dim is dim) != extent_of(layer, dim)
    ]


def spreads(point: MappedPoint, mapping: Mapping) -> dict[Slot, tuple[Spread, ...]]:
    """For each spatial slot its axes, and the loops of the mapping that each of them spreads.

    Raises:
        InteropError: when the loops of a slot cannot be given to its axes, one dim once on each.
    """
    found = {}
    for slot in (Slot.PE_ARRAY, Slot.LANE_ARRAY, Slot.DATAPATH):
        axes = [axis for axis in point.accelerator.axes if axis.slot is slot]
        loops = [loop for loop in mapping.loops if loop.slot is slot and loop.count > 1]
        given = next(_given(axes, loops, [[] for _ in axes]), None)
        if given is None:
            said = " ".join(map(str, loops))
            sizes = ", ".join(f"{axis.name} {axis.size}" for axis in axes) or "none"
            raise InteropError(
                f"layer '{point.layer.name}': the loops {said} of {slot.name} cannot be told "
                f"apart by axis (axes: {sizes}), as other tools need them"
            )
        found[slot] = tuple(
            Spread(_name(slot, number, axes), axis, tuple(mine))
            for number, (axis, mine) in enumerate(zip(axes, given, strict=True))
        )
    return found


def _name(slot: Slot, number: int, axes: list[Axis]) -> str:
    """A name that no other axis or level has, of letters, digits and underscores."""
    clean = re.sub(r"\W", "_", axes[number].name, flags=re.ASCII)
    alone = [axis.name for axis in axes].count(axes[number].name) == 1
    return f"{slot.name.lower()}_{clean}" + ("" if alone else f"_{number}")


def _given(
    axes: list[Axis], loops: list[Loop], given: list[list[Loop]]
) -> Iterator[list[list[Loop]]]:
    """Ways of giving loops to axes; loops of one dim stay in their order, on an axis each."""
    if not loops:
        yield given
        return
    loop, *others = loops
    taken = [i for i, mine in enumerate(given) if loop.dim in {each.dim for each in mine}]
    for number in range(max(taken, default=-1) + 1, len(axes)):
        axis, mine = axes[number], [*given[number], loop]
        if loop.dim in (*axis.dims, *axis.folds) and prod(e.count for e in mine) <= axis.size:
            yield from _given(axes, others, [*given[:number], mine, *given[number + 1 :]])
