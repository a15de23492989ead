"""`nahas report`: draw studies again."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nahas.cli.cosearch import EXIT_NOTHING_FEASIBLE, STUDY_FILE
from nahas.cli.options import command
from nahas.cli.output import Output, table
from nahas.errors import StudyError

if TYPE_CHECKING:
    from nahas.strategies import SearchResult

UNWRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS)


@command(
    "report",
    examples=(
        "nahas report runs/mnasnet-0",
        "nahas report runs/mnasnet-0/study.db --out figures --export csv --export parquet",
        "nahas report runs/ppo-0 runs/ppo-1 runs/random-0 runs/random-1 --out compared",
        "nahas report runs/mnasnet-0 --best 20 --json",
    ),
)
@click.argument(
    "studies", metavar="STUDY...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option(
    "--out",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the page and the pictures.  [default: the study's, or that which holds all]",
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
    out: Output,
    *,
    studies: tuple[Path, ...],
    folder: Path | None,
    export: tuple[str, ...],
    best: int,
) -> int:
    """Draw the page and the pictures of STUDY, a study file or a run folder, and print its best.

    Several studies of one space share a page: seeds of one search are drawn as one line with a
    band, searches that differ in more side by side.

    A study may still be written by a search. Where its folder cannot be written and neither
    --out nor --export is given, the result is printed all the same. Exits with 3 when no design
    meets every target.
    """
    from nahas.strategies import recall

    paths = [study / STUDY_FILE if study.is_dir() else study for study in studies]
    for path in paths:
        if not path.is_file():
            raise StudyError(f"there is no study '{path}': give a run folder or a study file")
    results = [recall(path, best) for path in paths]
    files = _written(out, results, folder, export)
    told = "written: " + (", ".join(str(file) for file in files) or "nothing")
    if len(results) == 1:
        _show_one(out, results[0], best, files, told)
    else:
        _show_several(out, results, best, files, told)
    met = any(result.true.satisfied.any() for result in results)
    return 0 if met else EXIT_NOTHING_FEASIBLE


def _written(
    out: Output, results: list[SearchResult], folder: Path | None, export: tuple[str, ...]
) -> list[Path]:
    from nahas.report.write import write_report

    parents = [result.study.parent for result in results if result.study is not None]
    own = (
        parents[0]
        if len(parents) == 1
        else Path(os.path.commonpath([p.absolute() for p in parents]))
    )
    try:
        return write_report(results, folder or own, export, every_picture=True)
    except OSError as error:
        if folder is not None or export or error.errno not in UNWRITABLE:
            raise
        out.warn(f"'{own}' cannot be written, so nothing is drawn: name a folder with --out")
        return []


def _show_one(out: Output, result: SearchResult, best: int, files: list[Path], told: str) -> None:
    from nahas.report.summary import checked, counted, document, phased
    from nahas.report.table import designs_table

    out.show(
        {**document(result, best), "files": files},
        designs_table(result, best),
        f"accuracy: {result.accuracy_label}",
        counted(result),
        *filter(None, [checked(result), phased(result)]),
        told,
    )


def _show_several(
    out: Output, results: list[SearchResult], best: int, files: list[Path], told: str
) -> None:
    from nahas.report.groups import grouped
    from nahas.report.summary import UNITS, WORDS, best_designs, document, significant

    costs = [f">{WORDS[metric]}\n{unit}" for metric, unit in UNITS.items()]
    rows: list[list[Any]] = []
    for group in grouped(results):
        for result in group.results:
            met = int(result.trials.satisfied.sum())
            row = [
                str(result.study),
                group.label,
                result.seed,
                f"{len(result.trials):,}",
                f"{met:,}",
            ]
            for of in best_designs(result, 1):
                costs_of = (significant(getattr(of, metric)) for metric in UNITS)
                row += [f"{of.reward:.2f}", f"{of.accuracy:.2f}", *costs_of]
            rows.append([*row, *[None] * (10 - len(row))])
    columns = ["study", "search", ">seed", ">trials", ">meet every\ntarget", ">best\nreward"]
    out.show(
        {"studies": [document(result, best) for result in results], "files": files},
        table([*columns, ">its accuracy\n%", *costs], rows),
        f"accuracy: {results[0].accuracy_label}",
        told,
    )
