"""`nahas tile-bench --compare`: another mapper on the same pairs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from statistics import geometric_mean
from typing import TYPE_CHECKING, Any, TypeVar

import click

from nahas.cli.options import seconds
from nahas.cli.output import Output, table

if TYPE_CHECKING:
    from nahas.kernels.records import HardwareRow, LayerRow
    from nahas.tile_bench import Source
    from nahas.trust.compare import Answer, Compared
    from nahas.vocabulary import Objective

F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_PAIRS = 5
FIGURES = ("cycles", "energy_pj", "seconds")


def compare_options(function: F) -> F:
    """The other mapper, and how long it may take."""
    function = click.option(
        "--time-limit",
        metavar="TIME",
        type=seconds,
        default="60s",
        show_default=True,
        help="Of the other mapper, per pair, like 90s or 5m.",
    )(function)
    return click.option(
        "--compare",
        type=click.Choice(["accelforge", "zigzag"]),
        help="Print what this mapper, if it is installed, finds for the same pairs.",
    )(function)


def show_comparison(
    out: Output, source: Source, objective: Objective, options: dict[str, Any]
) -> int:
    """Print a row per pair: both answers, and theirs over ours."""
    from nahas.trust.compare import compare, require

    name = options["compare"]
    require(name)
    count = source.checked(options["pairs"] or min(DEFAULT_PAIRS, source.size))
    found = []
    with out.progress(f"asking {name}", count) as progress:
        for pair in compare(name, source, count, objective, options["time_limit"]):
            found.append(pair)
            progress.update(len(found))
    ratios = {figure: _mean_ratio(found, figure) for figure in FIGURES}
    document = {
        "compare": name,
        "objective": objective.name.lower(),
        "seed": source.seed,
        "pairs": [_document(pair) for pair in found],
        "ratios": ratios,
    }
    theirs = f">{name}"
    figures = (">bound", ">cycles", theirs, ">ratio", ">uJ", theirs, ">ratio", ">s", theirs)
    columns = ("layer", "accelerator", *figures, "")
    answered = sum(pair.ratio("cycles") is not None for pair in found)
    total = f"{name} over ours, geometric means of {answered} pairs: " + ", ".join(
        f"{figure.removesuffix('_pj')} {_text(ratio)}" for figure, ratio in ratios.items()
    )
    out.show(document, table(columns, map(_row, found)), total)
    return 0


def _document(pair: Compared) -> dict[str, Any]:
    return {
        "layer": pair.layer._asdict(),
        "hardware": pair.hardware._asdict(),
        "bound_cycles": pair.bound_cycles,
        "ours": asdict(pair.ours),
        "theirs": asdict(pair.theirs),
        "ratios": {figure: pair.ratio(figure) for figure in FIGURES},
    }


def _mean_ratio(found: list[Compared], figure: str) -> float | None:
    ratios = [ratio for pair in found if (ratio := pair.ratio(figure))]
    return geometric_mean(ratios) if ratios else None


def _row(pair: Compared) -> tuple[str | None, ...]:
    def cells(figure: str, scale: float) -> list[str]:
        values = [getattr(answer, figure) for answer in (pair.ours, pair.theirs)]
        return [_text(None if value is None else value * scale) for value in values]

    return (
        _shape(pair.layer),
        _array(pair.hardware),
        _text(pair.bound_cycles),
        *cells("cycles", 1.0),
        _text(pair.ratio("cycles")),
        *cells("energy_pj", 1e-6),
        _text(pair.ratio("energy_pj")),
        *cells("seconds", 1.0),
        "; ".join(filter(None, (_note("ours", pair.ours), _note("", pair.theirs), _below(pair)))),
    )


def _below(pair: Compared) -> str:
    """Cycles are whole, and bounds may not be."""
    cycles = pair.theirs.cycles
    return "below the bound" if cycles and cycles + 1 <= pair.bound_cycles else ""


def _note(whose: str, answer: Answer) -> str:
    return f"{whose} {answer.note}".strip() if answer.note else ""


def _shape(layer: LayerRow) -> str:
    dims = [f"{dim}{getattr(layer, dim)}" for dim in "gkcpqrs" if getattr(layer, dim) > 1]
    strides = [f"/{layer.stride_p}"] if layer.stride_p > 1 else []
    return " ".join(dims + strides)


def _array(hw: HardwareRow) -> str:
    return (
        f"{hw.pes_x:g}x{hw.pes_y:g} PEs of {hw.lanes:g}x{hw.simd_units:g}x{hw.macs_per_simd:g}, "
        f"{hw.local_memory_bytes / 2**20:g} MB, {hw.register_file_bytes / 2**10:g} KB, "
        f"{hw.io_bytes_per_cycle:g} B/cycle"
    )


def _text(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
