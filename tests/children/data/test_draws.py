from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
from hypothesis import given

from nahas.children.data.draws import epoch_draws, stratified_order
from nahas.children.data.source import Division

labels_of = st.lists(st.integers(0, 4), min_size=20, max_size=200).map(np.array)
divisions = st.builds(Division, seed=st.integers(0, 2**32), validation=st.floats(0.05, 0.45))


def test_draws_are_the_same_in_every_version_and_on_every_platform() -> None:
    draws = epoch_draws(8, seed=3, epoch=2)
    assert draws.order.tolist() == [4, 0, 5, 3, 7, 6, 1, 2]
    assert np.round(draws.uniform[0], 6).tolist() == [0.030042, 0.183256, 0.010814, 0.970457]
    assert draws.flipped.tolist() == [True, False, True, False, True, False, True, True]
    assert stratified_order(np.array([0, 1] * 4), seed=5).tolist() == [7, 4, 3, 6, 5, 2, 0, 1]


def test_epochs_and_seeds_draw_differently() -> None:
    orders = {
        tuple(epoch_draws(50, seed=seed, epoch=epoch).order) for seed in (0, 1) for epoch in (0, 1)
    }
    assert len(orders) == 4


def test_uniform_numbers_are_spread_and_half_of_the_images_is_mirrored() -> None:
    draws = epoch_draws(20_000, seed=0, epoch=0)
    np.testing.assert_allclose(draws.uniform.mean(axis=0), 0.5, atol=0.01)
    assert abs(draws.flipped.mean() - 0.5) < 0.01


@given(labels_of, st.integers(0, 2**32), st.data())
def test_every_run_of_a_stratified_order_holds_the_classes_in_proportion(
    labels: np.ndarray, seed: int, data: st.DataObject
) -> None:
    order = stratified_order(labels, seed=seed)
    assert sorted(order) == list(range(len(labels)))
    start = data.draw(st.integers(0, len(labels)))
    stop = data.draw(st.integers(start, len(labels)))
    run = np.bincount(labels[order[start:stop]], minlength=5)
    share = np.bincount(labels, minlength=5) * (stop - start) / len(labels)
    # At either end half an image of rounding, and at most as many ties as there are classes.
    assert np.abs(run - share).max() <= 3


@given(labels_of, labels_of | st.none(), divisions)
def test_parts_are_disjoint_and_together_all(
    labels: np.ndarray, tested: np.ndarray | None, division: Division
) -> None:
    rows = division.rows(labels, {} if tested is None else {"test": tested})
    own = [rows["train"], rows["validation"]] + ([rows["test"]] if tested is None else [])
    assert sorted(np.concatenate(own)) == list(range(len(labels)))
    assert len(rows["validation"]) == round(division.validation * len(labels))
    if tested is not None:
        assert sorted(rows["test"]) == list(range(len(tested)))


@given(labels_of, labels_of | st.none(), divisions, st.integers(2, 300))
def test_parts_of_a_limit_lie_in_the_parts_without_one(
    labels: np.ndarray, tested: np.ndarray | None, division: Division, limit: int
) -> None:
    limited = Division(seed=division.seed, validation=division.validation, limit=limit)
    given_parts = {} if tested is None else {"test": tested}
    few, all_rows = limited.rows(labels, given_parts), division.rows(labels, given_parts)
    for part, rows in few.items():
        assert set(rows) <= set(all_rows[part])
    assert len(few["train"]) + len(few["validation"]) <= limit
    assert len(few["test"]) <= limit
