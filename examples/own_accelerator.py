"""Describe an accelerator in a file, and see what more bandwidth or more memory would buy.

Run: python examples/own_accelerator.py [FILE]
"""

import sys
from dataclasses import replace
from pathlib import Path

from nahas.errors import HardwareError
from nahas.hardware import load_hardware
from nahas.networks import named
from nahas.simulate import simulate

HERE = Path(__file__).parent


def main(path: Path) -> None:
    """Simulate the accelerator of a file and three variants of it."""
    own = load_hardware(path)
    network = named("mobilenet-v2")
    print(f"{path.name}: {own.peak_tops:.2f} TOPS at most")
    variants = {
        "as in the file": own,
        "twice the bandwidth": replace(own, io_gb_per_s=2 * own.io_gb_per_s),
        "twice the local memory": replace(own, local_memory_mb=2 * own.local_memory_mb),
        "twice the PEs": replace(own, pes_x=2 * own.pes_x),
    }
    print(f"{'':24}{'ms':>9}{'mJ':>9}{'mm^2':>9}")
    for name, hardware in variants.items():
        cost = simulate(network, hardware)
        print(f"{name:24}{cost.latency_ms:9.3f}{cost.energy_mj:9.3f}{cost.area_mm2:9.2f}")

    try:
        replace(own, pes_x=0)
    except HardwareError as error:
        print(f"\nan accelerator that cannot be is refused: {error}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "own_accelerator.yaml")
