"""Samples are distinct, seeded and split as they say; features are one-hot."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nahas.costmodel.features import features, space_fingerprint, width
from nahas.costmodel.samples import BATCH, DATAPATH, distinct, label, simulator, split
from nahas.errors import CostModelError, SpaceError
from nahas.simulate import simulate_designs
from nahas.spaces.joint import JointSpace
from nahas.spaces.named import named
from nahas.spaces.space import Decision, Space
from nahas.vocabulary import Objective

from .fake import fake_costs, tiny_joint

JOINT = tiny_joint()


def drawn(count, seed=0):
    return distinct(JOINT.space, count, np.random.default_rng(seed))


@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.data())
def test_draws_are_distinct_and_in_the_space(cardinalities, data):
    space = Space(
        "s", tuple(Decision(f"d{i}", tuple(range(n))) for i, n in enumerate(cardinalities))
    )
    count = data.draw(st.integers(1, space.size))
    choices = distinct(space, count, np.random.default_rng(count))
    space.check(choices)
    assert choices.dtype == np.int64
    assert len(np.unique(choices, axis=0)) == len(choices) == count


def test_draws_from_a_large_space_are_distinct_seeded_and_even():
    choices = drawn(3000)
    assert len(np.unique(choices, axis=0)) == 3000
    assert np.array_equal(choices, drawn(3000))
    assert not np.array_equal(choices, drawn(3000, seed=1))
    shares = np.bincount(choices[:, 2]) / 3000  # pes_x, five values
    assert shares == pytest.approx(np.full(5, 0.2), abs=0.03)


def test_more_samples_than_designs_are_refused():
    with pytest.raises(CostModelError, match=r"300001 samples .* space 'tiny\+accel.*' has 300000"):
        drawn(300_001)


def test_labels_are_logarithms_of_feasible_costs_whatever_the_batch():
    choices = drawn(BATCH + 100)
    told = []
    samples = label(choices, fake_costs(JOINT), told.append)
    assert told == [BATCH, BATCH + 100]
    assert samples.drawn == len(choices)
    names = [decision.name for decision in JOINT.space.decisions]
    can_run = choices[:, names.index("register_file_kb")] > 0
    assert np.array_equal(samples.choices, choices[can_run])
    costs = fake_costs(JOINT)(samples.choices)
    whole = np.stack([costs.latency_ms, costs.energy_mj, costs.area_mm2], axis=1)
    assert np.exp(samples.logs) == pytest.approx(whole)


def test_a_space_in_which_nothing_runs_is_refused():
    names = [decision.name for decision in JOINT.space.decisions]
    choices = drawn(10)
    choices[:, names.index("register_file_kb")] = 0
    with pytest.raises(CostModelError, match="none of the 10 designs drawn can run"):
        label(choices, fake_costs(JOINT))


@given(st.integers(50, 2000), st.integers(0, 100))
def test_no_datapath_that_is_held_out_is_learned_from(count, seed):
    choices = drawn(count, seed)
    parts = split(JOINT, choices, np.random.default_rng(seed))
    together = np.concatenate([parts.train, parts.random, parts.hardware])
    assert np.array_equal(np.sort(together), np.arange(count))
    names = [decision.name for decision in JOINT.space.decisions]
    datapaths = choices[:, [names.index(name) for name in DATAPATH]]
    seen = {tuple(row) for row in datapaths[np.concatenate([parts.train, parts.random])]}
    assert not seen & {tuple(row) for row in datapaths[parts.hardware]}


def test_too_few_samples_to_split_are_refused():
    with pytest.raises(CostModelError, match="2 feasible samples leave no train part: draw more"):
        split(JOINT, drawn(2), np.random.default_rng(0))


def test_features_are_one_hot_and_zero_where_a_decision_changes_nothing():
    choices = drawn(200)
    encoded = features(JOINT, choices)
    assert encoded.shape == (200, width(JOINT.space)) == (200, 5 + 33)
    assert encoded.dtype == np.float32
    starts = np.cumsum([0, *JOINT.space.cardinalities])
    for decision, (start, stop) in enumerate(pairwise(starts)):
        block = encoded[:, start:stop]
        used = JOINT.applicable(choices)[:, decision]
        assert np.array_equal(block.sum(axis=1), used.astype(np.float32))
        assert np.array_equal(block.argmax(axis=1)[used], choices[used, decision])


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


def test_the_real_simulator_labels_real_designs():
    joint = JointSpace(named("macro"))
    choices = distinct(joint.space, 6, np.random.default_rng(0))
    samples = label(choices, simulator(joint, Objective.LATENCY, None))
    costs = simulate_designs(*joint.designs(samples.choices))
    assert np.exp(samples.logs[:, 0]) == pytest.approx(costs.latency_ms)
    assert np.exp(samples.logs[:, 1]) == pytest.approx(costs.energy_mj)
    assert np.exp(samples.logs[:, 2]) == pytest.approx(costs.area_mm2)
