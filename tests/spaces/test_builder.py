"""The layer reading of a network function: shapes, parameters, edges, refusals."""

import re

import pytest

from nahas.errors import NetworkError
from nahas.spaces.builder import FUSED_ACTIVATIONS, LayerBuilder, read_layers
from nahas.vocabulary import LayerKind


@pytest.fixture
def on():
    return LayerBuilder("net")


def only(on):
    (layer,) = on.network().layers
    return layer


def test_convolution(on):
    y = on.conv(on.input(9, 12, 4), 6, kernel=3, stride=2, groups=2, dilation=2)
    layer = only(on)
    assert (y.height, y.width, y.channels, y.source) == (5, 6, 6, 0)
    assert (layer.g, layer.k, layer.c) == (2, 3, 2)
    assert (layer.p, layer.q, layer.r, layer.s) == (5, 6, 3, 3)
    assert (layer.stride_p, layer.stride_q, layer.dilation_r, layer.dilation_s) == (2, 2, 2, 2)
    assert layer.parameters == 3 * 3 * 2 * 6 + 2 * 6
    assert layer.name == "0_conv_3x3_groups_2"


def test_a_convolution_without_normalisation_has_a_bias(on):
    on.conv(on.input(1, 1, 8), 2, normalize=False)
    assert only(on).parameters == 8 * 2 + 2
    assert only(on).name == "0_pointwise"


@pytest.mark.parametrize(("channels", "filters"), [(5, 6), (6, 5)])
def test_groups_divide_both_sides(on, channels, filters):
    sentence = f"network 'net': a convolution of {channels} to {filters} channels cannot have 3"
    with pytest.raises(NetworkError, match=sentence):
        on.conv(on.input(4, 4, channels), filters, groups=3)


def test_depthwise(on):
    y = on.depthwise(on.input(7, 7, 10), kernel=5, stride=2)
    layer = only(on)
    assert layer.is_depthwise
    assert (y.height, y.channels, layer.g) == (4, 10, 10)
    assert layer.parameters == 10 * 25 + 20


def test_dense_reads_one_position(on):
    x = on.input(2, 3, 8)
    sentence = "reads one position, but its input has 2 x 3: pool first"
    with pytest.raises(NetworkError, match=sentence):
        on.dense(x, 4)
    y = on.dense(on.global_pool(x), 4)
    assert on.channels(y) == 4
    assert on.layers[-1].macs == 32
    assert on.layers[-1].parameters == 36


@pytest.mark.parametrize("mode", ["max", "average"])
def test_pool(on, mode):
    y = on.pool(on.input(7, 7, 3), kernel=3, stride=2, mode=mode)
    layer = only(on)
    assert (y.height, y.width, layer.kind, layer.g, layer.r) == (4, 4, LayerKind.POOL, 3, 3)
    assert layer.name == f"0_{mode}_pool_3x3"


def test_an_unknown_pooling_is_refused(on):
    with pytest.raises(NetworkError, match="mode is 'median': allowed are max, average"):
        on.pool(on.input(4, 4, 1), kernel=2, stride=2, mode="median")


def test_global_pool_reads_every_position(on):
    y = on.global_pool(on.input(5, 6, 7))
    layer = only(on)
    assert (y.height, y.width, y.channels) == (1, 1, 7)
    assert layer.input_words == 5 * 6 * 7


def test_add_reads_both_and_wants_equal_shapes(on):
    x = on.input(4, 4, 8)
    y = on.conv(x, 8)
    on.add(x, y)
    assert on.inputs[-1] == (-1, 0)
    assert on.layers[-1].operands == 2
    with pytest.raises(NetworkError, match=re.escape("cannot add 4 x 4 x 8 and 2 x 2 x 8")):
        on.add(x, on.pool(x, kernel=2, stride=2))


def test_scale_reads_the_map_and_a_gate_of_one_position(on):
    x = on.input(4, 4, 8)
    y = on.scale(x, on.global_pool(x))
    assert (y.height, y.channels) == (4, 8)
    assert on.inputs[-1] == (-1, 0)
    assert on.layers[-1].kind is LayerKind.SCALE
    with pytest.raises(NetworkError, match=re.escape("a gate of 4 x 4 x 8 cannot scale 8")):
        on.scale(x, x)


@pytest.mark.parametrize("name", FUSED_ACTIVATIONS)
def test_activations_of_the_output_path_are_free(on, name):
    x = on.input(4, 4, 8)
    assert on.activation(x, name) is x
    assert on.layers == []


def test_other_activations_are_vector_layers(on):
    on.activation(on.input(4, 4, 8), "swish")
    layer = only(on)
    assert (layer.kind, layer.output_words, layer.name) == (LayerKind.ACTIVATION, 128, "0_swish")


def test_layers_are_numbered_in_the_order_they_run():
    network = read_layers("net", lambda on: on.conv(on.conv(on.input(2, 2, 1), 3), 4))
    assert [layer.name for layer in network.layers] == ["0_pointwise", "1_pointwise"]
    assert network.inputs == ((-1,), (0,))
    assert network.name == "net"
