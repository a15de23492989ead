"""`nahas report`: draw a study again."""

from __future__ import annotations

import errno
from pathlib import Path

import click

from nahas.cli.cosearch import EXIT_NOTHING_FEASIBLE, STUDY_FILE
from nahas.cli.options import command
from nahas.cli.output import Output
from nahas.errors import StudyError


@command(
    "report",
    examples=(
        "nahas report runs/mnasnet-0",
        "nahas report runs/mnasnet-0/study.db --out figures --export csv --export parquet",
        "nahas report runs/mnasnet-0 --best 20 --json",
    ),
)
@click.argument("study", type=click.Path(path_type=Path))
@click.option(
    "--out",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the pictures and the page.  [default: the study's]",
)
@click.option(
    "--export",
    type=click.Choice(["csv", "json", "parquet"]),
    multiple=True,
    help="Write every trial too; may be repeated.",
)
@click.option(
    "--best",
    metavar="N",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    help="Designs to print.",
)
def report(
    out: Output, *, study: Path, folder: Path | None, export: tuple[str, ...], best: int
) -> int:
    """Draw the pictures and the page of STUDY, a study file or a run folder, and print its best.

    The study may still be written by a search. Where its folder cannot be written and neither
    --out nor --export is given, the result is printed all the same. Exits with 3 when no design
    meets every target.
    """
    from nahas.report.summary import checked, counted, document
    from nahas.report.table import designs_table
    from nahas.report.write import write_report
    from nahas.strategies import recall

    path = study / STUDY_FILE if study.is_dir() else study
    if not path.is_file():
        raise StudyError(f"there is no study '{path}': give a run folder or a study file")
    result = recall(path, best)
    try:
        files = write_report(result, folder or path.parent, export)
    except OSError as error:
        if (
            folder is not None
            or export
            or error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS)
        ):
            raise
        files = []
        out.warn(
            f"'{path.parent}' cannot be written, so nothing is drawn: name a folder with --out"
        )
    out.show(
        {**document(result, best), "files": files},
        designs_table(result, best),
        f"accuracy: {result.accuracy_label}",
        counted(result),
        *filter(None, [checked(result)]),
        "written: " + (", ".join(str(file) for file in files) or "nothing"),
    )
    return 0 if result.true.satisfied.any() else EXIT_NOTHING_FEASIBLE
