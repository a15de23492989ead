"""Our optimum beside what another mapper, installed here, finds for the same pairs.

Both get the same layer, sizes, bandwidths and energies per byte. What the other cannot be
told is left out on our side too: leakage, and activations that stay on chip. The other mapper runs
in a process of its own, with a time limit, so that nothing it does stays behind.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from math import prod
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numba
import numpy as np

from nahas.errors import UsageError
from nahas.kernels.records import CostRow, HardwareRow, LayerRow
from nahas.tile_bench.solve import room, solve_part
from nahas.tile_bench.source import Pairs, Source
from nahas.tile_bench.verify import layer_of, rows_of
from nahas.vocabulary import Objective, Reason

INSTALL = {
    "accelforge": "pip install accelforge, on Python 3.12 or later",
    "zigzag": "pip install zigzag-dse six",
}
"""What installs each mapper; the keys are also the names of their modules."""

REPEATS = 5
"""Of our search, on one thread: the median is told."""


@dataclass(frozen=True)
class Answer:
    """What a mapper says of a pair; cycles and energy are None where it found nothing.

    Attributes:
        note: why there is no figure.
    """

    cycles: float | None
    energy_pj: float | None
    seconds: float | None
    note: str = ""


@dataclass(frozen=True)
class Compared:
    """A pair, our answer and the other mapper's.

    Attributes:
        bound_cycles: all multipliers busy, every word over the I/O interface once. Who reports
            fewer counts something differently.
    """

    layer: LayerRow
    hardware: HardwareRow
    ours: Answer
    theirs: Answer
    bound_cycles: float

    def ratio(self, name: str) -> float | None:
        """Theirs over ours, of `cycles`, `energy_pj` or `seconds`."""
        one, other = getattr(self.ours, name), getattr(self.theirs, name)
        return other / one if one and other else None


def require(name: str) -> None:
    """Raise a UsageError when a mapper of `INSTALL` is not installed."""
    if find_spec(name) is None:
        raise UsageError(
            f"--compare {name} needs {name}, which is not installed here: {INSTALL[name]}"
        )


def compare(
    name: str, source: Source, pairs: int, objective: Objective, limit_s: float
) -> Iterator[Compared]:
    """Have another mapper solve the first pairs of a source, one by one.

    Args:
        name: a key of `INSTALL`.
        source: what the pairs are of.
        pairs: how many of them.
        objective: of both mappers.
        limit_s: seconds that the other may take for a pair, its imports apart.

    Raises:
        UsageError: when it is not installed, or there are not so many pairs.
    """
    require(name)
    chosen = known_to_both(source.pairs(0, source.checked(pairs)))
    ours_of(chosen, 0, objective)  # compiles, outside of the time taken
    for index in range(pairs):
        layer, hardware, _ = rows_of(chosen, index)
        theirs = ask(name, layer, hardware, objective, limit_s)
        ours = ours_of(chosen, index, objective)
        yield Compared(layer, hardware, ours, theirs, bound_cycles(layer, hardware))


def known_to_both(pairs: Pairs) -> Pairs:
    """The pairs with no leakage and with every activation in DRAM."""
    points = pairs.points.copy()
    points[:, HardwareRow._fields.index("leakage_pj_per_cycle")] = 0.0
    return Pairs(pairs.layers, points, pairs.pairs, np.zeros_like(pairs.stays))


def ours_of(pairs: Pairs, index: int, objective: Objective) -> Answer:
    """Our optimum of one pair, in a call of its own on one thread."""
    place, taken, before = room(1), [], numba.get_num_threads()
    numba.set_num_threads(1)
    for _ in range(REPEATS):
        begun = perf_counter()
        costs = solve_part(pairs, slice(index, index + 1), objective, place)[0]
        taken.append(perf_counter() - begun)
    numba.set_num_threads(before)
    seconds = median(taken)
    cost = CostRow(*costs[0].tolist())
    if cost.reason != Reason.OK:
        reason = Reason(int(cost.reason)).name.lower().replace("_", " ")
        return Answer(None, None, seconds, f"does not fit the {reason}")
    return Answer(cost.cycles, cost.energy_pj, seconds)


def bound_cycles(row: LayerRow, hardware: HardwareRow) -> float:
    """Cycles that no mapping beats."""
    layer = layer_of(row)
    multipliers = prod(hardware[: HardwareRow._fields.index("local_memory_bytes")])
    used = layer.g * layer.c * layer.p * layer.r * layer.q * layer.s  # where strides skip rows
    moved = layer.weight_words + min(layer.input_words, used) + layer.output_words
    return max(layer.macs / multipliers, moved / hardware.io_bytes_per_cycle)


def ask(
    name: str, layer: LayerRow, hardware: HardwareRow, objective: Objective, limit_s: float
) -> Answer:
    """What the other mapper finds, in a process of its own and a folder that goes with it."""
    question = {
        "layer": {key: int(value) for key, value in layer._asdict().items()},
        "hardware": {key: float(value) for key, value in hardware._asdict().items()},
        "objective": objective.name.lower(),
    }
    program = [sys.executable, "-m", "nahas.trust.other_mapper", name, json.dumps(question)]
    with (
        tempfile.TemporaryDirectory() as folder,
        Path(folder, "talk").open("w+", encoding="utf-8") as talk,
    ):
        child = subprocess.Popen(
            program,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=talk,
            cwd=folder,
            text=True,
            start_new_session=True,  # to end its helpers with it
        )
        try:
            assert child.stdout  # a pipe, as asked for
            child.stdout.readline()  # its imports are done
            out, _ = child.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            return Answer(None, None, None, f"no answer in {limit_s:g} s")
        finally:
            _end(child)
        talk.seek(0)
        return _answer(out, talk.read())


def _end(child: subprocess.Popen[str]) -> None:
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGKILL)
        child.communicate()


def _answer(out: str, talk: str) -> Answer:
    try:
        told: dict[str, Any] = json.loads(out)
    except ValueError:
        lines = talk.strip().splitlines() or ["it said nothing"]
        return Answer(None, None, None, f"failed: {lines[-1]}")
    return Answer(**told)
