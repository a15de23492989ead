"""Fitting on a small world: it learns the law, repeats itself, and says honestly how well."""

import json

import numpy as np
import pytest

from nahas.accuracy import fit
from nahas.accuracy.figure import draw
from nahas.accuracy.measurements import read_measurements
from nahas.accuracy.surrogate import load_surrogate
from tests.accuracy.conftest import NOISE, SIZES, law

QUICK = fit.Recipe(first_rows=150, first_steps=25, steps=6)


@pytest.fixture(scope="module")
def fitted(world):
    fit_draws, fit.DRAWS = fit.DRAWS, 500
    told = []
    try:
        return *fit.fit_surrogate(world, QUICK, told.append), told
    finally:
        fit.DRAWS = fit_draws


def test_the_law_is_learnt_better_than_one_measurement_shows_it(fitted, space):
    surrogate, _, _ = fitted
    choices = space.sample(300, np.random.default_rng(99))
    errors = fit.agreement(surrogate.accuracy, choices, law(choices))
    assert errors["kendall"] > 0.9
    assert errors["rmse_pp"] < 0.8
    assert surrogate.noise == pytest.approx(NOISE, rel=0.3)


def test_the_card_compares_with_plain_predictors(fitted):
    held_out = fitted[1]["held_out"]
    assert list(held_out) == ["surrogate", "mlp_64x64", "ridge"]
    for part in ("val", "test"):
        ours = held_out["surrogate"][part]
        for other in ("mlp_64x64", "ridge"):
            assert ours["kendall"] > held_out[other][part]["kendall"]
            assert ours["rmse_pp"] < held_out[other][part]["rmse_pp"]


def test_the_card_says_where_everything_comes_from(fitted):
    _, card, told = fitted
    assert card["licence"] == "Apache-2.0"
    assert card["sizes"] == SIZES
    assert set(card["data_sha256"]) == {"measured.csv.gz", "splits.json"}
    assert card["recipe"]["first_rows"] == QUICK.first_rows
    assert card["command"] == "nahas fit-surrogate --data DIR --seed 0"
    assert card["seeds"] is None  # this world was measured with one seed only
    assert set(card["versions"]) == {"nahas", "python", "numpy", "scipy"}
    assert told[0] == "reading the measurements"


def test_deviations_are_about_as_large_as_errors(fitted, space):
    surrogate, card, _ = fitted
    found = card["calibration"]["val"]
    assert 0.5 < found["within_1"] < 0.9 < found["within_2"]
    assert abs(found["top_tenth_measured_minus_predicted_pp"]) < 1.0
    choices = space.sample(400, np.random.default_rng(98))
    units = (surrogate.accuracy(choices) - law(choices)) / surrogate.deviation(choices)
    assert 0.6 < np.sqrt((units**2).mean()) < 1.6


def test_deviation_is_least_at_measured_networks(fitted, space):
    surrogate, _, _ = fitted
    drawn = space.sample(100, np.random.default_rng(97))
    assert surrogate.deviation(surrogate.support).max() < surrogate.noise
    assert surrogate.deviation(surrogate.support).mean() < surrogate.deviation(drawn).mean()


def test_predictions_do_not_leave_what_was_measured_by_much(fitted):
    where = fitted[1]["range"]
    span = where["measured_highest"] - where["measured_lowest"]
    assert where["drawn_lowest"] > where["measured_lowest"] - 0.2 * span
    assert where["drawn_highest"] <= where["space_highest"] < where["measured_highest"] + 0.2 * span


def test_the_climb_ends_where_no_single_change_helps(fitted, space):
    surrogate, card, _ = fitted
    top = fit.climb(surrogate, space.sample(3, np.random.default_rng(1)))
    value = surrogate.accuracy(top)[0]
    for column, cardinality in enumerate(space.cardinalities):
        near = np.repeat(top, cardinality, axis=0)
        near[:, column] = np.arange(cardinality)
        assert surrogate.accuracy(near).max() <= value
    assert card["range"]["space_highest"] >= value - 1e-9


def test_the_held_out_parts_do_not_touch_the_fit(world, fitted):
    measured = read_measurements(world)
    for part in ("val", "test"):
        measured.accuracy[measured.parts[part]] = 0.0
    again = fit.fit(measured, QUICK, lambda _: None)
    np.testing.assert_array_equal(again.weights, fitted[0].weights)


def test_saving_keeps_every_bit_and_the_same_fit_is_the_same_file(fitted, tmp_path, space):
    surrogate, card, _ = fitted
    written = fit.save_surrogate(surrogate, card, tmp_path / "a.npz")
    fit.save_surrogate(surrogate, card, tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert json.loads((tmp_path / "a.json").read_text()) == written
    choices = space.sample(20, np.random.default_rng(5))
    read = load_surrogate(tmp_path / "a.npz")
    np.testing.assert_array_equal(read.accuracy(choices), surrogate.accuracy(choices))
    np.testing.assert_array_equal(read.deviation(choices), surrogate.deviation(choices))


def test_the_figure_is_a_png(fitted, world, tmp_path):
    draw(fitted[0], read_measurements(world), tmp_path / "made" / "figure.png")
    assert (tmp_path / "made" / "figure.png").read_bytes().startswith(b"\x89PNG")


def test_measures_are_those_of_the_textbook():
    found = fit.compare(np.array([1.0, 2.0, 4.0, 3.0]), np.array([1.0, 2.0, 3.0, 4.0]))
    assert found["kendall"] == pytest.approx(4 / 6)
    assert found["spearman"] == pytest.approx(0.8)
    assert found["rmse_pp"] == pytest.approx(np.sqrt(0.5))
    assert found["mae_pp"] == pytest.approx(0.5)


def test_seeds_tell_what_one_measurement_is_worth(fitted, world, tmp_path, space, monkeypatch):
    surrogate = fitted[0]
    rng = np.random.default_rng(2)
    choices = space.sample(200, rng)
    top1 = law(choices) + rng.normal(0.0, NOISE, (3, 200))
    monkeypatch.setattr(fit, "read_seeds", lambda _: (choices, top1))
    found = fit._seeds(tmp_path, surrogate)
    assert found["deviation_pp"] == pytest.approx(NOISE, rel=0.15)
    assert found["rmse_between_seeds_pp"] == pytest.approx(NOISE * np.sqrt(2), rel=0.15)
    one = fit.agreement(surrogate.accuracy, choices, top1[0])
    assert found["surrogate_against_mean"]["rmse_pp"] < one["rmse_pp"]
