"""What a step of shared weights costs beside a step of the stand-alone children it trains.

python benchmarks/supernet.py [--space s1] [--side 32] [--batch 64] [--children 4] [--steps 6]

Numbers of weights, and of a checkpoint, which has RMSProp's two slots of each that was trained;
then wall-clock and CPU seconds, steps of the two kinds by turns, each first run untimed.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from nahas.children.graph import keras_model
from nahas.children.quiet import import_keras
from nahas.children.supernet import Supernet, SupernetRecipe
from nahas.spaces.named import named
from nahas.spaces.task import Task, for_task


def timed(run: Callable[[], Any]) -> tuple[float, float]:
    """Wall-clock and CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - wall, time.process_time() - cpu


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--space", default="s1")
    parser.add_argument("--side", type=int, default=32)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--children", type=int, default=4)
    parser.add_argument("--steps", type=int, default=6)
    given = parser.parse_args()
    keras, rng = import_keras(), np.random.default_rng(0)
    task = Task(height=given.side, width=given.side, channels=3, classes=10)
    space, recipe = named(given.space), SupernetRecipe(batch=given.batch)
    supernet = Supernet.new(space, task)
    stored = supernet.weights.parameters
    print(
        f"{stored / 1e6:.1f} million weights, {4 * stored / 2**20:,.0f} MiB; "
        f"a checkpoint has up to {12 * stored / 2**20:,.0f} MiB"
    )
    images = rng.standard_normal((given.batch, given.side, given.side, 3)).astype(np.float32)
    labels = rng.integers(0, 10, given.batch).astype(np.int32)
    alone, shared = [], []
    for choice in space.space.sample(given.children, rng):
        mixture, rates = supernet.mixture(choice), recipe.rates(0.1)
        model = keras_model(for_task(space, task).function(choice))
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.RMSprop(0.01, momentum=0.9), loss, jit_compile=False)
        rows = np.tile(np.arange(given.batch), given.steps)

        def fit(model: Any = model, rows: Any = rows) -> None:
            model.fit(images[rows], labels[rows], given.batch, shuffle=False, verbose=0)

        def step(mixture: Any = mixture, rates: Any = rates) -> None:
            for _ in range(given.steps):
                supernet.step((images, labels), mixture, rates, 0.1)

        fit(), step()
        alone.append(timed(fit))
        shared.append(timed(step))
    for i, clock in enumerate(("wall", "CPU")):
        of_alone, of_shared = (np.mean([row[i] for row in rows]) for rows in (alone, shared))
        print(
            f"{clock}: child {of_alone / given.steps:.3f} s, supernet "
            f"{of_shared / given.steps:.3f} s a step, ratio {of_shared / of_alone:.2f}"
        )


if __name__ == "__main__":
    main()
