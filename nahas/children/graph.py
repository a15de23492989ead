"""The second reader of a network function: a Keras model to train."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nahas.children.normalization import quick_normalization
from nahas.children.quiet import import_keras
from nahas.spaces.builder import Builder, check_pool_mode

BATCH_NORMALIZATION_MOMENTUM = 0.9
"""Not Keras' 0.99: after the few hundred steps that a child trains for, averages that slow
still hold their initial values, and small networks of bottlenecks stay at chance."""

CHANNELS_LAST = "channels_last"


class KerasBuilder:
    """Reads a network function as a Keras functional model.

    Layers are named by their number and what they do, so the same function gives the same
    names in every process. Weights are drawn from a stream of `seed` and the layer's number, so
    that no layer of one seed begins as a layer of another; no global generator is touched. A
    depthwise filter sees one channel, so its He-normal draw counts fan-out, where Keras' fan-in
    would count all channels. Maps are channels-last, whatever Keras' `image_data_format` says.

    Attributes:
        momentum: of every batch normalisation.
        seed: of the initial weights and of what dropout hides.
        dropout: share of the inputs that a step hides from a fully connected layer.
        quick: whether to normalise by `quick_normalization`, for a model that is only trained:
            one that is kept has Keras' own layers alone, which any Keras reads.
    """

    def __init__(
        self,
        *,
        momentum: float = BATCH_NORMALIZATION_MOMENTUM,
        seed: int = 0,
        dropout: float = 0.0,
        quick: bool = False,
    ) -> None:
        self.momentum = momentum
        self.seed = seed
        self.dropout = dropout
        self.quick = quick
        self.inputs: list[Any] = []
        self._keras = import_keras()
        self._count = 0

    def _name(self, what: str) -> str:
        self._count += 1
        return f"{self._count - 1}_{what}"

    def _stream(self) -> int:
        return int(np.random.SeedSequence((self.seed, self._count)).generate_state(1)[0])

    def _he_normal(self, mode: str) -> Any:
        return self._keras.initializers.VarianceScaling(
            2.0, mode, "truncated_normal", seed=self._stream()
        )

    def _normalize(self, x: Any) -> Any:
        name = self._name("batch_normalization")
        own = self._keras.layers.BatchNormalization
        layer = quick_normalization() if self.quick else own
        return layer(momentum=self.momentum, name=name)(x)

    def input(self, height: int, width: int, channels: int) -> Any:
        """The network's input."""
        self.inputs.append(self._keras.Input((height, width, channels), name=self._name("input")))
        return self.inputs[-1]

    def channels(self, x: Any) -> int:
        """Channels of a tensor."""
        return int(x.shape[-1])

    def conv(  # noqa: PLR0913  # a convolution has as many
        self,
        x: Any,
        filters: int,
        *,
        kernel: int = 1,
        stride: int = 1,
        groups: int = 1,
        dilation: int = 1,
        normalize: bool = True,
        part: str = "",  # noqa: ARG002  # nothing is shared here
    ) -> Any:
        """Convolution with its normalisation or bias."""
        y = self._keras.layers.Conv2D(
            filters,
            kernel,
            strides=stride,
            padding="same",
            data_format=CHANNELS_LAST,
            groups=groups,
            dilation_rate=dilation,
            use_bias=not normalize,
            kernel_initializer=self._he_normal("fan_in"),
            name=self._name(f"conv_{kernel}x{kernel}"),
        )(x)
        return self._normalize(y) if normalize else y

    def depthwise(
        self,
        x: Any,
        *,
        kernel: int,
        stride: int = 1,
        dilation: int = 1,
        part: str = "",  # noqa: ARG002  # nothing is shared here
    ) -> Any:
        """Depthwise convolution with its normalisation."""
        y = self._keras.layers.DepthwiseConv2D(
            kernel,
            strides=stride,
            padding="same",
            data_format=CHANNELS_LAST,
            dilation_rate=dilation,
            use_bias=False,
            depthwise_initializer=self._he_normal("fan_out"),
            name=self._name(f"depthwise_{kernel}x{kernel}"),
        )(x)
        return self._normalize(y)

    def dense(self, x: Any, units: int) -> Any:
        """Fully connected layer with bias, without activation: the last one gives logits.

        It computes as precisely as its variables are: in float32 where the policy is mixed.
        """
        layers = self._keras.layers
        if len(x.shape) > 2:
            x = layers.Flatten(data_format=CHANNELS_LAST, name=self._name("flatten"))(x)
        if self.dropout:
            x = layers.Dropout(self.dropout, seed=self.seed, name=f"{self._count}_dropout")(x)
        initializer = self._keras.initializers.GlorotUniform(seed=self._stream())
        precise = self._keras.config.dtype_policy().variable_dtype
        name = self._name("dense")
        return layers.Dense(units, kernel_initializer=initializer, dtype=precise, name=name)(x)

    def pool(self, x: Any, *, kernel: int, stride: int, mode: str = "max") -> Any:
        """Max or average pooling."""
        check_pool_mode(mode)
        layers = self._keras.layers
        layer = layers.MaxPooling2D if mode == "max" else layers.AveragePooling2D
        return layer(
            kernel,
            strides=stride,
            padding="same",
            data_format=CHANNELS_LAST,
            name=self._name(f"{mode}_pool"),
        )(x)

    def global_pool(self, x: Any) -> Any:
        """Average over all positions."""
        layer = self._keras.layers.GlobalAveragePooling2D
        return layer(keepdims=True, data_format=CHANNELS_LAST, name=self._name("global_pool"))(x)

    def add(self, x: Any, y: Any) -> Any:
        """Elementwise sum."""
        return self._keras.layers.Add(name=self._name("add"))([x, y])

    def scale(self, x: Any, gate: Any) -> Any:
        """Channelwise product with a gate of one position."""
        return self._keras.layers.Multiply(name=self._name("scale"))([x, gate])

    def activation(self, x: Any, name: str) -> Any:
        """An activation alone."""
        if name == "linear":
            return x
        return self._keras.layers.Activation(name, name=self._name(name))(x)


def keras_model(
    function: Callable[[Builder[Any]], Any],
    *,
    name: str = "network",
    momentum: float = BATCH_NORMALIZATION_MOMENTUM,
    seed: int = 0,
    dropout: float = 0.0,
    quick: bool = False,
) -> Any:
    """The Keras model of a network function; its output is logits.

    Trainable weights are `Network.parameters` of the layer reading of the same function.

    Args:
        function: a network, such as `nahas.networks.function(name)`.
        name: of the model; characters that Keras does not take become underscores.
        momentum: of every batch normalisation.
        seed: of the initial weights; the same seed gives the same weights.
        dropout: share of the features that a step hides from the classifier.
        quick: whether it is only trained, and not kept: see `KerasBuilder`. The weights are in
            the same order either way.
    """
    builder = KerasBuilder(momentum=momentum, seed=seed, dropout=dropout, quick=quick)
    output = function(builder)
    # A list of one would make Keras expect a list of one from every caller.
    inputs = builder.inputs[0] if len(builder.inputs) == 1 else builder.inputs
    return import_keras().Model(inputs, output, name=name.replace("/", "_"))
