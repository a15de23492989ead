"""Layers of many networks of a space at once, put together from those of their links.

Built one by one, the networks of a batch cost more time than their simulation. But what a
link adds depends on its own decisions and on the tensor it reads alone, so it is read once; a
batch then is a matter of gathering rows.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, fields
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from nahas.kernels.records import LayerRow
from nahas.network import NETWORK_INPUT, LayerStack, LayerTable
from nahas.spaces.builder import Feature, LayerBuilder
from nahas.spaces.networks import NetworkSpace
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
class LinkSizes:
    """How large the links of B networks are, each array [B, L] int64.

    Attributes:
        macs: multiply-accumulates.
        parameters: trained numbers.
        layers: how many.
    """

    macs: NDArray[np.int64]
    parameters: NDArray[np.int64]
    layers: NDArray[np.int64]


LISTED_CODES = 65_536
"""Choices of one link up to which their segments stand in an array, not in a mapping alone."""

LISTED_AT_ONCE = 4096
"""Networks whose layers are looked at together: some 30 MB."""

NO_LAYERS = LayerTable(
    rows=np.zeros((0, len(LayerRow._fields)), np.int64),
    operands=np.zeros((0, 2), np.int64),
    sizes=np.zeros((0, 2), np.int64),
    output_words=np.zeros(0, np.int64),
    last_use=np.zeros(0, np.int64),
)


@dataclass(frozen=True)
class _Segment:
    """What a link adds to a tensor of one shape; NETWORK_INPUT stands for that tensor.

    Attributes:
        number: its place among all segments.
        table: its layers.
        source: which of them makes the tensor it gives, or NETWORK_INPUT.
        shape: the shape of that tensor.
        parameters: trained numbers of its layers.
        macs: their multiply-accumulates.
    """

    number: int
    table: LayerTable
    source: int
    shape: Shape
    parameters: int
    macs: int


@dataclass(frozen=True)
class _Joined:
    """S segments side by side, N layers in all.

    Attributes:
        layers: all layers.
        numbers: [N] alike for layers of equal rows.
        begin, lengths: [S] where the layers of each start, and how many they are.
        source, parameters, macs: [S] of each.
    """

    layers: LayerTable
    numbers: NDArray[np.int64]
    begin: NDArray[np.int64]
    lengths: NDArray[np.int64]
    source: NDArray[np.int64]
    parameters: NDArray[np.int64]
    macs: NDArray[np.int64]


_NONE = np.zeros(0, np.int64)
NOTHING_JOINED = _Joined(NO_LAYERS, *[_NONE] * 6)


class LayerTables:
    """Gives the layers of networks of one space, and remembers what its links add.

    Threads may share it. What it knows is whole at any moment, an interrupt within it included:
    a segment becomes known by one assignment.
    """

    def __init__(self, space: NetworkSpace) -> None:
        self._space = space
        names = [decision.name for decision in space.space.decisions]
        self._columns = [[names.index(name) for name in link.decisions] for link in space.links]
        cardinalities = space.space.cardinalities
        self._radixes = [tuple(cardinalities[columns].tolist()) for columns in self._columns]
        self._numbers = [_NONE for _ in self._columns]
        self._after: list[int] = []
        self._shapes = {NO_TENSOR: 0}
        self._known: dict[tuple[int, int, int], _Segment] = {}
        self._rows: dict[bytes, int] = {}
        self._joined = NOTHING_JOINED
        self._lock = Lock()

    def of(self, choices: ChoiceArray) -> Networks:
        """The layers of the networks of choices [B, D].

        Raises:
            SpaceError: when the choices are not of this space.
            NetworkError: when a network cannot be simulated.
        """
        used, shapes, joined = self._read(choices)
        lengths = joined.lengths[used]
        before = np.cumsum(lengths, axis=1) - lengths
        starts = np.concatenate([[0], np.cumsum(lengths.sum(axis=1))])
        repeats = lengths.reshape(-1)
        offset, enters, enters_words = (
            column.reshape(-1).repeat(repeats)[:, np.newaxis]
            for column in (before, _entrances(joined.source[used], before), shapes.prod(axis=2))
        )
        table = joined.layers
        row = _runs(joined.begin[used].reshape(-1), repeats)
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
        return Networks(layers, joined.numbers[row], joined.parameters[used].sum(axis=1))

    def sizes(self, choices: ChoiceArray) -> LinkSizes:
        """How large the links of the networks of choices [B, D] are.

        Raises:
            SpaceError: when the choices are not of this space.
            NetworkError: when a network cannot be simulated.
        """
        used, _, joined = self._read(choices)
        return LinkSizes(joined.macs[used], joined.parameters[used], joined.lengths[used])

    def different(self, choices: ChoiceArray) -> NDArray[np.int64]:
        """Rows [K] of choices [B, D], in order: of each different network the first.

        Choices that differ may be one network: it does not matter which of two equal blocks is
        left out. Names of layers do not count.
        """
        seen: set[bytes] = set()
        first = []
        for begin in range(0, len(choices), LISTED_AT_ONCE):
            layers = self.of(choices[begin : begin + LISTED_AT_ONCE]).layers
            for i, (start, end) in enumerate(itertools.pairwise(layers.starts.tolist())):
                network = layers.rows[start:end].tobytes() + layers.operands[start:end].tobytes()
                if network not in seen:
                    seen.add(network)
                    first.append(begin + i)
        return np.array(first, np.int64)

    def _read(self, choices: ChoiceArray) -> tuple[NDArray[np.int64], NDArray[np.int64], _Joined]:
        """What `_segments_of` gives, and the segments that it speaks of."""
        self._space.space.check(choices)
        with self._lock:
            used, shapes = self._segments_of(choices)
            new = list(itertools.islice(self._known.values(), len(self._joined.begin), None))
            if new:
                self._joined = _join(self._joined, new, self._rows)
            return used, shapes, self._joined

    def _segments_of(self, choices: ChoiceArray) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The segment of every link [B, L], and the shape [B, L, 3] of the tensor it reads."""
        used = np.empty((len(choices), len(self._columns)), np.int64)
        shape = np.zeros(len(choices), np.int64)
        shapes = np.empty_like(used)
        for i, (columns, radix) in enumerate(zip(self._columns, self._radixes, strict=True)):
            shapes[:, i] = shape
            code = np.zeros(len(choices), np.int64)
            if columns:
                code = np.ravel_multi_index(tuple(choices[:, columns].T), radix)
            used[:, i] = self._numbers_of(i, shape, code, choices)
            shape = np.array(self._after, np.int64)[used[:, i]]
        return used, np.array(list(self._shapes))[shapes]

    def _numbers_of(
        self, link: int, shape: NDArray[np.int64], code: NDArray[np.int64], choices: ChoiceArray
    ) -> NDArray[np.int64]:
        """The segments [B] of one link, given what it reads and the choice of its decisions."""
        width = math.prod(self._radixes[link])
        keys, numbers = shape * width + code, self._numbers[link]
        if width > LISTED_CODES:
            keys, first, which = np.unique(keys, return_index=True, return_inverse=True)
            found = [self._segment(link, int(shape[i]), int(code[i]), choices[i]) for i in first]
            return np.array([segment.number for segment in found], np.int64)[which]
        if len(keys) and keys.max() >= len(numbers):
            more = len(self._shapes) * width - len(numbers)
            numbers = self._numbers[link] = np.append(numbers, np.full(more, -1))
        of: NDArray[np.int64] = numbers[keys]
        for i in np.flatnonzero(of < 0):
            segment = self._segment(link, int(shape[i]), int(code[i]), choices[i])
            of[i] = numbers[keys[i]] = segment.number
        return of

    def _segment(self, link: int, shape: int, code: int, choice: ChoiceArray) -> _Segment:
        key = (link, shape, code)
        if key not in self._known:
            tensor = Feature(NETWORK_INPUT, *list(self._shapes)[shape]) if shape else None
            segment = self._read_link(link, tensor, choice)
            self._after.append(self._shapes.setdefault(segment.shape, len(self._shapes)))
            self._known[key] = segment
        return self._known[key]

    def _read_link(self, number: int, tensor: Feature | None, choice: ChoiceArray) -> _Segment:
        """Read what a link adds to a tensor."""
        link, decisions = self._space.links[number], self._space.space.decisions
        on = LayerBuilder(f"{self._space.name} {'-'.join(link.decisions)}")
        own = [(decisions[column], int(choice[column])) for column in self._columns[number]]
        values = {decision.name: decision.values[index] for decision, index in own}
        made: Feature = link.build(on, tensor, values)
        network = on.network() if on.layers else None
        return _Segment(
            number=len(self._known),
            table=network.table if network else NO_LAYERS,
            source=made.source,
            shape=(made.height, made.width, made.channels),
            parameters=network.parameters if network else 0,
            macs=network.macs if network else 0,
        )


def _join(before: _Joined, new: list[_Segment], known: dict[bytes, int]) -> _Joined:
    """The segments joined before, and new ones beside them.

    Args:
        before: the segments of lower numbers.
        new: in the order of their numbers, at least one.
        known: the numbers of rows; those of further rows are added.
    """
    tables = [before.layers, *(segment.table for segment in new)]
    names = [field.name for field in fields(LayerTable)]
    layers = LayerTable(**{n: np.concatenate([getattr(t, n) for t in tables]) for n in names})
    rows = (row.tobytes() for row in layers.rows[len(before.numbers) :])
    numbers = [known.setdefault(row, len(known)) for row in rows]
    lengths = _after(before.lengths, [len(segment.table.rows) for segment in new])
    return _Joined(
        layers=layers,
        numbers=_after(before.numbers, numbers),
        begin=np.cumsum(lengths) - lengths,
        lengths=lengths,
        source=_after(before.source, [segment.source for segment in new]),
        parameters=_after(before.parameters, [segment.parameters for segment in new]),
        macs=_after(before.macs, [segment.macs for segment in new]),
    )


def _after(before: NDArray[np.int64], new: list[int]) -> NDArray[np.int64]:
    return np.concatenate([before, np.array(new, np.int64)])


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
