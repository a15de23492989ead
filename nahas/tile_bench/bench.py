"""How fast the mapper is, and whether it finds the optimum."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from statistics import median

import numba

from nahas.errors import UsageError
from nahas.kernels.records import CostRow
from nahas.tile_bench.dataset import Dataset
from nahas.tile_bench.solve import room, solve_part
from nahas.tile_bench.source import Source
from nahas.tile_bench.verify import is_optimal, members, verifiable
from nahas.vocabulary import Mapspace, Objective, Reason

BATCH = 100_000
FULL_BATCH = 5_000
"""Pairs made, solved and written at a time, in the default space and in the full one: memory does
not grow with the pairs asked for, and an interrupted run has lost a second or two."""

WARM_UP_PAIRS = 64
SEEN_FOR_ONE = 10
"""Pairs that are looked at for each to be verified: some mapspaces are too large."""
COUNTED_PAIRS = 200
"""Pairs whose mapspace is counted, or all that are verified: some milliseconds each."""


@dataclass(frozen=True, kw_only=True)
class TileBench:
    """What a run measured.

    Attributes:
        pairs_per_second: pairs solved, median over batches; compilation apart. None where a
            resumed run had none left to solve.
        mappings_per_second: candidates costed; those skipped by a bound are not counted.
        infeasible: of the pairs that this run solved.
        counted: the first pairs, whose mapspace was counted.
        mapspace_mean, mapspace_max: members of the mapspace over these: in the default space those
            that fit, in the full one all, without register-file tiles.
        verified: pairs that were enumerated: of those asked for, the ones whose mapspace is not
            too large.
        mismatches: verified pairs where enumeration found another optimum, or where the
            reported cost was not that of the reported mapping.
        distinct_layers: what the pairs are drawn from.
        distinct_accelerators: what was drawn.
    """

    pairs: int
    threads: int
    objective: Objective
    space: Mapspace
    seed: int
    compile_s: float
    pairs_per_second: float | None
    mappings_per_second: float | None
    infeasible: int
    verified: int
    mismatches: int
    counted: int
    mapspace_mean: float
    mapspace_max: int
    distinct_layers: int
    distinct_accelerators: int

    @property
    def optimal(self) -> bool | None:
        """Whether the answers are proven optima of the mapspace; None where none was verified."""
        return self.mismatches == 0 if self.verified else None


def run(
    source: Source,
    pairs: int | None = None,
    *,
    objective: Objective = Objective.LATENCY,
    threads: int | None = None,
    verify: int = 0,
    dataset: Dataset | None = None,
    progress: Callable[[int], None] | None = None,
) -> TileBench:
    """Solve the first pairs of a source, and check some by enumeration.

    Args:
        source: what the pairs are of.
        pairs: distinct pairs to solve; by default a million, or all where there are fewer.
        objective: what each mapping minimises.
        threads: of the mapper; all when None.
        verify: how many of the pairs to enumerate without pruning; in the default space every
            member is evaluated loop by loop.
        dataset: keeps the pairs and their optima; what it holds already is not solved again.
        progress: told the number of pairs done, after every batch.

    Raises:
        UsageError: when a number is outside what is possible here.
    """
    pairs = source.checked(source.default_pairs if pairs is None else pairs)
    most = int(numba.config.NUMBA_NUM_THREADS)  # type: ignore[attr-defined]  # filled at run time
    threads = most if threads is None else threads
    if not 1 <= threads <= most:
        raise UsageError(f"threads is {threads}, but this machine allows 1 to {most}")
    if not 0 <= verify <= pairs:
        raise UsageError(f"verify is {verify}, but it must be 0 to the number of pairs, {pairs}")
    before = numba.get_num_threads()
    numba.set_num_threads(threads)
    try:
        measured = _measured(source, pairs, objective, dataset, progress)
    finally:
        numba.set_num_threads(before)
    counted = min(pairs, max(verify, COUNTED_PAIRS))
    first = source.pairs(0, min(pairs, max(COUNTED_PAIRS, SEEN_FOR_ONE * verify)))
    sizes = [members(first, index) for index in range(counted)]
    small = (index for index in range(len(first.pairs)) if verifiable(first, index))
    enumerated = list(islice(small, verify))
    mismatches = sum(not is_optimal(first, index, objective) for index in enumerated)
    return TileBench(
        pairs=pairs,
        threads=threads,
        objective=objective,
        space=source.space,
        seed=source.seed,
        compile_s=measured.compile_s,
        pairs_per_second=median(measured.rates) if measured.rates else None,
        mappings_per_second=median(measured.costed) if measured.costed else None,
        infeasible=measured.infeasible,
        verified=len(enumerated),
        mismatches=mismatches,
        counted=counted,
        mapspace_mean=sum(sizes) / counted,
        mapspace_max=max(sizes),
        distinct_layers=len(source.layers),
        distinct_accelerators=source.used,
    )


@dataclass
class _Measured:
    compile_s: float
    rates: list[float]
    costed: list[float]
    infeasible: int = 0


def _measured(
    source: Source,
    pairs: int,
    objective: Objective,
    dataset: Dataset | None,
    progress: Callable[[int], None] | None,
) -> _Measured:
    """Solve batch by batch; only the solving is timed."""
    most = BATCH if source.space == Mapspace.DATAFLOWS else FULL_BATCH
    place = room(min(pairs, most))
    warm_up = source.pairs(0, min(pairs, most, WARM_UP_PAIRS))
    begun = time.perf_counter()
    solve_part(warm_up, slice(None), objective, place)
    measured = _Measured(time.perf_counter() - begun, [], [])
    reason = CostRow._fields.index("reason")
    for start in range(dataset.done if dataset else 0, pairs, most):
        stop = min(start + most, pairs)
        batch = source.pairs(start, stop)
        begun = time.perf_counter()
        solved = solve_part(batch, slice(None), objective, place)
        elapsed = time.perf_counter() - begun
        measured.rates.append((stop - start) / elapsed)
        measured.costed.append(float(solved[3].sum() / elapsed))
        measured.infeasible += int((solved[0][:, reason] != Reason.OK).sum())
        if dataset:
            dataset.write(start, batch, solved)
        if progress:
            progress(stop)
    if dataset:
        dataset.finish()
    return measured
