"""A mapped layer as Timeloop v4 reads it, and read back: architecture, problem, mapping, energies.

Files of version 0.4 as timeloopfe takes them. A level is a component, each axis a container
between two levels. A ragged factor is written as Timeloop writes imperfect ones, `K=4,3`: four
steps, three in the last round of the loops around it. [docs/interchange.md]
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from math import isfinite
from pathlib import Path
from typing import Any

from nahas.errors import InteropError, LayerError, MappingError
from nahas.interop.nest import TENSOR_NAMES, MappedPoint, Spread, merged, spreads
from nahas.interop.tagged import Row, Tagged, read_tagged, tagged_text
from nahas.layers import Layer
from nahas.mapping import Loop, Mapping, extent_of, last_counts
from nahas.vocabulary import Access, Dim, Level, Slot, Tensor

VERSION = "0.4"
COEFFICIENTS = ("stride_p", "stride_q", "dilation_r", "dilation_s")
PROJECTIONS: dict[str, list[list[list[str]]]] = {
    "Weights": [[["G"]], [["K"]], [["C"]], [["R"]], [["S"]]],
    "Inputs": [
        [["N"]],
        [["G"]],
        [["C"]],
        [["P", "stride_p"], ["R", "dilation_r"]],
        [["Q", "stride_q"], ["S", "dilation_s"]],
    ],
    "Outputs": [[["N"]], [["G"]], [["K"]], [["P"]], [["Q"]]],
}
ACTIONS = {Access.READS: "read", Access.FILLS: "write", Access.UPDATES: "update"}
COMPUTE = "MAC"
FILES = ("architecture", "problem", "mapping", "energies")
FACTOR = re.compile(r"([A-Z])=(\d+)(?:,(\d+))?")


def timeloop_files(point: MappedPoint) -> dict[str, str]:
    """The four files of one mapped layer, by name.

    Raises:
        InteropError: naming the layer, when Timeloop's loops cannot say what its nest says.
    """
    mapping = merged(point)
    axes = spreads(point, mapping)
    bits = point.accelerator.activation_bits
    comments = (
        f"Written by nahas: layer '{point.layer.name}' on '{point.accelerator.name}'.",
        f"Timeloop has one width and one energy of a word at a level: {bits} bits, activations.",
    )
    contents = (
        {"architecture": {"version": VERSION, "nodes": list(_nodes(point, axes))}},
        {"problem": _problem(point.layer)},
        {"mapping": list(_directives(point.layer, mapping, axes))},
        {"ERT": {"version": VERSION, "tables": list(_energies(point))}},
    )
    return {
        f"{name}.yaml": tagged_text(content, comments)
        for name, content in zip(FILES, contents, strict=True)
    }


def _nodes(point: MappedPoint, axes: dict[Slot, tuple[Spread, ...]]) -> Iterator[Tagged]:
    of = point.accelerator
    yield Tagged("Container", {"name": "system"})
    for level, memory in zip(Level, of.memories, strict=True):
        attributes: dict[str, Any] = {
            "datawidth": of.activation_bits,
            "width": of.activation_bits,
            "block_size": 1,
            "technology": f"{of.technology_nm}nm",
            "global_cycle_seconds": 1e-6 / of.clock_mhz,
        }
        word = of.activation_bits / 8
        if isfinite(memory.capacity_bytes):
            attributes["depth"] = int(memory.capacity_bytes // word)
        if isfinite(memory.bytes_per_cycle):
            attributes["shared_bandwidth"] = memory.bytes_per_cycle / word
        if level is not Level.DRAM and of.partial_sum_bits != of.activation_bits:
            scale = of.partial_sum_bits / of.activation_bits
            attributes["per_dataspace_bandwidth_consumption_scale"] = {"Outputs": scale}
        kind = "DRAM" if level is Level.DRAM else "storage"
        yield Tagged("Component", {"name": level.name, "class": kind, "attributes": attributes})
        for spread in axes[Slot(2 * level + 1)]:
            yield Tagged("Container", {"name": spread.name, "spatial": {"meshX": spread.axis.size}})
    yield Tagged(
        "Component",
        {"name": COMPUTE, "class": "intmac", "attributes": {"datawidth": of.activation_bits}},
    )


def _problem(layer: Layer) -> dict[str, Any]:
    return {
        "version": VERSION,
        "shape": {
            "name": layer.name,
            "dimensions": Row(dim.name for dim in Dim),
            "coefficients": [{"name": name, "default": 1} for name in COEFFICIENTS],
            "data_spaces": [
                {"name": name, "projection": Row(projection)}
                | ({"read_write": True} if name == "Outputs" else {})
                for name, projection in PROJECTIONS.items()
            ],
        },
        "instance": {
            **{dim.name: extent_of(layer, dim) for dim in Dim},
            **{name: getattr(layer, name) for name in COEFFICIENTS},
        },
    }


def _directives(
    layer: Layer, mapping: Mapping, axes: dict[Slot, tuple[Spread, ...]]
) -> Iterator[dict[str, Any]]:
    last = dict(zip(map(id, mapping.loops), last_counts(layer, mapping), strict=True))
    for level in Level:
        kept = [TENSOR_NAMES[tensor] for tensor in Tensor if tensor in mapping.keep[level]]
        passed = [name for name in TENSOR_NAMES.values() if name not in kept]
        yield {"target": level.name, "type": "dataspace", "keep": Row(kept), "bypass": Row(passed)}
        loops = [loop for loop in mapping.loops if loop.slot == 2 * level]
        yield {"target": level.name, "type": "temporal", **_loops(loops, last)}
        for spread in axes[Slot(2 * level + 1)]:
            yield {
                "target": spread.name,
                "type": "spatial",
                **_loops(spread.loops, last),
                "split": len(Dim),
                "no_link_transfer": Row(TENSOR_NAMES.values()),
            }


def _loops(loops: Iterable[Loop], last: dict[int, int]) -> dict[str, Any]:
    """Factors of all dims, and their order with the innermost first, as Timeloop has it."""
    factors = {dim: f"{dim.name}=1" for dim in Dim}
    for loop in loops:
        residue = "" if last[id(loop)] == loop.count else f",{last[id(loop)]}"
        factors[loop.dim] = f"{loop.dim.name}={loop.count}{residue}"
    order = [loop.dim for loop in loops]
    order += [dim for dim in Dim if dim not in order]
    return {
        "factors": Row(factors.values()),
        "permutation": Row(dim.name for dim in reversed(order)),
    }


def _energies(point: MappedPoint) -> Iterator[dict[str, Any]]:
    word = point.accelerator.activation_bits / 8
    for level, memory in zip(Level, point.accelerator.memories, strict=True):
        energy = dict.fromkeys(Access, memory.write_pj_per_byte * word)
        energy[Access.READS] = memory.read_pj_per_byte * word
        named = {ACTIONS[access]: value for access, value in energy.items()}
        yield {"name": level.name, "actions": _actions(named | {"leak": 0.0})}
    yield {"name": COMPUTE, "actions": _actions({"compute": point.mac_pj, "leak": 0.0})}


def _actions(energies: dict[str, float]) -> list[dict[str, Any]]:
    return [{"name": name, "arguments": {}, "energy": energy} for name, energy in energies.items()]


def read_timeloop(folder: Path) -> tuple[Layer, Mapping]:
    """The layer and the nest of a folder that `timeloop_files` wrote.

    Raises:
        InteropError: when a file is missing or damaged, or says what such a folder does not.
    """
    documents = {name: read_tagged(folder / f"{name}.yaml") for name in FILES[:3]}
    try:
        layer = _layer(documents["problem"]["problem"])
        slots = _slots(documents["architecture"]["architecture"]["nodes"])
        mapping = _mapping(documents["mapping"]["mapping"], slots)
        mapping.check(layer)
        _check_residues(documents["mapping"]["mapping"], slots, layer, mapping)
    except (LayerError, MappingError) as error:
        raise InteropError(f"{folder}: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError) as problem:
        raise InteropError(
            f"{folder} is not such a folder as nahas exports for Timeloop "
            f"({type(problem).__name__}: {problem})"
        ) from problem
    return layer, mapping


def _layer(problem: dict[str, Any]) -> Layer:
    spaces = {each["name"]: each["projection"] for each in problem["shape"]["data_spaces"]}
    if spaces != PROJECTIONS:
        raise ValueError("the data spaces are not those of a convolution")
    instance = problem["instance"]
    return Layer(
        name=problem["shape"]["name"],
        **{dim.name.lower(): instance[dim.name] for dim in Dim},
        **{name: instance[name] for name in COEFFICIENTS},
    )


def _slots(nodes: list[Tagged]) -> dict[str, Slot]:
    """The slot of every target: a level's own, or that below the last level."""
    slots: dict[str, Slot] = {}
    level: Level | None = None
    for node in nodes:
        if node.tag == "Component" and node["name"] != COMPUTE:
            level = Level[node["name"]]
            slots[node["name"]] = Slot(2 * level)
        elif node.tag == "Container" and level is not None:
            slots[node["name"]] = Slot(2 * level + 1)
    return slots


def _mapping(directives: list[dict[str, Any]], slots: dict[str, Slot]) -> Mapping:
    tensors = {name: tensor for tensor, name in TENSOR_NAMES.items()}
    keep = {
        Level[each["target"]]: frozenset(tensors[name] for name in each["keep"])
        for each in directives
        if each["type"] == "dataspace"
    }
    loops = [
        Loop(slots[each["target"]], dim, count)
        for each in directives
        if each["type"] != "dataspace"
        for dim, count, _ in _read_loops(each)
    ]
    dram, local, registers = (keep[level] for level in Level)
    return Mapping(tuple(loops), (dram, local, registers))


def _read_loops(directive: dict[str, Any]) -> Iterator[tuple[Dim, int, int]]:
    """Dim, steps and steps of the last round of each loop of more than one step."""
    factors = {}
    for text in directive["factors"]:
        found = FACTOR.fullmatch(text)
        if found is None:
            raise ValueError(f"'{text}' is no factor")
        name, count, residue = found.groups()
        factors[name] = (int(count), int(residue or count))
    for name in reversed(directive["permutation"]):
        if factors[name][0] > 1:
            yield (Dim[name], *factors[name])


def _check_residues(
    directives: list[dict[str, Any]], slots: dict[str, Slot], layer: Layer, mapping: Mapping
) -> None:
    said = [
        residue
        for each in directives
        if each["type"] != "dataspace" and each["target"] in slots
        for _, _, residue in _read_loops(each)
    ]
    due = last_counts(layer, mapping)
    for loop, mine, theirs in zip(mapping.loops, due, said, strict=True):
        if mine != theirs:
            raise ValueError(
                f"the last round of {loop} in {loop.slot.name} has {theirs} steps, but the "
                f"layer leaves {mine}"
            )
