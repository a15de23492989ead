"""How long the samples of a cost model take to draw, label, write, read and split.

Processor seconds, of all threads together, stand beside the time on the clock: on a machine that
does other things too they are what can be compared. The file goes to a temporary folder; without
pyarrow samples are labelled in memory alone. `--save` writes the figures to
results/costmodel_data.json, one entry per network and hardware space.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
import numpy as np

RESULTS = Path(__file__).parent / "results" / "costmodel_data.json"
ROW = "{:<36} {:>10} {:>12} {:>14}"

T = TypeVar("T")


class Clock:
    """Prints and keeps how long things take."""

    def __init__(self, samples: int) -> None:
        self._samples = samples
        self.seconds: dict[str, dict[str, float]] = {}

    def time(self, what: str, work: Callable[[], T]) -> T:
        """Do it once."""
        begun, used = time.perf_counter(), time.process_time()
        made = work()
        wall, cpu = time.perf_counter() - begun, time.process_time() - used
        self.seconds[what] = {"wall": wall, "cpu": cpu}
        rate = f"{self._samples / wall:,.0f} /s"
        print(ROW.format(what, f"{wall:.2f} s", f"{cpu:.2f} s CPU", rate), flush=True)
        return made


def measured(space: str, hardware_space: str, samples: int, seed: int) -> dict[str, Any]:
    """Seconds of each step, bytes of the file, and what the samples are."""
    from nahas.costmodel.samples import draw, label, simulator
    from nahas.costmodel.split import split
    from nahas.spaces.accelerator import accelerator_space
    from nahas.spaces.joint import JointSpace
    from nahas.spaces.named import named
    from nahas.vocabulary import Objective, Reason

    joint = JointSpace(named(space), accelerator_space(hardware_space))
    simulate = simulator(joint, Objective.LATENCY, None)
    simulate(joint.space.sample(8, np.random.default_rng(seed)))  # compiles
    clock, size = Clock(samples), None
    choices = clock.time("draw", lambda: draw(joint, samples, np.random.default_rng(seed)))
    if importlib.util.find_spec("pyarrow"):
        made, size = through_a_file(joint, samples, seed, clock)
    else:
        made = clock.time("label", lambda: label(choices, simulate))
    parts = clock.time("split", lambda: split(joint, made, np.random.default_rng(seed)))
    reasons = np.bincount(made.reason, minlength=len(Reason)) / samples
    shares = {reason.name.lower(): share for reason, share in zip(Reason, reasons, strict=True)}
    rows = {name: len(part) for name, part in vars(parts).items()}
    print("share by reason:", ", ".join(f"{name} {share:.3f}" for name, share in shares.items()))
    print("rows of the parts:", ", ".join(f"{name} {count:,}" for name, count in rows.items()))
    return {"samples": samples, "seconds": clock.seconds, "bytes_per_sample": size} | {
        "share_by_reason": shares,
        "rows": rows,
    }


def through_a_file(joint: Any, samples: int, seed: int, clock: Clock) -> tuple[Any, float]:
    """The samples of a file that was just written, and its bytes per sample."""
    from nahas.costmodel.origin import origin_here
    from nahas.costmodel.parquet import About, read, write
    from nahas.costmodel.samples import simulator
    from nahas.vocabulary import Objective

    simulate = simulator(joint, Objective.LATENCY, None)
    origin = origin_here(joint, None, simulate)
    about = About(origin=origin, samples=samples, seed=seed, objective=Objective.LATENCY)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "samples.parquet"
        clock.time("draw, label and write", lambda: write(path, joint, about, simulate))
        made = clock.time("read", lambda: read(path, joint, origin))
        size = path.stat().st_size / samples
    print(f"bytes per sample: {size:.1f}")
    return made, size


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--space", default="s1")
    parser.add_argument("--hardware-space", default="paper")
    parser.add_argument("--samples", type=int, default=500_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save", action="store_true")
    chosen = parser.parse_args()
    what = f"{chosen.space} on {chosen.hardware_space}"
    print(f"{what}, {chosen.samples:,} samples, {numba.get_num_threads()} threads")
    found = measured(chosen.space, chosen.hardware_space, chosen.samples, chosen.seed)
    if chosen.save:
        kept = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {}
        kept[what] = {"threads": numba.get_num_threads(), **found}
        RESULTS.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
