"""Layers count what walking their loops counts, and refuse impossible shapes."""

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nahas.errors import LayerError
from nahas.layers import Layer
from nahas.vocabulary import LayerKind

small = st.integers(1, 3)
convolutions = st.builds(
    Layer,
    name=st.just("conv"),
    n=st.integers(1, 2),
    g=small,
    k=small,
    c=small,
    p=small,
    q=small,
    r=small,
    s=small,
    stride_p=small,
    stride_q=small,
    dilation_r=small,
    dilation_s=small,
)
POSITIVE = ("n", "g", "k", "c", "p", "q", "r", "s", "stride_p", "dilation_s", "operands")


def walk(layer):
    """Every multiply-accumulate of a layer as the words it touches: weight, input, output."""
    sizes = (layer.n, layer.g, layer.k, layer.c, layer.p, layer.q, layer.r, layer.s)
    for n, g, k, c, p, q, r, s in product(*map(range, sizes)):
        row = p * layer.stride_p + r * layer.dilation_r
        column = q * layer.stride_q + s * layer.dilation_s
        yield (g, k, c, r, s), (n, g, c, row, column), (n, g, k, p, q)


@given(convolutions)
def test_macs_and_words_are_what_walking_the_loops_counts(layer):
    touched = list(walk(layer))
    weights, inputs, outputs = (set(words) for words in zip(*touched, strict=True))
    assert layer.macs == len(touched)
    assert layer.weight_words == len(weights)
    assert layer.output_words == len(outputs)
    # The input is counted over its whole extent, also where strides jump over positions.
    assert layer.input_words >= len(inputs)
    rows = max(word[3] for word in inputs) + 1
    columns = max(word[4] for word in inputs) + 1
    assert layer.input_words == layer.n * layer.g * layer.c * rows * columns


@pytest.mark.parametrize("kind", [kind for kind in LayerKind if kind.is_vector])
def test_vector_layers_have_no_weights_and_no_macs(kind):
    layer = Layer(name="pool", kind=kind, g=8, p=4, q=4, r=3, s=3)
    assert (layer.macs, layer.weight_words) == (0, 0)
    assert layer.output_words == 8 * 4 * 4
    assert not layer.is_depthwise


def test_convolution_alone_is_not_a_vector_layer():
    assert [kind for kind in LayerKind if not kind.is_vector] == [LayerKind.CONVOLUTION]


def test_depthwise_is_one_channel_in_and_out_of_many_groups():
    depthwise = Layer(name="depthwise", g=8, r=3, s=3)
    assert depthwise.is_depthwise
    assert not replace(depthwise, c=2).is_depthwise
    assert not replace(depthwise, k=2).is_depthwise
    assert not replace(depthwise, g=1).is_depthwise


@pytest.mark.parametrize("name", POSITIVE)
@pytest.mark.parametrize("value", [0, -3, 1.5, None])
def test_a_dim_below_one_or_broken_is_refused_by_name(name, value):
    with pytest.raises(LayerError, match=f"layer 'stem': {name} is {value!r}, but it must be"):
        Layer(name="stem", **{name: value})


def test_layers_are_frozen_and_compare_by_value():
    assert Layer(name="a", k=2) == Layer(name="a", k=2)
    with pytest.raises(AttributeError):
        Layer(name="a").k = 3
