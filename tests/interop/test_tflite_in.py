"""TensorFlow Lite models read as networks: beside Keras, operator by operator, and sentences."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from nahas.errors import InteropError
from nahas.interop import tflite_in
from nahas.interop.tflite_in import READERS, read_tflite, tflite_reading
from nahas.vocabulary import LayerKind

flatbuffers = pytest.importorskip("flatbuffers", reason="TensorFlow, which brings it, is absent")
SCHEMA = tflite_in._schema()


class Graph:
    """A model of one graph, written operator by operator; 'x' is its input."""

    def __init__(self, shape=(1, 11, 14, 6), signature=None):
        self.model, self.graph = SCHEMA.ModelT(), SCHEMA.SubGraphT()
        self.model.version, self.model.subgraphs = 3, [self.graph]
        self.model.operatorCodes, self.model.buffers = [], [SCHEMA.BufferT()]
        self.graph.tensors, self.graph.operators = [], []
        self.graph.inputs = [self.tensor(shape, name="x", signature=signature)]

    def tensor(self, shape, *, name=None, data=None, signature=None):
        made = SCHEMA.TensorT()
        made.name, made.shape = name or f"t{len(self.graph.tensors)}", list(shape)
        made.shapeSignature = signature
        if data is not None:
            made.buffer = len(self.model.buffers)
            self.model.buffers.append(SCHEMA.BufferT())
            self.model.buffers[-1].data = np.frombuffer(bytes(data), np.uint8)
        self.graph.tensors.append(made)
        return len(self.graph.tensors) - 1

    def weights(self, *shape):
        return self.tensor(shape, data=b"\x01\x02\x03")

    def numbers(self, *values):
        return self.tensor([len(values)], data=np.array(values, np.int32).tobytes())

    def op(self, name, inputs, shape, options=None, **fields):
        code, made = SCHEMA.OperatorCodeT(), SCHEMA.OperatorT()
        code.builtinCode = getattr(SCHEMA.BuiltinOperator, name)
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        self.model.operatorCodes.append(code)
        made.opcodeIndex = len(self.model.operatorCodes) - 1
        made.inputs, made.outputs = list(inputs), [self.tensor(shape)]
        if options:
            made.builtinOptions = getattr(SCHEMA, f"{options}T")()
            made.builtinOptionsType = getattr(SCHEMA.BuiltinOptions, options)
            for field, value in fields.items():
                assert hasattr(made.builtinOptions, field), field
                setattr(made.builtinOptions, field, value)
        self.graph.operators.append(made)
        self.graph.outputs = made.outputs
        return made.outputs[0]

    def conv(self, x=0, weights=None, shape=(1, 11, 14, 4), **fields):
        weights = self.weights(shape[-1], 1, 1, 6) if weights is None else weights
        return self.op(
            "CONV_2D", [x, weights, self.weights(shape[-1])], shape,
            "Conv2DOptions", **{"strideH": 1, "strideW": 1, "padding": 1, **fields},
        )  # fmt: skip

    def write(self, folder):
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        path = folder / "model.tflite"
        path.write_bytes(bytes(builder.Output()))
        return path


@pytest.fixture
def read(tmp_path):
    return lambda graph: read_tflite(graph.write(tmp_path))


@pytest.fixture
def only(read):
    def layer_of(graph):
        (layer,) = read(graph).layers
        return layer

    return layer_of


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_convolution(only, padding):
    graph = Graph()
    same = padding == "SAME"
    graph.conv(
        weights=graph.weights(4, 3, 2, 3), shape=(1, 6, 7, 4) if same else (1, 4, 6, 4),
        strideH=2, strideW=2, dilationHFactor=2, dilationWFactor=3, padding=0 if same else 1,
    )  # fmt: skip
    layer = only(graph)
    assert (layer.p, layer.q) == ((6, 7) if same else (4, 6))
    assert (layer.g, layer.k, layer.c, layer.r, layer.s) == (2, 2, 3, 3, 2)
    assert (layer.stride_p, layer.stride_q, layer.dilation_r, layer.dilation_s) == (2, 2, 2, 3)
    assert layer.parameters == 4 * 3 * 2 * 3 + 4


def test_depthwise_with_a_multiplier(only):
    graph = Graph()
    graph.op(
        "DEPTHWISE_CONV_2D", [0, graph.weights(1, 3, 3, 12), -1], (1, 11, 14, 12),
        "DepthwiseConv2DOptions", strideH=1, strideW=1, padding=0,
        dilationHFactor=1, dilationWFactor=1, depthMultiplier=2,
    )  # fmt: skip
    layer = only(graph)
    assert (layer.g, layer.k, layer.c, layer.parameters) == (6, 2, 1, 108)


@pytest.mark.parametrize(("keeps", "macs"), [(False, 924 * 5), (True, 11 * 14 * 6 * 5)])
def test_fully_connected(only, keeps, macs):
    graph = Graph()
    matrix = graph.weights(5, 6 if keeps else 924)
    shape = (1, 11, 14, 5) if keeps else (1, 5)
    graph.op("FULLY_CONNECTED", [0, matrix, -1], shape, "FullyConnectedOptions", keepNumDims=keeps)
    assert only(graph).macs == macs


@pytest.mark.parametrize("operator", ["MAX_POOL_2D", "AVERAGE_POOL_2D"])
def test_pools(only, operator):
    graph = Graph()
    window = {"filterHeight": 2, "filterWidth": 3, "strideH": 2, "strideW": 1, "padding": 1}
    graph.op(operator, [0], (1, 5, 12, 6), "Pool2DOptions", **window)
    layer = only(graph)
    assert (layer.kind, layer.g, layer.p, layer.q) == (LayerKind.POOL, 6, 5, 12)
    assert (layer.r, layer.s) == (2, 3)


def test_mean_is_a_global_pool_over_height_and_width_alone(only, read):
    graph = Graph()
    graph.op("MEAN", [0, graph.numbers(1, 2)], (1, 6), "ReducerOptions", keepDims=False)
    layer = only(graph)
    assert (layer.g, layer.r, layer.s) == (6, 11, 14)
    graph = Graph()
    graph.op("MEAN", [0, graph.numbers(3)], (1, 11, 14), "ReducerOptions", keepDims=False)
    with pytest.raises(InteropError, match=r"reduces axes \[3\] of a tensor of shape"):
        read(graph)


@pytest.mark.parametrize("operator", ["LOGISTIC", "TANH", "HARD_SWISH", "ELU", "LEAKY_RELU"])
def test_activations(only, operator):
    graph = Graph()
    graph.op(operator, [0], (1, 11, 14, 6))
    assert only(graph).kind is LayerKind.ACTIVATION


@pytest.mark.parametrize("operator", ["RELU", "RELU6", "QUANTIZE", "DEQUANTIZE", "SOFTMAX", "CAST"])
def test_free_operators(only, operator):
    graph = Graph()
    graph.op(operator, [graph.conv()], (1, 11, 14, 4))
    assert only(graph).kind is LayerKind.CONVOLUTION


def test_fused_activations(read):
    graph = Graph()
    graph.conv(fusedActivationFunction=SCHEMA.ActivationFunctionType.RELU6)
    assert len(read(graph).layers) == 1
    graph = Graph()
    graph.conv(fusedActivationFunction=SCHEMA.ActivationFunctionType.TANH)
    assert [layer.kind for layer in read(graph).layers] == [
        LayerKind.CONVOLUTION,
        LayerKind.ACTIVATION,
    ]


def test_sums_products_gates_and_swish(read):
    graph = Graph()
    y = graph.conv(shape=(1, 11, 14, 6), weights=graph.weights(6, 1, 1, 6))
    total = graph.op("ADD", [0, y], (1, 11, 14, 6), "AddOptions")
    gate = graph.op(
        "MEAN", [total, graph.numbers(1, 2)], (1, 1, 1, 6), "ReducerOptions", keepDims=True
    )
    scaled = graph.op("MUL", [total, gate], (1, 11, 14, 6), "MulOptions")
    sigmoid = graph.op("LOGISTIC", [scaled], (1, 11, 14, 6))
    graph.op("MUL", [sigmoid, scaled], (1, 11, 14, 6), "MulOptions")
    network = read(graph)
    kinds = [layer.kind for layer in network.layers]
    assert kinds == [
        LayerKind.CONVOLUTION, LayerKind.ADD, LayerKind.POOL, LayerKind.SCALE, LayerKind.ACTIVATION,
    ]  # fmt: skip
    assert network.inputs == ((-1,), (-1, 0), (1,), (1, 2), (3,))


def test_a_bias_apart_goes_into_the_convolution(only):
    graph = Graph()
    graph.op("ADD", [graph.conv(), graph.weights(4)], (1, 11, 14, 4), "AddOptions")
    assert only(graph).parameters == 24 + 4 + 4


def test_concatenation_and_padding(read):
    graph = Graph()
    y = graph.conv()
    both = graph.op("CONCATENATION", [0, y], (1, 11, 14, 10), "ConcatenationOptions", axis=3)
    padded = graph.op("PAD", [both, graph.numbers(0, 0, 1, 1, 1, 1, 0, 0)], (1, 13, 16, 10))
    graph.conv(padded, weights=graph.weights(4, 3, 3, 10))
    network = read(graph)
    assert [(layer.g * layer.c, layer.p, layer.q) for layer in network.layers][1:] == [
        (10, 11, 14),
        (10, 11, 14),
    ]
    graph = Graph()
    graph.op("CONCATENATION", [0, 0], (1, 22, 14, 6), "ConcatenationOptions", axis=1)
    with pytest.raises(InteropError, match="joins along axis 1 or joins constants"):
        read(graph)


def test_weights_kept_narrow_are_still_constants(only):
    graph = Graph()
    wide = graph.op("DEQUANTIZE", [graph.weights(4, 1, 1, 6)], (4, 1, 1, 6))
    graph.conv(weights=wide)
    assert only(graph).parameters == 28


class TestUnreadable:
    def test_all_unknown_operators_are_named_in_one_sentence(self, read):
        graph = Graph()
        y = graph.op("RESIZE_BILINEAR", [0], (1, 22, 28, 6))
        z = graph.op("RELU", [y], (1, 22, 28, 6))
        graph.op("FULLY_CONNECTED", [z, y], (1, 5), "FullyConnectedOptions")
        sentence = (
            "operators that nahas cannot read: 't1' (RESIZE_BILINEAR), "
            "'t3' (FULLY_CONNECTED of two activations); it reads CONV_2D, DEPTHWISE_CONV_2D"
        )
        with pytest.raises(InteropError, match=re.escape(sentence)):
            read(graph)

    @pytest.mark.parametrize("content", [b"", b"not a model at all", b"\x1c\0\0\0TFL2"])
    def test_other_files(self, tmp_path, content):
        path = tmp_path / "model.tflite"
        path.write_bytes(content)
        with pytest.raises(InteropError, match=r"model\.tflite is not a TensorFlow Lite model"):
            read_tflite(path)

    def test_cut_and_damaged_files(self, tmp_path):
        graph = Graph()
        graph.conv()
        whole = graph.write(tmp_path).read_bytes()
        for content in (whole[:40], whole[: len(whole) // 2], b"\xff\xff\xff\x7f" + whole[4:]):
            path = tmp_path / "cut.tflite"
            path.write_bytes(content)
            with pytest.raises(InteropError, match=r"cut\.tflite"):
                read_tflite(path)

    def test_an_operator_without_its_options(self, read):
        graph = Graph()
        graph.conv()
        graph.graph.operators[0].builtinOptions = None
        graph.graph.operators[0].builtinOptionsType = 0
        with pytest.raises(InteropError, match="is not described as TensorFlow Lite does it"):
            read(graph)

    def test_missing_and_folder(self, tmp_path):
        with pytest.raises(InteropError, match="no such file"):
            read_tflite(tmp_path / "none.tflite")
        with pytest.raises(InteropError, match="cannot be read: Is a directory"):
            read_tflite(tmp_path)

    def test_sizes_left_open_and_batches(self, read):
        graph = Graph(signature=[-1, -1, 14, 6])
        graph.conv()
        with pytest.raises(InteropError, match=re.escape("has shape (-1, -1, 14, 6): nahas needs")):
            read(graph)
        graph = Graph(shape=(8, 11, 14, 6))
        graph.conv()
        with pytest.raises(InteropError, match="convert the model with a batch of 1"):
            read(graph)

    def test_without_a_reader_of_the_format(self, monkeypatch, tmp_path):
        monkeypatch.setattr(tflite_in, "SCHEMAS", (("no_such_package", "schema.py"),))
        tflite_in._schema.cache_clear()
        graph = Graph()
        graph.conv()
        with pytest.raises(InteropError, match="run pip install tensorflow"):
            read_tflite(graph.write(tmp_path))


def test_every_reader_is_an_operator_of_the_format():
    assert [name for name in READERS if not hasattr(SCHEMA.BuiltinOperator, name)] == []


def test_tensorflow_is_not_loaded(tmp_path):
    graph = Graph()
    graph.conv()
    program = (
        "import sys\nfrom nahas.interop.tflite_in import read_tflite\n"
        "print(read_tflite(sys.argv[1]).macs, 'tensorflow' in sys.modules)"
    )
    command = [sys.executable, "-c", program, str(graph.write(tmp_path))]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(11 * 14 * 24), "False"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
@pytest.mark.parametrize("quantised", [False, True], ids=["float", "int8"])
def test_a_converted_keras_model_is_the_network_of_its_import(tmp_path, quantised, capfd):
    """The same layers, edges and parameters; without normalisations, which become biases."""
    from nahas.children.quiet import import_keras
    from nahas.interop.keras_in import read_keras

    keras = import_keras()
    import tensorflow as tf

    layers = keras.layers
    normal = keras.initializers.RandomNormal  # the converter shares constants that are equal
    first, second, third, last = ({"bias_initializer": normal(seed=i)} for i in range(4))
    x = keras.Input((16, 16, 3))
    y = layers.ReLU(6.0)(layers.Conv2D(8, 3, strides=2, padding="same", **first)(x))
    z = layers.ReLU()(layers.DepthwiseConv2D(3, padding="same", **second)(y))
    z = layers.Add()([layers.Conv2D(8, 1, **third)(z), y])
    z = layers.MaxPooling2D()(z)
    z = layers.Dense(5, **last)(layers.GlobalAveragePooling2D()(z))
    model = keras.Model(x, z)
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if quantised:
        draws = np.random.default_rng(0).random((4, 1, 16, 16, 3), np.float32)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([draw] for draw in draws)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    path = tmp_path / "model.tflite"
    path.write_bytes(converter.convert())
    capfd.readouterr()
    reading, keras_network = tflite_reading(path), read_keras(model)
    assert [replace(layer, name="") for layer in reading.network.layers] == [
        replace(layer, name="") for layer in keras_network.layers
    ]
    assert reading.network.inputs == keras_network.inputs
