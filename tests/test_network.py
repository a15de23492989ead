"""Networks sum their layers and refuse edges that cannot be."""

import re

import pytest

from nahas.errors import NetworkError
from nahas.kernels.records import LayerRow
from nahas.layers import Layer
from nahas.network import NETWORK_INPUT, NO_OPERAND, Network
from nahas.vocabulary import LayerKind

A = Layer(name="a", k=2, c=3, parameters=8)
B = Layer(name="b", k=5, parameters=10)


def network(*inputs, layers=(A, B)):
    return Network(name="net", layers=layers, inputs=inputs)


def test_totals_are_sums_over_layers():
    assert network((-1,), (0,)).macs == 6 + 5
    assert network((-1,), (0,)).parameters == 18


def test_a_layer_may_read_the_input_and_any_earlier_layer():
    assert network((-1,), (0, -1)).inputs == ((-1,), (0, -1))


def test_no_layers():
    with pytest.raises(NetworkError, match="network 'net' has no layers"):
        network(layers=())


def test_as_many_inputs_as_layers():
    with pytest.raises(NetworkError, match="has 2 layers, but inputs for 1"):
        network((-1,))


@pytest.mark.parametrize("sources", [(), (1,), (0, 2), (-2,)])
def test_a_layer_reads_what_has_run(sources):
    sentence = f"layer 'b' reads {sources}, but may read only -1 (the input) to 0"
    with pytest.raises(NetworkError, match=re.escape(sentence)):
        network((-1,), sources)


def residual():
    """Two convolutions, the sum of them, and a last layer that reads the first again."""
    conv = Layer(name="conv", k=4, c=4, p=5, q=5)
    total = Layer(name="sum", kind=LayerKind.ADD, g=4, p=5, q=5, operands=2)
    layers = (conv, conv, total, conv)
    return Network(name="net", layers=layers, inputs=((-1,), (0,), (0, 1), (2,)))


def test_the_table_holds_each_layer_as_its_row():
    network = residual()
    rows = network.table.rows
    assert rows.shape == (4, len(LayerRow._fields))
    for layer, row in zip(network.layers, rows, strict=True):
        assert layer.row == LayerRow(*row)
        assert dict(zip(LayerRow._fields, row.tolist(), strict=True))["p"] == layer.p


def test_the_table_says_what_is_read_and_until_when():
    table = residual().table
    assert table.operands.tolist() == [
        [NETWORK_INPUT, NO_OPERAND],
        [0, NO_OPERAND],
        [0, 1],
        [2, NO_OPERAND],
    ]
    assert table.last_use.tolist() == [2, 2, 3, 3]
    assert table.sizes.tolist() == [[100, 0], [100, 0], [100, 100], [100, 0]]
    assert table.output_words.tolist() == [100] * 4


@pytest.mark.parametrize(
    ("layer", "sentence"),
    [
        (Layer(name="many", n=8), "layer 'many' has a batch of 8, but the simulator runs one"),
        (Layer(name="large", c=2**26), "layer 'large' is too large to count exactly: at most"),
    ],
)
def test_what_the_simulator_cannot_run_is_refused_by_layer(layer, sentence):
    with pytest.raises(NetworkError, match=sentence):
        _ = network((-1,), layers=(layer,)).table


def test_more_than_two_operands_are_refused():
    wide = Network(name="net", layers=(A, A, A), inputs=((-1,), (0,), (-1, 0, 1)))
    with pytest.raises(NetworkError, match="reads 3 tensors, but at most two can be simulated"):
        _ = wide.table
