"""Pairs compared with the enumeration of their mapspace, loop by loop."""

from __future__ import annotations

import numpy as np

from nahas.kernels.records import CostRow, HardwareRow, LayerRow, MappingRow, ResidencyRow
from nahas.kernels.rows import hardware_row, layer_row
from nahas.kernels.search import rank
from nahas.layers import Layer
from nahas.mapspace import candidates, evaluated_cost
from nahas.tile_bench.solve import room, solve_part
from nahas.tile_bench.source import Pairs
from nahas.vocabulary import LayerKind, Objective, Reason

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
    """Members of a pair's mapspace that fit: named one by one, none of them costed."""
    return sum(1 for _ in candidates(*rows_of(pairs, index)))


def is_optimal(pairs: Pairs, index: int, objective: Objective) -> bool:
    """Whether the search's answer for a pair is its enumerated optimum, at the cost it reports."""
    costs, mappings, _, _ = solve_part(pairs, slice(index, index + 1), objective, room(1))
    found = CostRow(*costs[0].tolist())
    row, hw, stay = rows_of(pairs, index)
    layer = layer_of(row)
    figures = []
    for mapping in candidates(row, hw, stay):
        each = evaluated_cost(layer, hw, stay, mapping)
        figures.append(rank(each.cycles, each.energy_pj, int(objective)))
    if found.reason != Reason.OK:
        return not figures
    reported = evaluated_cost(layer, hw, stay, MappingRow(*mappings[0].tolist()))
    claims = (
        (rank(found.cycles, found.energy_pj, int(objective)), min(figures, default=(0.0, 0.0))),
        ((found.cycles, found.energy_pj), (reported.cycles, reported.energy_pj)),
    )
    return all(np.allclose(a, b, rtol=RELATIVE_TOLERANCE, atol=0.0) for a, b in claims)
