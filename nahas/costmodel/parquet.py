"""Samples as a Parquet file: a byte per decision, the costs in their units, and where they come from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nahas.costmodel.origin import Origin
from nahas.costmodel.samples import Samples, Simulate
from nahas.spaces.joint import JointSpace


def write(
    path: Path,
    joint: JointSpace,
    choices: NDArray[np.uint8],
    simulate: Simulate,
    *,
    origin: Origin,
    seed: int,
    resume: bool = False,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Label choices [N, D] and write them, whole or not at all; a killed run can be resumed."""
    raise NotImplementedError


def read(path: Path, joint: JointSpace, here: Origin) -> Samples:
    """The samples of a file, column by column.

    Raises:
        CostModelError: when it is missing, damaged, or of another space or simulator.
    """
    raise NotImplementedError
