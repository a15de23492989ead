"""How fast the mapper is, and whether it finds the optimum: seeded random pairs.

Layers are drawn from the networks of the search spaces and from the fixed networks,
accelerators from the paper's 50,000 points; no pair stands twice. Half of all inputs and half of
all outputs are on chip, by coin flips, and take no room beside the tiles.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import median

import numba
import numpy as np
from numpy.typing import NDArray

from nahas import networks
from nahas.errors import UsageError
from nahas.kernels.records import CostRow, CountsRow, MappingRow, ResidencyRow
from nahas.kernels.rows import hardware_row, layer_row
from nahas.kernels.search import rank
from nahas.kernels.solve import solve_pairs
from nahas.layers import Layer
from nahas.mapspace import candidates, evaluated_cost
from nahas.sequence import hardware_rows
from nahas.spaces import accelerator, macro, mnasnet
from nahas.vocabulary import LayerKind, Objective, Reason

BATCH = 100_000
"""Pairs solved in one call, so that memory does not grow with the pairs asked for."""

NETWORKS_PER_SPACE = 200
WARM_UP_PAIRS = 64
RELATIVE_TOLERANCE = 1e-12
"""Two sums of the same terms in another order differ by less."""


@dataclass(frozen=True, kw_only=True)
class TileBench:
    """What a run measured.

    Attributes:
        pairs_per_second: pairs solved, median over batches; compilation apart.
        mappings_per_second: candidates costed; those skipped by a bound are not counted.
        mapspace_mean, mapspace_max: members of the mapspace that fit, over the verified pairs;
            None where none was verified.
        optimal: every verified pair was solved at its optimum, and the search only skips what
            a bound excludes; None where nothing was verified.
        mismatches: verified pairs where enumeration found another optimum, or where the
            reported cost was not that of the reported mapping.
    """

    pairs: int
    threads: int
    objective: Objective
    seed: int
    compile_s: float
    pairs_per_second: float
    mappings_per_second: float
    infeasible: int
    verified: int
    mismatches: int
    mapspace_mean: float | None
    mapspace_max: int | None
    distinct_layers: int
    distinct_accelerators: int

    @property
    def optimal(self) -> bool | None:
        """Whether the answers are proven optima of the mapspace."""
        return self.mismatches == 0 if self.verified else None


@dataclass(frozen=True)
class Pairs:
    """The drawn pairs: rows of layers [L, 14] and accelerators [H, 18], [N, 2] and [N, 3]."""

    layers: NDArray[np.int64]
    points: NDArray[np.float64]
    pairs: NDArray[np.int64]
    stays: NDArray[np.float64]


def distinct_layers(rng: np.random.Generator) -> NDArray[np.int64]:
    """Every distinct mapped layer of the fixed networks and of drawn ones: [L, 14]."""
    drawn = [networks.named(name) for name in networks.NAMES]
    for space in (mnasnet.network_space(), macro.network_space()):
        drawn += [space.network(c) for c in space.space.sample(NETWORKS_PER_SPACE, rng)]
    rows = np.concatenate([network.table.rows for network in drawn])
    return np.unique(rows[rows[:, 0] == LayerKind.CONVOLUTION], axis=0)


def draw(count: int, seed: int) -> Pairs:
    """Draw distinct pairs.

    Raises:
        UsageError: when more pairs are asked for than there are.
    """
    rng = np.random.default_rng(seed)
    layers = distinct_layers(rng)
    space = accelerator.accelerator_space()
    every = len(layers) * space.size
    if not 1 <= count <= every:
        raise UsageError(f"pairs is {count}, but there are 1 to {every:,} distinct pairs to draw")
    index = rng.choice(every, size=count, replace=False, shuffle=True)
    which, point = np.divmod(index, space.size)
    used, place = np.unique(point, return_inverse=True)
    digits = np.stack(np.unravel_index(used, space.cardinalities), axis=1)
    points = hardware_rows([accelerator.hardware(space.values(row)) for row in digits])
    stays = np.zeros((count, len(ResidencyRow._fields)))
    stays[:, :2] = rng.integers(0, 2, size=(count, 2))
    return Pairs(layers, points, np.stack([which, place], axis=1), stays)


def run(
    pairs: int = 1_000_000,
    *,
    seed: int = 0,
    objective: Objective = Objective.LATENCY,
    threads: int | None = None,
    verify: int = 0,
) -> TileBench:
    """Draw pairs, solve them, and check some by enumeration.

    Args:
        pairs: distinct pairs to solve.
        seed: of the draw.
        objective: what each mapping minimises.
        threads: of the mapper; all when None.
        verify: how many of the pairs to enumerate without pruning and evaluate loop by loop.

    Raises:
        UsageError: when a number is outside what is possible here.
    """
    most = numba.config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]  # filled at run time
    threads = most if threads is None else threads
    if not 1 <= threads <= most:
        raise UsageError(f"threads is {threads}, but this machine allows 1 to {most}")
    if not 0 <= verify <= pairs:
        raise UsageError(f"verify is {verify}, but it must be 0 to the number of pairs, {pairs}")
    drawn = draw(pairs, seed)
    before = numba.get_num_threads()
    numba.set_num_threads(threads)
    room = _room(min(pairs, BATCH))
    begun = time.perf_counter()
    _solve(drawn, slice(0, min(pairs, BATCH, WARM_UP_PAIRS)), objective, room)
    compile_s = time.perf_counter() - begun
    rates, costed, infeasible = [], [], 0
    for start in range(0, pairs, BATCH):
        part = slice(start, min(start + BATCH, pairs))
        begun = time.perf_counter()
        costs, _, _, seen = _solve(drawn, part, objective, room)
        elapsed = time.perf_counter() - begun
        rates.append(len(costs) / elapsed)
        costed.append(seen.sum() / elapsed)
        infeasible += int((costs[:, CostRow._fields.index("reason")] != Reason.OK).sum())
    numba.set_num_threads(before)
    checked = [_verify(drawn, i, objective) for i in range(verify)]
    sizes = [size for size, _ in checked]
    return TileBench(
        pairs=pairs,
        threads=threads,
        objective=objective,
        seed=seed,
        compile_s=compile_s,
        pairs_per_second=median(rates),
        mappings_per_second=float(median(costed)),
        infeasible=infeasible,
        verified=verify,
        mismatches=sum(not same for _, same in checked),
        mapspace_mean=sum(sizes) / len(sizes) if sizes else None,
        mapspace_max=max(sizes, default=None),
        distinct_layers=len(drawn.layers),
        distinct_accelerators=len(drawn.points),
    )


Solved = tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]


def _room(count: int) -> Solved:
    """Arrays for the answers about `count` pairs, touched so that the clock sees no page fault."""
    return (
        np.ones((count, len(CostRow._fields))),
        np.ones((count, len(MappingRow._fields)), np.int64),
        np.ones((count, len(CountsRow._fields))),
        np.ones(count, np.int64),
    )


def _solve(drawn: Pairs, part: slice, objective: Objective, room: Solved) -> Solved:
    pairs, stays = drawn.pairs[part], drawn.stays[part]
    costs, mappings, counts, seen = room
    n = len(pairs)
    outcome = costs[:n], mappings[:n], counts[:n], seen[:n]
    solve_pairs(drawn.layers, drawn.points, pairs, stays, int(objective), outcome)
    return outcome


def _verify(drawn: Pairs, index: int, objective: Objective) -> tuple[int, bool]:
    """Size of a pair's mapspace, and whether the search's answer is its enumerated optimum."""
    costs, mappings, _, _ = _solve(drawn, slice(index, index + 1), objective, _room(1))
    found = CostRow(*costs[0].tolist())
    row = layer_row(drawn.layers[drawn.pairs[index, 0]])
    hw = hardware_row(drawn.points[drawn.pairs[index, 1]])
    stay = ResidencyRow(*drawn.stays[index].tolist())
    shape = {name: int(value) for name, value in row._asdict().items() if name != "kind"}
    layer = Layer(name="drawn", kind=LayerKind.CONVOLUTION, **shape)
    figures = []
    for mapping in candidates(row, hw, stay):
        each = evaluated_cost(layer, hw, stay, mapping)
        figures.append(rank(each.cycles, each.energy_pj, int(objective)))
    if found.reason != Reason.OK:
        return 0, not figures
    reported = evaluated_cost(layer, hw, stay, MappingRow(*mappings[0].tolist()))
    claims = (
        (rank(found.cycles, found.energy_pj, int(objective)), min(figures, default=(0.0, 0.0))),
        ((found.cycles, found.energy_pj), (reported.cycles, reported.energy_pj)),
    )
    same = all(np.allclose(a, b, rtol=RELATIVE_TOLERANCE, atol=0.0) for a, b in claims)
    return len(figures), same
