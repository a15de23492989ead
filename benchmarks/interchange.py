"""What AccelForge and ZigZag make of exported mappings, beside what nahas counts for them.

Two steps, since a peer has an environment of its own: the first writes the layers, the second is
run by the Python that the peer is installed in and needs nothing of nahas.

    python benchmarks/interchange.py FOLDER
    PEERS_PYTHON benchmarks/interchange.py FOLDER --peer accelforge
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

LAYERS = {
    "conv": {"k": 16, "c": 8, "p": 12, "q": 12, "r": 3, "s": 3},
    "pointwise": {"k": 32, "c": 32, "p": 8, "q": 8},
    "depthwise": {"g": 32, "p": 8, "q": 8, "r": 3, "s": 3, "stride_p": 2, "stride_q": 2},
    "dense": {"k": 64, "c": 128},
}
TEMPLATES = ("eyeriss", "systolic", "nvdla")
TOOLS = ("timeloop", "accelforge", "zigzag")


def write(folder: Path) -> None:
    """Export the best mapping of every layer on every template, with our own figures."""
    from nahas.errors import InteropError
    from nahas.interop.export import export
    from nahas.interop.nest import MappedPoint
    from nahas.layers import Layer
    from nahas.mapper import map_layer
    from nahas.templates import accelerator_from

    ours = {}
    for template in TEMPLATES:
        accelerator = accelerator_from(template)
        for name, dims in LAYERS.items():
            layer = Layer(name=name, **dims)
            found = map_layer(layer, accelerator)
            point = MappedPoint(accelerator=accelerator, layer=layer, mapping=found.mapping)
            case = f"{template}-{name}"
            for tool in TOOLS:
                try:
                    export([point], tool, folder / tool / case)
                except InteropError as reason:
                    print(f"{tool}: {reason}")
            ours[case] = {
                "cycles": found.cycles,
                "compute_cycles": found.compute_cycles,
                "energy_pj": found.energy_pj,
                "hertz": accelerator.clock_mhz * 1e6,
            }
    (folder / "ours.json").write_text(json.dumps(ours, indent=2) + "\n")
    print(f"{len(ours)} mapped layers in {folder}")


def accelforge(files: dict[str, str], hertz: float) -> tuple[float, float, float]:
    """Cycles, compute cycles and pJ of AccelForge's model for a mapping."""
    import accelforge as af

    made = af.Spec.from_yaml(*files.values()).evaluate_mapping().data.iloc[0]
    seconds, computing = made["Total<SEP>latency"], made["Layer<SEP>latency<SEP>MAC"]
    return seconds * hertz, computing * hertz, made["Total<SEP>energy"] * 1e12


def zigzag(files: dict[str, str], _: float) -> tuple[float, float, float]:
    """Cycles, compute cycles and pJ of ZigZag's model for a mapping."""
    import logging

    from zigzag.api import get_hardware_performance_zigzag

    logging.disable(logging.CRITICAL)
    folder = Path(files["mapping"]).parent / "dump"
    energy, cycles, made = get_hardware_performance_zigzag(
        files["workload"],
        files.get("accelerator", ""),
        files["mapping"],
        dump_folder=str(folder),
        loma_show_progress_bar=False,
    )
    return cycles, made[0][1][0][0].ideal_temporal_cycle, energy


def evaluate(folder: Path, peer: str) -> None:
    """Print the peer's figures beside ours."""
    ours = json.loads((folder / "ours.json").read_text())
    print(f"{'case':22} {'computing, ours':>16} {peer:>12} {'cycles':>8} {peer:>12} energy ratio")
    for case, mine in ours.items():
        found = sorted((folder / peer / case).glob("*/*.yaml"))
        if not found:
            print(f"{case:22} not expressible")
            continue
        files = {path.stem: str(path) for path in found}
        model = accelforge if peer == "accelforge" else zigzag
        cycles, computing, energy_pj = model(files, mine["hertz"])
        ratio = energy_pj / mine["energy_pj"]
        print(
            f"{case:22} {mine['compute_cycles']:16,} {computing:12,.0f} {mine['cycles']:8,}"
            f" {cycles:12,.0f} {ratio:12.3f}"
        )


def main() -> None:
    """Write the layers, or have a peer evaluate them."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--peer", choices=TOOLS[1:])
    given = parser.parse_args()
    if given.peer:
        evaluate(given.folder, given.peer)
    else:
        given.folder.mkdir(parents=True)
        write(given.folder)


if __name__ == "__main__":
    main()
