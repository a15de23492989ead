"""A simulated network as tables and as JSON."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from nahas.layers import Layer
from nahas.simulate import PJ_PER_MJ, LayerCost, NetworkCost
from nahas.vocabulary import Bound, Reason

if TYPE_CHECKING:
    from rich.table import Table

COMPONENTS = ("mac_pj", "register_file_pj", "local_memory_pj", "dram_pj", "leakage_pj")
"""What the energy of a layer is the sum of: fields of `LayerCost`."""

ENERGY_WORDS = ("energy", "MAC", "reg. file", "local", "DRAM", "leak")
"""Columns of energy: the sum, then `COMPONENTS`."""

LEAST_WIDTH = 136
"""Columns of text that the table of layers needs; a narrower terminal wraps its lines."""

BOUNDS = {Bound.COMPUTE: "compute", Bound.LOCAL_MEMORY: "local memory", Bound.IO: "I/O"}

PJ_PER_UJ = 1e6


def shape_text(layer: Layer) -> str:
    """A layer's shape: channels in and out, output positions, window, stride, groups."""
    if layer.kind.is_vector:
        channels = f"{layer.g}"
    elif layer.is_depthwise:
        channels = f"{layer.g} depthwise"
    else:
        channels = f"{layer.g * layer.c}→{layer.g * layer.k}"
    parts = [channels, f"{layer.p}x{layer.q}"]
    if layer.r * layer.s > 1:
        parts.append(f"{layer.r}x{layer.s}")
    if layer.stride_p * layer.stride_q > 1:
        parts.append(f"/{layer.stride_p}")
    if layer.dilation_r * layer.dilation_s > 1:
        parts.append(f"dilation {layer.dilation_r}")
    if layer.g > 1 and not layer.kind.is_vector and not layer.is_depthwise:
        parts.append(f"{layer.g} groups")
    return " ".join(parts)


def layers_table(cost: NetworkCost) -> Table:
    """Every layer: shape, work, cycles, what bounds it, energy by component, utilisation."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False, min_width=LEAST_WIDTH)
    table.add_column("layer\n", no_wrap=True)
    table.add_column("shape\n", overflow="fold")
    for name in ("million\nMACs", "cycles\n"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("bound by\n", no_wrap=True)
    for name in ("use\n%", *(f"{word}\nµJ" for word in ENERGY_WORDS)):
        table.add_column(name, justify="right", no_wrap=True)
    for of in cost.layers:
        table.add_row(*_cells(of))
    return table


def _cells(of: LayerCost) -> list[str]:
    energies = [of.energy_pj, *(getattr(of, name) for name in COMPONENTS)]
    runs = of.reason is Reason.OK
    return [
        of.layer.name,
        shape_text(of.layer),
        f"{of.layer.macs / 1e6:,.2f}" if of.layer.macs else "",
        f"{of.cycles:,.0f}" if runs else "",
        BOUNDS[of.bound] if runs else f"cannot run: {of.reason.name.lower().replace('_', ' ')}",
        f"{of.utilisation:.0%}" if of.layer.macs and runs else "",
        *(f"{energy / PJ_PER_UJ:,.2f}" if runs else "" for energy in energies),
    ]


def mappings_text(cost: NetworkCost) -> str:
    """The loop nest of every mapped layer, outermost loop first, a layer a line.

    What levels pass by, the same for every layer of the template, is said once.
    """
    mapped = [(of.layer.name, str(of.mapping)) for of in cost.layers if of.mapping is not None]
    stored = {nest.rpartition(" | ")[2] for _, nest in mapped if " stores " in nest}
    said = stored.pop() if len(stored) == 1 else ""
    width = max((len(name) for name, _ in mapped), default=0)
    lines = [f"{name:<{width}}  {nest.removesuffix(f' | {said}')}" for name, nest in mapped]
    ending = f"; {said}" if said else ""
    return "\n".join([f"mappings, outermost loop first{ending}:", *lines])


def totals_table(cost: NetworkCost) -> Table:
    """The network's totals, with units."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_header=False)
    table.add_column()
    table.add_column(overflow="fold")
    for row in _totals(cost):
        table.add_row(*row)
    return table


def _totals(cost: NetworkCost) -> list[tuple[str, str]]:
    network, hardware = cost.network, cost.hardware
    split = ", ".join(
        f"{name.removesuffix('_pj').replace('_', ' ')} {energy / PJ_PER_MJ:.4g}"
        for name, energy in components(cost).items()
    )
    rows = [
        ("network", f"{network.name}: {len(network.layers)} layers"),
        ("work", f"{network.macs / 1e6:,.2f} million MACs, {network.parameters:,} parameters"),
        ("area", f"{cost.area_mm2:.2f} mm² at {hardware.technology_nm} nm"),
    ]
    if cost.reason is not Reason.OK:
        return [*rows, ("cannot run", cost.reason.name.lower().replace("_", " "))]
    return [
        *rows,
        ("latency", f"{cost.latency_ms:.4g} ms ({cost.cycles:,.0f} cycles)"),
        ("energy", f"{cost.energy_mj:.4g} mJ ({split})"),
        (
            "speed",
            f"{cost.tops:.3g} of {hardware.peak_tops:.3g} TOPS, "
            f"{cost.tops / hardware.peak_tops:.1%}",
        ),
        (
            "I/O traffic",
            f"weights {cost.weight_megabytes:.3f} MB, "
            f"activations {cost.activation_megabytes:.3f} MB",
        ),
    ]


def components(cost: NetworkCost) -> dict[str, float]:
    """Energy of all layers by component, in pJ; start-up and drain leak besides."""
    return {name: sum(getattr(of, name) for of in cost.layers) for name in COMPONENTS}


def network_document(cost: NetworkCost) -> dict[str, Any]:
    """The JSON document of a simulation, without its header: docs/json.md explains the keys."""
    runs = cost.reason is Reason.OK
    return {
        "network": cost.network.name,
        "hardware": asdict(cost.hardware),
        "layers": [_layer_document(of) for of in cost.layers],
        "total": {
            "latency_ms": cost.latency_ms,
            "energy_mj": cost.energy_mj,
            "area_mm2": cost.area_mm2,
            "macs": cost.network.macs,
            "parameters": cost.network.parameters,
            "layers": len(cost.layers),
            "cycles": cost.cycles,
            "startup_cycles": cost.startup_cycles,
            "drain_cycles": cost.drain_cycles,
            "tops": cost.tops if runs else None,
            "peak_tops": cost.hardware.peak_tops,
            "utilisation": cost.tops / cost.hardware.peak_tops if runs else None,
            "weight_megabytes": cost.weight_megabytes,
            "activation_megabytes": cost.activation_megabytes,
            "energy_by_component_mj": {
                name.removesuffix("_pj"): energy / PJ_PER_MJ
                for name, energy in components(cost).items()
            },
            "feasible": runs,
            "reason": cost.reason,
        },
    }


def _layer_document(of: LayerCost) -> dict[str, Any]:
    layer = of.layer
    named = ("layer", "mapping")
    return {
        "name": layer.name,
        "kind": layer.kind,
        "shape": shape_text(layer),
        "macs": layer.macs,
        "parameters": layer.parameters,
        **{f.name: getattr(of, f.name) for f in fields(of) if f.name not in named},
        "mapping": None if of.mapping is None else str(of.mapping),
    }
