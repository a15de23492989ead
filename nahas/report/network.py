"""A simulated network as tables and as JSON."""

from __future__ import annotations

from dataclasses import asdict, fields
from math import isfinite
from typing import TYPE_CHECKING, Any

from nahas.hardware import Hardware
from nahas.layers import Layer
from nahas.report.summary import accelerator_text
from nahas.simulate import PJ_PER_MJ, LayerCost, NetworkCost
from nahas.vocabulary import Bound, Reason

if TYPE_CHECKING:
    from rich.table import Table

    from nahas.mapping import Mapping

COMPONENTS = ("mac_pj", "register_file_pj", "local_memory_pj", "dram_pj", "leakage_pj")
"""What the energy of a layer is the sum of: fields of `LayerCost`."""

CYCLES = ("cycles", "compute_cycles", "local_memory_cycles", "io_cycles")
BYTES = ("weight_bytes", "input_bytes", "output_bytes")
COUNTS = (*CYCLES, *BYTES)
"""Fields of `LayerCost` that are whole numbers, though kernels hold them as floats."""

COSTS = (*CYCLES, "energy_pj", *COMPONENTS, *BYTES, "utilisation", "bound")
"""Fields of `LayerCost` that a layer without a mapping does not have."""

UNUSUAL = {
    "macs_per_simd": "{} MACs per SIMD unit",
    "local_memory_bytes_per_cycle": "{} bytes of local memory per cycle",
    "weight_bits": "weights of {} bits",
    "activation_bits": "activations of {} bits",
    "partial_sum_bits": "sums of {} bits",
    "parameter_memory_mb": "parameter memory {} MB",
    "activation_units": "{} activation units",
}
"""What is said of an accelerator where it is not as the paper's template has it."""

ENERGY_WORDS = ("energy", "MAC", "reg. file", "local", "DRAM", "leak")
"""Columns of energy: the sum, then `COMPONENTS`."""

LEAST_WIDTH = 144
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
        parts.append(f"/{_both(layer.stride_p, layer.stride_q)}")
    if layer.dilation_r * layer.dilation_s > 1:
        parts.append(f"dilation {_both(layer.dilation_r, layer.dilation_s)}")
    if layer.g > 1 and not layer.kind.is_vector and not layer.is_depthwise:
        parts.append(f"{layer.g} groups")
    return " ".join(parts)


def _both(along_height: int, along_width: int) -> str:
    return f"{along_height}" if along_height == along_width else f"{along_height}x{along_width}"


def layers_table(cost: NetworkCost) -> Table:
    """Every layer: shape, work, cycles, what bounds it, on-chip ends, use, energy by component."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False, min_width=LEAST_WIDTH)
    table.add_column("layer\n", no_wrap=True)
    table.add_column("shape\n", overflow="fold")
    for name in ("million\nMACs", "cycles\n"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("bound by\n", no_wrap=True)
    table.add_column("on\nchip", no_wrap=True)
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
        _on_chip(of),
        f"{of.utilisation:.0%}" if of.layer.macs and runs else "",
        *(f"{energy / PJ_PER_UJ:,.2f}" if runs else "" for energy in energies),
    ]


def _on_chip(of: LayerCost) -> str:
    """Which activations and weights of a layer stay in local memory."""
    ends = (("in", of.input_on_chip), ("out", of.output_on_chip), ("w", of.weights_on_chip))
    return " ".join(word for word, stays in ends if stays)


def mappings_text(cost: NetworkCost) -> str:
    """The loop nest of every mapped layer, outermost loop first, a layer a line.

    What levels pass by, the same for every layer of the template, is said once.
    """
    mapped = [
        (of.layer.name, of.dataflow.name.lower(), str(of.mapping))
        for of in cost.layers
        if of.mapping is not None and of.dataflow is not None
    ]
    stored = {nest.rpartition(" | ")[2] for *_, nest in mapped if " stores " in nest}
    said = stored.pop() if len(stored) == 1 else ""
    width = max((len(name) for name, *_ in mapped), default=0)
    lines = [
        f"{name:<{width}}  {stays:<6}  {nest.removesuffix(f' | {said}')}"
        for name, stays, nest in mapped
    ]
    ending = f"; {said}" if said else ""
    return "\n".join(
        [
            "on chip: the input, the output or the weights (w) of a layer are in local memory and "
            "do not cross the I/O interface.",
            "I/O of a layer includes the first weights of the next, fetched ahead; "
            "every mapping is chosen for its layer alone.",
            "",
            "mappings: what the innermost loop above the register file leaves in place (any: "
            f"nothing), and the loops, outermost first{ending}; K, C output and input channels, "
            "G groups, P x Q output and R x S filter positions; where counts multiply to more than "
            "a dim has, its last tile is smaller:",
            *lines,
        ]
    )


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
    rows = [
        ("network", f"{network.name}: {len(network.layers)} layers"),
        ("accelerator", hardware_text(hardware)),
        (
            "mappings",
            f"objective {cost.objective.name.lower()}, mapspace {cost.space.name.lower()}, "
            f"fusion {'on' if cost.fusion else 'off'}",
        ),
        ("work", f"{network.macs / 1e6:,.2f} million MACs, {network.parameters:,} parameters"),
        ("area", f"{cost.area_mm2:.2f} mm² at {hardware.technology_nm} nm"),
    ]
    if cost.reason is not Reason.OK:
        return [*rows, ("cannot run", cost.reason.name.lower().replace("_", " "))]
    split = ", ".join(
        f"{name.removesuffix('_pj').replace('_', ' ')} {energy / PJ_PER_MJ:.4g}"
        for name, energy in components(cost).items()
    )
    waited = cost.startup_cycles + cost.drain_cycles
    return [
        *rows,
        *[("fused" if i == 0 else "", text) for i, text in enumerate(_groups(cost))],
        ("latency", f"{cost.latency_ms:.4g} ms ({cost.cycles:,.0f} cycles)"),
        (
            "cycles",
            f"layers {cost.cycles - waited:,.0f}, start-up {cost.startup_cycles:,.0f}, "
            f"drain {cost.drain_cycles:,.0f}",
        ),
        ("energy", f"{cost.energy_mj:.4g} mJ ({split})"),
        ("", f"{energy_without_dram_mj(cost):.4g} mJ without DRAM"),
        (
            "power",
            f"{power_mw(cost):.4g} mW on average; EDP {edp_mj_ms(cost):.4g} mJ·ms",
        ),
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


def hardware_text(hardware: Hardware) -> str:
    """An accelerator in a line: its seven parameters, its clock, and what is not the default."""
    defaults = {field.name: field.default for field in fields(Hardware)}
    given = {name: getattr(hardware, name) for name in UNUSUAL}
    unusual = [
        UNUSUAL[name].format(f"{value:g}")
        for name, value in given.items()
        if value != defaults[name]
    ]
    usual = f"{accelerator_text(asdict(hardware))} at {hardware.clock_mhz:g} MHz"
    return ", ".join([usual, *unusual])


def _groups(cost: NetworkCost) -> list[str]:
    """Every fused group: its layers, its tiles, what becomes of halo and weights."""
    groups: list[list[LayerCost]] = []
    for of in cost.layers:
        if of.fused and of.fused.stage == 1:
            groups.append([])
        if of.fused:
            groups[-1].append(of)
    return [f"{group[0].layer.name} to {group[-1].layer.name}, {_plan(group)}" for group in groups]


def _plan(group: list[LayerCost]) -> str:
    plan = group[0].fused
    if plan is None or plan.tiles == 1:
        return "in one tile"
    again = sum(of.fused.macs for of in group if of.fused) / sum(of.layer.macs for of in group) - 1
    halo = "halo kept" if plan.keeps_halo else f"halo made again ({again:+.1%} MACs)"
    weights = "weights rest on chip" if plan.weights_rest else "weights come in for each"
    return f"in {plan.tiles} tiles of {plan.tile_rows} rows; {halo}; {weights}"


def components(cost: NetworkCost) -> dict[str, float]:
    """Energy by component, in pJ; what leaks in start-up and drain is leakage too."""
    parts = {name: sum(getattr(of, name) for of in cost.layers) for name in COMPONENTS}
    parts["leakage_pj"] += cost.energy_mj * PJ_PER_MJ - sum(of.energy_pj for of in cost.layers)
    return parts


def energy_without_dram_mj(cost: NetworkCost) -> float:
    """Energy of the chip alone."""
    return cost.energy_mj - components(cost)["dram_pj"] / PJ_PER_MJ


def power_mw(cost: NetworkCost) -> float:
    """Average over one inference, DRAM included."""
    return 1e3 * cost.energy_mj / cost.latency_ms


def edp_mj_ms(cost: NetworkCost) -> float:
    """Energy times delay."""
    return cost.energy_mj * cost.latency_ms


def network_document(cost: NetworkCost) -> dict[str, Any]:
    """The JSON document of a simulation, without its header: docs/json.md explains the keys."""
    return {
        "network": cost.network.name,
        "hardware": asdict(cost.hardware),
        "objective": cost.objective,
        "space": cost.space,
        "fusion": cost.fusion,
        "layers": [_layer_document(of) for of in cost.layers],
        "total": {
            "area_mm2": cost.area_mm2,
            "macs": cost.network.macs,
            "parameters": cost.network.parameters,
            "layers": len(cost.layers),
            "peak_tops": cost.hardware.peak_tops,
            **_total_costs(cost),
            "feasible": cost.reason is Reason.OK,
            "reason": cost.reason,
        },
    }


def _total_costs(cost: NetworkCost) -> dict[str, Any]:
    """What running the network costs; None for each where it cannot run."""
    runs = cost.reason is Reason.OK
    costs = {
        "latency_ms": cost.latency_ms,
        "energy_mj": cost.energy_mj,
        "energy_without_dram_mj": energy_without_dram_mj(cost),
        "power_mw": power_mw(cost),
        "edp_mj_ms": edp_mj_ms(cost),
        "cycles": _whole(cost.cycles),
        "startup_cycles": _whole(cost.startup_cycles),
        "drain_cycles": _whole(cost.drain_cycles),
        "tops": cost.tops,
        "utilisation": cost.tops / cost.hardware.peak_tops,
        "weight_megabytes": cost.weight_megabytes,
        "activation_megabytes": cost.activation_megabytes,
    }
    by_component = {
        name.removesuffix("_pj"): energy / PJ_PER_MJ if runs else None
        for name, energy in components(cost).items()
    }
    told = {name: value if runs else None for name, value in costs.items()}
    return {**told, "energy_by_component_mj": by_component}


def _whole(count: float) -> float:
    """A count as the whole number that it is; what cannot run has none."""
    return int(count) if isfinite(count) else count


def _layer_document(of: LayerCost) -> dict[str, Any]:
    layer, runs = of.layer, of.reason is Reason.OK
    costs: dict[str, Any] = {name: getattr(of, name) if runs else None for name in COSTS}
    return {
        "name": layer.name,
        "kind": layer.kind,
        "shape": shape_text(layer),
        "macs": layer.macs,
        "parameters": layer.parameters,
        **(costs | {name: _whole(costs[name]) for name in COUNTS if runs}),
        "input_on_chip": of.input_on_chip,
        "output_on_chip": of.output_on_chip,
        "weights_on_chip": of.weights_on_chip,
        "reason": of.reason,
        "fused": asdict(of.fused) if of.fused else None,
        "dataflow": None if of.dataflow is None else of.dataflow.name.lower(),
        **_mapping_document(of.mapping),
    }


def _mapping_document(mapping: Mapping | None) -> dict[str, Any]:
    """The loop nest as text and as what `nahas.mapping.Mapping` is made of."""
    if mapping is None:
        return {"mapping": None, "loops": None, "keep": None}
    loops = [
        {"slot": loop.slot.name, "dim": loop.dim.name, "count": loop.count}
        for loop in mapping.loops
    ]
    keep = [[tensor.name for tensor in sorted(kept)] for kept in mapping.keep]
    return {"mapping": str(mapping), "loops": loops, "keep": keep}
