"""Samples are distinct, crossed, even and seeded; labels are what the simulator says."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nahas.costmodel import samples as drawing
from nahas.costmodel.features import features, space_fingerprint, width
from nahas.costmodel.samples import REUSE, deal, draw, label, networks_of, simulator
from nahas.errors import CostModelError, SpaceError
from nahas.simulate import simulate_designs
from nahas.spaces.accelerator import accelerator_space
from nahas.spaces.joint import JointSpace
from nahas.spaces.named import named
from nahas.spaces.space import Decision, Space
from nahas.spaces.tables import LayerTables
from nahas.vocabulary import Objective, Reason

from .fake import fake_costs, joint_of, tiny_joint

JOINT = tiny_joint()
cardinalities = st.lists(st.integers(1, 5), min_size=1, max_size=4)


def drawn(count, seed=0, joint=JOINT):
    return draw(joint, count, np.random.default_rng(seed))


def even(numbers):
    """Whether whole numbers differ by one at most."""
    return np.ptp(numbers) <= 1


# The draw


@given(cardinalities, cardinalities, st.data())
def test_draws_are_distinct_and_as_even_as_they_can_be(networks, accelerators, data):
    joint = joint_of(networks, accelerators)
    count = data.draw(st.integers(1, joint.space.size))
    choices = drawn(count, count, joint)
    joint.space.check(choices)
    assert choices.dtype == np.uint8
    assert len(np.unique(choices, axis=0)) == len(choices) == count
    for side in joint.split(choices):
        assert even(np.unique(side, axis=0, return_counts=True)[1])


@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 100), st.data())
def test_cards_are_dealt_evenly_and_no_hand_holds_one_twice(hands, cards, seed, data):
    count = data.draw(st.integers(1, hands * cards))
    hand, card = deal(count, hands, cards, np.random.default_rng(seed))
    assert len(np.unique(np.stack([hand, card], axis=1), axis=0)) == count
    assert even(np.bincount(hand, minlength=hands))
    assert even(np.bincount(card, minlength=cards))


def test_each_network_meets_several_accelerators_and_each_accelerator_several_networks():
    joint = joint_of([3] * 20, [10, 10, 10])
    choices = drawn(50_000, 0, joint)
    for side, different in zip(joint.split(choices), (50_000 // REUSE, 1000), strict=True):
        times = np.unique(side, axis=0, return_counts=True)[1]
        assert len(times) == different
        assert even(times)
    few = drawn(5000, 0, joint)  # fewer than REUSE for each accelerator: half of them serve
    times = np.unique(joint.split(few)[1], axis=0, return_counts=True)[1]
    assert len(times) == 500
    assert even(times)


def test_who_meets_whom_is_random():
    """Two networks on one accelerator share no more of their other accelerators than by chance."""
    joint = joint_of([3] * 20, [20, 20])
    networks, accelerators = joint.split(drawn(4000, 3, joint))
    _, hand = np.unique(networks, axis=0, return_inverse=True)
    _, card = np.unique(accelerators, axis=0, return_inverse=True)
    meets = np.zeros((400, 400))
    meets[hand.reshape(-1), card.reshape(-1)] = 1
    shared = (meets @ meets.T)[~np.eye(400, dtype=bool)]
    assert shared.mean() == pytest.approx(REUSE * (REUSE - 1) / 400, rel=0.1)
    assert shared.var() == pytest.approx(shared.mean(), rel=0.1)  # as of a Poisson number
    assert shared.max() <= 5


def test_every_decision_and_every_pair_of_decisions_is_spread_evenly():
    joint = joint_of([3, 2, 3, 4] * 6, [10, 10, 10])
    networks = networks_of(joint.network_space, 8192, np.random.default_rng(1))
    assert len(np.unique(networks, axis=0)) == 8192
    for column, values in zip(networks.T, joint.network_space.space.cardinalities, strict=True):
        assert np.bincount(column) == pytest.approx(8192 / values, abs=2)
    pair = np.ravel_multi_index(networks[:, [0, 3]].T, (3, 4))
    assert np.bincount(pair) == pytest.approx(8192 / 12, rel=0.05)


def test_a_small_space_is_listed_and_drawn_whole():
    joint = JointSpace(named("macro"))
    networks = networks_of(joint.network_space, 10_000, np.random.default_rng(0))
    assert len(np.unique(networks, axis=0)) == len(networks) < 3**8  # some choices are one network
    assert not np.array_equal(networks, networks[np.lexsort(networks.T)])
    tables = LayerTables(joint.network_space)
    assert len(tables.different(networks)) == len(networks)


def test_what_does_not_apply_makes_no_second_design():
    choices = drawn(5000)
    assert (choices[choices[:, 0] == 0, 1] == 0).all()
    assert len(np.unique(choices[:, :2], axis=0)) == 5


def test_draws_follow_their_seed_and_no_global_one():
    before = np.random.get_state()[1].copy()  # noqa: NPY002  the global state is what is tested
    joint = joint_of([3] * 20, [10, 10])
    one, again, other = (drawn(3000, seed, joint) for seed in (1, 1, 2))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002  as above


def test_rows_of_an_accelerator_stand_together():
    _, accelerators = JOINT.split(drawn(3000))
    changes = (np.diff(accelerators.astype(int), axis=0) != 0).any(axis=1).sum()
    assert changes + 1 == len(np.unique(accelerators, axis=0))


def test_more_samples_than_designs_and_none_at_all_are_refused():
    with pytest.raises(CostModelError, match="0 samples are asked for, but at least 1"):
        drawn(0)
    with pytest.raises(
        CostModelError, match=r"250,001 samples .* space 'tiny\+accel.*' has 250,000 designs"
    ):
        drawn(250_001)
    assert len(drawn(250_000)) == 250_000


def test_a_large_space_of_few_networks_is_refused(monkeypatch):
    monkeypatch.setattr(drawing, "LISTED", 1)
    assert len(networks_of(JOINT.network_space, 5, np.random.default_rng(0))) == 5
    with pytest.raises(CostModelError, match="6 networks of space 'tiny' are needed, but only 5"):
        networks_of(JOINT.network_space, 6, np.random.default_rng(0))


def test_a_decision_that_no_byte_holds_is_refused():
    with pytest.raises(CostModelError, match=r"decision 'n1' has 257 values, but .* at most 256"):
        drawn(10, 0, joint_of([2, 257], [3]))
    assert drawn(768, 0, joint_of([256], [3])).max() == 255


# The labels


def test_labels_are_logarithms_of_costs_whatever_the_chunk(monkeypatch):
    choices = drawn(1500)
    whole = label(choices, fake_costs(JOINT))
    monkeypatch.setattr(drawing, "CHUNK", 1000)
    told = []
    samples = label(choices, fake_costs(JOINT), told.append)
    assert told == [1000, 1500]
    assert len(samples) == 1500
    assert (samples.choices.dtype, samples.logs.dtype, samples.reason.dtype) == (
        np.uint8,
        np.float32,
        np.uint8,
    )
    for name in ("choices", "logs", "reason"):
        assert np.array_equal(
            getattr(samples, name), getattr(whole, name), equal_nan=name == "logs"
        )
    assert np.array_equal(samples.choices, choices)
    names = [decision.name for decision in JOINT.space.decisions]
    can_run = choices[:, names.index("register_file_kb")] > 0
    assert np.array_equal(samples.reason == Reason.OK, can_run)
    costs = fake_costs(JOINT)(choices.astype(np.int64))
    columns = np.stack([costs.latency_ms, costs.energy_mj, costs.area_mm2], axis=1)
    assert np.exp(samples.logs[can_run]) == pytest.approx(columns[can_run], rel=1e-6)
    assert np.isnan(samples.logs[~can_run, :2]).all()
    assert np.exp(samples.logs[:, 2]) == pytest.approx(columns[:, 2], rel=1e-6)


@pytest.mark.parametrize("hardware_space", ["paper", "wide"])
def test_the_real_simulator_labels_real_designs(hardware_space):
    joint = JointSpace(named("macro"), accelerator_space(hardware_space))
    choices = drawn(40, 0, joint)
    samples = label(choices, simulator(joint, Objective.LATENCY, None))
    costs = simulate_designs(*joint.designs(choices.astype(np.int64)))
    assert np.array_equal(samples.reason, costs.reason)
    assert (hardware_space == "wide") == bool(costs.reason.any())
    runs = costs.reason == Reason.OK
    assert np.exp(samples.logs[runs, 0]) == pytest.approx(costs.latency_ms[runs], rel=1e-6)
    assert np.exp(samples.logs[runs, 1]) == pytest.approx(costs.energy_mj[runs], rel=1e-6)
    assert np.exp(samples.logs[:, 2]) == pytest.approx(costs.area_mm2, rel=1e-6)


# The features


def test_features_are_one_hot_and_the_first_value_where_a_decision_changes_nothing():
    choices = drawn(200).astype(np.int64)
    encoded = features(JOINT, choices)
    assert encoded.shape == (200, width(JOINT.space)) == (200, 5 + 33)
    assert encoded.dtype == np.float32
    starts = np.cumsum([0, *JOINT.space.cardinalities])
    for decision, (start, stop) in enumerate(pairwise(starts)):
        block = encoded[:, start:stop]
        used = JOINT.applicable(choices)[:, decision]
        assert (block.sum(axis=1) == 1).all()
        assert np.array_equal(block.argmax(axis=1), np.where(used, choices[:, decision], 0))


def test_features_of_another_space_are_refused():
    with pytest.raises(SpaceError):
        features(JOINT, np.full((1, 9), 99, dtype=np.int64))


def test_a_space_is_known_by_name_decisions_and_values():
    prints = {
        space_fingerprint(joint.space)
        for joint in (JOINT, tiny_joint("other"), tiny_joint(kernels=(3, 7)))
    }
    assert len(prints) == 3
    assert space_fingerprint(tiny_joint().space) == space_fingerprint(JOINT.space)


def test_a_narrowed_accelerator_gets_as_many_networks_as_it_needs():
    whole = accelerator_space()
    fixed = Space("fixed", tuple(Decision(d.name, d.values[:1]) for d in whole.decisions))
    choices = drawn(500, 0, JointSpace(named("macro"), fixed))
    assert len(np.unique(choices[:, :8], axis=0)) == 500
