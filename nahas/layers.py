"""One layer of a network: its shape, its multiply-accumulates, its parameters."""

from __future__ import annotations

from dataclasses import dataclass, fields

from nahas.errors import LayerError
from nahas.kernels.records import LayerRow
from nahas.vocabulary import LayerKind

MOST_EXTENT = 2**20
MOST_MACS = 2**45
"""The largest layer whose every count is exact: float64 holds integers to 2**53, and the mapper
divides in it, which is exact for operands below 2**26."""


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A layer as the simulator sees it.

    The dims are those of the field: n batch, g groups, k output and c input channels of one
    group, p x q output positions, r x s filter positions. A depthwise convolution has
    g channels and k = c = 1; a fully connected layer has p = q = r = s = 1. Vector layers
    (pool, add, scale, activation) put their channels in g, their window in r x s, and the
    number of tensors they read in `operands`.

    The input extent follows from the output: (p - 1) * stride_p + (r - 1) * dilation_r + 1.
    Padding is not modelled: a padded position is read like any other.

    Attributes:
        parameters: trained numbers of the layer (weights, biases, the two of a batch
            normalisation), which the builder of the network counts.

    Raises:
        LayerError: when a dim, stride or dilation is below 1.
    """

    name: str
    kind: LayerKind = LayerKind.CONVOLUTION
    n: int = 1
    g: int = 1
    k: int = 1
    c: int = 1
    p: int = 1
    q: int = 1
    r: int = 1
    s: int = 1
    stride_p: int = 1
    stride_q: int = 1
    dilation_r: int = 1
    dilation_s: int = 1
    operands: int = 1
    parameters: int = 0

    def __post_init__(self) -> None:
        for name in POSITIVE:
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise LayerError(
                    f"layer '{self.name}': {name} is {value!r}, "
                    "but it must be a whole number above 0"
                )

    @property
    def macs(self) -> int:
        """Multiply-accumulates; 0 on the vector path."""
        if self.kind.is_vector:
            return 0
        return self.n * self.g * self.k * self.c * self.p * self.q * self.r * self.s

    @property
    def is_depthwise(self) -> bool:
        """Whether every channel is filtered alone."""
        return not self.kind.is_vector and self.g > 1 and self.k == self.c == 1

    @property
    def weight_words(self) -> int:
        """Words of the weight tensor; 0 on the vector path."""
        if self.kind.is_vector:
            return 0
        return self.g * self.k * self.c * self.r * self.s

    @property
    def output_words(self) -> int:
        """Words of the output tensor."""
        return self.n * self.g * self.k * self.p * self.q

    @property
    def input_words(self) -> int:
        """Words of one input tensor, over the extent that the outputs touch."""
        height = (self.p - 1) * self.stride_p + (self.r - 1) * self.dilation_r + 1
        width = (self.q - 1) * self.stride_q + (self.s - 1) * self.dilation_s + 1
        return self.n * self.g * self.c * height * width

    @property
    def row(self) -> LayerRow:
        """The layer as the kernels read it."""
        return LayerRow(*(int(getattr(self, name)) for name in LayerRow._fields))


# Worked out once: a search makes thousands of layers, and asking each for its fields was slow.
POSITIVE = tuple(
    field.name for field in fields(Layer) if field.name not in ("name", "kind", "parameters")
)
