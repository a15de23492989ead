"""The benchmark of the mapper: what it draws, what it counts, what it checks, what it refuses."""

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nahas import networks
from nahas.errors import UsageError
from nahas.hardware import preset
from nahas.kernels.records import CostRow, LayerRow
from nahas.layers import Layer
from nahas.network import Network
from nahas.sequence import hardware_rows
from nahas.spaces.accelerator import accelerator_space
from nahas.tile_bench import bench, draw, run, source_of, verify
from nahas.tile_bench.solve import room, solve_part
from nahas.tile_bench.source import distinct_layers, shuffled
from nahas.vocabulary import LayerKind, Objective

CYCLES, ENERGY = CostRow._fields.index("cycles"), CostRow._fields.index("energy_pj")


@pytest.fixture(autouse=True)
def _threads():
    """A run sets the number of threads and gives them back."""
    before = numba.get_num_threads()
    yield
    assert numba.get_num_threads() == before
    numba.set_num_threads(before)


@pytest.fixture(scope="module")
def source():
    return source_of(0)


# What is drawn


@given(st.integers(1, 3000), st.integers(0, 2**40))
def test_a_shuffle_has_every_number_once(size, seed):
    order = shuffled(np.arange(size), size, seed)
    assert np.array_equal(np.sort(order), np.arange(size))


def test_a_shuffle_is_no_order_of_its_own():
    order = shuffled(np.arange(10_000), 10_000, 0)
    assert abs(np.corrcoef(order, np.arange(10_000))[0, 1]) < 0.05
    assert (np.diff(order) == 1).mean() < 0.01
    assert not np.array_equal(order, shuffled(np.arange(10_000), 10_000, 1))


def test_a_place_of_a_shuffle_does_not_depend_on_what_else_is_asked():
    size = 15_000_000
    whole = shuffled(np.arange(500), size, 7)
    assert np.array_equal(shuffled(np.arange(300, 400), size, 7), whole[300:400])
    assert whole.max() < size


def test_the_draw_follows_its_seed():
    one, again, other = (draw(300, seed) for seed in (5, 5, 6))
    for name in ("layers", "points", "pairs", "stays"):
        assert np.array_equal(getattr(one, name), getattr(again, name), equal_nan=True)
    assert not np.array_equal(one.pairs, other.pairs)


def test_fewer_pairs_are_the_first_of_more(source):
    few, many = source.pairs(0, 50), source.pairs(0, 200)
    assert np.array_equal(few.pairs, many.pairs[:50])
    assert np.array_equal(few.stays, many.stays[:50])
    later = source.pairs(120, 200)
    assert np.array_equal(later.pairs, many.pairs[120:])
    assert np.array_equal(later.stays, many.stays[120:])


def test_no_pair_is_drawn_twice_and_no_row_stands_twice(source):
    drawn = source.pairs(0, 5000)
    assert len(np.unique(drawn.pairs, axis=0)) == len(drawn.pairs) == 5000
    assert len(np.unique(drawn.layers, axis=0)) == len(drawn.layers)
    used = np.unique(drawn.pairs[:, 1])
    assert len(np.unique(drawn.points[used, :9], axis=0)) == len(used)
    assert drawn.pairs.max(axis=0).tolist() < [len(drawn.layers), len(drawn.points)]
    assert len(drawn.points) == accelerator_space().size


def test_accelerators_are_made_when_a_pair_needs_them():
    source = source_of(3)
    assert source.used == 0
    drawn = source.pairs(0, 40)
    assert source.used == len(np.unique(drawn.pairs[:, 1])) <= 40
    assert not np.isnan(drawn.points[drawn.pairs[:, 1]]).any()


def test_layers_are_those_of_the_networks_and_only_mapped_ones():
    layers = distinct_layers(np.random.default_rng(0))
    assert set(layers[:, LayerRow._fields.index("kind")]) == {LayerKind.CONVOLUTION}
    rows = {tuple(row) for row in layers.tolist()}
    network = networks.named("resnet-50")
    assert all(tuple(layer.row) in rows for layer in network.layers if not layer.kind.is_vector)


def test_residency_is_drawn_by_coin_flips(source):
    stays = source.pairs(0, 2000).stays
    assert set(np.unique(stays)) == {0.0, 1.0}
    assert (stays[:, 2] == 0).all()
    assert np.allclose(stays[:, :2].mean(axis=0), 0.5, atol=0.05)
    assert abs(np.corrcoef(stays[:, 0], stays[:, 1])[0, 1]) < 0.1


def test_named_networks_and_accelerators_are_crossed():
    network = networks.named("mobilenet-v2")
    points = [preset("coral"), preset("edge-baseline"), preset("coral")]
    source = source_of(named_networks=[network, network], hardware=points)
    rows = {tuple(layer.row) for layer in network.layers if not layer.kind.is_vector}
    assert source.size == 2 * len(rows) == source.default_pairs
    drawn = source.pairs(0, source.size)
    assert {tuple(row) for row in drawn.layers.tolist()} == rows
    assert np.array_equal(drawn.points, hardware_rows(points[:2]))
    assert len(np.unique(drawn.pairs, axis=0)) == source.size
    assert source.names == ("mobilenet-v2, mobilenet-v2", "2 named")


def test_a_fingerprint_tells_sources_apart():
    network = [networks.named("mobilenet-v2")]
    sources = [
        source_of(0, named_networks=network),
        source_of(1, named_networks=network),
        source_of(0, named_networks=[networks.named("resnet-50")]),
        source_of(0, named_networks=network, hardware=[preset("coral")]),
    ]
    assert len({source.fingerprint for source in sources}) == len(sources)
    assert source_of(0, named_networks=network).fingerprint == sources[0].fingerprint


# What is measured and checked


@pytest.mark.parametrize("objective", list(Objective))
def test_every_verified_pair_is_solved_at_its_optimum(source, objective):
    found = run(source, 2000, objective=objective, threads=1, verify=20)
    assert (found.verified, found.mismatches, found.optimal) == (20, 0, True)
    assert (found.pairs, found.threads, found.objective, found.seed) == (2000, 1, objective, 0)
    assert found.pairs_per_second > 0
    assert found.mappings_per_second > found.pairs_per_second  # at least one candidate each
    assert found.counted == bench.COUNTED_PAIRS
    assert 1 <= found.mapspace_mean <= found.mapspace_max
    assert found.distinct_layers > 200
    assert 1900 < found.distinct_accelerators <= accelerator_space().size
    assert found.infeasible == 0


def test_nothing_is_called_optimal_that_was_not_verified(source):
    found = run(source, 100, threads=1)
    assert (found.verified, found.optimal, found.counted) == (0, None, 100)
    assert 1 <= found.mapspace_mean <= found.mapspace_max


def test_a_wrong_answer_is_a_mismatch(source, monkeypatch):
    def slower(*arguments):
        costs, mappings, counts, seen = solve_part(*arguments)
        costs[:, CYCLES] *= 1 + 1e-9
        return costs, mappings, counts, seen

    monkeypatch.setattr(verify, "solve_part", slower)
    found = run(source, 50, threads=1, verify=5)
    assert (found.mismatches, found.optimal) == (5, False)


def test_a_mapping_that_does_not_cost_what_is_reported_is_a_mismatch(source, monkeypatch):
    def confused(pairs, part, objective, place):
        costs, mappings, counts, seen = solve_part(pairs, part, objective, place)
        following = slice(part.start + 1, part.stop + 1)  # its neighbour's energy
        costs[:, ENERGY] = solve_part(pairs, following, objective, room(1))[0][:, ENERGY]
        return costs, mappings, counts, seen

    monkeypatch.setattr(verify, "solve_part", confused)
    assert run(source, 50, threads=1, verify=3).mismatches == 3


def test_batches_cover_every_pair_once(source, monkeypatch):
    sizes, told = [], []

    def recorded(pairs, part, objective, place):
        sizes.append(len(pairs.pairs))
        return solve_part(pairs, part, objective, place)

    monkeypatch.setattr(bench, "solve_part", recorded)
    monkeypatch.setattr(bench, "BATCH", 80)
    run(source, 200, threads=1, progress=told.append)
    assert sizes == [64, 80, 80, 40]  # the first is not timed
    assert told == [80, 160, 200]


def test_answers_are_those_of_any_number_of_threads(source):
    drawn = source.pairs(0, 1500)
    answers, before = [], numba.get_num_threads()
    for threads in (1, numba.config.NUMBA_NUM_THREADS):
        numba.set_num_threads(threads)
        answers.append(solve_part(drawn, slice(None), Objective.EDP, room(1500)))
    numba.set_num_threads(before)
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
def test_what_is_impossible_is_refused_in_a_sentence(source, options, message):
    with pytest.raises(UsageError, match=message):
        run(source, **options)


def test_a_network_without_mapped_layers_is_refused():
    pool = Layer(name="pool", kind=LayerKind.POOL, g=8, p=4, q=4, r=2, s=2)
    network = Network(name="pools", layers=(pool,), inputs=((-1,),))
    with pytest.raises(UsageError, match="no layer of pools is mapped: there is nothing to pair"):
        source_of(named_networks=[network])
