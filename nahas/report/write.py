"""All files of a report, in one folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nahas.errors import UsageError
from nahas.report.export import WRITERS
from nahas.report.figures import write_figures
from nahas.report.groups import grouped
from nahas.report.page import write_page
from nahas.strategies import SearchResult


def write_report(
    results: Sequence[SearchResult],
    folder: Path,
    exports: Sequence[str] = (),
    *,
    every_picture: bool = False,
) -> list[Path]:
    """Draw the pictures and the page, export the trials, and return what was written.

    Args:
        results: of searches of one space, or recalled from studies; at least one.
        folder: made where it is not there; files of the same names are replaced.
        exports: keys of `export.WRITERS`.
        every_picture: draw what the accelerator's decisions matter, and the best design's
            layers, too.

    Raises:
        UsageError: for an unknown export, Parquet without pyarrow, or studies that cannot be
            shown together.
        OSError: when the folder cannot be written.
    """
    for kind in exports:
        if kind not in WRITERS:
            raise UsageError(f"there is no export '{kind}': allowed are {', '.join(WRITERS)}")
    groups = grouped(results)
    page = folder / "report.html"
    document = write_page(groups, page)
    written = [page, *write_figures(groups, folder, document if every_picture else None)]
    for kind in exports:
        path = folder / f"trials.{kind}"
        WRITERS[kind](results, path)
        written.append(path)
    return written
