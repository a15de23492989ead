"""The cost model: a Keras model of a joint space with its card, to predict, save and load."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nahas.children.keras_file import write_keras
from nahas.costmodel.card import (
    Card,
    card_path,
    model_hash,
    read_card,
    write_card,
)
from nahas.costmodel.checkpoint import remove_partial
from nahas.costmodel.features import canonical, encoder
from nahas.costmodel.keras_file import read_keras_and_config
from nahas.costmodel.logs import log_path
from nahas.costmodel.origin import check_origin, origin_here
from nahas.costmodel.perceptron import HEADS, UNCERTAINTY, VALIDITY
from nahas.costmodel.samples import Simulate, simulator
from nahas.energy import Tables
from nahas.errors import CostModelError
from nahas.spaces.joint import JointSpace
from nahas.spaces.space import ChoiceArray, Space

if TYPE_CHECKING:
    from nahas.costmodel.relaxed import RelaxedCost

Outputs = Callable[[NDArray[np.uint8]], dict[str, NDArray[np.float64]]]
"""Choices [B, D] to the outputs [B] of a model by their names."""

BATCH = 8192
"""Designs of one call of the compiled model: `benchmarks/costmodel.py --speed` measures it."""


@dataclass(frozen=True)
class PredictedCosts:
    """What a cost model says of B designs.

    Attributes:
        latency_ms, energy_mj: [B] as if the design could run.
        area_mm2: [B] the accelerator.
        validity: [B] probability that the design can run; 1 where the model has no such output,
            since all its samples can run or, as `Card.validity` says then, it has not learned it.
        uncertainty: [B, 3] of an ensemble, the standard deviation of the logarithms of the three
            costs over its members; None where there is one member.
    """

    latency_ms: NDArray[np.float64]
    energy_mj: NDArray[np.float64]
    area_mm2: NDArray[np.float64]
    validity: NDArray[np.float64]
    uncertainty: NDArray[np.float64] | None


@dataclass(frozen=True)
class CostModel:
    """A trained model, the space whose choices it takes, and its card."""

    joint: JointSpace
    keras_model: Any
    card: Card

    def predict(self, choices: ChoiceArray) -> PredictedCosts:
        """Costs of choices [B, D].

        Raises:
            SpaceError: when the choices are not of the model's space.
        """
        outputs = self._outputs(canonical(self.joint, choices))
        spread = [outputs[UNCERTAINTY + head] for head in HEADS if UNCERTAINTY + head in outputs]
        latency_ms, energy_mj, area_mm2 = (np.exp(outputs[head]) for head in HEADS)
        return PredictedCosts(
            latency_ms=latency_ms,
            energy_mj=energy_mj,
            area_mm2=area_mm2,
            validity=outputs.get(VALIDITY, np.ones(len(choices))),
            uncertainty=np.stack(spread, axis=1) if spread else None,
        )

    def relaxed(self) -> RelaxedCost:
        """The same costs as a function of probabilities, that gradients flow through."""
        from nahas.costmodel.relaxed import RelaxedCost

        return RelaxedCost(self)

    @cached_property
    def _outputs(self) -> Outputs:
        return compiled(self.keras_model, self.joint.space)

    def save(self, path: str | Path) -> None:
        """Write the Keras file, then the card beside it; each whole or not at all.

        Then the folder with the checkpoint of the run that made the model goes.

        Raises:
            CostModelError: when the name does not end in .keras or cannot be written.
        """
        path = model_path(path)
        try:
            write_keras(self.keras_model, path)
            write_card(self.card, card_path(path))
            remove_partial(path)
        except OSError as problem:
            raise CostModelError(
                f"{path}: cannot be written ({problem.strerror or problem})"
            ) from problem


def check_output(path: str | Path, *, replace: bool = False) -> None:
    """Find out before a long run whether a model can be written there.

    Raises:
        CostModelError: for a wrong ending, a folder that cannot be written, or, unless `replace`,
            a file that is there already in the place of the model, its card or its log.
    """
    path = model_path(path)
    for file in (path, card_path(path), log_path(path)):
        if file.exists() and not replace:
            raise CostModelError(f"{file}: is there already; choose another name or pass --force")
    folder = path.absolute().parent
    if not (folder.is_dir() and os.access(folder, os.W_OK)):
        raise CostModelError(f"{path}: its folder is not there or cannot be written")


def model_path(path: str | Path) -> Path:
    """The path itself, or a CostModelError where it does not end in .keras."""
    if Path(path).suffix != ".keras":
        raise CostModelError(f"{path}: a cost model's file must end in .keras")
    return Path(path)


def compiled(keras_model: Any, space: Space) -> Outputs:
    """A model as a function of choices [B, D] that gives every output [B] by its name.

    It is compiled once, for any B; one-hot features are made inside.
    """
    import tensorflow as tf

    encode, names = encoder(space), sorted(keras_model.output)

    def answer(choices: Any) -> Any:
        outputs = keras_model(encode(choices), training=False)
        return tf.concat([outputs[name] for name in names], axis=1)

    rows = tf.TensorSpec([None, len(space.decisions)], tf.uint8)
    graph = tf.function(answer, input_signature=[rows], autograph=False)

    def predict(choices: NDArray[np.uint8]) -> dict[str, NDArray[np.float64]]:
        columns = np.empty((len(names), len(choices)))
        for start in range(0, len(choices), BATCH):
            part = slice(start, start + BATCH)
            columns[:, part] = graph(choices[part]).numpy().T
        return dict(zip(names, columns, strict=True))

    return predict


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
    if not path.is_file():
        raise CostModelError(f"{path}: is not there; train it with 'nahas train-costmodel'")
    card = read_card(card_path(path))
    simulate = simulate or simulator(joint, card.objective, tables)
    here = origin_here(joint, tables, simulate)
    check_origin(card.origin, here, path, "train it again with 'nahas train-costmodel'")
    keras_model, config = read_keras_and_config(path)
    if model_hash(config, keras_model.get_weights()) != card.weights_sha256:
        raise CostModelError(
            f"{path}: is not the model that {card_path(path)} describes (their hashes differ)"
        )
    return CostModel(joint, keras_model, card)
