"""Costs of a joint space's choices: what the simulator says of the designs they describe."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from nahas.cost import DesignCosts
from nahas.energy import Tables, area_mm2, packaged_tables
from nahas.sequence import estimate_designs, hardware_rows, solve_designs
from nahas.simulate import clocks_mhz, design_totals
from nahas.spaces.joint import JointSpace
from nahas.spaces.pairs import PairCosts
from nahas.spaces.points import Points
from nahas.spaces.space import ChoiceArray
from nahas.vocabulary import Objective

_COLUMNS = {
    "latency_ms": np.float64,
    "energy_mj": np.float64,
    "area_mm2": np.float64,
    "parameters": np.int64,
    "reason": np.int64,
}

BLOCK = 1024
"""Designs solved at a time: some 50 MB of intermediate tables."""


def simulate_choices(
    joint: JointSpace,
    choices: ChoiceArray,
    objective: Objective = Objective.LATENCY,
    tables: Tables | None = None,
) -> DesignCosts:
    """Costs of choices [B, D]: as `simulate_designs` of `joint.designs(choices)`, but quicker.

    No network is built, and designs of one accelerator map the layers that they share once.

    Args:
        joint: the space.
        choices: [B, D] indices of its decisions.
        objective: what each layer's mapping minimises.
        tables: energy and area tables; the packaged ones when None.

    Raises:
        SpaceError: when the choices are not of the space.
        NetworkError: when a network cannot be simulated.
        EnergyError: when an accelerator is outside the tables.
    """
    networks, accelerators = joint.split(choices)
    flat = np.ravel_multi_index(tuple(accelerators.T), tuple(joint.accelerator.cardinalities))
    tables = packaged_tables() if tables is None else tables
    points = joint.points(tables)
    simulated = partial(_one_by_one, joint, objective=objective, tables=tables)
    order = np.arange(len(choices))
    if points is None or not points.known[flat].all():
        order = np.argsort(flat, kind="stable")
    else:
        solved = joint.pair_costs(tables, objective)
        simulated = partial(_together, joint, points, solved)
    parts = []
    for start in range(0, len(choices), BLOCK):
        rows = order[start : start + BLOCK]
        parts.append(simulated(networks[rows], accelerators[rows], flat[rows]))
    back = np.argsort(order, kind="stable")
    return DesignCosts(
        **{
            name: np.concatenate([np.zeros(0, kind), *(getattr(part, name) for part in parts)])[
                back
            ]
            for name, kind in _COLUMNS.items()
        }
    )


def _together(
    joint: JointSpace,
    points: Points,
    solved: PairCosts,
    networks: ChoiceArray,
    _: ChoiceArray,
    flat: NDArray[np.int64],
) -> DesignCosts:
    """Costs of designs whose accelerators are made already."""
    found = joint.network_tables.of(networks)
    rows = points.rows[flat]
    outcome = estimate_designs(found.layers, rows, solved.of(found.numbers, flat))
    latency_ms, energy_mj, reason = design_totals(outcome, rows, points.clock_mhz[flat])
    return DesignCosts(
        latency_ms=latency_ms,
        energy_mj=energy_mj,
        area_mm2=points.area_mm2[flat],
        parameters=found.parameters,
        reason=reason,
    )


def _one_by_one(
    joint: JointSpace,
    networks: ChoiceArray,
    accelerators: ChoiceArray,
    flat: NDArray[np.int64],
    objective: Objective,
    tables: Tables,
) -> DesignCosts:
    """The same where accelerators must be made one by one."""
    _, first, which = np.unique(flat, return_index=True, return_inverse=True)
    hardware = [joint.hardware(row) for row in accelerators[first]]
    points = hardware_rows(hardware, tables)
    found = joint.network_tables.of(networks)
    repeated = which.repeat(np.diff(found.layers.starts))
    twins = found.numbers * len(hardware) + repeated
    outcome = solve_designs(found.layers, points[which], objective, twins)
    totals = design_totals(outcome, points[which], clocks_mhz(hardware)[which])
    latency_ms, energy_mj, reason = totals
    return DesignCosts(
        latency_ms=latency_ms,
        energy_mj=energy_mj,
        area_mm2=np.array([area_mm2(point, tables) for point in hardware])[which],
        parameters=found.parameters,
        reason=reason,
    )
