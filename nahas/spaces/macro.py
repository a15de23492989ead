"""NAS-Bench-Macro: eight positions, three operations each, 6,561 networks on CIFAR-10.

Position by position: 0 is nothing (a 1x1 convolution where the stage begins, which halves the
map and widens it), 1 an inverted bottleneck of kernel 3 and expansion 3, 2 one of kernel 5 and
expansion 6. Parameters and multiply-accumulates equal the benchmark's table in every row.

Source: Su et al., "Prioritized Architecture Sampling with Monto-Carlo Tree Search",
arXiv 2103.11922.
"""

from __future__ import annotations

from typing import TypeVar

from nahas.spaces.blocks import Bottleneck, classifier, conv, ibn
from nahas.spaces.builder import Builder
from nahas.spaces.networks import Link, NetworkSpace, Values
from nahas.spaces.space import Decision, Space

T = TypeVar("T")

RESOLUTION = 32
CLASSES = 10
STEM = 32
HEAD = 1280
CHANNELS = (64, 64, 128, 128, 128, 256, 256, 256)
STRIDES = (2, 1, 2, 1, 1, 2, 1, 1)
IDENTITY = 0
KERNEL_AND_EXPANSION = {1: (3, 3), 2: (5, 6)}


def network_space() -> NetworkSpace:
    """The space `macro`: 8 decisions of 3 operations."""
    operations = (IDENTITY, *KERNEL_AND_EXPANSION)
    decisions = tuple(Decision(f"block{i}", operations) for i in range(len(CHANNELS)))
    links = (Link((), _stem), *(_position(i) for i in range(len(CHANNELS))), Link((), _head))
    return NetworkSpace(Space("macro", decisions), links, key, read)


def _stem(on: Builder[T], _: None, _values: Values) -> T:
    return conv(on, on.input(RESOLUTION, RESOLUTION, 3), STEM, 3)


def _position(i: int) -> Link:
    name, channels, stride = f"block{i}", CHANNELS[i], STRIDES[i]

    def build(on: Builder[T], x: T, values: Values) -> T:
        if values[name] == IDENTITY:
            return on.conv(x, channels, stride=stride) if stride > 1 else x
        kernel, expansion = KERNEL_AND_EXPANSION[values[name]]
        shape = Bottleneck(filters=channels, kernel=kernel, expansion=expansion, stride=stride)
        return ibn(on, x, shape)

    return Link((name,), build)


def _head(on: Builder[T], x: T, _values: Values) -> T:
    return classifier(on, x, HEAD, CLASSES)


def key(values: Values) -> str:
    """The benchmark's key of a network: eight digits, first position first."""
    return "".join(str(values[f"block{i}"]) for i in range(len(CHANNELS)))


def read(text: str) -> Values | None:
    """The named values of a key; None where it is not eight digits."""
    if len(text) != len(CHANNELS) or not (text.isascii() and text.isdigit()):
        return None
    return {f"block{i}": int(digit) for i, digit in enumerate(text)}
