"""How long whole networks take, and what solving equal layers once gains.

Warm, medians over rounds. `--save` writes the rows to results/networks.json.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numba
import numpy as np

RESULTS = Path(__file__).parent / "results" / "networks.json"
ROW = "{:<52} {:>14} {:>8}"


def seconds(work: Callable[[], Any], rounds: int) -> float:
    """Median time of one call, after one that is not counted."""
    work()
    taken = []
    for _ in range(rounds):
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return median(taken)


def one_network(rounds: int) -> dict[str, float]:
    """Microseconds of one network on `edge-baseline`."""
    from nahas import networks
    from nahas.hardware import preset
    from nahas.simulate import simulate_designs

    point, rows = preset("edge-baseline"), {}
    for name in ("mobilenet-v2", "efficientnet-b0", "resnet-50"):
        network = networks.named(name)
        taken = seconds(lambda network=network: simulate_designs([network], [point]), 20 * rounds)
        rows[name] = taken * 1e6
        print(ROW.format(f"{name} on edge-baseline, microseconds", f"{rows[name]:.0f}", ""))
    return rows


def many(count: int, points: int, rounds: int) -> dict[str, float]:
    """Designs per second of networks x accelerators, equal layers solved once or each time."""
    from nahas.simulate import simulate_designs, simulate_networks
    from nahas.spaces.accelerator import accelerator_space
    from nahas.spaces.accelerator import hardware as accelerator
    from nahas.spaces.mnasnet import network_space

    space, chips, rng = network_space(), accelerator_space(), np.random.default_rng(0)
    nets = [space.network(choice) for choice in space.space.sample(count, rng)]
    hardware = [accelerator(chips.values(choice)) for choice in chips.sample(points, rng)]
    pairs = [(network, chip) for network in nets for chip in hardware]
    each = seconds(lambda: simulate_designs(*map(list, zip(*pairs, strict=True))), rounds)
    once = seconds(lambda: simulate_networks(nets, hardware), rounds)
    rates = {"each": len(pairs) / each, "once": len(pairs) / once, "ratio": each / once}
    what = f"designs/s, {count} networks x {points} accelerators"
    print(ROW.format(f"{what}, each by itself", f"{rates['each']:,.0f}", "1.00x"))
    print(
        ROW.format("the same, equal layers once", f"{rates['once']:,.0f}", f"{rates['ratio']:.2f}x")
    )
    return rates


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", type=int, default=100)
    parser.add_argument("--accelerators", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--save", action="store_true")
    chosen = parser.parse_args()
    threads = numba.get_num_threads()
    print(ROW.format(f"{threads} threads", "", ""))
    content = {
        "threads": threads,
        "microseconds": one_network(chosen.rounds),
        "designs_per_second": many(chosen.networks, chosen.accelerators, chosen.rounds),
    }
    if chosen.save:
        RESULTS.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
