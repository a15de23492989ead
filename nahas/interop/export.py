"""Mapped layers as the files of another tool: one folder for each layer, all or none.

[docs/interchange.md]
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from nahas.energy import Tables
from nahas.errors import InteropError
from nahas.files import folder_written_whole
from nahas.interop.accelforge_out import accelforge_files
from nahas.interop.nest import MappedPoint, edge_accelerator
from nahas.interop.timeloop_v4 import timeloop_files
from nahas.interop.zigzag_out import zigzag_files
from nahas.simulate import NetworkCost

FORMATS: dict[str, Callable[[MappedPoint], dict[str, str]]] = {
    "timeloop": timeloop_files,
    "accelforge": accelforge_files,
    "zigzag": zigzag_files,
}
"""What `--export` offers: for each tool, the files of one mapped layer, by name."""


@dataclass(frozen=True, kw_only=True)
class Export:
    """What an export wrote.

    Attributes:
        written: folders, one for each layer, in the order of the layers.
        left_out: why a layer has none, a sentence each: its nest is none of that tool's.
    """

    written: tuple[Path, ...]
    left_out: tuple[str, ...]


def points_of(cost: NetworkCost, tables: Tables | None = None) -> list[MappedPoint]:
    """The mapped layers of a simulated network; `tables` are those that it was simulated with."""
    accelerator = edge_accelerator(cost.hardware, tables)
    return [
        MappedPoint(accelerator=accelerator, layer=of.layer, mapping=of.mapping)
        for of in cost.layers
        if of.mapping is not None
    ]


def export(points: Iterable[MappedPoint], tool: str, folder: str | Path) -> Export:
    """Write each mapped layer into a folder of its own in `folder`, which must be new.

    Layers that the tool's format cannot express are left out and named.

    Raises:
        InteropError: for another tool than those of FORMATS, when `folder` is there already or
            cannot be written, and when no layer can be expressed.
    """
    if tool not in FORMATS:
        raise InteropError(f"'{tool}' is no format of exports: use one of {', '.join(FORMATS)}")
    folder = Path(folder)
    if folder.exists():
        raise InteropError(f"{folder} is there already: export to a new folder")
    contents: dict[str, dict[str, str]] = {}
    left_out = []
    for number, point in enumerate(points):
        try:
            contents[f"{number:03}_{_safe(point.layer.name)}"] = FORMATS[tool](point)
        except InteropError as reason:
            left_out.append(str(reason))
    if not contents:
        raise InteropError(left_out[0] if left_out else "there is no mapped layer to export")
    try:
        with folder_written_whole(folder) as temporary:
            for name, files in contents.items():
                (temporary / name).mkdir()
                for file, text in files.items():
                    (temporary / name / file).write_text(text, encoding="utf-8", newline="\n")
    except OSError as problem:
        raise InteropError(
            f"{folder}: cannot be written ({problem.strerror or problem})"
        ) from problem
    return Export(written=tuple(folder / name for name in contents), left_out=tuple(left_out))


def _safe(name: str) -> str:
    """A layer's name as a file system takes it."""
    kept = "".join(each if each.isalnum() or each in "-_." else "_" for each in name)
    return kept[:60].strip(".") or "layer"
