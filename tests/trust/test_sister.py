"""The sister space: minima, means and ratios, on a handful of accelerators."""

import pytest

from nahas import networks
from nahas.simulate import simulate
from nahas.spaces import accelerator
from nahas.trust.sister import compare_with_sister, every_accelerator


@pytest.fixture(scope="module")
def points():
    return every_accelerator()[:: 50_000 // 8]


@pytest.fixture(scope="module")
def found(points):
    return compare_with_sister(points)


def test_every_accelerator_stands_once():
    points = every_accelerator()
    assert len(set(points)) == accelerator.accelerator_space().size == 50_000


def test_minimum_and_mean_are_over_the_points(points, found):
    for row in found.rows:
        if row.units == 0:
            each = [simulate(networks.named(row.network), point).latency_ms for point in points]
            assert row.feasible == len(points) == found.points
            assert row.ours.min_us == pytest.approx(1e3 * min(each))
            assert row.ours.mean_us == pytest.approx(1e3 * sum(each) / len(each))


def test_ratios_are_to_the_first_network_and_beside_the_published(found):
    first, second, third = found.rows[:3]
    assert (first.network, first.min_off, first.mean_off) == ("mobilenet-v2", 0, 0)
    ratio = (second.ours.min_us / first.ours.min_us) / (252.22 / 191.35)
    assert second.min_off == pytest.approx(ratio - 1)
    ratio = (third.ours.mean_us / first.ours.mean_us) / (993.75 / 375.05)
    assert third.mean_off == pytest.approx(ratio - 1)


def test_activation_units_slow_only_networks_with_functions_and_gates(found):
    simd, units = found.rows[:3], found.rows[3:]
    assert [row.units for row in found.rows] == [0, 0, 0, 1, 1, 1]
    assert [row.ours for row in simd[:2]] == [row.ours for row in units[:2]]
    assert units[2].ours.mean_us > simd[2].ours.mean_us
