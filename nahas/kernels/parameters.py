"""Which weights stay on chip between inferences.

[docs/equations.md 10.4]
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.kernels._jit import kernel
from nahas.kernels.rows import hardware_row, layer_row
from nahas.kernels.stages import weight_words

Array = NDArray[Any]


@kernel()
def keep_weights(starts: Array, layers: Array, points: Array, stays: Array) -> None:
    """Decide for B designs, N layers in all, whose weights wait on chip for the next inference.

    Parameter memory holds weights beside the activations that stay, in the layer where these
    are most. In execution order the weights of a layer stay when all of them, spread evenly
    over the PEs, fit what is left; an early layer has the place first, and one that does not
    fit leaves it to those behind. What stays is there while any layer runs.

    Args:
        starts: [B + 1] int64, where each design's layers start.
        layers: [N, 14] int64, records.LAYER.
        points: [B, 23] float64, records.HARDWARE.
        stays: [N, 4] float64, records.RESIDENCY as `residency.settle_designs` left it:
            weights_on_chip is written, reserved_bytes grows by what stays.
    """
    for i in range(points.shape[0]):
        hw = hardware_row(points[i])
        pes, here = hw.pes_x * hw.pes_y, stays[starts[i] : starts[i + 1]]
        room = hw.parameter_memory_bytes - here[:, 2].max()
        held = 0.0
        for j in range(here.shape[0]):
            needed = np.ceil(weight_words(layer_row(layers[starts[i] + j])) * hw.weight_bytes / pes)
            here[j, 3] = 1.0 if 0.0 < needed <= room - held else 0.0
            held += needed * here[j, 3]
        here[:, 2] += held
