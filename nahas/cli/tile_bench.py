"""`nahas tile-bench`: how fast the mapper is, whether it finds the optimum, and its answers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nahas.cli.compare import compare_options, show_comparison
from nahas.cli.options import (
    announce_compilation,
    command,
    mapspace,
    objective_option,
    saved_options,
    seed_option,
    space_options,
    workers_option,
)
from nahas.cli.output import Output, table
from nahas.cli.settings import settings_text
from nahas.errors import UsageError

if TYPE_CHECKING:
    from nahas.tile_bench import Dataset, Source, TileBench
    from nahas.vocabulary import Objective

OPTIONS_FILE = "options.toml"
KEPT = ("network", "hardware", "pairs", "objective", "space", "dataflow", "seed")
"""Options that say what is solved: a resumed run takes them from the one that it continues."""


@command(
    "tile-bench",
    examples=(
        "nahas tile-bench",
        "nahas tile-bench --pairs 10000 --verify 200 --json",
        "nahas tile-bench --pairs 20000 --space full",
        "nahas tile-bench --network mobilenet-v2 --hardware coral --hardware my_chip.yaml",
        "nahas tile-bench --pairs 5000000 --threads 2 --out pairs.parquet",
        "nahas tile-bench --out pairs.parquet --resume",
        "nahas tile-bench --network resnet-50 --pairs 5 --compare zigzag",
    ),
)
@click.option(
    "--network",
    metavar="NAME|FILE",
    multiple=True,
    help="Map the layers of this network, instead of those of drawn ones; may be repeated.",
)
@click.option(
    "--hardware",
    metavar="PRESET|FILE",
    multiple=True,
    help="Map on this accelerator, instead of the paper's 50,000; may be repeated.",
)
@click.option(
    "--pairs",
    metavar="N",
    type=click.IntRange(min=1),
    help="Layer and accelerator pairs to map.  [default: 1000000, or all where there are fewer; "
    "5 with --compare]",
)
@click.option(
    "--verify",
    metavar="N",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Pairs to check by enumerating every mapping, loop by loop.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the pairs, their optima and mappings to this Parquet file.",
)
@click.option("--resume", is_flag=True, help="Go on with the --out file of a run that was ended.")
@compare_options
@objective_option
@space_options
@workers_option
@seed_option
@click.pass_context
def tile_bench(ctx: click.Context, out: Output, /, **given: Any) -> int:
    """Map layers on accelerators and print pairs and mappings per second.

    Compilation is timed apart. With --verify, exits with 1 when a pair was not solved at its
    optimum. With --out, keeps what was found as training data. With --compare, has another
    mapper, if it is installed, solve the same pairs, and prints both.
    """
    from nahas.tile_bench import run
    from nahas.vocabulary import Objective

    options = _checked(ctx, given)
    objective = Objective[options["objective"].upper()]
    announce_compilation(out)
    if options["compare"]:
        return show_comparison(out, _source(out, options), objective, options)
    source = _source(out, options)
    pairs = options["pairs"] or source.default_pairs
    dataset = _dataset(source, pairs, objective, options)
    try:
        with out.progress("mapping", pairs) as progress:
            found = run(
                source,
                pairs,
                objective=objective,
                threads=options["workers"],
                verify=options["verify"],
                dataset=dataset,
                progress=progress.update,
            )
    except KeyboardInterrupt:
        if dataset:
            out.say(f"interrupted; go on with: nahas tile-bench --out {dataset.path} --resume")
        raise
    told = _document(found) | {"out": None if dataset is None else str(dataset.path)}
    proven = f"yes, of all {found.verified} verified" if found.optimal else found.optimal
    shown = {**told, "optimal": proven}
    rows = [(name.replace("_", " "), _text(value)) for name, value in shown.items()]
    out.show(told, table(("what", ">measured"), rows))
    return 1 if found.mismatches else 0


def _checked(ctx: click.Context, given: dict[str, Any]) -> dict[str, Any]:
    """The options, those of the run that is resumed among them."""
    if given["resume"] and not given["out"]:
        raise UsageError("--resume goes on with a file: name it with --out")
    if given["compare"] and (given["out"] or given["verify"]):
        raise UsageError("--compare prints a table of its own: leave --out and --verify out")
    if not given["out"]:
        return given
    from nahas.parts_file import parts_of, refuse_to_replace

    refuse_to_replace(given["out"], resume=given["resume"])  # before anything is computed
    if not given["resume"]:
        return given
    return given | saved_options(ctx, parts_of(given["out"]) / OPTIONS_FILE)


def _source(out: Output, options: dict[str, Any]) -> Source:
    from nahas.cli.simulate import network_from
    from nahas.hardware import hardware_from
    from nahas.tile_bench import source_of

    return source_of(
        options["seed"],
        named_networks=[network_from(out, name)[0] for name in options["network"]],
        hardware=[hardware_from(name) for name in options["hardware"]],
        space=mapspace(options),
    )


def _dataset(
    source: Source, pairs: int, objective: Objective, options: dict[str, Any]
) -> Dataset | None:
    """The file that keeps the pairs, where one is asked for, with the options beside its parts."""
    from nahas.files import write_text
    from nahas.tile_bench import Dataset

    if options["out"] is None:
        return None
    dataset = Dataset(options["out"], source, pairs, objective, resume=options["resume"])
    if not options["resume"]:
        kept = {name: options[name] for name in KEPT} | {"pairs": pairs}
        for name in ("network", "hardware"):
            kept[name] = [_from_the_root(text) for text in kept[name]]
        write_text(dataset.folder / OPTIONS_FILE, settings_text("tile-bench", kept))
    return dataset


def _from_the_root(text: str) -> str:
    return str(Path(text).absolute()) if Path(text).is_file() else text


def _document(found: TileBench) -> dict[str, Any]:
    """The JSON document, without its header: docs/json.md explains the keys."""
    return {
        "pairs_per_second": found.pairs_per_second,
        "mappings_per_second": found.mappings_per_second,
        "pairs": found.pairs,
        "threads": found.threads,
        "objective": found.objective.name.lower(),
        "space": found.space.name.lower(),
        "optimal": found.optimal is True,  # not known is not proven
        "verified": found.verified,
        "mismatches": found.mismatches,
        "infeasible": found.infeasible,
        "compile_seconds": round(found.compile_s, 3),
        "mapspace_pairs": found.counted,
        "mapspace_mean": found.mapspace_mean,
        "mapspace_max": found.mapspace_max,
        "distinct_layers": found.distinct_layers,
        "distinct_accelerators": found.distinct_accelerators,
        "seed": found.seed,
    }


def _text(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
