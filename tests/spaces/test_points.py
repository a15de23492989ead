"""All accelerators of a space at once against each by itself."""

from dataclasses import fields

import numpy as np
import pytest

from nahas.cost import DesignCosts
from nahas.energy import area_mm2, packaged_tables
from nahas.errors import EnergyError, HardwareError
from nahas.sequence import hardware_rows
from nahas.spaces import pairs, points
from nahas.spaces.accelerator import HARDWARE_SPACES, accelerator_space, hardware
from nahas.spaces.joint import JointSpace
from nahas.spaces.macro import network_space
from nahas.spaces.points import points_of
from nahas.spaces.simulated import simulate_choices
from nahas.spaces.space import Decision, Space


def changed(name, values):
    """The paper's accelerators with few values, and others of one decision."""
    small = accelerator_space()
    kept = [Decision(d.name, values if d.name == name else d.values[-2:]) for d in small.decisions]
    return Space("few", tuple(kept))


def same(found, expected):
    for field in fields(DesignCosts):
        left, right = getattr(found, field.name), getattr(expected, field.name)
        assert left.dtype == right.dtype
        assert np.array_equal(left, right), field.name


CHOICES = JointSpace(network_space()).space.sample(60, np.random.default_rng(0))


@pytest.fixture(scope="module")
def expected():
    """Costs of the choices by the way that makes every accelerator and knows no pair."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(points, "MOST", 0)
        return simulate_choices(JointSpace(network_space()), CHOICES)


class TestPoints:
    @pytest.mark.parametrize("name", HARDWARE_SPACES)
    def test_equal_each_accelerator_by_itself_to_the_bit(self, name):
        space, tables = accelerator_space(name), packaged_tables()
        found = points_of(space, tables)
        choices = space.sample(400, np.random.default_rng(0))
        flat = np.ravel_multi_index(tuple(choices.T), tuple(space.cardinalities))
        each = [hardware(space.values(choice), space) for choice in choices]
        assert found.known.all()
        assert np.array_equal(found.rows[flat], hardware_rows(each, tables))
        assert found.area_mm2[flat].tolist() == [area_mm2(of, tables) for of in each]
        assert found.clock_mhz[flat].tolist() == [of.clock_mhz for of in each]

    def test_of_memories_outside_the_tables_are_not_known(self):
        found = points_of(changed("register_file_kb", (0.5, 64)), packaged_tables())
        assert found.known.sum() == len(found.known) // 2

    def test_of_a_value_that_no_accelerator_has_are_refused(self):
        with pytest.raises(HardwareError, match="io_gb_per_s is -5"):
            points_of(changed("io_gb_per_s", (10, -5)), packaged_tables())

    def test_of_too_many_accelerators_are_not_made(self, monkeypatch):
        monkeypatch.setattr(points, "MOST", 49_999)
        assert points_of(accelerator_space(), packaged_tables()) is None


class TestCosts:
    def test_are_the_same_to_the_bit_at_once_in_parts_and_again(self, expected):
        joint = JointSpace(network_space())
        parts = [simulate_choices(joint, CHOICES[i : i + 20]) for i in (40, 0, 20)]
        back = [parts[1], parts[2], parts[0]]
        names = [field.name for field in fields(DesignCosts)]
        together = {n: np.concatenate([getattr(of, n) for of in back]) for n in names}
        same(DesignCosts(**together), expected)
        same(simulate_choices(joint, CHOICES), expected)

    def test_are_the_same_where_little_is_kept(self, expected, monkeypatch):
        monkeypatch.setattr(pairs, "MOST", 500)
        joint = JointSpace(network_space())
        for rows in (slice(0, 20), slice(20, 60), slice(0, 60)):
            found = simulate_choices(joint, CHOICES[rows])
            assert np.array_equal(found.energy_mj, expected.energy_mj[rows])

    def test_are_right_after_an_interrupt(self, expected, monkeypatch):
        joint = JointSpace(network_space())
        simulate_choices(joint, CHOICES[:20])

        def interrupted(*_):
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(pairs, "solve_pairs", interrupted)
            with pytest.raises(KeyboardInterrupt):
                simulate_choices(joint, CHOICES)
        same(simulate_choices(joint, CHOICES), expected)

    def test_of_memories_outside_the_tables_say_so(self):
        joint = JointSpace(network_space(), changed("register_file_kb", (0.5, 64)))
        inside, outside = (joint.space.sample(4, np.random.default_rng(0)) for _ in range(2))
        column = [d.name for d in joint.space.decisions].index("register_file_kb")
        inside[:, column], outside[:, column] = 1, 0
        assert np.isfinite(simulate_choices(joint, inside).area_mm2).all()
        with pytest.raises(EnergyError, match=r"register_file_kb is 0\.5"):
            simulate_choices(joint, outside)
