"""Networks times accelerators: splitting, building each network once, what matters."""

import numpy as np
import pytest

from nahas.errors import SpaceError
from nahas.spaces import macro, mnasnet
from nahas.spaces.accelerator import accelerator_space, hardware
from nahas.spaces.joint import JointSpace
from nahas.spaces.space import Decision, Space


@pytest.fixture(scope="module")
def joint():
    return JointSpace(macro.network_space())


def test_size_is_networks_times_accelerators(joint):
    assert joint.space.size == 6561 * 50_000
    assert JointSpace(mnasnet.network_space()).space.size == 36**6 * 48 * 50_000
    assert joint.space.name == "macro+accelerator"


def test_network_decisions_come_first(joint):
    names = [decision.name for decision in joint.space.decisions]
    assert names[:8] == [f"block{i}" for i in range(8)]
    assert names[8] == "pes_x"
    assert len(names) == 15


def test_split_gives_columns_of_each_side(joint):
    choices = joint.space.sample(20, np.random.default_rng(0))
    networks, accelerators = joint.split(choices)
    assert np.array_equal(networks, choices[:, :8])
    assert np.array_equal(accelerators, choices[:, 8:])


def test_designs_are_what_each_side_builds(joint):
    choices = joint.space.sample(10, np.random.default_rng(1))
    networks, chips = joint.designs(choices)
    for row, network, chip in zip(choices, networks, chips, strict=True):
        assert network == joint.network_space.network(row[:8])
        assert chip == hardware(accelerator_space().values(row[8:]))


def test_a_repeated_network_is_built_once(joint):
    choices = joint.space.sample(6, np.random.default_rng(2))
    choices[3, :8] = choices[0, :8]
    networks, _ = joint.designs(choices)
    assert networks[3] is networks[0]
    assert len({id(network) for network in networks}) == 5
    again, _ = joint.designs(choices[::-1])
    assert again[5] is networks[0]


def test_every_decision_is_applicable(joint):
    choices = joint.space.sample(5, np.random.default_rng(3))
    mask = joint.applicable(choices)
    assert mask.shape == choices.shape
    assert mask.dtype == np.bool_
    assert mask.all()


def test_a_batch_of_none_is_a_batch(joint):
    assert joint.designs(joint.space.sample(0, np.random.default_rng(0))) == ([], [])


def test_choices_outside_the_space_are_refused(joint):
    choices = joint.space.sample(2, np.random.default_rng(0))
    choices[1, 8] = 5
    with pytest.raises(SpaceError, match="choice 1: index 5 of decision 'pes_x'"):
        joint.designs(choices)
    with pytest.raises(SpaceError, match="has 15 decisions"):
        joint.split(choices[:, :8])


def test_the_accelerator_side_can_be_narrowed():
    """One value per decision fixes the accelerator; a search then moves the network alone."""
    whole = accelerator_space()
    narrow = Space("fixed", tuple(Decision(d.name, d.values[:1]) for d in whole.decisions))
    joint = JointSpace(macro.network_space(), narrow)
    assert joint.space.size == 6561
    _, chips = joint.designs(joint.space.sample(4, np.random.default_rng(0)))
    assert len(set(chips)) == 1


def test_another_hardware_space_gives_its_accelerators():
    wide = accelerator_space("wide")
    joint = JointSpace(macro.network_space(), wide)
    assert joint.space.name == "macro+wide"
    assert (joint.hardware_space, JointSpace(macro.network_space()).hardware_space) == (
        "wide",
        "paper",
    )
    choices = joint.space.sample(5, np.random.default_rng(4))
    for row, chip in zip(choices, joint.designs(choices)[1], strict=True):
        assert chip == hardware(wide.values(row[8:]), wide)
