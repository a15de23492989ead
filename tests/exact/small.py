"""Problems of few designs, costed by the simulator."""

from __future__ import annotations

from functools import partial

import numpy as np

from nahas.hardware import preset
from nahas.problem import Problem
from nahas.simulate import simulate_designs
from nahas.spaces.joint import JointSpace
from nahas.spaces.listed import listed
from nahas.spaces.named import named
from nahas.spaces.simulated import simulate_choices
from nahas.spaces.space import Decision, Space
from nahas.vocabulary import Objective

ACCELERATORS = {
    "pes_x": (1, 4),
    "pes_y": (1, 2),
    "simd_units": (32, 1024),
    "compute_lanes": (1, 4),
    "local_memory_mb": (0.125, 2),
    "register_file_kb": (8, 16),
    "io_gb_per_s": (5, 25),
}
"""Small memories keep few activations, and the widest datapaths may lack registers."""


def accelerators(**values) -> Space:
    """A space of accelerators: those above, but for what is given."""
    lists = {**ACCELERATORS, **values}
    return Space("few", tuple(Decision(name, tuple(of)) for name, of in lists.items()))


class Drawn:
    """Made-up accuracies: some equal, some not known."""

    label = "top-1 % of nothing"

    def __init__(self, size: int, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.known = rng.integers(60, 75, size).astype(float)
        self.known[rng.random(size) < 0.1] = np.nan
        self.radix: tuple[int, ...] = ()

    def accuracy(self, choices):
        flat = np.ravel_multi_index(tuple(choices.T), self.radix)
        return self.known[flat]


def problem_of_few(
    space: str, count: int, accelerator: Space | None = None, objective=Objective.LATENCY
) -> Problem:
    """Some networks of a space on some accelerators."""
    whole = named(space)
    drawn = whole.space.sample(3 * count, np.random.default_rng(1))
    names = dict.fromkeys(whole.network_name(whole.space.values(of)) for of in drawn)
    network_space = listed(whole, list(names)[:count])
    joint = JointSpace(network_space, accelerator or accelerators())
    accuracy = Drawn(network_space.space.size)
    accuracy.radix = tuple(network_space.space.cardinalities)
    return Problem(
        joint=joint,
        accuracy=accuracy,
        cost=partial(simulate_choices, joint, objective=objective),
        simulate=partial(simulate_designs, objective=objective),
        reference=np.zeros(1, np.int64),
        baseline=preset("edge-baseline"),
        objective=objective,
    )
