"""Each Keras layer alone: what it is to the simulator, beside what Keras says of itself."""

from math import prod

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nahas.children.quiet import import_keras
from nahas.interop.keras_in import read_keras
from nahas.interop.keras_layers import READERS
from nahas.vocabulary import LayerKind

keras = import_keras()
layers = keras.layers


def read(*made, shape=(11, 14, 6)):
    """The network of layers in sequence, after checking its parameters and its last shape."""
    model = keras.Sequential([keras.Input(shape), *made])
    network = read_keras(model)
    trained = sum(prod(weight.shape) for weight in model.trainable_weights)
    assert network.parameters == trained
    last = network.layers[-1]
    assert last.output_words == prod(model.outputs[0].shape[1:])
    return network


def only(*made, shape=(11, 14, 6)):
    (layer,) = read(*made, shape=shape).layers
    return layer


@settings(max_examples=15)
@given(
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 5)),
    strides=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    groups=st.sampled_from([1, 2, 3, 6]),
    padding=st.sampled_from(["same", "valid"]),
    use_bias=st.booleans(),
)
def test_convolutions_have_the_shapes_that_keras_gives(kernel, strides, groups, padding, use_bias):
    made = layers.Conv2D(
        12, kernel, strides=strides, groups=groups, padding=padding, use_bias=use_bias
    )
    layer = only(made)
    assert (layer.p, layer.q) == tuple(made.output.shape[1:3])
    assert (layer.r, layer.s) == kernel
    assert (layer.stride_p, layer.stride_q) == strides
    assert (layer.g, layer.g * layer.k, layer.g * layer.c) == (groups, 12, 6)
    assert layer.macs == layer.p * layer.q * prod(made.kernel.shape)


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_dilated_convolution(padding):
    made = layers.Conv2D(4, 3, dilation_rate=(2, 3), padding=padding)
    layer = only(made)
    assert (layer.p, layer.q) == tuple(made.output.shape[1:3])
    assert (layer.dilation_r, layer.dilation_s) == (2, 3)


def test_depthwise():
    layer = only(layers.DepthwiseConv2D(3, strides=2, padding="same"))
    assert layer.is_depthwise
    assert (layer.g, layer.p, layer.q) == (6, 6, 7)


def test_a_depth_multiplier_makes_a_grouped_convolution():
    layer = only(layers.DepthwiseConv2D((3, 1), depth_multiplier=4))
    assert (layer.g, layer.k, layer.c, layer.r, layer.s) == (6, 4, 1, 3, 1)


def test_separable_is_two_layers():
    made = layers.SeparableConv2D(10, 3, strides=2, depth_multiplier=2, name="s")
    first, second = read(made).layers
    assert (first.name, first.g, first.k, first.stride_p) == ("s/depthwise", 6, 2, 2)
    assert (second.name, second.c, second.k, second.r) == ("s/pointwise", 12, 10, 1)
    assert second.p == first.p


@pytest.mark.parametrize("use_bias", [True, False])
def test_dense(use_bias):
    layer = only(layers.Dense(5, use_bias=use_bias), shape=(7,))
    assert (layer.k, layer.c, layer.p, layer.macs) == (5, 7, 1, 35)


def test_dense_on_a_map_is_pointwise():
    layer = only(layers.Dense(5))
    assert (layer.p, layer.q, layer.k, layer.c) == (11, 14, 5, 6)


@pytest.mark.parametrize("name", ["MaxPooling2D", "AveragePooling2D"])
@pytest.mark.parametrize("options", [{}, {"strides": 1, "padding": "same"}, {"strides": (3, 2)}])
def test_pools(name, options):
    made = getattr(layers, name)((2, 3), **options)
    layer = only(made)
    assert layer.kind is LayerKind.POOL
    assert (layer.p, layer.q) == tuple(made.output.shape[1:3])
    assert (layer.r, layer.s, layer.g) == (2, 3, 6)
    assert (layer.stride_p, layer.stride_q) == tuple(made.strides)


@pytest.mark.parametrize("name", ["GlobalAveragePooling2D", "GlobalMaxPooling2D"])
@pytest.mark.parametrize("keepdims", [True, False])
def test_global_pools(name, keepdims):
    network = read(getattr(layers, name)(keepdims=keepdims), layers.Dense(3))
    assert network.layers[0].input_words == 11 * 14 * 6
    assert network.layers[1].macs == 18


@pytest.mark.parametrize("activation", ["linear", "relu", "relu6", None])
def test_free_activations(activation):
    assert len(read(layers.Conv2D(4, 1), layers.Activation(activation)).layers) == 1
    assert len(read(layers.Conv2D(4, 1, activation=activation)).layers) == 1


def test_a_layer_may_be_the_activation_of_another():
    free = read(layers.Conv2D(4, 1, activation=layers.ReLU(6.0)))
    assert len(free.layers) == 1
    costly = read(layers.Conv2D(4, 1, activation=layers.LeakyReLU(), name="c"))
    assert costly.layers[1].name == "c/leakyrelu"


@pytest.mark.parametrize("made", [layers.ReLU, lambda: layers.ReLU(6.0), lambda: layers.ReLU(1.0)])
def test_relu_clamps_are_free(made):
    assert len(read(layers.Conv2D(4, 1), made()).layers) == 1


@pytest.mark.parametrize(
    "made",
    [
        lambda: layers.Activation("swish"),
        lambda: layers.Activation("sigmoid"),
        lambda: layers.ReLU(negative_slope=0.1),
        lambda: layers.ReLU(threshold=1.0),
        layers.LeakyReLU,
        layers.ELU,
    ],
    ids=["swish", "sigmoid", "slope", "threshold", "LeakyReLU", "ELU"],
)
def test_other_activations_are_vector_layers(made):
    layer = read(layers.Conv2D(4, 1), made()).layers[-1]
    assert (layer.kind, layer.g, layer.p, layer.q) == (LayerKind.ACTIVATION, 4, 11, 14)


def test_an_activation_within_a_layer_is_named_after_it():
    names = [layer.name for layer in read(layers.Conv2D(4, 1, activation="silu", name="c")).layers]
    assert names == ["c", "c/silu"]


@pytest.mark.parametrize("made", [layers.Softmax, lambda: layers.Activation("softmax")])
def test_softmax_is_free_at_the_end_alone(made):
    end = read(layers.Dense(4), made(), shape=(3,))
    assert len(end.layers) == 1
    middle = read(layers.Dense(4), made(), layers.Dense(2), shape=(3,))
    assert [layer.kind for layer in middle.layers][1] is LayerKind.ACTIVATION


class TestBatchNormalization:
    def test_it_goes_into_the_convolution_before_it(self):
        for made in (layers.Conv2D(4, 3), layers.DepthwiseConv2D(3), layers.SeparableConv2D(4, 3)):
            network = read(made, layers.BatchNormalization(), layers.ReLU())
            assert LayerKind.ACTIVATION not in [layer.kind for layer in network.layers]

    @pytest.mark.parametrize(("scale", "center"), [(True, False), (False, True), (False, False)])
    def test_only_what_it_trains_counts(self, scale, center):
        read(layers.Conv2D(4, 3), layers.BatchNormalization(scale=scale, center=center))

    @pytest.mark.parametrize("before", [layers.ReLU, layers.MaxPooling2D])
    def test_after_anything_else_it_is_a_vector_layer(self, before):
        network = read(layers.Conv2D(4, 3), before(), layers.BatchNormalization())
        assert network.layers[-1].kind is LayerKind.ACTIVATION
        assert network.layers[-1].parameters == 8

    def test_on_the_input_it_is_a_vector_layer(self):
        network = read(layers.BatchNormalization(), layers.Conv2D(4, 3))
        assert network.inputs == ((-1,), (0,))

    def test_where_others_read_the_bare_sums_it_cannot_go_into_the_weights(self):
        x = keras.Input((8, 8, 3))
        y = layers.Conv2D(4, 1)(x)
        model = keras.Model(x, layers.Add()([layers.BatchNormalization()(y), y]))
        network = read_keras(model)
        assert [layer.kind for layer in network.layers][1] is LayerKind.ACTIVATION
        assert network.inputs == ((-1,), (0,), (1, 0))


@pytest.mark.parametrize(
    "made",
    [
        layers.Identity,
        lambda: layers.Dropout(0.2),
        lambda: layers.SpatialDropout2D(0.2),
        lambda: layers.GaussianNoise(0.1),
        lambda: layers.GaussianDropout(0.1),
        lambda: layers.Rescaling(2.0),
        lambda: layers.Normalization(mean=0.0, variance=1.0),
        lambda: layers.ActivityRegularization(l2=0.1),
    ],
)
def test_layers_that_do_nothing_at_inference(made):
    assert len(read(made(), layers.Conv2D(4, 3)).layers) == 1


def test_padding_is_absorbed():
    layer = only(layers.ZeroPadding2D(((1, 2), (3, 0))), layers.Conv2D(4, 3))
    assert (layer.p, layer.q) == (12, 15)


def test_flatten_and_reshape_keep_the_count():
    network = read(
        layers.Reshape((7, -1, 12)), layers.Conv2D(2, 1), layers.Flatten(), layers.Dense(3)
    )
    assert (network.layers[0].p, network.layers[0].q) == (7, 11)
    assert network.layers[1].c == 7 * 11 * 2


def maps(count, shape=(6, 6, 4)):
    return [keras.Input(shape) for _ in range(count)]


def test_add_reads_two_maps():
    inputs = maps(2)
    (layer,) = read_keras(keras.Model(inputs, layers.Add()(inputs))).layers
    assert (layer.kind, layer.operands, layer.output_words) == (LayerKind.ADD, 2, 144)


def test_add_of_more_maps_takes_two_at_a_time():
    x = keras.Input((6, 6, 4))
    parts = [layers.Conv2D(4, 1)(x) for _ in range(4)]
    network = read_keras(keras.Model(x, layers.Add(name="sum")(parts)))
    assert [layer.name for layer in network.layers[4:]] == ["sum", "sum/1", "sum/2"]
    assert network.inputs[4:] == ((0, 1), (4, 2), (5, 3))
    assert network.table.operands.shape == (7, 2)


@pytest.mark.parametrize("order", ["map first", "gate first"])
def test_multiply_by_a_gate_is_a_scale(order):
    x = keras.Input((6, 6, 4))
    gate = layers.GlobalAveragePooling2D(keepdims=True)(x)
    pair = [x, gate] if order == "map first" else [gate, x]
    network = read_keras(keras.Model(x, layers.Multiply()(pair)))
    assert network.layers[-1].kind is LayerKind.SCALE
    assert network.layers[-1].p == 6
    assert network.inputs[-1] == (-1, 0)


def test_multiply_of_equal_maps_costs_what_a_sum_costs():
    inputs = maps(2)
    (layer,) = read_keras(keras.Model(inputs, layers.Multiply()(inputs))).layers
    assert (layer.kind, layer.operands) == (LayerKind.ADD, 2)


def test_operators_with_constants_are_vector_layers():
    (x,) = maps(1)
    network = read_keras(keras.Model(x, layers.ReLU(6.0)(x + 3.0) * (1 / 6)))
    assert [layer.kind for layer in network.layers] == [LayerKind.ACTIVATION] * 2
    assert network.inputs == ((-1,), (0,))


def test_operators_between_tensors_are_their_layers():
    x, y = maps(2)
    (layer,) = read_keras(keras.Model([x, y], x + y)).layers
    assert (layer.kind, layer.operands) == (LayerKind.ADD, 2)


def test_every_reader_is_of_a_class_that_keras_has():
    assert [name for name in READERS if not hasattr(layers, name)] == []
