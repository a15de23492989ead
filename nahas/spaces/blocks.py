"""Blocks of mobile networks, as functions of a builder (paper notes, section 4.4).

Every function reads a tensor `x` of the builder `on` and returns a tensor of it, so one text
serves the layer list and the Keras model alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeVar

from nahas.errors import NetworkError
from nahas.spaces.builder import Builder

T = TypeVar("T")

StrideOn = Literal["expand", "project"]


@dataclass(frozen=True, kw_only=True)
class Bottleneck:
    """The shape of one inverted bottleneck (IBN), fused or not.

    Attributes:
        filters: output channels.
        kernel: side of the depthwise filter, or of the fused expansion's.
        expansion: inner channels as a multiple of the input channels; 1 has no expansion.
        stride: of the block, 1 or more.
        groups: of the full convolution of a fused one.
        squeezed: channels of the squeeze-and-excitation on the inner tensor; 0 has none.
        skip: whether the input is added where stride and channels allow it.
        activation: of every convolution but the last, which has none.

    Raises:
        NetworkError: when a number is below its least.
    """

    filters: int
    kernel: int = 3
    expansion: int = 1
    stride: int = 1
    groups: int = 1
    squeezed: int = 0
    skip: bool = True
    activation: str = "relu"

    def __post_init__(self) -> None:
        least = {"filters": 1, "kernel": 1, "expansion": 1, "stride": 1, "groups": 1, "squeezed": 0}
        for name, lowest in least.items():
            value = getattr(self, name)
            if value < lowest:
                raise NetworkError(
                    f"bottleneck: {name} is {value}, but it must be at least {lowest}"
                )


def conv(
    on: Builder[T],
    x: T,
    filters: int,
    kernel: int,
    stride: int = 1,
    activation: str = "relu",
    *,
    part: str = "",
) -> T:
    """Convolution, batch normalisation, activation."""
    return on.activation(on.conv(x, filters, kernel=kernel, stride=stride, part=part), activation)


def squeeze_excite(on: Builder[T], x: T, squeezed: int, *, part: str = "") -> T:
    """Scale each channel by a gate made from the averages of all channels.

    Average over positions, 1x1 convolution to `squeezed` channels, ReLU, 1x1 convolution back,
    sigmoid; both convolutions have a bias and no normalisation. Their parts' names begin with
    `part`.
    """
    gate = on.conv(on.global_pool(x), squeezed, normalize=False, part=f"{part}squeeze")
    gate = on.activation(gate, "relu")
    gate = on.conv(gate, on.channels(x), normalize=False, part=f"{part}excite")
    gate = on.activation(gate, "sigmoid")
    return on.scale(x, gate)


def ibn(on: Builder[T], x: T, shape: Bottleneck) -> T:
    """Inverted bottleneck: 1x1 expand, depthwise with the stride, 1x1 project, skip.

    At expansion 1 the first convolution is left out.
    """
    y = x
    if shape.expansion > 1:
        inner = on.channels(x) * shape.expansion
        y = conv(on, y, inner, 1, activation=shape.activation, part="expand")
    y = on.depthwise(y, kernel=shape.kernel, stride=shape.stride, part="depthwise")
    y = on.activation(y, shape.activation)
    if shape.squeezed:
        y = squeeze_excite(on, y, shape.squeezed)
    return _skip(on, x, on.conv(y, shape.filters, part="project"), shape)


def fused_ibn(on: Builder[T], x: T, shape: Bottleneck, stride_on: StrideOn = "expand") -> T:
    """Fused inverted bottleneck: full convolution that expands, 1x1 project, skip.

    At expansion 1 the full convolution vanishes and only the 1x1 remains, as in the published
    MobileNetEdgeTPU code. `stride_on` says which of the two convolutions has the stride:
    MobileNetEdgeTPU has it on the first, EfficientNet-EdgeTPU on the second, which runs its
    first convolution on 4x the positions.

    Networks of a space share its parts where they have the same full convolution: what another
    one, or the expansion of `ibn`, makes of the input are other features, for which the same
    projection would mean nothing.
    """
    y = x
    part = f"fused{shape.kernel}of{shape.groups}-" if shape.expansion > 1 else "unexpanded-"
    on_project = stride_on == "project" or shape.expansion == 1
    if shape.expansion > 1:
        inner = on.channels(x) * shape.expansion
        stride = 1 if on_project else shape.stride
        own = f"{part}expand"
        y = on.conv(y, inner, kernel=shape.kernel, stride=stride, groups=shape.groups, part=own)
        y = on.activation(y, shape.activation)
    if shape.squeezed:
        y = squeeze_excite(on, y, shape.squeezed, part=part)
    stride = shape.stride if on_project else 1
    y = on.conv(y, shape.filters, stride=stride, part=f"{part}project")
    return _skip(on, x, y, shape)


def classifier(on: Builder[T], x: T, features: int, classes: int) -> T:
    """1x1 convolution to `features` channels, global average, fully connected."""
    return on.dense(on.global_pool(conv(on, x, features, 1)), classes)


def _skip(on: Builder[T], x: T, y: T, shape: Bottleneck) -> T:
    fits = shape.stride == 1 and on.channels(x) == shape.filters
    return on.add(x, y) if shape.skip and fits else y
