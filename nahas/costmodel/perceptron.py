"""The Keras models: a perceptron with a head per cost, and an ensemble of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.children.quiet import import_keras
from nahas.costmodel.recipe import Recipe
from nahas.errors import CostModelError

HEADS = ("log_latency_ms", "log_energy_mj", "log_area_mm2")
"""Outputs that are natural logarithms of costs."""

VALIDITY = "validity"
"""Output that is the probability that a design can run."""

STANDARDISED = "standardised"
"""Layer of the raw outputs: logarithms in units of their deviation, and the logit of validity."""

UNCERTAINTY = "uncertainty_"
"""Begins the name of an ensemble's output that is the standard deviation over its members."""


@dataclass(frozen=True)
class Normalisation:
    """What makes logarithms numbers around 0: each field [3], in the order of `HEADS`."""

    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]


def normalisation(logs: NDArray[np.float32], can_run: NDArray[np.bool_]) -> Normalisation:
    """Mean and deviation of logarithms [N, 3], latency and energy of rows that can run.

    Raises:
        CostModelError: when no row can run, or a cost that counts is not finite.
    """
    if not can_run.any():
        raise CostModelError(
            f"none of the {len(can_run)} designs to learn from can run: nothing to learn"
        )
    columns = finite_columns(logs, can_run)
    return Normalisation(
        np.array([column.mean(dtype=np.float64) for column in columns]),
        np.array([max(float(column.std(dtype=np.float64)), 1e-6) for column in columns]),
    )


def finite_columns(
    logs: NDArray[np.float32], can_run: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], ...]:
    """The logarithms that count, in the order of `HEADS`: latency and energy of what can run.

    Raises:
        CostModelError: when one is not finite.
    """
    columns = (logs[can_run, 0], logs[can_run, 1], logs[:, 2])
    for head, column in zip(HEADS, columns, strict=True):
        if not np.isfinite(column).all():
            raise CostModelError(
                f"{head} of {int((~np.isfinite(column)).sum())} designs that can run is not "
                "finite: a cost must be above 0"
            )
    return columns


def perceptron(
    inputs: int, normal: Normalisation, recipe: Recipe, *, seed: int, validity: bool
) -> Any:
    """An untrained model of `inputs` features with an output [B, 1] for each head.

    The last layer of each cost turns a standardised number into a logarithm, so a saved model
    needs nothing beside it. Every layer draws its weights with its own seed made from `seed`; no
    global generator is touched.
    """
    keras = import_keras()
    seeds = iter(np.random.SeedSequence(seed).generate_state(2 * len(recipe.hidden) + 1).tolist())
    x = decisions = keras.Input((inputs,), name="decisions")
    for number, units in enumerate(recipe.hidden):
        x = keras.layers.Dense(
            units,
            activation=recipe.activation,
            kernel_initializer=keras.initializers.HeUniform(seed=next(seeds)),
            name=f"hidden_{number}",
        )(x)
        if recipe.dropout:
            x = keras.layers.Dropout(recipe.dropout, seed=next(seeds), name=f"dropout_{number}")(x)
    count = len(HEADS) + validity
    start = keras.initializers.GlorotUniform(seed=next(seeds))
    raw = keras.layers.Dense(count, kernel_initializer=start, name=STANDARDISED)(x)
    columns = keras.ops.split(raw, count, axis=1)
    outputs = {
        head: keras.layers.Rescaling(float(deviation), offset=float(mean), name=head)(column)
        for head, column, mean, deviation in zip(
            HEADS, columns, normal.mean, normal.deviation, strict=False
        )
    }
    if validity:
        outputs[VALIDITY] = keras.layers.Activation("sigmoid", name=VALIDITY)(columns[-1])
    return _named(keras.Model(decisions, outputs, name="costmodel"))


def standardised(keras_model: Any) -> Any:
    """The same model up to its raw outputs [B, 3 or 4], which are what is learned."""
    keras = import_keras()
    return keras.Model(keras_model.inputs[0], keras_model.get_layer(STANDARDISED).output)


def ensemble(members: Sequence[Any]) -> Any:
    """One model of all members: the mean of each output, and its deviation over the members.

    The deviations, population ones, are the outputs whose names begin with `UNCERTAINTY`. One
    member is the model itself.
    """
    if len(members) == 1:
        return members[0]
    keras = import_keras()
    decisions = keras.Input(members[0].input_shape[1:], name="decisions")
    answers = []
    for number, member in enumerate(members):
        member.name = f"member_{number}"
        answers.append(member(decisions))
    outputs = {}
    for name in answers[0]:
        together = [answer[name] for answer in answers]
        outputs[name] = keras.layers.Average(name=name)(together)
        if name != VALIDITY:
            side_by_side = keras.layers.Concatenate(axis=1, name=f"members_{name}")(together)
            outputs[UNCERTAINTY + name] = keras.ops.std(side_by_side, axis=1, keepdims=True)
    return _named(keras.Model(decisions, outputs, name="costmodel"))


def _named(keras_model: Any) -> Any:
    """The model, with names by place for what has none: Keras' own count all models so far."""
    keras = import_keras()
    for place, operation in enumerate(keras_model.operations):
        if not isinstance(operation, keras.Layer):
            operation.name = f"{type(operation).__name__.lower()}_{place}"
    return keras_model
