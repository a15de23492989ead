"""The best mapping of a layer on any template, by branch and bound.

A member of the space is a spatial assignment, a count of DRAM tiles per dim, what the register
file holds, and an order of the loops of either level. `nahas.kernels.evaluate` counts every
member that no lower bound has ruled out. [docs/templates.md]
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nahas.kernels._jit import kernel
from nahas.kernels.bounds import (
    INPUTS,
    OUTPUTS,
    RELEVANT,
    Cost,
    Task,
    cost_of,
    covered_words,
    input_words,
    least_steps,
    least_words,
    refetches,
)
from nahas.kernels.evaluate import evaluate, extents_of
from nahas.kernels.members import (
    DRAM_ORDERS,
    LOCAL,
    ORDERS,
    REGISTERS,
    SLOTS,
    C,
    FloatArray,
    G,
    K,
    N,
    P,
    Q,
    R,
    S,
    ceil_div,
    fewer,
    fits,
    has_rows_of,
    is_order_of,
    is_repeated,
    is_spread,
    loops_of,
    next_split,
    split,
    work_of,
)
from nahas.kernels.nest import DIMS, IntArray, constant
from nahas.vocabulary import Objective

LATENCY, ENERGY = constant(Objective.LATENCY), constant(Objective.ENERGY)


class Best(NamedTuple):
    """The best member so far.

    Attributes:
        first, second: the objective and what breaks its ties.
        cycles, energy_pj: its cost.
        counted: how many members were counted.
    """

    first: float
    second: float
    cycles: float
    energy_pj: float
    counted: int


ALONE = np.ones((3, DIMS), np.int64)
"""A single instance along every dim."""


@kernel()
def rank(cost: Cost, objective: int) -> tuple[float, float]:
    """What is minimised, and what breaks its ties."""
    if objective == LATENCY:
        return cost.cycles, cost.energy_pj
    if objective == ENERGY:
        return cost.energy_pj, cost.cycles
    return cost.cycles * cost.energy_pj, cost.cycles


@kernel()
def cannot_win(bound: Cost, best: Best, objective: int) -> bool:
    """Whether nothing that costs at least `bound` comes before the best so far.

    No slack is needed: the words of a bound are at most those counted, `cost_of` adds up both
    in one order, and rounded sums and products keep the order of what goes into them.
    """
    first, second = rank(bound, objective)
    return bool(first > best.first or (first == best.first and second >= best.second))


NOTHING = Best(np.inf, np.inf, np.inf, np.inf, 0)
"""Worse than every member."""


class Work(NamedTuple):
    """Arrays that the search writes on.

    Attributes:
        fan: [3, dims] the spatial assignment at hand.
        counts: [dims, slots] loop counts at hand.
        least: [levels, tensors] the least words that come to a level, copies apart.
        words: [levels, tensors, accesses] bounds, and counts as floats.
        best_counts: [dims, slots] of the best member.
        best_orders: [2] its orders at DRAM and local memory.
    """

    fan: IntArray
    counts: IntArray
    least: FloatArray
    words: FloatArray
    best_counts: IntArray
    best_orders: IntArray


@kernel()
def bound_of(task: Task, work: Work, fan: IntArray, fewest: IntArray) -> Cost:
    """The least that a member costs, from `work.least`.

    It uses at most `fan` [3, dims] instances of each dim, and at least `fewest`.
    """
    least_words(task, (fan, fewest), work.least, work.words)
    steps = least_steps(extents_of(task.layer), fan)
    return cost_of(task.machine, task.layer, work.words, steps, fan[0].prod())


@kernel()
def counted(task: Task, work: Work, orders: tuple[int, int], best: Best) -> Best:
    """Count one member exactly, and keep it if it is better than the best so far."""
    loops = np.empty((SLOTS * DIMS, 3), np.int64)
    number = loops_of(work.counts, orders[0], orders[1], loops)
    words = np.empty((3, 3, 3), np.int64)
    machine = task.machine
    steps = evaluate(task.layer, loops[:number], machine.keep, machine.exact_multicast, words)
    work.words[:] = words
    cost = cost_of(machine, task.layer, work.words, steps, int(work.counts[:, 1].prod()))
    first, second = rank(cost, task.objective)
    if first < best.first or (first == best.first and second < best.second):
        work.best_counts[:] = work.counts
        work.best_orders[0], work.best_orders[1] = orders
        return Best(first, second, cost.cycles, cost.energy_pj, best.counted + 1)
    return Best(best.first, best.second, best.cycles, best.energy_pj, best.counted + 1)


@kernel()
def set_least(task: Task, work: Work, orders: tuple[int, int]) -> None:
    """Write the least words that come to each level with the counts at hand."""
    extents = extents_of(task.layer)
    for level in range(1, 3):
        for tensor in range(3):
            size = task.sizes[tensor]
            if tensor == INPUTS:
                size = input_words(task, work.counts, orders, level)
            times = refetches(extents, work.counts, orders, RELEVANT[tensor], level)
            work.least[level, tensor] = size * times


@kernel()
def every_local_order(task: Task, work: Work, dram_order: int, best: Best) -> Best:
    """Try every order of local memory's loops for the counts at hand."""
    fan = work.counts[:, 1::2].T.copy()
    for local_order in range(len(ORDERS)):
        if not is_order_of(work.counts[:, 2], local_order, task.dataflow):
            continue
        orders = (dram_order, local_order)
        set_least(task, work, orders)
        if not cannot_win(bound_of(task, work, fan, fan), best, task.objective):
            best = counted(task, work, orders, best)
    return best


@kernel()
def every_held(task: Task, work: Work, tiles: IntArray, dram_order: int, best: Best) -> Best:
    """Try every number of blocks along K, C and Q that the register file may hold."""
    extents, machine = extents_of(task.layer), task.machine
    most = np.ones(DIMS, np.int64)
    for dim in (K, C, Q):
        most[dim] = work_of(extents[dim], work.fan[:, dim], tiles[dim])
    if not (machine.keep[REGISTERS, INPUTS] or machine.keep[REGISTERS, OUTPUTS]):
        most[Q] = 1
    held = np.ones(DIMS, np.int64)
    held[K] = most[K]
    while held[K] > 0:
        held[C] = most[C] if set_counts(extents, work, tiles, K, held[K]) else 0
        while held[C] > 0:
            held[Q] = most[Q] if set_counts(extents, work, tiles, C, held[C]) else 0
            while held[Q] > 0:
                whole = set_counts(extents, work, tiles, Q, held[Q])
                if (
                    whole
                    and fits(task.layer, machine, work.counts, REGISTERS)
                    and fits(task.layer, machine, work.counts, LOCAL)
                ):
                    best = every_local_order(task, work, dram_order, best)
                held[Q] = fewer(most[Q], held[Q])
            held[C] = fewer(most[C], held[C])
        held[K] = fewer(most[K], held[K])
    return best


@kernel()
def set_counts(extents: IntArray, work: Work, tiles: IntArray, dim: int, held: int) -> bool:
    """Write the counts at hand of one dim; see `split`."""
    return split(extents[dim], work.fan[:, dim], tiles[dim], held, work.counts[dim])


@kernel()
def every_window(task: Task, work: Work, tiles: IntArray, dram_order: int, best: Best) -> Best:
    """Try the parts of the window that the register file may hold: a point, a row, all."""
    extents = extents_of(task.layer)
    rows = work_of(extents[R], work.fan[:, R], 1)
    columns = work_of(extents[S], work.fan[:, S], 1)
    for dim in (N, G, P):
        if not set_counts(extents, work, tiles, dim, 1):
            return best
    for window in range(3):
        if (window == 1 and columns == 1) or (window == 2 and rows == 1):
            continue
        set_counts(extents, work, tiles, R, rows if window == 2 else 1)
        set_counts(extents, work, tiles, S, columns if window >= 1 else 1)
        spread = is_spread(work.counts[R]), is_spread(work.counts[P])
        if has_rows_of(task.dataflow, *spread):
            best = every_held(task, work, tiles, dram_order, best)
    return best


@kernel()
def could_fit(task: Task, work: Work, tiles: IntArray) -> bool:
    """Whether local memory might hold a tile of this cut, however lanes round it."""
    extents = extents_of(task.layer)
    work.counts[:] = 1
    for dim in range(DIMS):
        wide = ceil_div(extents[dim], ceil_div(extents[dim], work.fan[2, dim]))
        tile = ceil_div(ceil_div(extents[dim], wide), tiles[dim])
        work.counts[dim, 0] = tiles[dim]
        work.counts[dim, 2] = ceil_div(tile, min(work.fan[0, dim], tile))
        work.counts[dim, 5] = wide
    return fits(task.layer, task.machine, work.counts, LOCAL)


@kernel()
def every_dram_order(task: Task, work: Work, tiles: IntArray, best: Best) -> Best:
    """Try every order of DRAM's loops for one cut."""
    extents = extents_of(task.layer)
    if not could_fit(task, work, tiles):
        return best
    for order in range(DRAM_ORDERS):
        if is_repeated(tiles, order):
            continue
        could_fit(task, work, tiles)
        for tensor in range(3):
            times = refetches(extents, work.counts, (order, 0), RELEVANT[tensor], LOCAL)
            work.least[1:, tensor] = task.sizes[tensor] * times
            if tensor == INPUTS:
                work.least[LOCAL, tensor] = covered_words(task, work.counts, LOCAL) * times
        if not cannot_win(bound_of(task, work, work.fan, ALONE), best, task.objective):
            best = every_window(task, work, tiles, order, best)
    return best


@kernel()
def every_cut(task: Task, work: Work, best: Best) -> Best:
    """Try every balanced split of G, K, C and P into DRAM tiles, fewest tiles first."""
    extents = extents_of(task.layer)
    blocks = np.ones(DIMS, np.int64)
    for dim in (G, K, C, P):
        blocks[dim] = ceil_div(extents[dim], work.fan[2, dim])
    tiles = np.ones(DIMS, np.int64)
    tiles[N] = extents[N]
    while tiles[G] <= blocks[G]:
        tiles[K] = 1
        while tiles[K] <= blocks[K]:
            tiles[C] = 1
            while tiles[C] <= blocks[C]:
                tiles[P] = 1
                while tiles[P] <= blocks[P]:
                    best = every_dram_order(task, work, tiles, best)
                    tiles[P] = next_split(blocks[P], tiles[P])
                tiles[C] = next_split(blocks[C], tiles[C])
            tiles[K] = next_split(blocks[K], tiles[K])
        tiles[G] = next_split(blocks[G], tiles[G])
    return best


@kernel()
def best_of(
    task: Task, fans: IntArray, best: Best, best_counts: IntArray, best_orders: IntArray
) -> Best:
    """The best member of the space and `best`, which comes first; of equal ones the first.

    `fans` [assignments, 3, dims] bound the instances of each dim at the PE array, the lane
    array and the datapath. `best_counts` [dims, slots] and `best_orders` [2] are written when
    a member is better.
    """
    for i in range(len(fans)):
        work = Work(
            fans[i],
            np.ones((DIMS, SLOTS), np.int64),
            np.ones((3, 1)) * task.sizes,
            np.empty((3, 3, 3)),
            best_counts,
            best_orders,
        )
        if not cannot_win(bound_of(task, work, work.fan, ALONE), best, task.objective):
            best = every_cut(task, work, best)
    return best
