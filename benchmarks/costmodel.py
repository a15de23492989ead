"""How good is the learned cost model, by the number of samples, and how fast on this machine?

The learning curve: every size learns from rows of the one before and more, and is measured on the
same held-out rows. A size's validation rows, which stop its learning, are as many as it would have
had by itself. `--save` writes results/costmodel.json and draws docs/figures/costmodel.png; of
`--hardware-space wide`, in which some designs cannot run, results/costmodel_wide.json.
`--speed` measures predictions and training steps instead.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from nahas.costmodel.card import Card
from nahas.costmodel.columns import Columns
from nahas.costmodel.features import encoder, width
from nahas.costmodel.model import compiled
from nahas.costmodel.perceptron import HEADS, Normalisation, perceptron
from nahas.costmodel.recipe import Recipe
from nahas.costmodel.step import Learner
from nahas.costmodel.train import Labelled, labelled, train
from nahas.manifest import manifest, usable_cores
from nahas.spaces.accelerator import accelerator_space
from nahas.spaces.joint import JointSpace
from nahas.spaces.named import named

HERE = Path(__file__).parent
RESULTS = {
    "paper": HERE / "results" / "costmodel.json",
    "wide": HERE / "results" / "costmodel_wide.json",
}
"""Where `--save` goes, by the hardware space; the figure is of the paper's."""
FIGURE = HERE.parent / "docs" / "figures" / "costmodel.png"
ROW = "{:>8} {:>8} {:>7} {:>6}  {:9} {:>8} {:>8} {:>8} {:>9} {:>9}"
LEAST_VALIDATION = 20


def smaller(data: Labelled, samples: int, seed: int) -> Labelled:
    """The data with rows to learn from as of so many samples, the same first ones for any."""
    share = samples / len(data.samples)

    def some(rows: np.ndarray[Any, Any], least: int) -> np.ndarray[Any, Any]:
        mixed = np.random.default_rng(seed).permutation(rows)
        return np.sort(mixed[: max(least, round(share * len(rows)))])

    parts = replace(
        data.parts,
        train=some(data.parts.train, 1),
        validation=some(data.parts.validation, LEAST_VALIDATION),
    )
    return replace(data, parts=parts)


def epochs_of(recipe: Recipe, rows: int, least_steps: int) -> int:
    """Epochs of a recipe, and more where there are so few rows that it would take few steps."""
    steps = max(1, rows // recipe.batch)
    return max(recipe.epochs, -(-least_steps // steps))


def row_of(card: Card, samples: int, seconds: float) -> dict[str, Any]:
    """A size's row."""
    return {
        "samples": samples,
        "training_designs": card.split_sizes["train"],
        "seconds": round(seconds, 1),
        "best_epoch": [row["epoch"] for row in card.best_epochs],
        "errors": card.errors,
    }


def print_row(row: dict[str, Any]) -> None:
    """Print a size's errors, a line for each split."""
    lead = (row["samples"], row["training_designs"], f"{row['seconds']:.0f}", row["best_epoch"][0])
    for split, errors in row["errors"].items():
        latency, energy, area = (errors[head] for head in HEADS)
        cells = (f"{cost['mape']:.2f}" for cost in (latency, energy, area))
        print(
            ROW.format(
                *lead, split, *cells, f"{latency['within_10']:.1f}", f"{latency['kendall']:.4f}"
            )
        )
        lead = ("", "", "", "")


def curve(
    joint: JointSpace, recipe: Recipe, data: Labelled, sizes: list[int], least_steps: int
) -> tuple[list[dict[str, Any]], Card]:
    """Rows of all sizes, printed as they come, and the card of the last."""
    print(
        ROW.format(
            "samples", "rows", "s", "epoch", "held out", "latency%", "energy%", "area%",
            "within10", "Kendall",
        )
    )  # fmt: skip
    rows = []
    for samples in sizes:
        part = smaller(data, samples, recipe.seed)
        epochs = epochs_of(recipe, len(part.parts.train), least_steps)
        started = perf_counter()
        card = train(joint, replace(recipe, epochs=epochs), data=part).card
        rows.append(row_of(card, samples, perf_counter() - started))
        print_row(rows[-1])
    return rows, card


def draw_curve(rows: list[dict[str, Any]], path: Path, title: str) -> None:
    """Draw the error of each cost over the designs learned from, a line for each split."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(1, 3, figsize=(11, 3.6), sharex=True, layout="constrained")
    sizes = [row["training_designs"] for row in rows]
    for panel, head, name in zip(panels, HEADS, ("Latency", "Energy", "Area"), strict=True):
        for split, marker in (("random", "o"), ("hardware", "s"), ("networks", "^")):
            errors = [row["errors"][split][head]["mape"] for row in rows]
            panel.loglog(sizes, errors, marker=marker, label=f"held out: {split}")
        panel.set_title(name)
        panel.set_xlabel("designs learned from")
        panel.grid(visible=True, which="major", alpha=0.3)
    panels[0].set_ylabel("mean absolute error (%)")
    panels[0].legend()
    figure.suptitle(title)
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=120, metadata={"Software": None})
    plt.close(figure)


def best_seconds(call: Callable[[], object], rounds: int) -> float:
    """The shortest of some calls, after a first one that compiles."""
    call()
    times = []
    for _ in range(rounds):
        started = perf_counter()
        call()
        times.append(perf_counter() - started)
    return min(times)


def speed(joint: JointSpace, recipe: Recipe, rounds: int) -> dict[str, float]:
    """Predictions and learned designs per second, and what was tried beside."""
    import tensorflow as tf

    rng = np.random.default_rng(0)
    normal = Normalisation(np.zeros(3), np.ones(3))
    inputs, space = width(joint.space), joint.space
    keras_model = perceptron(inputs, normal, recipe, seed=0, validity=False)
    told: dict[str, float] = {}
    for batch in (256, 1024, 8192, 65536):
        choices = space.sample(batch, rng).astype(np.uint8)
        predict = compiled(keras_model, space)
        seconds = best_seconds(lambda p=predict, c=choices: p(c), rounds)
        told[f"predictions/s, {batch} designs at a time"] = batch / seconds

    def one_hot(choices: Any) -> Any:
        numbers = tf.cast(choices, tf.int32)
        depths = enumerate(space.cardinalities.tolist())
        return tf.concat([tf.one_hot(numbers[:, i], depth) for i, depth in depths], axis=1)

    batch = choices[:8192]
    for name, encode in (("by a product", encoder(space)), ("by tf.one_hot", one_hot)):
        graph = tf.function(encode, autograph=False)
        seconds = best_seconds(lambda g=graph: g(batch).numpy(), rounds)
        told[f"designs/s encoded {name}"] = len(batch) / seconds
    steps = 20
    rows = Columns(
        space.sample(steps * recipe.batch, rng).astype(np.uint8),
        rng.normal(size=(steps * recipe.batch, 3)).astype(np.float32),
        np.ones(steps * recipe.batch, np.float32),
    )
    block = [
        column.reshape(steps, recipe.batch, *column.shape[1:]) for column in vars(rows).values()
    ]
    rates = np.full(steps, 1e-3, np.float32)
    for xla in (False, True):
        learner = Learner(keras_model, encoder(space), normal, recipe)
        graph = tf.function(learner.steps, autograph=False, jit_compile=xla)
        seconds = best_seconds(lambda g=graph: g(*block, rates)[1].numpy(), rounds)
        told[f"designs/s learned, {'with' if xla else 'without'} XLA"] = len(rows) / seconds
    return told


def main() -> None:
    """Print the learning curve, or the speed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--space", default="s1")
    parser.add_argument("--hardware-space", choices=tuple(RESULTS), default="paper")
    parser.add_argument("--samples", default="1000,3000,10000,30000,100000,500000")
    parser.add_argument("--data", type=Path, help="Parquet file of the largest number of samples")
    parser.add_argument("--epochs", type=int, default=Recipe.epochs)
    parser.add_argument("--least-steps", type=int, default=3000, help="of learning, at any size")
    parser.add_argument("--train-seconds", type=float, help="time limit of each size")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--speed", action="store_true", help="measure speed, learn nothing")
    parser.add_argument("--rounds", type=int, default=10, help="of which --speed takes the best")
    parser.add_argument("--save", action="store_true")
    options = parser.parse_args()
    joint = JointSpace(named(options.space), accelerator_space(options.hardware_space))
    sizes = sorted(int(size) for size in options.samples.split(","))
    recipe = Recipe(
        samples=sizes[-1],
        epochs=options.epochs,
        seed=options.seed,
        time_limit_s=options.train_seconds,
    )
    print(f"{joint.space.name}, hidden {recipe.hidden}, {usable_cores()} cores")
    if options.speed:
        for name, value in speed(joint, recipe, options.rounds).items():
            print(f"{value:>12,.0f} {name}")
        return
    started = perf_counter()
    data = labelled(joint, recipe, file=options.data)
    labelling = perf_counter() - started
    print(f"{len(data.samples):,} samples labelled or read in {labelling:.1f} s")
    rows, card = curve(joint, recipe, data, sizes, options.least_steps)
    if options.save:
        run = manifest(
            "benchmarks/costmodel.py",
            {name: value for name, value in vars(options).items() if name not in ("data", "save")},
            seed=options.seed,
            threads=usable_cores(),
            wall_seconds=perf_counter() - started,
        )
        document = {
            "run": run,
            "space": joint.space.name,
            "recipe": card.recipe,
            "origin": vars(card.origin),
            "split_sizes": card.split_sizes,
            "validity": card.validity,
            "rows": rows,
            "calibration": card.calibration,
            "worst": card.worst,
        }
        results = RESULTS[options.hardware_space]
        results.parent.mkdir(exist_ok=True)
        results.write_text(json.dumps(document, indent=2) + "\n")
        if options.hardware_space == "paper":
            draw_curve(rows, FIGURE, f"Cost model of {joint.space.name}: held-out error")


if __name__ == "__main__":
    main()
