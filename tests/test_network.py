"""Networks sum their layers and refuse edges that cannot be."""

import re

import pytest

from nahas.errors import NetworkError
from nahas.layers import Layer
from nahas.network import Network

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
