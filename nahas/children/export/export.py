"""Exporting a trained child: its files, how accurate each of them is, and a card that says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nahas.children.data import PARTS, Dataset
from nahas.children.export.card import CARD, ExportCard, Form, all_versions, hashes, kib
from nahas.children.export.child import Child, check_dataset
from nahas.children.export.deployed import deployed
from nahas.children.export.formats import FORMATS, check_formats
from nahas.children.export.measure import agreements, representative
from nahas.children.export.runs import Runtime
from nahas.children.export.writers import Source
from nahas.errors import UsageError
from nahas.files import folder_written_whole, json_text


@dataclass(frozen=True, kw_only=True)
class Export:
    """What is exported, and how it is measured.

    Attributes:
        formats: keys of `FORMATS`.
        probabilities: whether the files give a softmax; else logits.
        representative_images: of the train part, by which the int8 form finds its ranges.
        part: of the data set, on which accuracy is measured.
        images: of that part, at most; None for all.
        seed: of the draw of representative images.

    Raises:
        UsageError: naming the field, its value and what is allowed.
    """

    formats: tuple[str, ...] = ("keras", "tflite-int8")
    probabilities: bool = False
    representative_images: int = 200
    part: str = "test"
    images: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("representative_images", "images"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(f"export: {name} is {value}, but at least 1 image is needed")
        if self.part not in PARTS:
            raise UsageError(f"export: part is '{self.part}': allowed are {', '.join(PARTS)}")


def export_child(
    child: Child,
    dataset: Dataset,
    folder: Path,
    settings: Export | None = None,
    *,
    say: Callable[[str], None] = lambda _: None,
) -> ExportCard:
    """Write a trained child in several formats, run each of them, and write their card.

    Args:
        child: trained, as `read_child` gives it.
        dataset: of the images that it was trained for.
        folder: is made, and appears when all of it is done.
        settings: what is exported; that of `Export` where it is None.
        say: is told what is being done.

    Returns:
        What is also in `card.json` in the folder.

    Raises:
        UsageError: when the folder is there already, or a format cannot be written here.
        DataError: when the data set is of other images or classes than the child's.
        OSError: when the folder cannot be written.
    """
    settings = settings or Export()
    check_formats(settings.formats)
    check_dataset(child, dataset)
    if folder.exists():
        raise UsageError(f"{folder} exists, and nothing is replaced: name a folder that does not")
    model = deployed(child.model, child.mean, child.deviation, probabilities=settings.probabilities)
    images = representative(dataset, child.size, settings.representative_images, settings.seed)
    with folder_written_whole(folder) as temporary:
        runtimes = {}
        for name in settings.formats:
            say(f"writing {FORMATS[name].file}")
            runtimes[name] = _written(name, Source(model, images), temporary)
        card = _measured(child, dataset, settings, temporary, runtimes)
        (temporary / CARD).write_text(json_text(card), encoding="utf-8")
    return card


def _written(name: str, source: Source, folder: Path) -> Runtime:
    path = folder / FORMATS[name].file
    try:
        FORMATS[name].write(source, path)
    except OSError:
        raise
    except Exception as problem:  # the converters raise errors of their own, of every kind
        reason = str(problem).strip().partition("\n")[0]
        raise UsageError(
            f"format '{name}' cannot be written of this child ({reason}): leave it out"
        ) from problem
    return FORMATS[name].run(path)


def _measured(
    child: Child, dataset: Dataset, settings: Export, folder: Path, runtimes: dict[str, Runtime]
) -> ExportCard:
    part = settings.part
    images = min(settings.images or dataset.sizes[part], dataset.sizes[part])
    found = agreements(child, runtimes, dataset, part, images)
    height, width = child.size
    return ExportCard(
        network=child.network,
        dataset=dataset.name,
        accuracy_label=f"top-1 on the {part} images of {dataset.name}, measured with each file",
        input={
            "height": height,
            "width": width,
            "channels": child.task.channels,
            "range": (0, 255),
            "mean": child.mean,
            "deviation": child.deviation,
        },
        output="probabilities" if settings.probabilities else "logits",
        classes=child.classes,
        forms=tuple(
            Form(
                format=name,
                file=FORMATS[name].file,
                kib=kib(folder / FORMATS[name].file),
                runtime=runtime.name,
                agreement=found[name],
                quantisation=_quantisation(runtime, settings),
            )
            for name, runtime in runtimes.items()
        ),
        trained=child.card,
        sha256=hashes(folder),
        versions=all_versions(),
    )


def _quantisation(runtime: Runtime, settings: Export) -> dict[str, Any] | None:
    if runtime.ends is None:
        return None
    return {
        "method": "post-training, full integer",
        "weights": "int8, a scale for each output channel",
        "activations": "int8, a scale for each tensor",
        "representative_images": settings.representative_images,
        "representative_part": "train",
        "seed": settings.seed,
        **runtime.ends,
    }
