"""ImageNet accuracy of the `mnasnet` space, predicted from measured networks.

A Gaussian process on 61 features of a network's choice: what is chosen, and how large that
makes each stage and the whole. `nahas.accuracy.fit` makes it; what ships is the choices that it
was fitted on, a weight of each, and a card that says how it was made and how well it predicts.
Prediction needs NumPy alone.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from nahas.accuracy.gaussian import Floats, covariance
from nahas.datafiles import check_schema_version, packaged
from nahas.errors import AccuracyError, SpaceError
from nahas.spaces import mnasnet
from nahas.spaces.space import ChoiceArray

SCHEMA_VERSION = 1
"""Version of weights and card; a reader refuses any other."""

LABEL = "ImageNet top-1 % of the 16-epoch recipe, predicted"

WEIGHTS = "accuracy_mnasnet.npz"
"""The packaged weights; their card is beside them, ending in .json."""

ROWS_AT_ONCE = 512
"""Rows predicted together: 512 x 4,100 covariances are 17 MB, which stays in the cache."""


_SPACE = mnasnet.network_space().space


def features(choices: ChoiceArray) -> Floats:
    """What the process sees of choices [B, 28]: [B, 61].

    For each decision and each value but its first, whether the choice is at that value or
    beyond (43); for each stage the logarithms of its multiply-accumulates and parameters (14);
    of the whole network the logarithms of multiply-accumulates, parameters, layers and the
    pixels by which its kernels widen the receptive field (4).
    """
    cardinalities = _SPACE.cardinalities
    steps = [
        choices[:, column] >= value
        for column, cardinality in enumerate(cardinalities)
        for value in range(1, int(cardinality))
    ]
    return np.hstack([np.stack(steps, axis=1).astype(np.float64), _sizes(choices)])


def _sizes(choices: ChoiceArray) -> Floats:
    """The 18 logarithms of sizes of choices [B, 28]."""
    stages = choices.reshape(len(choices), len(mnasnet.CHANNELS), 4)
    decisions = _SPACE.decisions
    expansion = np.array(decisions[0].values)[stages[:, :, 0]].astype(np.float64)
    kernel = np.array(decisions[1].values)[stages[:, :, 1]].astype(np.float64)
    layers = stages[:, :, 2] + 1
    squeezes = stages[:, :, 3]
    size, entering = mnasnet.RESOLUTION // 2, mnasnet.STEM
    whole_macs, whole_parameters = _fixed()
    columns: list[Floats] = []
    reach, pixel = np.zeros(len(choices)), 2
    for i, (leaving, stride) in enumerate(zip(mnasnet.CHANNELS, mnasnet.STRIDES, strict=True)):
        macs, parameters = np.zeros(len(choices)), np.zeros(len(choices))
        for layer in range(mnasnet.MOST_LAYERS[i]):
            before, after = size, size // (stride if layer == 0 else 1)
            hidden = entering * expansion[:, i]
            expand = np.where(expansion[:, i] > 1, entering * hidden, 0.0)
            rest = hidden * (kernel[:, i] ** 2 + leaving)
            squeeze = 2.0 * hidden * (entering // mnasnet.SQUEEZE) * squeezes[:, i]
            there = layer < layers[:, i]
            macs += there * (expand * before**2 + rest * after**2)
            parameters += there * (expand + rest + squeeze)
            size, entering = after, leaving
        pixel *= stride
        reach += pixel * layers[:, i] * (kernel[:, i] - 1.0)
        whole_macs, whole_parameters = whole_macs + macs, whole_parameters + parameters
        columns += [macs, parameters]
    columns += [whole_macs, whole_parameters, layers.sum(axis=1).astype(np.float64), reach]
    return np.log(np.stack(columns, axis=1))


def _fixed() -> tuple[Any, Any]:
    """Multiply-accumulates and parameters of stem and head, which no decision changes."""
    stem = 9 * 3 * mnasnet.STEM
    head = mnasnet.CHANNELS[-1] * mnasnet.HEAD
    classifier = mnasnet.HEAD * mnasnet.CLASSES
    last = mnasnet.RESOLUTION // (2 * int(np.prod(mnasnet.STRIDES)))
    macs = stem * (mnasnet.RESOLUTION // 2) ** 2 + head * last**2 + classifier
    return macs, stem + head + classifier


@dataclass(frozen=True, eq=False)
class Surrogate:
    """Predicted accuracy of `mnasnet` networks; an `AccuracyBackend`.

    Attributes:
        support: [N, 28] choices of the networks it was fitted on.
        weights: [N] weight of each, in percent.
        centre: [61] mean of the features, taken away before they are scaled.
        scales: [61] what they are multiplied with then.
        amplitude: standard deviation of accuracy over the space, in percentage points.
        noise: standard deviation of one measurement, in percentage points: another seed.
        offset: mean accuracy in percent.
    """

    support: ChoiceArray
    weights: Floats
    centre: Floats
    scales: Floats
    amplitude: float
    noise: float
    offset: float

    @property
    def label(self) -> str:
        """What this accuracy is."""
        return LABEL

    def accuracy(self, choices: ChoiceArray) -> Floats:
        """Predicted top-1 in percent [B] of network choices [B, 28].

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
        by `noise` more. The first call inverts an N x N matrix (134 MB for 4,100 networks).

        Raises:
            AccuracyError: when a choice lies outside the space.
        """
        variances = [
            self.amplitude**2 - ((near @ self._precision) * near).sum(axis=1)
            for near in self._covariances(choices)
        ]
        variance: Floats = np.concatenate([np.empty(0), *variances])
        return np.asarray(np.sqrt(np.maximum(variance, 0.0)), dtype=np.float64)

    def _covariances(self, choices: ChoiceArray) -> Iterator[Floats]:
        """Covariances [<= ROWS_AT_ONCE, N] with the support, part by part."""
        check(choices)
        for start in range(0, len(choices), ROWS_AT_ONCE):
            part = self._scaled(choices[start : start + ROWS_AT_ONCE])
            yield covariance(part, self._support, self.amplitude)

    def _scaled(self, choices: ChoiceArray) -> Floats:
        scaled: Floats = (features(choices) - self.centre) * self.scales
        return scaled

    @cached_property
    def _support(self) -> Floats:
        return self._scaled(self.support)

    @cached_property
    def _precision(self) -> Floats:
        noisy = covariance(self._support, self._support, self.amplitude)
        noisy[np.diag_indices_from(noisy)] += self.noise**2
        return np.asarray(np.linalg.inv(noisy), dtype=np.float64)


def check(choices: ChoiceArray) -> None:
    """Raise an AccuracyError unless `choices` are of the space `mnasnet`."""
    try:
        _SPACE.check(choices)
    except SpaceError as problem:
        raise AccuracyError(f"the surrogate knows no such network: {problem}") from problem


def card_path(weights: Path) -> Path:
    """The card's place: beside the weights, with the ending .json."""
    return weights.with_suffix(".json")


def load_surrogate(path: Path | None = None) -> Surrogate:
    """The surrogate that ships with nahas, or one that `nahas fit-surrogate --output` wrote.

    Raises:
        AccuracyError: when weights or card are missing, damaged, of another schema version, or
            do not belong together.
    """
    path = path or packaged(WEIGHTS)
    card = read_card(card_path(path))
    content = _bytes(path)
    if hashlib.sha256(content).hexdigest() != card["weights_sha256"]:
        raise AccuracyError(
            f"{path}: is damaged, or not the file that {card_path(path).name} describes; "
            "fit it again with 'nahas fit-surrogate'"
        )
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return Surrogate(
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


def read_card(path: Path) -> dict[str, Any]:
    """The card of a surrogate.

    Raises:
        AccuracyError: when it is missing, damaged, or of another schema version or space.
    """
    try:
        card: Any = json.loads(_bytes(path))
    except ValueError as problem:
        raise AccuracyError(f"{path}: is not the card of a surrogate ({problem})") from problem
    if not isinstance(card, dict):
        raise AccuracyError(f"{path}: is not the card of a surrogate (it is no JSON object)")
    check_schema_version(card, path, SCHEMA_VERSION, AccuracyError)
    for key, here in (("decisions", schema()), ("label", LABEL)):
        if card.get(key) != here:
            raise AccuracyError(
                f"{path}:{key} is not that of this nahas; fit again with 'nahas fit-surrogate'"
            )
    if not isinstance(card.get("weights_sha256"), str):
        raise AccuracyError(f"{path}:weights_sha256 is missing: the weights cannot be checked")
    return dict(card)


def schema() -> dict[str, list[Any]]:
    """The decisions of the space in their order, each with its values: what a choice indexes."""
    return {d.name: list(d.values) for d in _SPACE.decisions}


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as problem:
        reason = problem.strerror or problem
        raise AccuracyError(f"{path}: cannot be read ({reason})") from problem
