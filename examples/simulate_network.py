"""Compare fixed networks on two accelerators, and see what holds one of them up.

Run: python examples/simulate_network.py
"""

from collections import Counter

from nahas.hardware import preset
from nahas.networks import named
from nahas.simulate import NetworkCost, simulate

NETWORKS = ("mobilenet-v2", "mobilenet-edgetpu", "efficientnet-edgetpu-s", "resnet-50")
ACCELERATORS = ("edge-baseline", "coral")


def row(name: str, accelerator: str, cost: NetworkCost) -> str:
    """One line of the table."""
    return (
        f"{name:24}{accelerator:15}{cost.network.macs / 1e6:9.0f}{cost.latency_ms:9.3f}"
        f"{cost.energy_mj:9.3f}{cost.area_mm2:9.1f}{cost.tops:7.2f}"
    )


def main() -> None:
    """Print the table, then where MobileNetV2's cycles go."""
    print(f"{'network':24}{'accelerator':15}{'M MACs':>9}{'ms':>9}{'mJ':>9}{'mm^2':>9}{'TOPS':>7}")
    costs = {}
    for name in NETWORKS:
        for accelerator in ACCELERATORS:
            costs[name, accelerator] = simulate(named(name), preset(accelerator))
            print(row(name, accelerator, costs[name, accelerator]))

    slowest = costs["mobilenet-v2", "edge-baseline"]
    cycles: Counter[str] = Counter()
    for layer in slowest.layers:
        cycles[layer.bound.name.lower()] += round(layer.cycles)
    print("\nmobilenet-v2 on edge-baseline, cycles by what bounds the layer:")
    for bound, count in cycles.most_common():
        print(f"  {bound:15}{count:>9}{100 * count / cycles.total():6.1f} %")


if __name__ == "__main__":
    main()
