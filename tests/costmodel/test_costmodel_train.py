"""A model is learned to a real threshold, comes out the same twice, and is saved whole."""

import errno
import json
import zipfile
from dataclasses import asdict, replace

import numpy as np
import pytest

from nahas.costmodel import origin as origins
from nahas.costmodel.card import card_path, read_card
from nahas.costmodel.model import check_output
from nahas.costmodel.model import load as load_with_any_simulator
from nahas.costmodel.perceptron import HEADS
from nahas.costmodel.recipe import Recipe
from nahas.costmodel.samples import draw
from nahas.costmodel.train import train
from nahas.energy import Tables, packaged_tables
from nahas.errors import CostModelError
from nahas.vocabulary import Objective

from .fake import fake_costs, tiny_joint

# Keras 3.15 reads TensorFlow's variables in a way that NumPy 2 is going to drop.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

JOINT = tiny_joint()
RECIPE = Recipe(samples=4000, epochs=40, batch=64, learning_rate=8e-3, hidden=(64, 64))


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
    errors = trained[0].card.errors
    for part in ("random", "hardware"):
        for head in HEADS:
            of_head = errors[part][head]
            assert of_head["mape"] < 5
            assert of_head["within_10"] > 90
            assert of_head["spearman"] > 0.97
            assert of_head["kendall"] > 0.88
        assert errors[part]["validity"]["auc"] > 0.99
    # A whole one of five networks is held out: the order is right, the size cannot be known.
    assert errors["networks"]["log_latency_ms"]["kendall"] > 0.9


def test_the_errors_of_the_card_are_those_of_fresh_designs(trained):
    model, _ = trained
    choices = draw(JOINT, 2000, np.random.default_rng(99)).astype(np.int64)
    costs = fake_costs(JOINT)(choices)
    can_run = costs.reason == 0
    predicted = model.predict(choices[can_run])
    for name in ("latency_ms", "energy_mj", "area_mm2"):
        true = getattr(costs, name)[can_run]
        off = 100 * np.mean(np.abs(getattr(predicted, name) / true - 1))
        errors = [part[f"log_{name}"]["mape"] for part in model.card.errors.values()]
        assert min(errors) / 2 < off < max(errors)


def test_progress_is_told_to_the_end(trained):
    _, told = trained
    assert ("simulating", RECIPE.samples, RECIPE.samples, "") in told
    what, done, total, note = told[-1]
    assert (what, done, total) == ("learning", RECIPE.epochs, RECIPE.epochs)
    assert note.startswith("validation MAPE: latency ")


def test_the_card_says_what_was_done(trained):
    card = trained[0].card
    assert card.origin.space == "tiny+accelerator"
    assert card.origin.tables_fingerprint == packaged_tables().fingerprint
    assert (card.space, card.origin.hardware_space) == ("tiny", "paper")
    made = {name: card.recipe[name] for name in ("seed", "samples", "epochs", "hidden")}
    assert made == {"seed": 0, "samples": 4000, "epochs": 40, "hidden": [64, 64]}
    assert sum(card.split_sizes.values()) <= card.samples > card.feasible
    assert card.objective is Objective.LATENCY
    assert card.validity == "learned"
    assert len(card.worst) == 20
    (best,) = card.best_epochs
    assert 1 < best["epoch"] <= 40
    assert set(card.calibration) == {decision.name for decision in JOINT.accelerator.decisions}
    assert {"nahas", "keras", "tensorflow", "numpy", "python"} <= set(card.versions)


def test_the_same_seed_gives_the_same_model_whatever_the_global_generators():
    short = replace(RECIPE, samples=600, epochs=2)
    costs = fake_costs(JOINT)
    before = np.random.get_state()[1].copy()  # noqa: NPY002  the global state is what is tested
    first, second = (train(JOINT, short, simulate=costs).card for _ in range(2))
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002  as above
    assert first == second
    other = train(JOINT, replace(short, seed=1), simulate=costs).card
    assert other.weights_sha256 != first.weights_sha256


def test_what_is_saved_predicts_the_same(trained, saved):
    choices = draw(JOINT, 100, np.random.default_rng(5)).astype(np.int64)
    model = load(saved, JOINT)
    assert model.card == trained[0].card
    for name, column in asdict(trained[0].predict(choices)).items():
        assert np.array_equal(getattr(model.predict(choices), name), column)
    assert sorted(path.name for path in saved.parent.iterdir()) == ["model.json", "model.keras"]


def test_another_space_simulator_or_table_is_refused(saved, monkeypatch):
    with pytest.raises(CostModelError, match=r"another space \('tiny\+accelerator', here 'other\+"):
        load(saved, tiny_joint("other"))
    with pytest.raises(CostModelError, match=r"another version of space 'tiny\+accelerator'"):
        load(saved, tiny_joint(kernels=(3, 7)))
    dearer = {key: 2 * value for key, value in packaged_tables().constants.items()}
    with pytest.raises(CostModelError, match=r"another set of energy and area tables"):
        load(saved, JOINT, Tables(packaged_tables().srams, dearer))
    monkeypatch.setattr(origins, "kernel_fingerprint", lambda: "0" * 16)
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


def test_a_model_whose_layers_were_changed_is_refused(saved):
    with zipfile.ZipFile(saved) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}

    def doubled(part):
        return part | {"scale": 2 * part["scale"]} if "scale" in part else part

    content["config.json"] = json.dumps(json.loads(content["config.json"], object_hook=doubled))
    with zipfile.ZipFile(saved, "w") as archive:
        for name, text in content.items():
            archive.writestr(name, text)
    with pytest.raises(CostModelError, match=r"is not the model that .* describes"):
        load(saved, JOINT)


def test_a_model_of_layers_is_told_as_one(saved):
    card_path(saved).write_text(json.dumps({"schema_version": 1, "level": "layer"}))
    with pytest.raises(CostModelError, match="is the card of a model of layers, but one of design"):
        load(saved, JOINT)


@pytest.mark.parametrize("members", [1, 2])
def test_equal_models_have_equal_hashes_also_when_read_again(tmp_path, members):
    hashes = set()
    for name in ("a.keras", "b.keras"):
        recipe = replace(RECIPE, samples=600, epochs=1, members=members, dropout=0.1)
        model = train(JOINT, recipe, simulate=fake_costs(JOINT))
        model.save(tmp_path / name)
        hashes |= {model.card.weights_sha256, load(tmp_path / name, JOINT).card.weights_sha256}
    assert len(hashes) == 1


def cut(path):
    path.write_bytes(path.read_bytes()[:1000])


def empty_archive(path):
    with zipfile.ZipFile(path, "w"):
        pass


def layers_of_numbers(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", '{"class_name": 1, "config": 2, "module": 3}')
        archive.writestr("metadata.json", "{}")


@pytest.mark.parametrize(
    "damage", [cut, empty_archive, layers_of_numbers, lambda path: path.unlink()]
)
def test_a_damaged_or_missing_model_is_one_sentence(saved, damage):
    damage(saved)
    with pytest.raises(
        CostModelError, match=r"model.keras: (cannot be read as|is not there)"
    ) as refused:
        load(saved, JOINT)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not the card of a cost model"),
        ("[]", r"is not the card of a cost model \(it holds no object\)"),
        ("{}", r"has no schema_version, but this nahas reads schema_version 3"),
        ('{"schema_version": 1}', r":schema_version is 1, but this nahas reads 3"),
        ('{"schema_version": 3}', r"keys missing or unknown: \['best_epochs', 'calibration'"),
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
    path.write_text(json.dumps(content | {"recipe": {"objective": "speed"}}))
    with pytest.raises(CostModelError, match=r":recipe.objective is unknown: 'speed'"):
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
