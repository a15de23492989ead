"""The parameterised edge accelerator: the paper's seven parameters and its datapath constants."""

from __future__ import annotations

from dataclasses import MISSING, asdict, dataclass, fields
from functools import cache
from pathlib import Path

from nahas.datafiles import check_schema_version, nearest, packaged, read_mapping
from nahas.errors import HardwareError
from nahas.files import write_text

BYTES_PER_KB = 1024
BYTES_PER_MB = 1024 * 1024

SCHEMA_VERSION = 1
"""Version of the hardware file; a reader refuses any other."""

PRESETS = (
    "edge-baseline",
    "edgetpu-v1",
    "edgetpu-v2",
    "edgetpu-v3",
    "coral",
    "pixel-4",
    "pixel-6",
)
"""Names that `preset` knows; their numbers and sources are in data/hardware_presets.yaml."""

BITS = {
    "weight_bits": (4, 8, 16),
    "activation_bits": (4, 8, 16),
    "partial_sum_bits": (16, 24, 32),
}
"""Widths that words may have, by field."""

BITS_PER_BYTE = 8
MAY_BE_NONE = ("parameter_memory_mb", "activation_units")
"""Parameters that may be 0: the template without what they stand for."""

LARGEST = 1e12
"""No parameter of a chip comes near it; integers below it are exact in every table."""


@dataclass(frozen=True, kw_only=True)
class Hardware:
    """One accelerator of the paper's template (paper notes, section 3).

    A `pes_x` by `pes_y` array of PEs; each PE has `compute_lanes` lanes that share the PE's
    local memory; each lane has a register file and `simd_units` units; each unit does a dot
    product of `macs_per_simd` pairs of a weight and an activation per cycle, whatever their
    width: narrower words save bytes, energy and area, and no multiplier does two of them.

    Attributes:
        local_memory_mb: local memory of one PE, in 2**20 bytes.
        parameter_memory_mb: the part of it in which weights may stay between inferences, beside
            activations; 0 where all weights stream, as in the paper's template.
        activation_units: elements that one PE takes per cycle where a function that the output
            path has not is applied, or a gate; 0 where all SIMD units do it.
        register_file_kb: register file of one lane, in 2**10 bytes.
        io_gb_per_s: off-chip bandwidth, in 1e9 bytes per second, reads and writes together.
        clock_mhz: clock of the whole chip.
        local_memory_bytes_per_cycle: bytes that one PE's local memory moves per cycle, reads
            and writes together.
        technology_nm: node of the energy and area tables.
        weight_bits, activation_bits: of a word in memory and at the multipliers; an output
            leaves as an activation.
        partial_sum_bits: of an output while its sum is incomplete.

    Raises:
        HardwareError: naming the field, its value and what is allowed.
    """

    pes_x: int
    pes_y: int
    simd_units: int
    compute_lanes: int
    local_memory_mb: float
    register_file_kb: float
    io_gb_per_s: float
    clock_mhz: float = 800.0
    macs_per_simd: int = 4
    local_memory_bytes_per_cycle: int = 128
    technology_nm: int = 22
    weight_bits: int = 8
    activation_bits: int = 8
    partial_sum_bits: int = 32
    parameter_memory_mb: float = 0.0
    activation_units: int = 0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in MAY_BE_NONE and value == 0 and not isinstance(value, bool):
                continue
            if (
                isinstance(value, bool)
                or not isinstance(value, int | float)
                or not 0 < value < LARGEST
            ):
                raise HardwareError(
                    f"{field.name} is {value!r}, but it must be a number above 0 and below 1e12"
                )
            if field.type == "int" and not isinstance(value, int):
                raise HardwareError(f"{field.name} is {value!r}, but it must be a whole number")
        for name, allowed in BITS.items():
            if getattr(self, name) not in allowed:
                raise HardwareError(
                    f"{name} is {getattr(self, name)}, but it must be one of "
                    f"{', '.join(map(str, allowed))}"
                )
        for name, held in (
            ("local_memory_mb", self.local_memory_bytes),
            ("register_file_kb", self.register_file_bytes),
        ):
            if held < 1:
                raise HardwareError(f"{name} is {getattr(self, name)!r}, which is below one byte")
        if self.parameter_memory_bytes >= self.local_memory_bytes:
            raise HardwareError(
                f"parameter_memory_mb is {self.parameter_memory_mb!r}, but it is a part of "
                f"local_memory_mb and must be below its {self.local_memory_mb!r}"
            )

    @property
    def widths(self) -> tuple[int, int, int]:
        """Bits of a weight, an activation and a partial sum."""
        return self.weight_bits, self.activation_bits, self.partial_sum_bits

    @property
    def pes(self) -> int:
        """PEs of the array."""
        return self.pes_x * self.pes_y

    @property
    def macs_per_cycle(self) -> int:
        """Multiply-accumulates per cycle when every unit works."""
        return self.pes * self.compute_lanes * self.simd_units * self.macs_per_simd

    @property
    def peak_tops(self) -> float:
        """Peak tera-operations per second; a multiply-accumulate is two operations."""
        return 2 * self.macs_per_cycle * self.clock_mhz * 1e-6

    @property
    def local_memory_bytes(self) -> int:
        """Bytes of one PE's local memory."""
        return int(self.local_memory_mb * BYTES_PER_MB)

    @property
    def parameter_memory_bytes(self) -> int:
        """Bytes of one PE's local memory in which weights may stay."""
        return int(self.parameter_memory_mb * BYTES_PER_MB)

    @property
    def register_file_bytes(self) -> int:
        """Bytes of one lane's register file."""
        return int(self.register_file_kb * BYTES_PER_KB)

    @property
    def io_bytes_per_cycle(self) -> float:
        """Off-chip bytes per clock cycle."""
        return self.io_gb_per_s * 1e3 / self.clock_mhz


@cache
def preset(name: str) -> Hardware:
    """The accelerator of this name, one of `PRESETS`.

    Raises:
        HardwareError: for another name, with the closest one.
    """
    if name not in PRESETS:
        raise HardwareError(
            f"unknown hardware preset '{name}'{nearest(name, PRESETS)} "
            f"(presets: {', '.join(PRESETS)}; or give the path of a YAML file)"
        )
    entries = read_mapping(packaged("hardware_presets.yaml"))[name]
    return Hardware(**{field: entry["value"] for field, entry in entries.items()})


def load_hardware(path: str | Path) -> Hardware:
    """Read an accelerator from a YAML file as `save_hardware` writes it.

    The seven parameters must be there; the datapath constants and widths have defaults.

    Raises:
        HardwareError: naming file and key, for a file that is missing, damaged, of another
            schema version, or whose keys or values are wrong or stand twice.
    """
    values = read_mapping(path, HardwareError)
    check_schema_version(values, path, SCHEMA_VERSION, HardwareError)
    del values["schema_version"]
    names = [field.name for field in fields(Hardware)]
    for key in values:
        if key not in names:
            raise HardwareError(f"{path}:{key} is not a hardware parameter{nearest(key, names)}")
    for field in fields(Hardware):
        if field.default is MISSING and field.name not in values:
            raise HardwareError(f"{path}:{field.name} is missing")
    try:
        return Hardware(**values)
    except HardwareError as error:
        raise HardwareError(f"{path}:{error}") from None


def save_hardware(hardware: Hardware, path: str | Path) -> None:
    """Write an accelerator as YAML, all parameters, whole or not at all.

    Raises:
        HardwareError: when the file cannot be written.
    """
    import yaml

    content = {"schema_version": SCHEMA_VERSION} | asdict(hardware)
    try:
        write_text(Path(path), yaml.safe_dump(content, sort_keys=False))
    except OSError as problem:
        raise HardwareError(
            f"{path}: cannot be written ({problem.strerror or problem})"
        ) from problem


def hardware_from(text: str) -> Hardware:
    """The accelerator that a user names: a preset, or else the path of a YAML file.

    Text is a path when a file is there, or when it ends in .yaml or .yml or holds a separator.

    Raises:
        HardwareError: for an unknown preset or a bad file.
    """
    path = Path(text)
    is_path = path.suffix in (".yaml", ".yml") or len(path.parts) > 1 or path.is_file()
    if text not in PRESETS and is_path:
        return load_hardware(path)
    return preset(text)
