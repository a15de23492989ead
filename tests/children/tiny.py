"""Small things to train: a network of two bottlenecks, a space of four, some images."""

from __future__ import annotations

from typing import Any

import pytest

from nahas.children.data import Dataset, open_dataset
from nahas.children.recipe import Recipe
from nahas.errors import DataError
from nahas.spaces.blocks import Bottleneck, classifier, conv, ibn
from nahas.spaces.networks import Link, NetworkSpace
from nahas.spaces.space import Decision, Space

RECIPE = Recipe(epochs=2, batch=32, learning_rate=0.05)


def images(limit: int) -> Dataset:
    """Fashion-MNIST, as many images of it."""
    try:
        return open_dataset("fashion-mnist", limit=limit)
    except DataError as problem:
        pytest.skip(f"no Fashion-MNIST: {problem}")


def stem(on: Any, _: Any, _values: Any) -> Any:
    return conv(on, on.input(224, 224, 3), 16, 3, 2)


def block(on: Any, x: Any, values: Any) -> Any:
    shape = Bottleneck(filters=24, kernel=values["k"], expansion=values["e"], stride=2)
    return ibn(on, x, shape)


def head(on: Any, x: Any, _values: Any) -> Any:
    return classifier(on, x, 64, 1000)


def space() -> NetworkSpace:
    """Four networks."""
    decisions = (Decision("k", (3, 5)), Decision("e", (2, 3)))
    links = (Link((), stem), Link(("k", "e"), block), Link((), head))
    return NetworkSpace(
        Space("tiny", decisions),
        links,
        lambda values: f"k{values['k']}e{values['e']}",
        lambda text: {"k": int(text[1]), "e": int(text[3])},
    )


def network(on: Any) -> Any:
    """One of them."""
    return space().build(on, {"k": 3, "e": 3})
