"""The layers that an import has read so far: what the readers of every format write to.

A tensor is (height, width, channels) or (channels,) here, without the batch, however the format
orders it. A format's reader is given a `Call` and says what it is to the simulator with the
functions of this module, so that equal models of different formats are equal networks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

from nahas.errors import InteropError
from nahas.layers import Layer
from nahas.network import Network
from nahas.spaces.builder import FUSED_ACTIVATIONS
from nahas.vocabulary import LayerKind

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Tensor:
    """A tensor between layers of a model.

    Attributes:
        source: the layer that makes it; -1 is the input of the network.
        shape: without the batch: (height, width, channels) or (channels,).
        foldable: whether it is the bare sum of a convolution that nobody else reads, so that
            a batch normalisation can go into its weights.
    """

    source: int
    shape: Shape
    foldable: bool = False

    @property
    def channels(self) -> int:
        """Channels, which come last."""
        return self.shape[-1]

    @property
    def positions(self) -> int:
        """Positions of the map; a vector has one."""
        return prod(self.shape[:-1])


@dataclass(frozen=True, kw_only=True)
class OperatorUse:
    """What became of all calls of one operator of a model.

    Attributes:
        operator: its name in the model's format.
        calls: how often the model calls it.
        layers: how many layers of the network they became; 0 where all were folded.
        macs: multiply-accumulates of these layers.
    """

    operator: str
    calls: int
    layers: int
    macs: int


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A network and the operators that it was read from, most multiply-accumulates first."""

    network: Network
    operators: tuple[OperatorUse, ...]

    def document(self) -> list[dict[str, Any]]:
        """The operators in their JSON form."""
        whole = max(1, self.network.macs)
        return [
            {
                "operator": use.operator,
                "calls": use.calls,
                "layers": use.layers,
                "became": "mapped" if use.layers else "folded",
                "macs_share": use.macs / whole,
            }
            for use in self.operators
        ]

    def __str__(self) -> str:
        """One sentence: what was mapped, with its share of the work, and what was folded."""
        whole = max(1, self.network.macs)
        mapped = [
            f"{use.calls} {use.operator} ({use.macs / whole:.1%} of MACs)"
            if use.macs
            else f"{use.calls} {use.operator}"
            for use in self.operators
            if use.layers
        ]
        folded = [f"{use.calls} {use.operator}" for use in self.operators if not use.layers]
        said = f"read {self.network.name}: mapped {', '.join(mapped)}"
        return f"{said}; folded, at no cost: {', '.join(folded)}" if folded else said


@dataclass
class Table:
    """Layers read so far, the edges between them, and the operators they came from."""

    layers: list[Layer] = field(default_factory=list)
    inputs: list[tuple[int, ...]] = field(default_factory=list)
    calls: list[tuple[str, int]] = field(default_factory=list)

    def append(self, layer: Layer, reads: tuple[Tensor, ...], shape: Shape) -> Tensor:
        """Add a layer; its output is foldable when it has weights."""
        self.layers.append(layer)
        self.inputs.append(tuple(tensor.source for tensor in reads))
        return Tensor(len(self.layers) - 1, shape, not layer.kind.is_vector)

    def note(self, operator: str) -> None:
        """Say that the layers added since the last note came from one call of `operator`."""
        self.calls.append((operator, len(self.layers)))

    def reading(self, name: str, source: str) -> Reading:
        """The network of all layers.

        Raises:
            InteropError: when there is none.
        """
        if not self.layers:
            raise InteropError(f"{source} has no layer that computes")
        network = Network(name=name, layers=tuple(self.layers), inputs=tuple(self.inputs))
        totals: dict[str, tuple[int, int, int]] = {}
        start = 0
        for operator, end in self.calls:
            calls, layers, macs = totals.get(operator, (0, 0, 0))
            made = sum(layer.macs for layer in self.layers[start:end])
            totals[operator] = (calls + 1, layers + end - start, macs + made)
            start = end
        uses = [
            OperatorUse(operator=operator, calls=calls, layers=layers, macs=macs)
            for operator, (calls, layers, macs) in totals.items()
        ]
        return Reading(network=network, operators=tuple(sorted(uses, key=lambda use: -use.macs)))


@dataclass(frozen=True)
class Call:
    """One call of a layer or operator: what a reader is given.

    Attributes:
        name: of the layer, with the models it is nested in before it.
        config: its attributes, as the format names them.
        shared: whether its weights are counted already, at an earlier call.
        final: whether it makes an output of the network.
        readers: how many calls read each tensor it reads, an output of the network counting as
            one; empty where that is not known.
    """

    name: str
    config: Mapping[str, Any]
    reads: tuple[Tensor, ...]
    table: Table
    shared: bool = False
    final: bool = False
    readers: tuple[int, ...] = ()

    @property
    def x(self) -> Tensor:
        """The only, or the first, tensor it reads."""
        return self.reads[0]

    def parameters(self, count: int) -> int:
        """`count`, or nothing when counted already."""
        return 0 if self.shared else count

    def append(self, layer: Layer, shape: Shape) -> Tensor:
        """Add a layer that reads what this call reads."""
        return self.table.append(layer, self.reads, shape)


def convolution(call: Call, window: Layer, groups: int, filters: int, bias: bool) -> Tensor:
    """A convolution of a window (`Layer` of one channel), grouped, depthwise or whole."""
    layer = replace(window, g=groups, k=filters // groups, c=call.x.channels // groups)
    words = call.parameters(layer.weight_words + filters * bias)
    return call.append(replace(layer, parameters=words), (layer.p, layer.q, filters))


def dense(call: Call, units: int, bias: bool) -> Tensor:
    """A product with a matrix: on a map it is a pointwise convolution."""
    height, width, channels = map_of(call, call.x)
    words = call.parameters((channels + bias) * units)
    layer = Layer(name=call.name, k=units, c=channels, p=height, q=width, parameters=words)
    return call.append(layer, (*call.x.shape[:-1], units))


def normalization(call: Call, parameters: int) -> Tensor:
    """A scale and an offset of each channel: folded into the convolution before it.

    Elsewhere it is a vector layer of its own.
    """
    x, count = call.x, call.parameters(parameters)
    if not x.foldable:
        return vector(call, LayerKind.ACTIVATION, parameters=count)
    layer = call.table.layers[x.source]
    call.table.layers[x.source] = replace(layer, parameters=layer.parameters + count)
    return x


def pool(call: Call, window: Layer) -> Tensor:
    """A pool of a window (`Layer` of one channel)."""
    layer = replace(window, kind=LayerKind.POOL, g=call.x.channels)
    return call.append(layer, (layer.p, layer.q, layer.g))


def global_pool(call: Call, keeps_dims: bool) -> Tensor:
    """A pool of all positions."""
    height, width, channels = map_of(call, call.x)
    layer = Layer(name=call.name, kind=LayerKind.POOL, g=channels, r=height, s=width)
    return call.append(layer, (1, 1, channels) if keeps_dims else (channels,))


def elementwise(call: Call) -> Tensor:
    """A sum or product of equal shapes; with a constant it is an activation.

    More than two tensors are taken two at a time, as the vector path reads them.
    """
    x, *others = call.reads
    if not others:
        return vector(call, LayerKind.ACTIVATION)
    for number, y in enumerate(others):
        x = vector(replace(call, name=_numbered(call, number), reads=(x, y)), LayerKind.ADD)
    return x


def multiply(call: Call) -> Tensor:
    """A product: by a gate of one position it is the scale of squeeze-and-excitation.

    A product of a tensor and its own sigmoid is part of the activation: together a swish.
    """
    for number in range(len(call.readers) if len(call.reads) == 2 else 0):
        if call.readers[number] == 1 and _is_last_activation(call, number):
            return call.reads[number]
    if len(call.reads) != 2 or call.reads[0].channels != call.reads[1].channels:
        return elementwise(call)
    x, gate = sorted(call.reads, key=lambda tensor: -tensor.positions)
    if gate.positions > 1:
        return elementwise(call)
    return vector(replace(call, reads=(x, gate)), LayerKind.SCALE)


def _is_last_activation(call: Call, number: int) -> bool:
    """Whether one factor is the last layer read, an activation of the other factor."""
    gate, x, made = call.reads[number], call.reads[1 - number], call.table
    return (
        gate.source == len(made.layers) - 1 >= 0
        and made.layers[gate.source].kind is LayerKind.ACTIVATION
        and made.inputs[gate.source] == (x.source,)
        and gate.shape == x.shape
    )


def with_constant(call: Call, words: int, trained: int) -> Tensor:
    """A sum or product with a constant of `words`: a number per channel makes it a normalisation.

    On the network's input, whichever of its axes has the channels, it is part of its quantisation.
    One number for all is not trained.
    """
    trained = trained if words > 1 else 0
    if call.x.source < 0 and words in (1, *call.x.shape):
        return call.x
    if words not in (1, call.x.channels):
        return vector(call, LayerKind.ACTIVATION, trained)
    return normalization(call, trained)


def concatenation(call: Call) -> Tensor:
    """Maps of equal height and width behind one another along the channels: a copy of each word.

    More than two tensors are copied two at a time, as the vector path reads them.
    """
    x, *others = call.reads
    for number, y in enumerate(others):
        height, width, channels = map_of(call, x)
        if map_of(call, y)[:2] != (height, width):
            raise InteropError(
                f"layer '{call.name}' joins tensors of shapes {x.shape} and {y.shape}: nahas "
                "joins along the channels alone"
            )
        both = channels + y.channels
        layer = Layer(
            name=_numbered(call, number), kind=LayerKind.ACTIVATION, g=both, p=height, q=width
        )
        x = call.table.append(layer, (x, y), (*x.shape[:-1], both))
    return x


def activate(call: Call, x: Tensor, name: str) -> Tensor:
    """An activation: clamps are free, as is a last softmax; any other is a vector layer."""
    x = replace(x, foldable=False)
    if name in FUSED_ACTIVATIONS or (name == "softmax" and call.final):
        return x
    return vector(replace(call, reads=(x,)), LayerKind.ACTIVATION)


def flatten(call: Call) -> Tensor:
    """Free: the order in memory stays."""
    return replace(call.x, shape=(prod(call.x.shape),))


def free(call: Call) -> Tensor:
    """What does nothing at inference, or is folded into the input's quantisation."""
    return call.x


def map_of(call: Call, x: Tensor) -> tuple[int, int, int]:
    """Height, width, channels; a vector is a map of one position.

    Raises:
        InteropError: for a tensor of any other rank.
    """
    if len(x.shape) == 1:
        return (1, 1, x.channels)
    if len(x.shape) != 3:
        raise InteropError(
            f"layer '{call.name}' reads a tensor of shape {x.shape}: nahas reads maps of "
            "(height, width, channels) and vectors"
        )
    return (x.shape[0], x.shape[1], x.shape[2])


def vector(call: Call, kind: LayerKind, parameters: int = 0) -> Tensor:
    """A vector layer as large as the largest tensor it reads."""
    x = max(call.reads, key=lambda tensor: (tensor.positions, tensor.channels))
    height, width, channels = map_of(call, x)
    layer = Layer(
        name=call.name,
        kind=kind,
        g=channels,
        p=height,
        q=width,
        operands=2 if kind is LayerKind.ADD else 1,
        parameters=parameters,
    )
    return call.append(layer, x.shape)


def extent(size: int, span: int, stride: int, same: bool) -> int:
    """Output positions along one side, as TensorFlow counts them."""
    return -(-size // stride) if same else (size - span) // stride + 1


def _numbered(call: Call, number: int) -> str:
    return f"{call.name}/{number}" if number else call.name
