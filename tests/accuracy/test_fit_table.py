"""Surrogates of any space: what they learn from a table, and what they say of themselves."""

import json
from dataclasses import replace

import numpy as np
import pytest

from nahas.accuracy import surrogate as surrogates
from nahas.accuracy.features import LinkFeatures
from nahas.accuracy.fit import compare, save_surrogate
from nahas.accuracy.fit_table import LEAST, fit_table
from nahas.accuracy.gaussian import Process, condition, covariance, left_out
from nahas.accuracy.measured import Measured, TableCard, append_measured, read_measured
from nahas.accuracy.surrogate import load_surrogate, read_card
from nahas.accuracy.table import load_table
from nahas.errors import AccuracyError
from nahas.spaces.named import NAMES, named

NOISE = 0.4
MEASURED = 90
WHAT = "cifar10 top-1 % of the 4-epoch proxy at 32 px"


def law(space, choices):
    """An accuracy [B] that grows with size and likes some kernels and places."""
    columns = LinkFeatures(space)(choices)
    macs = columns[:, -3]
    wavy = np.sin(choices @ np.linspace(0.0, 1.0, choices.shape[1]))
    return 70.0 + 20.0 * (macs - macs.mean()) + 0.5 * wavy


def written(path, space, choices, accuracy):
    names = [space.network_name(space.space.values(choice)) for choice in choices]
    rows = [Measured(network=n, accuracy_percent=a) for n, a in zip(names, accuracy, strict=True)]
    failed = Measured(network=names[0], accuracy_percent=np.nan, seed=1, reason="not finite")
    append_measured(path, TableCard(space=space.name, accuracy=WHAT), [*rows, failed])
    return read_measured(path)


@pytest.fixture(scope="module")
def s1():
    return named("s1")


@pytest.fixture(scope="module")
def world(s1):
    rng = np.random.default_rng(3)
    choices = s1.space.sample(MEASURED + 300, rng)
    accuracy = law(s1, choices)
    return choices, accuracy, accuracy + rng.normal(0.0, NOISE, len(accuracy))


@pytest.fixture(scope="module")
def table(s1, world, tmp_path_factory):
    choices, _, noisy = world
    path = tmp_path_factory.mktemp("s1") / "s1.csv"
    return written(path, s1, choices[:MEASURED], noisy[:MEASURED])


@pytest.fixture(scope="module")
def fitted(table, s1):
    return fit_table(table, s1)


class TestFit:
    def test_new_networks_are_predicted_as_the_card_promises(self, fitted, world):
        surrogate, card = fitted
        choices, true, noisy = (part[MEASURED:] for part in world)
        errors = compare(surrogate.accuracy(choices), noisy)
        promised = card["held_out"]["surrogate"]["left_out"]
        assert errors["kendall"] > 0.75
        assert errors["kendall"] == pytest.approx(promised["kendall"], abs=0.05)
        assert errors["rmse_pp"] == pytest.approx(promised["rmse_pp"], rel=0.3)
        units = (surrogate.accuracy(choices) - true) / surrogate.deviation(choices)
        assert 0.6 < np.sqrt((units**2).mean()) < 1.6

    def test_the_card_says_of_what_it_is(self, fitted, table):
        surrogate, card = fitted
        assert card["label"] == surrogate.label == f"{WHAT}, predicted"
        assert (card["networks"], card["failed"], card["seeds"]) == (MEASURED, 0, 1)
        assert card["source"]["accuracy"] == WHAT
        assert list(card["data_sha256"]) == [table.path.name]
        assert card["noise_pp"] == pytest.approx(NOISE, rel=0.5)
        plain = card["held_out"]["multiply_accumulates"]["left_out"]
        assert plain.keys() == {"kendall", "spearman"}
        assert card["decisions"] == surrogates.schema(named("s1"))

    def test_nothing_is_known_far_from_what_was_measured(self, fitted, s1):
        surrogate, _ = fitted
        far = np.zeros((1, len(s1.space.decisions)), np.int64)
        drawn = s1.space.sample(200, np.random.default_rng(9))
        known = surrogate.deviation(surrogate.support)
        assert known.max() < surrogate.noise
        assert known.mean() < surrogate.deviation(drawn).mean() < surrogate.deviation(far)[0]
        assert surrogate.deviation(far)[0] <= surrogate.amplitude

    def test_written_and_read_it_says_the_same(self, fitted, s1, tmp_path):
        surrogate, card = fitted
        written_card = save_surrogate(surrogate, card, tmp_path / "s1.npz")
        read = load_surrogate(tmp_path / "s1.npz", s1)
        drawn = s1.space.sample(50, np.random.default_rng(2))
        np.testing.assert_array_equal(read.accuracy(drawn), surrogate.accuracy(drawn))
        assert read.label == surrogate.label
        assert read_card(tmp_path / "s1.json", s1) == json.loads(json.dumps(written_card))
        with pytest.raises(AccuracyError, match="is of space 's1', not 'macro'"):
            load_surrogate(tmp_path / "s1.npz", named("macro"))
        with pytest.raises(AccuracyError, match="knows no such network"):
            read.accuracy(np.zeros((1, 8), np.int64))

    def test_networks_that_are_built_otherwise_since_are_noticed(self, fitted, s1, tmp_path):
        save_surrogate(*fitted, tmp_path / "s1.npz")
        other = replace(s1, links=s1.links[:-2] + s1.links[-1:])
        with pytest.raises(AccuracyError, match="of space 's1' were built otherwise"):
            load_surrogate(tmp_path / "s1.npz", other)


@pytest.mark.parametrize("name", NAMES)
def test_every_space_can_be_learnt(name, tmp_path):
    space = named(name)
    choices = space.space.sample(70, np.random.default_rng(4))
    learnt = written(tmp_path / "t.csv", space, choices[:50], law(space, choices[:50]))
    surrogate, _ = fit_table(learnt, space)
    errors = compare(surrogate.accuracy(choices[50:]), law(space, choices[50:]))
    assert errors["spearman"] > 0.7


def test_what_a_decision_that_does_not_apply_says_is_not_seen():
    space = named("s3-groups")
    choices = space.space.sample(60, np.random.default_rng(5))
    applies = space.applicable(choices)
    assert not applies.all()
    other = np.where(applies, choices, space.space.cardinalities - 1 - choices)
    features = LinkFeatures(space)
    np.testing.assert_array_equal(features(choices), features(other))


def test_left_out_is_what_fitting_without_it_predicts():
    rng = np.random.default_rng(6)
    features, process = rng.normal(size=(25, 3)), Process(np.array([0.3, 0.5, 0.1]), 2.0, 0.3)
    targets = np.sin(features[:, 0]) + rng.normal(0.0, 0.3, 25)
    mean, deviation = left_out(process, features, targets)
    for i in range(25):
        others = np.delete(np.arange(25), i)
        weights = condition(process, features[others], targets[others])
        scaled = features * process.scales
        near = covariance(scaled[[i]], scaled[others], process.amplitude)[0]
        assert mean[i] == pytest.approx(near @ weights, abs=1e-9)
        k = covariance(scaled[others], scaled[others], process.amplitude) + 0.09 * np.eye(24)
        variance = process.amplitude**2 - near @ np.linalg.solve(k, near) + 0.09
        assert deviation[i] == pytest.approx(np.sqrt(variance), abs=1e-9)


def test_a_table_that_nothing_can_be_learnt_from(s1, world, tmp_path):
    choices, _, noisy = world
    few = written(tmp_path / "few.csv", s1, choices[:10], noisy[:10])
    with pytest.raises(AccuracyError, match=f"of 10 networks, but at least {LEAST} are needed"):
        fit_table(few, s1)
    flat = written(tmp_path / "flat.csv", s1, choices[:30], np.full(30, 10.0))
    with pytest.raises(AccuracyError, match="all accuracies of the table are equal"):
        fit_table(flat, s1)
    with pytest.raises(AccuracyError, match="holds networks of space 's1', not 'macro'"):
        fit_table(flat, named("macro"))
    nameless = replace(flat, card=None)
    with pytest.raises(AccuracyError, match=r"'s1:.*' is not a network of space 'macro'"):
        fit_table(nameless, named("macro"))


def test_what_is_left_out_tells_of_new_networks_of_nas_bench_macro(shared, tmp_path):
    path = shared / "data" / "nas-bench-macro" / "nas-bench-macro_cifar10.json"
    if not path.is_file():
        pytest.skip(f"no table at {path}")
    space, true = named("macro"), load_table(path)
    choices = space.space.sample(1120, np.random.default_rng(8))
    known, new = choices[:120], choices[120:]
    surrogate, card = fit_table(
        written(tmp_path / "m.csv", space, known, true.accuracy(known)), space
    )
    errors, promised = compare(surrogate.accuracy(new), true.accuracy(new)), card["held_out"]
    assert errors["kendall"] > 0.82
    assert errors["kendall"] == pytest.approx(
        promised["surrogate"]["left_out"]["kendall"], abs=0.05
    )
    assert errors["kendall"] > promised["multiply_accumulates"]["left_out"]["kendall"] + 0.2
