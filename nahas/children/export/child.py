"""A trained child: its model and its card, as `nahas train-child` leaves them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.children.data import Dataset
from nahas.children.data.crops import Pixels, standardised
from nahas.children.export.runs import outputs
from nahas.children.keras_file import weights_hash
from nahas.children.quiet import import_keras
from nahas.children.saved import MODEL
from nahas.errors import DataError, NetworkError, TrainingError
from nahas.spaces.task import Task

TRAIN_IT = "give the child.keras, or its folder, that 'nahas train-child' has written"


@dataclass(frozen=True, eq=False, kw_only=True)
class Child:
    """A child that was trained.

    Attributes:
        model: a Keras model of standardised pixels [B, H, W, C] that gives logits.
        network: its name, as a search prints it.
        mean: [C] of the pixels over 255 that it was trained with.
        deviation: likewise.
        task: the images and classes that it was trained for.
        classes: names of these, in the order of its logits.
        card: what was written beside it when it was trained.
    """

    model: Any
    network: str
    mean: NDArray[np.float32]
    deviation: NDArray[np.float32]
    task: Task
    classes: tuple[str, ...]
    card: Mapping[str, Any]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of its input, which may be larger than the images of its task."""
        _, height, width, _ = self.model.input_shape
        return height, width

    def logits(self, pixels: Pixels) -> NDArray[np.float32]:
        """Logits [B, classes] of pixels of 0 to 255 [B, H, W, C]."""
        seen = standardised(pixels, self.mean, self.deviation)
        return outputs(self.model, seen)


def read_child(path: Path) -> Child:
    """The child of a `.keras` file with its card beside it, or of the folder with both.

    Raises:
        TrainingError: when one of them is missing or damaged, or the model is not a child's.
    """
    path = path / MODEL if path.is_dir() else path
    card = _card(path.with_suffix(".json"))
    keras = import_keras()
    try:
        model = keras.models.load_model(path, compile=False)
    except Exception as problem:  # of a damaged file Keras and zipfile raise whatever it leads to
        reason = " ".join(str(problem).split())
        raise TrainingError(f"{path}: cannot be read as a Keras model ({reason})") from problem
    try:
        data = card["dataset"]
        child = Child(
            model=model,
            network=str(card["network"]),
            mean=np.array(data["mean"], dtype=np.float32),
            deviation=np.array(data["deviation"], dtype=np.float32),
            task=Task(**data["task"]),
            classes=tuple(map(str, data["classes"])),
            card=card,
        )
        shapes = (model.input_shape[-1:], model.output_shape)
        channels, classes = len(child.mean), len(child.classes)
        whole = len(child.deviation) == channels and shapes == ((channels,), (None, classes))
        same = card["weights_sha256"] == weights_hash(map(np.asarray, model.get_weights()))
    except (KeyError, TypeError, ValueError, AttributeError, NetworkError) as problem:
        raise TrainingError(f"{path}: is not a trained child of nahas: {TRAIN_IT}") from problem
    if not whole:
        raise TrainingError(
            f"{path}: has inputs {model.input_shape} and outputs {model.output_shape}, but its "
            f"card tells of {channels} channels and {classes} classes: {TRAIN_IT}"
        )
    if not same:
        raise TrainingError(f"{path}: its card is that of other weights: {TRAIN_IT}")
    return child


def check_dataset(child: Child, dataset: Dataset) -> None:
    """Raise a DataError unless the images and classes are those of the child."""
    given = "give the data set that it was trained on"
    for name in ("height", "width", "channels", "classes"):
        ours, other = getattr(child.task, name), getattr(dataset.task, name)
        if ours != other:
            raise DataError(
                f"{dataset.name} has {name} {other}, but the child was trained with {name} {ours}: "
                f"{given}"
            )
    for own, other in zip(child.classes, dataset.classes, strict=True):
        if own != other:
            raise DataError(
                f"{dataset.name} has a class '{other}' where the child was trained on '{own}': "
                f"{given}"
            )


def is_divided_alike(child: Child, dataset: Dataset) -> bool:
    """Whether the train part has the mean and deviation of that which the child has learned.

    If not, the images are divided otherwise, and the child may have learned some of those that
    it is measured on.
    """
    return np.allclose(child.mean, dataset.mean, atol=1e-6) and np.allclose(
        child.deviation, dataset.deviation, atol=1e-6
    )


def _card(path: Path) -> dict[str, Any]:
    try:
        card: Any = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise TrainingError(
            f"{path}: no such file, but a child has its card there: {TRAIN_IT}"
        ) from None
    except OSError as problem:
        raise TrainingError(f"{path}: cannot be read ({problem.strerror or problem})") from problem
    except ValueError as problem:
        raise TrainingError(f"{path}: is not the card of a child ({problem})") from problem
    if not isinstance(card, dict):
        raise TrainingError(f"{path}: is not the card of a child: {TRAIN_IT}")
    return card
