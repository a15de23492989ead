"""What `nahas validate --dpu` shows: simulated latency beside that of two FPGA accelerators."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from nahas.cli.options import announce_compilation
from nahas.cli.output import Output, table

if TYPE_CHECKING:
    from nahas.trust.dpu import BoardError


def show_dpus(out: Output, folder: Path) -> int:
    """Print how well simulated latencies rank the measured ones; always 0."""
    from nahas.trust.dpu import compare_with_dpus

    announce_compilation(out)
    found = compare_with_dpus(folder)
    figures: dict[str, Callable[[BoardError], str]] = {
        "networks held out": lambda each: f"{each.networks:,}",
        "Kendall, simulated": lambda each: f"{each.kendall:.3f}",
        "Spearman, simulated": lambda each: f"{each.spearman:.3f}",
        "Kendall, multiply-accumulates, same fit": lambda each: f"{each.macs_kendall_fitted:.3f}",
        "Kendall, multiply-accumulates": lambda each: f"{each.macs_kendall:.3f}",
        "without squeeze-excitation": lambda each: f"{each.plain:,}",
        "Kendall, simulated, nothing fitted": lambda each: f"{each.kendall_plain:.3f}",
        "Kendall, multiply-accumulates, there": lambda each: f"{each.macs_kendall_plain:.3f}",
        "median error, %": lambda each: f"{100 * each.median_error:.1f}",
        "scale of the simulation": lambda each: f"{each.scale:.2f}",
        "ns per gated word": lambda each: f"{each.gate_ns_per_word:.2f}",
        "constant, ms": lambda each: f"{each.constant_ms:.2f}",
    }
    rows = [(name, *(figure(board) for board in found.boards)) for name, figure in figures.items()]
    columns = ("", *(f">{board.board}" for board in found.boards))
    fitted = f"scale, gate and constant of each board fitted on {found.calibrated} other networks"
    out.show(found.document(), table(columns, rows), fitted)
    return 0
