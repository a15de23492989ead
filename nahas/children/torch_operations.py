"""The operations of shared weights in PyTorch, on a GPU where there is one.

Tensors are [B, C, H, W], which PyTorch's depthwise convolutions are written for; kernels stay
as Keras has them and are turned where they are used, as they are small.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.children.operations import EPSILON, Forward, Rates, same_padding


class Torch:
    """`Operations` on tensors [B, C, H, W]."""

    name = "torch"

    def __init__(self) -> None:
        import torch  # seconds to load, and not installed everywhere

        self._torch = torch
        self._functional = torch.nn.functional
        self._device = self._torch.device("cuda" if self._torch.cuda.is_available() else "cpu")

    def variable(self, array: NDArray[Any]) -> Any:
        """A trainable variable."""
        made = self._torch.tensor(np.asarray(array, np.float32), device=self._device)
        return made.requires_grad_()

    def array(self, variable: Any) -> NDArray[Any]:
        """What a variable or tensor holds, copied."""
        copied: NDArray[Any] = variable.detach().cpu().numpy().copy()
        return copied

    def cut(self, variable: Any, shape: tuple[int, ...]) -> Any:
        """The first elements of every axis, as a view of their own: gradients tell cuts apart."""
        if tuple(variable.shape) == shape:
            return variable.view_as(variable)
        return variable[tuple(slice(length) for length in shape)]

    def images(self, images: Any, height: int, width: int) -> Any:
        """A feature map of images [B, H, W, C], resized where they are of another size."""
        x = self._torch.as_tensor(images, dtype=self._torch.float32, device=self._device)
        x = x.permute(0, 3, 1, 2).contiguous()
        if x.shape[2:] == (height, width):
            return x
        return self._functional.interpolate(x, (height, width), mode="bilinear")

    def shape(self, x: Any) -> tuple[int, int, int]:
        """Height, width and channels of a feature map."""
        _, channels, height, width = x.shape
        return height, width, channels

    def conv(self, x: Any, kernel: Any, *, stride: int, groups: int, dilation: int) -> Any:
        """Convolution with SAME padding."""
        turned = kernel.permute(3, 2, 0, 1)
        x, padding = self._padded(x, kernel.shape[0], stride, dilation)
        return self._functional.conv2d(x, turned, None, stride, padding, dilation, groups)

    def depthwise(self, x: Any, kernel: Any, *, stride: int, dilation: int) -> Any:
        """Depthwise convolution with SAME padding."""
        turned = kernel.permute(2, 3, 0, 1)
        x, padding = self._padded(x, kernel.shape[0], stride, dilation)
        return self._functional.conv2d(x, turned, None, stride, padding, dilation, x.shape[1])

    def normalize(self, x: Any, scale: Any, offset: Any) -> Any:
        """Batch normalisation by the mean and variance of this batch."""
        return self._functional.batch_norm(x, None, None, scale, offset, training=True, eps=EPSILON)

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
            return self._functional.max_pool2d(
                self._functional.pad(x, sides, value=-self._torch.inf), kernel, stride
            )
        inside = self._functional.pad(self._torch.ones_like(x[:1, :1]), sides)
        averages = self._functional.avg_pool2d(self._functional.pad(x, sides), kernel, stride)
        return averages / self._functional.avg_pool2d(inside, kernel, stride)

    def global_pool(self, x: Any) -> Any:
        """Average over all positions, to one."""
        return x.mean((2, 3), keepdim=True)

    def activation(self, x: Any, name: str) -> Any:
        """An activation by Keras' name."""
        if name in ("relu", "relu6", "sigmoid"):
            return getattr(self._functional, name)(x)
        import keras

        return keras.activations.get(name)(x)

    def mean(self, tensors: Sequence[Any]) -> Any:
        """Elementwise mean of tensors of one shape."""
        return sum(tensors) / len(tensors)

    def loss(self, logits: Any, labels: Any, smoothing: float) -> Any:
        """Mean cross-entropy of labels [B], smoothed."""
        return self._functional.cross_entropy(
            logits, self._labels(labels), label_smoothing=smoothing
        )

    def correct(self, logits: Any, labels: Any) -> int:
        """How many labels [B] have the largest logit."""
        return int((logits.argmax(1) == self._labels(labels)).sum())

    def without_gradients(self, compute: Callable[[], Any]) -> Any:
        """What `compute` gives; nothing is kept for gradients."""
        with self._torch.no_grad():
            return compute()

    def gradients(self, forward: Forward) -> tuple[float, Sequence[Any], Sequence[Any]]:
        """The loss of `forward`, its tensors, and the gradient of each, None where it has none."""
        loss, tensors = forward()
        gradients = self._torch.autograd.grad(loss, list(tensors), allow_unused=True)
        return float(loss.detach()), tensors, gradients

    def summed(self, tensors: Sequence[Any], shape: tuple[int, ...]) -> Any:
        """The sum of tensors, each put into the corner of a larger one of zeros."""
        total = self._torch.zeros(shape, device=self._device)
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
        with self._torch.no_grad():
            steps = list(gradients)
            values, moments = (
                [self.cut(whole, tuple(step.shape)) for whole, step in zip(of, steps, strict=True)]
                for of in (variables, [own[0] for own in slots])
            )
            if rates.l2:
                steps = self._torch._foreach_add(steps, values, alpha=rates.l2)
            self._torch._foreach_mul_(moments, rates.momentum)
            if rates.decay is None:
                self._torch._foreach_add_(moments, steps, alpha=rates.rate)
            else:
                squares = [
                    self.cut(own[1], tuple(step.shape))
                    for own, step in zip(slots, steps, strict=True)
                ]
                self._torch._foreach_mul_(squares, rates.decay)
                self._torch._foreach_addcmul_(squares, steps, steps, 1.0 - rates.decay)
                roots = self._torch._foreach_sqrt(self._torch._foreach_add(squares, rates.epsilon))
                self._torch._foreach_addcdiv_(moments, steps, roots, rates.rate)
            self._torch._foreach_sub_(values, moments)

    def _labels(self, labels: Any) -> Any:
        return self._torch.as_tensor(labels, dtype=self._torch.int64, device=self._device)

    def _padded(self, x: Any, kernel: int, stride: int, dilation: int) -> tuple[Any, Any]:
        """The tensor and the padding to give to a convolution, which cannot pad unevenly."""
        (top, bottom), (left, right) = (
            same_padding(size, kernel, stride, dilation) for size in x.shape[2:]
        )
        if top == bottom and left == right:
            return x, (top, left)
        return self._functional.pad(x, (left, right, top, bottom)), 0
