"""Layers of many networks of a space at once, put together from those of their links.

Built one by one, the networks of a batch cost more time than their simulation. But what a
link adds depends on its own decisions and on the tensor it reads alone, so it is read once; a
batch then is a matter of gathering rows.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from nahas.network import NETWORK_INPUT, LayerStack, LayerTable
from nahas.spaces.builder import Feature, LayerBuilder
from nahas.spaces.networks import Link, NetworkSpace
from nahas.spaces.space import ChoiceArray

Shape = tuple[int, int, int]
"""Height, width and channels of a tensor."""

NO_TENSOR: Shape = (0, 0, 0)
"""What the first link reads."""


@dataclass(frozen=True)
class Networks:
    """B networks for the simulator.

    Attributes:
        layers: all their layers, N.
        numbers: [N] int64, alike for layers of equal rows.
        parameters: [B] int64, trained numbers.
    """

    layers: LayerStack
    numbers: NDArray[np.int64]
    parameters: NDArray[np.int64]


@dataclass(frozen=True)
class _Segment:
    """What a link adds to a tensor of one shape; NETWORK_INPUT stands for that tensor.

    Attributes:
        begin, end: where its layers stand among those of all segments.
        source: which of its layers makes the tensor it gives, or NETWORK_INPUT.
        shape: the shape of that tensor.
        parameters: trained numbers of its layers.
    """

    begin: int
    end: int
    source: int
    shape: Shape
    parameters: int


class LayerTables:
    """Gives the layers of networks of one space, and remembers what its links add."""

    def __init__(self, space: NetworkSpace) -> None:
        self._space = space
        names = [decision.name for decision in space.space.decisions]
        self._columns = [[names.index(name) for name in link.decisions] for link in space.links]
        self._shapes = [NO_TENSOR]
        self._known: dict[tuple[int, int, int], int] = {}
        self._segments: list[_Segment] = []
        self._numbers: dict[bytes, int] = {}
        self._number: list[int] = []
        self._read: list[LayerTable] = []
        self._rows = 0

    def of(self, choices: ChoiceArray) -> Networks:
        """The layers of the networks of choices [B, D].

        Raises:
            SpaceError: when the choices are not of this space.
            NetworkError: when a network cannot be simulated.
        """
        self._space.space.check(choices)
        used, shapes = self._segments_of(choices)
        begin, end, source, parameters = np.array(
            [(s.begin, s.end, s.source, s.parameters) for s in self._segments], np.int64
        ).T
        lengths = (end - begin)[used]
        before = np.cumsum(lengths, axis=1) - lengths
        starts = np.concatenate([[0], np.cumsum(lengths.sum(axis=1))])
        repeats = lengths.reshape(-1)
        offset, enters, enters_words = (
            column.reshape(-1).repeat(repeats)[:, np.newaxis]
            for column in (before, _entrances(source[used], before), shapes.prod(axis=2))
        )
        table, numbers = self._joined()
        row = _runs(begin[used].reshape(-1), repeats)
        operands, sizes = table.operands[row], table.sizes[row]
        is_entrance = operands == NETWORK_INPUT
        operands = np.where(operands >= 0, operands + offset, operands)
        operands = np.where(is_entrance, enters, operands)
        layers = LayerStack(
            starts=starts,
            rows=table.rows[row],
            operands=operands,
            sizes=np.where(is_entrance & (enters != NETWORK_INPUT), enters_words, sizes),
            output_words=table.output_words[row],
            last_use=_last_use(starts, operands),
        )
        return Networks(layers, numbers[row], parameters[used].sum(axis=1))

    def _segments_of(self, choices: ChoiceArray) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The segment of every link [B, L], and the shape [B, L, 3] of the tensor it reads."""
        used = np.empty((len(choices), len(self._columns)), np.int64)
        shape = np.zeros(len(choices), np.int64)
        shapes = np.empty_like(used)
        cardinalities = self._space.space.cardinalities
        for i, columns in enumerate(self._columns):
            shapes[:, i] = shape
            radix = tuple(cardinalities[columns])
            code = np.zeros(len(choices), np.int64)
            if columns:
                code = np.ravel_multi_index(tuple(choices[:, columns].T), radix)
            key = shape * max(1, int(np.prod(radix))) + code
            _, first, which = np.unique(key, return_index=True, return_inverse=True)
            found = [self._segment(i, int(shape[at]), int(code[at]), choices[at]) for at in first]
            used[:, i] = np.array(found)[which]
            numbers = [self._shape_number(self._segments[segment].shape) for segment in found]
            shape = np.array(numbers)[which]
        return used, np.array(self._shapes)[shapes]

    def _segment(self, link: int, shape: int, code: int, choice: ChoiceArray) -> int:
        key = (link, shape, code)
        if key not in self._known:
            self._known[key] = len(self._segments)
            self._segments.append(self._read_link(self._space.links[link], shape, choice))
        return self._known[key]

    def _read_link(self, link: Link, shape: int, choice: ChoiceArray) -> _Segment:
        """Read what a link adds to a tensor of a shape."""
        on = LayerBuilder(f"{self._space.name} {'-'.join(link.decisions)}")
        tensor = Feature(NETWORK_INPUT, *self._shapes[shape]) if shape else None
        values = self._space.space.values(choice)
        made: Feature = link.build(on, tensor, {name: values[name] for name in link.decisions})
        begin, parameters = self._rows, 0
        if on.layers:
            network = on.network()
            self._read.append(network.table)
            self._rows += len(network.layers)
            parameters = network.parameters
        shape_made = (made.height, made.width, made.channels)
        return _Segment(begin, self._rows, made.source, shape_made, parameters)

    def _joined(self) -> tuple[LayerTable, NDArray[np.int64]]:
        """All layers read so far as one table, and a number for each, alike for equal rows."""
        if len(self._read) > 1:
            names = [field.name for field in fields(LayerTable)]
            columns = {n: np.concatenate([getattr(t, n) for t in self._read]) for n in names}
            self._read = [LayerTable(**columns)]
        table = self._read[0]
        for row in table.rows[len(self._number) :]:
            number = self._numbers.setdefault(row.tobytes(), len(self._numbers))
            self._number.append(number)
        return table, np.array(self._number)

    def _shape_number(self, shape: Shape) -> int:
        if shape not in self._shapes:
            self._shapes.append(shape)
        return self._shapes.index(shape)


def _runs(begin: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """`lengths[i]` numbers from `begin[i]` on, for every i, one run after the other."""
    before = np.cumsum(lengths) - lengths
    return np.repeat(begin - before, lengths) + np.arange(lengths.sum())


def _entrances(source: NDArray[np.int64], before: NDArray[np.int64]) -> NDArray[np.int64]:
    """The layer of the network that makes what each link reads [B, L], or NETWORK_INPUT.

    Args:
        source: [B, L] the layer of the link that makes what it gives; NETWORK_INPUT where it gives
            what it reads.
        before: [B, L] layers of the network before the link's.
    """
    enters = np.full_like(source, NETWORK_INPUT)
    for i in range(source.shape[1] - 1):
        own = before[:, i] + source[:, i]
        enters[:, i + 1] = np.where(source[:, i] >= 0, own, enters[:, i])
    return enters


def _last_use(starts: NDArray[np.int64], operands: NDArray[np.int64]) -> NDArray[np.int64]:
    """The last layer of its network that reads each layer [N]; itself where none does."""
    first = starts[:-1].repeat(np.diff(starts))
    layer = np.arange(len(operands)) - first
    last = layer.copy()
    for operand in operands.T:
        reads = operand >= 0
        np.maximum.at(last, (first + operand)[reads], layer[reads])
    return last
