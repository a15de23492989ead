"""The benchmark of the mapper: what it draws, what it counts, what it checks, what it refuses."""

import numba
import numpy as np
import pytest

from nahas import networks, tile_bench
from nahas.errors import UsageError
from nahas.kernels.records import CostRow, LayerRow
from nahas.spaces.accelerator import accelerator_space
from nahas.vocabulary import LayerKind, Objective

CYCLES, ENERGY = CostRow._fields.index("cycles"), CostRow._fields.index("energy_pj")


@pytest.fixture(autouse=True)
def _threads():
    """A run sets the number of threads; give them back."""
    before = numba.get_num_threads()
    yield
    numba.set_num_threads(before)


# What is drawn


def test_the_draw_follows_its_seed():
    one, again, other = (tile_bench.draw(300, seed) for seed in (5, 5, 6))
    for name in ("layers", "points", "pairs", "stays"):
        assert np.array_equal(getattr(one, name), getattr(again, name))
    assert not np.array_equal(one.pairs, other.pairs)


def test_no_pair_is_drawn_twice_and_no_row_stands_twice():
    drawn = tile_bench.draw(20_000, 1)
    assert len(np.unique(drawn.pairs, axis=0)) == len(drawn.pairs) == 20_000
    assert len(np.unique(drawn.layers, axis=0)) == len(drawn.layers)
    assert len(np.unique(drawn.points[:, :9], axis=0)) == len(drawn.points)
    assert drawn.pairs.max(axis=0).tolist() < [len(drawn.layers), len(drawn.points)]
    assert len(drawn.points) <= accelerator_space().size


def test_layers_are_those_of_the_networks_and_only_mapped_ones():
    layers = tile_bench.distinct_layers(np.random.default_rng(0))
    assert set(layers[:, LayerRow._fields.index("kind")]) == {LayerKind.CONVOLUTION}
    rows = {tuple(row) for row in layers.tolist()}
    network = networks.named("resnet-50")
    assert all(tuple(layer.row) in rows for layer in network.layers if not layer.kind.is_vector)


def test_residency_is_drawn_by_coin_flips():
    stays = tile_bench.draw(2000, 0).stays
    assert set(np.unique(stays)) == {0.0, 1.0}
    assert (stays[:, 2] == 0).all()
    assert np.allclose(stays[:, :2].mean(axis=0), 0.5, atol=0.05)


# What is measured and checked


@pytest.mark.parametrize("objective", list(Objective))
def test_every_verified_pair_is_solved_at_its_optimum(objective):
    run = tile_bench.run(2000, objective=objective, threads=1, verify=20)
    assert (run.verified, run.mismatches, run.optimal) == (20, 0, True)
    assert (run.pairs, run.threads, run.objective, run.seed) == (2000, 1, objective, 0)
    assert run.pairs_per_second > 0
    assert run.mappings_per_second > run.pairs_per_second  # at least one candidate each
    assert 1 <= run.mapspace_mean <= run.mapspace_max
    assert run.distinct_layers > 200
    assert 1900 < run.distinct_accelerators <= 2000
    assert run.infeasible == 0


def test_nothing_is_called_optimal_that_was_not_verified():
    run = tile_bench.run(100, threads=1)
    assert (run.verified, run.optimal, run.mapspace_mean, run.mapspace_max) == (0, None, None, None)


def test_a_wrong_answer_is_a_mismatch(monkeypatch):
    solve = tile_bench._solve

    def slower(*arguments):
        costs, mappings, counts, seen = solve(*arguments)
        costs[:, CYCLES] *= 1 + 1e-9
        return costs, mappings, counts, seen

    monkeypatch.setattr(tile_bench, "_solve", slower)
    run = tile_bench.run(50, threads=1, verify=5)
    assert (run.mismatches, run.optimal) == (5, False)


def test_a_mapping_that_does_not_cost_what_is_reported_is_a_mismatch(monkeypatch):
    solve = tile_bench._solve

    def confused(drawn, part, objective, room):
        costs, mappings, counts, seen = solve(drawn, part, objective, room)
        if part.stop - part.start == 1:  # a pair to verify: its neighbour's accelerator mapping
            following = slice(part.start + 1, part.stop + 1)
            other = solve(drawn, following, objective, tile_bench._room(1))[0]
            costs[:, ENERGY] = other[:, ENERGY]
        return costs, mappings, counts, seen

    monkeypatch.setattr(tile_bench, "_solve", confused)
    assert tile_bench.run(50, threads=1, verify=3).mismatches == 3


def test_batches_cover_every_pair_once(monkeypatch):
    parts = []
    solve = tile_bench._solve

    def recorded(drawn, part, objective, room):
        parts.append((part.start, part.stop))
        return solve(drawn, part, objective, room)

    monkeypatch.setattr(tile_bench, "_solve", recorded)
    monkeypatch.setattr(tile_bench, "BATCH", 80)
    tile_bench.run(200, threads=1)
    assert parts == [(0, 64), (0, 80), (80, 160), (160, 200)]  # the first is not timed


def test_answers_are_those_of_any_number_of_threads():
    drawn = tile_bench.draw(1500, 2)
    answers = []
    for threads in (1, numba.config.NUMBA_NUM_THREADS):
        numba.set_num_threads(threads)
        room = tile_bench._room(1500)
        answers.append(tile_bench._solve(drawn, slice(0, 1500), Objective.EDP, room))
    for one, other in zip(*answers, strict=True):
        assert np.array_equal(one, other)


# What is refused


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pairs": 0}, r"pairs is 0, but there are 1 to [\d,]+ distinct pairs"),
        ({"pairs": 10**9}, r"pairs is 1000000000, but there are 1 to"),
        ({"pairs": 10, "threads": 0}, r"threads is 0, but this machine allows 1 to"),
        ({"pairs": 10, "threads": 10**6}, r"threads is 1000000, but this machine allows"),
        ({"pairs": 10, "verify": 11}, r"verify is 11, but it must be 0 to the number of pairs, 10"),
        ({"pairs": 10, "verify": -1}, r"verify is -1, but"),
    ],
)
def test_what_is_impossible_is_refused_in_a_sentence(options, message):
    with pytest.raises(UsageError, match=message):
        tile_bench.run(**options)
