"""What `nahas validate --devices` and `--sister` show."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nahas.cli.options import announce_compilation
from nahas.cli.output import Output, table

if TYPE_CHECKING:
    from rich.table import Table

    from nahas.trust.devices import DeviceError


def show_devices(out: Output, folder: Path) -> int:
    """Print measured and simulated latencies of Edge TPUs and how alike they rank; always 0."""
    from nahas.trust.devices import compare_with_devices

    announce_compilation(out)
    found = compare_with_devices(folder)
    rows = [
        (
            each.device,
            each.hardware,
            len(each.networks),
            f"{each.kendall:.3f}",
            f"{each.spearman:.3f}",
            f"{each.macs_kendall:.3f}",
            f"{each.macs_spearman:.3f}",
            f"{each.slower:.2f}",
        )
        for each in found.devices
    ]
    kinds = (">Kendall", ">Spearman", ">Kendall, MACs", ">Spearman, MACs", ">measured / simulated")
    totals = table(("device", "preset", ">networks", *kinds), rows)
    left_out = [
        f"{each.device}: {', '.join(each.missing)}" for each in found.devices if each.missing
    ]
    notes = [f"measured, but not simulated for want of a layer list: {line}" for line in left_out]
    out.show(found.document(), *(_networks(each) for each in found.devices), totals, *notes)
    return 0


def _networks(of: DeviceError) -> Table:
    rows = []
    for each in of.networks:
        ours = each.simulated_ms
        ratio = f"{each.measured_ms / ours:.2f}" if ours else ""
        simulated = f"{ours:.2f}" if ours else "cannot run"
        macs = f"{each.macs / 1e6:,.0f}"
        rows.append((each.network, macs, f"{each.measured_ms:g}", simulated, ratio))
    columns = ("network", ">MACs, M", ">measured, ms", ">simulated, ms", ">ratio")
    return table(columns, rows, title=f"{of.device}, simulated as {of.hardware}")


def show_sister(out: Output) -> int:
    """Print latencies over the accelerator space beside a sister space's; 0 or 1.

    1 when no number of activation units brings every ratio between networks within tolerance.
    """
    from nahas.trust.sister import TOLERANCE, UNITS, compare_with_sister

    announce_compilation(out)
    found = compare_with_sister()
    rows = [
        (
            row.network,
            row.units or "SIMD",
            f"{row.feasible:,}",
            f"{row.theirs.min_us:.0f}",
            f"{row.ours.min_us:.0f}",
            f"{100 * row.min_off:+.0f}",
            f"{row.theirs.mean_us:.0f}",
            f"{row.ours.mean_us:.0f}",
            f"{100 * row.mean_off:+.0f}",
        )
        for row in found.rows
    ]
    figures = (">least, us", ">ours", ">ratio off, %", ">mean, us", ">ours", ">ratio off, %")
    shown = table(("network", ">activation units", ">feasible", *figures), rows)
    note = f"ratios to the first network, over those of the sister space; {found.points:,} points"
    out.show(found.document(), shown, note)
    within = [
        all(
            max(abs(row.min_off), abs(row.mean_off)) <= TOLERANCE
            for row in found.rows
            if row.units == units
        )
        for units in UNITS
    ]
    return 0 if any(within) else 1
