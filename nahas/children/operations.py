"""What shared weights compute with: the few tensor operations of a builder, and a step.

A network of shared weights is another one at every step, so there is no graph to compile: its
operations run as they are called. `tensorflow_operations` and `torch_operations` hold them for
Keras' two backends that can do that quickly; nothing else in the supernet knows which is in use.
Kernels are [height, width, input, output] and, of depthwise convolutions,
[height, width, channels, 1], as Keras has them; feature maps are what the backend likes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

from nahas.children.quiet import import_keras
from nahas.errors import UsageError

EPSILON = 1e-3
"""Of every batch normalisation; Keras' own."""

Forward = Callable[[], tuple[Any, Sequence[Any]]]
"""Gives a loss and the tensors whose gradients are wanted."""


@dataclass(frozen=True)
class Rates:
    """One update of variables v by gradients g, with L2 decay d in g (paper notes, section 6.2).

    RMSProp, the form of TensorFlow 1 that TuNAS uses:

        s <- decay s + (1 - decay) g**2;  m <- momentum m + rate g / sqrt(s + epsilon);  v <- v - m

    But s begins at 0 here, and at 1 in TensorFlow 1.

    Plain momentum where `decay` is None: m <- momentum m + rate g;  v <- v - m.
    """

    rate: float
    momentum: float
    decay: float | None
    epsilon: float = 1.0
    l2: float = 0.0


class Operations(Protocol):
    """Tensors of one backend. `Any` is a tensor, or a variable, of it."""

    name: str

    def variable(self, array: NDArray[Any]) -> Any:
        """A trainable variable."""
        ...

    def array(self, variable: Any) -> NDArray[Any]:
        """What a variable or tensor holds, copied."""
        ...

    def cut(self, variable: Any, shape: tuple[int, ...]) -> Any:
        """The first elements of every axis."""
        ...

    def images(self, images: Any, height: int, width: int) -> Any:
        """A feature map of images [B, H, W, C], resized where they are of another size."""
        ...

    def shape(self, x: Any) -> tuple[int, int, int]:
        """Height, width and channels of a feature map."""
        ...

    def conv(self, x: Any, kernel: Any, *, stride: int, groups: int, dilation: int) -> Any:
        """Convolution with SAME padding."""
        ...

    def depthwise(self, x: Any, kernel: Any, *, stride: int, dilation: int) -> Any:
        """Depthwise convolution with SAME padding."""
        ...

    def normalize(self, x: Any, scale: Any, offset: Any) -> Any:
        """Batch normalisation by the mean and variance of this batch."""
        ...

    def bias(self, x: Any, bias: Any) -> Any:
        """A feature map with a number added to each channel."""
        ...

    def dense(self, x: Any, kernel: Any, bias: Any) -> Any:
        """Logits [B, units] of a feature map of one position."""
        ...

    def pool(self, x: Any, *, kernel: int, stride: int, mode: str) -> Any:
        """Max or average pooling with SAME padding."""
        ...

    def global_pool(self, x: Any) -> Any:
        """Average over all positions, to one."""
        ...

    def activation(self, x: Any, name: str) -> Any:
        """An activation by Keras' name."""
        ...

    def mean(self, tensors: Sequence[Any]) -> Any:
        """Elementwise mean of tensors of one shape."""
        ...

    def loss(self, logits: Any, labels: Any, smoothing: float) -> Any:
        """Mean cross-entropy of labels [B], smoothed."""
        ...

    def correct(self, logits: Any, labels: Any) -> int:
        """How many labels [B] have the largest logit."""
        ...

    def without_gradients(self, compute: Callable[[], Any]) -> Any:
        """What `compute` gives; nothing is kept for gradients."""
        ...

    def gradients(self, forward: Forward) -> tuple[float, Sequence[Any], Sequence[Any]]:
        """The loss of `forward`, its tensors, and the gradient of each, None where it has none."""
        ...

    def summed(self, tensors: Sequence[Any], shape: tuple[int, ...]) -> Any:
        """The sum of tensors, each put into the corner of a larger one of zeros."""
        ...

    def update(
        self,
        variables: Sequence[Any],
        gradients: Sequence[Any],
        slots: Sequence[tuple[Any, ...]],
        rates: Rates,
    ) -> None:
        """Change variables and their slots (m, or m and s) in place, as far as gradients reach.

        Args:
            variables: each at most once.
            gradients: of the first elements of every axis of each variable.
            slots: of each variable.
            rates: how.
        """
        ...


def operations() -> Operations:
    """The operations of Keras' backend.

    Raises:
        UsageError: when there are none for it.
    """
    backend = import_keras().backend.backend()
    if backend == "tensorflow":
        from nahas.children.tensorflow_operations import TensorFlow

        return TensorFlow()
    if backend == "torch":
        from nahas.children.torch_operations import Torch

        return Torch()
    raise UsageError(
        f"KERAS_BACKEND is {backend}, but shared weights train on tensorflow or torch: set it to "
        "one of them"
    )


def same_padding(size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """Zeros before and after an axis, as TensorFlow pads: the odd one comes after."""
    reach = (kernel - 1) * dilation + 1
    total = max((-(-size // stride) - 1) * stride + reach - size, 0)
    return total // 2, total - total // 2
