"""The front and the hypervolume, against moocore and against the obvious programs."""

import moocore
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nahas.kernels import pareto
from nahas.kernels.pareto import Archive, hypervolume, nondominated

KERNELS = ("_mark_front", "_added", "_exclusive_4", "_joined", "_volume_4", "_volume_3")

# Few distinct values, so that ties and equal points are common.
clouds = st.integers(2, 4).flatmap(
    lambda m: st.integers(0, 24).flatmap(
        lambda n: arrays(np.float64, (n, m), elements=st.integers(0, 5).map(float))
    )
)


@pytest.fixture(params=["compiled", "plain"], autouse=True)
def mode(request, monkeypatch):
    """Every test runs the kernels compiled and as plain Python."""
    if request.param == "plain":
        for name in KERNELS:
            compiled = getattr(pareto, name)
            monkeypatch.setattr(pareto, name, getattr(compiled, "py_func", compiled))
    return request.param


def dominates(a, b):
    return bool((a <= b).all() and (a < b).any())


def counted_volume(points, reference):
    """Unit cubes between integer points and the reference that some point dominates."""
    corners = np.stack(
        np.meshgrid(*[np.arange(r) for r in reference.astype(int)], indexing="ij"), axis=-1
    ).reshape(-1, reference.size)
    return int((points[:, None] <= corners).all(axis=2).any(axis=0).sum())


class TestNondominated:
    @pytest.mark.filterwarnings("ignore")
    def test_agrees_with_moocore(self):
        rng = np.random.default_rng(0)
        for m in (2, 3, 4):
            points = rng.random((300, m)).round(2)
            expected = moocore.is_nondominated(points, keep_weakly=False)
            assert (nondominated(points) == expected).all()

    def test_keeps_what_nothing_dominates_and_one_of_equals(self):
        @given(clouds)
        def check(points):
            kept = nondominated(points)
            for i, point in enumerate(points):
                beaten = any(dominates(other, point) for other in points)
                again = any((other == point).all() for other in points[:i])
                assert kept[i] == (not beaten and not again)

        check()

    def test_leaves_out_points_that_are_not_finite(self):
        points = np.array([[np.nan, 0.0], [np.inf, 0.0], [1.0, 1.0], [-np.inf, 9.0]])
        assert nondominated(points).tolist() == [False, False, True, False]

    def test_of_nothing_is_nothing(self):
        assert nondominated(np.zeros((0, 3))).shape == (0,)


class TestHypervolume:
    def test_is_the_number_of_dominated_cubes(self):
        @given(clouds)
        def check(points):
            reference = np.full(points.shape[1], 5.0)
            expected = counted_volume(points, reference)
            assert hypervolume(points, reference) == pytest.approx(expected)

        check()

    def test_agrees_with_moocore(self):
        rng = np.random.default_rng(1)
        for m in (2, 3, 4):
            points = rng.random((100, m))
            reference = np.full(m, 0.9)
            expected = moocore.hypervolume(points, ref=reference)
            assert hypervolume(points, reference) == pytest.approx(expected, rel=1e-12)

    def test_of_a_point_no_better_than_the_reference_is_zero(self):
        assert hypervolume(np.array([[1.0, 0.0]]), np.array([1.0, 1.0])) == 0.0

    def test_never_shrinks_when_a_point_is_added(self):
        rng = np.random.default_rng(2)
        points = rng.random((30, 4))
        reference = np.ones(4)
        volumes = [hypervolume(points[:n], reference) for n in range(31)]
        assert (np.diff(volumes) >= 0).all()
        assert volumes[0] == 0.0

    def test_refuses_other_dimensions(self):
        with pytest.raises(ValueError, match=r"expected \[N, 2\]"):
            hypervolume(np.zeros((2, 5)), np.ones(5))
        with pytest.raises(ValueError, match=r"expected \[N, 2\]"):
            Archive(np.ones(3)).add(np.zeros((2, 4)))


def shortfall(point, front, reference):
    """The least that all objectives must fall by, found by falling to every place of interest."""
    places = np.concatenate([[0.0], point - reference, *(point - other for other in front)])

    def good(fall):
        fallen = point - fall
        inside = (fallen <= reference).all()
        return inside and not any((other < fallen).all() for other in front)

    return min(fall for fall in np.unique(places[places >= 0]) if good(fall))


class TestArchive:
    def test_says_what_each_point_adds_or_how_far_it_is_from_adding(self):
        @given(clouds)
        def check(points):
            reference = np.full(points.shape[1], 5.0)
            archive = Archive(reference)
            for n, gain in enumerate(archive.add(points)):
                before = points[:n]
                added = counted_volume(points[: n + 1], reference) - counted_volume(
                    before, reference
                )
                assert max(gain, 0.0) == pytest.approx(added)
                if gain <= 0:
                    assert -gain == shortfall(points[n], before, reference)

        check()

    def test_is_the_front_of_what_is_inside_in_whatever_portions_it_comes(self):
        points = np.random.default_rng(3).random((150, 4)).round(1)
        reference = np.full(4, 0.9)
        whole, parts = Archive(reference), Archive(reference)
        gains = whole.add(points)
        assert gains.tolist() == [g for n in range(0, 150, 7) for g in parts.add(points[n : n + 7])]
        inside = points[(points < reference).all(axis=1)]
        expected = inside[nondominated(inside)]
        for archive in (whole, parts):
            assert np.array_equal(np.unique(archive.front, axis=0), np.unique(expected, axis=0))
        assert gains[gains > 0].sum() == pytest.approx(hypervolume(points, reference))

    def test_takes_nothing_that_is_not_finite(self):
        archive = Archive(np.ones(2))
        assert archive.add(np.array([[np.inf, 0.0], [np.nan, 0.0]])).tolist() == [-np.inf] * 2
        assert archive.front.shape == (0, 2)
