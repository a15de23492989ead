"""A trained child as files: the Keras model, which trains and converts alone, and its card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nahas.children.checkpoint import Arrays
from nahas.children.data import Dataset
from nahas.children.graph import keras_model
from nahas.children.keras_file import weights_hash, write_keras
from nahas.children.quiet import import_keras
from nahas.children.recipe import Recipe
from nahas.children.train import Trained
from nahas.files import json_text, write_text
from nahas.manifest import installed_version, versions
from nahas.spaces.task import NetworkFunction, Task, function_for_task

SCHEMA_VERSION = 1
"""Version of the card."""

MODEL = "child.keras"
CARD = "child.json"


@dataclass(frozen=True, kw_only=True)
class ChildCard:
    """Facts about a trained child, beside its model.

    Attributes:
        network: its name.
        dataset: what it learned: its name, the images of each part, its classes, mean and
            deviation of the pixels over 255, by which an input is standardised, and the fields
            of `Task`.
        recipe: how, the fields of `Recipe`.
        accuracy_percent: top-1 on the validation images.
        test_percent: top-1 on the test images; None where they were not looked at.
        epochs: that it finished, in `seconds`.
        reason: why it ended before its end, if it did.
        parameters: number of its weights that are learned.
        weights_sha256: of its weights in their order.
        keras_backend: what Keras computed with.
        versions: of nahas, Python and the distributions that a number may depend on.
    """

    network: str
    dataset: Mapping[str, Any]
    recipe: Mapping[str, Any]
    accuracy_percent: float
    test_percent: float | None
    epochs: int
    seconds: float
    reason: str
    parameters: int
    weights_sha256: str
    keras_backend: str
    versions: Mapping[str, str | None]
    schema_version: int = SCHEMA_VERSION


def standalone(function: NetworkFunction, task: Task, weights: Arrays) -> Any:
    """The Keras model of a trained child, of Keras' own layers alone; its output is logits.

    Args:
        function: the network, for images of any size.
        task: what it was trained for.
        weights: of `Trained`.
    """
    model = keras_model(function_for_task(function, task), name="child")
    model.set_weights(weights)
    return model


def save_child(
    folder: Path,
    network: str,
    function: NetworkFunction,
    dataset: Dataset,
    recipe: Recipe,
    trained: Trained,
    test_percent: float | None = None,
) -> ChildCard:
    """Write a child's model and card into a folder, each whole or not at all.

    Raises:
        OSError: when they cannot be written.
    """
    backend = import_keras().backend.backend()
    card = ChildCard(
        network=network,
        dataset=about(dataset),
        recipe=asdict(recipe),
        accuracy_percent=trained.accuracy_percent,
        test_percent=test_percent,
        epochs=trained.epochs,
        seconds=round(trained.seconds, 3),
        reason=trained.reason.value,
        parameters=trained.parameters,
        weights_sha256=weights_hash(trained.weights),
        keras_backend=backend,
        versions={**versions(), backend: installed_version(backend)},
    )
    write_keras(standalone(function, dataset.task, trained.weights), folder / MODEL)
    write_text(folder / CARD, json_text(asdict(card)))
    return card


def about(dataset: Dataset) -> dict[str, Any]:
    """What a card says of a data set."""
    return {
        "name": dataset.name,
        "images": dict(dataset.sizes),
        "classes": list(dataset.classes),
        "mean": [float(mean) for mean in dataset.mean],
        "deviation": [float(deviation) for deviation in dataset.deviation],
        "task": asdict(dataset.task),
    }
