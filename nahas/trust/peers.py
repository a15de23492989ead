"""Our optimum beside the best of other mappers, on the same layers, hardware and energies."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from nahas.datafiles import packaged
from nahas.errors import InteropError, NahasError
from nahas.interop.record import Record, read_object
from nahas.layers import Layer
from nahas.mapper import MappedLayer, map_layer
from nahas.templates import ALL, Accelerator, Axis, Memory
from nahas.vocabulary import Dim, Slot, Tensor

ROUNDING = 0.005
"""Relative: their energies are printed to three digits."""

_TENSORS = {"W": Tensor.WEIGHTS, "I": Tensor.INPUTS, "O": Tensor.OUTPUTS}
_AXES = {
    "pe_x": Slot.LANE_ARRAY,
    "pe_y": Slot.LANE_ARRAY,
    "lanes": Slot.DATAPATH,
    "simd": Slot.DATAPATH,
}
_SPREAD = tuple(dim for dim in Dim if dim is not Dim.N)


@dataclass(frozen=True)
class Theirs:
    """What another mapper found for a pair; no energy where none was printed."""

    tool: str
    cycles: float
    energy_pj: float | None


@dataclass(frozen=True)
class PeerPair:
    """One layer on one accelerator: our optimum, and what others found.

    Attributes:
        seconds: what our search took.
    """

    hardware: str
    ours: MappedLayer
    theirs: tuple[Theirs, ...]
    seconds: float

    @property
    def never_worse(self) -> bool:
        """Whether no other mapper has fewer cycles, or as many and less energy."""
        return not any(self._beaten_by(other) for other in self.theirs)

    def _beaten_by(self, other: Theirs) -> bool:
        # Theirs may stop at a fraction of a cycle, where ours rounds up.
        if self.ours.cycles >= other.cycles + 1:
            return True
        if self.ours.cycles + 1 <= other.cycles or other.energy_pj is None:
            return False
        return self.ours.energy_pj > other.energy_pj * (1 + ROUNDING)

    def document(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "hardware": self.hardware,
            **self.ours.document(),
            "theirs": [
                {"tool": each.tool, "cycles": each.cycles, "energy_pj": each.energy_pj}
                for each in self.theirs
            ],
            "never_worse": self.never_worse,
            "seconds": self.seconds,
        }


def compare_with_peers(path: Path) -> Iterator[PeerPair]:
    """Map every layer of the file on every accelerator of it, one by one.

    Energies are the file's, words those of one width. Any axis may spread any dim, and a second
    one where it has room: the file names no dataflow.

    Raises:
        InteropError: when the file or a key in it cannot be read.
    """
    file = read_object(path)
    layers = [_layer(record) for record in _records(path, file, "layers")]
    energies = file.part("energy_pj_per_word")
    found = _theirs()
    for record in _records(path, file, "hardware"):
        accelerator = _accelerator(record, energies.part(record.read("id", str)))
        map_layer(Layer(name="first"), accelerator)  # compiles, outside of the time taken
        for layer in layers:
            started = perf_counter()
            ours = map_layer(layer, accelerator)
            taken = perf_counter() - started
            theirs = found.get((layer.name, accelerator.name), ())
            yield PeerPair(accelerator.name, ours, theirs, taken)


def _records(path: Path, file: Record, key: str) -> Iterator[Record]:
    for number, value in enumerate(file.read(key, list), start=1):
        if not isinstance(value, dict):
            raise InteropError(f"{path}: {key} {number} is not an object")
        yield Record(f"{path}: {key} {number}", value)


def _layer(record: Record) -> Layer:
    dims: dict[str, Any] = {key.lower(): record.count(key, least=1) for key in "NKCPQRS"}
    if record.read("kind", str) == "depthwise":
        dims["g"], dims["c"] = dims["c"], 1
    stride, dilation = record.count("stride", least=1), record.count("dilation", least=1)
    try:
        return Layer(
            name=record.read("id", str),
            stride_p=stride,
            stride_q=stride,
            dilation_r=dilation,
            dilation_s=dilation,
            **dims,
        )
    except NahasError as error:
        raise InteropError(f"{record.where}: {error}") from error


def _accelerator(record: Record, energies: Record) -> Accelerator:
    bits = record.count("word_bits", least=1)

    def memory(name: str, **limits: Any) -> Memory:
        each = energies.amount(name) * 8 / bits
        return Memory(read_pj_per_byte=each, write_pj_per_byte=each, **limits)

    keeps = record.read("rf_keeps", list, default=None)
    if keeps is not None and not all(name in _TENSORS for name in map(str, keeps)):
        raise record.wrong("rf_keeps", keeps, f"a list of {', '.join(_TENSORS)}")
    kept = ALL if keeps is None else frozenset(_TENSORS[str(name)] for name in keeps)
    axes = [
        Axis(name=name, slot=slot, size=record.count(name, least=1), dims=_SPREAD, folds=_SPREAD)
        for name, slot in _AXES.items()
    ]
    return Accelerator(
        name=record.read("id", str),
        memories=(
            memory("DRAM", bytes_per_cycle=record.amount("dram_bytes_per_cycle")),
            memory(
                "buffer",
                capacity_bytes=record.count("buffer_bytes", least=1),
                bytes_per_cycle=record.amount("buffer_bytes_per_cycle"),
            ),
            memory("rf", capacity_bytes=record.count("rf_bytes_per_pe", least=1), keeps=kept),
        ),
        axes=tuple(axis for axis in axes if axis.size > 1),
        mac_pj=energies.amount("mac"),
        weight_bits=bits,
        activation_bits=bits,
        partial_sum_bits=bits,
    )


def _theirs() -> dict[tuple[str, str], tuple[Theirs, ...]]:
    found: dict[tuple[str, str], tuple[Theirs, ...]] = {}
    with packaged("peers.csv").open(newline="", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            energy = float(row["energy_pj"]) if row["energy_pj"] else None
            pair = (row["layer"], row["hardware"])
            found[pair] = (
                *found.get(pair, ()),
                Theirs(row["tool"], float(row["cycles"]), energy),
            )
    return found
