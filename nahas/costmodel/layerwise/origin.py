"""Whose costs a model of layers learned, told from a few pairs that are always the same."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from nahas import networks
from nahas.costmodel.layerwise.costs import heads_of
from nahas.costmodel.layerwise.features import features, known
from nahas.costmodel.layerwise.pairs import solved
from nahas.costmodel.origin import Origin
from nahas.energy import Tables, packaged_tables
from nahas.hardware import preset
from nahas.kernels._jit import kernel_fingerprint
from nahas.sequence import hardware_rows
from nahas.spaces.accelerator import accelerator_space
from nahas.tile_bench.source import Pairs, mapped_layers
from nahas.vocabulary import Objective

NETWORK, ACCELERATOR = "mobilenet-v3-large", "edge-baseline"
"""The fixed pairs are the layers of this network on this accelerator."""


def origin_here(objective: Objective, tables: Tables | None) -> Origin:
    """The origin of what would be learned here and now.

    `space_fingerprint` is that of what the model sees of the fixed pairs, `probes_fingerprint` that
    of what it is to predict of them.
    """
    layers = mapped_layers([networks.named(NETWORK)])
    pairs = np.stack([np.arange(len(layers)), np.zeros(len(layers), np.int64)], axis=1)
    stays = np.zeros((len(layers), 4))
    points = hardware_rows([preset(ACCELERATOR)], tables)
    probes = solved(Pairs(layers, points, pairs, stays), objective)
    of = known(probes.pairs)
    return Origin(
        space="layers",
        hardware_space=accelerator_space().name,
        space_fingerprint=_fingerprint(features(of, probes.pairs.stays)),
        kernels_fingerprint=kernel_fingerprint(),
        tables_fingerprint=(tables or packaged_tables()).fingerprint,
        probes_fingerprint=_fingerprint(
            heads_of(of, probes.pairs.stays, probes.costs, probes.counts)
        ),
    )


def _fingerprint(numbers: NDArray[np.float32]) -> str:
    """Sixteen hex digits of numbers, five digits each: logarithms differ in their last bits."""
    text = " ".join(f"{number + 0.0:.4f}" for number in numbers.ravel().tolist())
    return hashlib.sha256(text.encode()).hexdigest()[:16]
