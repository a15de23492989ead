"""The Keras model of a design: its child's where one was trained, else the network, not trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nahas.children.export.child import read_child
from nahas.children.graph import keras_model
from nahas.children.jobs import folder_of
from nahas.children.keras_file import weights_hash
from nahas.children.saved import MODEL
from nahas.errors import UsageError
from nahas.outcome.card import NOT_TRAINED
from nahas.outcome.chosen import Chosen
from nahas.result import SearchResult
from nahas.spaces.from_file import in_file, without_file

FILE = "model.keras"

CHILDREN = "children"
"""The folder beside a study where the children of a search are."""


@dataclass(frozen=True, kw_only=True)
class OutcomeModel:
    """A Keras model, and what is known of it.

    Attributes:
        keras: the model.
        name: of the model, which says so where it is not trained.
        task: fields of `Task` that it was trained for; None where it is not trained.
        trained: what its training card says; None where it is not trained.
    """

    keras: Any
    name: str
    task: Mapping[str, Any] | None
    trained: Mapping[str, Any] | None

    def document(self) -> dict[str, Any]:
        """What the card says of the model."""
        weights = [np.asarray(weight) for weight in self.keras.get_weights()]
        return {
            "file": FILE,
            "state": NOT_TRAINED if self.trained is None else "trained",
            "trained": self.trained,
            "input": list(self.keras.input_shape[1:]),
            "weights_sha256": weights_hash(weights),
        }


def model_of(result: SearchResult, of: Chosen, child: Path | None) -> OutcomeModel:
    """The child of a design where one is kept, else its network with random weights.

    Args:
        result: of the study.
        of: the design.
        child: folder or file of the child to take; None looks in `CHILDREN` beside the study.

    Raises:
        UsageError: when `child` is one of another network.
        TrainingError: when a child is damaged.
    """
    name = of.design.network
    kept = child or _kept(result, of)
    if kept is None:
        called = f"{_plain(name)}_not_trained"
        function = result.joint.network_space.function(of.choice)
        return OutcomeModel(
            keras=keras_model(function, name=called), name=called, task=None, trained=None
        )
    read = read_child(kept)
    theirs = (
        without_file(read.network) if in_file(read.network.rpartition(":")[0]) else read.network
    )
    if theirs != name:
        raise UsageError(f"--child {kept} is a child of {theirs}, but the design has {name}")
    card = read.card
    told = ("accuracy_percent", "test_percent", "epochs", "recipe", "weights_sha256")
    return OutcomeModel(
        keras=read.model,
        name="child",
        task=card["dataset"]["task"],
        trained={key: card.get(key) for key in told}
        | {
            "dataset": card["dataset"]["name"],
            "classes": card["dataset"]["classes"],
            "mean": card["dataset"]["mean"],
            "deviation": card["dataset"]["deviation"],
        },
    )


def _kept(result: SearchResult, of: Chosen) -> Path | None:
    """The child of the design's network beside the study."""
    if result.study is None:
        return None
    space = result.joint.network_space
    names = {of.design.network, space.full_name(space.space.values(of.choice))}
    for name in sorted(names):
        folder = folder_of(result.study.parent / CHILDREN, name)
        if (folder / MODEL).is_file():
            return folder
    return None


def _plain(name: str) -> str:
    """A network's name as Keras takes it for a model's."""
    return "".join(each if each.isalnum() or each in "-_." else "_" for each in name)[:120]
