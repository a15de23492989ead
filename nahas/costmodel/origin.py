"""Whose costs a model learned or a file holds: they serve only where all of it is the same."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nahas.costmodel.features import space_fingerprint
from nahas.costmodel.samples import Simulate
from nahas.energy import Tables, packaged_tables
from nahas.errors import CostModelError
from nahas.kernels._jit import kernel_fingerprint
from nahas.spaces.joint import JointSpace

PROBES = 8
"""Designs simulated to know a simulator again."""

WHAT = {
    "hardware_space": "hardware space",
    "space": "space",
    "space_fingerprint": "version of space '{space}'",
    "kernels_fingerprint": "version of the simulator's kernels",
    "tables_fingerprint": "set of energy and area tables",
    "probes_fingerprint": "simulator: the costs of fixed designs differ",
}
"""What differs where a field differs, in the order of looking."""


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where costs come from.

    Attributes:
        space: name of the joint space.
        hardware_space: name of its hardware space, as users type it.
        space_fingerprint: of the joint space's decisions and values.
        kernels_fingerprint: of the simulator's kernels that made the labels.
        tables_fingerprint: of the energy and area tables that made the labels.
        probes_fingerprint: of the costs of a few fixed designs, nine digits each: whatever else
            changes a cost, in the blocks of networks or the rules between layers, changes it.
    """

    space: str
    hardware_space: str
    space_fingerprint: str
    kernels_fingerprint: str
    tables_fingerprint: str
    probes_fingerprint: str


def origin_here(joint: JointSpace, tables: Tables | None, simulate: Simulate) -> Origin:
    """The origin of what would be learned or labelled here and now."""
    costs = simulate(joint.space.sample(PROBES, np.random.default_rng(0)))
    numbers = np.concatenate([costs.latency_ms, costs.energy_mj, costs.area_mm2])
    text = " ".join(f"{number:.9g}" for number in numbers)
    return Origin(
        space=joint.space.name,
        hardware_space=joint.hardware_space,
        space_fingerprint=space_fingerprint(joint.space),
        kernels_fingerprint=kernel_fingerprint(),
        tables_fingerprint=(tables or packaged_tables()).fingerprint,
        probes_fingerprint=hashlib.sha256(text.encode()).hexdigest()[:16],
    )


def check_origin(theirs: Origin, here: Origin, path: Path, remedy: str) -> None:
    """Refuse a file of another space, simulator or table.

    Args:
        theirs: what the file was made from.
        here: what it is to serve.
        path: the file.
        remedy: what to do about it, the end of the sentence.

    Raises:
        CostModelError: naming what differs, and the remedy.
    """
    for field, name in WHAT.items():
        made, now = getattr(theirs, field), getattr(here, field)
        if made != now:
            raise CostModelError(
                f"{path}: is of another {name.format(space=here.space)} "
                f"('{made}', here '{now}'); {remedy}"
            )
