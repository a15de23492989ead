"""Keras models as networks, read from the description that Keras writes to its files.

Only `config.json` of a `.keras` file is read: no weights, no code of the file, no Keras. What
Keras' safe mode refuses (a Lambda layer, a class from elsewhere) is refused here by name. A
model in memory is read through the same description.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

from nahas.errors import InteropError
from nahas.interop.keras_layers import READERS
from nahas.interop.table import Call, Reading, Shape, Table, Tensor
from nahas.network import Network

MODELS = ("Functional", "Sequential", "Model")
TENSOR = "__keras_tensor__"

Config = Mapping[str, Any]

Node = tuple[str, int]
"""A layer's name in its model, and which of its calls."""

Wire = tuple[str, int, int]
"""A node and which of its outputs; only nested models have more than one."""


def read_keras(model: Any) -> Network:
    """The network of a `.keras` file (a path) or of a Keras model in memory; as `keras_reading`."""
    return keras_reading(model).network


def keras_reading(model: Any) -> Reading:
    """A `.keras` file (a path) or a Keras model in memory: the network and what it was read from.

    Batch normalisations go into the convolution before them, with their parameters; padding,
    reshaping, dropout, rescaling, ReLU and a last softmax cost nothing; other activations are
    vector layers. Layers run in the order in which the outputs need them, first input first.

    Raises:
        InteropError: when the file is missing or not Keras', when the model is neither
            functional nor sequential or its input has no fixed size, and when layers are not
            known here: then it names all of them.
    """
    if isinstance(model, str | Path):
        path = Path(model)
        return _reading(path.stem, str(path), _description(path))
    if not hasattr(model, "to_json"):
        raise InteropError(
            f"a {type(model).__name__} is neither a Keras model nor the path of a .keras file"
        )
    return _reading(model.name, f"model '{model.name}'", json.loads(model.to_json()))


def _description(path: Path) -> Config:
    """`config.json` of a `.keras` file."""
    if path.suffix in (".h5", ".hdf5"):
        raise InteropError(f"{path} is in Keras' old HDF5 format: save the model as .keras")
    try:
        with ZipFile(path) as archive:
            description = json.loads(archive.read("config.json"))
    except FileNotFoundError:
        raise InteropError(f"{path}: no such file") from None
    except OSError as problem:
        raise InteropError(f"{path} cannot be read: {problem.strerror or problem}") from problem
    except (BadZipFile, KeyError, ValueError) as problem:
        raise InteropError(
            f"{path} is not a Keras model file: save one with model.save('NAME.keras')"
        ) from problem
    if not isinstance(description, dict):
        raise InteropError(f"{path} is not a Keras model file: its config.json is no object")
    return description


def _reading(name: str, source: str, description: Config) -> Reading:
    """Check every layer of a model, then read it."""
    if not _is_model(description):
        raise InteropError(
            f"{source} is a model of class {description.get('class_name')}: nahas reads "
            "functional and sequential models, whose layers Keras describes"
        )
    try:
        unknown = list(_unknown(description))
        if unknown:
            raise InteropError(
                f"{source} has layers that nahas cannot read: {', '.join(unknown)}; "
                f"it reads {', '.join(READERS)}"
            )
        table = Table()
        _Reader(table, source).model(description, None, prefix="", final=True)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as problem:
        raise InteropError(
            f"{source} is not described as Keras 3 does it ({type(problem).__name__}: {problem}): "
            "load it with Keras 3 and save it again"
        ) from problem
    return table.reading(name, source)


def _of_keras(entry: Config) -> bool:
    return str(entry.get("module", "")).partition(".")[0] == "keras"


def _is_model(entry: Config) -> bool:
    config = entry.get("config")
    layers = config.get("layers") if isinstance(config, Mapping) else None
    return _of_keras(entry) and entry.get("class_name") in MODELS and isinstance(layers, list)


def _unknown(model: Config, prefix: str = "") -> Iterator[str]:
    """Name and class of every layer, nested ones too, that has no reader."""
    for entry in model["config"]["layers"]:
        name = prefix + entry["config"]["name"]
        if _is_model(entry):
            yield from _unknown(entry, f"{name}/")
        elif not _of_keras(entry) or entry["class_name"] not in {"InputLayer", *READERS}:
            yield f"'{name}' ({entry['class_name']})"


@dataclass(frozen=True)
class _Graph:
    """One functional model: what each call reads, and what is read from outside.

    Attributes:
        entries: description of each layer by name.
        reads: what each call reads, in order.
        inputs: what the input layers make, in the order of the model's arguments.
        outputs: what the model gives.
    """

    entries: Mapping[str, Config]
    reads: Mapping[Node, tuple[Wire, ...]]
    inputs: tuple[Wire, ...]
    outputs: tuple[Wire, ...]

    def order(self) -> Iterator[Node]:
        """Calls after all they read, depth first: first input first, as a builder calls."""
        opened: set[Node] = set()
        done: set[Node] = set()
        waiting = [(wire[:2], False) for wire in reversed(self.outputs)]
        while waiting:
            node, ready = waiting.pop()
            if node in done:
                continue
            if ready:
                done.add(node)
                yield node
                continue
            if node in opened:
                raise ValueError(f"'{node[0]}' reads its own output")
            opened.add(node)
            waiting.append((node, True))
            waiting.extend((wire[:2], False) for wire in reversed(self.reads[node]))

    def readers(self) -> Counter[Wire]:
        """How many calls read each tensor; leaving the model counts as one."""
        counts = Counter(wire for reads in self.reads.values() for wire in reads)
        counts.update(self.outputs)
        return counts


class _Reader:
    """Reads a model, and the models in it, into one table."""

    def __init__(self, table: Table, source: str) -> None:
        self.table = table
        self.source = source
        self.counted: set[str] = set()

    def model(
        self, entry: Config, given: Sequence[Tensor] | None, prefix: str, final: bool
    ) -> tuple[Tensor, ...]:
        """Read one model; `given` are its inputs, None for those of the network."""
        graph = _graph(entry)
        readers = graph.readers()
        made: dict[Wire, Tensor] = {}
        for name, call in graph.order():
            layer = graph.entries[name]
            if (name, call, 0) not in graph.inputs:
                reads = tuple(made[wire] for wire in graph.reads[(name, call)])
                ends = final and (name, call, 0) in graph.outputs
                tensors = self._call(layer, reads, prefix, ends)
            elif given is None:
                tensors = (self._input(layer),)
            else:
                tensors = (given[graph.inputs.index((name, call, 0))],)
            for index, tensor in enumerate(tensors):
                alone = readers[(name, call, index)] == 1
                made[(name, call, index)] = tensor if alone else replace(tensor, foldable=False)
        return tuple(made[wire] for wire in graph.outputs)

    def _call(
        self, entry: Config, reads: tuple[Tensor, ...], prefix: str, final: bool
    ) -> tuple[Tensor, ...]:
        name = prefix + entry["config"]["name"]
        if _is_model(entry):
            return self.model(entry, reads, f"{name}/", final)
        call = Call(name, entry["config"], reads, self.table, name in self.counted, final)
        self.counted.add(name)
        made = READERS[entry["class_name"]](call)
        self.table.note(entry["class_name"])
        return (made,)

    def _input(self, entry: Config) -> Tensor:
        shape: Shape = tuple(entry["config"]["batch_shape"][1:])
        if None in shape:
            raise InteropError(
                f"{self.source}: input '{entry['config']['name']}' has shape {shape}: "
                "nahas needs a fixed height, width and channels"
            )
        return Tensor(-1, shape)


def _graph(model: Config) -> _Graph:
    config = model["config"]
    if model["class_name"] == "Sequential":
        return _sequence(config)
    entries = {entry["name"]: entry for entry in config["layers"]}
    reads: dict[Node, tuple[Wire, ...]] = {}
    for name, entry in entries.items():
        calls = entry["inbound_nodes"] or [{}]
        for call, arguments in enumerate(calls):
            reads[(name, call)] = tuple(_tensors(arguments))

    def wires(key: str) -> tuple[Wire, ...]:
        # Keras counts the calls of a functional model from 1 here, and from 0 in its arguments.
        return tuple(
            (name, call - (entries[name]["class_name"] == "Functional"), index)
            for name, call, index in _wires(config[key])
        )

    return _Graph(entries, reads, wires("input_layers"), wires("output_layers"))


def _sequence(config: Config) -> _Graph:
    """A sequential model as a graph; one without an input layer takes the shape it was built on."""
    layers = list(config["layers"])
    if not layers or layers[0]["class_name"] != "InputLayer":
        shape = config.get("build_input_shape") or (None, None)
        described = {"name": "input", "batch_shape": shape}
        layers.insert(0, {"class_name": "InputLayer", "config": described})
    names = [entry["config"]["name"] for entry in layers]
    reads: dict[Node, tuple[Wire, ...]] = {(names[0], 0): ()}
    reads |= {(name, 0): ((before, 0, 0),) for before, name in pairwise(names)}
    entries = dict(zip(names, layers, strict=True))
    return _Graph(entries, reads, ((names[0], 0, 0),), ((names[-1], 0, 0),))


def _tensors(value: Any) -> Iterator[Wire]:
    """The tensors among the arguments of a call, in order."""
    if isinstance(value, Mapping):
        if value.get("class_name") == TENSOR:
            layer, call, index = value["config"]["keras_history"]
            yield (layer, call, index)
        else:
            for inner in value.values():
                yield from _tensors(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _tensors(inner)


def _wires(value: Any) -> Iterator[Wire]:
    """The tensors of `input_layers` or `output_layers`: one, a list or a mapping of them."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if len(value) == 3 and isinstance(value[0], str):
        yield (value[0], value[1], value[2])
    else:
        for inner in value:
            yield from _wires(inner)
