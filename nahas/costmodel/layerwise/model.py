"""The trained model of layers: predicts, is saved with its card, and is read again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.children.keras_file import weights_hash, write_keras
from nahas.costmodel.card import card_content, card_path
from nahas.costmodel.checkpoint import Row
from nahas.costmodel.held_out import Errors
from nahas.costmodel.keras_file import read_keras
from nahas.costmodel.layerwise.costs import costs_of
from nahas.costmodel.layerwise.features import (
    LAYER_FIELDS,
    LEARNED_FIELDS,
    Floats,
    features,
    known,
)
from nahas.costmodel.layerwise.origin import origin_here
from nahas.costmodel.logs import log_path, write_log
from nahas.costmodel.model import model_path
from nahas.costmodel.origin import Origin, check_origin
from nahas.datafiles import check_schema_version
from nahas.energy import Tables
from nahas.errors import CostModelError
from nahas.files import json_text, write_text
from nahas.hardware import Hardware
from nahas.kernels.records import HardwareRow, LayerRow
from nahas.network import LayerStack, Network, stacked
from nahas.sequence import estimate_designs, hardware_rows
from nahas.simulate import clocks_mhz, design_totals
from nahas.spaces.joint import JointSpace
from nahas.spaces.space import ChoiceArray
from nahas.tile_bench.source import Pairs
from nahas.vocabulary import LayerKind, Objective

SCHEMA_VERSION = 1
"""Version of the card; a reader refuses any other."""

LEVEL = "layer"
"""What the card says it is of, where others say nothing."""

BATCH = 8192

DESIGNS = 512
"""Designs predicted at a time: some 50 MB of intermediate tables."""


@dataclass(frozen=True, kw_only=True)
class LayerCard:
    """Facts about one trained model of layers.

    Attributes:
        weights_sha256: of the weights of the model beside the card.
        origin: whose costs it learned.
        objective: what the mapper minimised.
        seed, pairs, epochs, hidden: how it was made; `pairs` is how many it learned from.
        ranges: least and largest value learned, by field of layers and of accelerators; beyond
            them it refuses to predict.
        errors: by what it did not learn from, layers and whole networks, and by cost: measures of
            `held_out.errors_of`. They count what is beyond the ranges too.
        versions: of nahas, Python and the distributions that a number may depend on.
    """

    weights_sha256: str
    origin: Origin
    objective: str
    seed: int
    pairs: int
    epochs: int
    hidden: list[int]
    ranges: dict[str, list[float]]
    errors: Errors
    versions: dict[str, str | None]
    level: str = LEVEL
    schema_version: int = SCHEMA_VERSION


@dataclass(frozen=True)
class LayerCostModel:
    """A trained model of layers on accelerators, and its card.

    Attributes:
        keras_model: features [N, 46] to heads [N, 9].
        card: facts about it.
        tables: energy and area tables; None is the packaged ones.
        history: a row for each epoch that was learned; empty where the model was read.
    """

    keras_model: Any
    card: LayerCard
    tables: Tables | None = None
    history: list[Row] = field(default_factory=list)

    def predict(
        self,
        networks: Sequence[Network],
        hardware: Sequence[Hardware],
        *,
        extrapolate: bool = False,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Latency in ms and energy in mJ [B] of designs: `networks[i]` on `hardware[i]`.

        As if every layer could run: it does not say which cannot.

        Args:
            networks: B of them; none gives empty arrays.
            hardware: B accelerators.
            extrapolate: predict layers and accelerators beyond what was learned as well.

        Raises:
            CostModelError: when the lengths differ, or a layer or an accelerator is beyond what
                was learned.
            NetworkError: when a network cannot be simulated.
            EnergyError: when an accelerator is outside the tables.
        """
        if len(networks) != len(hardware):
            raise CostModelError(
                f"predict got {len(networks)} networks and {len(hardware)} accelerators: "
                "give one accelerator per network"
            )
        if not networks:
            return np.empty(0), np.empty(0)
        layers = stacked([network.table for network in networks])
        return self._predicted(layers, hardware, extrapolate=extrapolate)

    def predict_choices(
        self, joint: JointSpace, choices: ChoiceArray
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """As `predict` of `joint.designs(choices)` [B, D], but no network is built.

        Raises:
            SpaceError: when the choices are not of the space.
            CostModelError: when a layer or an accelerator is beyond what was learned.
        """
        networks, accelerators = joint.split(choices)
        hardware = [joint.hardware(row) for row in accelerators]
        latency_ms, energy_mj = np.empty(len(choices)), np.empty(len(choices))
        for start in range(0, len(choices), DESIGNS):
            some = slice(start, start + DESIGNS)
            layers = joint.network_tables.of(networks[some]).layers
            latency_ms[some], energy_mj[some] = self._predicted(layers, hardware[some])
        return latency_ms, energy_mj

    def _predicted(
        self, layers: LayerStack, hardware: Sequence[Hardware], *, extrapolate: bool = False
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        points = hardware_rows(hardware, self.tables)
        if not extrapolate:
            mapped = layers.rows[layers.rows[:, 0] == LayerKind.CONVOLUTION]
            self._check("a layer", LayerRow._fields, LAYER_FIELDS, mapped)
            self._check("an accelerator", HardwareRow._fields, LEARNED_FIELDS, points)
        outcome = estimate_designs(layers, points, self._costs)
        latency_ms, energy_mj, _ = design_totals(outcome, points, clocks_mhz(hardware))
        return latency_ms, energy_mj

    def costs(self, pairs: Pairs) -> Floats:
        """Costs [N, 18], records.COST, of layers alone."""
        of = known(pairs)
        return costs_of(of, pairs.stays, predict_heads(self.keras_model, features(of, pairs.stays)))

    def _costs(
        self,
        rows: NDArray[np.int64],
        points: Floats,
        pairs: NDArray[np.int64],
        stays: Floats,
    ) -> Floats:
        return self.costs(Pairs(rows, points, pairs, stays))

    def _check(
        self, what: str, names: Sequence[str], seen: Sequence[str], rows: NDArray[Any]
    ) -> None:
        for name in seen:
            column = rows[:, names.index(name)]
            least, most = self.card.ranges[name]
            beyond = column[(column < least) | (column > most)]
            if len(beyond):
                raise CostModelError(
                    f"{name} of {what} is {beyond[0]:g}, but the model learned "
                    f"{least:g} to {most:g}"
                )

    def save(self, path: str | Path) -> None:
        """Write the Keras file, then its card and its log of epochs; each whole or not at all.

        Raises:
            CostModelError: when the name does not end in .keras or cannot be written.
        """
        path = model_path(path)
        try:
            write_keras(self.keras_model, path)
            write_text(card_path(path), json_text(asdict(self.card)))
            if self.history:
                write_log(self.history, log_path(path))
        except OSError as problem:
            raise CostModelError(
                f"{path}: cannot be written ({problem.strerror or problem})"
            ) from problem


def predict_heads(keras_model: Any, seen: NDArray[np.float32]) -> NDArray[np.float32]:
    """The model's outputs [N, 9] for features [N, F]."""
    heads = np.empty((len(seen), keras_model.output_shape[-1]), np.float32)
    for start in range(0, len(seen), BATCH):
        some = slice(start, start + BATCH)
        # The call itself: `predict` would trace a new graph for every model.
        heads[some] = keras_model(seen[some], training=False)
    return heads


def load(path: str | Path, tables: Tables | None = None) -> LayerCostModel:
    """Read a model of layers with its card, for this simulator.

    Args:
        path: the .keras file; the card lies beside it.
        tables: energy and area tables in use; None is the packaged ones.

    Raises:
        CostModelError: when a file is missing or damaged, the two do not belong together, or
            the model learned another simulator or table.
    """
    path = model_path(path)
    card = read_layer_card(card_path(path))
    here = origin_here(Objective[card.objective.upper()], tables)
    remedy = "train it again with 'nahas train-costmodel --level layer'"
    check_origin(card.origin, here, path, remedy)
    keras_model = read_keras(path)
    if weights_hash(keras_model.get_weights()) != card.weights_sha256:
        raise CostModelError(
            f"{path}: is not the model that {card_path(path)} describes (their hashes differ)"
        )
    return LayerCostModel(keras_model, card, tables)


def read_layer_card(path: Path) -> LayerCard:
    """Read the card of a model of layers.

    Raises:
        CostModelError: when it is missing, damaged, of another schema version, or of a model of
            designs.
    """
    content = card_content(path)
    if content.get("level") != LEVEL:
        raise CostModelError(
            f"{path}: is not the card of a model of layers; "
            "train one with 'nahas train-costmodel --level layer'"
        )
    check_schema_version(content, path, SCHEMA_VERSION, CostModelError)
    names = {of.name for of in fields(LayerCard)}
    if set(content) != names:
        raise CostModelError(f"{path}: keys missing or unknown: {sorted(names ^ set(content))}")
    if content["objective"] not in {objective.name.lower() for objective in Objective}:
        raise CostModelError(f"{path}:objective is unknown: '{content['objective']}'")
    try:
        return LayerCard(**{**content, "origin": Origin(**content["origin"])})
    except TypeError as problem:
        raise CostModelError(f"{path}:origin is incomplete ({problem})") from problem
