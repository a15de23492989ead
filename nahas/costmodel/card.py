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

from nahas.costmodel.origin import Origin
from nahas.errors import CostModelError
from nahas.files import json_text, write_text
from nahas.vocabulary import Objective

SCHEMA_VERSION = 2
"""Version of the card; a reader refuses any other."""

Errors = dict[str, dict[str, dict[str, float | None]]]
"""By split, by head: the measures of `train.errors_of`; None where one is not defined."""


@dataclass(frozen=True, kw_only=True)
class Card:
    """Facts about one trained cost model.

    Attributes:
        weights_sha256: of the weights of the model beside the card; a .keras file holds the time
            of day, so its own hash would differ between equal runs.
        origin: whose costs it learned.
        samples: designs drawn; `feasible` of them could run, in the parts of `split_sizes`.
        errors: by split and head.
        versions: of nahas, Python and the distributions that a number may depend on.
    """

    weights_sha256: str
    origin: Origin
    objective: str
    seed: int
    samples: int
    feasible: int
    split_sizes: dict[str, int]
    hidden: list[int]
    epochs: int
    errors: Errors
    versions: dict[str, str | None]
    schema_version: int = SCHEMA_VERSION


def card_path(model: Path) -> Path:
    """The card's place: beside the model, with the ending .json."""
    return model.with_suffix(".json")


def weights_hash(weights: Iterable[NDArray[np.float32]]) -> str:
    """The SHA-256 of weights in their order, in hex."""
    digest = hashlib.sha256()
    for weight in weights:
        digest.update(repr((weight.shape, weight.dtype.str)).encode())
        digest.update(weight.tobytes())
    return digest.hexdigest()


def write_card(card: Card, path: Path) -> None:
    """Write the card as JSON, whole or not at all."""
    write_text(path, json_text(asdict(card)))


def read_card(path: Path) -> Card:
    """Read a card.

    Raises:
        CostModelError: when it is missing, damaged, or of another schema version.
    """
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise CostModelError(f"{path}: cannot be read ({problem.strerror or problem})") from problem
    except ValueError as problem:
        raise CostModelError(f"{path}: is not the card of a cost model ({problem})") from problem
    version = content.get("schema_version") if isinstance(content, dict) else None
    if version != SCHEMA_VERSION:
        raise CostModelError(
            f"{path}:schema_version is {version!r}, but this nahas reads {SCHEMA_VERSION}"
        )
    names = {field.name for field in fields(Card)}
    if set(content) != names:
        raise CostModelError(f"{path}: keys missing or unknown: {sorted(names ^ set(content))}")
    if content["objective"] not in {objective.name.lower() for objective in Objective}:
        raise CostModelError(f"{path}:objective is unknown: '{content['objective']}'")
    try:
        return Card(**{**content, "origin": Origin(**content["origin"])})
    except TypeError as problem:
        raise CostModelError(f"{path}:origin is incomplete ({problem})") from problem
