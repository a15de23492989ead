"""Training of shared weights: what is drawn, that it learns, that it resumes, what it refuses."""

import csv
import json

import numpy as np
import pytest

from nahas.accuracy.oneshot import OneShotAccuracy
from nahas.children.data import Images, in_memory, open_dataset
from nahas.children.operations import operations
from nahas.children.supernet import Supernet, SupernetRecipe
from nahas.children.supernet_files import CHECKPOINT, WEIGHTS, SupernetFolder, load_supernet
from nahas.children.train_supernet import SupernetRun, train_supernet
from nahas.controllers.generator import generator_array, set_generator
from nahas.errors import AccuracyError, DataError, TrainingError
from tests.children.tiny_space import tiny_space

RECIPE = SupernetRecipe(epochs=2, batch=8, optimizer="sgd", learning_rate=1.0, augment=False)


def stripes(classes=2):
    """Images of noise, with a bright half that tells the class."""
    rng = np.random.default_rng(0)

    def images(count):
        labels = np.arange(count) % classes
        pixels = rng.integers(0, 100, (count, 8, 8, 1))
        for i, label in enumerate(labels):
            pixels[i, :, label * 4 : label * 4 + 4] += 120
        return Images(pixels.astype(np.uint8), labels.astype(np.int64))

    parts = {"train": images(32), "validation": images(16), "test": images(8)}
    return in_memory("stripes", parts)


def trained(recipe=RECIPE, dataset=None, **how):
    """A card and the supernet that it is of."""
    dataset = dataset or stripes()
    supernet = Supernet.new(tiny_space(), dataset.task, seed=recipe.seed)
    return train_supernet(supernet, dataset, recipe, **how), supernet


def test_a_whole_weight_and_a_slice_of_it_have_gradients_of_their_own():
    on = operations()
    variable = on.variable(np.ones(2, np.float32))

    def forward():
        whole, slice_ = on.cut(variable, (2,)), on.cut(variable, (1,))
        return whole[0] + whole[1] + slice_[0], [whole, slice_]

    _, _, gradients = on.gradients(forward)
    assert [on.array(gradient).tolist() for gradient in gradients] == [[1.0, 1.0], [1.0]]


class Draws:
    """A policy that counts its lessons."""

    def __init__(self):
        self.fractions = 0
        self.rng = np.random.default_rng(0)

    def sample(self):
        return tiny_space().space.sample(1, self.rng)[0]

    def learn(self, accuracy):
        assert 0 <= accuracy(self.sample()) <= 100
        self.fractions += 1

    def row(self):
        return {"lessons": self.fractions}

    def summary(self):
        return {"lessons": self.fractions}

    def state(self):
        return {"lessons": np.array(self.fractions), "rng": generator_array(self.rng)}

    def restore(self, state):
        self.fractions = int(state["lessons"])
        set_generator(self.rng, state["rng"])


class TestWarmUp:
    supernet = Supernet.new(tiny_space(), stripes().task)
    narrow = np.zeros(6, np.int64)

    def test_without_it_every_link_runs_with_what_was_drawn(self):
        rng = np.random.default_rng(0)
        mixture = self.supernet.warmed(self.narrow, rng, operations=0.0, filters=0.0)
        assert mixture == self.supernet.mixture(self.narrow)
        assert mixture[1] == [{"e0": 1, "k0": 3, "f0": 12}]

    def test_of_filters_takes_the_largest_widths_and_leaves_operations(self):
        rng = np.random.default_rng(0)
        mixture = self.supernet.warmed(self.narrow, rng, operations=0.0, filters=1.0)
        assert mixture[1:3] == [[{"e0": 3, "k0": 3, "f0": 24}], [{"e1": 3, "k1": 3, "f1": 24}]]

    def test_of_operations_runs_all_of_them_the_drawn_one_first(self):
        rng = np.random.default_rng(0)
        mixture = self.supernet.warmed(self.narrow + 1, rng, operations=1.0, filters=0.0)
        assert [own["k0"] for own in mixture[1]] == [5, 3]
        assert mixture[0] == [{}]

    def test_happens_as_often_as_it_is_asked_to(self):
        rng = np.random.default_rng(0)
        drawn = [
            self.supernet.warmed(self.narrow, rng, operations=0.3, filters=0.6) for _ in range(400)
        ]
        assert np.mean([len(mixture[1]) == 2 for mixture in drawn]) == pytest.approx(0.3, abs=0.07)
        wide = [mixture[2][0]["e1"] == 3 for mixture in drawn]
        assert np.mean(wide) == pytest.approx(0.6, abs=0.07)

    def test_a_mixture_is_the_mean_of_its_operations(self):
        dataset = stripes()
        supernet = Supernet.new(tiny_space(), dataset.task)
        batch = next(iter(dataset.batches("train", batch=8)))
        mixture = supernet.warmed(
            self.narrow, np.random.default_rng(0), operations=1.0, filters=0.0
        )
        names = supernet.weights.variables
        before = {name: supernet.weights.on.array(names[name]) for name in names}
        loss = supernet.step(batch, mixture, RECIPE.rates(0.5), 0.1)
        after = supernet.weights.arrays()
        assert np.isfinite(loss)
        for kernel in (3, 5):  # both learn
            name = f"01.depthwise0.depthwise{kernel}.kernel"
            assert (before[name] != after[name]).any()


class TestRates:
    def test_rise_then_fall_to_nothing(self):
        recipe = SupernetRecipe(batch=512, learning_rate=0.1, warm_up=0.1)
        rates = [recipe.rates(share).rate for share in (0.0, 0.05, 0.1, 0.55, 1.0)]
        assert rates == pytest.approx([0.0, 0.1, 0.2, 0.1, 0.0], abs=1e-3)

    @pytest.mark.parametrize(
        ("name", "value"),
        [("epochs", 0), ("learning_rate", 0.0), ("optimizer", "adam"), ("policy_start", 1.5)],
    )
    def test_refuses_what_no_training_can_have(self, name, value):
        with pytest.raises(TrainingError, match=f"supernet: {name} is {value!r}, but it must be"):
            SupernetRecipe(**{name: value})


class TestTraining:
    def test_resumes_to_the_same_weights(self, tmp_path):
        dataset = stripes()
        whole, supernet = trained(policy=Draws(), run=SupernetRun(folder=tmp_path / "whole"))

        class Killed(Draws):
            def row(self):
                if self.fractions > 2:  # in the second epoch
                    raise KeyboardInterrupt
                return super().row()

        broken = SupernetRun(folder=tmp_path / "broken")
        with pytest.raises(KeyboardInterrupt):
            trained(policy=Killed(), run=broken)
        assert (tmp_path / "broken" / CHECKPOINT).exists()
        with pytest.raises(TrainingError, match="go on with --resume"):
            trained(policy=Draws(), run=broken)
        run = SupernetRun(folder=tmp_path / "broken", resume=True)
        resumed, other = trained(policy=Draws(), run=run)
        assert resumed.weights_sha256 == whole.weights_sha256
        assert resumed.policy == whole.policy == {"lessons": 6}
        assert supernet.weights.arrays().keys() == other.weights.arrays().keys()
        rows = list(csv.DictReader((tmp_path / "broken" / "supernet.csv").read_text().splitlines()))
        assert [row["epoch"] for row in rows] == ["1", "2"]
        another = SupernetRecipe(epochs=3, batch=8)
        with pytest.raises(TrainingError, match="holds a training with epochs 2, but here it is 3"):
            trained(another, dataset, run=run)

    def test_a_policy_begins_after_its_share_of_the_steps(self):
        draws = Draws()
        trained(policy=draws)
        assert draws.fractions == 6  # of eight steps

    def test_a_time_limit_ends_it_with_weights(self, tmp_path):
        run = SupernetRun(folder=tmp_path, time_limit_s=1e-9)
        card, _ = trained(run=run)
        assert (card.stop, card.epochs, card.steps) == ("time limit", 0, 1)
        assert (tmp_path / WEIGHTS).exists()
        assert not (tmp_path / CHECKPOINT).exists()

    def test_a_loss_that_is_not_finite_ends_it(self, tmp_path):
        recipe = SupernetRecipe(epochs=2, batch=8, optimizer="sgd", learning_rate=1e30)
        with pytest.raises(TrainingError, match=r"(loss is (nan|inf)|not finite)"):
            trained(recipe, run=SupernetRun(folder=tmp_path))
        assert not (tmp_path / WEIGHTS).exists()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder of a small training."""
    folder = tmp_path_factory.mktemp("supernet")
    trained(run=SupernetRun(folder=folder))
    return folder


class TestFiles:
    def test_measures_as_the_supernet_itself(self, folder):
        dataset, space = stripes(), tiny_space()
        backend = OneShotAccuracy(space, folder / WEIGHTS, dataset)
        choices = space.space.sample(3, np.random.default_rng(0))
        supernet, _ = load_supernet(folder / WEIGHTS, space, dataset.task)
        batches = list(dataset.batches("validation", batch=8, shuffle=True))
        expected = [supernet.accuracy(choice, batches) for choice in choices]
        assert backend.accuracy(choices).tolist() == expected
        assert "shared weights (not trained alone)" in backend.label
        again = OneShotAccuracy(space, folder / WEIGHTS, dataset)
        fewer = OneShotAccuracy(space, folder / WEIGHTS, dataset, images=8)
        assert again.identity == backend.identity != fewer.identity
        with pytest.raises(AccuracyError, match="the supernet has no such network"):
            backend.accuracy(choices + 5)

    def test_a_finished_training_is_not_to_be_resumed(self, folder):
        with pytest.raises(TrainingError, match="is finished; begin anew with --force, or name"):
            SupernetFolder(folder, {}).check(resume=False, replace=False)
        SupernetFolder(folder, {}).check(resume=False, replace=True)

    def test_refuses_another_space_and_another_task(self, folder):
        with pytest.raises(TrainingError, match="holds weights for space tiny, but here it is"):
            load_supernet(folder / WEIGHTS, tiny_space("other"), stripes().task)
        with pytest.raises(TrainingError, match="holds weights for task"):
            load_supernet(
                folder / WEIGHTS,
                tiny_space(),
                stripes(classes=1 + 1).task.__class__(height=8, width=8, channels=1, classes=3),
            )

    def test_refuses_what_is_damaged(self, folder, tmp_path):
        task = stripes().task
        with pytest.raises(TrainingError, match=r"supernet\.npz: is not there"):
            load_supernet(tmp_path / WEIGHTS, tiny_space(), task)
        (tmp_path / WEIGHTS).touch()
        with pytest.raises(TrainingError, match=r"has no card supernet\.json beside it"):
            load_supernet(tmp_path / WEIGHTS, tiny_space(), task)
        (tmp_path / "supernet.json").touch()
        with pytest.raises(TrainingError, match=r"supernet\.json: cannot be read"):
            load_supernet(tmp_path / WEIGHTS, tiny_space(), task)
        for name in (WEIGHTS, "supernet.json"):
            (tmp_path / name).write_bytes((folder / name).read_bytes())
        card = json.loads((tmp_path / "supernet.json").read_text())
        for field, value in (("weights_sha256", "0"), ("schema_version", 9)):
            (tmp_path / "supernet.json").write_text(json.dumps({**card, field: value}))
            with pytest.raises(TrainingError, match=r"(other weights|has version 9)"):
                load_supernet(tmp_path / WEIGHTS, tiny_space(), task)


def test_learns_fashion_mnist():
    try:
        dataset = open_dataset("fashion-mnist", limit=1500)
    except DataError as missing:
        pytest.skip(str(missing))
    recipe = SupernetRecipe(epochs=3, batch=32, optimizer="sgd", learning_rate=1.5, augment=False)
    card, _ = trained(recipe, dataset)
    # Networks drawn at random, with shared weights; a guess is right in 10 %.
    assert card.validation_percent > 35
