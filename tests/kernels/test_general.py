"""The general mapper on layers so small that its kernels run as plain Python too."""

from __future__ import annotations

import pytest

from nahas.errors import MappingError
from nahas.layers import Layer
from nahas.mapper import map_layer
from nahas.templates import ALL, Axis
from nahas.vocabulary import Dim, Objective, Slot
from tests.test_mapper import O, W, enumerated, small

ROWS = Axis(name="rows", slot=Slot.LANE_ARRAY, size=3, dims=(Dim.R, Dim.C), folds=(Dim.K,))
COLUMNS = Axis(name="columns", slot=Slot.PE_ARRAY, size=2, dims=(Dim.P, Dim.K), folds=())
DOT = Axis(name="dot", slot=Slot.DATAPATH, size=2, dims=(Dim.C,), folds=())
CASES = {
    "inputs in registers": ((ALL, ALL), 60, 12, (ROWS,), {"k": 2, "c": 2, "p": 3, "r": 2}),
    "weights in registers": ((ALL, W), 30, 8, (DOT, COLUMNS), {"k": 3, "c": 3, "p": 2, "q": 2}),
    "sums in registers": ((ALL, O), 24, 6, (COLUMNS,), {"g": 2, "k": 2, "p": 3, "stride_p": 2}),
    "sums past the buffer": ((ALL - O, W | O), 40, 10, (DOT,), {"k": 2, "c": 4, "q": 3, "s": 2}),
}


@pytest.mark.parametrize(
    ("name", "objective"),
    [
        ("inputs in registers", Objective.LATENCY),
        ("weights in registers", Objective.EDP),
        ("sums in registers", Objective.ENERGY),
        ("sums past the buffer", Objective.ENERGY),
    ],
)
def test_the_search_finds_the_optimum_of_its_space(name, objective):
    keeps, local, registers, axes, dims = CASES[name]
    layer, accelerator = Layer(name="tiny", **dims), small(keeps, local, registers, axes)
    best, _ = enumerated(layer, accelerator, objective)
    assert best is not None
    found = map_layer(layer, accelerator, objective)
    figure = {
        Objective.LATENCY: found.cycles,
        Objective.ENERGY: found.energy_pj,
        Objective.EDP: found.cycles * found.energy_pj,
    }
    assert figure[objective] == pytest.approx(best[0], rel=1e-12)


def test_what_does_not_fit_is_refused():
    keeps, _, _, axes, dims = CASES["weights in registers"]
    with pytest.raises(MappingError, match="not even the smallest tiles"):
        map_layer(Layer(name="tiny", **dims), small(keeps, 1, 1, axes), Objective.LATENCY)
