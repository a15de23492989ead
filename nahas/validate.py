"""Our counts beside those of a reference: every count, energy and cycle number of every case."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from math import isclose
from pathlib import Path
from typing import Any

import numpy as np

from nahas.interop.timeloop import ACCESSES, LEVELS, TENSORS, Case, read_cases
from nahas.mapping import AccessCounts, access_energy_pj, bandwidth_cycles, evaluate
from nahas.vocabulary import Access, Level, Tensor

ENERGY_TOLERANCE = 1e-9
"""Relative: energies are sums of products in another order. Counts and cycles must be equal."""


class Verdict(StrEnum):
    """How a case ended."""

    AGREES = "agrees"
    DIFFERS = "differs"
    REFUSED = "refused"


@dataclass(frozen=True)
class Quantity:
    """One number of a case, ours and theirs."""

    name: str
    ours: float
    expected: float

    @property
    def agrees(self) -> bool:
        """Whether they are equal, energies up to the order of summing."""
        if isinstance(self.ours, int) and isinstance(self.expected, int):
            return self.ours == self.expected
        return isclose(self.ours, self.expected, rel_tol=ENERGY_TOLERANCE)


@dataclass(frozen=True)
class Comparison:
    """One case: what was compared, or why it was not.

    Attributes:
        reason: why the case was refused, else empty.
        remarks: expected values that are not the file's own, and why.
    """

    case: str
    layer: str
    mapping: str
    quantities: tuple[Quantity, ...]
    reason: str = ""
    remarks: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """How the case ended."""
        if self.reason:
            return Verdict.REFUSED
        return Verdict.DIFFERS if self.differences else Verdict.AGREES

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
                    "remarks": list(made.remarks),
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
    quantities = [*_sizes(case, ours), *_counts(case, ours), *_costs(case, ours, theirs)]
    return Comparison(case.name, layer, mapping, tuple(quantities), remarks=_remarks(case))


def _sizes(case: Case, ours: AccessCounts) -> Iterator[Quantity]:
    yield Quantity("compute_cycles", ours.compute_cycles, case.compute_cycles)
    multipliers = 1
    for loop in case.mapping.loops:
        multipliers *= loop.count if loop.is_spatial else 1
    for name, value in (("computes", case.layer.macs), ("utilized_macs", multipliers)):
        if name in case.summaries:
            yield Quantity(name, value, case.summaries[name])


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


_UNCOUNTED = ("utilized_instances", "tile_words", "partition_words")
"""Figures per instance that do not follow from the access counts."""


def _per_instance(case: Case, ours: AccessCounts, level: Level, tensor: Tensor) -> dict[str, float]:
    instances = int(ours.instances[level])
    figures: dict[str, float] = {
        "utilized_instances": instances,
        "tile_words": int(ours.tile_words[level, tensor]),
        "energy_pj_total": float((ours.counts[level, tensor] * case.pj_per_word[level]).sum()),
    }
    for name, access in ACCESSES.items():
        figures[f"{name}_per_instance"] = _whole(ours.of(level, tensor, access) / instances)
    if tensor is Tensor.OUTPUTS:
        begun = _whole(int(ours.first_touches[level]) / instances)
        figures["partition_words"] = begun
        figures["temporal_reductions_per_instance"] = (
            _whole(ours.of(level, tensor, Access.UPDATES) / instances) - begun
        )
    return figures


def _costs(case: Case, ours: AccessCounts, theirs: AccessCounts) -> Iterator[Quantity]:
    right = bool((case.counts == case.default_counts).all())
    mac_pj = case.layer.macs * case.mac_pj
    expected = case.energy_pj if right else access_energy_pj(theirs, case.pj_per_word) + mac_pj
    yield Quantity("energy_pj", access_energy_pj(ours, case.pj_per_word) + mac_pj, expected)
    for variant in case.variants:
        limits = variant.words_per_cycle
        cycles = variant.cycles if right else bandwidth_cycles(theirs, limits)
        yield Quantity(f"cycles at {variant.name}", bandwidth_cycles(ours, limits), cycles)


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
