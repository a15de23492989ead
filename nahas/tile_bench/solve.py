"""The mapper on some of the pairs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nahas.kernels.records import CostRow, CountsRow, MappingRow
from nahas.kernels.solve import solve_pairs
from nahas.kernels.solve_full import solve_full_pairs
from nahas.tile_bench.source import Pairs
from nahas.vocabulary import Mapspace, Objective

Solved = tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]
"""[N, 18] records.COST, [N, 28] records.MAPPING, [N, 18] records.COUNTS, [N] mappings costed."""


def room(count: int) -> Solved:
    """Arrays for the answers about `count` pairs, touched so that the clock sees no page fault."""
    return (
        np.ones((count, len(CostRow._fields))),
        np.ones((count, len(MappingRow._fields)), np.int64),
        np.ones((count, len(CountsRow._fields))),
        np.ones(count, np.int64),
    )


def solve_part(pairs: Pairs, part: slice, objective: Objective, place: Solved) -> Solved:
    """Solve the pairs of a slice; the answers are the first rows of `place`."""
    chosen, stays = pairs.pairs[part], pairs.stays[part]
    n = len(chosen)
    costs, mappings, counts, seen = place
    outcome = costs[:n], mappings[:n], counts[:n], seen[:n]
    if pairs.space == Mapspace.DATAFLOWS:
        solve_pairs(pairs.layers, pairs.points, chosen, stays, int(objective), outcome)
    else:
        aim = int(objective), int(pairs.space)
        solve_full_pairs(pairs.layers, pairs.points, chosen, stays, aim, outcome)
    return outcome
