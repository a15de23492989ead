"""TensorFlow Lite models as networks, float or int8, read from the flatbuffer that holds them.

Of TensorFlow one file is loaded, the reader of that flatbuffer which it generates from the
format's schema; neither TensorFlow nor the model is run.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from math import prod
from pathlib import Path
from typing import Any

from nahas.errors import InteropError, LayerError
from nahas.interop import table
from nahas.interop.table import Call, Reading, Shape, Table, Tensor, extent
from nahas.layers import Layer
from nahas.network import Network
from nahas.vocabulary import LayerKind

SCHEMAS = (("ai_edge_litert", "schema_py_generated.py"),
           ("tensorflow", "lite/python/schema_py_generated.py"))  # fmt: skip
"""Packages that bring the generated reader, and where in them it lies."""

IDENTIFIER = b"TFL3"
ABSENT = -1
SAME = 0
FREE_CODES = ("NONE", "RELU", "RELU_N1_TO_1", "RELU6")
WITH_WEIGHTS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")


@dataclass(frozen=True)
class Node:
    """One operator: what a reader of this module is given.

    Attributes:
        call: its name, the tensors it reads that are no constants, and the table.
        options: the operator's own table of the schema; None where it has none.
        constants: shapes of the constants it reads, by the place of the input.
        numbers: values of those of them that hold int32 numbers, by the place of the input.
        trained: numbers of those constants that no earlier node has counted.
        output: shape of its first output, without the batch.
    """

    call: Call
    options: Any
    constants: dict[int, Shape]
    numbers: dict[int, tuple[int, ...]]
    trained: int
    output: Shape


Reader = Callable[[Node], Tensor]


def convolution(node: Node) -> Tensor:
    """CONV_2D; with fewer input channels in its filter than in its input it is grouped."""
    filters, r, s, channels = node.constants[1]
    groups = node.call.x.channels // channels
    return _weighted(node, _window(node, r, s), groups, filters)


def depthwise(node: Node) -> Tensor:
    """DEPTHWISE_CONV_2D; a depth multiplier above 1 makes a grouped convolution."""
    _, r, s, filters = node.constants[1]
    return _weighted(node, _window(node, r, s), node.call.x.channels, filters)


def fully_connected(node: Node) -> Tensor:
    """FULLY_CONNECTED: a map is flattened first unless its dims are kept."""
    call = node.call
    if not node.options.keepNumDims:
        call = replace(call, reads=(table.flatten(call),))
    return _counted(node, table.dense(call, node.constants[1][0], bias=False))


def pool(node: Node) -> Tensor:
    """AVERAGE_POOL_2D and MAX_POOL_2D."""
    window = _window(node, node.options.filterHeight, node.options.filterWidth)
    return _activated(node, table.pool(node.call, window))


def reduction(node: Node) -> Tensor:
    """MEAN and REDUCE_MAX over height and width."""
    rank = len(node.call.x.shape) + 1
    axes = {axis % rank for axis in node.numbers.get(1, ())}
    if rank != 4 or axes != {1, 2}:
        raise InteropError(
            f"layer '{node.call.name}' reduces axes {sorted(axes)} of a tensor of shape "
            f"{node.call.x.shape}: nahas reduces height and width together"
        )
    return table.global_pool(node.call, bool(node.options.keepDims))


def addition(node: Node) -> Tensor:
    """ADD, SUB: of two tensors, or a bias that goes into the convolution before it."""
    return _activated(node, _constant(node) or table.elementwise(node.call))


def multiplication(node: Node) -> Tensor:
    """MUL: of equal shapes, by a gate, or of a tensor by its own sigmoid (a swish)."""
    return _activated(node, _constant(node) or table.multiply(node.call))


def concatenation(node: Node) -> Tensor:
    """CONCATENATION, along the channels."""
    rank = len(node.call.x.shape) + 1
    if node.constants or node.options.axis % rank != rank - 1:
        raise InteropError(
            f"layer '{node.call.name}' joins along axis {node.options.axis} or joins constants: "
            "nahas joins tensors along their channels"
        )
    return _activated(node, table.concatenation(node.call))


def clamp(node: Node) -> Tensor:
    """RELU and its clamped forms: free."""
    return table.activate(node.call, node.call.x, "relu")


def activation(node: Node) -> Tensor:
    """Any other activation; a PRELU has a trained slope."""
    return table.vector(node.call, LayerKind.ACTIVATION, node.trained)


def softmax(node: Node) -> Tensor:
    """SOFTMAX and LOG_SOFTMAX; free where the network ends."""
    return table.activate(node.call, node.call.x, "softmax")


def reshaped(node: Node) -> Tensor:
    """Free, or absorbed by the layer after it: RESHAPE, PAD, QUANTIZE and the like."""
    return replace(node.call.x, shape=node.output)


READERS: dict[str, Reader] = {
    "CONV_2D": convolution,
    "DEPTHWISE_CONV_2D": depthwise,
    "FULLY_CONNECTED": fully_connected,
    "AVERAGE_POOL_2D": pool,
    "MAX_POOL_2D": pool,
    "MEAN": reduction,
    "REDUCE_MAX": reduction,
    "ADD": addition,
    "SUB": addition,
    "MUL": multiplication,
    "CONCATENATION": concatenation,
    "RELU": clamp,
    "RELU6": clamp,
    "RELU_N1_TO_1": clamp,
    "RELU_0_TO_1": clamp,
    **dict.fromkeys(
        ("LOGISTIC", "TANH", "HARD_SWISH", "ELU", "LEAKY_RELU", "PRELU", "GELU", "EXP"), activation
    ),
    "SOFTMAX": softmax,
    "LOG_SOFTMAX": softmax,
    **dict.fromkeys(
        ("RESHAPE", "SQUEEZE", "EXPAND_DIMS", "PAD", "PADV2", "QUANTIZE", "DEQUANTIZE", "CAST"),
        reshaped,
    ),
}
"""TensorFlow Lite operator to reader. What is computed from constants alone is no layer."""


def read_tflite(path: str | Path) -> Network:
    """The network of a `.tflite` file; as `tflite_reading`."""
    return tflite_reading(path).network


def tflite_reading(path: str | Path) -> Reading:
    """A `.tflite` file: the network and what it was read from.

    The converter has folded batch normalisations into biases, which are counted as parameters.

    Raises:
        InteropError: when no generated reader is installed, when the file is missing or not
            TensorFlow Lite's, when a size of its input is not fixed or its batch is not 1, and
            when operators are not known here: then it names all of them.
    """
    path = Path(path)
    content = _content(path)
    schema = _schema()
    reader = _Reader(str(path), _model(path, content, schema), schema)
    unknown = list(reader.unknown())
    if unknown:
        raise InteropError(
            f"{path} has operators that nahas cannot read: {', '.join(unknown)}; "
            f"it reads {', '.join(READERS)}"
        )
    try:
        reader.read()
    except (AttributeError, IndexError, KeyError, LayerError, TypeError) as problem:
        raise InteropError(
            f"{path} is not described as TensorFlow Lite does it "
            f"({type(problem).__name__}: {problem}): convert the model again"
        ) from problem
    return reader.table.reading(path.stem, str(path))


@cache
def _schema() -> Any:
    """The module that TensorFlow generates from the format's schema, loaded alone."""
    for package, inside in SCHEMAS:
        found = find_spec(package)
        for folder in (found.submodule_search_locations or ()) if found else ():
            file = Path(folder) / inside
            spec = spec_from_file_location("nahas_tflite_schema", file)
            if file.is_file() and spec is not None and spec.loader is not None:
                module = module_from_spec(spec)
                spec.loader.exec_module(module)
                return module
    raise InteropError(
        "reading TensorFlow Lite models needs TensorFlow: run pip install tensorflow, or "
        "pip install 'nahas[export]'"
    )


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise InteropError(f"{path}: no such file") from None
    except OSError as problem:
        raise InteropError(f"{path} cannot be read: {problem.strerror or problem}") from problem
    if content[4:8] != IDENTIFIER:
        raise InteropError(f"{path} is not a TensorFlow Lite model file")
    return content


def _model(path: Path, content: bytes, schema: Any) -> Any:
    try:
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
        whole = bool(model.subgraphs and model.subgraphs[0].operators is not None)
    except (struct.error, TypeError, ValueError, IndexError, AttributeError) as problem:
        raise InteropError(f"{path} is a damaged TensorFlow Lite model file") from problem
    if not whole:
        raise InteropError(f"{path} is a TensorFlow Lite model file without operators")
    return model


class _Reader:
    """Reads the operators of a model's first graph, in its order, into a table."""

    def __init__(self, source: str, model: Any, schema: Any) -> None:
        self.source, self.table = source, Table()
        self.graph, self.buffers = model.subgraphs[0], model.buffers
        names = {value: name for name, value in vars(schema.BuiltinOperator).items()}
        codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in model.operatorCodes]
        self.operators = [names.get(codes[op.opcodeIndex], "?") for op in self.graph.operators]
        kinds = vars(schema.ActivationFunctionType).items()
        self.activations = {value: name for name, value in kinds}
        self.values: dict[int, Tensor] = {}
        self.counted: set[int] = set()
        self.outputs = set(map(int, self.graph.outputs))
        self.readers = Counter(int(i) for op in self.graph.operators for i in op.inputs)
        self.readers.update(self.outputs)
        self.constants = {
            number
            for number, tensor in enumerate(self.graph.tensors)
            if self.buffers[tensor.buffer].data is not None or self.buffers[tensor.buffer].offset
        }
        for op in self.graph.operators:
            if all(int(i) in self.constants for i in op.inputs if i != ABSENT):
                self.constants |= set(map(int, op.outputs))

    def unknown(self) -> Iterator[str]:
        """Output and code of every operator that has no reader."""
        for op, operator in zip(self.graph.operators, self.operators, strict=True):
            if int(op.outputs[0]) in self.constants:
                continue
            computed = operator in WITH_WEIGHTS and int(op.inputs[1]) not in self.constants
            if operator not in READERS or computed:
                said = f"{operator} of two activations" if computed else operator
                yield f"'{self._name(op)}' ({said})"

    def read(self) -> None:
        """Read every operator that computes from the network's inputs."""
        for number in map(int, self.graph.inputs):
            self.values[number] = Tensor(-1, self._shape(number, "input"))
        for op, operator in zip(self.graph.operators, self.operators, strict=True):
            if int(op.outputs[0]) not in self.constants:
                made = READERS[operator](self._node(op))
                self.table.note(operator)
                number = int(op.outputs[0])
                alone = self.readers[number] == 1
                self.values[number] = made if alone else replace(made, foldable=False)

    def _node(self, op: Any) -> Node:
        inputs = [int(number) for number in op.inputs]
        read = [number for number in inputs if number in self.values]
        known = {place: n for place, n in enumerate(inputs) if n in self.constants}
        call = Call(
            name=self._name(op),
            config={"activation": self._fused(op)},
            reads=tuple(self.values[number] for number in read),
            table=self.table,
            final=int(op.outputs[0]) in self.outputs,
            readers=tuple(self.readers[number] for number in read),
        )
        fresh = set(known.values()) - self.counted
        self.counted |= fresh
        return Node(
            call=call,
            options=op.builtinOptions,
            constants={place: self._dims(number) for place, number in known.items()},
            numbers={place: self._numbers(number) for place, number in known.items()},
            trained=sum(prod(self._dims(number)) for number in fresh),
            output=self._shape(int(op.outputs[0]), "tensor"),
        )

    def _fused(self, op: Any) -> str:
        return str(self.activations[getattr(op.builtinOptions, "fusedActivationFunction", 0)])

    def _name(self, op: Any) -> str:
        name = self.graph.tensors[int(op.outputs[0])].name or b"?"
        return str(name.decode(errors="replace")).partition(";")[0]

    def _dims(self, number: int) -> Shape:
        shape = self.graph.tensors[number].shape
        return () if shape is None else tuple(map(int, shape))

    def _numbers(self, number: int) -> tuple[int, ...]:
        data = self.buffers[self.graph.tensors[number].buffer].data
        few = data is not None and len(data) <= 64 and len(data) % 4 == 0
        return struct.unpack(f"<{len(data) // 4}i", bytes(data)) if few else ()

    def _shape(self, number: int, what: str) -> Shape:
        """A tensor's shape without its batch, which is 1."""
        tensor, shape = self.graph.tensors[number], self._dims(number)
        signature = tensor.shapeSignature
        sizes = shape if signature is None else tuple(map(int, signature))
        name = (tensor.name or b"?").decode(errors="replace")
        if min(sizes[1:], default=1) < 1:
            raise InteropError(
                f"{self.source}: {what} '{name}' has shape {sizes}: nahas needs fixed sizes, all "
                "but the batch; convert the model with them"
            )
        if not shape or shape[0] != 1:
            raise InteropError(
                f"{self.source}: {what} '{name}' has shape {shape}: nahas runs one inference at "
                "a time; convert the model with a batch of 1"
            )
        return shape[1:]


def _window(node: Node, r: int, s: int) -> Layer:
    options = node.options
    height, width, _ = table.map_of(node.call, node.call.x)
    dilation_r = getattr(options, "dilationHFactor", 1)
    dilation_s = getattr(options, "dilationWFactor", 1)
    same = options.padding == SAME
    return Layer(
        name=node.call.name,
        p=extent(height, (r - 1) * dilation_r + 1, options.strideH, same),
        q=extent(width, (s - 1) * dilation_s + 1, options.strideW, same),
        r=r,
        s=s,
        stride_p=options.strideH,
        stride_q=options.strideW,
        dilation_r=dilation_r,
        dilation_s=dilation_s,
    )


def _weighted(node: Node, window: Layer, groups: int, filters: int) -> Tensor:
    return _counted(node, table.convolution(node.call, window, groups, filters, bias=False))


def _counted(node: Node, y: Tensor) -> Tensor:
    """Give the layer that makes `y` the node's trained numbers, then what is fused to it."""
    layers = node.call.table.layers
    layers[y.source] = replace(layers[y.source], parameters=node.trained)
    return _activated(node, y)


def _constant(node: Node) -> Tensor | None:
    """A sum or product whose other operand is a constant."""
    if len(node.call.reads) > 1:
        return None
    words = max(map(prod, node.constants.values()), default=1)
    return table.with_constant(node.call, words, node.trained)


def _activated(node: Node, y: Tensor) -> Tensor:
    """The activation that an operator has within it."""
    name = node.call.config["activation"]
    if name == "NONE":
        return y
    fused = replace(node.call, name=f"{node.call.name}/{name.lower()}")
    return table.activate(fused, y, "relu" if name in FREE_CODES else name.lower())
