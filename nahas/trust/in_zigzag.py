"""The edge template in ZigZag's input, and its mapper.

Array dims D1 to D5 are PE x, PE y, lanes, SIMD units and the products of one dot product, each
with the layer dims that the template may spread there. A register file serves a lane's D4 and
D5, local memory a PE's D3 to D5. An access moves a byte; the register file has no limit.
[docs/peers.md]
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from nahas.kernels.records import HardwareRow, LayerRow

ARRAY = ("pes_x", "pes_y", "lanes", "simd_units", "macs_per_simd")
SPREADS = ("G K OY OX", "G K OY OX", "G K C OX", "G K", "C")
OBJECTIVES = {"latency": "latency", "energy": "energy", "edp": "EDP"}
UNLIMITED_BITS = 1 << 20
DRAM_BYTES = 1 << 40
BITS = 8


def prepare() -> None:
    """Import ZigZag, and let hints name D5, as its arrays may: its check of hints ends at D4."""
    from zigzag.parser.mapping_validator import MappingValidator

    hints: dict[str, Any] = MappingValidator.SCHEMA_SINGLE["spatial_mapping_hint"]["schema"]
    hints["D5"] = hints["D4"]
    logging.disable(logging.CRITICAL)


def best(layer: LayerRow, hardware: HardwareRow, objective: str) -> tuple[float, float]:
    """Cycles and pJ of the best mapping of its default search."""
    import yaml
    from zigzag.api import get_hardware_performance_zigzag

    files = {"layer": workload(layer), "accelerator": accelerator(hardware), "hints": mapping()}
    for name, content in files.items():  # in order: its innermost memory comes first
        Path(f"{name}.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    energy_pj, cycles, _ = get_hardware_performance_zigzag(
        "layer.yaml",
        "accelerator.yaml",
        "hints.yaml",
        opt=OBJECTIVES[objective],
        dump_folder="dump",
        loma_show_progress_bar=False,
    )
    return float(cycles), float(energy_pj)


def accelerator(hw: HardwareRow) -> dict[str, Any]:
    """The accelerator: three memories around an array of five dims."""
    dims = [f"D{number}" for number in range(1, len(ARRAY) + 1)]
    return {
        "name": "edge",
        "operational_array": {
            "unit_energy": hw.mac_pj,
            "unit_area": 0.0,
            "dimensions": dims,
            "sizes": [int(getattr(hw, name)) for name in ARRAY],
        },
        "memories": {
            "register_file": _memory(hw, "register_file", None, dims[3:]),
            "local_memory": _memory(hw, "local_memory", hw.local_memory_bytes_per_cycle, dims[2:]),
            "dram": _memory(hw, "dram", hw.io_bytes_per_cycle, dims),
        },
    }


def _memory(
    hw: HardwareRow, name: str, bytes_per_cycle: float | None, serves: list[str]
) -> dict[str, Any]:
    """A memory with one port. Its energies are those of a transfer of the port's full width."""
    bits = round(bytes_per_cycle * BITS) if bytes_per_cycle else UNLIMITED_BITS
    operands = ["I2", "O"] if name == "register_file" else ["I1", "I2", "O"]
    ways = {"I1": ("fh", "tl"), "I2": ("fh", "tl"), "O": ("fh", "tl", "fl", "th")}
    port = {
        "name": "rw_port_1",
        "type": "read_write",
        "bandwidth_min": BITS,
        "bandwidth_max": bits,
        "allocation": [f"{operand}, {way}" for operand in operands for way in ways[operand]],
    }
    return {
        "size": int(getattr(hw, f"{name}_bytes", DRAM_BYTES) * BITS),
        "r_cost": getattr(hw, f"{name}_read_pj_per_byte") * bits / BITS,
        "w_cost": getattr(hw, f"{name}_write_pj_per_byte") * bits / BITS,
        "area": 0.0,
        "latency": 1,
        "operands": operands,
        "ports": [port],
        "served_dimensions": serves,
    }


def workload(layer: LayerRow) -> list[dict[str, Any]]:
    """The layer as a grouped convolution without padding."""
    return [
        {
            "id": 0,
            "name": "layer",
            "operator_type": "Conv",
            "equation": "O[b][g][k][oy][ox]+=W[g][k][c][fy][fx]*I[b][g][c][iy][ix]",
            "dimension_relations": [
                f"iy={layer.stride_p}*oy+{layer.dilation_r}*fy",
                f"ix={layer.stride_q}*ox+{layer.dilation_s}*fx",
            ],
            "loop_dims": ["B", "G", "K", "C", "OY", "OX", "FY", "FX"],
            "loop_sizes": [int(getattr(layer, dim)) for dim in "ngkcpqrs"],
            "operand_precision": {"W": 8, "I": 8, "O": 32, "O_final": 8},
            "operand_source": {"W": 0, "I": 0},
        }
    ]


def mapping() -> list[dict[str, Any]]:
    """Which layer dims each array dim may spread."""
    hints = {f"D{number}": dims.split() for number, dims in enumerate(SPREADS, start=1)}
    return [
        {
            "name": "default",
            "spatial_mapping_hint": hints,
            "memory_operand_links": {"O": "O", "W": "I2", "I": "I1"},
        }
    ]
