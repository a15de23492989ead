"""`nahas export`: a design of a study as a folder, or a study as Optuna's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nahas.cli.cosearch import STUDY_FILE
from nahas.cli.options import announce_compilation, command, tables_option
from nahas.cli.output import Output, table
from nahas.errors import StudyError, UsageError

if TYPE_CHECKING:
    from nahas.result import SearchResult
    from nahas.study.origin import Origin

BEST = "best"
"""`nahas.outcome.chosen.BEST`, which help need not import."""

OF_A_DESIGN = ("trial", "rank", "folder", "child", "tables")
"""Options that say which design, and how it is written."""


def _trial(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    if value is None or value == BEST or value.isdigit():
        return value
    raise click.BadParameter(f"'{value}' is neither 'best' nor the number of a trial")


@command(
    "export",
    examples=(
        "nahas export runs/mnasnet-0",
        "nahas export runs/mnasnet-0 --rank 3 --out third",
        "nahas export runs/mnasnet-0/study.db --trial 1204 --out chosen",
        "nahas export runs/macro-0 --child children/macro_22212220",
        "nahas export runs/mnasnet-0 --optuna sqlite:///optuna.db",
    ),
)
@click.argument("study", type=click.Path(path_type=Path))
@click.option(
    "--trial",
    metavar="best|N",
    callback=_trial,
    help="The best design, or that of trial N.  [default: best]",
)
@click.option(
    "--rank",
    metavar="K",
    type=click.IntRange(min=1),
    help="Of the best designs, of distinct networks, the K-th.  [default: 1]",
)
@click.option(
    "--out",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to make.  [default: trial-N beside the study]",
)
@click.option(
    "--child",
    type=click.Path(exists=True, path_type=Path),
    help="A child of the network that 'nahas train-child' has trained: its weights are taken.  "
    "[default: the folder 'children' beside the study, where it has one]",
)
@click.option(
    "--optuna",
    metavar="URL|FILE",
    help="Write all trials as a study of Optuna instead, like sqlite:///optuna.db.",
)
@click.option(
    "--name",
    metavar="NAME",
    help="Of the study of Optuna.  [default: the name of the run folder]",
)
@click.option("--force", is_flag=True, help="Replace what an earlier export has written.")
@tables_option
def export(out: Output, *, study: Path, **options: Any) -> None:
    """Write a design of STUDY, a study file or a run folder, into a folder of its own.

    The folder has the network as a Keras model, the accelerator as YAML, the costs and the
    mapping of every layer, the mapped layers for Timeloop, AccelForge and ZigZag, a card with all
    that is known of the design, and rebuild.py, which computes it all again and compares.

    The network is not trained, unless a child of it is there. To make a trained child run on
    other machines (TensorFlow Lite, int8, ONNX) there is 'nahas export-child'.

    With --optuna every trial goes into a study of Optuna, for optuna-dashboard.
    """
    from nahas.strategies import recall
    from nahas.study.store import Study

    path = study / STUDY_FILE if study.is_dir() else study
    if not path.is_file():
        raise StudyError(f"there is no study '{path}': give a run folder or a study file")
    result = recall(path)
    with Study.read(path) as read:
        origin, created = read.origin, read.created
    if options["optuna"] is None:
        if options["name"] is not None:
            raise UsageError("--name is that of a study of Optuna: give --optuna as well")
        _design(out, result, origin, options)
    else:
        _optuna(out, result, created, options)


def _design(out: Output, result: SearchResult, origin: Origin, options: dict[str, Any]) -> None:
    from nahas.outcome.chosen import chosen
    from nahas.outcome.write import write_outcome

    of = chosen(result, options["trial"] or BEST, options["rank"])
    assert result.study is not None  # it was read from there
    folder = options["folder"] or result.study.parent / f"trial-{of.design.trial}"
    announce_compilation(out)
    card = write_outcome(
        result,
        origin,
        of,
        folder,
        replace_it=options["force"],
        child=options["child"],
        tables=options["tables"],
    )
    for tool, made in card["mappings"].items():
        for reason in made["left_out"]:
            out.detail(f"left out of {tool}: {reason}")
    files = sorted(file.name for file in folder.iterdir())
    out.show(
        {"folder": folder, "files": files, "card": card},
        table(("what", "value"), _rows(card)),
        f"accuracy: {card['accuracy']['label']}",
        f"written: {folder}: {', '.join(files)}",
    )


def _rows(card: dict[str, Any]) -> list[tuple[str, str]]:
    from nahas.report.summary import accelerator_text, significant

    total, percent = card["total"], card["accuracy"]["percent"]
    met = [f"{t['metric']} {'met' if t['met'] else 'missed'}" for t in card["targets"]]
    return [
        ("network", card["network"]),
        ("accelerator", accelerator_text(card["hardware"])),
        ("accuracy", "not known" if percent is None else f"{percent:.2f} %"),
        ("latency", f"{significant(total['latency_ms'])} ms"),
        ("energy", f"{significant(total['energy_mj'])} mJ"),
        ("area", f"{significant(total['area_mm2'])} mm²"),
        ("targets", ", ".join(met) or "none"),
        ("model", card["model"]["state"]),
        ("mapped layers", ", ".join(f"{t} {m['layers']}" for t, m in card["mappings"].items())),
    ]


def _optuna(out: Output, result: SearchResult, created: float, options: dict[str, Any]) -> None:
    from nahas.interop.optuna_study import write_study

    given = [name for name in OF_A_DESIGN if options[name] is not None]
    if given:
        spelt = "--out" if given[0] == "folder" else f"--{given[0]}"
        raise UsageError(
            f"{spelt} is of one design, but --optuna writes all trials: give one of them"
        )
    assert result.study is not None  # it was read from there
    name = options["name"] or result.study.absolute().parent.name
    made = write_study(result, created, options["optuna"], name, replace=options["force"])
    out.show(
        {"optuna": made},
        f"study '{made['name']}' of {made['trials']:,} trials in {made['storage']}",
    )
