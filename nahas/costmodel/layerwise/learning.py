"""Draw pairs, solve them, learn, and say how large the error is on networks never seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas import networks
from nahas.children.keras_file import weights_hash
from nahas.children.quiet import import_keras
from nahas.costmodel.checkpoint import Row
from nahas.costmodel.held_out import Errors, errors_of
from nahas.costmodel.layerwise.costs import HEADS, heads_of
from nahas.costmodel.layerwise.features import (
    LAYER_FIELDS,
    LEARNED_FIELDS,
    features,
    known,
)
from nahas.costmodel.layerwise.model import LayerCard, LayerCostModel
from nahas.costmodel.layerwise.origin import origin_here
from nahas.costmodel.layerwise.pairs import draw, held_accelerators, solved, source
from nahas.energy import Tables
from nahas.errors import CostModelError
from nahas.kernels.records import CostRow, HardwareRow, LayerRow
from nahas.manifest import versions
from nahas.network import Network
from nahas.simulate import simulate_designs
from nahas.spaces import named as spaces
from nahas.tile_bench.source import Source
from nahas.vocabulary import Objective, Reason

Progress = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and how much there is."""

COSTS = ("log_latency_ms", "log_energy_mj")

CHUNK = 50_000
"""Pairs solved at a time."""

HUBER = 0.05
"""Logarithms up to which an error counts by its square: beyond it outliers would rule."""

WEIGHTS = (1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.5, 0.3, 0.1)
"""What an error of each head counts. First weights join the traffic of the layer before; the last
two matter in a network's first and last layer alone."""

TESTED = 5_000
"""Pairs held out, beyond those that are learned from."""

ACCELERATORS, DESIGNS = 100, 100
"""Held-out accelerators that each fixed network is tested on, and networks of each space."""


@dataclass(frozen=True, kw_only=True)
class LayerRecipe:
    """How a model of layers is made; with the same seed and versions it comes out the same.

    Attributes:
        pairs: of a layer and an accelerator, to draw.
        seed: of the draw, the weights and the order of learning.
        epochs: passes over the pairs; the learning rate falls to 0 along a cosine.
        batch: pairs of one step.
        learning_rate: of Adam, at the start.
        hidden: units of the hidden layers.
        objective: what the simulator's mapper minimises.
    """

    pairs: int = 500_000
    seed: int = 0
    epochs: int = 30
    batch: int = 256
    learning_rate: float = 3e-3
    hidden: tuple[int, ...] = (256, 256, 256)
    objective: Objective = Objective.LATENCY

    def __post_init__(self) -> None:
        for name in ("pairs", "epochs", "batch"):
            if getattr(self, name) < 1:
                raise CostModelError(f"{name} is {getattr(self, name)}: it must be at least 1")


def train(
    recipe: LayerRecipe,
    *,
    tables: Tables | None = None,
    progress: Progress | None = None,
) -> LayerCostModel:
    """Make a cost model of layers.

    Args:
        recipe: how to make it.
        tables: energy and area tables; None is the packaged ones.
        progress: told of the pairs solved and each epoch learned.

    Raises:
        CostModelError: when a loss or a weight is not finite after an epoch, or a prediction of
            what was held out is not in the end.
    """
    tell: Progress = progress or (lambda *_: None)
    of = source(recipe.seed, tables)
    pairs, seen, heads = _samples(of, recipe, tell)
    start, order = np.random.SeedSequence(recipe.seed).spawn(2)
    keras_model = perceptron(seen, heads, recipe.hidden, start)
    history = _learn(keras_model, seen, heads, recipe, np.random.default_rng(order), tell)
    card = LayerCard(
        weights_sha256=weights_hash(keras_model.get_weights()),
        origin=origin_here(recipe.objective, tables),
        objective=recipe.objective.name.lower(),
        seed=recipe.seed,
        pairs=len(seen),
        epochs=recipe.epochs,
        hidden=list(recipe.hidden),
        ranges=_ranges(of, pairs),
        errors={},
        versions=versions(),
    )
    model = LayerCostModel(keras_model, card, tables, history)
    card.errors.update(held_out_errors(model, of, recipe))
    _check_errors(card.errors, recipe)
    return model


def _samples(
    of: Source, recipe: LayerRecipe, tell: Progress
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]:
    """Pairs [N, 2], what the model sees of them [N, F] and what it is to predict [N, 9]."""
    parts = []
    for first in range(0, recipe.pairs, CHUNK):
        last = min(first + CHUNK, recipe.pairs)
        found = solved(draw(of, first, last), recipe.objective)
        facts, stays = known(found.pairs), found.pairs.stays
        heads = heads_of(facts, stays, found.costs, found.counts)
        parts.append((found.pairs.pairs, features(facts, stays), heads))
        tell("solving", last, recipe.pairs)
    pairs, seen, heads = (np.concatenate(column) for column in zip(*parts, strict=True))
    return pairs, seen, heads


def perceptron(
    seen: NDArray[np.float32],
    heads: NDArray[np.float32],
    hidden: Sequence[int],
    start: np.random.SeedSequence,
) -> Any:
    """An untrained model of features [N, F] with one output [N, 9], its normalisation inside.

    Every layer draws its weights with its own seed; no global generator is touched.
    """
    keras = import_keras()
    seeds = iter(start.generate_state(len(hidden) + 1).tolist())
    deviation = np.maximum(seen.std(axis=0), 1e-3)
    x = inputs = keras.Input((seen.shape[1],), name="pair")
    x = keras.layers.Normalization(mean=seen.mean(axis=0), variance=deviation**2)(x)
    for number, units in enumerate(hidden):
        x = keras.layers.Dense(
            units,
            activation="relu",
            kernel_initializer=keras.initializers.HeUniform(seed=next(seeds)),
            name=f"hidden_{number}",
        )(x)
    outputs = keras.layers.Dense(
        len(HEADS),
        kernel_initializer=keras.initializers.GlorotUniform(seed=next(seeds)),
        bias_initializer=keras.initializers.Constant(np.nanmean(heads, axis=0)),
        name="heads",
    )(x)
    return keras.Model(inputs, outputs, name="layer_costmodel")


def _learn(
    keras_model: Any,
    seen: NDArray[np.float32],
    heads: NDArray[np.float32],
    recipe: LayerRecipe,
    rng: np.random.Generator,
    tell: Progress,
) -> list[Row]:
    """Adam on the Huber loss of every head that a pair tells something of; a row per epoch."""
    keras = import_keras()
    batch = min(recipe.batch, len(seen))
    steps = len(seen) // batch
    weights = np.array(WEIGHTS, np.float32)

    def loss(true: Any, predicted: Any) -> Any:
        told = keras.ops.cast(keras.ops.equal(true, true), "float32")  # NaN equals nothing
        off = keras.ops.abs(predicted - keras.ops.nan_to_num(true)) * told
        near = keras.ops.minimum(off, HUBER)
        return keras.ops.mean(weights * near * (off - 0.5 * near), axis=-1) / HUBER

    rate = keras.optimizers.schedules.CosineDecay(recipe.learning_rate, recipe.epochs * steps)
    keras_model.compile(optimizer=keras.optimizers.Adam(rate), loss=loss, jit_compile=False)
    history: list[Row] = []
    for epoch in range(1, recipe.epochs + 1):
        keras_model.reset_metrics()  # so that the last step tells the mean loss of the epoch
        order = rng.permutation(len(seen))
        for step in range(steps):
            rows = order[step * batch : (step + 1) * batch]
            mean_loss = float(keras_model.train_on_batch(seen[rows], heads[rows]))
        last_rate = float(rate(epoch * steps - 1))
        _check_finite(mean_loss, keras_model, epoch, recipe)
        history.append({"epoch": epoch, "learning_rate": last_rate, "loss": mean_loss})
        tell("learning", epoch, recipe.epochs)
    return history


def _check_finite(mean_loss: float, keras_model: Any, epoch: int, recipe: LayerRecipe) -> None:
    for what, values in (("the loss", [mean_loss]), ("a weight", keras_model.get_weights())):
        if not all(np.isfinite(of).all() for of in values):
            raise CostModelError(
                f"epoch {epoch}: {what} is not finite at learning_rate {recipe.learning_rate:g}: "
                "try a lower one"
            )


def _check_errors(errors: Errors, recipe: LayerRecipe) -> None:
    for part, heads in errors.items():
        for head, measures in heads.items():
            mape = measures["mape"]
            if mape is not None and not np.isfinite(mape):
                raise CostModelError(
                    f"{head} of {part} is predicted as a number that is not finite, learned at "
                    f"learning_rate {recipe.learning_rate:g}: try a lower one"
                )


def _ranges(of: Source, pairs: NDArray[np.int64]) -> dict[str, list[float]]:
    """Least and largest value of each field that the model sees, in the pairs [N, 2]."""
    layers, accelerators = (np.unique(column) for column in pairs.T)
    found = {}
    for names, seen, rows in (
        (LayerRow._fields, LAYER_FIELDS, of.layers[layers]),
        (HardwareRow._fields, LEARNED_FIELDS, of.points[accelerators]),
    ):
        for name in seen:
            column = rows[:, names.index(name)]
            found[name] = [float(column.min()), float(column.max())]
    return found


def held_out_errors(model: LayerCostModel, of: Source, recipe: LayerRecipe) -> Errors:
    """Errors on further pairs, on the fixed networks, and on designs of every space.

    The layers of the fixed networks are not learned from, nor are the accelerators that networks
    are tested on here. Networks of the spaces consist of layers that are, where pairs are many.
    None is left out that is beyond what so few pairs teach.
    """
    further = solved(draw(of, recipe.pairs, recipe.pairs + TESTED), recipe.objective)
    columns = [CostRow._fields.index(name) for name in ("cycles", "energy_pj")]
    predicted = np.log(model.costs(further.pairs)[:, columns])
    true = np.log(further.costs[:, columns])
    of_layers = {h: errors_of(predicted[:, i], true[:, i]) for i, h in enumerate(COSTS)}
    errors: Errors = {"layers": of_layers}
    rng = np.random.default_rng((recipe.seed, 1))  # not the networks that were learned from
    for name in networks.NAMES:
        errors[name] = _network_errors(model, [networks.named(name)] * ACCELERATORS, of)
    for name in spaces.NAMES:
        space = spaces.named(name)
        drawn = [space.network(choice) for choice in space.space.sample(DESIGNS, rng)]
        errors[name] = _network_errors(model, drawn, of)
    return errors


def _network_errors(
    model: LayerCostModel, drawn: Sequence[Network], of: Source
) -> dict[str, dict[str, float | None]]:
    held = held_accelerators(of)[: len(drawn)]
    hardware = [of.hardware_of(number) for number in held.tolist()]
    objective = Objective[model.card.objective.upper()]
    true = simulate_designs(drawn, hardware, objective, model.tables)
    latency_ms, energy_mj = model.predict(drawn, hardware, extrapolate=True)
    runs = true.reason == Reason.OK
    pairs = (latency_ms, true.latency_ms), (energy_mj, true.energy_mj)
    return {
        head: errors_of(np.log(ours[runs]), np.log(theirs[runs]))
        for head, (ours, theirs) in zip(COSTS, pairs, strict=True)
    }
