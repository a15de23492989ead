"""The reference cases of Timeloop, count by count, and by walking them where that is quick."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nahas.interop.timeloop import Case, read_cases
from nahas.validate import Verdict, compare, validate
from tests.oracle import walked

WALKED_MACS = 1600
"""Above, walking every step in Python takes longer than it teaches."""


def cases(*, walkable: bool = False) -> list[object]:
    """The cases of the reference file as parameters, or one that is skipped with the reason."""
    beside = Path(__file__).resolve().parents[3] / "shared"
    path = Path(os.environ.get("NAHAS_SHARED", beside)) / "reference" / "timeloop_cases.json"
    if not path.is_file():
        return [pytest.param(None, marks=pytest.mark.skip(reason=f"no reference cases at {path}"))]
    read = read_cases(path)
    if walkable:
        read = tuple(
            case for case in read if case.layer.macs <= WALKED_MACS and not case.has_neighbour_links
        )
    return [pytest.param(case, id=case.name) for case in read]


@pytest.mark.parametrize("case", cases())
def test_every_number_of_the_case_agrees(case: Case) -> None:
    made = compare(case)
    if case.has_neighbour_links:
        assert made.reason == "neighbour links"
    else:
        assert made.verdict is Verdict.AGREES, made.differences
        assert len(made.quantities) > 60


@pytest.mark.parametrize("case", cases(walkable=True))
def test_walking_every_step_counts_the_same(case: Case) -> None:
    assert (walked(case.layer, case.mapping).counts == case.counts).all()


def test_only_the_neighbour_links_are_refused(shared: Path) -> None:
    found = validate(shared / "reference" / "timeloop_cases.json")
    assert found.number(Verdict.DIFFERS) == 0
    assert found.number(Verdict.REFUSED) == 1
    assert found.number(Verdict.AGREES) == len(found.comparisons) - 1
