"""Accelerator templates: what each level stores, and what the way down from it can share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf, prod
from pathlib import Path
from typing import Any

from nahas.datafiles import check_schema_version, nearest, packaged, read_mapping
from nahas.errors import HardwareError, MappingError
from nahas.vocabulary import Dim, Level, Slot, Tensor

ALL = frozenset(Tensor)


@dataclass(frozen=True, kw_only=True)
class Template:
    """A hierarchy of three levels with a spatial fan-out below each.

    Attributes:
        name: what documents call it.
        keep: what each level stores [3], in the order of `Level`; DRAM stores every tensor. A
            tensor that a level does not store passes it by.
        exact_multicast: whether a word that several children ask for in one step is read once
            even where their tiles overlap only in part. Otherwise only children that ask for
            the identical slab share a read: Timeloop's rule, and so the default.

    Raises:
        MappingError: when DRAM does not store every tensor.
    """

    name: str
    keep: tuple[frozenset[Tensor], frozenset[Tensor], frozenset[Tensor]] = (ALL, ALL, ALL)
    exact_multicast: bool = False

    def __post_init__(self) -> None:
        if self.keep[Level.DRAM] != ALL:
            raise MappingError(f"template '{self.name}': DRAM must store every tensor")


REFERENCE = Template(name="reference")
"""Timeloop's reference hierarchy: one shared buffer, PEs below it, a register file in each."""

EDGE = Template(name="edge", keep=(ALL, ALL, frozenset({Tensor.WEIGHTS, Tensor.OUTPUTS})))
"""The paper's accelerator: a local memory per PE, a register file per lane. Inputs go from local
memory straight to the datapath, broadcast over its SIMD units."""


BITS = {
    "weight_bits": (4, 8, 16),
    "activation_bits": (4, 8, 16),
    "partial_sum_bits": (8, 16, 24, 32),
}
"""Widths that an accelerator may have, by field."""

SCHEMA_VERSION = 1
"""Version of the template file; a reader refuses any other."""

BUILT_IN = ("eyeriss", "systolic", "nvdla")
"""Names that `accelerator_from` knows; each is data/template_NAME.yaml."""


@dataclass(frozen=True, kw_only=True)
class Memory:
    """One level of an accelerator, as each of its instances is.

    Attributes:
        keeps: the tensors it stores.
        may_bypass: those of them that a mapping may lead past it.
        capacity_bytes: shared by all its tensors; infinite where unlimited.
        tensor_bytes: what one tensor alone may take, for those that have their own banks.
        bytes_per_cycle: reads and writes together.
    """

    keeps: frozenset[Tensor] = ALL
    may_bypass: frozenset[Tensor] = frozenset()
    capacity_bytes: float = inf
    tensor_bytes: Mapping[Tensor, float] = field(default_factory=dict)
    bytes_per_cycle: float = inf
    read_pj_per_byte: float
    write_pj_per_byte: float


@dataclass(frozen=True, kw_only=True)
class Axis:
    """One direction in which an accelerator spreads a loop.

    Attributes:
        slot: the fan-out that the axis belongs to, a spatial one.
        dims: dims of which it may spread one.
        folds: dims of which one more may share the axis, where the first takes at most half of
            it: a row-stationary array folds channels onto the rows that a window leaves.
    """

    name: str
    slot: Slot
    size: int
    dims: tuple[Dim, ...]
    folds: tuple[Dim, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Accelerator:
    """A template with sizes and energies: all that the general mapper needs.

    Attributes:
        memories: by `Level`, DRAM first.
        mac_pj: one multiply-accumulate at these widths; None takes `energy.mac_energy_pj` of
            the widths at `technology_nm`.
        partial_sum_bits: an output on chip, and in DRAM while its sum is incomplete.
        source: where the numbers come from.

    Raises:
        HardwareError: naming the field, its value and what is allowed.
    """

    name: str
    memories: tuple[Memory, Memory, Memory]
    axes: tuple[Axis, ...]
    mac_pj: float | None = None
    technology_nm: int = 22
    weight_bits: int = 8
    activation_bits: int = 8
    partial_sum_bits: int = 32
    clock_mhz: float = 1000.0
    exact_multicast: bool = False
    source: str = ""

    def __post_init__(self) -> None:
        for name, allowed in BITS.items():
            value = getattr(self, name)
            if value not in allowed:
                raise HardwareError(
                    f"{name} is {value!r}, but it must be one of {', '.join(map(str, allowed))}"
                )
        if self.memories[Level.DRAM].keeps != ALL:
            raise HardwareError("memories.DRAM.keeps must name every tensor, but it does not")
        for level, memory in zip(Level, self.memories, strict=True):
            kept = memory.keeps if level is not Level.DRAM else frozenset()
            for tensor in sorted(memory.may_bypass - kept):
                raise HardwareError(
                    f"memories.{level.name}.may_bypass holds {tensor.name.lower()}, but only what "
                    "a level below DRAM keeps may bypass it"
                )
        if self.partial_sum_bits < self.activation_bits:
            raise HardwareError(
                f"partial_sum_bits is {self.partial_sum_bits}, but it must be at least "
                f"activation_bits, {self.activation_bits}"
            )

    @property
    def template(self) -> Template:
        """What its levels store, as `mapping.evaluate` reads it."""
        dram, local, registers = (memory.keeps for memory in self.memories)
        return Template(
            name=self.name, keep=(dram, local, registers), exact_multicast=self.exact_multicast
        )

    @property
    def macs_per_cycle(self) -> int:
        """Multiply-accumulates when every instance of every axis works."""
        return prod(axis.size for axis in self.axes)


def accelerator_from(text: str) -> Accelerator:
    """The accelerator that a user names: one of `BUILT_IN`, or the path of a YAML file.

    Raises:
        HardwareError: for another name or a bad file.
    """
    if text in BUILT_IN:
        return load_accelerator(packaged(f"template_{text}.yaml"))
    if Path(text).suffix not in (".yaml", ".yml") and not Path(text).is_file():
        raise HardwareError(
            f"unknown template '{text}'{nearest(text, BUILT_IN)} "
            f"(templates: {', '.join(BUILT_IN)}; or give the path of a YAML file)"
        )
    return load_accelerator(text)


def load_accelerator(path: str | Path) -> Accelerator:
    """Read a template file.

    [docs/templates.md 4]

    Raises:
        HardwareError: naming file and key, for a file that is missing, damaged, of another
            schema version, or whose keys or values are wrong or stand twice.
    """
    content = read_mapping(path, HardwareError)
    check_schema_version(content, path, SCHEMA_VERSION, HardwareError)
    top = _Part(str(path), content, _TOP, needed=("name", "memories", "axes"))
    memories = _Part(
        f"{path}:memories", top.of("memories", dict), tuple(level.name for level in Level)
    )
    axes = top.of("axes", list)
    values: dict[str, Any] = {
        name: top.of(name, int) for name in (*BITS, "technology_nm") if name in content
    }
    values |= {name: top.number(name) for name in ("mac_pj", "clock_mhz") if name in content}
    values |= {name: top.of(name, str) for name in ("name", "source") if name in content}
    if "exact_multicast" in content:
        values["exact_multicast"] = top.of("exact_multicast", bool)
    dram, local, registers = (_memory(memories, level.name) for level in Level)
    try:
        return Accelerator(
            memories=(dram, local, registers),
            axes=tuple(_axis(f"{path}:axes[{i}]", axis) for i, axis in enumerate(axes)),
            **values,
        )
    except HardwareError as error:
        message = str(error)
        raise error if message.startswith(str(path)) else HardwareError(f"{path}:{error}") from None


_TOP = (
    "schema_version", "name", "source", "clock_mhz", "mac_pj", "technology_nm", "exact_multicast",
    *BITS, "memories", "axes",
)  # fmt: skip
_MEMORY = (
    "keeps", "may_bypass", "capacity_bytes", "tensor_bytes", "bytes_per_cycle",
    "read_pj_per_byte", "write_pj_per_byte",
)  # fmt: skip
_SPATIAL = (Slot.PE_ARRAY, Slot.LANE_ARRAY, Slot.DATAPATH)
_LARGEST = 1e12


class _Part:
    """A mapping inside a template file, and where it stands."""

    def __init__(
        self, where: str, value: Any, known: tuple[str, ...], needed: tuple[str, ...] = ()
    ) -> None:
        if not isinstance(value, dict):
            raise HardwareError(f"{where} is {value!r}, but it must be a mapping")
        self.where, self.value = where, value
        for key in value:
            if key not in known:
                raise HardwareError(
                    f"{where}.{key} is not known{nearest(str(key), known)} "
                    f"(allowed: {', '.join(known)})"
                )
        for key in needed:
            if key not in value:
                raise HardwareError(f"{where}.{key} is missing")

    def of(self, key: str, kind: type) -> Any:
        value = self.value.get(key)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            names = {dict: "a mapping", list: "a list", int: "a whole number", str: "a text",
                     bool: "true or false"}  # fmt: skip
            raise HardwareError(f"{self.where}.{key} is {value!r}, but it must be {names[kind]}")
        return value

    def number(self, key: str) -> float:
        value = self.value.get(key)
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not 0 < value < _LARGEST
        ):
            raise HardwareError(
                f"{self.where}.{key} is {value!r}, but it must be a number above 0 and below 1e12"
            )
        return float(value)

    def names(self, key: str, allowed: Mapping[str, Any]) -> tuple[Any, ...]:
        """The members of a list of names."""
        found = []
        for name in self.of(key, list):
            if name not in allowed:
                raise HardwareError(
                    f"{self.where}.{key} holds {name!r}, but it may hold {', '.join(allowed)}"
                )
            found.append(allowed[name])
        return tuple(found)


_TENSORS = {tensor.name.lower(): tensor for tensor in Tensor}
_DIMS = {dim.name: dim for dim in Dim if dim is not Dim.N}


def _memory(memories: _Part, level: str) -> Memory:
    where = f"{memories.where}.{level}"
    energies = ("read_pj_per_byte", "write_pj_per_byte")
    part = _Part(where, memories.value.get(level), _MEMORY, needed=energies)
    values: dict[str, Any] = {
        name: part.number(name)
        for name in ("capacity_bytes", "bytes_per_cycle", *energies)
        if name in part.value
    }
    if "keeps" in part.value:
        values["keeps"] = frozenset(part.names("keeps", _TENSORS))
    if "may_bypass" in part.value:
        values["may_bypass"] = frozenset(part.names("may_bypass", _TENSORS))
    if "tensor_bytes" in part.value:
        own = _Part(f"{where}.tensor_bytes", part.value["tensor_bytes"], tuple(_TENSORS))
        values["tensor_bytes"] = {_TENSORS[name]: own.number(name) for name in own.value}
    return Memory(**values)


def _axis(where: str, value: Any) -> Axis:
    part = _Part(where, value, ("name", "slot", "size", "dims", "folds"), ("name", "slot", "dims"))
    slots = {slot.name: slot for slot in _SPATIAL}
    if part.value["slot"] not in slots:
        raise HardwareError(
            f"{where}.slot is {part.value['slot']!r}, but it must be one of {', '.join(slots)}"
        )
    size = part.of("size", int)
    if not 1 <= size <= 65536:
        raise HardwareError(f"{where}.size is {size}, but it must be from 1 to 65536")
    return Axis(
        name=part.of("name", str),
        slot=slots[part.value["slot"]],
        size=size,
        dims=part.names("dims", _DIMS),
        folds=part.names("folds", _DIMS) if "folds" in part.value else (),
    )
