"""Networks written as text: the grammar, and the published sizes of the older networks."""

import pytest

from nahas.errors import NetworkError
from nahas.spaces.builder import Feature
from nahas.trust.classics import classics
from nahas.trust.stack import Stack
from nahas.vocabulary import LayerKind

SIZES = {
    "vgg16_224": (15_470, 138_357_544),
    "vgg19_224": (19_632, 143_667_240),
    "squeezenet_224": (836, 1_248_424),
}
"""Millions of multiply-accumulates; weights and biases of torchvision's models, which have no
normalisation."""

NORMALISED = {
    "inception_v1_224": (1_498, 6.62),
    "inception_v4_299": (12_254, 42.7),
    "inception_resnet_v2_299": (13_156, 55.8),
    "resnet50_v1_299": (7_628, 25.5),
    "resnet50_v2_299": (7_628, 25.5),
    "resnet152_v2_299": (21_302, 60.2),
    "densenet_224": (2_834, 7.9),
}
"""Millions of multiply-accumulates (ResNet-50's: paper notes, section 10.3) and of parameters,
those of normalisation counted as a bias."""


@pytest.fixture(scope="module")
def networks():
    return classics()


def parameters(network):
    mapped = [layer for layer in network.layers if not layer.kind.is_vector]
    return sum(layer.weight_words + layer.k for layer in mapped)


def test_every_network_has_its_published_size(networks):
    assert set(networks) == set(SIZES) | set(NORMALISED)
    for name, (macs, count) in SIZES.items():
        assert (round(networks[name].macs / 1e6), parameters(networks[name])) == (macs, count)
    for name, (macs, millions) in NORMALISED.items():
        assert round(networks[name].macs / 1e6) == macs
        assert parameters(networks[name]) == pytest.approx(millions * 1e6, rel=0.005)


def test_what_a_layer_reads_has_the_channels_that_it_wants(networks):
    for network in networks.values():
        for layer, sources in zip(network.layers, network.inputs, strict=True):
            read = [network.layers[i] for i in sources if i >= 0]
            channels = [source.g * source.k for source in read]
            if layer.name.endswith("concat"):
                assert sum(channels) == layer.g
            else:
                assert all(each == layer.g * layer.c for each in channels), layer.name


def test_a_word_says_channels_window_stride_and_padding():
    on = Stack()
    x = on.chain(Feature(-1, 9, 9, 3), "8:3x5/2v max:3x3/2 avg:2x2")
    conv, pool, average = on.layers
    assert (conv.k, conv.c, conv.r, conv.s, conv.stride_p, conv.p, conv.q) == (8, 3, 3, 5, 2, 4, 3)
    assert (pool.kind, pool.g, pool.r, pool.p, pool.q) == (LayerKind.POOL, 8, 3, 2, 2)
    assert (average.stride_p, average.p) == (1, 2)
    assert (x.height, x.width, x.channels) == (2, 2, 8)


@pytest.mark.parametrize("word", ["8", "8:3", "min:3x3", "8:3x3/2w"])
def test_a_word_of_another_form_is_shown(word):
    with pytest.raises(NetworkError, match=f"'{word}' is no layer"):
        Stack().chain(Feature(-1, 9, 9, 3), word)
