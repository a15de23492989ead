"""Totals of all networks on many accelerators, and what rewards make of them.

A network is a chain of links (`nahas.exact.chains`), each of which costs so many cycles and so
much energy on an accelerator: its totals are their sums. Networks that begin alike share the sums
of their beginning.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange
from numpy.typing import NDArray

from nahas.kernels._jit import kernel

Array = NDArray[Any]

TOGETHER = 64  # networks summed by one thread, one after the other

LATENCY_LIMIT, ENERGY_LIMIT, AREA_LIMIT, MET, MISSED, ADDS, LEAST = range(7)
"""Fields of a goal: limits, infinite where there is none; p, q; 1 where targets add; and the
lowest reward."""

REWARD, ENERGY, AREA, ACCELERATOR, TIES = range(5)
"""What is remembered of the best design of a network."""


@kernel(parallel=True)
def add_up(
    chains: tuple[Array, Array, Array, Array], links: tuple[Array, Array],
    columns: Array, totals: tuple[Array, Array],
) -> None:  # fmt: skip
    """Write the cycles and the energy of N networks on A accelerators.

    Sums go from the first link to the last. Each thread begins its networks afresh, so the
    result does not depend on how many there are.

    Args:
        chains: as in `exact.Chains`: order [N], chains [N, L], lengths [N], shared [N].
        links: cycles and energy [M, A] of every link; infinite where a layer cannot run.
        columns: [A] where in the totals each accelerator is.
        totals: cycles and energy [N, ...], written.
    """
    order, ids, lengths, shared = chains
    size, width = ids.shape[0], columns.size
    for block in prange((size + TOGETHER - 1) // TOGETHER):
        sums = np.zeros((ids.shape[1] + 1, width))
        energies = np.zeros((ids.shape[1] + 1, width))
        for i in range(block * TOGETHER, min((block + 1) * TOGETHER, size)):
            for j in range(shared[i] if i > block * TOGETHER else 0, lengths[i]):
                extend(sums, links[0], ids[i, j], j)
                extend(energies, links[1], ids[i, j], j)
            row = order[i]
            for a in range(width):
                totals[0][row, columns[a]] = sums[lengths[i], a]
                totals[1][row, columns[a]] = energies[lengths[i], a]


@kernel(inline=True)
def extend(sums: Array, links: Array, link: int, place: int) -> None:
    """Write the sums after a link [A] beside those before it."""
    for a in range(sums.shape[1]):
        sums[place + 1, a] = sums[place, a] + links[link, a]


@kernel(parallel=True)
def judge(
    costs: tuple[Array, Array, Array], networks: tuple[Array, Array], accelerators: Array,
    goals: Array, best: Array, met: Array,
) -> None:  # fmt: skip
    """Remember of every network its best design under every goal.

    Better is more reward, then less energy, then less area, then the earlier accelerator. Each
    thread looks at its own networks.

    Args:
        costs: latency in ms [N, A], energy in mJ [N, A], area in mm2 [A].
        networks: what each earns [R, N] by its accuracy and its parameters, NaN where the accuracy
            is not known; and whether it meets a target of parameters [R, N].
        accelerators: [A] their numbers.
        goals: [R, 7].
        best: [R, 2, N, 5] of the designs that meet every target, and of all; changed.
        met: [R, N] int64, designs that meet every target; changed.
    """
    (latency, energy, area), (worth, small) = costs, networks
    for n in prange(latency.shape[0]):
        if not np.isfinite(worth[0, n]):
            continue
        for a in range(latency.shape[1]):
            if latency[n, a] == np.inf:
                continue
            rest = (energy[n, a], area[a], float(accelerators[a]))
            for r in range(goals.shape[0]):
                goal = goals[r]
                earned = earns(goal, worth[r, n], latency[n, a], energy[n, a], area[a])
                remember(best[r, 1, n], earned, rest)
                if (
                    small[r, n]
                    and latency[n, a] <= goal[LATENCY_LIMIT]
                    and energy[n, a] <= goal[ENERGY_LIMIT]
                    and area[a] <= goal[AREA_LIMIT]
                ):
                    met[r, n] += 1
                    remember(best[r, 0, n], earned, rest)


@kernel(inline=True)
def earns(goal: Array, worth: float, latency: float, energy: float, area: float) -> float:
    """The reward of a design that runs, of a network that earns so much; as `Reward.of`."""
    reward = worth
    for target, metric in ((LATENCY_LIMIT, latency), (ENERGY_LIMIT, energy), (AREA_LIMIT, area)):
        if goal[target] == np.inf:
            continue
        ratio = metric / goal[target]
        weight = goal[MET] if ratio <= 1.0 else goal[MISSED]
        if goal[ADDS] == 1.0:
            reward += 100.0 * weight * abs(ratio - 1.0)
        elif weight == -1.0:
            reward /= ratio
        elif weight != 0.0:
            reward *= ratio**weight
    earned: float = max(reward, goal[LEAST])
    return earned


@kernel(inline=True)
def remember(best: Array, earned: float, rest: tuple[float, float, float]) -> None:
    """Keep the better of the best so far [5] and a design, and count those that earn as much."""
    if earned < best[REWARD]:
        return
    ties = best[TIES] + 1.0 if earned == best[REWARD] else 1.0
    better = earned > best[REWARD]
    if not better:
        kept = (best[ENERGY], best[AREA], best[ACCELERATOR])
        better = rest < kept
    best[TIES] = ties
    if better:
        best[REWARD], best[ENERGY], best[AREA], best[ACCELERATOR] = (
            earned,
            rest[0],
            rest[1],
            rest[2],
        )


@kernel(parallel=True)
def screen(
    costs: tuple[Array, Array], accuracy: Array, order: Array, used: tuple[float, float],
    known: tuple[Array, Array, Array], left: Array,
) -> None:  # fmt: skip
    """Mark the designs that none of some known ones equals or betters in three objectives.

    Networks are looked at from the most accurate on. Of the known designs that are no less
    accurate than a network, a staircase is kept, which falls in energy as it rises in latency: a
    design is out where the last stair that is no slower takes no more energy. Each thread looks
    at its own accelerators.

    Args:
        costs: latency and energy [N, A]; infinite where infeasible.
        accuracy: [N].
        order: [N or fewer] the networks to look at, the most accurate first.
        used: 1 or 0 for latency and energy: whether it is an objective.
        known: accuracy, latency and energy [D] of known designs, the most accurate first.
        left: [N, A] bool, written where `order` says.
    """
    width = left.shape[1]
    for block in prange((width + TOGETHER - 1) // TOGETHER):
        begin, end = block * TOGETHER, min((block + 1) * TOGETHER, width)
        stairs = np.empty((2, known[0].size + 1))
        count, following = 0, 0
        for n in order:
            while following < known[0].size and known[0][following] >= accuracy[n]:
                count = step_in(stairs, count, known[1][following], known[2][following])
                following += 1
            for a in range(begin, end):
                left[n, a] = False
                if costs[0][n, a] < np.inf:
                    slow, hot = costs[0][n, a] * used[0], costs[1][n, a] * used[1]
                    at = stair(stairs, count, slow)
                    left[n, a] = at < 0 or stairs[1, at] > hot


@kernel(inline=True)
def stair(stairs: Array, count: int, latency: float) -> int:
    """The last of so many stairs that is no slower; -1 where every one is."""
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        if stairs[0, middle] <= latency:
            low = middle + 1
        else:
            high = middle
    return low - 1


@kernel(inline=True)
def step_in(stairs: Array, count: int, latency: float, energy: float) -> int:
    """Add a point to a staircase [2, ...] of so many stairs; how many there are then."""
    at = stair(stairs, count, latency)
    if at >= 0 and stairs[1, at] <= energy:
        return count
    first = at if at >= 0 and stairs[0, at] == latency else at + 1
    last = first
    while last < count and stairs[1, last] >= energy:
        last += 1
    moved = count - last
    if last == first:
        for i in range(moved):
            stairs[0, count - i] = stairs[0, count - i - 1]
            stairs[1, count - i] = stairs[1, count - i - 1]
    else:
        for i in range(moved):
            stairs[0, first + 1 + i] = stairs[0, last + i]
            stairs[1, first + 1 + i] = stairs[1, last + i]
    stairs[0, first], stairs[1, first] = latency, energy
    return first + 1 + moved
