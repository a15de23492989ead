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
from nahas.spaces.networks import NetworkSpace, Values
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
    decisions = tuple(d for stage, most in enumerate(MOST_LAYERS) for d in _decisions(stage, most))
    return NetworkSpace(Space("mnasnet", decisions), build, spell, read)


def _decisions(stage: int, most: int) -> tuple[Decision, ...]:
    return (
        Decision(f"block{stage}_e", (1, 4, 6)),
        Decision(f"block{stage}_k", (3, 5)),
        Decision(f"block{stage}_l", tuple(range(1, most + 1))),
        Decision(f"block{stage}_se", (False, True)),
    )


def build(on: Builder[T], values: Values) -> T:
    """The network of named values on any builder."""
    x = conv(on, on.input(RESOLUTION, RESOLUTION, 3), STEM, 3, stride=2)
    for stage, (channels, stride) in enumerate(zip(CHANNELS, STRIDES, strict=True)):
        for layer in range(values[f"block{stage}_l"]):
            squeezed = on.channels(x) // SQUEEZE if values[f"block{stage}_se"] else 0
            shape = Bottleneck(
                filters=channels,
                kernel=values[f"block{stage}_k"],
                expansion=values[f"block{stage}_e"],
                stride=stride if layer == 0 else 1,
                squeezed=squeezed,
            )
            x = ibn(on, x, shape)
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
