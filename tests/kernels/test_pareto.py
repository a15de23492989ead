"""The front and the hypervolume, against moocore and against the obvious programs."""

import moocore
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nahas.kernels import pareto
from nahas.kernels.pareto import hypervolume, nondominated

# Few distinct values, so that ties and equal points are common.
clouds = st.integers(2, 3).flatmap(
    lambda m: st.integers(0, 24).flatmap(
        lambda n: arrays(np.float64, (n, m), elements=st.integers(0, 6).map(float))
    )
)


@pytest.fixture(params=["compiled", "plain"], autouse=True)
def mode(request, monkeypatch):
    """Every test runs the kernels compiled and as plain Python."""
    if request.param == "plain":
        for name in ("_mark_front", "_volume"):
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
    return sum(any((p <= corner).all() for p in points) for corner in corners)


class TestNondominated:
    @pytest.mark.filterwarnings("ignore")
    def test_agrees_with_moocore(self):
        rng = np.random.default_rng(0)
        for m in (2, 3):
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
            reference = np.full(points.shape[1], 6.0)
            expected = counted_volume(points, reference)
            assert hypervolume(points, reference) == pytest.approx(expected)

        check()

    def test_agrees_with_moocore(self):
        rng = np.random.default_rng(1)
        for m in (2, 3):
            points = rng.random((200, m))
            reference = np.full(m, 0.9)
            expected = moocore.hypervolume(points, ref=reference)
            assert hypervolume(points, reference) == pytest.approx(expected, rel=1e-12)

    def test_of_a_point_no_better_than_the_reference_is_zero(self):
        assert hypervolume(np.array([[1.0, 0.0]]), np.array([1.0, 1.0])) == 0.0

    def test_never_shrinks_when_a_point_is_added(self):
        rng = np.random.default_rng(2)
        points = rng.random((30, 3))
        reference = np.ones(3)
        volumes = [hypervolume(points[:n], reference) for n in range(31)]
        assert (np.diff(volumes) >= 0).all()
        assert volumes[0] == 0.0

    def test_refuses_other_dimensions(self):
        with pytest.raises(ValueError, match=r"expected \[N, 2\]"):
            hypervolume(np.zeros((2, 4)), np.ones(4))
