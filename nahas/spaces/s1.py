"""The paper's first space: MobileNetV2 with the kernel and expansion of every block open.

Each of the 17 inverted bottlenecks chooses its kernel (3, 5, 7) and, but for the first, its
expansion (3, 6); channels, strides and repeats are MobileNetV2's. Lists: paper notes, section 4.1,
with middling certainty; 3 * 6**16 = 8.46e12 networks agrees with the size recalled of the paper.
"""

from __future__ import annotations

import re
from typing import Any, TypeVar

from nahas.spaces.blocks import Bottleneck, classifier, conv, ibn
from nahas.spaces.builder import Builder
from nahas.spaces.networks import Link, NetworkSpace, Values
from nahas.spaces.skeletons import MOBILENET_V2
from nahas.spaces.space import Decision, Space

T = TypeVar("T")

RESOLUTION = 224
CLASSES = 1000
STEM = 32
HEAD = 1280
KERNELS = (3, 5, 7)
EXPANSIONS = (3, 6)
BLOCKS = tuple(
    (stage.filters, stage.stride if repeat == 0 else 1)
    for stage in MOBILENET_V2
    for repeat in range(stage.repeats)
)
"""Output channels and stride of every block."""

_BLOCK = re.compile(r"(?:e(\d+))?k(\d+)")


def network_space() -> NetworkSpace:
    """The space `s1`: 33 decisions, 8.46e12 networks."""
    decisions = tuple(_decisions(block) for block in range(len(BLOCKS)))
    blocks = (_block(block, of_block) for block, of_block in enumerate(decisions))
    links = (Link((), _stem), *blocks, Link((), _head))
    return NetworkSpace(Space("s1", tuple(d for ds in decisions for d in ds)), links, spell, read)


def _decisions(block: int) -> tuple[Decision, ...]:
    kernel = Decision(f"block{block}_k", KERNELS)
    return (
        (kernel,) if block == 0 else (Decision(f"block{block}_e", EXPANSIONS, widths=True), kernel)
    )


def _stem(on: Builder[T], _: None, _values: Values) -> T:
    return conv(on, on.input(RESOLUTION, RESOLUTION, 3), STEM, 3, 2, "relu6")


def _block(block: int, decisions: tuple[Decision, ...]) -> Link:
    filters, stride = BLOCKS[block]

    def build(on: Builder[T], x: T, values: Values) -> T:
        shape = Bottleneck(
            filters=filters,
            kernel=values[f"block{block}_k"],
            expansion=values.get(f"block{block}_e", 1),
            stride=stride,
            activation="relu6",
        )
        return ibn(on, x, shape)

    return Link(tuple(decision.name for decision in decisions), build)


def _head(on: Builder[T], x: T, _values: Values) -> T:
    return classifier(on, x, HEAD, CLASSES)


def spell(values: Values) -> str:
    """Named values as text: `k3-e6k5-...`, a block each."""
    return "-".join(
        (f"e{values[f'block{i}_e']}" if i else "") + f"k{values[f'block{i}_k']}"
        for i in range(len(BLOCKS))
    )


def read(text: str) -> Values | None:
    """The named values of `spell`'s text; None where it has another form."""
    blocks = [_BLOCK.fullmatch(part) for part in text.split("-")]
    if len(blocks) != len(BLOCKS):
        return None
    values: dict[str, Any] = {}
    for i, match in enumerate(blocks):
        if match is None or (match[1] is None) != (i == 0):
            return None
        values |= {f"block{i}_e": int(match[1])} if i else {}
        values[f"block{i}_k"] = int(match[2])
    return values
