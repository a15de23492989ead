"""Designs of a joint space, drawn so that held-out ones ask what they claim, and their costs.

Networks and accelerators are crossed: a pool of networks, each on about `REUSE` accelerators, and
every accelerator with as many networks as any other. Drawn one by one, each of 500,000 designs
would have a network of its own, so every test row would be of a network never seen. Crossed, three
questions can be told apart: a row held out at random has a network and an accelerator that are
known from other rows; a row on a held-out accelerator, only a known network; a row with a held-out
network, only a known accelerator (`split`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nahas.cost import DesignCosts
from nahas.energy import Tables
from nahas.errors import CostModelError
from nahas.spaces.joint import JointSpace
from nahas.spaces.networks import NetworkSpace
from nahas.spaces.space import ChoiceArray, Space
from nahas.spaces.tables import LayerTables
from nahas.vocabulary import Objective, Reason

REUSE = 10
"""Accelerators that a network meets, where the space has enough of both."""

CHUNK = 10_000
"""Designs simulated at a time: enough to share work between them, often enough for progress."""

LISTED = 1 << 18
"""Networks up to which a space is listed to draw from: more would take seconds."""

INDICES = 256
"""Values that a decision may have, so that an index is a byte."""

COSTS = ("latency_ms", "energy_mj", "area_mm2")

Simulate = Callable[[ChoiceArray], DesignCosts]


@dataclass(frozen=True)
class Samples:
    """Designs and what the simulator says of them, as columns.

    Attributes:
        choices: [N, D] of the joint space, distinct; decisions that do not apply are 0.
        logs: [N, 3] natural logarithms of latency in ms, energy in mJ and area in mm^2; NaN
            latency and energy where a design cannot run.
        reason: [N] `vocabulary.Reason`; 0 where it can.
    """

    choices: NDArray[np.uint8]
    logs: NDArray[np.float32]
    reason: NDArray[np.uint8]

    def __len__(self) -> int:
        """Designs, those that cannot run among them."""
        return len(self.choices)


def simulator(joint: JointSpace, objective: Objective, tables: Tables | None) -> Simulate:
    """The simulator as a function of choices; `tables` of None are the packaged ones."""
    from nahas.spaces.simulated import simulate_choices

    return lambda choices: simulate_choices(joint, choices, objective, tables)


def draw(joint: JointSpace, count: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Draw `count` distinct designs [count, D], crossed as the module says.

    Networks are points of a scrambled Sobol sequence over their decisions, so that each decision,
    and each pair of them, is spread evenly; where a space is small, its networks are listed and
    drawn without replacement. Accelerators are strata: all of them, or `count` / `REUSE` drawn at
    random where there are more. They are dealt to the networks like cards, so that each serves
    as often as any other, to one, and so does each network.

    Rows are in order of accelerators, and these in random order: designs that share one are
    simulated together.

    Raises:
        CostModelError: when none are asked for, the space has fewer designs, or a decision has
            more than 256 values.
    """
    if count < 1:
        raise CostModelError(f"{count} samples are asked for, but at least 1 must be")
    _check_indices(joint.space)
    most = joint.accelerator.size
    crossed = _ceil(count, REUSE)
    pool = networks_of(joint.network_space, max(crossed, _ceil(count, most)), rng)
    used = min(most, max(crossed, _ceil(count, len(pool))))
    if len(pool) * used < count:
        raise CostModelError(
            f"{count:,} samples are asked for, but space '{joint.space.name}' has "
            f"{len(pool) * most:,} designs"
        )
    hand, card = deal(count, len(pool), used, rng)
    order = np.argsort(card, kind="stable")
    accelerators = rng.choice(most, size=used, replace=False)[card[order]]
    digits = np.unravel_index(accelerators, tuple(joint.accelerator.cardinalities))
    parts = [pool[hand[order]], np.stack(digits, axis=1)]
    return np.concatenate(parts, axis=1).astype(np.uint8)


def networks_of(space: NetworkSpace, count: int, rng: np.random.Generator) -> ChoiceArray:
    """Choices [count, D] of different networks, or of all where there are fewer.

    Decisions that do not apply are 0. Where the space is listed, every network is one choice; else
    choices are different, and so would networks be, were it not for blocks that mean the same.

    Raises:
        CostModelError: when a large space turns out to have fewer networks.
    """
    if space.space.size <= LISTED:
        every = np.indices(tuple(space.space.cardinalities)).reshape(len(space.space.decisions), -1)
        networks = np.unique(_alike(space, every.T), axis=0)
        networks = networks[LayerTables(space).different(networks)]
        return networks[rng.choice(len(networks), min(count, len(networks)), replace=False)]
    from scipy.stats.qmc import Sobol

    points = Sobol(len(space.space.decisions), seed=rng)
    found = np.empty((0, len(space.space.decisions)), dtype=np.int64)
    power = (count - 1).bit_length()
    while len(found) < count:
        drawn = (points.random_base2(power) * space.space.cardinalities).astype(np.int64)
        power = points.num_generated.bit_length() - 1  # as many again keep the sequence balanced
        before, found = len(found), np.concatenate([found, _alike(space, drawn)])
        _, first = np.unique(found, axis=0, return_index=True)
        found = found[np.sort(first)]
        if len(found) == before:
            raise CostModelError(
                f"{count:,} networks of space '{space.name}' are needed, but only {before:,} differ"
            )
    return found[:count]


def deal(
    count: int, hands: int, cards: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Deal `count` cards to `hands` players, from one shuffled pack of `cards` after the other.

    A player gets a whole hand before the next one does, and no card twice: where a hand goes on
    in a new pack, the cards it holds already are put under that pack. There are enough others,
    because no hand is larger than a pack.

    Args:
        count: pairs of a hand and a card, at most `hands` * `cards`.
        hands: players; their hands differ in size by one at most.
        cards: of a pack; each is dealt as often as any other, to one.
        rng: shuffles.

    Returns:
        The hand [count] and the card [count] of every pair; no pair stands twice.
    """
    size, more = divmod(count, hands)
    sizes = np.full(hands, size)
    sizes[:more] += 1
    hand = np.repeat(np.arange(hands), sizes)
    first = np.cumsum(sizes) - sizes
    card = np.empty(count, dtype=np.int64)
    for start in range(0, count, cards):
        pack = rng.permutation(cards)
        held = np.isin(pack, card[first[hand[start]] : start])
        pack = np.concatenate([pack[~held], pack[held]])
        card[start : start + cards] = pack[: count - start]
    return hand, card


def label(
    choices: NDArray[np.uint8], simulate: Simulate, progress: Callable[[int], None] | None = None
) -> Samples:
    """Simulate choices [N, D] in chunks.

    Args:
        choices: designs of the joint space.
        simulate: gives the costs of choices.
        progress: told the number of designs done, after every chunk.
    """
    costs = np.empty((len(choices), len(COSTS)), dtype=np.float32)
    reason = np.empty(len(choices), dtype=np.uint8)
    for start in range(0, len(choices), CHUNK):
        chunk = slice(start, start + CHUNK)
        costs[chunk], reason[chunk] = simulated(choices[chunk], simulate)
        if progress:
            progress(min(start + CHUNK, len(choices)))
    return samples_of(choices, costs, reason)


def simulated(
    choices: NDArray[np.uint8], simulate: Simulate
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """The `COSTS` [B, 3] of choices [B, D], with NaN for what cannot run, and the reasons [B]."""
    of_designs = simulate(choices.astype(np.int64))
    costs = np.stack([getattr(of_designs, name) for name in COSTS], axis=1).astype(np.float32)
    costs[of_designs.reason != Reason.OK, :2] = np.nan
    return costs, of_designs.reason.astype(np.uint8)


def samples_of(
    choices: NDArray[np.uint8], costs: NDArray[np.float32], reason: NDArray[np.uint8]
) -> Samples:
    """Samples of the costs [N, 3] in their units."""
    return Samples(choices, np.log(costs.astype(np.float64)).astype(np.float32), reason)


def _alike(space: NetworkSpace, networks: ChoiceArray) -> ChoiceArray:
    """Network choices [B, D] that are equal where they differ only in what does not apply."""
    return np.where(space.applicable(networks), networks, 0)


def _check_indices(space: Space) -> None:
    for decision in space.decisions:
        if len(decision.values) > INDICES:
            raise CostModelError(
                f"decision '{decision.name}' has {len(decision.values)} values, but samples hold "
                f"decisions of at most {INDICES}"
            )


def _ceil(count: int, parts: int) -> int:
    return -(-count // parts)
