"""Spaces around a network of inverted bottlenecks: the kernel and expansion of each are open.

Channels, strides and repeats stay the network's, and so does the first expansion, which is none.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Any, TypeVar

from nahas.spaces.blocks import Bottleneck, classifier, conv, ibn
from nahas.spaces.builder import Builder
from nahas.spaces.networks import Link, NetworkSpace, Values
from nahas.spaces.skeletons import HEAD, STEM, Stage, one_by_one
from nahas.spaces.space import Decision, Space

T = TypeVar("T")

RESOLUTION = 224
CLASSES = 1000
KERNELS = (3, 5, 7)
EXPANSIONS = (3, 6)

_BLOCK = re.compile(r"(?:e(\d+))?k(\d+)", re.ASCII)


def kernel_and_expansion(
    name: str, stages: tuple[Stage, ...], activation: str = "relu"
) -> NetworkSpace:
    """The space of this name around the blocks of `stages`."""
    blocks = one_by_one(stages)
    decisions = tuple(_decisions(block) for block in range(len(blocks)))
    links = (
        Link((), partial(_stem, activation)),
        *(_link(i, block, decisions[i], activation) for i, block in enumerate(blocks)),
        Link((), _head),
    )
    space = Space(name, tuple(d for of_block in decisions for d in of_block))
    return NetworkSpace(space, links, partial(_spell, len(blocks)), partial(_read, len(blocks)))


def _decisions(block: int) -> tuple[Decision, ...]:
    kernel = Decision(f"block{block}_k", KERNELS)
    return (
        (kernel,) if block == 0 else (Decision(f"block{block}_e", EXPANSIONS, widths=True), kernel)
    )


def _stem(activation: str, on: Builder[T], _: None, _values: Values) -> T:
    return conv(on, on.input(RESOLUTION, RESOLUTION, 3), STEM, 3, 2, activation)


def _link(i: int, block: Stage, decisions: tuple[Decision, ...], activation: str) -> Link:
    def build(on: Builder[T], x: T, values: Values) -> T:
        shape = Bottleneck(
            filters=block.filters,
            kernel=values[f"block{i}_k"],
            expansion=values.get(f"block{i}_e", 1),
            stride=block.stride,
            activation=activation,
        )
        return ibn(on, x, shape)

    return Link(tuple(decision.name for decision in decisions), build)


def _head(on: Builder[T], x: T, _values: Values) -> T:
    return classifier(on, x, HEAD, CLASSES)


def _spell(blocks: int, values: Values) -> str:
    """Named values as text: `k3-e6k5-...`, a block each."""
    return "-".join(
        (f"e{values[f'block{i}_e']}" if i else "") + f"k{values[f'block{i}_k']}"
        for i in range(blocks)
    )


def _read(blocks: int, text: str) -> Values | None:
    """The named values of `_spell`'s text; None where it has another form."""
    parts = [_BLOCK.fullmatch(part) for part in text.split("-")]
    if len(parts) != blocks:
        return None
    values: dict[str, Any] = {}
    for i, match in enumerate(parts):
        if match is None or (match[1] is None) != (i == 0):
            return None
        values |= {f"block{i}_e": int(match[1])} if i else {}
        values[f"block{i}_k"] = int(match[2])
    return values if _spell(blocks, values) == text else None
