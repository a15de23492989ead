"""The full mapspace against its slow twin: every member, without bounds."""

from itertools import product
from math import prod

import numba
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from nahas.hardware import preset
from nahas.kernels.edge import count
from nahas.kernels.enumerated import enumerate_full, every_tiling, full_size
from nahas.kernels.full import MEMBER_FIELDS, blocks_with, explore, placed
from nahas.kernels.menu import MOST_ASSIGNMENTS
from nahas.kernels.parts import Axes, Open, Pair, Part, exact, may_win
from nahas.kernels.records import (
    CostRow,
    CountsRow,
    HardwareRow,
    LayerRow,
    MappingRow,
    ResidencyRow,
)
from nahas.kernels.search import rank, search
from nahas.kernels.solve import mapping_row, solve_pairs
from nahas.kernels.solve_full import solve_full, solve_full_pairs
from nahas.kernels.tilings import Placement, blocks_of, local_tile_words
from nahas.layers import Layer
from nahas.mapspace import evaluated_cost, evaluated_counts
from nahas.sequence import hardware_rows
from nahas.tile_bench import draw
from nahas.vocabulary import DramOrder, Mapspace, Objective, Reason

DIMS = {"g": 1, "k": 2, "c": 3, "p": 4, "q": 5}
COMPILED = not numba.config.DISABLE_JIT
SIZE = 9 if COMPILED else 4
"""The largest extent of a dim: plain Python goes through some thousand members in a second."""


@st.composite
def layers(draw: st.DrawFn) -> Layer:
    """Small layers of every kind: dense, pointwise, plain, grouped and depthwise convolutions."""
    kind = draw(st.sampled_from(["dense", "pointwise", "conv", "depthwise", "grouped"]))
    channels, positions = st.integers(1, SIZE), st.integers(1, SIZE)
    window = draw(st.sampled_from([1, 2, 3])) if kind not in ("dense", "pointwise") else 1
    shape = {
        "p": draw(positions) if kind != "dense" else 1,
        "q": draw(positions) if kind != "dense" else 1,
        "r": window,
        "s": draw(st.integers(1, 2)) if kind == "conv" else window,
        "g": draw({"depthwise": channels, "grouped": st.integers(2, 3)}.get(kind, st.just(1))),
        "k": draw(channels) if kind != "depthwise" else 1,
        "c": draw(channels) if kind != "depthwise" else 1,
    }
    steps = st.integers(1, 3)
    names = ("stride_p", "stride_q", "dilation_r", "dilation_s")
    return Layer(name=kind, **shape, **{name: draw(steps) for name in names})


@st.composite
def points(draw: st.DrawFn) -> HardwareRow:
    """Accelerators whose memories are now ample, now too small for nearly everything."""
    axis = st.sampled_from([1.0, 2.0, 3.0, 6.0] if COMPILED else [1.0, 2.0])
    energies = (0.1, 0.05, 0.16, 0.37, 2.7, 2.8, 64.0, 64.0, 5.0)
    widths = draw(st.sampled_from([(1.0, 1.0, 4.0), (0.5, 2.0, 3.0)]))
    return HardwareRow(
        draw(axis),
        draw(axis),
        draw(axis),
        draw(st.sampled_from([1.0, 2.0, 5.0])),
        float(draw(st.sampled_from([1, 4]))),
        float(draw(st.sampled_from([32, 64, 256, 1024, 65536]))),
        float(draw(st.sampled_from([8, 24, 48, 128, 8192]))),
        float(draw(st.sampled_from([1, 8, 128]))),
        float(draw(st.sampled_from([0.5, 4.0, 25.0]))),
        *energies,
        *widths,
    )


@st.composite
def pairs(draw: st.DrawFn) -> Pair:
    """A layer on an accelerator, what stays on chip around it, and an objective."""
    stay = ResidencyRow(
        draw(st.sampled_from([0.0, 1.0])),
        draw(st.sampled_from([0.0, 1.0])),
        draw(st.sampled_from([0.0, 20.0])),
    )
    layer, objective = draw(layers()), draw(st.sampled_from(list(Objective)))
    space = draw(st.sampled_from([Mapspace.FULL, Mapspace.FULL_WEIGHT, Mapspace.FULL_OUTPUT]))
    return Pair(layer.row, draw(points()), stay, int(objective), int(space))


def layer_of(pair: Pair) -> Layer:
    shape = {name: value for name, value in pair.layer._asdict().items() if name != "kind"}
    return Layer(name="drawn", **shape)


def enumerated(pair: Pair, wanted: int = -1) -> tuple[np.ndarray, np.ndarray]:
    """Figures of the best member and how many there are; the wanted member, or the best."""
    best, chosen = np.zeros(3), np.zeros(MEMBER_FIELDS)
    enumerate_full(pair, wanted, best, chosen)
    return best, chosen


def room() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    scratch = (np.empty((MOST_ASSIGNMENTS, 4), np.int64), np.empty((MOST_ASSIGNMENTS, 2)))
    return scratch, (np.empty(3), np.empty(MEMBER_FIELDS))


def solved(pair: Pair) -> tuple[CostRow, MappingRow, CountsRow]:
    row, mapping, counts, _ = solve_full(pair, *room())
    return CostRow(*row), MappingRow(*mapping), CountsRow(*counts)


EXAMPLES = 200 if COMPILED else 60


@given(pairs())
@settings(max_examples=EXAMPLES)
def test_search_finds_the_optimum_of_the_enumerated_full_space(pair):
    layer, hw, stay, objective, space = pair
    (first, second, _), _ = enumerated(pair)
    default = search(layer, hw, blocks_of(layer, hw), stay, objective, room()[0])
    found, mapping, _ = solved(pair)
    best = (first, second)
    if space == Mapspace.FULL:
        best = min(best, (default.first, default.second))
    if found.reason != Reason.OK:
        assert best[0] == np.inf
        return
    # To the last bit: what is the same in every count is the same in cost.
    assert rank(found.cycles, found.energy_pj, objective) == best
    own = evaluated_cost(layer_of(pair), hw, stay, mapping)
    assert (found.cycles, found.energy_pj) == pytest.approx((own.cycles, own.energy_pj), rel=1e-12)


@given(pairs(), st.randoms(use_true_random=False))
@settings(max_examples=EXAMPLES if COMPILED else 20)
def test_the_counts_of_every_member_are_those_of_its_loop_nest(pair, random):
    best, _ = enumerated(pair)
    assume(best[2] > 0)
    for _ in range(5):
        _, chosen = enumerated(pair, random.randrange(int(best[2])))
        at, axes, pes_y, order = placed(pair.layer, pair.hw, chosen)
        row = mapping_row(pair.layer, pes_y, axes, at, order)
        counted = CountsRow(*count(pair.layer, at, order))
        assert counted._asdict() == evaluated_counts(layer_of(pair), MappingRow(*row))._asdict()


@given(pairs(), st.randoms(use_true_random=False))
@settings(max_examples=EXAMPLES)
def test_no_member_is_better_than_the_bounds_of_what_was_decided_for_it(pair, random):
    best, _ = enumerated(pair)
    assume(best[2] > 0)
    _, chosen = enumerated(pair, random.randrange(int(best[2])))
    at, axes, pes_y, order = placed(pair.layer, pair.hw, chosen)
    own = evaluated_cost(
        layer_of(pair),
        pair.hw,
        pair.stay,
        MappingRow(*mapping_row(pair.layer, pes_y, axes, at, order)),
    )
    first, second = rank(own.cycles, own.energy_pj, pair.objective)
    # A best so far that the member beats, if only just.
    just_worse = np.array([np.nextafter(first * (1 + 1e-12), np.inf), second, 0.0])
    bare, pes = Axes(2, 2, 2), pair.hw.pes_x * pair.hw.pes_y
    lanes, x = chosen[5], chosen[3]
    for part, left in (
        (Part(bare, 1.0, 1.0, 1.0, at.blocks), Open(pair.hw.lanes, pes)),
        (Part(Axes(2, 2, axes.lane), 1.0, 1.0, lanes, at.blocks), Open(1.0, pes)),
        (Part(Axes(axes.x, 2, axes.lane), x, 1.0, lanes, at.blocks), Open(1.0, pair.hw.pes_y)),
        (Part(axes, x, pes_y, lanes, at.blocks), Open(1.0, 1.0)),
    ):
        assert may_win(pair, part, left, just_worse)


@st.composite
def parts(draw: st.DrawFn) -> tuple[Pair, Part]:
    """A part of an accelerator, with local memory that a member just fits, or just does not."""
    pair = draw(pairs())._replace(space=int(Mapspace.FULL))
    layer, hw = pair.layer, pair.hw
    simd_k = float(draw(st.integers(1, int(hw.simd_units))))
    simd_k = min(simd_k, float(layer.k))
    simd_g = float(min(layer.g, int(hw.simd_units // simd_k)))
    blocks = blocks_with(layer, hw, simd_g, simd_k)
    whole = {"g": blocks.g, "k": blocks.k, "c": blocks.c, "p": layer.p, "q": layer.q}
    used, chosen = dict.fromkeys(whole, 1), []
    for dims, most in (("gkcpq", hw.lanes), ("gkpq", hw.pes_x), ("gkpq", hw.pes_y)):
        dim = draw(st.sampled_from(dims))
        ways = [1, *rounds_saved(int(whole[dim]), used[dim], int(most))]
        count = draw(st.sampled_from(ways))
        used[dim] *= count
        chosen.append((DIMS[dim] if count > 1 else DIMS["k"], float(count)))
    (lane, lanes), (x, pes_x), (y, pes_y) = chosen
    part = Part(Axes(x, y, lane), pes_x, pes_y, lanes, blocks)
    cuts = [exact(float(whole[dim]), 1.0, 1.0, part, DIMS[dim])[0] for dim in "gkcpq"]
    words = local_tile_words(layer, Placement(*cuts, blocks, 1.0, 1.0, True, True))
    sums = draw(st.sampled_from([hw.partial_sum_bytes, hw.activation_bytes]))
    held = words[0] * hw.weight_bytes + words[1] * hw.activation_bytes + words[2] * sums
    room = held * draw(st.sampled_from([1.0, 1.0, 0.5, 2.0])) + draw(st.sampled_from([0.0, 1.0]))
    room += pair.stay.reserved_bytes
    return pair._replace(hw=hw._replace(local_memory_bytes=room)), part


@given(parts())
@settings(max_examples=1000 if COMPILED else 40)
def test_a_part_is_explored_to_its_optimum(drawn):
    # Without the best of other parts, which hides what is missed in one.
    pair, part = drawn
    expected, _ = found = np.full((2, 3), np.inf)
    found[:, 2] = 0.0
    every_tiling(pair, part, -1, found[0], np.zeros(MEMBER_FIELDS))
    explore(pair, part, found[1], np.zeros(MEMBER_FIELDS))
    assert tuple(found[1][:2]) == tuple(expected[:2])


FREE = ResidencyRow(0.0, 0.0, 0.0)
CHEAP = (0.1, 0.05, 0.0, 0.0, 0.0, 0.0, 64.0, 64.0, 0.0)
USUAL = (0.1, 0.05, 0.16, 0.37, 2.7, 2.8, 64.0, 64.0, 5.0)


@pytest.mark.parametrize(
    ("layer", "hw", "stay", "space", "best"),
    [
        pytest.param(
            {"p": 10, "r": 2, "dilation_r": 2},
            (2, 2, 1, 1, 1, 65536, 8192, 1, 1, *CHEAP, 1, 1, 4),
            FREE._replace(output_on_chip=1.0),
            Mapspace.FULL,
            (20, 1154),
            id="held positions leave fewer boxes with a halo",
        ),
        pytest.param(
            {"p": 25, "r": 2},
            (3, 3, 2, 1, 1, 65536, 8192, 2, 2, *USUAL, 1, 1, 4),
            FREE._replace(output_on_chip=1.0),
            Mapspace.FULL_OUTPUT,
            (16, 2639.36),
            id="two rows of three PEs are not three rows of two",
        ),
        pytest.param(
            {"k": 5, "c": 8, "p": 9, "q": 3, "r": 2, "s": 2, "dilation_r": 2},
            (2, 1, 1, 2, 1, 754, 16, 1, 1, *USUAL, 0.5, 2, 3),
            FREE,
            Mapspace.FULL,
            (3943, 124896),
            id="held positions make the share of a PE larger",
        ),
        pytest.param(
            {"k": 10, "c": 32, "p": 4},
            (1, 1, 4, 1, 1, 144, 18, 128, 400, *USUAL, 1, 1, 4),
            FREE,
            Mapspace.FULL,
            (384, 56659),
            id="sums wait in register files while DRAM loops over C",
        ),
    ],
)
def test_what_a_search_once_missed(layer, hw, stay, space, best):
    objective = Objective.ENERGY if layer.get("k") == 10 else Objective.LATENCY
    row = HardwareRow(*map(float, hw))
    pair = Pair(Layer(name="l", **layer).row, row, stay, int(objective), int(space))
    found, _, _ = solved(pair)
    assert found.cycles == best[0]
    assert found.energy_pj == pytest.approx(best[1], abs=0.6)


def test_a_part_is_explored_down_to_tiles_of_one_block():
    # 64 KB of weights and 3 of local memory: all dims must be cut.
    layer = Layer(name="deep", k=256, c=256, p=4, q=4)
    hw = HardwareRow(*hardware_rows([preset("edge-baseline")])[0].tolist())._replace(
        local_memory_bytes=3072.0
    )
    pair = Pair(
        layer.row, hw, ResidencyRow(0.0, 0.0, 0.0), int(Objective.ENERGY), int(Mapspace.FULL)
    )
    best, chosen = np.full(3, np.inf), np.zeros(MEMBER_FIELDS)
    best[2] = 0.0
    blocks = blocks_of(layer.row, hw)
    explore(pair, Part(Axes(2, 2, 2), 1.0, 1.0, 1.0, blocks), best, chosen)
    at, _, _, _ = placed(layer.row, hw, chosen)
    assert best[0] < np.inf
    assert at.k.dram * at.c.dram > 1.0


def rounds_saved(blocks: int, before: int, most: int) -> list[int]:
    """Numbers of instances, two or more, that save a round."""
    rounds = [-(-blocks // (before * n)) for n in range(1, most + 1)]
    return [n for n in range(2, most + 1) if rounds[n - 1] < rounds[n - 2]]


def spreads(blocks: dict[str, int], hw: HardwareRow) -> int:
    """Ways to spread blocks over lanes, PE x and PE y, each axis over one dim or none."""
    ways = 0
    for dims in product((*"gkcpq", None), (*"gkpq", None), (*"gkpq", None)):
        found: list[dict[str | None, int]] = [{}]
        for dim, most in zip(dims, (hw.lanes, hw.pes_x, hw.pes_y), strict=True):
            found = [
                before | {dim: before.get(dim, 1) * n}
                for before in found
                for n in (rounds_saved(blocks[dim], before.get(dim, 1), int(most)) if dim else [1])
            ]
        ways += len(found)
    return ways


@given(pairs())
@settings(max_examples=EXAMPLES // 2)
def test_the_size_of_the_space_is_the_product_of_its_choices(pair):
    layer, hw = pair.layer, pair.hw
    size = 0
    for k in (1, *rounds_saved(layer.k, 1, int(hw.simd_units))):
        for g in (1, *rounds_saved(layer.g, 1, int(hw.simd_units) // k)):
            blocks = {
                "g": -(-layer.g // g),
                "k": -(-layer.k // k),
                "c": -(-layer.c // int(min(hw.macs_per_simd, layer.c))),
                "p": layer.p,
                "q": layer.q,
            }
            tiles = [len({-(-n // t) for t in range(1, n + 1)}) for n in blocks.values()]
            size += spreads(blocks, hw) * prod(tiles) * len(DramOrder) * 2
    assert full_size(pair) == size


def test_pairs_are_solved_as_one_by_one():
    rows = np.array([Layer(name="l", k=k, c=3, p=2, q=2).row for k in (1, 2, 5)])
    small = hardware_rows([preset("edge-baseline")])[0]
    hw = HardwareRow(*small.tolist())._replace(pes_x=2.0, pes_y=1.0, lanes=2.0, simd_units=2.0)
    which = np.array([[2, 0], [0, 0], [1, 0]])
    outcome = (
        np.empty((3, len(CostRow._fields))),
        np.empty((3, len(MappingRow._fields)), np.int64),
        np.empty((3, len(CountsRow._fields))),
        np.empty(3, np.int64),
    )
    aim = int(Objective.EDP), int(Mapspace.FULL)
    solve_full_pairs(rows, np.array([hw]), which, np.zeros((3, 4)), aim, outcome)
    for i, (layer, _) in enumerate(which):
        pair = Pair(LayerRow(*rows[layer].tolist()), hw, ResidencyRow(0.0, 0.0, 0.0), *aim)
        row, mapping, counts = solved(pair)
        assert tuple(outcome[0][i]) == row
        assert tuple(outcome[1][i]) == mapping
        assert tuple(outcome[2][i]) == counts


@pytest.mark.skipif(not COMPILED, reason="real layers have too many members for plain Python")
@pytest.mark.parametrize("objective", list(Objective))
def test_real_pairs_are_never_worse_than_in_the_default_space_whatever_the_threads(objective):
    drawn = draw(300, 5)
    size = len(drawn.pairs)
    every = []
    for solve, threads in (
        (solve_pairs, 1),
        (solve_full_pairs, 1),
        (solve_full_pairs, numba.config.NUMBA_NUM_THREADS),
    ):
        numba.set_num_threads(threads)
        outcome = (
            np.empty((size, len(CostRow._fields))),
            np.empty((size, len(MappingRow._fields)), np.int64),
            np.empty((size, len(CountsRow._fields))),
            np.empty(size, np.int64),
        )
        aim = int(objective) if solve is solve_pairs else (int(objective), int(Mapspace.FULL))
        solve(drawn.layers, drawn.points, drawn.pairs, drawn.stays, aim, outcome)
        every.append(outcome)
    default, alone, together = every
    for one, other in zip(alone, together, strict=True):
        assert np.array_equal(one, other)
    for before, after in zip(default[0], alone[0], strict=True):
        old, new = CostRow(*before.tolist()), CostRow(*after.tolist())
        assert rank(new.cycles, new.energy_pj, int(objective)) <= rank(
            old.cycles, old.energy_pj, int(objective)
        )
