"""Networks as chains of links, of which few are different: what makes every design affordable.

What the simulator says of a network is a sum over its layers, and a layer's term depends on
little (docs/exact.md). Once it is settled what stays on chip, a layer's mapping and cost follow
from its row, its accelerator, what stays around it and, of a vector layer, the words of its
operands that come from DRAM: call these, but for the accelerator, a node. In sequence, a layer's
cycles, energy and waiting follow from its own cost, from the first weights of the layer behind
it, and from whether it is the first or the last: call its node, the next one, and whether it is
the first a link. So a network is a chain of links on all accelerators that keep the same on chip,
and its totals are sums of what its links cost.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from nahas.kernels.records import HardwareRow
from nahas.network import LayerStack
from nahas.sequence import settle
from nahas.spaces.space import ChoiceArray
from nahas.spaces.tables import LayerTables
from nahas.vocabulary import LayerKind

AT_ONCE = 4096
"""Networks whose layers are laid out together: some 50 MB."""

END = -1
"""What follows the last layer."""

SETTLING = (
    "pes_x",
    "pes_y",
    "local_memory_bytes",
    "weight_bytes",
    "activation_bytes",
    "parameter_memory_bytes",
)
"""All that `sequence.settle` reads of an accelerator; of the PEs their number alone."""


@dataclass(frozen=True)
class Nodes:
    """K different layers, each with what stays on chip around it.

    Attributes:
        rows: [K, 14] int64, records.LAYER.
        stays: [K, 4] records.RESIDENCY.
        dram_words: [K] words of the operands that come from DRAM; 0 for layers that are mapped,
            which do not ask.
    """

    rows: NDArray[np.int64]
    stays: NDArray[np.float64]
    dram_words: NDArray[np.float64]


@dataclass(frozen=True)
class Chains:
    """N networks as chains of M different links, in an order in which many begin alike.

    Attributes:
        nodes: what the links are made of.
        links: [M, 3] whether it comes first, its node, and the next node or END.
        order: [N] the network that each of the following is of.
        chains: [N, L] int32, the links of each, of which `lengths` count.
        lengths: [N].
        shared: [N] how many links each begins with that the one before begins with too.
    """

    nodes: Nodes
    links: NDArray[np.int64]
    order: NDArray[np.int64]
    chains: NDArray[np.int32]
    lengths: NDArray[np.int64]
    shared: NDArray[np.int64]


def chains_of(
    tables: LayerTables, choices: ChoiceArray, points: NDArray[np.float64]
) -> tuple[list[Chains], NDArray[np.int64]]:
    """Networks as chains, for accelerators.

    Args:
        tables: layers of the networks.
        choices: [N, D] of networks.
        points: [H, 23] of accelerators, records.HARDWARE.

    Returns:
        The chains that differ, and which of them holds on each accelerator [H].
    """
    _, first, kind = np.unique(_settling(points), axis=0, return_index=True, return_inverse=True)
    known = _Nodes()
    parts: list[list[bytes]] = [[] for _ in first]
    for begin in range(0, len(choices), AT_ONCE):
        found = tables.of(choices[begin : begin + AT_ONCE])
        for i, point in enumerate(points[first]):
            parts[i].append(known.settled(found.layers, found.numbers, point))
    keys = [b"".join(part) for part in parts]
    different = list(dict.fromkeys(keys))
    chains = [_chains(known, parts[keys.index(key)]) for key in different]
    return chains, np.array([different.index(key) for key in keys])[kind.reshape(-1)]


def _settling(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """All of accelerators [H, 23] on which it depends what stays on chip."""
    x, y, *rest = (points[:, HardwareRow._fields.index(name)] for name in SETTLING)
    return np.stack([x * y, *rest], axis=1)


@dataclass
class _Nodes:
    """All nodes met, and the networks in them: for each part of these the nodes [n, L] by key."""

    numbers: dict[bytes, int] = field(default_factory=dict)
    rows: list[NDArray[np.int64]] = field(default_factory=list)
    around: list[NDArray[np.float64]] = field(default_factory=list)
    parts: dict[bytes, NDArray[np.int64]] = field(default_factory=dict)

    def settled(
        self, layers: LayerStack, numbers: NDArray[np.int64], point: NDArray[np.float64]
    ) -> bytes:
        """Settle networks on one accelerator; the key of their nodes in `parts`."""
        networks = len(layers.starts) - 1
        outcome, dram_words = settle(layers, np.repeat(point[np.newaxis], networks, axis=0))
        dram_words[layers.rows[:, 0] == LayerKind.CONVOLUTION] = 0.0
        around = np.column_stack([outcome.stays, dram_words])
        digest = hashlib.sha256(layers.starts.tobytes())
        for part in (numbers, around):
            digest.update(part.tobytes())
        key = digest.digest()
        if key not in self.parts:
            self.parts[key] = _padded(self._numbered(layers.rows, numbers, around), layers.starts)
        return key

    def _numbered(
        self, rows: NDArray[np.int64], numbers: NDArray[np.int64], around: NDArray[np.float64]
    ) -> NDArray[np.int64]:
        """The node of every layer [n]."""
        code = numbers
        for column in around.T:
            values, of = np.unique(column, return_inverse=True)
            code = np.unique(code * len(values) + of.reshape(-1), return_inverse=True)[1]
        _, first, which = np.unique(code, return_index=True, return_inverse=True)
        found = []
        for i in first:
            key = numbers[i].tobytes() + around[i].tobytes()
            if key not in self.numbers:
                self.numbers[key] = len(self.numbers)
                self.rows.append(rows[i])
                self.around.append(around[i])
            found.append(self.numbers[key])
        return np.array(found, np.int64)[which.reshape(-1)]


def _padded(nodes: NDArray[np.int64], starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Nodes of layers, a row for each network, END behind the last."""
    lengths = np.diff(starts)
    padded = np.full((len(lengths), lengths.max() + 1), END, np.int64)
    padded[np.arange(padded.shape[1]) < lengths[:, np.newaxis]] = nodes
    return padded


def _chains(known: _Nodes, parts: list[bytes]) -> Chains:
    longest = max(known.parts[part].shape[1] for part in parts)
    nodes = np.concatenate(
        [
            np.pad(of, ((0, 0), (0, longest - of.shape[1])), constant_values=END)
            for of in (known.parts[part] for part in parts)
        ]
    )
    used, own = np.unique(nodes, return_inverse=True)  # END comes first
    nodes = own.reshape(nodes.shape) - 1
    order = np.lexsort(nodes.T[::-1])
    nodes, used = nodes[order], used[1:]
    first = np.arange(longest - 1) == 0
    code = (first * (len(used) + 1) + nodes[:, :-1] + 1) * (len(used) + 1) + nodes[:, 1:] + 1
    lengths = (nodes[:, :-1] != END).sum(axis=1)
    inside = np.arange(longest - 1) < lengths[:, np.newaxis]
    codes, which = np.unique(code[inside], return_inverse=True)
    chains = np.full(inside.shape, END, np.int32)
    chains[inside] = which.reshape(-1)
    head, following = np.divmod(codes, len(used) + 1)
    comes_first, node = np.divmod(head, len(used) + 1)
    alike = np.logical_and.accumulate(chains[1:] == chains[:-1], axis=1)
    shared = np.minimum(np.append([0], alike.sum(axis=1)), lengths)
    around = np.array(known.around)[used]
    return Chains(
        nodes=Nodes(np.array(known.rows)[used], around[:, :4], around[:, 4]),
        links=np.stack([comes_first, node - 1, following - 1], axis=1),
        order=order,
        chains=chains,
        lengths=lengths,
        shared=shared,
    )
