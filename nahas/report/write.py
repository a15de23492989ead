"""All files of a report, in one folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nahas.errors import UsageError
from nahas.report.export import WRITERS
from nahas.report.figures import write_figures
from nahas.report.page import write_page
from nahas.strategies import SearchResult


def write_report(result: SearchResult, folder: Path, exports: Sequence[str] = ()) -> list[Path]:
    """Draw the pictures and the page, export the trials, and return what was written.

    Args:
        result: of a search, or recalled from a study.
        folder: made where it is not there; files of the same names are replaced.
        exports: keys of `export.WRITERS`.

    Raises:
        UsageError: for an unknown export, or Parquet without pyarrow.
        OSError: when the folder cannot be written.
    """
    for kind in exports:
        if kind not in WRITERS:
            raise UsageError(f"there is no export '{kind}': allowed are {', '.join(WRITERS)}")
    page = folder / "report.html"
    write_page(result, page)
    written = [page, *write_figures(result, folder)]
    for kind in exports:
        path = folder / f"trials.{kind}"
        WRITERS[kind](result, path)
        written.append(path)
    return written
