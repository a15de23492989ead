"""The parameterised edge accelerator: the paper's seven parameters and its datapath constants."""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import isfinite

from nahas.errors import HardwareError

BYTES_PER_KB = 1024
BYTES_PER_MB = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Hardware:
    """One accelerator of the paper's template (paper notes, section 3).

    A `pes_x` by `pes_y` array of PEs; each PE has `compute_lanes` lanes that share the PE's
    local memory; each lane has a register file and `simd_units` units; each unit does a dot
    product of `macs_per_simd` int8 pairs per cycle.

    Attributes:
        local_memory_mb: local memory of one PE, in 2**20 bytes.
        register_file_kb: register file of one lane, in 2**10 bytes.
        io_gb_per_s: off-chip bandwidth, in 1e9 bytes per second, reads and writes together.
        clock_mhz: clock of the whole chip.
        local_memory_bytes_per_cycle: bytes that one PE's local memory moves per cycle, reads
            and writes together.
        technology_nm: node of the energy and area tables.

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

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if (
                isinstance(value, bool)
                or not isinstance(value, int | float)
                or not isfinite(value)
                or value <= 0
            ):
                raise HardwareError(f"{field.name} is {value!r}, but it must be a number above 0")
            if field.type == "int" and not isinstance(value, int):
                raise HardwareError(f"{field.name} is {value!r}, but it must be a whole number")

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
        """Peak int8 tera-operations per second; a multiply-accumulate is two operations."""
        return 2 * self.macs_per_cycle * self.clock_mhz * 1e-6

    @property
    def local_memory_bytes(self) -> int:
        """Bytes of one PE's local memory."""
        return int(self.local_memory_mb * BYTES_PER_MB)

    @property
    def register_file_bytes(self) -> int:
        """Bytes of one lane's register file."""
        return int(self.register_file_kb * BYTES_PER_KB)

    @property
    def io_bytes_per_cycle(self) -> float:
        """Off-chip bytes per clock cycle."""
        return self.io_gb_per_s * 1e3 / self.clock_mhz
