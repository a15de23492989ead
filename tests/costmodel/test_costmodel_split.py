"""The parts of a split ask what their names say, and none is empty."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nahas.costmodel.samples import Samples, draw, label
from nahas.costmodel.split import HELD, LEAST_ROWS, SHARE, split
from nahas.errors import CostModelError
from nahas.spaces.joint import JointSpace
from nahas.spaces.named import named

from .fake import fake_costs, joint_of, tiny_joint

LARGE = joint_of([3] * 20, [10, 10, 10])
PARTS = ("train", "validation", "random", "hardware", "networks")


def unlabelled(joint, count, seed=0):
    """Samples that can all run."""
    choices = draw(joint, count, np.random.default_rng(seed))
    return Samples(choices, np.zeros((count, 3), np.float32), np.zeros(count, np.uint8))


def sides(joint, samples):
    """The network and the accelerator of each sample, as text that can be looked up."""
    return [np.array([row.tobytes() for row in side]) for side in joint.split(samples.choices)]


@pytest.mark.parametrize("joint", [LARGE, JointSpace(named("macro"))], ids=["large", "macro"])
@given(count=st.integers(400, 3000), seed=st.integers(0, 100))
def test_every_part_asks_what_its_name_says(joint, count, seed):
    samples = unlabelled(joint, count, seed)
    parts = split(joint, samples, np.random.default_rng(seed))
    rows = np.concatenate([getattr(parts, name) for name in PARTS])
    assert len(np.unique(rows)) == len(rows) <= count
    network, accelerator = sides(joint, samples)
    known = [set(side[parts.train]) for side in (network, accelerator)]

    def knows(rows):
        return {
            (n in known[0], a in known[1])
            for n, a in zip(network[rows], accelerator[rows], strict=True)
        }

    for name in ("validation", "random"):
        assert knows(getattr(parts, name)) == {(True, True)}
    assert knows(parts.hardware) == {(True, False)}
    assert knows(parts.networks) == {(False, True)}


def test_parts_have_the_sizes_that_are_said():
    samples = unlabelled(LARGE, 10_000)
    parts = split(LARGE, samples, np.random.default_rng(0))
    network, accelerator = sides(LARGE, samples)
    for part, side in ((parts.hardware, accelerator), (parts.networks, network)):
        assert len(set(side[part])) == round(HELD * 1000)
        assert len(part) == pytest.approx(HELD * (1 - HELD) * 10_000, rel=0.05)
    rest = 10_000 * (1 - HELD) ** 2
    assert len(parts.random) == len(parts.validation) == pytest.approx(SHARE * rest, rel=0.02)
    assert len(parts.train) == pytest.approx((1 - 2 * SHARE) * rest, rel=0.01)


def test_the_parts_of_few_samples_are_not_a_handful():
    parts = split(LARGE, unlabelled(LARGE, 500), np.random.default_rng(0))
    assert min(len(parts.random), len(parts.validation)) >= LEAST_ROWS - 2


def test_a_split_follows_its_seed():
    samples = unlabelled(LARGE, 1000)
    one, again, other = (split(LARGE, samples, np.random.default_rng(s)) for s in (1, 1, 2))
    for name in PARTS:
        rows = getattr(one, name)
        assert rows.dtype == np.int64
        assert np.array_equal(rows, np.sort(rows))
        assert np.array_equal(rows, getattr(again, name))
        assert not np.array_equal(rows, getattr(other, name))


def test_designs_that_cannot_run_are_split_like_others():
    joint = tiny_joint()
    samples = label(draw(joint, 2000, np.random.default_rng(0)), fake_costs(joint))
    parts = split(joint, samples, np.random.default_rng(0))
    for name in PARTS:
        assert set(samples.reason[getattr(parts, name)]) == {0, 1}


def test_samples_of_which_none_can_run_are_refused():
    samples = replace(unlabelled(LARGE, 500), reason=np.ones(500, np.uint8))
    with pytest.raises(CostModelError, match="none of the 500 designs drawn can run"):
        split(LARGE, samples, np.random.default_rng(0))


def test_an_empty_part_says_how_many_samples_to_draw():
    with pytest.raises(
        CostModelError, match=r"of 12 samples none .* part '\w+': draw at least 400"
    ):
        split(LARGE, unlabelled(LARGE, 12), np.random.default_rng(0))


def test_a_part_of_which_nothing_can_run_is_empty():
    samples = unlabelled(LARGE, 500)
    parts = split(LARGE, samples, np.random.default_rng(0))
    samples.reason[parts.hardware] = 1
    with pytest.raises(CostModelError, match=r"of 500 samples .* 'hardware': draw at least 1,000"):
        split(LARGE, samples, np.random.default_rng(0))


def test_no_more_samples_are_asked_for_than_the_space_has():
    joint = joint_of([6] * 3, [2])
    with pytest.raises(CostModelError, match=r"'\w+': draw at least 432$"):
        split(joint, unlabelled(joint, 300), np.random.default_rng(0))
    with pytest.raises(CostModelError, match=r"they are all of space .* 216 networks on 2 acc"):
        split(joint, unlabelled(joint, 432), np.random.default_rng(0))


def test_a_space_of_one_network_or_accelerator_is_refused():
    for sizes, what in ((([1], [10, 10, 10]), "network"), (([10, 10, 10], [1]), "accelerator")):
        joint = joint_of(*sizes)
        with pytest.raises(CostModelError, match=f"500 samples are of 1 {what}, of which none"):
            split(joint, unlabelled(joint, 500), np.random.default_rng(0))
