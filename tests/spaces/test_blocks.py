"""Blocks: which layers they are made of, where the stride lies, when the skip is there."""

import pytest

from nahas.errors import NetworkError
from nahas.spaces.blocks import Bottleneck, classifier, fused_ibn, ibn, squeeze_excite
from nahas.spaces.builder import read_layers
from nahas.vocabulary import LayerKind


def read(block, shape, *arguments, channels=16):
    return read_layers("net", lambda on: block(on, on.input(8, 8, channels), shape, *arguments))


def kinds(network):
    return [layer.name.partition("_")[2] for layer in network.layers]


def test_ibn_expands_filters_projects_and_adds_its_input():
    network = read(ibn, Bottleneck(filters=16, kernel=5, expansion=6))
    assert kinds(network) == ["pointwise", "depthwise_5x5", "pointwise", "add"]
    assert [layer.g * layer.k for layer in network.layers] == [96, 96, 16, 16]
    assert network.inputs == ((-1,), (0,), (1,), (-1, 2))


def test_ibn_at_expansion_1_has_no_expansion():
    network = read(ibn, Bottleneck(filters=16, expansion=1))
    assert kinds(network) == ["depthwise_3x3", "pointwise", "add"]


def test_the_depthwise_filter_has_the_stride():
    network = read(ibn, Bottleneck(filters=24, expansion=4, stride=2))
    assert [layer.stride_p for layer in network.layers] == [1, 2, 1]
    assert [layer.p for layer in network.layers] == [8, 4, 4]


@pytest.mark.parametrize(
    "shape",
    [
        Bottleneck(filters=24, expansion=4),
        Bottleneck(filters=16, expansion=4, stride=2),
        Bottleneck(filters=16, expansion=4, skip=False),
    ],
    ids=["channels differ", "stride", "told not to"],
)
@pytest.mark.parametrize("block", [ibn, fused_ibn])
def test_no_skip_where(block, shape):
    assert LayerKind.ADD not in [layer.kind for layer in read(block, shape).layers]


def test_squeeze_excite_gates_channels_by_their_averages():
    network = read(squeeze_excite, 4)
    assert kinds(network) == ["global_pool", "pointwise", "pointwise", "sigmoid", "scale"]
    assert network.inputs == ((-1,), (0,), (1,), (2,), (-1, 3))
    # Two convolutions of one position with biases, no normalisation.
    assert network.parameters == 16 * 4 + 4 + 4 * 16 + 16
    assert network.macs == 2 * 16 * 4


def test_ibn_squeezes_the_inner_tensor_after_the_depthwise_filter():
    network = read(ibn, Bottleneck(filters=16, expansion=2, squeezed=4))
    assert kinds(network)[1:4] == ["depthwise_3x3", "global_pool", "pointwise"]
    assert network.layers[2].g == 32
    assert network.layers[3].k == 4


def test_fused_ibn_is_a_full_convolution_and_a_projection():
    network = read(fused_ibn, Bottleneck(filters=16, kernel=3, expansion=4))
    assert kinds(network) == ["conv_3x3", "pointwise", "add"]
    assert network.layers[0].macs == 64 * 9 * 16 * 64


def test_fused_ibn_has_its_stride_on_either_convolution():
    shape = Bottleneck(filters=24, expansion=4, stride=2)
    first, second = read(fused_ibn, shape, "expand"), read(fused_ibn, shape, "project")
    assert [layer.stride_p for layer in first.layers] == [2, 1]
    assert [layer.stride_p for layer in second.layers] == [1, 2]
    assert second.layers[0].macs == 4 * first.layers[0].macs
    assert second.layers[1].macs == first.layers[1].macs
    assert first.parameters == second.parameters


def test_fused_ibn_has_its_groups_on_the_full_convolution():
    network = read(fused_ibn, Bottleneck(filters=16, expansion=4, groups=4))
    assert [layer.g for layer in network.layers[:2]] == [4, 1]
    assert network.layers[0].macs == 64 * 9 * 16 * 64 // 4


def test_fused_ibn_at_expansion_1_is_the_projection_alone():
    network = read(fused_ibn, Bottleneck(filters=24, expansion=1, stride=2))
    assert kinds(network) == ["pointwise"]
    assert network.layers[0].stride_p == 2


def test_fused_ibn_can_squeeze():
    names = kinds(read(fused_ibn, Bottleneck(filters=16, expansion=2, squeezed=4)))
    assert names[0] == "conv_3x3"
    assert names[-3:] == ["scale", "pointwise", "add"]


@pytest.mark.parametrize("block", [ibn, fused_ibn])
def test_activations_that_cost_stand_after_every_convolution_but_the_last(block):
    names = kinds(read(block, Bottleneck(filters=16, expansion=2, activation="swish")))
    assert names[1] == "swish"
    assert names[-2:] == ["pointwise", "add"]


def test_classifier_ends_in_one_logit_per_class():
    network = read_layers("net", lambda on: classifier(on, on.input(7, 7, 4), 32, 10))
    assert kinds(network) == ["pointwise", "global_pool", "dense"]
    assert network.layers[-1].k == 10


@pytest.mark.parametrize(
    ("name", "value", "least"),
    [
        ("filters", 0, 1),
        ("kernel", 0, 1),
        ("expansion", 0, 1),
        ("stride", 0, 1),
        ("groups", 0, 1),
        ("squeezed", -1, 0),
    ],
)
def test_a_number_below_its_least_is_refused(name, value, least):
    shape = {"filters": 8, name: value}
    with pytest.raises(NetworkError, match=f"{name} is {value}, but it must be at least {least}"):
        Bottleneck(**shape)
