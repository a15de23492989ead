"""ONNX models read as networks: equal to the layer reading, operator by operator, and sentences."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nahas import networks
from nahas.errors import InteropError
from nahas.spaces import named as spaces
from nahas.spaces.builder import read_layers
from nahas.vocabulary import LayerKind

onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install 'nahas[onnx]'")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402 - after the skip

from nahas.interop.onnx_in import onnx_reading, read_onnx  # noqa: E402 - after the skip
from nahas.interop.onnx_ops import READERS  # noqa: E402 - after the skip
from tests.interop.onnx_graphs import OnnxBuilder, constant, model  # noqa: E402 - after the skip
from tests.named import ONE_OF_EACH  # noqa: E402 - after the skip


def nameless(network):
    return [replace(layer, name="") for layer in network.layers], network.inputs


def agree(function, turned):
    """The ONNX graph of a network function reads as the function's own layers."""
    builder = OnnxBuilder(turned)
    function(builder)
    made, fixed = read_onnx(builder.model()), read_layers("fixed", function)
    assert nameless(made) == nameless(fixed)
    assert (made.macs, made.parameters) == (fixed.macs, fixed.parameters)


@pytest.mark.parametrize("turned", [False, True], ids=["channels first", "channels last"])
@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_a_graph_is_the_network_of_its_function(name, turned):
    agree(networks.function(name), turned)


@settings(max_examples=10)
@given(seed=st.integers(0, 2**32 - 1), turned=st.booleans(), name=st.sampled_from(spaces.NAMES))
def test_a_graph_of_any_network_of_a_space_is_that_network(seed, turned, name):
    space = spaces.named(name)
    (choice,) = space.space.sample(1, np.random.default_rng(seed))
    agree(space.function(choice), turned)


def only(nodes, constants=(), **options):
    (layer,) = read_onnx(model(nodes, constants, **options)).layers
    return layer


def conv(weights="w", **attributes):
    return helper.make_node("Conv", ["x", weights], ["y"], name="conv", **attributes)


@settings(max_examples=25)
@given(
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 5)),
    strides=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    dilations=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    pads=st.tuples(*(st.integers(0, 3) for _ in range(4))),
    groups=st.sampled_from([1, 2, 3, 6]),
)
def test_convolutions_of_any_window(kernel, strides, dilations, pads, groups):
    attributes = {"strides": strides, "dilations": dilations, "pads": pads, "group": groups}
    layer = only([conv(**attributes)], [constant("w", (12, 6 // groups, *kernel))])
    spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    assert layer.p == (11 + pads[0] + pads[2] - spans[0]) // strides[0] + 1
    assert layer.q == (14 + pads[1] + pads[3] - spans[1]) // strides[1] + 1
    assert (layer.g, layer.g * layer.k, layer.g * layer.c) == (groups, 12, 6)
    assert (layer.r, layer.s) == kernel
    assert (layer.stride_p, layer.stride_q) == strides
    assert (layer.dilation_r, layer.dilation_s) == dilations
    assert layer.parameters == 12 * (6 // groups) * prod(kernel)


def node(operator, reads=("x",), **attributes):
    return helper.make_node(operator, list(reads), [f"{operator}_out"], name="it", **attributes)


AFTER = (conv(),)
ACTIVATIONS = ("LeakyRelu", "Sigmoid", "HardSigmoid", "HardSwish", "Tanh", "Elu", "Gelu", "Mish")


@pytest.mark.parametrize("operator", ACTIVATIONS)
def test_activations_are_vector_layers(operator):
    layer = only([node(operator)])
    assert (layer.kind, layer.g, layer.p, layer.q) == (LayerKind.ACTIVATION, 6, 11, 14)


@pytest.mark.parametrize("operator", ["Relu", "Identity", "Dropout", "Softmax"])
def test_free_operators(operator):
    reading = onnx_reading(model([*AFTER, node(operator, ["y"])], [constant("w", (4, 6, 1, 1))]))
    assert [layer.name for layer in reading.network.layers] == ["conv"]
    assert [use.layers for use in reading.operators] == [1, 0]


def test_softmax_in_the_middle_is_a_layer():
    nodes = [node("Softmax"), helper.make_node("Conv", ["Softmax_out", "w"], ["z"], name="c")]
    kinds = [layer.kind for layer in read_onnx(model(nodes, [constant("w", (4, 6, 1, 1))])).layers]
    assert kinds == [LayerKind.ACTIVATION, LayerKind.CONVOLUTION]


def test_a_slope_is_a_parameter():
    assert only([node("PRelu", ["x", "s"])], [constant("s", (6, 1, 1))]).parameters == 6


@pytest.mark.parametrize("operator", ["MaxPool", "AveragePool"])
def test_pools(operator):
    layer = only([node(operator, kernel_shape=[2, 3], strides=[2, 1], pads=[0, 1, 1, 1])])
    assert (layer.kind, layer.g, layer.p, layer.q) == (LayerKind.POOL, 6, 6, 14)
    assert (layer.r, layer.s, layer.stride_p, layer.stride_q) == (2, 3, 2, 1)


@pytest.mark.parametrize("operator", ["GlobalAveragePool", "GlobalMaxPool"])
def test_global_pools(operator):
    layer = only([node(operator)])
    assert (layer.g, layer.p, layer.q, layer.r, layer.s) == (6, 1, 1, 11, 14)


@pytest.mark.parametrize("keepdims", [0, 1])
def test_a_mean_over_height_and_width_is_a_global_pool(keepdims):
    axes = numpy_helper.from_array(np.array([-1, 2]), "axes")
    layer = only([node("ReduceMean", ["x", "axes"], keepdims=keepdims)], [axes])
    assert (layer.g, layer.r, layer.s) == (6, 11, 14)


def test_a_mean_over_anything_else_is_refused():
    axes = numpy_helper.from_array(np.array([1]), "axes")
    with pytest.raises(InteropError, match=r"'it' reduces axes \[1\] of a tensor of shape"):
        read_onnx(model([node("ReduceMean", ["x", "axes"])], [axes]))


@pytest.mark.parametrize("operator", ["Add", "Sub", "Sum"])
def test_sums(operator):
    layer = read_onnx(model([*AFTER, node(operator, ["x", "y"])], [constant("w", (6, 6, 1, 1))]))
    assert layer.layers[1].operands == 2
    assert layer.inputs == ((-1,), (-1, 0))


def test_a_number_per_channel_goes_into_the_convolution():
    nodes = [*AFTER, node("Add", ["y", "b"]), helper.make_node("Mul", ["Add_out", "s"], ["z"])]
    constants = [constant("w", (4, 6, 1, 1)), constant("b", (4, 1, 1)), constant("s", (4, 1, 1))]
    assert only(nodes, constants).parameters == 24 + 4 + 4


@pytest.mark.parametrize("shape", [(), (6, 1, 1), (14,)])
def test_scaling_the_input_is_part_of_its_quantisation(shape):
    """By one number, or one for each channel, which come last where tf2onnx has written it."""
    nodes = [node("Div", ["x", "d"]), helper.make_node("Conv", ["Div_out", "w"], ["z"], name="c")]
    assert only(nodes, [constant("d", shape), constant("w", (4, 6, 1, 1))]).parameters == 24


def test_a_constant_of_the_whole_shape_is_a_vector_layer():
    layer = only([node("Add", ["x", "b"])], [constant("b", (6, 11, 14))])
    assert (layer.kind, layer.parameters) == (LayerKind.ACTIVATION, 6 * 11 * 14)


def test_a_batch_normalisation_elsewhere_is_a_vector_layer():
    names = ["s", "b", "m", "v"]
    nodes = [node("MaxPool", kernel_shape=[2, 2])]
    nodes.append(helper.make_node("BatchNormalization", ["MaxPool_out", *names], ["z"]))
    layers = read_onnx(model(nodes, [constant(name, (6,)) for name in names])).layers
    assert [layer.kind for layer in layers] == [LayerKind.POOL, LayerKind.ACTIVATION]
    assert layers[1].parameters == 12


def test_a_gate_of_one_position_is_a_scale():
    gate = helper.make_node("GlobalAveragePool", ["x"], ["g"], name="g")
    network = read_onnx(model([gate, node("Mul", ["g", "x"])]))
    assert network.layers[1].kind is LayerKind.SCALE
    assert network.inputs == ((-1,), (-1, 0))


@pytest.mark.parametrize("reads", [("x", "s"), ("s", "x")])
def test_a_tensor_times_its_own_sigmoid_is_one_layer(reads):
    sigmoid = helper.make_node("Sigmoid", ["x"], ["s"], name="s")
    assert only([sigmoid, node("Mul", reads)]).kind is LayerKind.ACTIVATION


def test_a_sigmoid_that_others_read_stays_a_layer_beside_the_product():
    nodes = [helper.make_node("Sigmoid", ["x"], ["s"]), node("Mul", ["x", "s"])]
    nodes.append(helper.make_node("Add", ["Mul_out", "s"], ["z"]))
    kinds = [layer.kind for layer in read_onnx(model(nodes)).layers]
    assert kinds == [LayerKind.ACTIVATION, LayerKind.ADD, LayerKind.ADD]


def test_concatenation_copies():
    nodes = [*AFTER, node("Concat", ["x", "y", "x"], axis=1)]
    network = read_onnx(model(nodes, [constant("w", (4, 6, 1, 1))]))
    assert [(layer.g, layer.p, layer.q) for layer in network.layers[1:]] == [
        (10, 11, 14),
        (16, 11, 14),
    ]
    assert network.inputs == ((-1,), (-1, 0), (1, -1))


def test_concatenation_along_height_is_refused():
    with pytest.raises(InteropError, match="joins along axis 2 or joins constants"):
        read_onnx(model([node("Concat", ["x", "x"], axis=2)]))


@pytest.mark.parametrize("operator", ["Gemm", "MatMul"])
def test_products(operator):
    flat = helper.make_node("Flatten", ["x"], ["f"])
    layer = only([flat, node(operator, ["f", "m"])], [constant("m", (924, 5))])
    assert (layer.k, layer.c, layer.macs, layer.parameters) == (5, 924, 4620, 4620)


def test_a_product_sums_over_the_last_axis_whatever_its_order():
    layer = only([node("MatMul", ["x", "m"])], [constant("m", (14, 5))])
    assert (layer.k, layer.c, layer.p * layer.q) == (5, 14, 6 * 11)


def test_padding_is_absorbed():
    pads = numpy_helper.from_array(np.array([0, 0, 1, 1, 0, 0, 1, 1]), "pads")
    nodes = [node("Pad", ["x", "pads"]), helper.make_node("Conv", ["Pad_out", "w"], ["z"])]
    layer = only(nodes, [pads, constant("w", (4, 6, 3, 3))])
    assert (layer.p, layer.q) == (11, 14)


def test_what_follows_from_shapes_is_no_layer():
    """PyTorch's flatten: the batch taken from the shape, joined with -1."""
    zero, rest = (
        numpy_helper.from_array(np.array(v), n) for v, n in (([0], "zero"), ([-1], "rest"))
    )
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Gather", ["shape", "zero"], ["batch"]),
        helper.make_node("Concat", ["batch", "rest"], ["target"], axis=0),
        helper.make_node("Reshape", ["x", "target"], ["flat"]),
        node("MatMul", ["flat", "m"]),
    ]
    layer = only(nodes, [zero, rest, constant("m", (924, 5))], shape=("batch", 6, 11, 14))
    assert layer.c == 924


def test_quantised_operators():
    scale, zero = constant("scale", ()), constant("zero", (), np.uint8)
    weights = numpy_helper.from_array(np.ones((4, 6, 3, 3), np.uint8), "w")
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["q"]),
        helper.make_node(
            "QLinearConv", ["q", "scale", "zero", "w", "scale", "zero", "scale", "zero"], ["c"]
        ),
        helper.make_node("DequantizeLinear", ["c", "scale", "zero"], ["z"]),
    ]
    layer = only(nodes, [scale, zero, weights])
    assert (layer.p, layer.q, layer.k, layer.c, layer.parameters) == (9, 12, 4, 6, 216)


def test_quantised_weights_between_float_operators():
    scale, zero = constant("scale", ()), constant("zero", (), np.int8)
    weights = numpy_helper.from_array(np.ones((4, 6, 1, 1), np.int8), "q")
    nodes = [
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["w"]),
        conv(),
    ]
    assert only(nodes, [scale, zero, weights]).parameters == 24


def test_shared_weights_are_counted_once():
    nodes = [conv(), helper.make_node("Conv", ["y", "w"], ["z"], name="again")]
    network = read_onnx(model(nodes, [constant("w", (6, 6, 1, 1))]))
    assert [layer.parameters for layer in network.layers] == [36, 0]


def test_operators_are_reported_with_their_share():
    builder = OnnxBuilder()
    networks.function("mobilenet-v2")(builder)
    reading = onnx_reading(builder.model())
    uses = {use["operator"]: use for use in reading.document()}
    assert uses["Conv"]["became"] == "mapped"
    assert uses["BatchNormalization"]["became"] == "folded"
    assert sum(use["macs_share"] for use in uses.values()) == pytest.approx(1)
    assert str(reading).startswith("read graph: mapped 52 Conv (99.6% of MACs), 1 Gemm (0.4% of")
    assert "folded, at no cost: 52 BatchNormalization" in str(reading)


class TestUnreadable:
    def test_all_unknown_operators_are_named_in_one_sentence(self):
        nodes = [
            helper.make_node("LSTM", ["x", "w", "w"], ["a"], name="memory", hidden_size=2),
            helper.make_node("Relu", ["a"], ["b"], name="fine"),
            helper.make_node("FusedConv", ["b"], ["c"], domain="com.microsoft"),
            helper.make_node("MatMul", ["c", "b"], ["d"], name="attention"),
        ]
        with pytest.raises(InteropError) as caught:
            read_onnx(model(nodes, [constant("w", (1, 8, 2))]))
        sentence = str(caught.value)
        assert (
            "operators that nahas cannot read: 'memory' (LSTM), 'c' (com.microsoft.FusedConv), "
            "'attention' (MatMul of two activations); it reads Conv, QLinearConv" in sentence
        )
        assert "'fine'" not in sentence

    @pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x0a\xff\xff", b"PK\x03\x04"])
    def test_other_files(self, tmp_path, content):
        path = tmp_path / "model.onnx"
        path.write_bytes(content)
        with pytest.raises(InteropError, match=r"model\.onnx is not an ONNX model file"):
            read_onnx(path)

    def test_a_cut_file(self, tmp_path):
        path = tmp_path / "cut.onnx"
        whole = model([conv()], [constant("w", (4, 6, 1, 1))]).SerializeToString()
        path.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(InteropError, match=r"cut\.onnx"):
            read_onnx(path)

    def test_missing(self, tmp_path):
        with pytest.raises(InteropError, match=r"none\.onnx: no such file"):
            read_onnx(tmp_path / "none.onnx")

    def test_folder(self, tmp_path):
        with pytest.raises(InteropError, match="cannot be read: Is a directory"):
            read_onnx(tmp_path)

    @pytest.mark.parametrize("thing", [None, 7, object()])
    def test_no_model(self, thing):
        with pytest.raises(InteropError, match="is neither an ONNX model nor the path of one"):
            read_onnx(thing)

    def test_a_size_left_open(self):
        sentence = "input 'x' has shape (1, 6, 'height', 14): nahas needs fixed sizes"
        with pytest.raises(InteropError, match=re.escape(sentence)):
            read_onnx(model([node("Relu")], shape=(1, 6, "height", 14)))

    def test_a_batch(self):
        with pytest.raises(InteropError, match="input 'x' has a batch of 8: nahas runs one"):
            read_onnx(model([node("Sigmoid")], shape=(8, 6, 11, 14)))

    def test_an_open_batch_is_one(self):
        assert only([node("Sigmoid")], shape=("N", 6, 11, 14)).n == 1

    def test_nothing_that_computes(self):
        with pytest.raises(InteropError, match="has no layer that computes"):
            read_onnx(model([node("Relu")]))

    def test_shapes_that_contradict_each_other(self):
        with pytest.raises(InteropError, match="ONNX finds no shapes for it"):
            read_onnx(model([conv()], [constant("w", (4, 5, 1, 1, 1))]))

    def test_one_dimensional_windows(self):
        with pytest.raises(InteropError, match="'conv' has a window of 1 dims"):
            read_onnx(model([conv()], [constant("w", (4, 6, 3))], shape=(1, 6, 20)))

    def test_a_computed_filter(self):
        nodes = [helper.make_node("Sigmoid", ["x"], ["w"]), conv()]
        with pytest.raises(InteropError, match="'conv' computes its filter"):
            read_onnx(model(nodes, shape=(1, 1, 3, 3)))

    def test_a_matrix_on_the_left(self):
        nodes = [helper.make_node("MatMul", ["m", "x"], ["y"], name="left")]
        with pytest.raises(InteropError, match=r"'left' \(MatMul of two activations\)"):
            read_onnx(model(nodes, [constant("m", (5, 11))]))

    def test_other_outputs_than_the_first(self):
        nodes = [helper.make_node("MaxPool", ["x"], ["y", "i"], kernel_shape=[2, 2])]
        nodes.append(helper.make_node("Cast", ["i"], ["z"], name="where", to=TensorProto.FLOAT))
        with pytest.raises(InteropError, match=r"'where' \(Cast\) reads i: nahas reads the first"):
            read_onnx(model(nodes))

    def test_without_the_package(self, monkeypatch, tmp_path):
        monkeypatch.setitem(sys.modules, "onnx", None)
        with pytest.raises(InteropError, match=re.escape("run pip install 'nahas[onnx]'")):
            read_onnx(tmp_path / "model.onnx")


def test_files_and_models_are_the_same_network(tmp_path):
    made = model([conv()], [constant("w", (4, 6, 1, 1))])
    path = tmp_path / "small.onnx"
    onnx.save(made, path)
    assert read_onnx(path).name == "small"
    assert read_onnx(str(path)).layers == read_onnx(made).layers


def test_weights_beside_the_file_are_not_needed(tmp_path):
    made = model([conv()], [numpy_helper.from_array(np.ones((64, 6, 3, 3), np.float32), "w")])
    path = tmp_path / "small.onnx"
    onnx.save(made, path, save_as_external_data=True, location="weights", size_threshold=0)
    (tmp_path / "weights").unlink()
    assert read_onnx(path).parameters == 64 * 6 * 9


def test_functions_of_a_model_are_read_in_place():
    body = [helper.make_node("Conv", ["a", "b"], ["c"], name="inner")]
    function = helper.make_function(
        "mine", "Block", ["a", "b"], ["c"], body, [helper.make_opsetid("", 20)]
    )
    made = model(
        [helper.make_node("Block", ["x", "w"], ["y"], domain="mine")],
        [constant("w", (4, 6, 1, 1))],
        functions=[function],
    )
    made.opset_import.append(helper.make_opsetid("mine", 1))
    assert read_onnx(made).layers[0].k == 4


def test_every_reader_is_an_operator_of_onnx():
    for operator in READERS:
        assert onnx.defs.has(operator) or operator in ("Swish", "Mish"), operator


def test_a_tensor_of_another_type_is_no_float(tmp_path):
    inputs = [helper.make_tensor_value_info("x", TensorProto.UINT8, (1, 3, 4, 4))]
    output = helper.make_tensor_value_info("z", TensorProto.FLOAT, None)
    nodes = [
        helper.make_node("Cast", ["x"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Conv", ["f", "w"], ["z"]),
    ]
    graph = helper.make_graph(nodes, "g", inputs, [output], [constant("w", (2, 3, 1, 1))])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)])
    assert read_onnx(made).macs == 2 * 3 * 16
