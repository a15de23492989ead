"""`nahas map`: the best mapping of one layer on one accelerator template."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

import click

from nahas.cli.options import (
    announce_compilation,
    command,
    export_option,
    objective_option,
    write_export,
)
from nahas.cli.output import Output, table

if TYPE_CHECKING:
    from nahas.layers import Layer
    from nahas.mapper import MappedLayer
    from nahas.templates import Accelerator


@command(
    "map",
    examples=(
        "nahas map k=64 c=64 p=56 q=56 r=3 s=3 --template eyeriss",
        "nahas map g=96 p=56 q=56 r=3 s=3 stride_p=2 stride_q=2 --template nvdla --json",
        "nahas map k=64 c=64 p=56 q=56 r=3 s=3 --dataflow row",
        "nahas map k=1000 c=1280 --template my_template.yaml --objective energy",
        "nahas map k=64 c=64 p=56 q=56 r=3 s=3 --export accelforge:conv",
    ),
)
@click.argument("dims", nargs=-1, required=True)
@click.option(
    "--template",
    metavar="NAME|FILE",
    default="eyeriss",
    show_default=True,
    help="The accelerator: eyeriss, systolic, nvdla, or a YAML file.",
)
@objective_option
@click.option(
    "--dataflow",
    type=click.Choice(["any", "weight", "output", "input", "row"]),
    default="any",
    show_default=True,
    help="Only mappings that keep this tensor in place, or rows of the window; any looks at all.",
)
@export_option
def map_command(
    out: Output,
    *,
    dims: tuple[str, ...],
    template: str,
    objective: str,
    dataflow: str,
    export: str | None,
) -> None:
    """Find the best mapping of a layer on an accelerator template.

    DIMS give the layer: n, g, k, c, p, q, r, s, stride_p, stride_q, dilation_r and dilation_s,
    each 1 where left out. Prints the loop nest, its cycles beside the least that any mapping takes,
    its energy, and the accesses of every level.
    """
    from nahas.interop.nest import MappedPoint
    from nahas.mapper import map_layer
    from nahas.mapping import evaluate
    from nahas.vocabulary import Access, Dataflow, Level, Objective, Tensor

    layer, accelerator = _layer(dims), _accelerator(template)
    announce_compilation(out)
    found = map_layer(layer, accelerator, Objective[objective.upper()], Dataflow[dataflow.upper()])
    further: dict[str, Any] = {}
    if export:
        point = MappedPoint(accelerator=accelerator, layer=layer, mapping=found.mapping)
        further = write_export(out, [point], export)
    counts = evaluate(layer, found.mapping, accelerator.template)
    rows = [
        (level.name, tensor.name.lower(), *(counts.of(level, tensor, access) for access in Access))
        for level in Level
        for tensor in Tensor
        if tensor in found.mapping.keep[level]
    ]
    words = [
        dict(zip(("level", "tensor", "reads", "fills", "updates"), row, strict=True))
        for row in rows
    ]
    shown = table(
        ("level", "tensor", ">reads", ">fills", ">updates"),
        [(*row[:2], *(f"{count:,}" for count in row[2:])) for row in rows],
    )
    document = {"template": accelerator.name, **found.document(), "words": words, **further}
    out.show(document, _nest(found), _summary(found), shown)


def _accelerator(template: str) -> Accelerator:
    """The accelerator of --template; a preset of `nahas simulate` is told that it is none."""
    from nahas.errors import UsageError
    from nahas.hardware import PRESETS
    from nahas.templates import BUILT_IN, accelerator_from

    if template in PRESETS:
        raise UsageError(
            f"--template is '{template}', a --hardware of 'nahas simulate' and 'nahas tile-bench', "
            f"but must be {', '.join(BUILT_IN)} or the path of a YAML file"
        )
    return accelerator_from(template)


def _layer(dims: tuple[str, ...]) -> Layer:
    """The layer that words like 'k=64' give."""
    from nahas.datafiles import nearest
    from nahas.errors import UsageError
    from nahas.layers import Layer

    allowed = [f.name for f in fields(Layer) if f.type == "int"]
    allowed = [name for name in allowed if name not in ("operands", "parameters")]
    values: dict[str, Any] = {}
    for text in dims:
        name, _, value = text.partition("=")
        if name not in allowed:
            raise UsageError(
                f"'{text}' names no dim of a layer{nearest(name.lower(), allowed)} "
                f"(allowed: {', '.join(allowed)}, each as in k=64)"
            )
        if name in values:
            raise UsageError(f"'{text}': {name} stands twice")
        if not value.isascii() or not value.isdigit() or int(value) < 1:
            raise UsageError(f"'{text}': {name} must be a whole number above 0, as in {name}=64")
        values[name] = int(value)
    return Layer(name=" ".join(dims), **values)


EDGE = (
    "edge: the steps that a loop has in the last tile of its dim, which its counts do not divide; "
    "what is beyond the dim is not computed"
)

DATAFLOWS = {
    "any": "the innermost loop above the register file leaves no tensor in place",
    "weight": "the innermost loop above the register file leaves weights in place",
    "output": "the innermost loop above the register file leaves outputs in place",
    "input": "the innermost loop above the register file leaves inputs in place",
    "row": "rows of the window and rows of the output are spread over the array together",
}
"""What the name of a dataflow means, of a mapping that has it."""


def _nest(found: MappedLayer) -> str:
    """The loop nest, with a legend where loops are ragged."""
    drawing = found.mapping.drawing(found.layer)
    return f"{drawing}\n{EDGE}" if "(edge: " in drawing else drawing


def _bypasses(found: MappedLayer) -> str:
    return "".join(
        f"; {' and '.join(tensor.name.lower() for tensor in tensors)} bypass {level.name}"
        for level, tensors in found.bypassed.items()
    )


def _summary(found: MappedLayer) -> str:
    dataflow = found.dataflow.name.lower()
    return (
        f"{found.cycles:,} cycles ({found.compute_cycles:,} of computing; no mapping takes fewer "
        f"than {found.bound_cycles:,.0f}), {found.energy_pj:,.0f} pJ; optimal in its space: "
        f"{found.counted:,} of {found.members:.3g} members counted (of {found.assignments:,} "
        "spatial assignments), the rest repeated, too large or ruled out by bounds. "
        f"Dataflow: {dataflow} ({DATAFLOWS[dataflow]}){_bypasses(found)}"
    )
