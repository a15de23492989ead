"""The edge template in AccelForge's input, and its mapper.

Actions move one bit each, so that energies and bandwidths are per bit. Every fan-out spreads
only the dims that the template may spread there, and as widely as the layer lets it.
[docs/peers.md]
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nahas.kernels.records import HardwareRow, LayerRow

BITS = 8
PARTIAL_SUM_BITS = 32
DIMS = "gkcpqrs"
TENSORS = {"I": "gc", "W": "gkcrs", "O": "gkpq"}
"""The dims that index each tensor; inputs have two axes besides."""

METRICS = {"latency": "LATENCY", "energy": "ENERGY", "edp": "ENERGY_DELAY_PRODUCT"}


def prepare() -> None:
    """Import AccelForge on one thread, without the pictures that it draws of every mapping."""
    import accelforge
    from accelforge.mapper.FFM.mappings import Mappings

    accelforge.set_n_parallel_jobs(1)
    Mappings.render = lambda *_, **__: ""  # needs graphviz, which is no Python package


def best(layer: LayerRow, hardware: HardwareRow, objective: str) -> tuple[float, float]:
    """Cycles and pJ of its optimum: perfect factors only, as is its default."""
    from accelforge import Metrics, Spec

    path = Path("pair.yaml")
    path.write_text(specification(layer, hardware), encoding="utf-8")
    spec = Spec.from_yaml(str(path))
    spec.mapper.metrics = Metrics[METRICS[objective]]
    found: Any = spec.map_workload_to_arch(print_progress=False)
    return float(found.latency()), float(found.energy())


def specification(layer: LayerRow, hw: HardwareRow) -> str:
    """The whole input, as YAML with its tags."""
    return "\n".join(
        (
            "arch:",
            "  nodes:",
            *_memory("MainMemory", "inf", "{keep: ~Intermediates, may_keep: All}"),
            *_actions(hw, "dram", hw.io_bytes_per_cycle),
            *_fan_outs("PE", {"x": (hw.pes_x, "gkpq"), "y": (hw.pes_y, "gkpq")}, layer),
            *_memory("LocalMemory", f"{hw.local_memory_bytes * BITS:.0f}", "{keep: All}"),
            *_actions(hw, "local_memory", hw.local_memory_bytes_per_cycle),
            *_fan_outs("Lanes", {"lane": (hw.lanes, "gkcq")}, layer),
            *_memory("RegisterFile", f"{hw.register_file_bytes * BITS:.0f}", "{keep: W | O}"),
            *_actions(hw, "register_file", None),
            *_fan_outs(
                "Datapath",
                {"simd": (hw.simd_units, "gk"), "dot": (hw.macs_per_simd, "c")},
                layer,
            ),
            "  - !Compute",
            "    name: MAC",
            "    leak_power: 0",
            "    area: 0",
            f"    actions: [{{name: compute, energy: {hw.mac_pj!r}, throughput: 1}}]",
            *_workload(layer),
            "",
        )
    )


def _memory(name: str, bits: str, tensors: str) -> tuple[str, ...]:
    sums = [] if name == "MainMemory" else [f"    bits_per_value: {{O: {PARTIAL_SUM_BITS}}}"]
    return (
        "  - !Memory",
        f"    name: {name}",
        f"    size: {bits}",
        "    leak_power: 0",
        "    area: 0",
        f"    tensors: {tensors}",
        *sums,
    )


def _actions(hw: HardwareRow, name: str, bytes_per_cycle: float | None) -> tuple[str, ...]:
    bits = "inf" if bytes_per_cycle is None else repr(float(bytes_per_cycle * BITS))
    energies = (getattr(hw, f"{name}_{way}_pj_per_byte") / BITS for way in ("read", "write"))
    lines = (
        f"    - {{name: {way}, energy: {energy!r}, bits_per_action: 1, throughput: {bits}}}"
        for way, energy in zip(("read", "write"), energies, strict=True)
    )
    return ("    actions:", *lines)


def _fan_outs(name: str, spread: dict[str, tuple[float, str]], layer: LayerRow) -> tuple[str, ...]:
    lines = []
    for axis, (size, dims) in spread.items():
        allowed = " | ".join(_above_one(layer, dims))
        forbidden = f"~({allowed})" if allowed else "All"
        bound = f'{{expression: {forbidden}, operator: "==", value: 1}}'
        lines.append(
            f"    - {{name: {axis}, fanout: {size:.0f}, may_reuse: All, min_usage: 1, "
            f"loop_bounds: [{bound}]}}"
        )
    return ("  - !Container", f"    name: {name}", "    spatial:", *lines)


def _above_one(layer: LayerRow, dims: str) -> list[str]:
    return [dim for dim in dims if getattr(layer, dim) > 1]


def _workload(layer: LayerRow) -> tuple[str, ...]:
    used = _above_one(layer, DIMS) or ["k"]
    ranks = {name: {d.upper(): d for d in dims if d in used} for name, dims in TENSORS.items()}
    ranks["I"] |= {
        name: axis for name, dims in (("H", "pr"), ("W", "qs")) if (axis := _axis(layer, dims))
    }
    accesses = [
        f"    - {{name: {name}, projection: "
        f"{{{', '.join(f'{rank}: {at}' for rank, at in of.items())}}}"
        f"{', output: True' if name == 'O' else ''}}}"
        for name, of in ranks.items()
    ]
    return (
        "workload:",
        "  iteration_space_shape:",
        *(f"    {dim}: 0 <= {dim} < {getattr(layer, dim)}" for dim in used),
        f"  bits_per_value: {{All: {BITS}}}",
        "  einsums:",
        "  - name: layer",
        "    tensor_accesses:",
        *accesses,
        "    renames: {input: I, weight: W, output: O}",
    )


def _axis(layer: LayerRow, dims: str) -> str:
    """Where an input row lies, such as `p * 2 + r`."""
    steps = (f"stride_{dims[0]}", f"dilation_{dims[1]}")
    terms = []
    for dim, step in zip(dims, steps, strict=True):
        if getattr(layer, dim) > 1:
            apart = getattr(layer, step)
            terms.append(dim if apart == 1 else f"{dim} * {apart}")
    return " + ".join(terms)
