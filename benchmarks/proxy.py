"""What a proxy training costs and how far it comes; docs/children.md quotes what this prints.

    python benchmarks/proxy.py steps [--network NAME]
    python benchmarks/proxy.py target --data cifar10 [--network NAME] [--minutes 5]

`steps` prints milliseconds of a training step of small networks, normalised by Keras' layer and by
TensorFlow's fused kernel, and of `Model.fit` against a bare loop over the same compiled step.
`target` trains one network by the default proxy and prints accuracy and time.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from nahas import networks
from nahas.children.graph import keras_model
from nahas.children.quiet import import_keras
from nahas.spaces.builder import read_layers
from nahas.spaces.task import Task, function_for_task

NETWORKS = (
    "macro:00010010",
    "macro:10010010",
    "macro:01011010",
    "s1:" + "-".join(["k3", *["e3k3"] * 16]),
)
TARGET = "macro:00010010"
BATCH = 64
STEPS = 8


def best(run: Callable[[], object], times: int = 3) -> tuple[float, float]:
    """Least wall and processor seconds of some runs after one that warms up."""
    run()
    measured = []
    for _ in range(times):
        wall, processor = time.perf_counter(), time.process_time()
        run()
        measured.append((time.perf_counter() - wall, time.process_time() - processor))
    return min(wall for wall, _ in measured), min(processor for _, processor in measured)


def compiled(name: str, *, quick: bool) -> Any:
    """A small network, ready to train."""
    keras = import_keras()
    task = Task(height=32, width=32, channels=3, classes=10)
    model = keras_model(function_for_task(networks.function(name), task), quick=quick)
    model.compile(
        keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    return model


def in_ms(wall: float, processor: float) -> str:
    """Milliseconds of one step of many."""
    return f"{wall / STEPS * 1e3:.0f} ({processor / STEPS * 1e3:.0f})"


def steps(names: Sequence[str]) -> None:
    """Milliseconds of a step."""
    import numpy as np
    import tensorflow as tf

    rng = np.random.default_rng(0)
    images = rng.normal(size=(BATCH * STEPS, 32, 32, 3)).astype(np.float32)
    labels = rng.integers(0, 10, BATCH * STEPS)
    batches = tf.data.Dataset.from_tensor_slices((images, labels)).batch(BATCH)
    task = Task(height=32, width=32, channels=3, classes=10)
    print(f"batches of {BATCH} images of 32 x 32; least of 3; ms a step, wall (processor)")
    for name in names:
        layers = read_layers(name, function_for_task(networks.function(name), task)).layers
        told = [f"{sum(layer.macs for layer in layers) / 1e6:5.1f} M MACs"]
        for quick in (False, True):
            model = compiled(name, quick=quick)
            wall, cpu = best(lambda model=model: model.fit(batches, verbose=0, shuffle=False))
            told.append(f"{'fused' if quick else 'keras'} {in_ms(wall, cpu)}")

        def loop(model: Any = model) -> None:
            for batch in batches:
                model.train_function(iter([batch]))

        wall, cpu = best(loop)
        told.append(f"fused, bare loop {in_ms(wall, cpu)}")
        print(f"{name[:24]:24s} " + "; ".join(told), flush=True)


def target(data: str, network: str, minutes: float) -> None:
    """Accuracy of the default proxy, and the time that it takes."""
    from nahas.children.data import open_dataset
    from nahas.children.recipe import PROXY
    from nahas.children.train import train_child

    began = time.monotonic()
    dataset = open_dataset(data)
    print(f"{dataset.name} read in {time.monotonic() - began:.0f} s", flush=True)

    def progress(done: int, total: int, note: str) -> None:
        if done % 100 == 0:
            print(f"{time.monotonic() - began:5.0f} s, step {done} of {total}: {note}", flush=True)

    trained = train_child(networks.function(network), dataset, PROXY, progress=progress)
    reached = trained.accuracy_percent
    within = "within" if trained.seconds <= 60 * minutes else "NOT within"
    print(
        f"{network}: {reached:.2f} % of {dataset.sizes['validation']:,} validation images after "
        f"{trained.epochs} epochs in {trained.seconds:.0f} s, {within} {minutes:g} minutes"
    )


def main(arguments: list[str]) -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("steps", "target"))
    parser.add_argument("--data", default="cifar10")
    parser.add_argument("--network", help=f"default: {TARGET}; of steps several")
    parser.add_argument("--minutes", type=float, default=5.0)
    given = parser.parse_args(arguments)
    if given.what == "steps":
        steps([given.network] if given.network else NETWORKS)
    else:
        target(given.data, given.network or TARGET, given.minutes)


if __name__ == "__main__":
    main(sys.argv[1:])
