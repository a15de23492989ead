"""Keras models read as networks: totals, edges, and sentences for what cannot be read."""

import json
import re
from math import prod
from zipfile import ZipFile

import numpy as np
import pytest

from nahas import networks
from nahas.children.graph import keras_model
from nahas.children.quiet import import_keras
from nahas.errors import InteropError
from nahas.interop.keras_in import read_keras

keras = import_keras()
layers = keras.layers

# Keras' own, when it writes weights beside NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def trainable(model):
    return sum(prod(weight.shape) for weight in model.trainable_weights)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "small.keras"
    keras_model(networks.function("macro:21012012"), name="elsewhere").save(path)
    return path


def edited(saved, path, edit):
    """A copy of a file whose description `edit` has changed."""
    with ZipFile(saved) as archive:
        description = json.loads(archive.read("config.json"))
    with ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(edit(description)))
    return path


class TestFile:
    def test_a_file_and_its_model_are_the_same_network(self, saved):
        network, fixed = read_keras(saved), networks.named("macro:21012012")
        assert network.name == "small"
        assert (network.macs, network.parameters) == (fixed.macs, fixed.parameters)
        assert network.inputs == fixed.inputs
        assert read_keras(str(saved)) == network
        assert read_keras(keras.saving.load_model(saved)).layers == network.layers

    def test_missing(self, tmp_path):
        with pytest.raises(InteropError, match=r"nothing\.keras: no such file"):
            read_keras(tmp_path / "nothing.keras")

    def test_folder(self, tmp_path):
        with pytest.raises(InteropError, match="cannot be read: Is a directory"):
            read_keras(tmp_path)

    @pytest.mark.parametrize("content", [b"", b"not a zip at all", b"PK\x03\x04 cut"])
    def test_not_of_keras(self, tmp_path, content):
        path = tmp_path / "model.keras"
        path.write_bytes(content)
        with pytest.raises(InteropError, match="is not a Keras model file: save one with"):
            read_keras(path)

    @pytest.mark.parametrize("text", ["{", "[1]", "7"])
    def test_a_zip_of_something_else(self, tmp_path, text):
        path = tmp_path / "model.keras"
        with ZipFile(path, "w") as archive:
            archive.writestr("config.json", text)
        with pytest.raises(InteropError, match="is not a Keras model file"):
            read_keras(path)

    def test_a_zip_without_description(self, tmp_path):
        path = tmp_path / "model.keras"
        with ZipFile(path, "w") as archive:
            archive.writestr("metadata.json", "{}")
        with pytest.raises(InteropError, match="is not a Keras model file"):
            read_keras(path)

    def test_hdf5_is_told_from_other_files(self, tmp_path):
        with pytest.raises(InteropError, match="old HDF5 format: save the model as"):
            read_keras(tmp_path / "model.h5")

    def test_a_description_with_parts_missing(self, saved, tmp_path):
        def edit(description):
            del description["config"]["layers"][1]["config"]["filters"]
            return description

        path = edited(saved, tmp_path / "model.keras", edit)
        with pytest.raises(InteropError, match="is not described as Keras 3 does it"):
            read_keras(path)

    def test_a_description_that_turns_in_a_circle(self, saved, tmp_path):
        def edit(description):
            first = description["config"]["layers"][1]
            (argument,) = first["inbound_nodes"][0]["args"]
            argument["config"]["keras_history"] = [first["name"], 0, 0]
            return description

        path = edited(saved, tmp_path / "model.keras", edit)
        with pytest.raises(InteropError, match="reads its own output"):
            read_keras(path)

    def test_a_lambda_is_refused_by_name(self, tmp_path):
        x = keras.Input((4, 4, 3))
        y = layers.Lambda(lambda t: t + 1, output_shape=(4, 4, 3), name="secret")(x)
        path = tmp_path / "model.keras"
        keras.Model(x, layers.Conv2D(2, 1)(y)).save(path)
        with pytest.raises(InteropError, match=re.escape("cannot read: 'secret' (Lambda); it")):
            read_keras(path)


class TestUnreadable:
    def test_all_unknown_layers_are_listed_by_name_and_class(self):
        inner = keras.Sequential(
            [keras.Input((8, 8, 3)), layers.UpSampling2D(name="grow")], name="inner"
        )
        x = keras.Input((8, 8, 3))
        y = layers.LayerNormalization(name="norm")(layers.Conv2D(4, 3, name="fine")(inner(x)))
        model = keras.Model(x, layers.Conv2DTranspose(2, 3, name="wide")(y), name="net")
        with pytest.raises(InteropError) as caught:
            read_keras(model)
        sentence = str(caught.value)
        assert "model 'net' has layers that nahas cannot read: " in sentence
        assert (
            "'inner/grow' (UpSampling2D), 'norm' (LayerNormalization), 'wide' (Conv2DT" in sentence
        )
        assert "'fine'" not in sentence
        assert "it reads Conv2D, DepthwiseConv2D" in sentence

    def test_a_class_of_ones_own_is_unknown_even_with_a_known_name(self):
        class ReLU(layers.Layer):
            def call(self, x):
                return x

        x = keras.Input((8, 8, 3))
        with pytest.raises(InteropError, match=re.escape("'mine' (ReLU)")):
            read_keras(keras.Model(x, ReLU(name="mine")(layers.Conv2D(4, 3)(x))))

    def test_a_subclassed_model(self):
        class Own(keras.Model):
            def call(self, x):
                return x

        with pytest.raises(InteropError, match="of class Own: nahas reads functional and"):
            read_keras(Own())

    @pytest.mark.parametrize("thing", [None, 7, object()])
    def test_no_model_at_all(self, thing):
        with pytest.raises(InteropError, match="is neither a Keras model nor the path"):
            read_keras(thing)

    def test_an_input_of_any_size(self):
        x = keras.Input((None, None, 3), name="photo")
        model = keras.Model(x, layers.Conv2D(4, 3)(x))
        sentence = "input 'photo' has shape (None, None, 3): nahas needs a fixed height"
        with pytest.raises(InteropError, match=re.escape(sentence)):
            read_keras(model)

    def test_a_sequential_model_never_built(self):
        with pytest.raises(InteropError, match="nahas needs a fixed height, width and channels"):
            read_keras(keras.Sequential([layers.Dense(3)]))

    def test_channels_first(self):
        x = keras.Input((3, 8, 8))
        model = keras.Model(x, layers.MaxPooling2D(2, data_format="channels_first", name="p")(x))
        with pytest.raises(InteropError, match="layer 'p' has its channels first"):
            read_keras(model)

    def test_nothing_that_computes(self):
        x = keras.Input((4,))
        with pytest.raises(InteropError, match="has no layer that computes"):
            read_keras(keras.Model(x, layers.Dropout(0.5)(x)))

    def test_sequences_are_not_maps(self):
        x = keras.Input((8, 8, 3))
        y = layers.Dense(4, name="tokens")(layers.Reshape((64, 3))(x))
        with pytest.raises(
            InteropError, match=re.escape("'tokens' reads a tensor of shape (64, 3")
        ):
            read_keras(keras.Model(x, y))


class TestGraph:
    def test_sequential(self):
        model = keras.Sequential(
            [
                keras.Input((28, 28, 1)),
                layers.Rescaling(1 / 255),
                layers.Conv2D(8, 3, activation="relu"),
                layers.MaxPooling2D(),
                layers.Flatten(),
                layers.Dense(10, activation="softmax"),
            ],
            name="digits",
        )
        network = read_keras(model)
        assert network.inputs == ((-1,), (0,), (1,))
        assert network.parameters == trainable(model)
        assert network.macs == 26 * 26 * 9 * 8 + 13 * 13 * 8 * 10

    def test_a_sequential_model_built_later_takes_the_shape_it_was_built_on(self):
        model = keras.Sequential([layers.Conv2D(4, 3), layers.GlobalAveragePooling2D()])
        model.build((None, 8, 8, 3))
        assert read_keras(model).macs == 36 * 9 * 3 * 4

    def test_nested_models_are_read_in_place(self):
        backbone = keras.Sequential(
            [keras.Input((8, 8, 3)), layers.Conv2D(4, 3, name="conv")], name="backbone"
        )
        x = keras.Input((8, 8, 3))
        y = layers.BatchNormalization()(backbone(x))
        model = keras.Model(x, layers.Dense(2, name="top")(layers.GlobalMaxPooling2D()(y)))
        network = read_keras(model)
        assert network.layers[0].name == "backbone/conv"
        assert network.inputs == ((-1,), (0,), (1,))
        assert network.parameters == trainable(model)
        assert len(network.layers) == 3

    def test_shared_weights_are_counted_once_and_computed_twice(self):
        shared = layers.Conv2D(4, 3, padding="same", name="shared")
        x = keras.Input((8, 8, 4))
        model = keras.Model(x, shared(shared(x)))
        network = read_keras(model)
        assert network.macs == 2 * 64 * 9 * 16
        assert network.parameters == trainable(model)

    def test_a_nested_model_called_twice(self):
        tower = keras.Sequential([keras.Input((6, 6, 2)), layers.Conv2D(2, 1)], name="tower")
        left, right = keras.Input((6, 6, 2)), keras.Input((6, 6, 2))
        model = keras.Model([left, right], layers.Add()([tower(left), tower(right)]))
        network = read_keras(model)
        assert network.inputs == ((-1,), (-1,), (0, 1))
        assert network.parameters == trainable(model)

    def test_an_unread_input_of_a_nested_model_keeps_the_order_of_the_others(self):
        a, b = keras.Input((4, 4, 2), name="a"), keras.Input((4, 4, 3), name="b")
        inner = keras.Model([a, b], layers.Conv2D(5, 1)(b), name="second")
        x, y = keras.Input((4, 4, 2)), keras.Input((4, 4, 3))
        first = layers.Conv2D(2, 1, name="first")(x)
        second = layers.Conv2D(3, 1, name="other")(y)
        network = read_keras(keras.Model([x, y], inner([first, second])))
        assert network.layers[-1].c == 3
        assert network.layers[network.inputs[-1][0]].name == "other"

    def test_a_nested_model_may_have_several_outputs(self):
        a = keras.Input((4, 4, 2))
        heads = [layers.Conv2D(n, 1, name=f"head{n}")(a) for n in (3, 4)]
        inner = keras.Model(a, heads, name="heads")
        x = keras.Input((4, 4, 2))
        left, right = inner(x)
        model = keras.Model(x, [layers.Conv2D(5, 1, name="after")(right), left])
        network = read_keras(model)
        assert [layer.name for layer in network.layers] == ["heads/head3", "heads/head4", "after"]
        assert network.inputs == ((-1,), (-1,), (1,))
        assert network.parameters == trainable(model)

    @pytest.mark.parametrize("outer", ["functional", "sequential"])
    def test_a_nested_functional_model_may_end_the_network(self, outer):
        a = keras.Input((4, 4, 2))
        inner = keras.Model(a, layers.Dense(3, activation="softmax")(layers.Flatten()(a)))
        x = keras.Input((4, 4, 2))
        first = layers.Conv2D(2, 1)
        model = (
            keras.Model(x, inner(first(x)))
            if outer == "functional"
            else keras.Sequential([x, first, inner])
        )
        assert [layer.macs for layer in read_keras(model).layers] == [64, 96]

    def test_every_output_is_computed(self):
        x = keras.Input((4, 4, 2))
        y = layers.Conv2D(3, 1)(x)
        outputs = [layers.Conv2D(4, 1)(y), layers.Conv2D(5, 1)(y)]
        assert [layer.k for layer in read_keras(keras.Model(x, outputs)).layers] == [3, 4, 5]

    def test_named_outputs_are_computed(self):
        x = keras.Input((4, 4, 2))
        outputs = {"a": layers.Conv2D(4, 1)(x), "b": layers.Conv2D(5, 1)(x)}
        assert [layer.k for layer in read_keras(keras.Model(x, outputs)).layers] == [4, 5]

    def test_deep_models_need_no_deep_stack(self, saved, tmp_path):
        """A thousand more activations between two layers than Keras itself would build."""

        def edit(description):
            found = description["config"]["layers"]
            at = next(i for i, layer in enumerate(found) if layer["class_name"] == "Activation")
            before = found[at]
            for i in range(2000):
                text = json.dumps(before["inbound_nodes"])
                name = f"more{i}"
                source = [before["name"], 0, 0]
                nodes = json.loads(text)
                nodes[0]["args"][0]["config"]["keras_history"] = source
                layer = {**before, "name": name, "config": {**before["config"], "name": name}}
                found.append({**layer, "inbound_nodes": nodes})
                before = found[-1]
            reader = found[at + 1]
            reader["inbound_nodes"][0]["args"][0]["config"]["keras_history"][0] = before["name"]
            return description

        network = read_keras(edited(saved, tmp_path / "deep.keras", edit))
        assert network.inputs == read_keras(saved).inputs


@pytest.mark.parametrize(
    ("name", "millions"),
    [("MobileNet", 568.740352), ("MobileNetV3Small", None), ("EfficientNetB0", 385.814752)],
)
def test_models_of_keras_applications(name, millions):
    """Parameters equal Keras'; multiply-accumulates the lists of measured networks."""
    model = getattr(keras.applications, name)(weights=None, input_shape=(224, 224, 3))
    network = read_keras(model)
    assert network.parameters == trainable(model)
    assert millions is None or network.macs == round(millions * 1e6)


def test_totals_equal_what_keras_shapes_say():
    """Multiply-accumulates counted from the shapes that Keras itself worked out."""
    model = keras.applications.MobileNetV2(weights=None, input_shape=(96, 96, 3), alpha=0.35)
    macs = 0
    for layer in model.layers:
        if isinstance(layer, layers.DepthwiseConv2D | layers.Conv2D | layers.Dense):
            kernel = layer.kernel.shape
            positions = prod(layer.output.shape[1:-1])
            macs += positions * int(np.prod(kernel))
    assert read_keras(model).macs == macs
