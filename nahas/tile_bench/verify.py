"""Pairs compared with the enumeration of their mapspace, loop by loop."""

from __future__ import annotations

import numpy as np

from nahas.kernels.enumerated import enumerate_full, full_size
from nahas.kernels.full import MEMBER_FIELDS
from nahas.kernels.parts import Pair
from nahas.kernels.records import CostRow, HardwareRow, LayerRow, MappingRow, ResidencyRow
from nahas.kernels.rows import hardware_row, layer_row
from nahas.kernels.search import rank
from nahas.layers import Layer
from nahas.mapspace import candidates, evaluated_cost
from nahas.tile_bench.solve import room, solve_part
from nahas.tile_bench.source import Pairs
from nahas.vocabulary import LayerKind, Mapspace, Objective, Reason

MOST_MEMBERS = 20_000_000
"""Of a full mapspace that is enumerated: some seconds."""

RELATIVE_TOLERANCE = 1e-12
"""Two sums of the same terms in another order differ by less."""


def rows_of(pairs: Pairs, index: int) -> tuple[LayerRow, HardwareRow, ResidencyRow]:
    """The three rows of a pair."""
    layer, point = pairs.pairs[index]
    return (
        layer_row(pairs.layers[layer]),
        hardware_row(pairs.points[point]),
        ResidencyRow(*pairs.stays[index].tolist()),
    )


def layer_of(row: LayerRow, name: str = "drawn") -> Layer:
    """The layer that a row stands for."""
    shape = {name: int(value) for name, value in row._asdict().items() if name != "kind"}
    return Layer(name=name, kind=LayerKind.CONVOLUTION, **shape)


def members(pairs: Pairs, index: int) -> int:
    """Members of a pair's mapspace.

    In the default space those that fit: named one by one, none of them costed. In the full space
    all, without their register-file tiles: `kernels.enumerated.full_size`.
    """
    rows = rows_of(pairs, index)
    if pairs.space == Mapspace.DATAFLOWS:
        return sum(1 for _ in candidates(*rows))
    return int(full_size(Pair(*rows, int(Objective.LATENCY), int(pairs.space))))


def verifiable(pairs: Pairs, index: int) -> bool:
    """Whether a pair's mapspace is small enough to enumerate."""
    return pairs.space == Mapspace.DATAFLOWS or members(pairs, index) <= MOST_MEMBERS


def _every_figure(pairs: Pairs, index: int, objective: Objective) -> list[tuple[float, float]]:
    """Figures of all members of a pair's mapspace; of the full space, those of the best."""
    row, hw, stay = rows_of(pairs, index)
    figures = []
    if pairs.space in (Mapspace.DATAFLOWS, Mapspace.FULL):
        layer = layer_of(row)
        costs = [evaluated_cost(layer, hw, stay, each) for each in candidates(row, hw, stay)]
        figures = [rank(each.cycles, each.energy_pj, int(objective)) for each in costs]
    if pairs.space != Mapspace.DATAFLOWS:
        best = np.empty(3)
        pair = Pair(row, hw, stay, int(objective), int(pairs.space))
        enumerate_full(pair, -1, best, np.empty(MEMBER_FIELDS))
        if best[2]:
            figures.append((float(best[0]), float(best[1])))
    return figures


def is_optimal(pairs: Pairs, index: int, objective: Objective) -> bool:
    """Whether the search's answer for a pair is its enumerated optimum, at the cost it reports."""
    costs, mappings, _, _ = solve_part(pairs, slice(index, index + 1), objective, room(1))
    found = CostRow(*costs[0].tolist())
    row, hw, stay = rows_of(pairs, index)
    layer = layer_of(row)
    figures = _every_figure(pairs, index, objective)
    if found.reason != Reason.OK:
        return not figures
    reported = evaluated_cost(layer, hw, stay, MappingRow(*mappings[0].tolist()))
    claims = (
        (rank(found.cycles, found.energy_pj, int(objective)), min(figures, default=(0.0, 0.0))),
        ((found.cycles, found.energy_pj), (reported.cycles, reported.energy_pj)),
    )
    return all(np.allclose(a, b, rtol=RELATIVE_TOLERANCE, atol=0.0) for a, b in claims)
