"""Our counts beside those of a reference: every count, energy and cycle number of every case."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from math import isclose, prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nahas.interop.timeloop import (
    ACCESSES,
    ARRAY,
    CAPACITIES,
    LEVELS,
    TENSORS,
    Case,
    Variant,
    read_cases,
)
from nahas.mapping import (
    AccessCounts,
    access_energy_pj,
    bandwidth_cycles,
    evaluate,
    extent_of,
)
from nahas.vocabulary import Access, Dim, Level, Tensor

ENERGY_TOLERANCE = 1e-9
"""Relative: energies are sums of products in another order. Counts and cycles must be equal."""

UTILIZATION_DIGITS, THROTTLING_DIGITS = 4, 2
"""Decimals to which Timeloop prints them; half of the last one is what they may differ by."""


class Verdict(StrEnum):
    """How a case ended."""

    AGREES = "agrees"
    DIFFERS = "differs"
    REFUSED = "refused"


@dataclass(frozen=True)
class Quantity:
    """One number of a case, ours and theirs.

    Attributes:
        digits: decimals to which the expected one is rounded; -1 where it is not.
    """

    name: str
    ours: float
    expected: float
    digits: int = -1

    @property
    def agrees(self) -> bool:
        """Whether they are equal, energies up to the order of summing, others as rounded."""
        if isinstance(self.ours, int) and isinstance(self.expected, int):
            return self.ours == self.expected
        rounding = 0.5 * 10.0**-self.digits if self.digits >= 0 else 0.0
        return isclose(
            self.ours,
            self.expected,
            rel_tol=ENERGY_TOLERANCE,
            abs_tol=rounding * (1 + ENERGY_TOLERANCE),
        )


@dataclass(frozen=True)
class Comparison:
    """One case: what was compared, or why it was not.

    Attributes:
        reason: why the case was refused, else empty.
        misfits: what the file's `arch` has no room for, a sentence each.
        remarks: expected values that are not the file's own, and why.
        not_compared: figures that the file gives and no rule of ours derives.
    """

    case: str
    layer: str
    mapping: str
    quantities: tuple[Quantity, ...]
    reason: str = ""
    misfits: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    not_compared: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """How the case ended."""
        if self.reason:
            return Verdict.REFUSED
        return Verdict.DIFFERS if self.differences or self.misfits else Verdict.AGREES

    @property
    def differences(self) -> tuple[Quantity, ...]:
        """The quantities that differ."""
        return tuple(quantity for quantity in self.quantities if not quantity.agrees)


@dataclass(frozen=True)
class Validation:
    """All cases of a file."""

    comparisons: tuple[Comparison, ...]

    def number(self, verdict: Verdict) -> int:
        """How many cases ended so."""
        return sum(comparison.verdict == verdict for comparison in self.comparisons)

    def document(self) -> dict[str, Any]:
        """The JSON form: `cases` with every quantity, and `totals`."""
        cases = []
        for made in self.comparisons:
            quantities = [
                {"name": q.name, "ours": q.ours, "expected": q.expected, "agrees": q.agrees}
                for q in made.quantities
            ]
            cases.append(
                {
                    "id": made.case,
                    "layer": made.layer,
                    "mapping": made.mapping,
                    "verdict": str(made.verdict),
                    "reason": made.reason or None,
                    "misfits": list(made.misfits),
                    "remarks": list(made.remarks),
                    "not_compared": list(made.not_compared),
                    "quantities": quantities,
                }
            )
        totals = {
            "agree": self.number(Verdict.AGREES),
            "differ": self.number(Verdict.DIFFERS),
            "refused": self.number(Verdict.REFUSED),
        }
        return {"cases": cases, "totals": totals}


def validate(path: Path) -> Validation:
    """Compare every case of a file in the form of Timeloop's reference cases.

    Raises:
        InteropError: when the file, or a key of a case in it, cannot be read.
    """
    return Validation(tuple(compare(case) for case in read_cases(path)))


def compare(case: Case) -> Comparison:
    """Evaluate one case and set every number that the file gives beside ours."""
    layer, mapping = _shape(case), str(case.mapping)
    if case.has_neighbour_links:
        return Comparison(case.name, layer, mapping, (), reason="neighbour links")
    ours = evaluate(case.layer, case.mapping)
    # The same arithmetic on the file's counts gives the energies and cycles to hold to where
    # the file's own come from counts that its extrapolation got wrong.
    theirs = replace(ours, counts=case.counts, compute_cycles=case.compute_cycles)
    quantities = (*_sizes(case), *_counts(case, ours), *_costs(case, ours, theirs))
    compared = {quantity.name for quantity in quantities}
    given = (
        f"{level} {tensor} {key}" for (level, tensor), keys in case.figures.items() for key in keys
    )
    return Comparison(
        case.name,
        layer,
        mapping,
        (Quantity("compute_cycles", ours.compute_cycles, case.compute_cycles), *quantities),
        misfits=tuple(_misfits(case, ours)),
        remarks=_remarks(case),
        not_compared=tuple(name for name in given if name not in compared),
    )


def _sizes(case: Case) -> Iterator[Quantity]:
    """What follows from the layer, the spatial loops and the array."""
    multipliers = prod(case.fan_out.values())
    values: dict[str, float] = {
        "macs": case.layer.macs,
        "computes": case.layer.macs,
        "utilized_macs": multipliers,
        "energy_pj_mac": case.layer.macs * case.mac_pj,
    }
    for name, value in values.items():
        if name in case.summaries:
            yield Quantity(name, value, case.summaries[name])
    if "utilization" in case.summaries:
        share = multipliers / prod(case.arch[name] for name in ARRAY.values())
        expected = case.summaries["utilization"]
        yield Quantity("utilization", share, expected, UTILIZATION_DIGITS)


def _misfits(case: Case, ours: AccessCounts) -> Iterator[str]:
    """What the given array and memories cannot hold: Timeloop would not run such a mapping."""
    for loops, size in ARRAY.items():
        if case.fan_out[loops] > case.arch.get(size, case.fan_out[loops]):
            yield f"{loops} spreads over {case.fan_out[loops]}, but {size} is {case.arch[size]}"
    for name, size in CAPACITIES.items():
        level = LEVELS[name]
        words = int(sum(ours.tile_words[level, tensor] for tensor in case.mapping.keep[level]))
        if words > case.arch.get(size, words):
            yield f"the tiles that {name} keeps take {words}, but {size} is {case.arch[size]}"


def _counts(case: Case, ours: AccessCounts) -> Iterator[Quantity]:
    """Totals, then what the file gives per instance where its own counts are right."""
    for level_name, level in LEVELS.items():
        for tensor_name, tensor in TENSORS.items():
            prefix = f"{level_name} {tensor_name}"
            for access_name, access in ACCESSES.items():
                expected = int(case.counts[level, tensor, access])
                yield Quantity(f"{prefix} {access_name}", ours.of(level, tensor, access), expected)
            given = case.figures.get((level_name, tensor_name), {})
            right = (case.counts[level, tensor] == case.default_counts[level, tensor]).all()
            for key, value in _per_instance(case, ours, level, tensor).items():
                if key in given and (right or key in _UNCOUNTED):
                    yield Quantity(f"{prefix} {key}", value, given[key])


_UNCOUNTED = ("kept", "utilized_instances", "tile_words", "partition_words")
"""Figures per instance that do not follow from the access counts."""


def _per_instance(case: Case, ours: AccessCounts, level: Level, tensor: Tensor) -> dict[str, float]:
    instances = int(ours.instances[level])
    figures: dict[str, float] = {
        "kept": int(tensor in case.mapping.keep[level]),
        "utilized_instances": instances,
        "tile_words": int(ours.tile_words[level, tensor]),
        "energy_pj_total": float((ours.counts[level, tensor] * case.pj_per_word[level]).sum()),
        "temporal_reductions_per_instance": 0,
    }
    for name, access in ACCESSES.items():
        figures[f"{name}_per_instance"] = _whole(ours.of(level, tensor, access) / instances)
    if tensor is Tensor.OUTPUTS:
        begun = _whole(int(ours.first_touches[level]) / instances)
        figures["partition_words"] = begun
        figures["temporal_reductions_per_instance"] = (
            _whole(ours.of(level, tensor, Access.UPDATES) / instances) - begun
        )
    elif (share := _share(case, level, tensor)) is not None:
        figures["partition_words"] = share
    return figures


def _share(case: Case, level: Level, tensor: Tensor) -> int | None:
    """Words of weights or inputs that one instance of a level ever asks for.

    None where factors are ragged, and for inputs where instances share out positions or the
    window: there Timeloop divides overlapping halos by an average, which has no rule of ours.
    """
    sizes = {dim: extent_of(case.layer, dim) for dim in Dim}
    for dim, size in sizes.items():
        if prod(loop.count for loop in case.mapping.loops if loop.dim is dim) != size:
            return None
    for loop in case.mapping.loops:
        if loop.is_spatial and loop.slot < 2 * level and loop.count > 1:
            if tensor is Tensor.INPUTS and loop.dim in (Dim.P, Dim.Q, Dim.R, Dim.S):
                return None
            sizes[loop.dim] //= loop.count
    n, g, k, c, p, q, r, s = sizes.values()
    part = replace(case.layer, n=n, g=g, k=k, c=c, p=p, q=q, r=r, s=s)
    return part.weight_words if tensor is Tensor.WEIGHTS else part.input_words


def _costs(case: Case, ours: AccessCounts, theirs: AccessCounts) -> Iterator[Quantity]:
    right = bool((case.counts == case.default_counts).all())
    mac_pj = case.layer.macs * case.mac_pj
    expected = case.energy_pj if right else access_energy_pj(theirs, case.pj_per_word) + mac_pj
    yield Quantity("energy_pj", access_energy_pj(ours, case.pj_per_word) + mac_pj, expected)
    for variant in case.variants:
        limits = variant.words_per_cycle
        cycles = variant.cycles if right else bandwidth_cycles(theirs, limits)
        yield Quantity(f"cycles at {variant.name}", bandwidth_cycles(ours, limits), cycles)
        yield from _levels(variant, ours, theirs, right)


def _levels(
    variant: Variant, ours: AccessCounts, theirs: AccessCounts, right: bool
) -> Iterator[Quantity]:
    """Cycles and throttling of every level alone, under its own limits; 0 where it is not used."""
    for name, given in variant.levels.items():
        alone = np.full_like(variant.words_per_cycle, np.inf)
        alone[LEVELS[name]] = variant.words_per_cycle[LEVELS[name]]
        prefix = f"cycles at {variant.name}: {name}"
        if "cycles" in given:
            cycles = given["cycles"] if right else bandwidth_cycles(theirs, alone)
            used = ours.counts[LEVELS[name]].any()
            yield Quantity(prefix, bandwidth_cycles(ours, alone) if used else 0, cycles)
        if "throttling" in given:
            speed = given["throttling"] if right else _throttling(theirs, LEVELS[name], alone)
            share = _throttling(ours, LEVELS[name], alone)
            yield Quantity(f"{prefix} throttling", share, speed, THROTTLING_DIGITS)


def _throttling(
    counts: AccessCounts, level: Level, words_per_cycle: npt.NDArray[np.float64]
) -> float:
    """The share of full speed that a level's limits leave."""
    words = counts.counts[level].sum(axis=0) / counts.instances[level] / counts.compute_cycles
    read, write = words[Access.READS], words[Access.FILLS] + words[Access.UPDATES]
    needs = np.array([read, write, read + write])
    return float((words_per_cycle[level][needs > 0] / needs[needs > 0]).min(initial=1.0))


def _remarks(case: Case) -> tuple[str, ...]:
    wrong = [
        f"{level_name} {tensor_name}"
        for level_name, level in LEVELS.items()
        for tensor_name, tensor in TENSORS.items()
        if (case.counts[level, tensor] != case.default_counts[level, tensor]).any()
    ]
    if not wrong:
        return ()
    return (
        f"the file's default counts of {', '.join(wrong)} are extrapolated wrongly: compared with "
        "its totals without extrapolation, and expected energy and cycles follow from those",
    )


def _shape(case: Case) -> str:
    names = ("n", "g", "k", "c", "p", "q", "r", "s")
    sizes = {name: getattr(case.layer, name) for name in names}
    return " ".join(f"{name.upper()}{size}" for name, size in sizes.items() if size > 1) or "one"


def _whole(value: float) -> float:
    return int(value) if value == np.floor(value) else value
