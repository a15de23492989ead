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

from nahas.costmodel.features import space_fingerprint
from nahas.costmodel.samples import Simulate
from nahas.energy import Tables, packaged_tables
from nahas.errors import CostModelError
from nahas.files import json_text, write_text
from nahas.kernels._jit import kernel_fingerprint
from nahas.spaces.joint import JointSpace
from nahas.vocabulary import Objective

SCHEMA_VERSION = 1
"""Version of the card; a reader refuses any other."""

PROBES = 8
"""Designs simulated to know a simulator again."""

Errors = dict[str, dict[str, dict[str, float | None]]]
"""By split, by head: the measures of `train.errors_of`; None where one is not defined."""


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Whose costs a model learned; a model serves only where all are the same.

    Attributes:
        space: name of the joint space.
        space_fingerprint: of its decisions and values.
        kernels_fingerprint: of the simulator's kernels that made the labels.
        tables_fingerprint: of the energy and area tables that made the labels.
        probes_fingerprint: of the costs of a few fixed designs, nine digits each: whatever else
            changes a cost, in the blocks of networks or the rules between layers, changes it.
    """

    space: str
    space_fingerprint: str
    kernels_fingerprint: str
    tables_fingerprint: str
    probes_fingerprint: str


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


def origin_here(joint: JointSpace, tables: Tables | None, simulate: Simulate) -> Origin:
    """The origin of what would be learned here and now."""
    costs = simulate(joint.space.sample(PROBES, np.random.default_rng(0)))
    numbers = np.concatenate([costs.latency_ms, costs.energy_mj, costs.area_mm2])
    text = " ".join(f"{number:.9g}" for number in numbers)
    return Origin(
        space=joint.space.name,
        space_fingerprint=space_fingerprint(joint.space),
        kernels_fingerprint=kernel_fingerprint(),
        tables_fingerprint=(tables or packaged_tables()).fingerprint,
        probes_fingerprint=hashlib.sha256(text.encode()).hexdigest()[:16],
    )


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


def check_origin(card: Card, here: Origin, path: Path) -> None:
    """Refuse a card of another space, simulator or table.

    Raises:
        CostModelError: naming what differs, and what to do.
    """
    what = {
        "space": "space",
        "space_fingerprint": f"version of space '{here.space}'",
        "kernels_fingerprint": "version of the simulator's kernels",
        "tables_fingerprint": "set of energy and area tables",
        "probes_fingerprint": "simulator: the costs of fixed designs differ",
    }
    for field, name in what.items():
        theirs, ours = getattr(card.origin, field), getattr(here, field)
        if theirs != ours:
            raise CostModelError(
                f"{path}: learned from another {name} ('{theirs}', here '{ours}'); "
                "train it again with 'nahas train-costmodel'"
            )
