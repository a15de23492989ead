"""The packaged surrogate: its card is true, its input is checked, its file is guarded."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from nahas.accuracy import fit
from nahas.accuracy.measurements import read_measurements, read_seeds
from nahas.accuracy.stages import features
from nahas.accuracy.surrogate import (
    card_path,
    load_surrogate,
    packaged_surrogate,
    packaged_weights,
    read_card,
    schema,
)
from nahas.errors import AccuracyError
from nahas.spaces.mnasnet import network_space

WEIGHTS = packaged_weights("mnasnet")
ACCEL_NASBENCH = "data/accel-nasbench"
MLP = {"kendall": 0.888, "rmse_pp": 0.55}
"""What a plain 64x64 perceptron reached on the test ids elsewhere: the bar to beat."""


@pytest.fixture(scope="module")
def surrogate():
    return packaged_surrogate("mnasnet")


@pytest.fixture(scope="module")
def card():
    return read_card(card_path(WEIGHTS))


@pytest.fixture
def copy(tmp_path):
    for path in (WEIGHTS, card_path(WEIGHTS)):
        shutil.copy(path, tmp_path / path.name)
    return tmp_path / WEIGHTS.name


@pytest.fixture(scope="module")
def measured(shared):
    return read_measurements(shared / ACCEL_NASBENCH)


@pytest.mark.parametrize("part", ["val", "test"])
def test_the_card_holds_what_the_weights_reach(surrogate, card, measured, part):
    errors = fit.agreement(surrogate.accuracy, *measured.part(part))
    claimed = card["held_out"]["surrogate"][part]
    assert errors == pytest.approx(claimed, abs=5e-4)
    assert errors["kendall"] > MLP["kendall"]
    assert errors["rmse_pp"] < MLP["rmse_pp"]


@pytest.mark.parametrize("part", ["val", "test"])
def test_the_card_claims_more_than_its_own_plain_predictors(card, part):
    held_out = {name: errors[part] for name, errors in card["held_out"].items()}
    for plain in ("mlp_64x64", "ridge"):
        assert held_out["surrogate"]["kendall"] > held_out[plain]["kendall"] + 0.02
        assert held_out["surrogate"]["rmse_pp"] < held_out[plain]["rmse_pp"] - 0.1


def test_the_support_is_the_train_part_and_nothing_else(surrogate, card, measured):
    np.testing.assert_array_equal(surrogate.support, measured.part("train")[0])
    assert card["data_sha256"] == measured.sha256
    assert card["also_in_train"] == {part: measured.repeated(part) for part in ("val", "test")}


def test_the_mean_over_seeds_is_predicted_better_than_one_seed_tells_it(surrogate, card, shared):
    choices, top1 = read_seeds(shared / ACCEL_NASBENCH)
    errors = fit.agreement(surrogate.accuracy, choices, top1.mean(axis=0))
    assert errors == pytest.approx(card["seeds"]["surrogate_against_mean"], abs=5e-4)
    assert errors["rmse_pp"] < card["seeds"]["rmse_between_seeds_pp"]
    assert surrogate.noise == pytest.approx(card["seeds"]["deviation_pp"], rel=0.1)


def test_predictions_over_the_space_stay_among_the_measured(surrogate, card):
    where = card["range"]
    drawn = network_space().space.sample(4000, np.random.default_rng(11))
    predicted = surrogate.accuracy(drawn)
    assert predicted.min() > where["measured_lowest"] - 1.0
    assert predicted.max() < where["measured_highest"] + 1.0


def test_the_highest_prediction_of_the_space_is_no_wild_one(surrogate, card):
    where = card["range"]
    name = where["space_highest_network"]
    top = network_space().choice_named(name)[None, :]
    assert surrogate.accuracy(top)[0] == pytest.approx(where["space_highest"], abs=1e-6)
    assert where["measured_highest"] < where["space_highest"] < where["measured_highest"] + 1.5
    assert where["space_highest_deviation_pp"] < 0.5


def test_label_says_what_it_is(surrogate):
    assert surrogate.label == fit.LABEL == "ImageNet top-1 % of the 16-epoch recipe, predicted"


def test_a_batch_is_its_rows(surrogate):
    choices = network_space().space.sample(600, np.random.default_rng(4))
    whole = surrogate.accuracy(choices)
    assert whole.shape == (600,)
    assert whole.dtype == np.float64
    alone = [surrogate.accuracy(choices[[i]])[0] for i in (0, 511, 512, 599)]
    np.testing.assert_allclose(whole[[0, 511, 512, 599]], alone, atol=1e-8)
    assert surrogate.accuracy(choices[:0]).shape == (0,)


def test_larger_networks_are_better_ones(surrogate):
    space = network_space().space
    smallest = np.zeros((1, len(space.decisions)), dtype=np.int64)
    largest = space.cardinalities[None, :] - 1
    assert surrogate.accuracy(largest)[0] - surrogate.accuracy(smallest)[0] > 15.0


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        (np.full((1, 28), 3), "index 3 of decision 'block0_e' is outside 0 to 2"),
        (-np.ones((2, 28), dtype=np.int64), "index -1 of decision 'block0_e'"),
        (
            np.zeros((1, 8), dtype=np.int64),
            r"28 decisions, but the choices have shape \(1, 8\)",
        ),
        (np.zeros(28, dtype=np.int64), r"have shape \(28,\)"),
    ],
)
def test_choices_outside_the_space_are_refused(surrogate, choices, message):
    for ask in (surrogate.accuracy, surrogate.deviation):
        with pytest.raises(AccuracyError, match=f"surrogate knows no such network: .*{message}"):
            ask(choices)


def test_sizes_among_the_features_are_those_of_the_networks():
    networks = network_space()
    choices = networks.space.sample(25, np.random.default_rng(8))
    sizes = np.exp(features(choices))
    for row, choice in zip(sizes, choices, strict=True):
        network = networks.network(choice)
        # Batch normalisation, biases and the gates' multiplications are left out.
        assert row[57] == pytest.approx(network.macs, rel=0.01)
        assert row[58] == pytest.approx(network.parameters, rel=0.03)
        assert row[59] == pytest.approx(sum(choice[2::4] + 1))


def test_features_tell_every_two_networks_apart():
    choices = network_space().space.sample(300, np.random.default_rng(2))
    columns = features(choices)
    assert columns.shape == (300, 61)
    assert len(np.unique(columns[:, :43], axis=0)) == len(np.unique(choices, axis=0))


def test_schema_is_what_a_choice_indexes(card):
    decisions = schema(network_space())
    assert list(decisions)[:5] == ["block0_e", "block0_k", "block0_l", "block0_se", "block1_e"]
    assert decisions["block0_e"] == [1, 4, 6]
    assert decisions["block5_l"] == [1, 2, 3, 4]
    assert decisions["block6_se"] == [False, True]
    assert card["decisions"] == decisions


def test_weights_are_small_enough_to_ship():
    assert WEIGHTS.stat().st_size < 200_000


def test_loading_and_predicting_takes_numpy_alone():
    program = """
import sys
import numpy as np
from nahas.accuracy.surrogate import load_surrogate
load_surrogate().accuracy(np.zeros((1, 28), dtype=np.int64))
print([name for name in ("tensorflow", "keras", "scipy", "matplotlib") if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "[]", done.stderr


def test_a_missing_file_is_named(copy):
    copy.with_suffix(".json").unlink()
    sentence = r"mnasnet\.npz: has no card accuracy_mnasnet\.json beside it.*nahas fit-surrogate"
    with pytest.raises(AccuracyError, match=sentence):
        load_surrogate(copy)
    copy.unlink()
    with pytest.raises(AccuracyError, match=r"accuracy_mnasnet\.npz: cannot be read"):
        load_surrogate(copy)


def test_damaged_weights_are_refused(copy):
    content = bytearray(copy.read_bytes())
    content[len(content) // 2] ^= 1
    copy.write_bytes(content)
    with pytest.raises(AccuracyError, match="is damaged, or not the file that accuracy_mnasnet"):
        load_surrogate(copy)


def edit(copy, **changes):
    path = card_path(copy)
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_weights_of_another_form_are_refused(copy):
    import hashlib

    for content in (b"PK", b"no archive"):
        copy.write_bytes(content)
        edit(copy, weights_sha256=hashlib.sha256(content).hexdigest())
        with pytest.raises(AccuracyError, match="is not a surrogate"):
            load_surrogate(copy)
    np.savez(copy, support=np.zeros((1, 28)))
    edit(copy, weights_sha256=hashlib.sha256(copy.read_bytes()).hexdigest())
    with pytest.raises(AccuracyError, match=r"is not a surrogate \(.*weights"):
        load_surrogate(copy)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema_version": 2}, "schema_version is 2, but this nahas reads 1"),
        ({"decisions": {"block0_e": [1, 2]}}, "decisions is not that of this nahas"),
        ({"label": ""}, "label is missing: nobody knows what it predicts"),
        ({"space": "s1"}, "is of space 's1', not 'mnasnet'"),
        ({"features": "pixels"}, "features is 'pixels', but this nahas knows links, stages"),
        ({"weights_sha256": None}, "weights_sha256 is missing"),
        ({"weights_sha256": "0" * 64}, "is damaged"),
    ],
)
def test_a_card_of_something_else_is_refused(copy, changes, message):
    edit(copy, **changes)
    with pytest.raises(AccuracyError, match=message):
        load_surrogate(copy)


@pytest.mark.parametrize("text", ["", "{", "[1]", "\xff"])
def test_what_is_no_card_is_refused(copy, text):
    card_path(copy).write_text(text, encoding="latin-1")
    with pytest.raises(AccuracyError, match="json: is not the card of a surrogate"):
        load_surrogate(copy)
