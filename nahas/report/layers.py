"""The layers of chosen designs: what bounds them, what their energy goes to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nahas.energy import Tables
from nahas.hardware import Hardware
from nahas.network import Network
from nahas.report.network import BOUNDS, COMPONENTS, shape_text
from nahas.simulate import LayerCost, NetworkCost, simulate
from nahas.vocabulary import Objective, Reason

DIGITS = 5
"""Significant digits of a number that is drawn."""

AGREES = 1e-6
"""By how much, relatively, costs that were simulated again may differ from a study's."""

COMPONENT_WORDS = ("MAC", "register file", "local memory", "DRAM", "leakage")
"""`COMPONENTS` as people say them."""


def layer_documents(
    networks: Sequence[Network],
    hardware: Sequence[Hardware],
    kept: Sequence[Mapping[str, float]],
    objective: Objective,
    tables: Tables | None,
) -> list[dict[str, Any] | None]:
    """The layers of B designs that can run, in JSON's types, a column for each measure.

    None stands for a design whose latency or energy is not what the study kept, as the tables or
    the simulator have changed since: its layers would explain another cost.

    Args:
        networks: [B].
        hardware: [B].
        kept: [B] `latency_ms` and `energy_mj` of the study.
        objective: what the mappings minimise.
        tables: energy and area tables; the packaged ones when None.
    """
    told = []
    for network, point, of in zip(networks, hardware, kept, strict=True):
        cost = simulate(network, point, objective, tables)
        told.append(_document(cost) if _agrees(cost, of) else None)
    return told


def _agrees(cost: NetworkCost, kept: Mapping[str, float]) -> bool:
    again = (cost.latency_ms, cost.energy_mj)
    return bool(
        cost.reason is Reason.OK
        and np.allclose(again, (kept["latency_ms"], kept["energy_mj"]), rtol=AGREES, atol=0)
    )


def _document(cost: NetworkCost) -> dict[str, Any]:
    hardware, layers = cost.hardware, cost.layers
    return {
        "network": cost.network.name,
        "peak_gmacs": rounded(hardware.peak_tops * 500),
        "io_gb_per_s": hardware.io_gb_per_s,
        "waited_ms": rounded(_ms(cost.startup_cycles + cost.drain_cycles, hardware)),
        "name": [of.layer.name for of in layers],
        "shape": [shape_text(of.layer) for of in layers],
        "macs": [of.layer.macs for of in layers],
        "ms": [rounded(_ms(of.cycles, hardware)) for of in layers],
        "bytes": [int(_traffic(of)) for of in layers],
        "bound": [BOUNDS[of.bound] for of in layers],
        "use": [rounded(of.utilisation) for of in layers],
        "energy_uj": [[rounded(getattr(of, part) / 1e6) for of in layers] for part in COMPONENTS],
    }


def _ms(cycles: float, hardware: Hardware) -> float:
    return cycles / (hardware.clock_mhz * 1e3)


def _traffic(of: LayerCost) -> float:
    return of.weight_bytes + of.input_bytes + of.output_bytes


def rounded(value: float) -> float | None:
    """A number to `DIGITS` significant digits; None where it is not finite."""
    return float(f"{value:.{DIGITS}g}") if np.isfinite(value) else None
