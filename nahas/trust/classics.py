"""The older networks of Coral's benchmark page, by the names of its table.

Each is its paper's, at the input size of the table; where papers leave a choice, TensorFlow's
own models (tensorflow/models, slim) decide. Sizes are tested against published ones.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from nahas.network import Network
from nahas.spaces.builder import Feature
from nahas.trust.stack import Stack


def classics() -> dict[str, Network]:
    """All of them."""
    return {name: _read(name, size, stacked) for name, (size, stacked) in _NETWORKS.items()}


def _read(name: str, size: int, stacked: Callable[[Stack, Feature], Feature]) -> Network:
    on = Stack()
    stacked(on, Feature(-1, size, size, 3))
    return on.network(name)


def vgg(on: Stack, x: Feature, deep: int) -> Feature:
    """Simonyan and Zisserman, arXiv 1409.1556: VGG16 with 3 convolutions where it is `deep`."""
    for filters, repeats in ((64, 2), (128, 2), (256, deep), (512, deep), (512, deep)):
        x = on.chain(x, f"{filters}:3x3 " * repeats + "max:2x2/2")
    return on.dense(on.dense(on.dense(x, 4096), 4096), 1000)


def squeezenet(on: Stack, x: Feature) -> Feature:
    """Iandola et al., arXiv 1602.07360: version 1.0."""
    x = on.chain(x, "96:7x7/2 max:3x3/2v")
    for index, squeezed in enumerate((16, 16, 32, 32, 48, 48, 64, 64)):
        x = on.chain(x, f"{squeezed}:1x1")
        x = on.branches(x, f"{4 * squeezed}:1x1", f"{4 * squeezed}:3x3")
        if index in (2, 6):
            x = on.chain(x, "max:3x3/2v")
    x = on.chain(x, "1000:1x1")
    return on.chain(x, f"avg:{x.height}x{x.width}v")


INCEPTION_V1 = (
    (64, 96, 128, 16, 32, 32),
    (128, 128, 192, 32, 96, 64),
    (192, 96, 208, 16, 48, 64),
    (160, 112, 224, 24, 64, 64),
    (128, 128, 256, 24, 64, 64),
    (112, 144, 288, 32, 64, 64),
    (256, 160, 320, 32, 128, 128),
    (256, 160, 320, 32, 128, 128),
    (384, 192, 384, 48, 128, 128),
)
"""Channels of each module, as the paper's table 1 orders them."""


def inception_v1(on: Stack, x: Feature) -> Feature:
    """Szegedy et al., arXiv 1409.4842; slim has 3x3 where the paper has 5x5."""
    x = on.chain(x, "64:7x7/2 max:3x3/2 64:1x1 192:3x3 max:3x3/2")
    for index, (a, b, c, d, e, f) in enumerate(INCEPTION_V1):
        x = on.branches(x, f"{a}:1x1", f"{b}:1x1 {c}:3x3", f"{d}:1x1 {e}:3x3", f"max:3x3 {f}:1x1")
        if index in (1, 6):
            x = on.chain(x, "max:3x3/2" if index == 1 else "max:2x2/2")
    return on.classify(x, 1001)


def inception_v4(on: Stack, x: Feature) -> Feature:
    """Szegedy et al., arXiv 1602.07261, figures 3 to 9."""
    x = on.chain(x, "32:3x3/2v 32:3x3v 64:3x3")
    x = on.branches(x, "max:3x3/2v", "96:3x3/2v")
    x = on.branches(x, "64:1x1 96:3x3v", "64:1x1 64:1x7 64:7x1 96:3x3v")
    x = on.branches(x, "192:3x3/2v", "max:3x3/2v")
    for _ in range(4):
        x = on.branches(x, "96:1x1", "64:1x1 96:3x3", "64:1x1 96:3x3 96:3x3", "avg:3x3 96:1x1")
    x = on.branches(x, "384:3x3/2v", "192:1x1 224:3x3 256:3x3/2v", "max:3x3/2v")
    for _ in range(7):
        x = on.branches(
            x,
            "384:1x1",
            "192:1x1 224:1x7 256:7x1",
            "192:1x1 192:7x1 224:1x7 224:7x1 256:1x7",
            "avg:3x3 128:1x1",
        )
    x = on.branches(x, "192:1x1 192:3x3/2v", "256:1x1 256:1x7 320:7x1 320:3x3/2v", "max:3x3/2v")
    for _ in range(3):
        short, long = on.chain(x, "384:1x1"), on.chain(x, "384:1x1 448:3x1 512:1x3")
        parts = [on.branches(y, "256:1x3", "256:3x1") for y in (short, long)]
        x = on.concat([on.chain(x, "256:1x1"), *parts, on.chain(x, "avg:3x3 256:1x1")])
    return on.classify(x, 1001)


def inception_resnet_v2(on: Stack, x: Feature) -> Feature:
    """Szegedy et al., arXiv 1602.07261, with slim's stem and channels."""
    x = on.chain(x, "32:3x3/2v 32:3x3v 64:3x3 max:3x3/2v 80:1x1 192:3x3v max:3x3/2v")
    x = on.branches(x, "96:1x1", "48:1x1 64:5x5", "64:1x1 96:3x3 96:3x3", "avg:3x3 64:1x1")
    x = _residuals(on, x, 10, "32:1x1", "32:1x1 32:3x3", "32:1x1 48:3x3 64:3x3")
    x = on.branches(x, "384:3x3/2v", "256:1x1 256:3x3 384:3x3/2v", "max:3x3/2v")
    x = _residuals(on, x, 20, "192:1x1", "128:1x1 160:1x7 192:7x1")
    ends = ("256:1x1 384:3x3/2v", "256:1x1 288:3x3/2v", "256:1x1 288:3x3 320:3x3/2v")
    x = on.branches(x, *ends, "max:3x3/2v")
    x = _residuals(on, x, 10, "192:1x1", "192:1x1 224:1x3 256:3x1")
    return on.classify(on.chain(x, "1536:1x1"), 1001)


def _residuals(on: Stack, x: Feature, repeats: int, *chains: str) -> Feature:
    for _ in range(repeats):
        x = on.add(x, on.chain(on.branches(x, *chains), f"{x.channels}:1x1"))
    return x


def resnet(on: Stack, x: Feature, repeats: tuple[int, ...], version: int) -> Feature:
    """He et al., arXiv 1512.03385 and, of version 2, 1603.05027; strides on the 3x3."""
    x = on.chain(x, "64:7x7/2 max:3x3/2")
    for stage, count in enumerate(repeats):
        inner = 64 << stage
        for index in range(count):
            stride = 2 if stage and index == 0 else 1
            y = on.normalise(x) if version == 2 else x
            kept = x if index else on.chain(y, f"{4 * inner}:1x1/{stride}")
            y = on.chain(y, f"{inner}:1x1 {inner}:3x3/{stride} {4 * inner}:1x1")
            x = on.add(kept, y)
    return on.classify(on.normalise(x) if version == 2 else x, 1001)


def densenet_121(on: Stack, x: Feature) -> Feature:
    """Huang et al., arXiv 1608.06993, table 1, growth 32."""
    x = on.chain(x, "64:7x7/2 max:3x3/2")
    for stage, repeats in enumerate((6, 12, 24, 16)):
        if stage:
            x = on.chain(on.normalise(x), f"{x.channels // 2}:1x1 avg:2x2/2")
        for _ in range(repeats):
            x = on.concat([x, on.chain(on.normalise(x), "128:1x1 32:3x3")])
    return on.classify(on.normalise(x), 1000)


_NETWORKS: dict[str, tuple[int, Callable[[Stack, Feature], Feature]]] = {
    "squeezenet_224": (224, squeezenet),
    "inception_v1_224": (224, inception_v1),
    "inception_v4_299": (299, inception_v4),
    "inception_resnet_v2_299": (299, inception_resnet_v2),
    "resnet50_v1_299": (299, partial(resnet, repeats=(3, 4, 6, 3), version=1)),
    "resnet50_v2_299": (299, partial(resnet, repeats=(3, 4, 6, 3), version=2)),
    "resnet152_v2_299": (299, partial(resnet, repeats=(3, 8, 36, 3), version=2)),
    "vgg16_224": (224, partial(vgg, deep=3)),
    "vgg19_224": (224, partial(vgg, deep=4)),
    "densenet_224": (224, densenet_121),
}
