"""A network as layers in the order they run, with the edges between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from nahas.errors import NetworkError
from nahas.layers import MOST_EXTENT, MOST_MACS, Layer

NETWORK_INPUT, NO_OPERAND = -1, -2


@dataclass(frozen=True)
class LayerTable:
    """A network as the kernels read it; L layers.

    Attributes:
        rows: [L, 14] int64, records.LAYER.
        operands: [L, 2] int64, the layers that each reads; NETWORK_INPUT, or NO_OPERAND.
        sizes: [L, 2] int64, words of each operand.
        output_words: [L] int64.
        last_use: [L] int64, the last layer that reads the output; itself where none does.
    """

    rows: NDArray[np.int64]
    operands: NDArray[np.int64]
    sizes: NDArray[np.int64]
    output_words: NDArray[np.int64]
    last_use: NDArray[np.int64]


@dataclass(frozen=True)
class LayerStack:
    """The layers of B networks one after the other, as the kernels read them; N in all.

    Attributes:
        starts: [B + 1] int64, where each network's layers start.
        rows, operands, sizes, output_words, last_use: as in `LayerTable`, [N, ...]; layers are
            numbered within their network.
    """

    starts: NDArray[np.int64]
    rows: NDArray[np.int64]
    operands: NDArray[np.int64]
    sizes: NDArray[np.int64]
    output_words: NDArray[np.int64]
    last_use: NDArray[np.int64]


def stacked(tables: Sequence[LayerTable]) -> LayerStack:
    """The tables of one or more networks as a stack."""
    lengths = [len(table.rows) for table in tables]
    names = [field.name for field in fields(LayerTable)]
    return LayerStack(
        starts=np.concatenate([[0], np.cumsum(lengths)]),
        **{name: np.concatenate([getattr(table, name) for table in tables]) for name in names},
    )


@dataclass(frozen=True, kw_only=True)
class Network:
    """Layers in execution order and, for each, the layers whose outputs it reads.

    Attributes:
        name: what reports call the network.
        layers: [L] layers in the order they run.
        inputs: [L] for each layer the indices of the layers it reads; -1 is the network input.

    Raises:
        NetworkError: when there is no layer, or a layer reads one that has not run yet.
    """

    name: str
    layers: tuple[Layer, ...]
    inputs: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        if not self.layers:
            raise NetworkError(f"network '{self.name}' has no layers")
        if len(self.inputs) != len(self.layers):
            raise NetworkError(
                f"network '{self.name}' has {len(self.layers)} layers, "
                f"but inputs for {len(self.inputs)}"
            )
        for index, sources in enumerate(self.inputs):
            if not sources or min(sources) < -1 or max(sources) >= index:
                raise NetworkError(
                    f"network '{self.name}': layer '{self.layers[index].name}' reads {sources}, "
                    f"but may read only -1 (the input) to {index - 1}"
                )

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference."""
        return sum(layer.macs for layer in self.layers)

    @property
    def parameters(self) -> int:
        """Trained numbers (moving statistics are not trained)."""
        return sum(layer.parameters for layer in self.layers)

    @cached_property
    def table(self) -> LayerTable:
        """The network for the kernels.

        Raises:
            NetworkError: when a layer has a batch above 1, a dim too large, or over two inputs.
        """
        for layer in self.layers:
            if layer.n != 1:
                raise NetworkError(
                    f"network '{self.name}': layer '{layer.name}' has a batch of {layer.n}, "
                    "but the simulator runs one inference at a time: use a batch of 1"
                )
            extents = (layer.g, layer.k, layer.c, layer.p, layer.q, layer.r, layer.s)
            if max(extents) > MOST_EXTENT or layer.macs > MOST_MACS:
                raise NetworkError(
                    f"network '{self.name}': layer '{layer.name}' is too large to count exactly: "
                    f"at most {MOST_EXTENT} along a dim and {MOST_MACS} multiply-accumulates"
                )
        count = len(self.layers)
        operands = np.full((count, 2), NO_OPERAND, np.int64)
        sizes = np.zeros((count, 2), np.int64)
        last_use = np.arange(count)
        for i, (layer, sources) in enumerate(zip(self.layers, self.inputs, strict=True)):
            if len(sources) > operands.shape[1]:
                raise NetworkError(
                    f"network '{self.name}': layer '{layer.name}' reads {len(sources)} tensors, "
                    "but at most two can be simulated"
                )
            for j, source in enumerate(sources):
                operands[i, j] = source
                known = source != NETWORK_INPUT
                sizes[i, j] = self.layers[source].output_words if known else layer.input_words
                if known:
                    last_use[source] = i
        return LayerTable(
            rows=np.array([layer.row for layer in self.layers], np.int64),
            operands=operands,
            sizes=sizes,
            output_words=np.array([layer.output_words for layer in self.layers], np.int64),
            last_use=last_use,
        )
