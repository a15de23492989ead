"""Rows of tables by name."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from nahas.kernels._jit import kernel
from nahas.kernels.records import HardwareRow, LayerRow

RecordArray = NDArray[Any]


@kernel(inline=True)
def layer_row(row: RecordArray) -> LayerRow:
    """A row of the layer table, by name."""
    return LayerRow(
        row[0], row[1], row[2], row[3], row[4], row[5], row[6],
        row[7], row[8], row[9], row[10], row[11], row[12], row[13],
    )  # fmt: skip


@kernel(inline=True)
def hardware_row(row: RecordArray) -> HardwareRow:
    """A row of the hardware table, by name."""
    return HardwareRow(
        row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7], row[8],
        row[9], row[10], row[11], row[12], row[13], row[14], row[15], row[16], row[17],
        row[18], row[19], row[20], row[21], row[22],
    )  # fmt: skip
