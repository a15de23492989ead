"""Learning: batches, losses, the schedule, early stopping, resuming, and what is not finite."""

import csv
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from nahas.costmodel.checkpoint import CHECKPOINT, NOT_FINITE, Folder, State, partial_folder
from nahas.costmodel.columns import Blocks, Columns, columns
from nahas.costmodel.features import encoder, width
from nahas.costmodel.learn import seeds
from nahas.costmodel.logs import log_path
from nahas.costmodel.perceptron import HEADS, Normalisation, perceptron
from nahas.costmodel.recipe import Recipe
from nahas.costmodel.schedule import fractions, learning_rates
from nahas.costmodel.step import VALIDITY_SHARE, Learner
from nahas.costmodel.train import Run, labelled, train
from nahas.errors import CostModelError, UsageError

from .fake import fake_costs, tiny_joint

# Keras 3.15 reads TensorFlow's variables in a way that NumPy 2 is going to drop.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

JOINT = tiny_joint()
SIMULATE = fake_costs(JOINT)
RECIPE = Recipe(samples=600, epochs=2, batch=64, hidden=(16, 16), dropout=0.1, steps=3)
TWICE = replace(RECIPE, members=2, epochs=3)
NORMAL = Normalisation(np.array([1.0, 2.0, 3.0]), np.array([0.5, 1.0, 2.0]))


@pytest.fixture(scope="module")
def data():
    return labelled(JOINT, RECIPE, simulate=SIMULATE)


def learnt(data, recipe=RECIPE, **options):
    return train(JOINT, recipe, data=data, simulate=SIMULATE, **options)


def rows(count, seed=0):
    rng = np.random.default_rng(seed)
    choices = JOINT.space.sample(count, rng).astype(np.uint8)
    can_run = rng.random(count) < 0.6
    logs = rng.normal(size=(count, 3)).astype(np.float32)
    logs[~can_run, :2] = np.nan
    return choices, logs, can_run


def test_targets_are_in_units_of_deviation_and_0_where_nothing_is_known():
    choices, logs, can_run = rows(50)
    made = columns(choices, logs, can_run, NORMAL)
    assert made.targets[:, 2] == pytest.approx((logs[:, 2] - 3) / 2)
    assert made.targets[can_run, 0] == pytest.approx((logs[can_run, 0] - 1) / 0.5, rel=1e-5)
    assert not made.targets[~can_run, :2].any()
    assert made.can_run.tolist() == can_run.astype(float).tolist()


@pytest.mark.parametrize(
    ("blocks", "shape"),
    [
        (Blocks(1000, 64, 4), (4, 3, 64)),
        (Blocks(1000, 64, 100), (1, 15, 64)),
        (Blocks(10, 64, 4), (1, 1, 10)),
    ],
)
def test_an_epoch_visits_rows_once_in_a_new_order(blocks, shape):
    assert blocks.shape == shape
    numbers = np.arange(blocks.rows)
    data = Columns(
        np.zeros((blocks.rows, 2), np.uint8),
        np.repeat(numbers[:, None], 3, axis=1).astype(np.float32),
        numbers.astype(np.float32),
    )

    def epochs(first, last, seed=1):
        stream = list(blocks.stream(data, seed, range(first, last)))
        assert len(stream) == (last - first) * shape[0]
        assert all(part[0].shape == (*shape[1:], 2) for part in stream)
        orders = np.concatenate([part[2].numpy().reshape(-1) for part in stream])
        assert np.array_equal(
            orders, np.concatenate([part[1].numpy()[..., 0].reshape(-1) for part in stream])
        )
        return orders.reshape(last - first, -1)

    whole = epochs(0, 3)
    assert all(len(set(order)) == np.prod(shape) for order in whole)
    assert not np.array_equal(whole[0], whole[1])
    assert np.array_equal(epochs(1, 3), whole[1:])
    assert not np.array_equal(epochs(0, 1, seed=2), whole[:1])


def test_the_learning_rate_rises_then_falls_to_0_and_time_can_hurry_it():
    recipe = Recipe(learning_rate=2.0, warm_up=0.1)
    rates = learning_rates(recipe, fractions(0, 1000, 1000, 0.0))
    assert rates.argmax() == pytest.approx(100, abs=1)
    assert rates.max() == pytest.approx(2, rel=0.01)
    assert (np.diff(rates[:99]) > 0).all()
    assert (np.diff(rates[101:]) < 0).all()
    assert rates[-1] < 1e-4
    assert learning_rates(recipe, fractions(0, 5, 1000, 1.0)).tolist() == [0] * 5
    assert learning_rates(replace(recipe, warm_up=0.0), np.zeros(1)) == 2


def learner(recipe=RECIPE, validity=True):
    keras_model = perceptron(width(JOINT.space), NORMAL, recipe, seed=0, validity=validity)
    return Learner(keras_model, encoder(JOINT.space), NORMAL, recipe)


def test_losses_are_means_over_the_designs_that_count():
    choices, logs, can_run = rows(300)
    data = columns(choices, logs, can_run, NORMAL)
    made = learner()
    losses, errors = made.measured(data)
    raw = made._raw(encoder(JOINT.space)(choices)).numpy()
    off = np.abs(raw[:, :3] - data.targets)
    huber = np.where(off <= 0.1, off**2 / 2, 0.1 * (off - 0.05))
    relative = 100 * np.abs(np.expm1((raw[:, :3] - data.targets) * NORMAL.deviation))
    for part, expected in ((losses, huber), (errors, relative)):
        assert part[:2] == pytest.approx(expected[can_run, :2].mean(axis=0), rel=1e-4)
        assert part[2] == pytest.approx(expected[:, 2].mean(), rel=1e-4)
    probability = 1 / (1 + np.exp(-raw[:, 3]))
    brier = ((probability - can_run) ** 2).mean()
    assert losses[3] == pytest.approx(VALIDITY_SHARE * brier, rel=1e-4)
    entropy = -np.log(np.where(can_run, probability, 1 - probability)).mean()
    learned = made._losses(raw, data.targets, data.can_run).numpy()
    assert learned[:3] == pytest.approx(losses[:3], rel=1e-4)
    assert learned[3] == pytest.approx(VALIDITY_SHARE * entropy, rel=1e-4)
    assert len(learner(validity=False).measured(data)[0]) == 3


def test_nothing_is_learnt_from_the_latency_of_what_cannot_run():
    choices, logs, can_run = rows(64)
    states = []
    for wrong in (0.0, 1e3):
        made = learner()
        data = columns(choices, logs, can_run, NORMAL)
        data.targets[~can_run, :2] = wrong
        block = (data.choices[None], data.targets[None], data.can_run[None])
        made.block(*block, np.full(1, 1e-2, np.float32))
        states.append(made.state())
    assert all(np.array_equal(a, b) for a, b in zip(*states, strict=True))


def test_a_step_that_is_not_finite_is_not_taken():
    choices, logs, can_run = rows(3 * 64)
    data = columns(choices, logs, can_run, NORMAL)
    data.targets[64:128] = np.inf
    block = [part.reshape(3, 64, *part.shape[1:]) for part in vars(data).values()]
    rates = np.full(3, 1e-2, np.float32)
    whole, one = learner(), learner()
    tried, _, finite = whole.block(*block, rates)
    assert (int(tried), bool(finite)) == (2, False)
    one.block(*(part[:1] for part in block), rates[:1])
    for a, b in zip(whole.keras_model.get_weights(), one.keras_model.get_weights(), strict=True):
        assert np.array_equal(a, b)


class KillError(Exception):
    """What stands in for a kill."""


def killed_after(epochs):
    told = []

    def tell(what, done, *_):
        told.append((what, done))
        if len(told) == epochs:
            raise KillError

    return tell


def test_a_run_that_was_broken_off_ends_with_the_weights_of_an_unbroken_one(data, tmp_path):
    unbroken = learnt(data, TWICE).keras_model.get_weights()
    run = Run(output=tmp_path / "m.keras")
    for epochs in (1, 3):  # the second time into the second member
        with pytest.raises(KillError):
            learnt(data, TWICE, progress=killed_after(epochs), run=replace(run, resume=True))
    model = learnt(data, TWICE, run=replace(run, resume=True))
    for a, b in zip(model.keras_model.get_weights(), unbroken, strict=True):
        assert np.array_equal(a, b)
    with log_path(run.output).open(newline="") as file:
        epochs = [(row["member"], row["epoch"]) for row in csv.DictReader(file)]
    assert epochs == [(str(m), str(e)) for m in range(2) for e in range(1, 4)]
    assert partial_folder(run.output).is_dir()
    model.save(run.output)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.csv", "m.json", "m.keras"]


def test_a_run_that_was_broken_off_is_not_lost_unasked(data, tmp_path):
    run = Run(output=tmp_path / "m.keras")
    with pytest.raises(KillError):
        learnt(data, progress=killed_after(1), run=run)
    with pytest.raises(CostModelError, match="holds a run that was broken off; go on with --resu"):
        learnt(data, run=run)
    with pytest.raises(CostModelError, match="holds a run with epochs 2, but here it is 5: resume"):
        learnt(data, replace(RECIPE, epochs=5), run=replace(run, resume=True))
    with pytest.raises(KillError):
        learnt(
            data,
            replace(RECIPE, epochs=5),
            progress=killed_after(1),
            run=replace(run, replace=True),
        )


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"text"])
def test_a_damaged_checkpoint_is_one_sentence(tmp_path, content):
    folder = Folder(tmp_path, {})
    (tmp_path / CHECKPOINT).write_bytes(content)
    with pytest.raises(CostModelError, match=r"checkpoint.npz: cannot be read as a .* --force"):
        folder.read()


def test_a_checkpoint_gives_back_what_was_written(tmp_path):
    folder = Folder(tmp_path / "new", {"seed": 1})
    assert folder.read() == State()
    best = [np.arange(3.0), np.zeros((2, 2))]
    state = State(best=best, variables=[np.array(7)], best_loss=0.5, history=[{"epoch": 1}])
    state.next_member()
    state.variables = best
    folder.write(state)
    read = folder.read()
    assert (read.member, read.best_loss, read.history) == (1, float("inf"), [{"epoch": 1}])
    assert [np.array_equal(a, b) for a, b in zip(read.finished[0], best, strict=True)] == [True] * 2
    assert len(read.variables) == 2


def test_learning_that_diverges_stops_with_its_batch(data, tmp_path):
    run = Run(output=tmp_path / "m.keras")
    wild = replace(RECIPE, learning_rate=1e30, dropout=0.0)
    with pytest.raises(CostModelError, match=r"is not finite at learning rate .* lower learning r"):
        learnt(data, wild, run=run)
    path = partial_folder(run.output) / NOT_FINITE
    with np.load(path, allow_pickle=False) as kept:
        assert kept["choices"].shape == (64, len(JOINT.space.decisions))
        assert kept["targets"].shape == (64, 3)
        assert all(np.isfinite(kept[name]).all() for name in kept if name.startswith("weight"))
    with pytest.raises(CostModelError, match=r"is not finite at learning rate \S+: try a lower"):
        learnt(data, wild)


def test_a_validation_loss_that_is_not_finite_stops_the_run(data, tmp_path, monkeypatch):
    monkeypatch.setattr(Learner, "measured", lambda *_: (np.full(4, np.nan), np.zeros(3)))
    with pytest.raises(
        CostModelError, match=r"member 0, epoch 1, the validation .*; the weights a"
    ):
        learnt(data, run=Run(output=tmp_path / "m.keras"))
    with np.load(partial_folder(tmp_path / "m.keras") / NOT_FINITE, allow_pickle=False) as kept:
        assert all(name.startswith("weight") for name in kept)


@pytest.mark.parametrize("part", ["train", "validation", "random"])
def test_a_label_that_is_not_finite_is_told_before_learning(data, part):
    logs = data.samples.logs.copy()
    logs[getattr(data.parts, part)[0], 2] = np.inf
    wrong = replace(data, samples=replace(data.samples, logs=logs))
    with pytest.raises(
        CostModelError, match=r"log_area_mm2 of 1 designs .* is not finite: a cost m"
    ):
        learnt(wrong)


def test_a_member_that_gets_no_better_stops_and_keeps_its_best(data):
    told = []
    recipe = replace(RECIPE, epochs=200, patience=5, learning_rate=0.05, dropout=0.0)
    card = learnt(data, recipe, progress=lambda *now: told.append(now[1])).card
    (best,) = card.best_epochs
    assert told[-1] == best["epoch"] + 5 < 200


def test_a_time_limit_ends_a_run_in_good_order(data):
    told = []
    recipe = replace(TWICE, epochs=100_000, time_limit_s=0.5, patience=100_000)
    card = learnt(data, recipe, progress=lambda *now: told.append(now)).card
    assert {what for what, *_ in told} == {"learning member 1 of 2", "learning member 2 of 2"}
    assert len(card.best_epochs) == 2
    assert all(0 < done < 100_000 for _, done, *_ in told)


def test_compiling_does_not_count_for_the_time_limit(data, monkeypatch):
    now = [0.0]

    class Slow(Learner):
        """A second for each block, and a hundred for the first."""

        def __init__(self, *arguments):
            super().__init__(*arguments)
            block, self.seconds = self.block, 100.0

            def slow(*arguments):
                now[0] += self.seconds
                self.seconds = 1.0
                return block(*arguments)

            self.block = slow

    monkeypatch.setattr("nahas.costmodel.learn.Learner", Slow)
    monkeypatch.setattr("nahas.costmodel.learn.time", SimpleNamespace(monotonic=lambda: now[0]))
    rates = {0: [], 1: []}
    monkeypatch.setattr(
        "nahas.costmodel.train._log",
        lambda *now: rates[now[-1].member].append(now[-1].history[-1]["learning_rate"]),
    )
    recipe = replace(TWICE, epochs=1000, time_limit_s=60.0, patience=1000)
    learnt(data, recipe)
    for of_member in rates.values():
        assert len(of_member) >= 15  # of two blocks each
        assert of_member[-1] < 0.05 * max(of_member)


def test_each_member_has_its_own_seeds():
    made = {seeds(Recipe(seed=seed), member) for seed in range(3) for member in range(3)}
    assert len(made) == 9


def test_validity_is_learnt_where_there_is_something_to_learn(data):
    choices = data.samples.choices
    can_run = data.samples.reason == 0
    card = learnt(data, replace(RECIPE, validity="required")).card
    assert card.validity == "learned"
    model = learnt(data, replace(RECIPE, validity="off"))
    assert model.card.validity == "not learned"
    assert "validity" not in model.card.errors["random"]
    assert model.predict(choices[:5].astype(np.int64)).validity.tolist() == [1] * 5
    names = ("choices", "logs", "reason")
    kept = type(data.samples)(*(getattr(data.samples, name)[can_run] for name in names))
    number = np.cumsum(can_run) - 1
    parts = type(data.parts)(
        **{name: number[part[can_run[part]]] for name, part in vars(data.parts).items()}
    )
    one_class = replace(data, samples=kept, parts=parts)
    model = learnt(one_class)
    assert model.card.validity == "all samples can run"
    assert set(model.card.errors["random"]) == set(HEADS)
    with pytest.raises(CostModelError, match=r"validity is required, but all \d+ designs to learn"):
        learnt(one_class, replace(RECIPE, validity="required"))


def test_a_device_or_a_tensorboard_that_is_not_there_is_refused(data, tmp_path, monkeypatch):
    with pytest.raises(UsageError, match="device is gpu, but TensorFlow sees no GPU here"):
        learnt(data, run=Run(device="gpu"))
    with pytest.raises(UsageError, match="device is 'tpu': known are auto, cpu, gpu"):
        learnt(data, run=Run(device="tpu"))
    monkeypatch.setattr("nahas.costmodel.logs.find_spec", lambda _: None)
    with pytest.raises(UsageError, match="--tensorboard needs TensorBoard, which is not installed"):
        learnt(data, run=Run(tensorboard=tmp_path))


def test_epochs_go_to_tensorboard(data, tmp_path):
    pytest.importorskip("tensorboard")
    learnt(data, TWICE, run=Run(tensorboard=tmp_path / "board"))
    assert {path.parent.name for path in tmp_path.rglob("events*")} == {"member_0", "member_1"}
