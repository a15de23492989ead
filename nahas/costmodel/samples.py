"""Designs drawn at random and labelled by the simulator, and how they are split."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nahas.cost import DesignCosts
from nahas.energy import Tables
from nahas.errors import CostModelError
from nahas.spaces.joint import JointSpace
from nahas.spaces.space import ChoiceArray, Space
from nahas.vocabulary import Objective

BATCH = 512
"""Designs simulated at a time: enough for the kernels' threads, often enough for progress."""

DATAPATH = ("pes_x", "pes_y", "simd_units", "compute_lanes")
"""Accelerators that share these four are held out together."""

Simulate = Callable[[ChoiceArray], DesignCosts]


@dataclass(frozen=True)
class Samples:
    """Feasible designs and what the simulator says of them.

    Attributes:
        choices: [N, D] of the joint space, distinct.
        logs: [N, 3] natural logarithms of latency in ms, energy in mJ, area in mm^2.
        drawn: designs simulated, those that cannot run among them.
    """

    choices: ChoiceArray
    logs: NDArray[np.float64]
    drawn: int


@dataclass(frozen=True)
class Split:
    """Row numbers of samples: to learn from, and held out in two ways.

    Attributes:
        train: [T] rows to learn from.
        random: [R] designs held out at random; their accelerators may be known.
        hardware: [H] designs on datapaths (`DATAPATH`) that no other row has.
    """

    train: NDArray[np.int64]
    random: NDArray[np.int64]
    hardware: NDArray[np.int64]


def simulator(joint: JointSpace, objective: Objective, tables: Tables | None) -> Simulate:
    """The simulator as a function of choices; `tables` of None are the packaged ones."""
    from nahas.simulate import simulate_designs

    return lambda choices: simulate_designs(*joint.designs(choices), objective, tables)


def distinct(space: Space, count: int, rng: np.random.Generator) -> ChoiceArray:
    """Draw `count` different choices [count, D], each set of them equally likely.

    Raises:
        CostModelError: when the space has fewer.
    """
    if count > space.size:
        raise CostModelError(
            f"{count} samples are asked for, but space '{space.name}' has {space.size} designs"
        )
    if space.size <= 4 * count:  # rejection would throw most draws away near the end
        flat = rng.choice(space.size, size=count, replace=False)
        return np.stack(np.unravel_index(flat, tuple(space.cardinalities)), axis=1)
    found = space.sample(count, rng)
    while True:
        _, first = np.unique(found, axis=0, return_index=True)
        found = found[np.sort(first)]  # in the order of drawing, not in that of unique
        if len(found) == count:
            return found
        found = np.concatenate([found, space.sample(count - len(found), rng)])


def label(
    choices: ChoiceArray, simulate: Simulate, progress: Callable[[int], None] | None = None
) -> Samples:
    """Simulate choices [N, D] in batches and keep the feasible ones.

    Args:
        choices: designs of the joint space.
        simulate: gives the costs of a batch of choices.
        progress: told the number of designs done, after every batch.

    Raises:
        CostModelError: when none of the designs can run.
    """
    kept, logs = [], []
    for start in range(0, len(choices), BATCH):
        batch = choices[start : start + BATCH]
        costs = simulate(batch)
        feasible = costs.reason == 0
        kept.append(batch[feasible])
        columns = (costs.latency_ms, costs.energy_mj, costs.area_mm2)
        logs.append(np.log(np.stack([column[feasible] for column in columns], axis=1)))
        if progress:
            progress(start + len(batch))
    samples = Samples(np.concatenate(kept), np.concatenate(logs), len(choices))
    if not len(samples.choices):
        raise CostModelError(f"none of the {len(choices)} designs drawn can run: nothing to learn")
    return samples


def split(
    joint: JointSpace, choices: ChoiceArray, rng: np.random.Generator, share: float = 0.1
) -> Split:
    """Hold out about `share` of the datapaths whole, and `share` of the other designs.

    Accelerators are 50,000, so a random design nearly always has one that no training design
    has; whole datapaths are held out to ask for more than that.

    Raises:
        CostModelError: when a part would be empty.
    """
    names = [decision.name for decision in joint.space.decisions]
    datapaths = choices[:, [names.index(name) for name in DATAPATH]]
    kinds, kind = np.unique(datapaths, axis=0, return_inverse=True)
    held = rng.permutation(len(kinds))[: max(1, round(share * len(kinds)))]
    is_held = np.isin(kind.reshape(-1), held)
    others = rng.permutation(np.flatnonzero(~is_held))
    cut = max(1, round(share * len(others)))
    parts = Split(np.sort(others[cut:]), np.sort(others[:cut]), np.flatnonzero(is_held))
    for name in ("train", "random", "hardware"):
        if not len(getattr(parts, name)):
            raise CostModelError(
                f"{len(choices)} feasible samples leave no {name} part: draw more samples"
            )
    return parts
