"""Both readings of a network function agree, and the Keras one is deterministic."""

from dataclasses import replace
from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nahas import networks
from nahas.children.graph import KerasBuilder, keras_model
from nahas.children.quiet import import_keras
from nahas.errors import NetworkError
from nahas.interop.keras_in import read_keras
from nahas.spaces.builder import read_layers
from nahas.spaces.named import NAMES as SPACES
from nahas.spaces.named import named
from tests.named import ONE_OF_EACH


def trainable(model):
    return sum(prod(weight.shape) for weight in model.trainable_weights)


def nameless(network):
    return [replace(layer, name="") for layer in network.layers]


def check_readings(name, function):
    """The Keras reading has the parameters, layers and edges of the layer reading."""
    layers, model = read_layers(name, function), keras_model(function, name=name)
    assert trainable(model) == layers.parameters
    back = read_keras(model)
    assert (back.name, back.macs, back.parameters) == (name, layers.macs, layers.parameters)
    assert nameless(back) == nameless(layers)
    assert back.inputs == layers.inputs


@pytest.mark.parametrize("name", SPACES)
@settings(max_examples=1)  # another is read for a task in test_small_tasks.py
@given(seed=st.integers(0, 2**32))
def test_readings_of_random_choices_agree(name, seed):
    space = named(name)
    (choice,) = space.space.sample(1, np.random.default_rng(seed))
    check_readings(space.network(choice).name, space.function(choice))


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_readings_of_fixed_networks_agree(name):
    check_readings(name, networks.function(name))


def everything(on):
    """Each method of a builder, with options that the networks leave alone."""
    x = on.activation(on.conv(on.input(15, 18, 6), 12, kernel=3, stride=2, groups=3), "swish")
    x = on.pool(on.depthwise(x, kernel=3, dilation=2), kernel=3, stride=2, mode="average")
    x = on.add(x, on.conv(x, on.channels(x), kernel=3, dilation=2, normalize=False))
    x = on.pool(on.activation(x, "relu6"), kernel=2, stride=2)
    x = on.scale(x, on.activation(on.conv(on.global_pool(x), 12), "sigmoid"))
    x = on.dense(on.global_pool(on.activation(x, "linear")), 7)
    return on.dense(x, 5)


def test_readings_of_every_method_agree():
    check_readings("everything", everything)


def tiny(on):
    x = on.conv(on.input(8, 8, 3), 4, kernel=3)
    x = on.depthwise(on.activation(x, "relu"), kernel=3, stride=2)
    return on.dense(on.global_pool(x), 10)


def test_it_computes_logits():
    model = keras_model(tiny)
    images = np.random.default_rng(0).random((2, 8, 8, 3), dtype=np.float32)
    logits = np.asarray(model(images))
    assert logits.shape == (2, 10)
    assert np.isfinite(logits).all()
    assert not np.allclose(logits.sum(axis=1), 1)


def test_the_same_seed_gives_the_same_weights_and_names():
    first, second, other = (keras_model(tiny, seed=seed) for seed in (3, 3, 4))
    assert [w.path for w in first.weights] == [w.path for w in second.weights]
    for one, same in zip(first.get_weights(), second.get_weights(), strict=True):
        assert np.array_equal(one, same)
    assert not np.array_equal(first.get_weights()[0], other.get_weights()[0])


def test_no_layer_of_one_seed_begins_as_a_layer_of_another():
    def equal(on):
        x = on.input(4, 4, 8)
        for _ in range(3):
            x = on.conv(x, 8, kernel=3)
        return x

    kernels = [
        weight.tobytes()
        for seed in range(4)
        for weight in keras_model(equal, seed=seed).get_weights()
        if weight.ndim == 4
    ]
    assert len(set(kernels)) == len(kernels) == 12


def test_a_saved_model_is_the_same_model(tmp_path):
    """Keras' own layers alone, so any Keras reads it: settings, names and outputs stay."""
    keras, model = import_keras(), keras_model(everything, name="all", momentum=0.8)
    model.save(tmp_path / "all.keras")
    back = keras.models.load_model(tmp_path / "all.keras", safe_mode=True)
    assert [layer.name for layer in back.layers] == [layer.name for layer in model.layers]
    assert [layer.get_config() for layer in back.layers] == [
        layer.get_config() for layer in model.layers
    ]
    images = np.random.default_rng(0).random((2, 15, 18, 6), dtype=np.float32)
    assert np.array_equal(np.asarray(back(images)), np.asarray(model(images)))


def test_logits_are_float32_where_the_policy_is_mixed():
    keras = import_keras()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = keras_model(tiny)
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.output.dtype == "float32"
    assert model.layers[1].compute_dtype == "bfloat16"
    assert {weight.dtype for weight in model.weights} == {"float32"}


def test_maps_are_channels_last_whatever_keras_is_set_to():
    keras = import_keras()
    keras.config.set_image_data_format("channels_first")
    try:
        model = keras_model(everything)
    finally:
        keras.config.set_image_data_format("channels_last")
    assert [layer.output.shape for layer in model.layers] == [
        layer.output.shape for layer in keras_model(everything).layers
    ]


def test_layers_are_numbered_in_the_order_they_are_called():
    names = [layer.name for layer in keras_model(tiny).layers]
    assert names == [
        "0_input",
        "1_conv_3x3",
        "2_batch_normalization",
        "3_relu",
        "4_depthwise_3x3",
        "5_batch_normalization",
        "6_global_pool",
        "7_flatten",
        "8_dense",
    ]


@pytest.mark.parametrize(("given_momentum", "expected"), [({}, 0.9), ({"momentum": 0.99}, 0.99)])
def test_momentum_of_every_normalisation(given_momentum, expected):
    model = keras_model(tiny, **given_momentum)
    moments = [layer.momentum for layer in model.layers if hasattr(layer, "momentum")]
    assert moments == [expected, expected]


@pytest.mark.parametrize("block", ["conv", "depthwise"])
def test_initial_weights_keep_the_variance_of_what_they_read(block):
    """He-normal: twice one over the inputs of one output; a depthwise output has k*k."""

    def function(on):
        x = on.input(4, 4, 256)
        return on.conv(x, 256, kernel=3) if block == "conv" else on.depthwise(x, kernel=3)

    kernel = keras_model(function).get_weights()[0]
    inputs = 9 * 256 if block == "conv" else 9
    assert kernel.std() == pytest.approx((2 / inputs) ** 0.5, rel=0.06)


def test_an_unknown_pooling_is_refused_as_by_the_layer_reading():
    on = KerasBuilder()
    with pytest.raises(NetworkError, match="pooling mode is 'median'"):
        on.pool(on.input(4, 4, 1), kernel=2, stride=2, mode="median")


def test_a_child_learns():
    """Two classes told apart by brightness: the loss falls within some steps."""
    keras = import_keras()
    model = keras_model(tiny, seed=1)
    model.compile(
        optimizer=keras.optimizers.Adam(0.03),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 64)
    images = rng.random((64, 8, 8, 3), dtype=np.float32) + labels[:, None, None, None]
    history = model.fit(images, labels, epochs=10, batch_size=64, verbose=0).history["loss"]
    assert history[-1] < 0.7 * history[0]
