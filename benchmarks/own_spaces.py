"""What a user's own space costs: as a chain of functions, as one function, and written for nahas.

The networks are those of `s1`. Batches of 20 random designs, as a search measures them; then how
long controllers take to propose and learn. `--save` writes the rows to results/own_spaces.json.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from nahas.controllers.base import Controller
from nahas.controllers.random import Random
from nahas.interop import optuna, pyglove
from nahas.spaces.blocks import Bottleneck, classifier, conv, ibn
from nahas.spaces.joint import JointSpace
from nahas.spaces.named import named
from nahas.spaces.networks import NetworkSpace
from nahas.spaces.own import network_space
from nahas.spaces.simulated import simulate_choices
from nahas.spaces.skeletons import HEAD, MOBILENET_V2, STEM, one_by_one

RESULTS = Path(__file__).parent / "results" / "own_spaces.json"
BATCH = 20
BLOCKS = one_by_one(MOBILENET_V2)
ROW = "{:<46} {:>10}"


def stem(on: Any, _choose: Any) -> Any:
    """The image and the first convolution."""
    return conv(on, on.input(224, 224, 3), STEM, 3, 2, "relu6")


def block(number: int) -> Callable[..., Any]:
    """One inverted bottleneck of MobileNetV2, its kernel and expansion open."""
    filters, stride = BLOCKS[number].filters, BLOCKS[number].stride

    def part(on: Any, x: Any, choose: Any) -> Any:
        expansion = choose(f"block{number}_e", (3, 6), widths=True) if number else 1
        kernel = choose(f"block{number}_k", (3, 5, 7))
        shape = Bottleneck(filters=filters, kernel=kernel, expansion=expansion, stride=stride)
        return ibn(on, x, shape)

    return part


def head(on: Any, x: Any, _choose: Any) -> Any:
    """What classifies."""
    return classifier(on, x, HEAD, 1000)


PARTS = (stem, *(block(number) for number in range(len(BLOCKS))), head)


def whole(on: Any, choose: Any) -> Any:
    """All parts as one function."""
    x = stem(on, choose)
    for part in PARTS[1:]:
        x = part(on, x, choose)
    return x


def designs_per_second(space: NetworkSpace, batches: int) -> float:
    """Of a search that asks which decisions apply, too."""
    joint = JointSpace(space)
    rng = np.random.default_rng(0)
    simulate_choices(joint, joint.space.sample(BATCH, rng))  # loads the kernels
    begun = time.perf_counter()
    for _ in range(batches):
        choices = joint.space.sample(BATCH, rng)
        joint.applicable(choices)
        simulate_choices(joint, choices)
    return batches * BATCH / (time.perf_counter() - begun)


def milliseconds_per_trial(controller: Controller, trials: int) -> float:
    """To ask for a trial and to tell its reward."""
    begun = time.perf_counter()
    for _ in range(trials // BATCH):
        choices = controller.ask(BATCH)
        controller.tell(choices, choices.sum(axis=1).astype(np.float64))
    return 1e3 * (time.perf_counter() - begun) / trials


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, default=50)
    parser.add_argument("--trials", type=int, default=500)
    parser.add_argument("--save", action="store_true")
    given = parser.parse_args()
    rows: dict[str, float] = {}
    for name, make in {
        "s1 of nahas": lambda: named("s1"),
        "chain of functions": lambda: network_space(*PARTS, name="chain"),
        "one function": lambda: network_space(whole),
    }.items():
        begun = time.perf_counter()
        space = make()
        rows[f"{name}, to make, s"] = time.perf_counter() - begun
        rows[f"{name}, designs/s"] = designs_per_second(space, given.batches)
    space = JointSpace(named("s1")).space
    makers: dict[str, Callable[..., Controller]] = {"random": Random}
    makers |= {"optuna-tpe": optuna.controller} if find_spec("optuna") else {}
    makers |= {"pyglove-evolution": pyglove.controller} if find_spec("pyglove") else {}
    for name, maker in makers.items():
        controller = maker(space, np.random.default_rng(0))
        rows[f"{name}, ms/trial"] = milliseconds_per_trial(controller, given.trials)
    for name, value in rows.items():
        print(ROW.format(name, f"{value:,.3g}" if value < 100 else f"{value:,.0f}"))
    if given.save:
        RESULTS.write_text(json.dumps({**vars(given), "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
