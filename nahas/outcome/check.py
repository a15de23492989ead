"""Whether a design that was built again is the one that a folder holds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from math import isclose
from pathlib import Path
from typing import Any

import numpy as np

from nahas.children.keras_file import weights_hash
from nahas.children.quiet import import_keras
from nahas.datafiles import check_schema_version
from nahas.errors import StudyError
from nahas.outcome.card import SCHEMA_VERSION, costs_document
from nahas.simulate import NetworkCost

CARD, LAYERS = "card.json", "layers.json"

TOLERANCE = 1e-9
"""Relative, of costs: the last bits of a sum differ between processors."""

WEIGHT_TOLERANCE = 1e-6
"""Absolute, of random weights: those of a normal distribution differ in the last bits."""

MOST = 20
"""Differences that are told; more say nothing new."""


def differences(folder: Path, cost: NetworkCost, model: Any) -> list[str]:
    """How a design that was built again differs from that of a folder, a sentence each.

    Files are those that were written; costs are equal in every layer; the Keras model has the
    same layers and, where it is not trained, the same weights.

    Args:
        folder: of `write_outcome`.
        cost: the network on the accelerator, simulated again.
        model: the Keras model, built again, not trained.

    Raises:
        StudyError: when there is no card, or it is damaged or of another version.
    """
    card = read_card(folder)
    found = list(_changed_files(folder, card["sha256"]))
    told = json.loads((folder / LAYERS).read_text(encoding="utf-8"))
    document = costs_document(cost)
    found += _unequal("", told, document)
    found += _unequal("total.", card["total"], document["total"])
    found += _other_model(folder / card["model"]["file"], card["model"], model)
    return found[:MOST]


def read_card(folder: Path) -> dict[str, Any]:
    """The card of a folder that `write_outcome` made.

    Raises:
        StudyError: when there is none, or it is damaged or of another version.
    """
    path = folder / CARD
    try:
        card: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise StudyError(f"{path}: cannot be read as the card of a design ({problem})") from problem
    if not isinstance(card, dict) or not {"network", "hardware", "sha256"} <= card.keys():
        raise StudyError(f"{path}: is not the card of a design that nahas exported")
    check_schema_version(card, path, SCHEMA_VERSION, StudyError)
    return card


def file_hash(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _changed_files(folder: Path, hashes: Mapping[str, str]) -> Iterator[str]:
    for name, told in hashes.items():
        path = folder / name
        if not path.is_file():
            yield f"{name} is missing"
        elif file_hash(path) != told:
            yield f"{name} is not the file that was written"


def _unequal(where: str, told: Any, made: Any) -> Iterator[str]:
    """Every place where two JSON documents differ."""
    if isinstance(told, dict) and isinstance(made, dict):
        for name in sorted(told.keys() | made.keys()):
            yield from _unequal(f"{where}{name}.", told.get(name), made.get(name))
    elif isinstance(told, list) and isinstance(made, list) and len(told) == len(made):
        for i, (one, other) in enumerate(zip(told, made, strict=True)):
            yield from _unequal(f"{where}{i}.", one, other)
    elif isinstance(told, float) and isinstance(made, int | float):
        if not isclose(told, made, rel_tol=TOLERANCE):
            yield f"{where[:-1]} is {made!r}, but was {told!r}"
    elif told != made:
        yield f"{where[:-1]} is {made!r}, but was {told!r}"


def _other_model(path: Path, told: Mapping[str, Any], model: Any) -> Iterator[str]:
    try:
        kept = import_keras().models.load_model(path, compile=False)
    except Exception as problem:  # of a damaged file Keras and zipfile raise whatever it leads to
        yield f"{path.name} cannot be read as a Keras model ({' '.join(str(problem).split())})"
        return
    for one, other in zip(kept.layers, model.layers, strict=False):
        if _about(one) != _about(other):
            yield f"layer '{one.name}' of {path.name} is '{other.name}' when it is built again"
            return
    if len(kept.layers) != len(model.layers):
        yield f"{path.name} has {len(kept.layers)} layers, but {len(model.layers)} are built"
        return
    weights = [np.asarray(weight) for weight in kept.get_weights()]
    if weights_hash(weights) != told["weights_sha256"]:
        yield f"{path.name} has other weights than the card says"
    if told["trained"] is None:
        built = [np.asarray(weight) for weight in model.get_weights()]
        alike = zip(weights, built, strict=True)
        if not all(np.allclose(*pair, rtol=0, atol=WEIGHT_TOLERANCE) for pair in alike):
            yield f"{path.name} has other weights than those of its seed"


def _about(layer: Any) -> tuple[str, str, list[tuple[int, ...]]]:
    return (
        type(layer).__name__,
        layer.name,
        [tuple(weight.shape) for weight in layer.weights],
    )
