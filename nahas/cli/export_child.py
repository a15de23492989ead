"""`nahas export-child`: a trained child as files that run elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nahas.cli.image_options import data_options
from nahas.cli.options import command, seed_option
from nahas.cli.output import Output, table

if TYPE_CHECKING:
    from nahas.children.export import Form

FORMATS = ("keras", "savedmodel", "tflite", "tflite-int8", "onnx")
"""The keys of `nahas.children.export.FORMATS`, which help need not import."""


def _formats(_: click.Context, __: click.Parameter, value: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in value.split(",")))
    unknown = [name for name in names if name not in FORMATS]
    if unknown:
        raise click.BadParameter(f"'{unknown[0]}' is none of {', '.join(FORMATS)}")
    return names


@command(
    "export-child",
    examples=(
        "nahas export-child child --data cifar10 --out exported",
        "nahas export-child child/child.keras --data cifar10 --format tflite-int8,onnx --out edge",
    ),
)
@click.argument("child", type=click.Path(exists=True, path_type=Path))
@data_options
@click.option(
    "--out",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Folder to make for the files and their card.json; must not exist.",
)
@click.option(
    "--format",
    "formats",
    metavar="NAME,...",
    default="keras,tflite-int8",
    show_default=True,
    callback=_formats,
    help=f"Formats to write, of {', '.join(FORMATS)}.",
)
@click.option(
    "--probabilities", is_flag=True, help="Let the files give probabilities; else logits."
)
@click.option(
    "--representative",
    metavar="N",
    type=click.IntRange(min=1),
    default=200,
    show_default=True,
    help="Images of the train part by which tflite-int8 finds the ranges of its numbers.",
)
@click.option(
    "--images",
    metavar="N",
    type=click.IntRange(min=1),
    help="Measure accuracy on so many test images; default: all.",
)
@seed_option
def export_child(out: Output, *, child: Path, folder: Path, **given: Any) -> None:
    """Write a trained child as files for other machines, and measure how accurate each is.

    A child is a network alone. A design of a search, network and accelerator with all costs, is
    written by 'nahas export'.

    CHILD is the folder that train-child has made of one network, or the child.keras in it. --data,
    --limit and --image-size are those of its training.

    Every file takes pixels of 0 to 255 and standardises them itself. The Keras, SavedModel and
    ONNX forms take any number of images, the TensorFlow Lite forms one at a time. tflite-int8 is
    quantised after training: int8 from input to output. Accuracy is that of the files
    themselves on the test images, beside the child's own on the same ones.
    """
    from nahas.children.export import Export, is_divided_alike, read_child
    from nahas.children.export import export_child as exported
    from nahas.children.jobs import Images

    trained = read_child(child)
    dataset = Images(
        name_or_path=given["data"],
        limit=given["limit"],
        image_size=given["image_size"],
        least_map=given["least_map"],
    ).open()
    settings = Export(
        formats=given["formats"],
        probabilities=given["probabilities"],
        representative_images=given["representative"],
        images=given["images"],
        seed=given["seed"],
    )
    if not is_divided_alike(trained, dataset):
        out.warn(
            f"the train part of {dataset.name} is not what the child has learned, so it may have "
            "learned some of the test images: give the --limit and --image-size of its training"
        )
    card = exported(trained, dataset, folder, settings, say=out.say)
    out.show(
        {"folder": folder, "card": card},
        table(
            ("file", ">KiB", ">images", ">child %", ">file %", ">drop pp", ">same %", "runtime"),
            map(_row, card.forms),
            title=card.accuracy_label,
        ),
        f"{card.network}: {card.output} of pixels of 0 to 255; card: {folder / 'card.json'}",
    )


def _row(form: Form) -> tuple[object, ...]:
    of = form.agreement
    return (
        form.file,
        f"{form.kib:,.1f}",
        f"{of.images:,}",
        f"{of.before_percent:.2f}",
        f"{of.accuracy_percent:.2f}",
        f"{of.drop_pp:+.2f}",
        f"{of.same_class_percent:.2f}",
        form.runtime,
    )
