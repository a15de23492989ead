"""A process that asks another mapper about one pair: `python -m nahas.trust.other_mapper`.

Its arguments are the mapper's name and a JSON object with `layer`, `hardware` (fields of
records.LAYER and records.HARDWARE) and `objective`. It prints a line when it is ready and
then the answer as JSON; whatever the mapper prints goes to standard error.
"""

from __future__ import annotations

import json
import os
import sys
from time import perf_counter
from typing import Protocol

from nahas.kernels.records import HardwareRow, LayerRow


class Mapper(Protocol):
    """What an adapter module offers."""

    def prepare(self) -> None:
        """Import the mapper and say how it is to be used."""

    def best(self, layer: LayerRow, hardware: HardwareRow, objective: str) -> tuple[float, float]:
        """Cycles and pJ of the best mapping that it finds, in a folder to write in."""


def adapter(name: str) -> Mapper:
    """The adapter of a mapper."""
    from nahas.trust import in_accelforge, in_zigzag

    adapters: dict[str, Mapper] = {"accelforge": in_accelforge, "zigzag": in_zigzag}
    return adapters[name]


def main(name: str, text: str) -> None:
    """Answer on what was standard output; the mapper gets standard error in its place."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)
        # What it prints stands before the error that ends it, not after.
        sys.stdout = sys.stderr
        question = json.loads(text)
        layer, hardware = LayerRow(**question["layer"]), HardwareRow(**question["hardware"])
        mapper = adapter(name)
        mapper.prepare()
        answers.write("ready\n")
        answers.flush()
        begun = perf_counter()
        cycles, energy_pj = mapper.best(layer, hardware, question["objective"])
        seconds = perf_counter() - begun
        json.dump({"cycles": cycles, "energy_pj": energy_pj, "seconds": seconds}, answers)


if __name__ == "__main__":
    main(*sys.argv[1:])
