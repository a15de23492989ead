"""Model files by their endings, and the account of what became of their operators."""

from __future__ import annotations

import pytest

from nahas import networks
from nahas.errors import InteropError
from nahas.interop.models import read_model
from nahas.interop.table import Table, Tensor
from nahas.layers import Layer


def test_the_ending_decides(tmp_path):
    for name, said in (
        ("a.keras", "no such file"),
        ("a.h5", "HDF5"),
        ("a.tflite", "no such file"),
        ("a.pt", r"its name must end in \.keras, \.onnx or \.tflite"),
        ("mobilenet", "none of the model files"),
    ):
        with pytest.raises(InteropError, match=said):
            read_model(tmp_path / name)


def test_an_onnx_file(tmp_path):
    onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install 'nahas[onnx]'")
    from tests.interop.onnx_graphs import OnnxBuilder

    builder = OnnxBuilder()
    networks.function("mobilenet-v2")(builder)
    onnx.save(builder.model(), tmp_path / "net.onnx")
    reading = read_model(tmp_path / "net.onnx")
    assert reading.network.name == "net"
    assert reading.network.macs == networks.named("mobilenet-v2").macs


def test_a_keras_file_is_accounted_for(tmp_path):
    from nahas.children.graph import keras_model
    from nahas.interop.keras_in import keras_reading

    reading = keras_reading(keras_model(networks.function("macro:00000000"), name="net"))
    uses = {use["operator"]: use for use in reading.document()}
    assert uses["Conv2D"]["became"] == "mapped"
    assert uses["BatchNormalization"]["became"] == "folded"
    assert sum(use["macs_share"] for use in uses.values()) == pytest.approx(1)


def test_operators_are_summed_in_the_order_of_their_work():
    table = Table()
    x = Tensor(-1, (4, 4, 2))
    for operator, channels in (("Small", 1), ("Large", 8), ("Small", 1)):
        layer = Layer(name=operator, k=channels, c=2, p=4, q=4)
        table.append(layer, (x,), (4, 4, channels))
        table.note(operator)
    table.note("Nothing")
    uses = table.reading("net", "here").operators
    assert [(use.operator, use.calls, use.layers, use.macs) for use in uses] == [
        ("Large", 1, 1, 256),
        ("Small", 2, 2, 64),
        ("Nothing", 1, 0, 0),
    ]
    said = "read net: mapped 1 Large (80.0% of MACs), 2 Small (20.0% of MACs); folded, at no"
    assert str(table.reading("net", "here")).startswith(said)
