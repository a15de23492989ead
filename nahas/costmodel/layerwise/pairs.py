"""What the model learns from: layers on accelerators, and what stays on chip around them.

Layers are those of networks of some spaces, and more drawn at random, for networks that are in
none of them; accelerators are the paper's 50,000. They are paired as in `nahas.tile_bench`. Every
layer that one of some fixed networks has is kept out, so that these can be tested on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nahas import networks
from nahas.costmodel.layerwise.features import Floats, known
from nahas.energy import Tables
from nahas.kernels.records import CostRow, LayerRow
from nahas.kernels.residency import TILE_SHARE
from nahas.spaces import named as spaces
from nahas.tile_bench.solve import room, solve_part
from nahas.tile_bench.source import NETWORKS_PER_SPACE, Pairs, Source, mapped_layers, source_of
from nahas.vocabulary import LayerKind, Objective, Reason

SPACES = ("mnasnet", "macro", "s1")
"""Whose networks' layers are learned from. A space or network that is added to nahas must not
change which pairs a seed stands for, so neither list has all that there are."""

HELD_NETWORKS = (
    "mobilenet-v2",
    "efficientnet-b0",
    "efficientnet-edgetpu-s",
    "mobilenet-edgetpu",
    "resnet-50",
    "mobilenet-v3-large",
)
"""Fixed networks whose layers are kept out."""

DRAWN_LAYERS = 20_000
HELD_ACCELERATORS = 1_000
"""Accelerators that no pair to learn from has."""

MOST_CHANNELS = 4608
MOST_POSITIONS = 512
WINDOWS, WINDOW_SHARES = (1, 3, 5, 7, 9, 11), (0.35, 0.34, 0.2, 0.08, 0.02, 0.01)
STEPS, STEP_SHARES = (1, 2, 4), (0.72, 0.25, 0.03)
DILATIONS, DILATION_SHARES = (1, 2, 4), (0.94, 0.04, 0.02)
DEPTHWISE, GROUPED = 0.3, 0.1
OBLONG, DENSE, ROUND = 0.1, 0.08, 0.8
"""Shares of drawn layers that filter every channel, or groups of them, alone; that have unequal
sides, a single position, or channels in multiples of 8."""

STAYS, KEPT, OTHERS = 0.75, 0.15, 0.4
"""Shares of pairs whose input or output stays on chip where it fits, whose weights do, and around
which other tensors wait."""

WITH_WEIGHTS = 0.9
"""Part of local memory that may be held where weights stay too."""


@dataclass(frozen=True)
class Solved:
    """Pairs whose mappings fit, and what the simulator says of them.

    Attributes:
        pairs: N of them.
        costs: [N, 18] records.COST.
        counts: [N, 18] records.COUNTS.
    """

    pairs: Pairs
    costs: Floats
    counts: Floats


def held_accelerators(source: Source) -> NDArray[np.int64]:
    """Numbers of the accelerators that are kept out, the same for every seed."""
    return np.random.default_rng(0).choice(source.accelerators, HELD_ACCELERATORS, replace=False)


def source(seed: int, tables: Tables | None = None) -> Source:
    """The layers to learn from, on all accelerators."""
    rng = np.random.default_rng(seed)
    drawn = []
    for name in SPACES:
        space = spaces.named(name)
        drawn += [space.network(choice) for choice in space.space.sample(NETWORKS_PER_SPACE, rng)]
    rows = np.concatenate([mapped_layers(drawn), drawn_layers(DRAWN_LAYERS, rng)])
    held = mapped_layers([networks.named(name) for name in HELD_NETWORKS])
    different, first = np.unique(np.concatenate([held, rows]), axis=0, return_index=True)
    layers = different[first >= len(held)]
    return replace(source_of(seed, named_networks=drawn), layers=layers, tables=tables)


def drawn_layers(count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Rows [count, 14], records.LAYER, of convolutions drawn at random."""

    def some(share: float) -> NDArray[np.bool_]:
        return rng.random(count) < share

    def log_uniform(least: int, most: int) -> NDArray[np.int64]:
        return np.exp(rng.uniform(np.log(least), np.log(most + 1), count)).astype(np.int64)

    def channels() -> NDArray[np.int64]:
        number = log_uniform(3, MOST_CHANNELS)
        return np.where(some(ROUND) & (number > 8), number // 8 * 8, number)

    window = rng.choice(WINDOWS, count, p=WINDOW_SHARES)
    depthwise, dense = some(DEPTHWISE), some(DENSE)
    groups = np.where(some(GROUPED / (1.0 - DEPTHWISE)), 2 ** rng.integers(1, 6, count), 1)
    k, c = channels(), channels()
    side = log_uniform(1, MOST_POSITIONS)
    stride = rng.choice(STEPS, count, p=STEP_SHARES)
    dilation = rng.choice(DILATIONS, count, p=DILATION_SHARES)
    fields = {
        "g": np.where(depthwise, k, groups),
        "k": np.where(depthwise, 1, -(-k // groups)),
        "c": np.where(depthwise, 1, -(-c // groups)),
        "p": np.where(dense, 1, side),
        "q": np.where(dense, 1, np.where(some(OBLONG), log_uniform(1, MOST_POSITIONS), side)),
        "r": window,
        "s": np.where(some(OBLONG), 1, window),
        "stride_p": stride,
        "stride_q": stride,
        "dilation_r": np.where(window > 1, dilation, 1),
        "dilation_s": np.where(window > 1, dilation, 1),
    }
    rows = np.ones((count, len(LayerRow._fields)), np.int64)
    rows[:, LayerRow._fields.index("kind")] = LayerKind.CONVOLUTION
    for name, values in fields.items():
        rows[:, LayerRow._fields.index(name)] = values
    return rows


def draw(of: Source, start: int, stop: int) -> Pairs:
    """The pairs at places `start` to `stop` of the source, but for the accelerators kept out."""
    drawn = of.pairs(start, stop)
    mine = ~np.isin(drawn.pairs[:, 1], held_accelerators(of))
    pairs = replace(drawn, pairs=drawn.pairs[mine], stays=drawn.stays[mine])
    return replace(pairs, stays=_stays(pairs, np.random.default_rng((of.seed, start))))


def _stays(pairs: Pairs, rng: np.random.Generator) -> Floats:
    """What stays on chip around each layer [N, 4]: as in a network, what fits.

    Activations fill half the memory at most.
    """
    of, count = known(pairs), len(pairs.pairs)
    hw = of.hardware
    per_pe = hw["activation_bytes"] / (hw["pes_x"] * hw["pes_y"])
    most = TILE_SHARE * hw["local_memory_bytes"]
    inputs, outputs = of.inputs * per_pe, of.outputs * per_pe
    has_input = (rng.random(count) < STAYS) & (inputs <= most)
    has_output = (rng.random(count) < STAYS) & (outputs + inputs * has_input <= most)
    held = inputs * has_input + outputs * has_output
    weights = of.weights * hw["weight_bytes"] / (hw["pes_x"] * hw["pes_y"])
    with_weights = WITH_WEIGHTS * hw["local_memory_bytes"]
    has_weights = (rng.random(count) < KEPT) & (held + weights <= with_weights)
    held += weights * has_weights
    most = np.where(has_weights, with_weights, most)
    others = (rng.random(count) < OTHERS) * rng.random(count) * (most - held)
    return np.stack([has_input, has_output, np.ceil(held + others), has_weights], axis=1)


def solved(pairs: Pairs, objective: Objective) -> Solved:
    """The simulator's costs of pairs, without those that no mapping fits."""
    costs, _, counts, _ = solve_part(pairs, slice(None), objective, room(len(pairs.pairs)))
    fits = costs[:, CostRow._fields.index("reason")] == Reason.OK
    kept = replace(pairs, pairs=pairs.pairs[fits], stays=pairs.stays[fits])
    return Solved(kept, costs[fits], counts[fits])
