"""Solved pairs as a Parquet file: a row per pair, what it is and its optimum.

Parts of a batch each are written in a folder beside the file, whole or not at all. When the
last is there they become the file, under its name at once, and the folder goes. A run that is
killed leaves the folder; one that resumes it writes the same file as an unbroken one, byte by
byte, whatever the number of threads.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import fields
from enum import IntEnum
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import nahas
from nahas.energy import packaged_tables
from nahas.errors import UsageError
from nahas.files import json_text, write_text, written_whole
from nahas.hardware import Hardware
from nahas.kernels._jit import kernel_fingerprint
from nahas.kernels.records import CostRow, HardwareRow, LayerRow, MappingRow, ResidencyRow
from nahas.tile_bench.solve import Solved
from nahas.tile_bench.source import HARDWARE_FIELDS, Pairs, Source
from nahas.vocabulary import Bound, Dim, DramOrder, Objective, Reason

SCHEMA_VERSION = 1
"""Of the file: raised when a column changes its meaning or goes."""

ABOUT_FILE = "about.json"
WHOLE_HARDWARE = {f.name for f in fields(Hardware) if f.type == "int"}
NAMES: dict[str, type[IntEnum]] = {
    "bound": Bound,
    "reason": Reason,
    "pe_x_dim": Dim,
    "pe_y_dim": Dim,
    "lane_dim": Dim,
    "dram_order": DramOrder,
}
"""Fields that hold the number of a name."""


class Column(NamedTuple):
    """One column of the file [N]; those of an optimum are null where no mapping fits."""

    name: str
    values: NDArray[Any]
    of_optimum: bool
    names: type[IntEnum] | None = None


class Dataset:
    """A growing file of solved pairs.

    Attributes:
        path: the file, which is there when all is done.
        folder: the parts until then.
        done: pairs in the parts, from the first without a gap.
    """

    def __init__(
        self, path: Path, source: Source, pairs: int, objective: Objective, *, resume: bool = False
    ) -> None:
        """Begin the file, or go on with its parts.

        Raises:
            UsageError: when pyarrow is absent, when the file or its parts exist and are not to
                be resumed, and when the parts are of other pairs or of another simulator.
        """
        self._arrow, self._parquet = _pyarrow()
        self.path = path
        self.folder = parts_of(path)
        self._source = source
        self._about = about(source, pairs, objective)
        self._pairs = pairs
        refuse_to_replace(path, resume=resume)
        if resume:
            self._check_parts()
        else:
            write_text(self.folder / ABOUT_FILE, json_text(self._about))
        self.done = 0
        for start, part in self._parts():
            if start != self.done:
                break
            self.done += int(self._parquet.ParquetFile(part).metadata.num_rows)

    def _check_parts(self) -> None:
        file = self.folder / ABOUT_FILE
        try:
            before = dict(json.loads(file.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise UsageError(f"{file} cannot be read ({error}): remove {self.folder}") from error
        for key, value in self._about.items():
            if before.get(key) != value:
                raise UsageError(
                    f"{self.folder} holds parts whose {key.replace('_', ' ')} is "
                    f"{before.get(key)}, but now it is {value}: finish them as they were begun, or "
                    "remove them"
                )

    def _parts(self) -> list[tuple[int, Path]]:
        found = self.folder.glob("part-*.parquet")
        return sorted((int(path.stem.partition("-")[2]), path) for path in found)

    def write(self, start: int, batch: Pairs, solved: Solved) -> None:
        """Add the pairs at places `start` and following of the source's order."""
        columns = list(_columns(self._source, batch, solved))
        bad = solved[0][:, CostRow._fields.index("reason")] != Reason.OK
        arrays = [self._array(column, bad) for column in columns]
        table = self._arrow.Table.from_arrays(arrays, names=[column.name for column in columns])
        with written_whole(self.folder / f"part-{start:012d}.parquet") as temporary:
            self._parquet.write_table(table, temporary, compression="zstd")
        self.done = start + len(batch.pairs)

    def _array(self, column: Column, bad: NDArray[np.bool_]) -> Any:
        mask = bad if column.of_optimum else None
        if column.names is None:
            return self._arrow.array(column.values, mask=mask)
        codes = self._arrow.array(column.values.astype(np.int8), mask=mask)
        names = [member.name.lower() for member in column.names]
        return self._arrow.DictionaryArray.from_arrays(codes, names)

    def finish(self) -> None:
        """Make the parts the file, a row group each, and remove their folder."""
        keys = {f"nahas_{key}": str(value) for key, value in self._about.items()}
        parts = [part for _, part in self._parts()]
        schema = self._parquet.ParquetFile(parts[0]).schema_arrow.with_metadata(keys)
        with (
            written_whole(self.path) as temporary,
            self._parquet.ParquetWriter(temporary, schema, compression="zstd") as writer,
        ):
            for part in parts:
                table = self._parquet.ParquetFile(part).read()
                writer.write_table(table.replace_schema_metadata(keys))
        shutil.rmtree(self.folder)


def parts_of(path: Path) -> Path:
    """The folder of a file's parts."""
    return path.with_name(path.name + ".partial")


def refuse_to_replace(path: Path, *, resume: bool) -> None:
    """Raise a UsageError where beginning or resuming a file would lose or find nothing."""
    folder = parts_of(path)
    if path.exists():
        raise UsageError(f"{path} exists already: name another file, or remove it")
    if resume and not folder.is_dir():
        raise UsageError(f"there is no {folder} to resume: leave --resume out to begin {path}")
    if folder.exists() and not resume:
        raise UsageError(
            f"{folder} holds a part of {path}: go on with --resume, name another file, or remove it"
        )


def about(source: Source, pairs: int, objective: Objective) -> dict[str, str | int]:
    """What a file is of: the keys of its metadata, without their `nahas_`."""
    layers, accelerators = source.names
    return {
        "schema_version": SCHEMA_VERSION,
        "version": nahas.__version__,
        "pairs": pairs,
        "objective": objective.name.lower(),
        "space": source.space.name.lower(),
        "seed": source.seed,
        "layers": layers,
        "accelerators": accelerators,
        "source_fingerprint": source.fingerprint,
        "simulator_fingerprint": kernel_fingerprint(),
        "constants_fingerprint": packaged_tables().fingerprint,
    }


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise UsageError(
            "a Parquet file needs pyarrow, which is not installed: run pip install 'nahas[data]'"
        ) from error
    return pyarrow, parquet


def _columns(source: Source, batch: Pairs, solved: Solved) -> Iterator[Column]:
    layer, point = batch.pairs.T
    yield Column("layer_index", layer.astype(np.int32), False)
    yield Column("accelerator_index", point.astype(np.int32), False)
    for j, name in enumerate(LayerRow._fields):
        if name not in ("kind", "operands"):  # the same for every layer that is mapped
            yield Column(f"layer_{name}", batch.layers[layer, j].astype(np.int32), False)
    for j, name in enumerate(HARDWARE_FIELDS):
        kind = np.int32 if name in WHOLE_HARDWARE else np.float64
        yield Column(f"hardware_{name}", source.parameters[point, j].astype(kind), False)
    for j, name in enumerate(HardwareRow._fields):
        if "_pj" in name or name == "io_bytes_per_cycle":  # the rest are the parameters
            yield Column(f"hardware_{name}", batch.points[point, j], False)
    for j, name in enumerate(ResidencyRow._fields):
        yield Column(f"residency_{name}", batch.stays[:, j], False)
    costs, mappings = solved[:2]
    for j, name in enumerate(CostRow._fields):
        yield Column(f"cost_{name}", costs[:, j], name != "reason", NAMES.get(name))
    for j, name in enumerate(MappingRow._fields):
        yield Column(f"mapping_{name}", mappings[:, j].astype(np.int32), True, NAMES.get(name))
