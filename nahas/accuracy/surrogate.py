"""Accuracy of the networks of a space, predicted from measured ones.

A Gaussian process on features of a network's choice: what is chosen, and how large that makes
it. `nahas.accuracy.fit` and `nahas.accuracy.fit_table` make it; what is kept is the choices that
it was fitted on, a weight of each, and a card that says how it was made and how well it predicts.
Prediction needs NumPy alone.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np

from nahas.accuracy import stages
from nahas.accuracy.features import Features, LinkFeatures
from nahas.accuracy.gaussian import Floats, covariance, lengths
from nahas.datafiles import check_schema_version, packaged
from nahas.errors import AccuracyError, SpaceError
from nahas.files import plain
from nahas.spaces import mnasnet
from nahas.spaces.named import named
from nahas.spaces.networks import NetworkSpace
from nahas.spaces.space import ChoiceArray

SCHEMA_VERSION = 1
"""Version of weights and card; a reader refuses any other."""

ROWS_AT_ONCE = 512
"""Rows predicted together: 512 x 4,100 covariances are 17 MB, which stays in the cache."""

FEATURES: dict[str, Callable[[NetworkSpace], Features]] = {
    "links": LinkFeatures,
    "stages": lambda _: stages.features,
}
"""What a surrogate may see of a choice, by the name that its card gives: features of any space,
or those of the space `mnasnet` that are written out."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Surrogate:
    """Predicted accuracy of the networks of a space; an `AccuracyBackend`.

    Attributes:
        space: whose choices are asked for.
        label: what this accuracy is.
        features: F of a choice.
        support: [N, D] choices of the networks it was fitted on.
        weights: [N] weight of each, in percent.
        centre: [F] mean of the features, taken away before they are scaled.
        scales: [F] what they are multiplied with then.
        amplitude: standard deviation of accuracy over the space, in percentage points.
        noise: standard deviation of one measurement, in percentage points: another seed.
        offset: mean accuracy in percent.
    """

    space: NetworkSpace
    label: str
    features: Features
    support: ChoiceArray
    weights: Floats
    centre: Floats
    scales: Floats
    amplitude: float
    noise: float
    offset: float

    def accuracy(self, choices: ChoiceArray) -> Floats:
        """Predicted top-1 in percent [B] of network choices [B, D].

        Raises:
            AccuracyError: when a choice lies outside the space.
        """
        parts = [near @ self.weights for near in self._covariances(choices)]
        # The last bits of a matrix product differ with the batch's size and between processors;
        # a millionth of a percentage point means nothing and is the same everywhere.
        return np.round(np.concatenate([np.empty(0), *parts]) + self.offset, 6)

    def deviation(self, choices: ChoiceArray) -> Floats:
        """Standard deviation of the prediction [B], in percentage points.

        It says how far the mean over seeds may lie from `accuracy`; one training run deviates
        by `noise` more. Far from all measurements it is `amplitude`: there nothing is known. The
        first call factors an N x N matrix (134 MB for 4,100 networks).

        Raises:
            AccuracyError: when a choice lies outside the space.
        """
        from scipy.linalg import solve_triangular

        parts = [
            (solve_triangular(self._factor, near.T, trans="T", check_finite=False) ** 2).sum(axis=0)
            for near in self._covariances(choices)
        ]
        explained = np.concatenate([np.empty(0), *parts])
        return np.sqrt(np.maximum(self.amplitude**2 - explained, 0.0))

    def _covariances(self, choices: ChoiceArray) -> Iterator[Floats]:
        """Covariances [<= ROWS_AT_ONCE, N] with the support, part by part."""
        try:
            self.space.space.check(choices)
        except SpaceError as problem:
            raise AccuracyError(f"the surrogate knows no such network: {problem}") from problem
        for start in range(0, len(choices), ROWS_AT_ONCE):
            part = self._scaled(choices[start : start + ROWS_AT_ONCE])
            yield covariance(part, self._support, self.amplitude, self._lengths)

    def _scaled(self, choices: ChoiceArray) -> Floats:
        scaled: Floats = (self.features(choices) - self.centre) * self.scales
        return scaled

    @cached_property
    def _support(self) -> Floats:
        return self._scaled(self.support)

    @cached_property
    def _lengths(self) -> Floats:
        return lengths(self._support)

    @cached_property
    def _factor(self) -> Floats:
        """[N, N] the upper Cholesky factor of the covariance of the measurements.

        Half of a symmetric matrix is enough, row by row below its diagonal, which LAPACK, column
        by column, finds above it. It is factored where it lies; the other half stays untouched.
        """
        from scipy.linalg import cho_factor

        noisy = np.zeros((len(self.support), len(self.support)))
        for start in range(0, len(noisy), ROWS_AT_ONCE):
            end = start + ROWS_AT_ONCE
            rows, before = self._support[start:end], self._support[:end]
            noisy[start:end, :end] = covariance(rows, before, self.amplitude)
        noisy[np.diag_indices_from(noisy)] += self.noise**2
        return np.asarray(cho_factor(noisy.T, overwrite_a=True, check_finite=False)[0])


def card_path(weights: Path) -> Path:
    """The card's place: beside the weights, with the ending .json."""
    return weights.with_suffix(".json")


def packaged_weights(space: str) -> Path:
    """Where the weights of a space lie that ship with nahas, if there are any."""
    return packaged(f"accuracy_{space}.npz")


@cache
def packaged_surrogate(space: str) -> Surrogate:
    """The surrogate of a space that ships with nahas, loaded once.

    Raises:
        AccuracyError: when there is none.
    """
    path = packaged_weights(space)
    if not path.is_file():
        raise AccuracyError(
            f"space '{space}' has no packaged accuracies: measure networks with 'nahas "
            f"train-child --space {space} --sample 100 --table FILE' and learn from them with "
            f"'nahas fit-surrogate --space {space} --table FILE', or say with --accuracy where "
            "accuracies come from"
        )
    return load_surrogate(path, named(space))


def load_surrogate(path: Path | None = None, space: NetworkSpace | None = None) -> Surrogate:
    """A surrogate that `nahas fit-surrogate` wrote.

    Args:
        path: of the weights; None is the packaged one of the space.
        space: that it must be of; None is `mnasnet`.

    Raises:
        AccuracyError: when weights or card are missing, damaged, of another schema version or
            space, or do not belong together.
    """
    space = space or mnasnet.network_space()
    path = path or packaged_weights(space.name)
    content = _bytes(path)
    if not card_path(path).is_file():
        raise AccuracyError(
            f"{path}: has no card {card_path(path).name} beside it: give a file that "
            "'nahas fit-surrogate' has written, or copy its card as well"
        )
    card = read_card(card_path(path), space)
    if hashlib.sha256(content).hexdigest() != card["weights_sha256"]:
        raise AccuracyError(
            f"{path}: is damaged, or not the file that {card_path(path).name} describes; "
            "fit it again with 'nahas fit-surrogate'"
        )
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            surrogate = Surrogate(
                space=space,
                label=card["label"],
                features=FEATURES[card["features"]](space),
                support=arrays["support"].astype(np.int64),
                weights=arrays["weights"],
                centre=arrays["centre"],
                scales=arrays["scales"],
                amplitude=float(arrays["amplitude"]),
                noise=float(arrays["noise"]),
                offset=float(arrays["offset"]),
            )
    except (KeyError, ValueError, OSError, zipfile.BadZipFile) as problem:
        raise AccuracyError(f"{path}: is not a surrogate ({problem})") from problem
    _check_features(path, surrogate)
    return surrogate


def _check_features(path: Path, surrogate: Surrogate) -> None:
    """Refuse a surrogate whose networks are built otherwise today than when it was fitted."""
    try:
        centre = surrogate.features(surrogate.support).mean(axis=0)
    except SpaceError as problem:
        raise AccuracyError(f"{path}: is not a surrogate ({problem})") from problem
    if centre.shape != surrogate.centre.shape or not np.allclose(centre, surrogate.centre):
        raise AccuracyError(
            f"{path}: was fitted when the networks of space '{surrogate.space.name}' were built "
            "otherwise; fit it again with 'nahas fit-surrogate'"
        )


def read_card(path: Path, space: NetworkSpace | None = None) -> dict[str, Any]:
    """The card of a surrogate.

    Args:
        path: of the card.
        space: that it must be of; None is `mnasnet`.

    Raises:
        AccuracyError: when it is missing, damaged, or of another schema version or space.
    """
    space = space or mnasnet.network_space()
    try:
        card: Any = json.loads(_bytes(path))
    except ValueError as problem:
        raise AccuracyError(f"{path}: is not the card of a surrogate ({problem})") from problem
    if not isinstance(card, dict):
        raise AccuracyError(f"{path}: is not the card of a surrogate (it is no JSON object)")
    check_schema_version(card, path, SCHEMA_VERSION, AccuracyError)
    if card.get("space") != space.name:
        raise AccuracyError(f"{path}: is of space '{card.get('space')}', not '{space.name}'")
    if card.get("decisions") != schema(space):
        raise AccuracyError(
            f"{path}:decisions is not that of this nahas; fit again with 'nahas fit-surrogate'"
        )
    if card.get("features") not in FEATURES:
        raise AccuracyError(
            f"{path}:features is {card.get('features')!r}, but this nahas knows "
            f"{', '.join(FEATURES)}"
        )
    for key, what in (("label", "nobody knows what it predicts"), ("weights_sha256", _UNCHECKED)):
        if not isinstance(card.get(key), str) or not card[key]:
            raise AccuracyError(f"{path}:{key} is missing: {what}")
    return dict(card)


_UNCHECKED = "the weights cannot be checked"


def schema(space: NetworkSpace) -> dict[str, list[Any]]:
    """The decisions of a space in their order, each with its values: what a choice indexes."""
    return {d.name: list(plain(d.values)) for d in space.space.decisions}


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as problem:
        reason = problem.strerror or problem
        raise AccuracyError(f"{path}: cannot be read ({reason})") from problem
