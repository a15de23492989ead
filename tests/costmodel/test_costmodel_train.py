"""A model is learned to a real threshold, comes out the same twice, and is saved whole."""

import errno
import json
import zipfile
from dataclasses import asdict, replace

import numpy as np
import pytest

from nahas.costmodel import card as cards
from nahas.costmodel.card import card_path, read_card
from nahas.costmodel.model import HEADS, check_output, perceptron, predict_logs
from nahas.costmodel.model import load as load_with_any_simulator
from nahas.costmodel.samples import distinct
from nahas.costmodel.train import Batches, Recipe, errors_of, train
from nahas.energy import Tables, packaged_tables
from nahas.errors import CostModelError

from .fake import fake_costs, tiny_joint

# Keras 3.15 reads TensorFlow's variables in a way that NumPy 2 is going to drop.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

JOINT = tiny_joint()
RECIPE = Recipe(samples=2500, epochs=40, batch=64, learning_rate=8e-3, hidden=(64, 64))


def load(path, joint, tables=None):
    return load_with_any_simulator(path, joint, tables, fake_costs(joint))


@pytest.fixture(scope="module")
def trained():
    told = []
    model = train(
        JOINT,
        RECIPE,
        simulate=fake_costs(JOINT),
        progress=lambda *now: told.append(now),
    )
    return model, told


@pytest.fixture
def saved(trained, tmp_path):
    path = tmp_path / "model.keras"
    trained[0].save(path)
    return path


def test_held_out_designs_are_predicted(trained):
    for part in ("random", "hardware"):
        for head in HEADS:
            errors = trained[0].card.errors[part][head]
            assert errors["mape"] < 5
            assert errors["within_10"] > 90
            assert errors["spearman"] > 0.97
            assert errors["kendall"] > 0.9


def test_the_errors_of_the_card_are_those_of_fresh_designs(trained):
    model, _ = trained
    choices = distinct(JOINT.space, 2000, np.random.default_rng(99))
    costs = fake_costs(JOINT)(choices)
    can_run = costs.reason == 0
    predicted = model.predict(choices[can_run])
    for name in ("latency_ms", "energy_mj", "area_mm2"):
        true = getattr(costs, name)[can_run]
        off = 100 * np.mean(np.abs(getattr(predicted, name) / true - 1))
        assert off == pytest.approx(model.card.errors["random"][f"log_{name}"]["mape"], rel=0.6)


def test_progress_is_told_to_the_end(trained):
    _, told = trained
    assert ("simulating", RECIPE.samples, RECIPE.samples) in told
    assert told[-1] == ("learning", RECIPE.epochs, RECIPE.epochs)


def test_the_card_says_what_was_done(trained):
    card = trained[0].card
    assert card.origin.space == "tiny+accelerator"
    assert card.origin.tables_fingerprint == packaged_tables().fingerprint
    assert (card.seed, card.samples, card.epochs, card.hidden) == (0, 2500, 40, [64, 64])
    assert sum(card.split_sizes.values()) == card.feasible < card.samples
    assert card.objective == "latency"
    assert {"nahas", "keras", "tensorflow", "numpy", "python"} <= set(card.versions)


def test_the_same_seed_gives_the_same_model_whatever_the_global_generators():
    short = replace(RECIPE, samples=300, epochs=2)
    costs = fake_costs(JOINT)
    before = np.random.get_state()[1].copy()  # noqa: NPY002  the global state is what is tested
    first, second = (train(JOINT, short, simulate=costs).card for _ in range(2))
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002  as above
    assert first == second
    other = train(JOINT, replace(short, seed=1), simulate=costs).card
    assert other.weights_sha256 != first.weights_sha256


def test_what_is_saved_predicts_the_same(trained, saved):
    choices = distinct(JOINT.space, 100, np.random.default_rng(5))
    model = load(saved, JOINT)
    assert model.card == trained[0].card
    for name, column in asdict(trained[0].predict(choices)).items():
        assert np.array_equal(getattr(model.predict(choices), name), column)
    assert sorted(path.name for path in saved.parent.iterdir()) == ["model.json", "model.keras"]


def test_an_untrained_model_predicts_in_the_units_of_its_mean():
    mean, deviation = np.array([1.0, -2.0, 5.0]), np.array([0.5, 1.0, 2.0])
    model = perceptron(4, mean, deviation, hidden=(8,))
    assert predict_logs(model, np.zeros((3, 4), np.float32)) == pytest.approx(np.tile(mean, (3, 1)))


def test_another_space_simulator_or_table_is_refused(saved, monkeypatch):
    with pytest.raises(CostModelError, match=r"another space \('tiny\+accelerator', here 'other\+"):
        load(saved, tiny_joint("other"))
    with pytest.raises(CostModelError, match=r"another version of space 'tiny\+accelerator'"):
        load(saved, tiny_joint(kernels=(3, 7)))
    dearer = {key: 2 * value for key, value in packaged_tables().constants.items()}
    with pytest.raises(CostModelError, match=r"another set of energy and area tables"):
        load(saved, JOINT, Tables(packaged_tables().srams, dearer))
    monkeypatch.setattr(cards, "kernel_fingerprint", lambda: "0" * 16)
    with pytest.raises(CostModelError, match=r"version of the simulator's kernels .* train it aga"):
        load(saved, JOINT)


def test_a_simulator_that_gives_other_costs_is_refused(saved):
    def slower(choices):
        costs = fake_costs(JOINT)(choices)
        return replace(costs, latency_ms=costs.latency_ms * 1.001)

    with pytest.raises(CostModelError, match=r"another simulator: the costs of fixed designs"):
        load_with_any_simulator(saved, JOINT, None, slower)


def test_a_model_that_the_card_does_not_describe_is_refused(trained, saved):
    content = json.loads(card_path(saved).read_text())
    card_path(saved).write_text(json.dumps(content | {"weights_sha256": "0"}))
    with pytest.raises(CostModelError, match=r"is not the model that .* describes"):
        load(saved, JOINT)


def cut(path):
    path.write_bytes(path.read_bytes()[:1000])


def empty_archive(path):
    with zipfile.ZipFile(path, "w"):
        pass


@pytest.mark.parametrize("damage", [cut, empty_archive, lambda path: path.unlink()])
def test_a_damaged_or_missing_model_is_one_sentence(saved, damage):
    damage(saved)
    with pytest.raises(CostModelError, match=r"model.keras: cannot be read as") as refused:
        load(saved, JOINT)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not the card of a cost model"),
        ("[]", r":schema_version is None, but this nahas reads 1"),
        ('{"schema_version": 2}', r":schema_version is 2, but this nahas reads 1"),
        ('{"schema_version": 1}', r"keys missing or unknown: \['epochs', 'errors'"),
    ],
)
def test_a_damaged_card_is_one_sentence(tmp_path, content, message):
    path = tmp_path / "card.json"
    path.write_text(content)
    with pytest.raises(CostModelError, match=message):
        read_card(path)


def test_a_missing_card_and_an_incomplete_origin_are_refused(saved):
    path = card_path(saved)
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"origin": {"space": "x"}}))
    with pytest.raises(CostModelError, match=r":origin is incomplete"):
        load(saved, JOINT)
    path.write_text(json.dumps(content | {"objective": "speed"}))
    with pytest.raises(CostModelError, match=r":objective is unknown: 'speed'"):
        load(saved, JOINT)
    path.unlink()
    with pytest.raises(CostModelError, match=r"model.json: cannot be read \(No such file"):
        load(saved, JOINT)


def test_a_full_disk_keeps_the_old_model(trained, saved, monkeypatch):
    before = saved.read_bytes()

    def full(path):
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    broken = replace(trained[0], keras_model=type("Model", (), {"save": staticmethod(full)}))
    with pytest.raises(CostModelError, match="No space left on device"):
        broken.save(saved)
    assert saved.read_bytes() == before
    assert sorted(path.name for path in saved.parent.iterdir()) == ["model.json", "model.keras"]


def test_where_a_model_cannot_go_is_said_before_the_work(tmp_path):
    check_output(tmp_path / "new.keras")
    with pytest.raises(CostModelError, match=r"must end in \.keras"):
        check_output(tmp_path / "new.h5")
    with pytest.raises(CostModelError, match="its folder is not there"):
        check_output(tmp_path / "none" / "new.keras")
    (tmp_path / "old.keras").touch()
    with pytest.raises(CostModelError, match=r"is there already; .* --force"):
        check_output(tmp_path / "old.keras")
    check_output(tmp_path / "old.keras", replace=True)


def test_errors_are_what_they_are_called():
    true = np.log([1.0, 2.0, 4.0, 8.0])
    off = np.log([1.05, 0.8, 1.0, 1.0])
    errors = errors_of(true + off, true)
    assert errors["mape"] == pytest.approx(100 * (0.05 + 0.2) / 4)
    assert errors["within_10"] == 75
    assert errors["spearman"] == errors["kendall"] == pytest.approx(1)
    swapped = errors_of(true[[1, 0, 2, 3]], true)
    assert swapped["kendall"] == pytest.approx(4 / 6)
    assert swapped["spearman"] == pytest.approx(0.8)
    assert errors_of(np.ones(3), np.arange(3.0))["kendall"] is None


def test_an_epoch_visits_rows_once_in_a_new_order():
    inputs = np.arange(10, dtype=np.float32)[:, None]
    logs = np.repeat(np.arange(10.0)[:, None], 3, axis=1)
    batches = Batches(inputs, logs, 3, np.random.default_rng(0))
    epochs = []
    for _ in range(2):
        steps = list(batches.epoch())
        assert len(steps) == len(batches) == 3
        for rows, targets in steps:
            assert all(np.array_equal(targets[head], rows) for head in HEADS)
        epochs.append(np.concatenate([rows[:, 0] for rows, _ in steps]))
        assert len(set(epochs[-1])) == 9
    assert not np.array_equal(*epochs)
    assert len(Batches(inputs, logs, 64, np.random.default_rng(0))) == 1
