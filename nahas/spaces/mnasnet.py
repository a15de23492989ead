"""The MnasNet-like space of Accel-NASBench: seven stages of inverted bottlenecks on ImageNet.

Each stage chooses an expansion (1, 4, 6), a kernel (3, 5), its number of layers (1 to 3, the
sixth to 4) and squeeze-and-excitation. Decisions are named as in the benchmark's table, so a
row of it is a choice.

Parameters equal the benchmark's table in all 4,738 rows; this fixes three rules of it: there
is no expansion convolution at expansion 1, squeeze-and-excitation squeezes to a quarter of the
channels that enter the LAYER, and its two convolutions have biases. Activations do not show in
any column of the table: here the main path has ReLU and the gate a sigmoid.

Source: Ahmad et al., "Accel-NASBench", arXiv 2404.08005.
"""

from __future__ import annotations

import re
from typing import Any, TypeVar

from nahas.spaces.blocks import Bottleneck, classifier, conv, ibn
from nahas.spaces.builder import Builder
from nahas.spaces.networks import Link, NetworkSpace, Values
from nahas.spaces.space import Decision, Space

T = TypeVar("T")

RESOLUTION = 224
CLASSES = 1000
STEM = 32
HEAD = 1280
CHANNELS = (16, 24, 40, 80, 112, 192, 320)
STRIDES = (1, 2, 2, 2, 1, 2, 1)
MOST_LAYERS = (3, 3, 3, 3, 3, 4, 3)
SQUEEZE = 4
"""Channels entering a layer per squeezed channel."""

_STAGE = re.compile(r"e(\d+)k(\d+)l(\d+)(s?)")


def network_space() -> NetworkSpace:
    """The space `mnasnet`: 28 decisions, 36**6 * 48 = 1.04e11 networks."""
    of_stages = [_decisions(stage, most) for stage, most in enumerate(MOST_LAYERS)]
    stages = (_stage(stage, decisions) for stage, decisions in enumerate(of_stages))
    links = (Link((), _stem), *stages, Link((), _head))
    decisions = tuple(d for of_stage in of_stages for d in of_stage)
    return NetworkSpace(Space("mnasnet", decisions), links, spell, read)


def _decisions(stage: int, most: int) -> tuple[Decision, ...]:
    return (
        Decision(f"block{stage}_e", (1, 4, 6), widths=True),
        Decision(f"block{stage}_k", (3, 5)),
        Decision(f"block{stage}_l", tuple(range(1, most + 1))),
        Decision(f"block{stage}_se", (False, True)),
    )


def _stem(on: Builder[T], _: None, _values: Values) -> T:
    return conv(on, on.input(RESOLUTION, RESOLUTION, 3), STEM, 3, stride=2)


def _stage(stage: int, decisions: tuple[Decision, ...]) -> Link:
    names = tuple(decision.name for decision in decisions)

    def build(on: Builder[T], x: T, values: Values) -> T:
        expansion, kernel, layers, squeezes = (values[name] for name in names)
        for layer in range(layers):
            shape = Bottleneck(
                filters=CHANNELS[stage],
                kernel=kernel,
                expansion=expansion,
                stride=STRIDES[stage] if layer == 0 else 1,
                squeezed=on.channels(x) // SQUEEZE if squeezes else 0,
            )
            x = ibn(on, x, shape)
        return x

    return Link(names, build)


def _head(on: Builder[T], x: T, _values: Values) -> T:
    return classifier(on, x, HEAD, CLASSES)


def spell(values: Values) -> str:
    """Named values as text: per stage expansion, kernel, layers and `s` for squeezing."""
    return "-".join(
        f"e{values[f'block{i}_e']}k{values[f'block{i}_k']}l{values[f'block{i}_l']}"
        + ("s" if values[f"block{i}_se"] else "")
        for i in range(len(CHANNELS))
    )


def read(text: str) -> Values | None:
    """The named values of `spell`'s text; None where it has another form."""
    stages = [_STAGE.fullmatch(part) for part in text.split("-")]
    if len(stages) != len(CHANNELS):
        return None
    values: dict[str, Any] = {}
    for i, match in enumerate(stages):
        if match is None:
            return None
        expansion, kernel, layers, squeezes = match.groups()
        values |= {f"block{i}_e": int(expansion), f"block{i}_k": int(kernel)}
        values |= {f"block{i}_l": int(layers), f"block{i}_se": squeezes == "s"}
    return values
