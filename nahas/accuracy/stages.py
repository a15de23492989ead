"""Features of the `mnasnet` space, written out: what its packaged surrogate was fitted on."""

from __future__ import annotations

from typing import Any

import numpy as np

from nahas.accuracy.features import steps
from nahas.accuracy.gaussian import Floats
from nahas.spaces import mnasnet
from nahas.spaces.space import ChoiceArray

_SPACE = mnasnet.network_space().space


def features(choices: ChoiceArray) -> Floats:
    """What the process sees of choices [B, 28]: [B, 61].

    For each decision and each value but its first, whether the choice is at that value or
    beyond (43); for each stage the logarithms of its multiply-accumulates and parameters (14);
    of the whole network the logarithms of multiply-accumulates, parameters, layers and the
    pixels by which its kernels widen the receptive field (4).
    """
    return np.hstack([steps(_SPACE, choices), _sizes(choices)])


def _sizes(choices: ChoiceArray) -> Floats:
    """The 18 logarithms of sizes of choices [B, 28]."""
    stages = choices.reshape(len(choices), len(mnasnet.CHANNELS), 4)
    decisions = _SPACE.decisions
    expansion = np.array(decisions[0].values)[stages[:, :, 0]].astype(np.float64)
    kernel = np.array(decisions[1].values)[stages[:, :, 1]].astype(np.float64)
    layers = stages[:, :, 2] + 1
    squeezes = stages[:, :, 3]
    size, entering = mnasnet.RESOLUTION // 2, mnasnet.STEM
    whole_macs, whole_parameters = _fixed()
    columns: list[Floats] = []
    reach, pixel = np.zeros(len(choices)), 2
    for i, (leaving, stride) in enumerate(zip(mnasnet.CHANNELS, mnasnet.STRIDES, strict=True)):
        macs, parameters = np.zeros(len(choices)), np.zeros(len(choices))
        for layer in range(mnasnet.MOST_LAYERS[i]):
            before, after = size, size // (stride if layer == 0 else 1)
            hidden = entering * expansion[:, i]
            expand = np.where(expansion[:, i] > 1, entering * hidden, 0.0)
            rest = hidden * (kernel[:, i] ** 2 + leaving)
            squeeze = 2.0 * hidden * (entering // mnasnet.SQUEEZE) * squeezes[:, i]
            there = layer < layers[:, i]
            macs += there * (expand * before**2 + rest * after**2)
            parameters += there * (expand + rest + squeeze)
            size, entering = after, leaving
        pixel *= stride
        reach += pixel * layers[:, i] * (kernel[:, i] - 1.0)
        whole_macs, whole_parameters = whole_macs + macs, whole_parameters + parameters
        columns += [macs, parameters]
    columns += [whole_macs, whole_parameters, layers.sum(axis=1).astype(np.float64), reach]
    return np.log(np.stack(columns, axis=1))


def _fixed() -> tuple[Any, Any]:
    """Multiply-accumulates and parameters of stem and head, which no decision changes."""
    stem = 9 * 3 * mnasnet.STEM
    head = mnasnet.CHANNELS[-1] * mnasnet.HEAD
    classifier = mnasnet.HEAD * mnasnet.CLASSES
    last = mnasnet.RESOLUTION // (2 * int(np.prod(mnasnet.STRIDES)))
    macs = stem * (mnasnet.RESOLUTION // 2) ** 2 + head * last**2 + classifier
    return macs, stem + head + classifier
