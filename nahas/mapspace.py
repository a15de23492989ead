"""The mapspace of the edge template, enumerated one by one: the slow twin of the search.

It names every candidate as an explicit mapping and costs it by `nahas.mapping.evaluate`, so
that neither the pruning nor the closed forms of `kernels.search` are believed unseen.
[docs/mapspace.md]
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations, product

from nahas.edge_mapping import edge_mapping
from nahas.kernels.edge import cost
from nahas.kernels.records import (
    CostRow,
    CountsRow,
    HardwareRow,
    LayerRow,
    MappingRow,
    ResidencyRow,
)
from nahas.kernels.solve import mapping_row
from nahas.kernels.tilings import (
    Axes,
    Placement,
    Wish,
    blocks_of,
    fits,
    is_partial,
    next_count,
    place,
)
from nahas.layers import Layer
from nahas.mapping import evaluate
from nahas.templates import EDGE
from nahas.vocabulary import Access, Dim, DramOrder, Level, Tensor

Placed = Callable[[Wish], Placement | None]
"""The placement of a wish where it fits."""

CUT = (Dim.G, Dim.K, Dim.C, Dim.P, Dim.Q)
"""The dims that DRAM may cut into tiles."""


def candidates(layer: LayerRow, hw: HardwareRow, stay: ResidencyRow) -> Iterator[MappingRow]:
    """Every member of the mapspace of a pair that fits, in the search's order of axes."""
    for axes, at, order in placements(layer, hw, stay):
        yield mapping_row(layer, hw.pes_y, axes, at, int(order))


def placements(
    layer: LayerRow, hw: HardwareRow, stay: ResidencyRow
) -> Iterator[tuple[Axes, Placement, DramOrder]]:
    """The members of `candidates` as the closed forms read them."""
    blocks = blocks_of(layer, hw)
    sizes = {
        Dim.G: blocks.g,
        Dim.K: blocks.k,
        Dim.C: blocks.c,
        Dim.P: float(layer.p),
        Dim.Q: float(layer.q),
    }

    def spread(dims: tuple[Dim, ...], length: float) -> list[Dim]:
        return [dim for dim in dims if sizes[dim] > 1 and length > 1] or [Dim.K]

    over_pes = (Dim.G, Dim.K, Dim.P, Dim.Q)
    over_lanes = (Dim.G, Dim.K, Dim.C, Dim.Q if layer.q > 1 else Dim.P)
    # K even where it is one block: the axis then rests.
    for x in {*spread(over_pes, hw.pes_x), Dim.K}:
        for y in {*spread(over_pes, hw.pes_y), Dim.K}:
            if hw.pes_x == hw.pes_y and y > x:
                continue
            for lane in spread(over_lanes, hw.lanes):
                axes = Axes(int(x), int(y), int(lane))

                def placed(wish: Wish, axes: Axes = axes) -> Placement | None:
                    at = place(layer, hw, blocks, axes, wish)
                    return at if fits(layer, hw, stay.reserved_bytes, at) else None

                for at in _tilings(sizes, placed):
                    for order in _orders(at):
                        yield axes, at, order


def _tilings(sizes: dict[Dim, float], placed: Placed) -> Iterator[Placement]:
    """Placements of one assignment: as few dims cut as suffice."""
    for dims in range(len(CUT) + 1):
        found = [
            at
            for cut in combinations([dim for dim in CUT if sizes[dim] > 1], dims)
            for coarse in product(*(_coarse_counts(sizes[dim]) for dim in cut[:-1]))
            for at in _both_orders(_completed(cut, coarse, sizes), placed)
        ]
        if found:
            yield from found
            return


def _completed(
    cut: tuple[Dim, ...], coarse: tuple[float, ...], sizes: dict[Dim, float]
) -> list[dict[Dim, float]]:
    """Tile counts of the cut dims: those given, with every count of the last dim."""
    if not cut:
        return [{}]
    given = dict(zip(cut, coarse, strict=False))
    return [given | {cut[-1]: tiles} for tiles in _tile_counts(sizes[cut[-1]])]


def _both_orders(cuts: list[dict[Dim, float]], placed: Placed) -> Iterator[Placement]:
    """The first of the cuts that fits, for either order of local memory's loops.

    Output-stationary only where weight-stationary loops would spill partial sums or none of
    the cuts fits them.
    """
    for output_stationary in (False, True):
        tries = (placed(_wish(tiles, output_stationary)) for tiles in cuts)
        at = next((at for at in tries if at is not None), None)
        if at is not None:
            yield at
            if not is_partial(at):
                return


def _orders(at: Placement) -> tuple[DramOrder, ...]:
    """Orders of DRAM's loops; one stands for all where at most one dim is cut."""
    cut = [part for part in (at.g, at.k, at.c, at.p, at.q) if part.dram > 1]
    return tuple(DramOrder) if len(cut) > 1 else (DramOrder.WEIGHTS_STAY_P,)


def _wish(tiles: dict[Dim, float], output_stationary: bool) -> Wish:
    g, k, c, p, q = (tiles.get(dim, 1.0) for dim in CUT)
    return Wish(g, k, c, p, q, output_stationary)


def _tile_counts(blocks: float) -> list[float]:
    """Every number of tiles that differs from the one before in the size of the tiles."""
    counts = [1.0]
    while (following := next_count(blocks, counts[-1])) <= blocks:
        counts.append(following)
    return counts[1:]


def _coarse_counts(blocks: float) -> list[float]:
    """2, 4, 8, ... tiles, and tiles of one block."""
    return [2.0**i for i in range(1, 30) if 2.0**i < blocks] + [blocks]


def evaluated_counts(layer: Layer, row: MappingRow) -> CountsRow:
    """What an explicit mapping of the edge template moves, by the evaluated loop nest."""
    counted = evaluate(layer, edge_mapping(layer, row), EDGE)
    weights, inputs, outputs = Tensor
    reads, fills, updates = Access

    def words(level: Level, tensor: Tensor, access: Access) -> float:
        return float(counted.of(level, tensor, access))

    registers, local = Level.REGISTER_FILE, Level.LOCAL_MEMORY
    return CountsRow(
        compute_cycles=float(counted.compute_cycles),
        pes=float(counted.instances[local]),
        macs=words(registers, weights, reads),
        register_weight_fills=words(registers, weights, fills),
        register_output_updates=words(registers, outputs, updates),
        register_output_reads=words(registers, outputs, reads),
        register_output_fills=words(registers, outputs, fills),
        local_weight_fills=words(local, weights, fills),
        local_weight_reads=words(local, weights, reads),
        local_input_fills=words(local, inputs, fills),
        local_input_reads=words(local, inputs, reads),
        local_output_fills=words(local, outputs, fills),
        local_output_updates=words(local, outputs, updates),
        local_output_reads=words(local, outputs, reads),
        dram_weight_reads=words(Level.DRAM, weights, reads),
        dram_input_reads=words(Level.DRAM, inputs, reads),
        dram_output_reads=words(Level.DRAM, outputs, reads),
        dram_output_updates=words(Level.DRAM, outputs, updates),
    )


def evaluated_cost(layer: Layer, hw: HardwareRow, stay: ResidencyRow, row: MappingRow) -> CostRow:
    """Cost of an explicit mapping of the edge template, by the evaluated loop nest."""
    return cost(evaluated_counts(layer, row), hw, stay)
