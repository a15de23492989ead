"""Networks of which some chains of layers run tile by tile, where that is better.

[docs/equations.md 12]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from nahas.kernels.fusion import StageRow, fuse_groups
from nahas.kernels.parameters import keep_weights
from nahas.kernels.records import HardwareRow, LayerRow, ResidencyRow
from nahas.kernels.residency import settle_designs
from nahas.kernels.search import rank
from nahas.network import NO_OPERAND, LayerTable, stacked
from nahas.sequence import Outcome, empty_outcome, map_layers, sequence, solve_layers
from nahas.vocabulary import LayerKind, Objective, Reason

WEIGHTS = ResidencyRow._fields.index("weights_on_chip")

Chain = tuple[int, int]
"""First layer of a chain, and how many layers it has."""


def chains_of(table: LayerTable) -> list[Chain]:
    """The chains of a network that may be fused, in execution order; none overlap.

    A pointwise layer, one with a window and a pointwise one (an inverted bottleneck), or one with
    a window and a pointwise one that begins no such chain (a fused inverted bottleneck), and the
    sum that follows, if its other operand was there before. Each layer reads the one before it,
    and nobody else does.
    """
    reads = np.bincount(table.operands[table.operands >= 0], minlength=len(table.rows))
    layers = [LayerRow(*row) for row in table.rows.tolist()]

    def follows(i: int) -> bool:
        own, before = layers[i], layers[i - 1]
        return (
            reads[i - 1] == 1
            and table.operands[i].tolist() == [i - 1, NO_OPERAND]
            and own.g * own.c == before.g * before.k
        )

    def closes(i: int, first: int) -> bool:
        if i == len(layers) or layers[i].kind != LayerKind.ADD or reads[i - 1] != 1:
            return False
        sources = table.operands[i].tolist()
        return i - 1 in sources and min(sources) != NO_OPERAND and min(sources) < first

    def matches(i: int, *windows: bool) -> bool:
        if i + len(windows) > len(layers):
            return False
        return all(
            layers[i + j].kind == LayerKind.CONVOLUTION
            and (layers[i + j].r * layers[i + j].s > 1) == window
            and (j == 0 or follows(i + j))
            for j, window in enumerate(windows)
        )

    found, i = [], 0
    while i < len(layers):
        stages = 3 if matches(i, False, True, False) else 0
        if matches(i, True, False) and not matches(i + 1, False, True, False):
            stages = 2
        if stages:
            stages += closes(i + stages, i)
            found.append((i, stages))
        i += max(stages, 1)
    return found


def solve_fused(
    tables: Sequence[LayerTable],
    points: NDArray[np.float64],
    objective: Objective,
    twins: NDArray[np.int64] | None = None,
) -> Outcome:
    """As `sequence.solve_designs`, with the chains fused that make a design better.

    Design by design: the chains of which something crosses the I/O interface between two
    layers are fused; those that are then no better than layer by layer are given up, until all
    that are left are better; and the design is fused only if its totals are better.
    """
    plain = solve_layers(stacked(tables), points, objective, twins)
    result = replace(plain, stages=np.zeros((len(plain.costs), len(StageRow._fields)), np.int64))
    for i, table in enumerate(tables):
        part = slice(plain.starts[i], plain.starts[i + 1])
        layered, point = _part(plain, part), points[i : i + 1]
        fused = _fuse(table, point, layered, objective)
        if fused is None or _totals(fused, point, objective) >= _totals(layered, point, objective):
            continue
        for name in ("costs", "mappings", "counts", "stays", "candidates", "stages"):
            getattr(result, name)[part] = getattr(fused, name)
    sequence(result, points.repeat(np.diff(result.starts), axis=0))
    return result


def _part(outcome: Outcome, part: slice) -> Outcome:
    """One design of several."""
    one = empty_outcome(np.array([0, part.stop - part.start]), outcome.stays[part])
    return replace(one, costs=outcome.costs[part], candidates=outcome.candidates[part])


def _totals(
    outcome: Outcome, point: NDArray[np.float64], objective: Objective
) -> tuple[float, float]:
    """What the objective ranks a design by: start-up, drain and prefetch included."""
    ran = replace(outcome, costs=outcome.costs.copy())
    sequence(ran, point.repeat(len(ran.costs), axis=0))
    if ran.column("reason").max() != Reason.OK:
        return np.inf, np.inf
    waiting = ran.waiting.sum()
    leaked = waiting * point[0, HardwareRow._fields.index("leakage_pj_per_cycle")]
    cycles, energy = ran.column("cycles").sum() + waiting, ran.column("energy_pj").sum() + leaked
    return rank(float(cycles), float(energy), int(objective))


def _fuse(
    table: LayerTable, point: NDArray[np.float64], layered: Outcome, objective: Objective
) -> Outcome | None:
    """The design with every chain fused that is better so; None where none is.

    `layered` are the costs of its layers by themselves.
    """
    chains = [
        (first, stages)
        for first, stages in chains_of(table)
        if not layered.stays[first : first + stages - 1, 1].all()
    ]
    while chains:
        fused, figures, dram_words = _fused_groups(table, point, chains, objective)
        better = [
            rank(cycles, energy, int(objective)) < _figures(layered, chain, objective)
            for chain, (cycles, energy, _) in zip(chains, figures.tolist(), strict=True)
        ]
        if all(better):
            map_layers(fused, (table.rows, point, dram_words), objective)
            return fused
        chains = [chain for chain, wins in zip(chains, better, strict=True) if wins]
    return None


def _figures(layered: Outcome, chain: Chain, objective: Objective) -> tuple[float, float]:
    """What the objective ranks a chain by, layer by layer."""
    part = slice(chain[0], sum(chain))
    if layered.column("reason")[part].max() != Reason.OK:
        return np.inf, np.inf
    cycles, energy = (float(layered.column(name)[part].sum()) for name in ("cycles", "energy_pj"))
    return rank(cycles, energy, int(objective))


def _fused_groups(
    table: LayerTable, point: NDArray[np.float64], chains: list[Chain], objective: Objective
) -> tuple[Outcome, NDArray[np.float64], NDArray[np.float64]]:
    """Costs of the fused chains, their figures [G, 3], and the operand words from DRAM [L]."""
    stays, dram_words, around = _settle(table, point, chains)
    fused = empty_outcome(np.array([0, len(table.rows)]), stays)
    plans = np.zeros((len(table.rows), len(StageRow._fields)), np.int64)
    groups = np.array([(first, stages, 0) for first, stages in chains])
    figures = np.empty((len(chains), 3))
    outcome = (fused.costs, fused.mappings, plans)
    near = (around, np.ascontiguousarray(stays[:, WEIGHTS]))
    fuse_groups(table.rows, point, groups, near, int(objective), outcome, figures)
    for (first, stages), (_, _, costed) in zip(chains, figures.tolist(), strict=True):
        fused.candidates[first] = costed
        fused.stays[first + 1 : first + stages, 0] = 1.0
        fused.stays[first : first + stages - 1, 1] = 1.0
    return replace(fused, stages=plans), figures, dram_words


def _settle(
    table: LayerTable, point: NDArray[np.float64], chains: list[Chain]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """What stays on chip when each chain runs as if it were one layer.

    Weights stay layer by layer, beside the activations that stay so.

    Returns:
        As of `settle_designs`, for every layer what holds for its chain: records.RESIDENCY
        [L, 4] and operand words from DRAM [L]; and of every chain [G, 4] all of `stages.Around`
        but for the weights.
    """
    is_first = np.ones(len(table.rows), bool)
    for first, stages in chains:
        is_first[first + 1 : first + stages] = False
    firsts, node = np.flatnonzero(is_first), np.cumsum(is_first) - 1
    lasts = np.append(firsts[1:], len(node)) - 1
    operands, sizes = table.operands[firsts], table.sizes[firsts]
    for first, stages in chains:
        last = first + stages - 1
        if table.rows[last, 0] == LayerKind.ADD:
            addend = int(table.operands[last, 0] == last - 1)
            operands[node[first], 1] = table.operands[last, addend]
            sizes[node[first], 1] = table.sizes[last, addend]
    operands = np.where(operands >= 0, node[operands], operands)
    flow = (operands, sizes, table.output_words[lasts], node[table.last_use[lasts]])
    reserved, words = np.empty((2, len(firsts))), np.empty(len(firsts))
    stays = np.empty((len(firsts), len(ResidencyRow._fields)))
    settle_designs(np.array([0, len(firsts)]), flow, point, reserved, stays, words)
    on_chip = (operands == NO_OPERAND) | ((operands >= 0) & (reserved[0][operands] == 1.0))
    every, begins = stays[node], [first for first, _ in chains]
    keep_weights(np.array([0, len(node)]), table.rows, point, every)
    around = np.column_stack([on_chip[node[begins]].astype(np.float64), every[begins, 1:3]])
    return every, words[node], around
