"""Networks written as text, for those that are only compared with: layers, no Keras model.

A chain is words, one a layer: `96:3x3/2v` is a convolution to 96 channels with a 3x3 window and
stride 2 and no padding; without `/2` the stride is 1, without `v` padding keeps the size.
`max:` and `avg:` pool. Normalisation and ReLU are the output path's, and free.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from nahas.errors import NetworkError
from nahas.layers import Layer
from nahas.network import Network
from nahas.spaces.builder import Feature
from nahas.vocabulary import LayerKind

WORD = re.compile(r"(max|avg|\d+):(\d+)x(\d+)(?:/(\d+))?(v?)")


@dataclass
class Stack:
    """Layers in the order they run; every method appends some and returns what comes out."""

    layers: list[Layer] = field(default_factory=list)
    inputs: list[tuple[int, ...]] = field(default_factory=list)

    def network(self, name: str) -> Network:
        """What has been stacked."""
        return Network(name=name, layers=tuple(self.layers), inputs=tuple(self.inputs))

    def put(self, layer: Layer, *sources: Feature) -> Feature:
        """Append a layer that reads `sources`."""
        self.layers.append(replace(layer, name=f"{len(self.layers)}_{layer.name}"))
        self.inputs.append(tuple(source.source for source in sources))
        return Feature(len(self.layers) - 1, layer.p, layer.q, layer.g * layer.k)

    def chain(self, x: Feature, words: str) -> Feature:
        """Layers one after the other.

        Raises:
            NetworkError: for a word of another form.
        """
        for word in words.split():
            found = WORD.fullmatch(word)
            if found is None:
                raise NetworkError(f"'{word}' is no layer: write it as 96:3x3/2v or max:3x3/2")
            what, r, s, stride, valid = found.groups()
            x = self._windowed(x, what, (int(r), int(s)), int(stride or 1), bool(valid))
        return x

    def _windowed(
        self, x: Feature, what: str, window: tuple[int, int], stride: int, valid: bool
    ) -> Feature:
        (r, s), pools = window, not what.isdigit()
        layer = Layer(
            name=f"{what if pools else 'conv'}_{r}x{s}",
            kind=LayerKind.POOL if pools else LayerKind.CONVOLUTION,
            g=x.channels if pools else 1,
            k=1 if pools else int(what),
            c=1 if pools else x.channels,
            p=-(-(x.height - (r - 1) * valid) // stride),
            q=-(-(x.width - (s - 1) * valid) // stride),
            r=r,
            s=s,
            stride_p=stride,
            stride_q=stride,
        )
        return self.put(layer, x)

    def concat(self, parts: Sequence[Feature]) -> Feature:
        """Parts side by side: copies, two tensors at a time."""
        x = parts[0]
        for part in parts[1:]:
            channels = x.channels + part.channels
            layer = Layer(name="concat", kind=LayerKind.POOL, g=channels, p=x.height, q=x.width)
            x = self.put(layer, x, part)
        return x

    def branches(self, x: Feature, *chains: str) -> Feature:
        """Chains that all read `x`, side by side; an empty one is `x` itself."""
        return self.concat([self.chain(x, words) for words in chains])

    def add(self, x: Feature, y: Feature) -> Feature:
        """Elementwise sum."""
        kind = LayerKind.ADD
        return self.put(
            Layer(name="add", kind=kind, g=x.channels, p=x.height, q=x.width, operands=2), x, y
        )

    def normalise(self, x: Feature) -> Feature:
        """A normalisation that no convolution before it can take in: a vector layer."""
        kind = LayerKind.ACTIVATION
        return self.put(Layer(name="normalise", kind=kind, g=x.channels, p=x.height, q=x.width), x)

    def classify(self, x: Feature, classes: int) -> Feature:
        """Average over all positions, fully connected."""
        pool = Layer(name="pool", kind=LayerKind.POOL, g=x.channels, r=x.height, s=x.width)
        return self.dense(self.put(pool, x), classes)

    def dense(self, x: Feature, units: int) -> Feature:
        """Fully connected over all positions."""
        layer = Layer(name="dense", k=units, c=x.channels, r=x.height, s=x.width)
        return self.put(layer, x)
