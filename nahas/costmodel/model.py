"""The cost model: a Keras perceptron with one head per cost, its normalisation inside."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from nahas.children.quiet import import_keras
from nahas.costmodel.card import (
    Card,
    card_path,
    read_card,
    weights_hash,
    write_card,
)
from nahas.costmodel.features import features
from nahas.costmodel.origin import check_origin, origin_here
from nahas.costmodel.samples import Simulate, simulator
from nahas.energy import Tables
from nahas.errors import CostModelError
from nahas.files import written_whole
from nahas.spaces.joint import JointSpace
from nahas.spaces.space import ChoiceArray
from nahas.vocabulary import Objective

HEADS = ("log_latency_ms", "log_energy_mj", "log_area_mm2")
"""Outputs of the Keras model, natural logarithms."""

HIDDEN = (256, 256, 256)
"""Units of the hidden layers (paper notes, section 5: recollection of low certainty)."""

BATCH = 4096


@dataclass(frozen=True)
class PredictedCosts:
    """What a cost model says of B designs, each field [B]."""

    latency_ms: NDArray[np.float64]
    energy_mj: NDArray[np.float64]
    area_mm2: NDArray[np.float64]


@dataclass(frozen=True)
class CostModel:
    """A trained model, the space whose choices it takes, and its card."""

    joint: JointSpace
    keras_model: Any
    card: Card

    def predict(self, choices: ChoiceArray) -> PredictedCosts:
        """Costs of choices [B, D], as if every one of them could run.

        Raises:
            SpaceError: when the choices are not of the model's space.
        """
        logs = predict_logs(self.keras_model, features(self.joint, choices))
        return PredictedCosts(*np.exp(logs).T)

    def save(self, path: str | Path) -> None:
        """Write the Keras file, then the card beside it; each whole or not at all.

        Raises:
            CostModelError: when the name does not end in .keras or cannot be written.
        """
        path = model_path(path)
        try:
            with written_whole(path) as temporary:
                saved = temporary.with_name(f"{temporary.name}.keras")  # Keras asks for the ending
                try:
                    self.keras_model.save(saved)
                    saved.replace(temporary)
                finally:
                    saved.unlink(missing_ok=True)
            write_card(self.card, card_path(path))
        except OSError as problem:
            raise CostModelError(
                f"{path}: cannot be written ({problem.strerror or problem})"
            ) from problem


def check_output(path: str | Path, *, replace: bool = False) -> None:
    """Find out before a long run whether a model can be written there.

    Raises:
        CostModelError: for a wrong ending, a folder that cannot be written, or a file that is
            there already unless `replace`.
    """
    path = model_path(path)
    if path.exists() and not replace:
        raise CostModelError(f"{path}: is there already; choose another name or pass --force")
    folder = path.absolute().parent
    if not (folder.is_dir() and os.access(folder, os.W_OK)):
        raise CostModelError(f"{path}: its folder is not there or cannot be written")


def model_path(path: str | Path) -> Path:
    """The path itself, or a CostModelError where it does not end in .keras."""
    if Path(path).suffix != ".keras":
        raise CostModelError(f"{path}: a cost model's file must end in .keras")
    return Path(path)


def perceptron(
    inputs: int,
    mean: NDArray[np.float64],
    deviation: NDArray[np.float64],
    *,
    hidden: Sequence[int] = HIDDEN,
    seed: int = 0,
) -> Any:
    """An untrained model of `inputs` features with an output [B, 1] for each of `HEADS`.

    The last layer of each head turns a standardised number into a logarithm with `mean` [3]
    and `deviation` [3], so a saved model needs nothing beside it. Every layer draws its
    weights with its own seed made from `seed`; no global generator is touched.
    """
    keras = import_keras()
    seeds = iter(np.random.SeedSequence(seed).generate_state(len(hidden) + len(HEADS)))

    def dense(units: int, name: str, activation: str | None = None) -> Any:
        start = keras.initializers.HeUniform if activation else keras.initializers.GlorotUniform
        return keras.layers.Dense(
            units,
            activation=activation,
            kernel_initializer=start(seed=int(next(seeds))),
            name=name,
        )

    x = choices = keras.Input((inputs,), name="decisions")
    for number, units in enumerate(hidden):
        x = dense(units, f"hidden_{number}", "relu")(x)
    outputs = {}
    for head, m, d in zip(HEADS, mean, deviation, strict=True):
        y = dense(1, f"standardised_{head}")(x)
        outputs[head] = keras.layers.Rescaling(float(d), offset=float(m), name=head)(y)
    return keras.Model(choices, outputs, name="costmodel")


def predict_logs(keras_model: Any, inputs: NDArray[np.float32]) -> NDArray[np.float64]:
    """The heads' outputs [B, 3] for features [B, width]."""
    logs = np.empty((len(inputs), len(HEADS)))
    for start in range(0, len(inputs), BATCH):
        # The call itself: `predict` would trace a new graph for every model.
        outputs = keras_model(inputs[start : start + BATCH], training=False)
        for column, head in enumerate(HEADS):
            logs[start : start + BATCH, column] = np.asarray(outputs[head])[:, 0]
    return logs


def load(
    path: str | Path,
    joint: JointSpace,
    tables: Tables | None = None,
    simulate: Simulate | None = None,
) -> CostModel:
    """Read a cost model with its card, for this space and simulator.

    Args:
        path: the .keras file; the card lies beside it.
        joint: the space whose designs are to be predicted.
        tables: energy and area tables in use; None is the packaged ones.
        simulate: what labels choices; None is the simulator with these tables.

    Raises:
        CostModelError: when a file is missing or damaged, the two do not belong together, or
            the model learned another space, simulator or table.
    """
    path = model_path(path)
    card = read_card(card_path(path))
    simulate = simulate or simulator(joint, Objective[card.objective.upper()], tables)
    here = origin_here(joint, tables, simulate)
    check_origin(card.origin, here, path, "train it again with 'nahas train-costmodel'")
    keras_model = _read_keras(path)
    if weights_hash(keras_model.get_weights()) != card.weights_sha256:
        raise CostModelError(
            f"{path}: is not the model that {card_path(path)} describes (their hashes differ)"
        )
    return CostModel(joint, keras_model, card)


def _read_keras(path: Path) -> Any:
    keras = import_keras()
    try:
        return keras.models.load_model(path, compile=False)
    except (OSError, ValueError, KeyError, BadZipFile) as problem:
        reason = " ".join(str(problem).split())
        raise CostModelError(f"{path}: cannot be read as a Keras model ({reason})") from problem
