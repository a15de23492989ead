"""Solved pairs as a Parquet file: a row per pair, what it is and its optimum.

The file grows as `nahas.parts_file` says; a resumed run writes the bytes of an unbroken one
whatever the number of threads.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from enum import IntEnum
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import nahas
from nahas.energy import packaged_tables
from nahas.hardware import Hardware
from nahas.kernels._jit import kernel_fingerprint
from nahas.kernels.records import CostRow, HardwareRow, LayerRow, MappingRow, ResidencyRow
from nahas.parts_file import PartsFile, pyarrow
from nahas.tile_bench.solve import Solved
from nahas.tile_bench.source import HARDWARE_FIELDS, Pairs, Source
from nahas.vocabulary import Bound, Dim, DramOrder, Objective, Reason

SCHEMA_VERSION = 1
"""Of the file: raised when a column changes its meaning or goes."""

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
    """A growing file of solved pairs."""

    def __init__(
        self, path: Path, source: Source, pairs: int, objective: Objective, *, resume: bool = False
    ) -> None:
        """Begin the file, or go on with its parts.

        Raises:
            UsageError: when pyarrow is absent, when the file or its parts exist and are not to
                be resumed, and when the parts are of other pairs or of another simulator.
        """
        self._arrow = pyarrow()[0]
        self._source = source
        self._file = PartsFile(path, about(source, pairs, objective), resume=resume)

    @property
    def path(self) -> Path:
        """The file, which is there when all is done."""
        return self._file.path

    @property
    def folder(self) -> Path:
        """The parts until then."""
        return self._file.folder

    @property
    def done(self) -> int:
        """Pairs in the parts, from the first without a gap."""
        return self._file.done

    def write(self, start: int, batch: Pairs, solved: Solved) -> None:
        """Add the pairs at places `start` and following of the source's order."""
        columns = list(_columns(self._source, batch, solved))
        bad = solved[0][:, CostRow._fields.index("reason")] != Reason.OK
        arrays = [self._array(column, bad) for column in columns]
        names = [column.name for column in columns]
        self._file.write(start, self._arrow.Table.from_arrays(arrays, names=names))

    def _array(self, column: Column, bad: NDArray[np.bool_]) -> Any:
        mask = bad if column.of_optimum else None
        if column.names is None:
            return self._arrow.array(column.values, mask=mask)
        codes = self._arrow.array(column.values.astype(np.int8), mask=mask)
        names = [member.name.lower() for member in column.names]
        return self._arrow.DictionaryArray.from_arrays(codes, names)

    def finish(self) -> None:
        """Make the parts the file, a row group each, and remove their folder."""
        self._file.finish()


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
