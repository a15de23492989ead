"""The builder protocol: a network is one function of a builder, read in several ways.

`LayerBuilder` reads it as the simulator's layers. `nahas.children.graph.KerasBuilder` reads
the same function as a Keras model. Neither can drift from the other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from nahas.errors import NetworkError
from nahas.layers import Layer
from nahas.network import Network
from nahas.vocabulary import LayerKind

T = TypeVar("T")

FUSED_ACTIVATIONS = ("linear", "relu", "relu6")
"""Activations that the output path applies for nothing; any other is a vector layer."""

POOL_MODES = ("max", "average")


class Builder(Protocol[T]):
    """What a network function may call. Feature maps are SAME-padded, NHWC."""

    def input(self, height: int, width: int, channels: int) -> T:
        """The network's input."""
        ...

    def channels(self, x: T) -> int:
        """Channels of a tensor."""
        ...

    def conv(  # noqa: PLR0913  # a convolution has as many
        self,
        x: T,
        filters: int,
        *,
        kernel: int = 1,
        stride: int = 1,
        groups: int = 1,
        dilation: int = 1,
        normalize: bool = True,
        part: str = "",
    ) -> T:
        """Convolution, then batch normalisation, or a bias where `normalize` is False.

        `part` names its part in its block: networks of a space that share weights share those
        of equal parts. Only readers with shared weights look at it.
        """
        ...

    def depthwise(
        self, x: T, *, kernel: int, stride: int = 1, dilation: int = 1, part: str = ""
    ) -> T:
        """Depthwise convolution, then batch normalisation. `part` as of `conv`."""
        ...

    def dense(self, x: T, units: int) -> T:
        """Fully connected layer with bias, on a tensor of one position."""
        ...

    def pool(self, x: T, *, kernel: int, stride: int, mode: str = "max") -> T:
        """Max or average pooling."""
        ...

    def global_pool(self, x: T) -> T:
        """Average over all positions, to one position."""
        ...

    def add(self, x: T, y: T) -> T:
        """Elementwise sum."""
        ...

    def scale(self, x: T, gate: T) -> T:
        """Channelwise product with a gate of one position (squeeze-and-excitation)."""
        ...

    def activation(self, x: T, name: str) -> T:
        """An activation alone."""
        ...


@dataclass(frozen=True)
class Feature:
    """A tensor of the layer reading: the layer that makes it (-1: the input) and its shape."""

    source: int
    height: int
    width: int
    channels: int


@dataclass
class LayerBuilder:
    """Reads a network function as layers for the simulator. Keras is not needed."""

    name: str
    layers: list[Layer] = field(default_factory=list)
    inputs: list[tuple[int, ...]] = field(default_factory=list)

    def network(self) -> Network:
        """What has been read."""
        return Network(name=self.name, layers=tuple(self.layers), inputs=tuple(self.inputs))

    def _name(self, what: str) -> str:
        return f"{len(self.layers)}_{what}"

    def _append(self, layer: Layer, sources: tuple[Feature, ...], channels: int) -> Feature:
        self.layers.append(layer)
        self.inputs.append(tuple(source.source for source in sources))
        return Feature(len(self.layers) - 1, layer.p, layer.q, channels)

    def input(self, height: int, width: int, channels: int) -> Feature:
        """The network's input."""
        return Feature(-1, height, width, channels)

    def channels(self, x: Feature) -> int:
        """Channels of a tensor."""
        return x.channels

    def conv(  # noqa: PLR0913  # a convolution has as many
        self,
        x: Feature,
        filters: int,
        *,
        kernel: int = 1,
        stride: int = 1,
        groups: int = 1,
        dilation: int = 1,
        normalize: bool = True,
        part: str = "",  # noqa: ARG002  # nothing is shared here
    ) -> Feature:
        """Convolution with its normalisation or bias."""
        if x.channels % groups or filters % groups:
            raise NetworkError(
                f"network '{self.name}': a convolution of {x.channels} to {filters} channels "
                f"cannot have {groups} groups: both must be multiples of it"
            )
        per_filter = kernel * kernel * x.channels // groups + (2 if normalize else 1)
        layer = Layer(
            name=self._name(_conv_name(kernel, groups)),
            g=groups,
            k=filters // groups,
            c=x.channels // groups,
            p=-(-x.height // stride),
            q=-(-x.width // stride),
            r=kernel,
            s=kernel,
            stride_p=stride,
            stride_q=stride,
            dilation_r=dilation,
            dilation_s=dilation,
            parameters=filters * per_filter,
        )
        return self._append(layer, (x,), filters)

    def depthwise(
        self,
        x: Feature,
        *,
        kernel: int,
        stride: int = 1,
        dilation: int = 1,
        part: str = "",  # noqa: ARG002  # nothing is shared here
    ) -> Feature:
        """Depthwise convolution with its normalisation."""
        layer = Layer(
            name=self._name(f"depthwise_{kernel}x{kernel}"),
            g=x.channels,
            p=-(-x.height // stride),
            q=-(-x.width // stride),
            r=kernel,
            s=kernel,
            stride_p=stride,
            stride_q=stride,
            dilation_r=dilation,
            dilation_s=dilation,
            parameters=x.channels * (kernel * kernel + 2),
        )
        return self._append(layer, (x,), x.channels)

    def dense(self, x: Feature, units: int) -> Feature:
        """Fully connected layer with bias."""
        if x.height * x.width != 1:
            raise NetworkError(
                f"network '{self.name}': a fully connected layer reads one position, "
                f"but its input has {x.height} x {x.width}: pool first"
            )
        layer = Layer(
            name=self._name("dense"), k=units, c=x.channels, parameters=(x.channels + 1) * units
        )
        return self._append(layer, (x,), units)

    def pool(self, x: Feature, *, kernel: int, stride: int, mode: str = "max") -> Feature:
        """Max or average pooling."""
        check_pool_mode(mode)
        layer = Layer(
            name=self._name(f"{mode}_pool_{kernel}x{kernel}"),
            kind=LayerKind.POOL,
            g=x.channels,
            p=-(-x.height // stride),
            q=-(-x.width // stride),
            r=kernel,
            s=kernel,
            stride_p=stride,
            stride_q=stride,
        )
        return self._append(layer, (x,), x.channels)

    def global_pool(self, x: Feature) -> Feature:
        """Average over all positions."""
        layer = Layer(
            name=self._name("global_pool"), kind=LayerKind.POOL, g=x.channels, r=x.height, s=x.width
        )
        return self._append(layer, (x,), x.channels)

    def add(self, x: Feature, y: Feature) -> Feature:
        """Elementwise sum."""
        if (x.height, x.width, x.channels) != (y.height, y.width, y.channels):
            raise NetworkError(
                f"network '{self.name}': cannot add {x.height} x {x.width} x {x.channels} "
                f"and {y.height} x {y.width} x {y.channels}"
            )
        layer = Layer(
            name=self._name("add"),
            kind=LayerKind.ADD,
            g=x.channels,
            p=x.height,
            q=x.width,
            operands=2,
        )
        return self._append(layer, (x, y), x.channels)

    def scale(self, x: Feature, gate: Feature) -> Feature:
        """Channelwise product with a gate of one position."""
        if (gate.height, gate.width, gate.channels) != (1, 1, x.channels):
            raise NetworkError(
                f"network '{self.name}': a gate of {gate.height} x {gate.width} x "
                f"{gate.channels} cannot scale {x.channels} channels: "
                f"it must be 1 x 1 x {x.channels}"
            )
        layer = Layer(
            name=self._name("scale"), kind=LayerKind.SCALE, g=x.channels, p=x.height, q=x.width
        )
        return self._append(layer, (x, gate), x.channels)

    def activation(self, x: Feature, name: str) -> Feature:
        """Nothing when the output path applies it, else a vector layer."""
        if name in FUSED_ACTIVATIONS:
            return x
        layer = Layer(
            name=self._name(name), kind=LayerKind.ACTIVATION, g=x.channels, p=x.height, q=x.width
        )
        return self._append(layer, (x,), x.channels)


def check_pool_mode(mode: str) -> None:
    """Raise a NetworkError unless `mode` is one of POOL_MODES."""
    if mode not in POOL_MODES:
        raise NetworkError(f"pooling mode is '{mode}': allowed are {', '.join(POOL_MODES)}")


def _conv_name(kernel: int, groups: int) -> str:
    prefix = "pointwise" if kernel == 1 else f"conv_{kernel}x{kernel}"
    return prefix if groups == 1 else f"{prefix}_groups_{groups}"


def read_layers(name: str, function: Callable[[LayerBuilder], object]) -> Network:
    """Read a network function as a Network."""
    builder = LayerBuilder(name)
    function(builder)
    return builder.network()
