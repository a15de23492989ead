"""Gemmini as we predict it beside simulated RTL, and our counts beside Timeloop's rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.errors import UsageError
from nahas.mapping import AccessCounts, bandwidth_cycles, evaluate
from nahas.trust.gemmini import (
    RTL_FILE,
    TIMELOOP_FILE,
    GemminiRow,
    read_rtl,
    read_timeloop_lines,
    rows_of,
)
from nahas.trust.gemmini_program import (
    GemminiConstants,
    cycles_of,
    load_constants,
    program_of,
    shape_of,
    side_of,
)
from nahas.vocabulary import Access, Dim, Level, Tensor

Floats = NDArray[np.float64]

DRAM_WORDS_PER_CYCLE = 8.0
"""Of DOSA's architecture (dataset/hw/gemmini/arch/arch.yaml of ucb-bar/dosa, shared_bandwidth)."""

SEED = 0
"""Which architectures of the Timeloop rows are read, and which layers energies are fitted on."""

FITTED_SHARE = 0.25
"""Of the layers, for the energies per access of an architecture."""

ENERGIES = (
    "multiply-accumulates",
    "weights into registers",
    "inputs from the scratchpad",
    "accumulator reads and updates",
    "partial sums from DRAM",
    "weights and inputs from DRAM",
    "outputs to DRAM",
)
"""What each of the fitted energies is per word of."""


@dataclass(frozen=True)
class Ranks:
    """How well one figure ranks the simulated cycles.

    Attributes:
        spearman, kendall: rank correlations; None where either has a single value.
        median_error: median distance of figure / simulated from 1.
    """

    spearman: float | None
    kendall: float | None
    median_error: float


@dataclass(frozen=True)
class SideError:
    """Predicted cycles on the arrays of one side."""

    side: int
    rows: int
    ranks: Ranks


@dataclass(frozen=True)
class RtlComparison:
    """Predicted cycles beside those of RTL, on layers that no constant was fitted on.

    Attributes:
        rows, layers: how many are compared; `fitted_rows` of `fitted_layers` are left out.
        predicted: the program and its equations.
        roofline: the larger of compute cycles and words of DRAM by its bandwidth, as counted.
        compute: compute cycles of the mapping.
        within_10_percent, within_30_percent: shares of the rows.
        sides: the predicted cycles, by array.
        too_quick_for_16: rows that need more than 256 multiply-accumulates per cycle.
    """

    rows: int
    layers: int
    fitted_rows: int
    fitted_layers: int
    predicted: Ranks
    roofline: Ranks
    compute: Ranks
    within_10_percent: float
    within_30_percent: float
    sides: tuple[SideError, ...]
    too_quick_for_16: int


@dataclass(frozen=True)
class TimeloopComparison:
    """Our cycles and energies beside Timeloop's for the same mappings.

    Attributes:
        architectures, rows: how many are compared.
        exact, within_one_cycle, within_1_percent: rows whose cycles agree so far.
        off_windows: rows off by more than 1 % in cycles that slide a window or skip inputs, where
            Timeloop extrapolates.
        cycles_spearman: rank correlation of cycles.
        energy_rows: rows of layers that no energy was fitted on.
        energy_median_error: median distance of ours / theirs from 1 there.
        energy_within_1_percent: share of these rows.
        energy_spearman: rank correlation there.
        energy_worst: the largest such distance.
        energy_off: rows off by more than 1 % there; `energy_off_windows` of them slide a window or
            skip inputs, `energy_off_single` have a single output.
    """

    architectures: int
    rows: int
    exact: int
    within_one_cycle: int
    within_1_percent: int
    off_windows: int
    cycles_spearman: float
    energy_rows: int
    energy_median_error: float
    energy_within_1_percent: float
    energy_spearman: float
    energy_worst: float
    energy_off: int
    energy_off_windows: int
    energy_off_single: int


@dataclass(frozen=True)
class GemminiComparison:
    """Both; a part whose file is not in the folder is None."""

    rtl: RtlComparison | None
    timeloop: TimeloopComparison | None

    def document(self) -> dict[str, Any]:
        """The JSON form."""
        return asdict(self)


def compare_with_gemmini(folder: Path, architectures: int = 6) -> GemminiComparison:
    """Compare with what lies in the folder.

    Args:
        folder: that holds the RTL rows, the Timeloop rows, or both.
        architectures: of the Timeloop rows, drawn with `SEED`; 0 takes all.

    Raises:
        InteropError: when a file is damaged.
        UsageError: when the folder holds neither file.
    """
    rtl, timeloop = (folder / RTL_FILE).exists(), (folder / TIMELOOP_FILE).exists()
    if not rtl and not timeloop:
        raise UsageError(f"{folder} holds neither {RTL_FILE} nor {TIMELOOP_FILE}")
    return GemminiComparison(
        compare_with_rtl(read_rtl(folder)) if rtl else None,
        compare_with_timeloop(folder, architectures) if timeloop else None,
    )


def compare_with_rtl(
    rows: Sequence[GemminiRow], constants: GemminiConstants | None = None
) -> RtlComparison:
    """Predict the cycles of every row whose layer no constant was fitted on."""
    constants = constants or load_constants()
    held_out = [row for row in rows if shape_of(row) not in constants.layers]
    if not held_out:
        raise UsageError(
            f"all {len(rows)} rows are of layers that the constants were fitted on, "
            "so there is nothing to compare"
        )
    simulated = np.array([row.cycles for row in held_out])
    predicted = np.array([cycles_of(program_of(row, constants), constants) for row in held_out])
    counts = [evaluate(row.layer, row.nest) for row in held_out]
    compute = np.array([float(count.compute_cycles) for count in counts])
    moved = np.array([count.counts[Level.DRAM].sum() for count in counts])
    error = np.abs(predicted / simulated - 1.0)
    sides = np.array([side_of(row) for row in held_out])
    macs = np.array([row.layer.macs for row in held_out])
    return RtlComparison(
        rows=len(held_out),
        layers=len({shape_of(row) for row in held_out}),
        fitted_rows=len(rows) - len(held_out),
        fitted_layers=len({shape_of(row) for row in rows} & constants.layers),
        predicted=_ranks(predicted, simulated),
        roofline=_ranks(np.maximum(compute, moved / DRAM_WORDS_PER_CYCLE), simulated),
        compute=_ranks(compute, simulated),
        within_10_percent=float((error <= 0.1).mean()),
        within_30_percent=float((error <= 0.3).mean()),
        sides=tuple(
            SideError(
                int(side),
                int((sides == side).sum()),
                _ranks(predicted[sides == side], simulated[sides == side]),
            )
            for side in np.unique(sides)
        ),
        too_quick_for_16=int((macs > 256 * simulated).sum()),
    )


def reference_cycles(row: GemminiRow, counts: AccessCounts) -> int:
    """Cycles by Timeloop's rule, each memory with its own bandwidth.

    The accumulators of DOSA's Timeloop read a sum before its first update as well; otherwise the
    rule is that of docs/equations.md 5.2.
    """
    scratchpad, accumulator = (
        float(row.architecture[f"mem{level}_shared_bandwidth"]) for level in (2, 1)
    )
    inputs = (Tensor.WEIGHTS, Tensor.INPUTS)
    memories = (
        (Level.DRAM, tuple(Tensor), 1, DRAM_WORDS_PER_CYCLE),
        (Level.LOCAL_MEMORY, inputs, 1, scratchpad),
        (Level.LOCAL_MEMORY, (Tensor.OUTPUTS,), row.spread(Dim.K), accumulator),
    )
    cycles = counts.compute_cycles
    for level, tensors, instances, words in memories:
        moved = np.zeros_like(counts.counts)
        moved[level, tensors] = counts.counts[level, tensors]
        if level == Level.LOCAL_MEMORY and Tensor.OUTPUTS in tensors:
            moved[level, Tensor.OUTPUTS, Access.READS] += counts.first_touches[level]
        limits = np.full((len(Level), 3), np.inf)
        limits[level, 2] = words
        alone = replace(counts, counts=moved, instances=np.full(len(Level), instances))
        cycles = max(cycles, bandwidth_cycles(alone, limits))
    return cycles


def energy_words(row: GemminiRow, counts: AccessCounts) -> Floats:
    """Words that each of `ENERGIES` is paid for [energies].

    A register is read for every multiply-accumulate and filled from the scratchpad; a word read
    from DRAM is written to the scratchpad. What always goes together has one energy.
    """

    def words(level: Level, tensor: Tensor, access: Access) -> float:
        return float(counts.counts[level, tensor, access])

    local, dram, out = Level.LOCAL_MEMORY, Level.DRAM, Tensor.OUTPUTS
    return np.array(
        [
            row.layer.macs,
            words(local, Tensor.WEIGHTS, Access.READS),
            words(local, Tensor.INPUTS, Access.READS),
            words(local, out, Access.READS) + words(local, out, Access.UPDATES),
            words(dram, out, Access.READS),
            words(dram, Tensor.WEIGHTS, Access.READS) + words(dram, Tensor.INPUTS, Access.READS),
            words(dram, out, Access.UPDATES),
        ]
    )


def compare_with_timeloop(folder: Path, architectures: int = 6) -> TimeloopComparison:
    """Count the accesses of Timeloop's rows, on some architectures or (0) on all.

    Energies per access are not in the data. Each architecture's are fitted by least squares of
    relative error, none below 0, on a quarter of the layers; the others show whether our counts
    explain Timeloop's energy.
    """
    from scipy.stats import spearmanr

    lines = read_timeloop_lines(folder)
    kinds = [tuple(v for n, v in line.items() if n.startswith("arch.")) for line in lines]
    chosen = sorted(set(kinds))
    if architectures:
        order = np.random.default_rng(SEED).permutation(len(chosen))[:architectures]
        chosen = [chosen[i] for i in sorted(order)]
    counted: dict[tuple[str, str], AccessCounts] = {}
    parts = []
    for kind in chosen:
        its = (line for line, other in zip(lines, kinds, strict=True) if other == kind)
        rows = rows_of(its, folder)
        parts.append(_agreement(rows, [_counted(row, counted) for row in rows]))
    ours, theirs, energy_ours, energy_theirs, held_out, slides, single = np.concatenate(parts, 1)
    off = np.abs(ours / theirs - 1.0) > 0.01
    error = np.abs(energy_ours / energy_theirs - 1.0)
    known = held_out > 0
    energy_off = known & (error > 0.01)
    error = error[known]
    return TimeloopComparison(
        architectures=len(chosen),
        rows=len(ours),
        exact=int((ours == theirs).sum()),
        within_one_cycle=int((np.abs(ours - theirs) <= 1.0).sum()),
        within_1_percent=int((~off).sum()),
        off_windows=int((off & (slides > 0)).sum()),
        cycles_spearman=float(spearmanr(ours, theirs).statistic),
        energy_rows=len(error),
        energy_median_error=float(np.median(error)),
        energy_within_1_percent=float((error <= 0.01).mean()),
        energy_spearman=float(spearmanr(energy_ours[known], energy_theirs[known]).statistic),
        energy_worst=float(error.max()),
        energy_off=int(energy_off.sum()),
        energy_off_windows=int((energy_off & (slides > 0)).sum()),
        energy_off_single=int((energy_off & (single > 0)).sum()),
    )


def _counted(row: GemminiRow, counted: dict[tuple[str, str], AccessCounts]) -> AccessCounts:
    """The counts of a row; architectures share mappings."""
    key = (row.layer.name, row.text)
    if key not in counted:
        counted[key] = evaluate(row.layer, row.nest)
    return counted[key]


def _agreement(rows: Sequence[GemminiRow], counts: Sequence[AccessCounts]) -> Floats:
    """What is compared of the rows of one architecture [7, rows].

    Cycles of ours and theirs, energy of ours and theirs in uJ, whether no energy was fitted on the
    layer, whether its inputs slide along a filter or are skipped, whether it has a single output.
    """
    from scipy.optimize import nnls

    words = np.array([energy_words(row, count) for row, count in zip(rows, counts, strict=True)])
    energy = np.array([row.energy_uj for row in rows])
    layers = sorted({row.layer.name for row in rows})
    order = np.random.default_rng(SEED).permutation(len(layers))
    fitted = {layers[i] for i in order[: ceil(FITTED_SHARE * len(layers))]}
    known = np.array([row.layer.name in fitted for row in rows])
    relative = words[known] / energy[known, None]
    scale = np.maximum(relative.max(axis=0), 1e-300)
    per_word = nnls(relative / scale, np.ones(len(relative)))[0] / scale
    ours = [reference_cycles(row, count) for row, count in zip(rows, counts, strict=True)]
    theirs = [row.cycles for row in rows]
    slides = [row.layer.r * row.layer.s > 1 or row.layer.stride_p > 1 for row in rows]
    single = [row.layer.output_words == 1 for row in rows]
    return np.array([ours, theirs, words @ per_word, energy, ~known, slides, single], np.float64)


def _ranks(figure: Floats, simulated: Floats) -> Ranks:
    from scipy.stats import kendalltau, spearmanr

    error = float(np.median(np.abs(figure / simulated - 1.0)))
    if len(set(figure)) == 1 or len(set(simulated)) == 1:
        return Ranks(None, None, error)
    return Ranks(
        float(spearmanr(figure, simulated).statistic),
        float(kendalltau(figure, simulated).statistic),
        error,
    )
