"""The operations of shared weights in PyTorch, on a GPU where there is one.

Tensors are [B, C, H, W], which PyTorch's depthwise convolutions are written for; kernels stay
as Keras has them and are turned where they are used, as they are small.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from nahas.children.operations import EPSILON, Forward, Rates, same_padding


class Torch:
    """`Operations` on tensors [B, C, H, W]."""

    name = "torch"

    def __init__(self) -> None:
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

    def variable(self, array: NDArray[Any]) -> Any:
        """A trainable variable."""
        made = torch.tensor(np.asarray(array, np.float32), device=self._device)
        return made.requires_grad_()

    def array(self, variable: Any) -> NDArray[Any]:
        """What a variable or tensor holds, copied."""
        copied: NDArray[Any] = variable.detach().cpu().numpy().copy()
        return copied

    def cut(self, variable: Any, shape: tuple[int, ...]) -> Any:
        """The first elements of every axis."""
        if tuple(variable.shape) == shape:
            return variable
        return variable[tuple(slice(length) for length in shape)]

    def images(self, images: Any, height: int, width: int) -> Any:
        """A feature map of images [B, H, W, C], resized where they are of another size."""
        x = torch.as_tensor(images, dtype=torch.float32, device=self._device)
        x = x.permute(0, 3, 1, 2).contiguous()
        if x.shape[2:] == (height, width):
            return x
        return functional.interpolate(x, (height, width), mode="bilinear")

    def shape(self, x: Any) -> tuple[int, int, int]:
        """Height, width and channels of a feature map."""
        _, channels, height, width = x.shape
        return height, width, channels

    def conv(self, x: Any, kernel: Any, *, stride: int, groups: int, dilation: int) -> Any:
        """Convolution with SAME padding."""
        turned = kernel.permute(3, 2, 0, 1)
        x, padding = self._padded(x, kernel.shape[0], stride, dilation)
        return functional.conv2d(x, turned, None, stride, padding, dilation, groups)

    def depthwise(self, x: Any, kernel: Any, *, stride: int, dilation: int) -> Any:
        """Depthwise convolution with SAME padding."""
        turned = kernel.permute(2, 3, 0, 1)
        x, padding = self._padded(x, kernel.shape[0], stride, dilation)
        return functional.conv2d(x, turned, None, stride, padding, dilation, x.shape[1])

    def normalize(self, x: Any, scale: Any, offset: Any) -> Any:
        """Batch normalisation by the mean and variance of this batch."""
        return functional.batch_norm(x, None, None, scale, offset, training=True, eps=EPSILON)

    def bias(self, x: Any, bias: Any) -> Any:
        """A feature map with a number added to each channel."""
        return x + bias[:, None, None]

    def dense(self, x: Any, kernel: Any, bias: Any) -> Any:
        """Logits [B, units] of a feature map of one position."""
        return x.flatten(1) @ kernel + bias

    def pool(self, x: Any, *, kernel: int, stride: int, mode: str) -> Any:
        """Max or average pooling with SAME padding; what is padded counts in neither."""
        before, after = zip(
            *(same_padding(size, kernel, stride, 1) for size in x.shape[2:]), strict=True
        )
        sides = (before[1], after[1], before[0], after[0])
        if mode == "max":
            return functional.max_pool2d(functional.pad(x, sides, value=-torch.inf), kernel, stride)
        inside = functional.pad(torch.ones_like(x[:1, :1]), sides)
        averages = functional.avg_pool2d(functional.pad(x, sides), kernel, stride)
        return averages / functional.avg_pool2d(inside, kernel, stride)

    def global_pool(self, x: Any) -> Any:
        """Average over all positions, to one."""
        return x.mean((2, 3), keepdim=True)

    def activation(self, x: Any, name: str) -> Any:
        """An activation by Keras' name."""
        if name in ("relu", "relu6", "sigmoid"):
            return getattr(functional, name)(x)
        import keras

        return keras.activations.get(name)(x)

    def mean(self, tensors: Sequence[Any]) -> Any:
        """Elementwise mean of tensors of one shape."""
        return sum(tensors) / len(tensors)

    def loss(self, logits: Any, labels: Any, smoothing: float) -> Any:
        """Mean cross-entropy of labels [B], smoothed."""
        return functional.cross_entropy(logits, self._labels(labels), label_smoothing=smoothing)

    def correct(self, logits: Any, labels: Any) -> int:
        """How many labels [B] have the largest logit."""
        return int((logits.argmax(1) == self._labels(labels)).sum())

    def without_gradients(self, compute: Callable[[], Any]) -> Any:
        """What `compute` gives; nothing is kept for gradients."""
        with torch.no_grad():
            return compute()

    def gradients(self, forward: Forward) -> tuple[float, Sequence[Any], Sequence[Any]]:
        """The loss of `forward`, its tensors, and the gradient of each."""
        loss, tensors = forward()
        return float(loss.detach()), tensors, torch.autograd.grad(loss, list(tensors))

    def summed(self, tensors: Sequence[Any], shape: tuple[int, ...]) -> Any:
        """The sum of tensors, each put into the corner of a larger one of zeros."""
        total = torch.zeros(shape, device=self._device)
        for tensor in tensors:
            self.cut(total, tuple(tensor.shape)).add_(tensor)
        return total

    def update(
        self,
        variables: Sequence[Any],
        gradients: Sequence[Any],
        slots: Sequence[tuple[Any, ...]],
        rates: Rates,
    ) -> None:
        """Change variables and their slots in place."""
        with torch.no_grad():
            steps = list(gradients)
            values, moments = (
                [self.cut(whole, tuple(step.shape)) for whole, step in zip(of, steps, strict=True)]
                for of in (variables, [own[0] for own in slots])
            )
            if rates.l2:
                steps = torch._foreach_add(steps, values, alpha=rates.l2)
            torch._foreach_mul_(moments, rates.momentum)
            if rates.decay is None:
                torch._foreach_add_(moments, steps, alpha=rates.rate)
            else:
                squares = [
                    self.cut(own[1], tuple(step.shape))
                    for own, step in zip(slots, steps, strict=True)
                ]
                torch._foreach_mul_(squares, rates.decay)
                torch._foreach_addcmul_(squares, steps, steps, 1.0 - rates.decay)
                roots = torch._foreach_sqrt(torch._foreach_add(squares, rates.epsilon))
                torch._foreach_addcdiv_(moments, steps, roots, rates.rate)
            torch._foreach_sub_(values, moments)

    def _labels(self, labels: Any) -> Any:
        return torch.as_tensor(labels, dtype=torch.int64, device=self._device)

    def _padded(self, x: Any, kernel: int, stride: int, dilation: int) -> tuple[Any, Any]:
        """The tensor and the padding to give to a convolution, which cannot pad unevenly."""
        (top, bottom), (left, right) = (
            same_padding(size, kernel, stride, dilation) for size in x.shape[2:]
        )
        if top == bottom and left == right:
            return x, (top, left)
        return functional.pad(x, (left, right, top, bottom)), 0
