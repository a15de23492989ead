"""The program that ran each row on simulated RTL, and how long it takes.

DOSA's program (ucb-bar/gemmini-rocc-tests, `tiled_conv` and `tiled_matmul` as of commit 928aba8)
makes one hardware loop of everything below DRAM and calls it once per step of the loops of DRAM. It
loads all inputs and weights of every tile, whatever was there before, and stores outputs
when their sum is done. Loading, computing and storing go on side by side, and two tiles are in
flight, so the slowest of them, or issuing the next hardware loop, sets the pace. [docs/trust.md]
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nahas.datafiles import packaged, read_mapping
from nahas.errors import InteropError
from nahas.trust.gemmini import GemminiRow
from nahas.trust.gemmini_cache import Cache, missed_lines
from nahas.vocabulary import Dim

Floats = NDArray[np.float64]

CALIBRATED = (
    "issue_conv_cycles",
    "issue_matmul_cycles",
    "beat_cycles",
    "l2_miss_cycles",
    "llc_miss_cycles",
    "stored_row_cycles",
    "interval_per_side",
)
"""The constants that are fitted; all others are of the published configuration."""


SIDE_OF_ALL_ROWS = 128
"""What the data gives for every row, whichever array it ran on."""


@dataclass(frozen=True)
class GemminiConstants:
    """What `nahas/data/gemmini.yaml` holds; there every value has its source.

    Attributes:
        values: by name.
        layers: the layers that the constants of `CALIBRATED` were fitted on, as `shape_of` names
            them.
    """

    values: dict[str, float]
    layers: frozenset[str]

    def __getitem__(self, name: str) -> float:
        return self.values[name]

    def cache(self, name: str) -> Cache:
        """The cache 'l2' or 'llc'."""
        sets, ways = int(self[f"{name}_sets"]), int(self[f"{name}_ways"])
        return Cache(sets, ways, int(self["line_bytes"]))


class Tiles(NamedTuple):
    """Kinds of tiles of a row, each an array [kinds].

    Attributes:
        times: how often a tile of the kind runs.
        beats: of the bus, to load its inputs and weights.
        blocks: weights that fill the array anew.
        full_groups: groups of as many positions as the array has rows, over all blocks.
        short_groups: the rest of each row of positions, over all blocks.
        short_rows: positions in a short group.
        stored_rows: rows of outputs that leave.
    """

    times: Floats
    beats: Floats
    blocks: Floats
    full_groups: Floats
    short_groups: Floats
    short_rows: Floats
    stored_rows: Floats


@dataclass(frozen=True)
class Program:
    """A row as it ran.

    Attributes:
        side: columns and rows of the array.
        is_matmul: whether it ran as a product of matrices.
        l2_misses, llc_misses: lines that both caches miss, over all tiles.
    """

    side: int
    is_matmul: bool
    tiles: Tiles
    l2_misses: float
    llc_misses: float


class _Axis(NamedTuple):
    """One axis of a layer: positions of outputs, inputs, taps of the filter."""

    outputs: int
    inputs: int
    taps: int
    stride: int


class _Window(NamedTuple):
    """A tile along one axis: positions, rows of the filter, what it reads, and where it stands."""

    positions: int
    taps: int
    read: int
    is_last: bool


def load_constants(path: Path | None = None) -> GemminiConstants:
    """The packaged constants, or those of another file.

    Raises:
        InteropError: when the file is damaged or a value has no source.
    """
    path = path or packaged("gemmini.yaml")
    content = read_mapping(path, InteropError)
    constants: dict[str, Any] = content.get("constants", {})
    for name, entry in constants.items():
        if not isinstance(entry, dict) or not entry.get("source") or "value" not in entry:
            raise InteropError(f"{path}: the constant '{name}' needs a value and a source")
    return GemminiConstants(
        {name: float(entry["value"]) for name, entry in constants.items()},
        frozenset(content.get("calibration_layers", ())),
    )


def shape_of(row: GemminiRow) -> str:
    """The layer of a row in one word, by which the calibration layers are named."""
    layer = row.layer
    dims = (layer.k, layer.c, layer.p, layer.q, layer.r, layer.s, layer.stride_p)
    return "x".join(str(dim) for dim in dims)


def side_of(row: GemminiRow) -> int:
    """The side of the array that ran a row: the smallest power of two that holds what is spread.

    The program sorts rows by that rule onto arrays of 2, 4, ... 128 (`per_pe_dim` in its
    gemmini_data_collection.py), while `arch.meshX` says 128 for all rows. A smaller side is
    believed.
    """
    named = row.architecture.get("meshX", SIDE_OF_ALL_ROWS)
    if named < SIDE_OF_ALL_ROWS:
        return named
    side = 2
    while side < max(row.spread(Dim.K), row.spread(Dim.C)):
        side *= 2
    return side


def program_of(row: GemminiRow, constants: GemminiConstants) -> Program:
    """The tiles that the program runs for a row."""
    layer = row.layer
    is_matmul = layer.q == layer.r == layer.s == 1
    size = {dim: int(getattr(layer, dim.name.lower())) for dim in Dim}
    tile = row.tile
    side = side_of(row)
    if is_matmul:
        unit = int(constants["matmul_tile_unit"])
        tile |= {dim: max(1, tile[dim] // unit) * side for dim in (Dim.P, Dim.K, Dim.C)}
        tile |= {dim: min(tile[dim], size[dim]) for dim in (Dim.P, Dim.K, Dim.C)}
        tiles = _matmul_tiles(size, tile, side, constants)
    else:
        # It takes square layers for granted: P and R stand for both axes.
        taps, stride = layer.r, layer.stride_p
        inputs = layer.p * stride
        axis = _Axis((inputs - taps + taps // 2 * 2) // stride + 1, inputs, taps, stride)
        size |= {Dim.P: axis.outputs, Dim.Q: axis.outputs, Dim.S: taps}
        tiles = _conv_tiles(size, tile, axis, side, constants)
    loops = _steps(row, size, tile)
    l2, llc = (
        missed_lines(constants.cache(name), size, layer.stride_p, tile, loops)
        for name in ("l2", "llc")
    )
    return Program(side, is_matmul, tiles, l2, llc)


def cycles_of(program: Program, constants: GemminiConstants) -> float:
    """Cycles of a row: for each tile the most of issuing, loading, computing and storing."""
    tiles, side = program.tiles, program.side
    issue = constants["issue_matmul_cycles" if program.is_matmul else "issue_conv_cycles"]
    count = tiles.times.sum()
    load = constants["beat_cycles"] * tiles.beats
    load = load + constants["l2_miss_cycles"] * program.l2_misses / count
    load = load + constants["llc_miss_cycles"] * program.llc_misses / count
    least = max(constants["least_rows"], constants["interval_per_side"] * side)
    short = np.maximum(tiles.short_rows, least)
    compute = tiles.full_groups * max(side, least) + tiles.short_groups * short
    # New weights need a cycle per row of the array, even for a short group.
    first = np.maximum(max(side, least) - short, 0.0)
    compute = compute + np.where(tiles.full_groups == 0, tiles.blocks * first, 0.0)
    store = constants["stored_row_cycles"] * tiles.stored_rows
    slowest = np.maximum.reduce([load, compute, store, np.full_like(load, issue)])
    return float((tiles.times * slowest).sum())


def _steps(row: GemminiRow, size: dict[Dim, int], tile: dict[Dim, int]) -> list[tuple[Dim, int]]:
    """The loops around the tiles, outermost first; dims that the mapping does not name go first."""
    order = [dim for dim, _ in row.dram]
    order = [dim for dim in (Dim.P, Dim.Q, Dim.K, Dim.C, Dim.R, Dim.S) if dim not in order] + order
    counts = ((dim, ceil(size[dim] / tile[dim])) for dim in order)
    return [(dim, count) for dim, count in counts if count > 1]


def _conv_tiles(
    size: dict[Dim, int],
    tile: dict[Dim, int],
    axis: _Axis,
    side: int,
    constants: GemminiConstants,
) -> Tiles:
    depth, width = tile[Dim.C], tile[Dim.K]
    steps_k, steps_c = ceil(size[Dim.K] / width), ceil(size[Dim.C] / depth)
    arrays = ceil(width / side) * ceil(depth / side)
    pixel, filters = _beats(depth, constants), _beats(width, constants)
    rows = _windows(axis, tile[Dim.Q], tile[Dim.S], constants)
    columns = _windows(axis, tile[Dim.P], tile[Dim.R], constants)
    kinds = []
    for row, row_times in rows.items():
        for column, column_times in columns.items():
            blocks = row.taps * column.taps * arrays
            full, short = divmod(column.positions, side)
            stored = row.positions * column.positions * ceil(width / side)
            times = row_times * column_times * steps_k
            beats = row.read * column.read * pixel + row.taps * column.taps * depth * filters
            groups = (row.positions * full * blocks, row.positions * (short > 0) * blocks, short)
            for is_last, repeats in ((False, steps_c - 1), (True, 1)):
                leaves = stored if is_last and row.is_last and column.is_last else 0
                kinds.append((times * repeats, beats, blocks, *groups, leaves))
    return Tiles(*np.array(kinds, np.float64).T)


def _matmul_tiles(
    size: dict[Dim, int], tile: dict[Dim, int], side: int, constants: GemminiConstants
) -> Tiles:
    kinds = []
    for rows, row_times, _ in _cuts(size[Dim.P], tile[Dim.P]):
        for width, width_times, _ in _cuts(size[Dim.K], tile[Dim.K]):
            for depth, depth_times, is_last in _cuts(size[Dim.C], tile[Dim.C]):
                blocks = ceil(width / side) * ceil(depth / side)
                full, short = divmod(rows, side)
                beats = rows * _beats(depth, constants) + depth * _beats(width, constants)
                leaves = rows * ceil(width / side) if is_last else 0
                groups = (full * blocks, (short > 0) * blocks, short)
                times = row_times * width_times * depth_times
                kinds.append((times, beats, blocks, *groups, leaves))
    return Tiles(*np.array(kinds, np.float64).T)


def _cuts(size: int, tile: int) -> Iterator[tuple[int, int, bool]]:
    """Lengths of tiles along a dim, how many have it, and whether it is the last that does."""
    count = ceil(size / tile)
    if count > 1:
        yield tile, count - 1, False
    yield size - (count - 1) * tile, 1, True


def _windows(
    axis: _Axis, positions: int, taps: int, constants: GemminiConstants
) -> Counter[_Window]:
    """Tiles of so many positions and taps along an axis.

    What lies in the padding is not read. Where a tile lies in it whole, the hardware's unsigned
    counters turn a negative extent into a huge one, and it reads that.
    """
    windows: Counter[_Window] = Counter()
    for start in range(0, axis.outputs, positions):
        wide = min(positions, axis.outputs - start)
        for tap in range(0, axis.taps, taps):
            tall = min(taps, axis.taps - tap)
            first = start * axis.stride + tap - axis.taps // 2
            extent = wide * axis.stride + tall - 1
            outside = max(0, -first) + max(0, first + extent - axis.inputs)
            read = (extent - outside) % 2 ** int(constants["counter_bits"])
            windows[_Window(wide, tall, read, tap + tall == axis.taps)] += 1
    return windows


def _beats(row_bytes: int, constants: GemminiConstants) -> int:
    """Beats of the bus for a row: whole requests, and the smallest power of two for the rest."""
    request, beat = int(constants["request_bytes"]), int(constants["beat_bytes"])
    whole, rest = divmod(row_bytes, request)
    beats = whole * (request // beat)
    if rest:
        beats += 2 ** ceil(np.log2(max(1, rest / beat)))
    return beats
