"""What fusing inverted bottlenecks saves: DRAM traffic, latency and energy with and without.

`edge-baseline` and the same chip with less memory and fewer PEs; four networks at 224 x 224, and
at 448 x 448, where every feature map is twice as high and wide. `--save` writes the rows to
results/fusion.json.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nahas.layers import Layer
    from nahas.network import Network
    from nahas.simulate import NetworkCost

RESULTS = Path(__file__).parent / "results" / "fusion.json"
NETWORKS = ("mobilenet-v2", "efficientnet-b0", "efficientnet-edgetpu-s", "resnet-50")
POINTS = {
    "16 PEs x 2 MB": (4, 2.0),
    "16 PEs x 128 KB": (4, 0.125),
    "4 PEs x 256 KB": (2, 0.25),
    "4 PEs x 128 KB": (2, 0.125),
    "4 PEs x 64 KB": (2, 0.0625),
}
"""PEs along an edge of the array, and megabytes of local memory of each PE."""

ROW = "{:<16} {:<23} {:>5} {:>15} {:>15} {:>15} {:>7} {:>6}"


def enlarged(network: Network, times: int) -> Network:
    """The network on an input so many times as high and wide: every feature map grows."""

    def larger(layer: Layer) -> Layer:
        if layer.p * layer.q > 1:
            return replace(layer, p=layer.p * times, q=layer.q * times)
        if layer.kind.is_vector:  # the pool over all positions
            return replace(layer, r=layer.r * times, s=layer.s * times)
        return layer

    layers = [larger(layer) for layer in network.layers]
    return replace(network, layers=tuple(layers))


def figures(cost: NetworkCost) -> dict[str, float]:
    """What is compared."""
    dram = cost.weight_megabytes + cost.activation_megabytes
    return {"latency_ms": cost.latency_ms, "energy_mj": cost.energy_mj, "dram_megabytes": dram}


def measured(network: Network, pes: int, megabytes: float) -> dict[str, Any]:
    """One network on one chip, both ways."""
    from nahas.hardware import preset
    from nahas.simulate import simulate

    chip = replace(preset("edge-baseline"), pes_x=pes, pes_y=pes, local_memory_mb=megabytes)
    layered, begun = simulate(network, chip), time.perf_counter()
    fused = simulate(network, chip, fusion=True)
    taken = time.perf_counter() - begun
    plans = [of.fused for of in fused.layers if of.fused is not None]
    macs = sum(of.fused.macs if of.fused else of.layer.macs for of in fused.layers)
    return {
        "groups": sum(plan.stage == 1 for plan in plans),
        "groups_in_tiles": sum(plan.stage == 1 and plan.tiles > 1 for plan in plans),
        "macs_made_again": macs / network.macs - 1,
        "layered": figures(layered),
        "fused": figures(fused),
        "seconds": taken,
    }


def show(point: str, name: str, times: int, row: dict[str, Any]) -> None:
    """A line of the table."""
    both = [
        f"{row['layered'][key]:.3g} -> {row['fused'][key]:.3g}"
        for key in ("dram_megabytes", "latency_ms", "energy_mj")
    ]
    size = name if times == 1 else f"{name} x{times}"
    groups = f"{row['groups']}/{row['groups_in_tiles']}"
    speedup = row["layered"]["latency_ms"] / row["fused"]["latency_ms"]
    again = f"{row['macs_made_again']:+.1%}"
    print(ROW.format(point, size, groups, *both, f"{speedup:.2f}x", again))


def main() -> None:
    """Print the table."""
    from nahas import networks

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=NETWORKS)
    parser.add_argument("--points", type=int, default=len(POINTS), help="how many, from the first")
    parser.add_argument("--largest", type=int, default=2, help="times 224, height and width")
    parser.add_argument("--save", action="store_true")
    chosen = parser.parse_args()
    print("objective latency; groups fused / of these in several tiles; layer by layer -> fused")
    print(ROW.format("chip", "network", "", "DRAM MB", "latency ms", "energy mJ", "faster", "MACs"))
    rows = []
    for point in list(POINTS)[: chosen.points]:
        for times in range(1, chosen.largest + 1):
            for name in chosen.networks:
                row = measured(enlarged(networks.named(name), times), *POINTS[point])
                show(point, name, times, row)
                rows.append({"chip": point, "network": name, "times_224": times, **row})
    if chosen.save:
        RESULTS.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
