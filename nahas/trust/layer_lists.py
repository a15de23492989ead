"""Reads `nets_layers.json`: networks as exact lists of layers, an object each.

A row is a convolution (`conv`, `gconv`, `dw`), a gate (`se`), a sum (`add`) or the classifier
(`fc`), on square maps with padding that keeps the size. Rows run one after the other; the list
does not say what a sum adds to its predecessor: it is the latest other tensor of its shape,
which in networks of bottlenecks is the input of the block.
"""

from __future__ import annotations

from pathlib import Path

from nahas.errors import InteropError, LayerError
from nahas.interop.record import Record, read_object
from nahas.layers import Layer
from nahas.network import Network
from nahas.spaces.builder import Feature
from nahas.trust.stack import Stack
from nahas.vocabulary import LayerKind

FILE = "nets_layers.json"
CONVOLUTIONS = ("conv", "gconv", "dw")


def read_layer_lists(folder: Path) -> dict[str, Network]:
    """The networks of a folder by name.

    Raises:
        InteropError: when the file cannot be read, or a row is none of the above.
    """
    nets = read_object(folder / FILE).part("nets")
    return {name: _network(name, nets.part(name)) for name in nets.value}


def _network(name: str, listed: Record) -> Network:
    on, x = Stack(), Feature(-1, 0, 0, 0)
    tensors: list[Feature] = []
    for number, value in enumerate(listed.read("layers", list)):
        if not isinstance(value, dict):
            raise InteropError(f"{listed.where}: layers[{number}] is no object")
        row = Record(f"{listed.where}: layers[{number}]", value)
        op = row.read("op", str)
        try:
            if op in CONVOLUTIONS:
                x = on.put(_convolution(row), x)
            elif op == "se":
                x = _gated(on, x, row.count("cout", least=1))
            elif op == "add":
                x = on.add(_other(tensors, x, row), x)
            elif op == "fc":
                x = on.classify(x, row.count("cout", least=1))
            else:
                raise InteropError(f"{row.where}: 'op' is {op!r}, but it must be conv to fc")
        except LayerError as error:
            raise InteropError(f"{row.where}: {error}") from error
        tensors.append(x)
    return on.network(name)


def _convolution(row: Record) -> Layer:
    groups, size = row.count("groups", least=1), row.count("h_out", least=1)
    window, stride = row.count("k", least=1), row.count("s", least=1)
    return Layer(
        name=row.read("op", str),
        g=groups,
        k=row.count("cout", least=1) // groups,
        c=row.count("cin", least=1) // groups,
        p=size,
        q=size,
        r=window,
        s=window,
        stride_p=stride,
        stride_q=stride,
    )


def _other(tensors: list[Feature], x: Feature, row: Record) -> Feature:
    shape = (x.height, x.width, x.channels)
    for tensor in reversed(tensors[:-1]):
        if tensor.source != x.source and (tensor.height, tensor.width, tensor.channels) == shape:
            return tensor
    raise InteropError(f"{row.where}: nothing of the shape of the layer before is there to add")


def _gated(on: Stack, x: Feature, squeezed: int) -> Feature:
    """Squeeze-excitation: as `nahas.spaces.blocks.squeeze_excite`."""
    gate = on.classify(x, squeezed)
    gate = on.chain(gate, f"{x.channels}:1x1")
    activation, scale = LayerKind.ACTIVATION, LayerKind.SCALE
    gate = on.put(Layer(name="sigmoid", kind=activation, g=x.channels), gate)
    return on.put(Layer(name="scale", kind=scale, g=x.channels, p=x.height, q=x.width), x, gate)
