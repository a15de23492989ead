"""The operations of shared weights in TensorFlow, run eagerly.

Raw operations: their Python is a third of that of `tf.nn`, and the fused batch normalisation
is twice as quick on a CPU as the one that a Keras model trains with (benchmarks/supernet.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.children.operations import EPSILON, Forward, Rates
from nahas.children.quiet import import_keras

keras = import_keras()

import tensorflow as tf  # noqa: E402  # TensorFlow must first be loaded quietly


class TensorFlow:
    """`Operations` on tensors [B, H, W, C]."""

    name = "tensorflow"

    def __init__(self) -> None:
        self._nothing = tf.zeros([0])

    def variable(self, array: NDArray[Any]) -> Any:
        """A trainable variable."""
        return tf.Variable(np.asarray(array, np.float32))

    def array(self, variable: Any) -> NDArray[Any]:
        """What a variable or tensor holds, copied."""
        return np.array(variable.numpy())

    def cut(self, variable: Any, shape: tuple[int, ...]) -> Any:
        """The first elements of every axis, as a tensor of their own: gradients tell cuts apart."""
        if tuple(variable.shape) == shape:
            return tf.convert_to_tensor(variable)
        return tf.raw_ops.Slice(input=variable, begin=[0] * len(shape), size=shape)

    def images(self, images: Any, height: int, width: int) -> Any:
        """A feature map of images [B, H, W, C], resized where they are of another size."""
        x = tf.convert_to_tensor(images, tf.float32)
        return x if x.shape[1:3] == (height, width) else tf.image.resize(x, (height, width))

    def shape(self, x: Any) -> tuple[int, int, int]:
        """Height, width and channels of a feature map."""
        _, height, width, channels = x.shape
        return height, width, channels

    def conv(self, x: Any, kernel: Any, *, stride: int, groups: int, dilation: int) -> Any:
        """Convolution with SAME padding."""
        if groups > 1:  # TensorFlow has no gradient of grouped convolutions on a CPU
            parts = zip(tf.split(x, groups, 3), tf.split(kernel, groups, 3), strict=True)
            how = {"stride": stride, "groups": 1, "dilation": dilation}
            return tf.concat([self.conv(part, own, **how) for part, own in parts], 3)
        return tf.raw_ops.Conv2D(
            input=x,
            filter=kernel,
            strides=[1, stride, stride, 1],
            padding="SAME",
            dilations=[1, dilation, dilation, 1],
        )

    def depthwise(self, x: Any, kernel: Any, *, stride: int, dilation: int) -> Any:
        """Depthwise convolution with SAME padding."""
        return tf.raw_ops.DepthwiseConv2dNative(
            input=x,
            filter=kernel,
            strides=[1, stride, stride, 1],
            padding="SAME",
            dilations=[1, dilation, dilation, 1],
        )

    def normalize(self, x: Any, scale: Any, offset: Any) -> Any:
        """Batch normalisation by the mean and variance of this batch."""
        return tf.raw_ops.FusedBatchNormV3(
            x=x,
            scale=scale,
            offset=offset,
            mean=self._nothing,
            variance=self._nothing,
            epsilon=EPSILON,
            is_training=True,
        )[0]

    def bias(self, x: Any, bias: Any) -> Any:
        """A feature map with a number added to each channel."""
        return tf.raw_ops.BiasAdd(value=x, bias=bias)

    def dense(self, x: Any, kernel: Any, bias: Any) -> Any:
        """Logits [B, units] of a feature map of one position."""
        return tf.reshape(x, (-1, x.shape[-1])) @ kernel + bias

    def pool(self, x: Any, *, kernel: int, stride: int, mode: str) -> Any:
        """Max or average pooling with SAME padding."""
        pool = tf.nn.max_pool2d if mode == "max" else tf.nn.avg_pool2d
        return pool(x, kernel, stride, "SAME")

    def global_pool(self, x: Any) -> Any:
        """Average over all positions, to one."""
        return tf.reduce_mean(x, axis=(1, 2), keepdims=True)

    def activation(self, x: Any, name: str) -> Any:
        """An activation by Keras' name."""
        if name == "relu6":
            return tf.raw_ops.Relu6(features=x)
        if name == "relu":
            return tf.raw_ops.Relu(features=x)
        return keras.activations.get(name)(x)

    def mean(self, tensors: Sequence[Any]) -> Any:
        """Elementwise mean of tensors of one shape."""
        return tf.add_n(list(tensors)) / len(tensors)

    def loss(self, logits: Any, labels: Any, smoothing: float) -> Any:
        """Mean cross-entropy of labels [B], smoothed."""
        classes = logits.shape[-1]
        wanted = tf.one_hot(labels, classes) * (1.0 - smoothing) + smoothing / classes
        return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(wanted, logits))

    def correct(self, logits: Any, labels: Any) -> int:
        """How many labels [B] have the largest logit."""
        largest = tf.argmax(logits, axis=1, output_type=tf.int32)
        return int(tf.reduce_sum(tf.cast(largest == tf.cast(labels, tf.int32), tf.int32)))

    def without_gradients(self, compute: Callable[[], Any]) -> Any:
        """What `compute` gives; nothing is kept for gradients."""
        return compute()

    def gradients(self, forward: Forward) -> tuple[float, Sequence[Any], Sequence[Any]]:
        """The loss of `forward`, its tensors, and the gradient of each, None where it has none."""
        with tf.GradientTape() as tape:
            loss, tensors = forward()
        return float(loss), tensors, tape.gradient(loss, tensors)

    def summed(self, tensors: Sequence[Any], shape: tuple[int, ...]) -> Any:
        """The sum of tensors, each put into the corner of a larger one of zeros."""
        return tf.add_n(
            [
                tf.pad(
                    tensor, [(0, long - own) for long, own in zip(shape, tensor.shape, strict=True)]
                )
                for tensor in tensors
            ]
        )

    def update(
        self,
        variables: Sequence[Any],
        gradients: Sequence[Any],
        slots: Sequence[tuple[Any, ...]],
        rates: Rates,
    ) -> None:
        """Change variables and their slots in place, as far as gradients reach."""
        for variable, gradient, own in zip(variables, gradients, slots, strict=True):
            shape = tuple(gradient.shape)
            if tuple(variable.shape) == shape:
                _update_whole(variable, gradient, own, rates)
            else:
                _update_corner(variable, gradient, own, rates)


def _update_whole(variable: Any, gradient: Any, slots: tuple[Any, ...], rates: Rates) -> None:
    """By the fused operation of TensorFlow's optimiser; it has none with the rate in the moment."""
    total = gradient + rates.l2 * variable if rates.l2 else gradient
    if rates.decay is None:
        slots[0].assign(rates.momentum * slots[0] + rates.rate * total)
        variable.assign_sub(slots[0])
    else:
        tf.raw_ops.ResourceApplyRMSProp(
            var=variable.handle,
            ms=slots[1].handle,
            mom=slots[0].handle,
            lr=rates.rate,
            rho=rates.decay,
            momentum=rates.momentum,
            epsilon=rates.epsilon,
            grad=total,
        )


def _update_corner(variable: Any, gradient: Any, slots: tuple[Any, ...], rates: Rates) -> None:
    corner = tuple(slice(length) for length in gradient.shape)
    value, moment = variable[corner], slots[0][corner]
    step = gradient + rates.l2 * value if rates.l2 else gradient
    if rates.decay is not None:
        square = rates.decay * slots[1][corner] + (1.0 - rates.decay) * step * step
        slots[1][corner].assign(square)
        step = step * tf.math.rsqrt(square + rates.epsilon)
    moment = rates.momentum * moment + rates.rate * step
    slots[0][corner].assign(moment)
    variable[corner].assign(value - moment)
