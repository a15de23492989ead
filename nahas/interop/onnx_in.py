"""ONNX models as networks: shapes by ONNX' own inference, weights by their shapes alone.

The file is read with the onnx package (`pip install 'nahas[onnx]'`); nothing in it is run, and
weights that lie in files beside it need not be there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

from nahas.errors import InteropError, LayerError
from nahas.interop.onnx_ops import READERS, Node, Value, canonical, matrix_place
from nahas.interop.table import Call, Reading, Shape, Table, Tensor
from nahas.network import Network

DOMAINS = ("", "ai.onnx")
"""Operators of other domains are unknown, whatever their names."""

FROM_SHAPES = ("Shape", "Size", "Constant", "ConstantOfShape", "Range")
"""Operators whose results do not depend on the values that flow through the network."""

PRODUCTS = ("MatMul", "Gemm", "QLinearMatMul", "MatMulInteger")
"""Their last axis holds the channels."""

UNTRAINED = {
    "BatchNormalization": (3, 4),
    "QLinearConv": (1, 2, 4, 5, 6, 7),
    "QLinearMatMul": (1, 2, 4, 5, 6, 7),
    "ConvInteger": (2, 3),
    "MatMulInteger": (2, 3),
    "ReduceMean": (1,),
    "ReduceMax": (1,),
}
"""Places of inputs that are statistics, scales, zero points or axes."""

FEW = 16
"""Constants of so many numbers or fewer are read: axes and the like."""


def read_onnx(model: Any) -> Network:
    """The network of an `.onnx` file (a path) or of an ONNX model in memory; as `onnx_reading`."""
    return onnx_reading(model).network


def onnx_reading(model: Any) -> Reading:
    """An `.onnx` file (a path) or model in memory: the network and what it was read from.

    Batch normalisations, and sums and products with a number per channel, go into the
    convolution before them; padding, reshaping, quantisation, ReLU and a last softmax cost
    nothing; other activations and concatenations are vector layers. A product of a tensor and
    its own sigmoid is one layer, as a swish is.

    Raises:
        InteropError: when the onnx package is absent, when the file is missing or not ONNX',
            when a size of the input is not fixed or its batch is not 1, and when operators are
            not known here: then it names all of them.
    """
    if isinstance(model, str | Path):
        path = Path(model)
        return _reading(path.stem, str(path), _load(path))
    if not hasattr(model, "graph"):
        raise InteropError(f"a {type(model).__name__} is neither an ONNX model nor the path of one")
    name = model.graph.name or "onnx"
    return _reading(name, f"model '{name}'", model)


def _onnx() -> Any:
    try:
        import onnx
        import onnx.inliner
    except ImportError as error:
        raise InteropError(
            "reading ONNX models needs the onnx package: run pip install 'nahas[onnx]'"
        ) from error
    return onnx


def _load(path: Path) -> Any:
    onnx = _onnx()
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load_model(path, load_external_data=False)
    except FileNotFoundError:
        raise InteropError(f"{path}: no such file") from None
    except OSError as problem:
        raise InteropError(f"{path} cannot be read: {problem.strerror or problem}") from problem
    except (DecodeError, ValueError, RuntimeError) as problem:
        raise InteropError(f"{path} is not an ONNX model file") from problem
    if not model.graph.node:
        raise InteropError(f"{path} is not an ONNX model file, or one without operators")
    return model


def _reading(name: str, source: str, model: Any) -> Reading:
    model = _onnx().inliner.inline_local_functions(model) if model.functions else model
    unknown = list(_unknown(model.graph, set(_constants(model.graph))))
    if unknown:
        raise InteropError(
            f"{source} has operators that nahas cannot read: {', '.join(unknown)}; "
            f"it reads {', '.join(READERS)}"
        )
    graph = _inferred(source, model)
    reader = _Reader(graph, _constants(graph))
    try:
        reader.read()
    except (InteropError, LayerError) as error:
        raise InteropError(f"{source}: {error}") from error
    return reader.table.reading(name, source)


def _inferred(source: str, model: Any) -> Any:
    """The graph with the shapes of all its tensors; a batch of unknown size is 1."""
    onnx = _onnx()
    model = onnx.ModelProto.FromString(model.SerializeToString())
    del model.graph.value_info[:]
    given = {tensor.name for tensor in model.graph.initializer}
    for tensor in model.graph.input:
        if tensor.name not in given:
            _fix(source, tensor)
    for tensor in model.graph.output:
        tensor.type.tensor_type.ClearField("shape")
    try:
        return onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph
    except (onnx.shape_inference.InferenceError, RuntimeError, ValueError) as problem:
        reason = " ".join(str(problem).split())
        raise InteropError(f"{source}: ONNX finds no shapes for it ({reason})") from problem


def _fix(source: str, tensor: Any) -> None:
    """Check one input's shape, and set its batch to 1 where it is left open."""
    dims = tensor.type.tensor_type.shape.dim
    if dims and not dims[0].HasField("dim_value"):
        dims[0].dim_value = 1
    shape = tuple(dim.dim_value if dim.HasField("dim_value") else dim.dim_param for dim in dims)
    if not shape or any(isinstance(size, str) or size < 1 for size in shape):
        raise InteropError(
            f"{source}: input '{tensor.name}' has shape {shape}: nahas needs fixed sizes, all but "
            "the batch; export the model with them"
        )
    if shape[0] != 1:
        raise InteropError(
            f"{source}: input '{tensor.name}' has a batch of {shape[0]}: nahas runs one inference "
            "at a time; export the model with a batch of 1"
        )


def _constants(graph: Any) -> dict[str, Shape]:
    """Shapes of all tensors that do not depend on the network's inputs."""
    shapes = _shapes(graph)
    found = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    for node in graph.node:
        reads = [name for name in node.input if name]
        if node.op_type in FROM_SHAPES or (reads and all(name in found for name in reads)):
            found |= {name: shapes.get(name, ()) for name in node.output if name}
    return found


def _shapes(graph: Any) -> dict[str, Shape]:
    """Inferred shapes, the batch included."""
    return {
        tensor.name: tuple(dim.dim_value for dim in tensor.type.tensor_type.shape.dim)
        for tensor in (*graph.input, *graph.value_info, *graph.output)
    }


def _unknown(graph: Any, constants: set[str]) -> Iterator[str]:
    """Name and operator of every node that has no reader."""
    for node in graph.node:
        if all(name in constants for name in node.output if name):
            continue
        name = node.name or next(iter(node.output), "")
        if node.op_type not in READERS or node.domain not in DOMAINS:
            yield f"'{name}' ({'.'.join(part for part in (node.domain, node.op_type) if part)})"
        elif node.op_type in PRODUCTS and node.input[matrix_place(node.op_type)] not in constants:
            yield f"'{name}' ({node.op_type} of two activations)"


class _Reader:
    """Reads the nodes of one graph, in its order, into a table."""

    def __init__(self, graph: Any, constants: dict[str, Shape]) -> None:
        self.graph, self.constants = graph, constants
        self.table = Table()
        self.shapes = _shapes(graph)
        self.small = _small(graph)
        self.counted: set[str] = set()
        self.values: dict[str, Value] = {}
        self.readers = Counter(name for node in graph.node for name in node.input)
        self.readers.update(tensor.name for tensor in graph.output)
        self.outputs = {tensor.name for tensor in graph.output}

    def read(self) -> None:
        """Read every node that computes from the network's inputs."""
        for tensor in self.graph.input:
            if tensor.name not in self.constants:
                shape = self.shapes[tensor.name][1:]
                self.values[tensor.name] = Value(Tensor(-1, canonical(shape, False)), shape)
        for node in self.graph.node:
            if any(name not in self.constants for name in node.output if name):
                self._node(node)

    def _node(self, node: Any) -> None:
        reads = [name for name in node.input if name in self.values]
        if not reads:
            raise InteropError(
                f"'{node.name or node.output[0]}' ({node.op_type}) reads "
                f"{', '.join(node.input)}: nahas reads the first output of an operator only"
            )
        values = tuple(self.values[name] for name in reads)
        output = self._shape(node)
        read = Node(
            call=self._call(node, values),
            values=values,
            constants={
                place: self.constants[name]
                for place, name in enumerate(node.input)
                if name in self.constants
            },
            numbers={
                place: self.small[name]
                for place, name in enumerate(node.input)
                if name in self.small
            },
            uncounted=self._uncounted(node),
            output=output,
        )
        made = READERS[node.op_type](read)
        self.table.note(node.op_type)
        last = _channels_last(node, values, read)
        tensor = replace(made, shape=canonical(output, last))
        if self.readers[node.output[0]] != 1:
            tensor = replace(tensor, foldable=False)
        self.values[node.output[0]] = Value(tensor, output, last)

    def _shape(self, node: Any) -> Shape:
        shape = self.shapes.get(node.output[0], ())
        if not shape or any(size < 1 for size in shape) or shape[0] != 1:
            raise InteropError(
                f"'{node.name or node.output[0]}' ({node.op_type}) makes a tensor of shape "
                f"{shape or 'unknown'}: nahas needs fixed sizes and a batch of 1"
            )
        return shape[1:]

    def _call(self, node: Any, values: tuple[Value, ...]) -> Call:
        from onnx.helper import get_attribute_value

        config = {each.name: get_attribute_value(each) for each in node.attribute}
        return Call(
            name=node.name or node.output[0],
            config={**config, "operator": node.op_type},
            reads=tuple(value.tensor for value in values),
            table=self.table,
            final=node.output[0] in self.outputs,
            readers=tuple(self.readers[name] for name in node.input if name in self.values),
        )

    def _uncounted(self, node: Any) -> int:
        """Numbers of the node's constants that are trained and not counted before."""
        without = UNTRAINED.get(node.op_type, ())
        names = {
            name
            for place, name in enumerate(node.input)
            if name in self.constants and place not in without and name not in self.counted
        }
        self.counted |= names
        return sum(prod(self.constants[name]) for name in names)


def _channels_last(node: Any, values: tuple[Value, ...], read: Node) -> bool:
    """Whether a node's output has its channels last: as its input, unless it turns them."""
    if len(read.output) != 3:
        return False
    if node.op_type == "Transpose":
        return tuple(read.get("perm", ())) == (0, 2, 3, 1) and not values[0].channels_last
    return values[0].channels_last or node.op_type in PRODUCTS


def _small(graph: Any) -> dict[str, list[float]]:
    """Values of constants of few numbers that lie in the file."""
    from onnx import TensorProto, numpy_helper

    tensors = list(graph.initializer)
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute and node.attribute[0].name == "value":
            tensor = TensorProto()
            tensor.CopyFrom(node.attribute[0].t)
            tensor.name = node.output[0]
            tensors.append(tensor)
    inside = (each for each in tensors if each.data_location == TensorProto.DEFAULT)
    return {
        each.name: numpy_helper.to_array(each).ravel().tolist()
        for each in inside
        if prod(each.dims) <= FEW
    }
