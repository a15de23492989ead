"""What the simulator reports of designs, with the unit in every name."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class DesignCosts:
    """Costs of B designs (a network on an accelerator each), as arrays.

    Attributes:
        latency_ms: [B] one inference, batch 1; inf where infeasible.
        energy_mj: [B] one inference, dynamic and leakage, DRAM included; inf where infeasible.
        area_mm2: [B] the accelerator.
        parameters: [B] trained numbers of the network.
        reason: [B] `vocabulary.Reason`; 0 where feasible.
    """

    latency_ms: NDArray[np.float64]
    energy_mj: NDArray[np.float64]
    area_mm2: NDArray[np.float64]
    parameters: NDArray[np.int64]
    reason: NDArray[np.int64]
