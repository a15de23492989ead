"""Fits a surrogate of any space on a table of our own measurements.

A table has tens or hundreds of networks, not thousands, so the process has one length for each
kind of feature instead of one for each feature. With a length each, what is predicted of a
network left out looks better than what is predicted of a new one, and deviations are three times
too small: on 120 networks of NAS-Bench-Macro and Accel-NASBench, by
benchmarks/surrogate_lengths.py.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from nahas.accuracy.features import LinkFeatures
from nahas.accuracy.fit import compare, fitting_versions
from nahas.accuracy.gaussian import Floats, Process, condition, left_out, likeliest
from nahas.accuracy.measured import MeasuredFile
from nahas.accuracy.surrogate import SCHEMA_VERSION, Surrogate, schema
from nahas.errors import AccuracyError, SpaceError
from nahas.files import plain
from nahas.spaces.networks import NetworkSpace
from nahas.spaces.space import ChoiceArray

LEAST = 20
"""Networks without which nothing is fitted: six parameters have to be found."""

MOST_FOR_LENGTHS = 1500
"""Networks that lengths are fitted on; a step with more takes seconds."""

STEPS = 100

SPREAD = 0.05
"""The least standard deviation that a feature is divided by: one that hardly varies among the
measured networks says little, and must not become the loudest."""


def fit_table(
    table: MeasuredFile, space: NetworkSpace, seed: int = 0
) -> tuple[Surrogate, dict[str, Any]]:
    """Fit on every network of a table that has an accuracy.

    Args:
        table: of networks of `space`.
        space: whose networks are to be predicted.
        seed: of the networks that lengths are fitted on, where there are more than
            `MOST_FOR_LENGTHS`.

    Returns:
        The surrogate and its card, without the hash of the weights.

    Raises:
        AccuracyError: when the table is of another space, or has too few networks.
    """
    choices, accuracy, failed = _networks(table, space)
    features = LinkFeatures(space)
    raw, offset = features(choices), float(accuracy.mean())
    centre, spread = raw.mean(axis=0), np.maximum(raw.std(axis=0), SPREAD)
    inputs, targets = (raw - centre) / spread, accuracy - offset
    process = _process(inputs, targets, features.kinds, np.random.default_rng(seed))
    surrogate = Surrogate(
        space=space,
        label=f"{table.accuracy}, predicted",
        features=features,
        support=choices,
        weights=condition(process, inputs, targets),
        centre=centre,
        scales=process.scales / spread,
        amplitude=process.amplitude,
        noise=process.noise,
        offset=offset,
    )
    predicted, deviation = left_out(process, inputs, targets)
    sizes = raw[:, features.kinds == SIZE_OF_ALL][:, 0]
    card = {
        "schema_version": SCHEMA_VERSION,
        "label": surrogate.label,
        "space": space.name,
        "features": "links",
        "source": plain(table.card) if table.card else {"table": table.path.name},
        "data_sha256": {table.path.name: hashlib.sha256(table.path.read_bytes()).hexdigest()},
        "command": f"nahas fit-surrogate --space {space.name} --table FILE --seed {seed}",
        "recipe": {
            "model": "Gaussian process, squared-exponential covariance, one length per kind of "
            "feature; amplitude, noise and lengths maximise the likelihood of all networks",
            "seed": seed,
            "steps": STEPS,
        },
        "networks": len(choices),
        "failed": failed,
        "seeds": table.seeds,
        "amplitude_pp": process.amplitude,
        "noise_pp": process.noise,
        "held_out": {
            "surrogate": {"left_out": compare(predicted + offset, accuracy)},
            "multiply_accumulates": {"left_out": _ranks(sizes, accuracy)},
        },
        "calibration": {"left_out": calibration(predicted, deviation, targets)},
        "decisions": schema(space),
        "versions": fitting_versions(),
    }
    return surrogate, card


SIZE_OF_ALL = 3
"""The kind of feature that is the multiply-accumulates of the whole network."""


def calibration(predicted: Floats, deviation: Floats, measured: Floats) -> dict[str, float]:
    """How often a measurement lies within one and two deviations of what others say of it."""
    units = np.abs(measured - predicted) / deviation
    return {
        "within_1": float((units < 1.0).mean()),
        "within_2": float((units < 2.0).mean()),
        "rms": float(np.sqrt((units**2).mean())),
    }


def _networks(table: MeasuredFile, space: NetworkSpace) -> tuple[ChoiceArray, Floats, int]:
    """Choices [N, D] and accuracies [N] in percent, and how many networks have none."""
    if table.card is not None and table.card.space != space.name:
        raise AccuracyError(
            f"{table.path}: holds networks of space '{table.card.space}', not '{space.name}'"
        )
    mean = table.mean()
    known = {name: accuracy for name, accuracy in mean.items() if np.isfinite(accuracy)}
    if len(known) < LEAST:
        raise AccuracyError(
            f"{table.path}: has accuracies of {len(known)} networks, but at least {LEAST} are "
            "needed to learn from: measure more with 'nahas train-child --sample'"
        )
    try:
        choices = np.array([space.choice_named(name) for name in known])
    except SpaceError as problem:
        raise AccuracyError(f"{table.path}: {problem}") from problem
    return choices, np.array(list(known.values())), len(mean) - len(known)


def _process(
    inputs: Floats, targets: Floats, kinds: np.typing.NDArray[np.int64], rng: np.random.Generator
) -> Process:
    rows = rng.permutation(len(inputs))[:MOST_FOR_LENGTHS]
    width, deviation = inputs.shape[1], float(targets.std())
    if not deviation > 0.0:
        raise AccuracyError("all accuracies of the table are equal: there is nothing to learn")
    start = Process(np.full(width, 0.5 / np.sqrt(width)), deviation, deviation / 3.0)
    return likeliest(inputs[rows], targets[rows], start, STEPS, kinds)


def _ranks(sizes: Floats, accuracy: Floats) -> Mapping[str, float]:
    """How well the size of a network alone ranks it: what a surrogate must be better than."""
    ranks = compare(sizes, accuracy)
    return {name: ranks[name] for name in ("kendall", "spearman")}
