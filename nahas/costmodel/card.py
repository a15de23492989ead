"""The card of a cost model: what it was learned from, how well, and with what."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.children.keras_file import weights_hash
from nahas.costmodel.held_out import Errors
from nahas.costmodel.origin import Origin
from nahas.datafiles import check_schema_version
from nahas.errors import CostModelError
from nahas.files import json_text, write_text
from nahas.vocabulary import Objective

SCHEMA_VERSION = 3
"""Version of the card; a reader refuses any other."""


@dataclass(frozen=True, kw_only=True)
class Card:
    """Facts about one trained cost model.

    Attributes:
        weights_sha256: of the weights of the model beside the card and of the layers that use
            them, `model_hash`.
        origin: whose costs it learned.
        space: name of the network space; that of the accelerators is in the origin.
        recipe: how it was made, the fields of `recipe.Recipe`.
        samples: designs drawn; `feasible` of them could run. Rows of each split in `split_sizes`.
        validity: whether the model says if a design can run, in words.
        errors: by split and head, on designs that it did not learn from.
        calibration: mean signed error in percent by accelerator parameter, value and head.
        worst: the held-out designs that are predicted worst, and why.
        best_epochs: for each member the row of the log whose weights it has.
        versions: of nahas, Python and the distributions that a number may depend on.
    """

    weights_sha256: str
    origin: Origin
    space: str
    recipe: dict[str, Any]
    samples: int
    feasible: int
    split_sizes: dict[str, int]
    validity: str
    errors: Errors
    calibration: dict[str, dict[str, dict[str, float]]]
    worst: list[dict[str, Any]]
    best_epochs: list[dict[str, float]]
    versions: dict[str, str | None]
    schema_version: int = SCHEMA_VERSION

    @property
    def objective(self) -> Objective:
        """What the mapper minimised in the costs that were learned."""
        return Objective[str(self.recipe["objective"]).upper()]


def card_path(model: Path) -> Path:
    """The card's place: beside the model, with the ending .json."""
    return model.with_suffix(".json")


def model_hash(config: str, weights: Iterable[NDArray[np.float32]]) -> str:
    """The SHA-256 of a model, in hex: its layers, their settings and how they are joined, weights.

    Equal runs have equal ones, though a .keras file holds the time of day as well.

    Args:
        config: the layers as Keras writes them, in JSON.
        weights: in their order.
    """

    def lasting(part: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in part.items() if key != "shared_object_id"}

    layers = json.dumps(json.loads(config, object_hook=lasting), sort_keys=True)
    return hashlib.sha256((layers + weights_hash(weights)).encode()).hexdigest()


def write_card(card: Card, path: Path) -> None:
    """Write the card as JSON, whole or not at all."""
    write_text(path, json_text(asdict(card)))


def card_content(path: Path) -> dict[str, Any]:
    """The keys of a card of any kind.

    Raises:
        CostModelError: when it is missing or damaged.
    """
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise CostModelError(f"{path}: cannot be read ({problem.strerror or problem})") from problem
    except ValueError as problem:
        raise CostModelError(f"{path}: is not the card of a cost model ({problem})") from problem
    if not isinstance(content, dict):
        raise CostModelError(f"{path}: is not the card of a cost model (it holds no object)")
    return content


def read_card(path: Path) -> Card:
    """Read a card.

    Raises:
        CostModelError: when it is missing, damaged, of another schema version, or of a model of
            layers.
    """
    content = card_content(path)
    if content.get("level") == "layer":
        raise CostModelError(
            f"{path}: is the card of a model of layers, but one of designs is needed; "
            "train one with 'nahas train-costmodel' without --level"
        )
    check_schema_version(content, path, SCHEMA_VERSION, CostModelError)
    names = {field.name for field in fields(Card)}
    if set(content) != names:
        raise CostModelError(f"{path}: keys missing or unknown: {sorted(names ^ set(content))}")
    recipe = content["recipe"] if isinstance(content["recipe"], dict) else {}
    if recipe.get("objective") not in {objective.name.lower() for objective in Objective}:
        raise CostModelError(f"{path}:recipe.objective is unknown: {recipe.get('objective')!r}")
    try:
        return Card(**{**content, "origin": Origin(**content["origin"])})
    except TypeError as problem:
        raise CostModelError(f"{path}:origin is incomplete ({problem})") from problem
