"""What `nahas validate --rtl` shows: Gemmini's RTL and Timeloop beside our figures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nahas.cli.options import announce_compilation
from nahas.cli.output import Output, table

if TYPE_CHECKING:
    from rich.table import Table

    from nahas.trust.gemmini_check import Ranks, RtlComparison, TimeloopComparison


def show_rtl(out: Output, folder: Path, architectures: int) -> int:
    """Print how well cycles and energies agree; always 0."""
    from nahas.trust.gemmini_check import compare_with_gemmini

    announce_compilation(out)
    found = compare_with_gemmini(folder, architectures)
    parts: list[Table | str] = []
    if found.rtl is not None:
        parts += [_rtl(found.rtl), _notes(found.rtl)]
    if found.timeloop is not None:
        parts.append(_timeloop(found.timeloop))
    out.show(found.document(), *parts)
    return 0


def _rtl(rtl: RtlComparison) -> Table:
    figures: list[tuple[str, int, Ranks]] = [
        ("compute cycles alone", rtl.rows, rtl.compute),
        ("roofline of our counts", rtl.rows, rtl.roofline),
        ("predicted", rtl.rows, rtl.predicted),
        *((f"predicted, {s.side} x {s.side}", s.rows, s.ranks) for s in rtl.sides),
    ]
    rows = [
        (
            name,
            f"{count:,}",
            None if r.spearman is None else f"{r.spearman:.3f}",
            None if r.kendall is None else f"{r.kendall:.3f}",
            f"{100 * r.median_error:.1f}",
        )
        for name, count, r in figures
    ]
    columns = ("cycles beside RTL", ">rows", ">Spearman", ">Kendall", ">median error, %")
    return table(columns, rows)


def _notes(rtl: RtlComparison) -> str:
    return (
        f"{rtl.rows:,} rows of {rtl.layers} layers; constants fitted on {rtl.fitted_rows} rows of "
        f"{rtl.fitted_layers} other layers; {100 * rtl.within_10_percent:.0f} % within 10 %, "
        f"{100 * rtl.within_30_percent:.0f} % within 30 %; "
        f"{rtl.too_quick_for_16} rows quicker than a 16 x 16 array can be"
    )


def _timeloop(found: TimeloopComparison) -> Table:
    rows = [
        ("architectures", f"{found.architectures}"),
        ("rows", f"{found.rows:,}"),
        ("cycles equal", f"{found.exact:,}"),
        ("cycles within one", f"{found.within_one_cycle:,}"),
        ("cycles within 1 %", f"{found.within_1_percent:,}"),
        ("others that slide a window", f"{found.off_windows:,}"),
        ("cycles, Spearman", f"{found.cycles_spearman:.6f}"),
        ("rows of layers without a fitted energy", f"{found.energy_rows:,}"),
        ("energy, median error, %", f"{100 * found.energy_median_error:.3f}"),
        ("energy within 1 %, %", f"{100 * found.energy_within_1_percent:.1f}"),
        ("energy, Spearman", f"{found.energy_spearman:.6f}"),
        ("energy, largest error, %", f"{100 * found.energy_worst:.1f}"),
        ("off by more than 1 %", f"{found.energy_off:,}"),
        ("of these that slide a window", f"{found.energy_off_windows:,}"),
        ("of these with a single output", f"{found.energy_off_single:,}"),
    ]
    return table(("beside Timeloop's rows", ">"), rows)
