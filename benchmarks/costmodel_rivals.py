"""The cost model among its rivals: errors on the same designs held out, and how long each takes.

Linear models and boosted trees learn what the perceptron learns: logarithms of latency and energy
from decisions. The model of layers learns layers of drawn networks, and none of these designs.
`--save` writes results/costmodel_rivals.json, anew after each rival. Trees need scikit-learn, the
extra `bench`. A rival that cannot be measured is told, and the others go on.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.errors import NahasError
from nahas.files import json_text, write_text

RESULTS = Path(__file__).parent / "results" / "costmodel_rivals.json"
ROW = "{:<34} {:<11} {:>9} {:>9} {:>9} {:>14}"
PARTS = ("random", "hardware", "networks")
COSTS = ("log_latency_ms", "log_energy_mj")
CHUNK = 8192
RIDGE = 1e-3

Predict = Callable[[NDArray[np.uint8]], NDArray[np.float64]]
"""Choices [B, D] to logarithms of latency in ms and energy in mJ [B, 2]."""

Fit = Callable[[NDArray[np.uint8], NDArray[np.float64]], Predict]


def one_hot(cardinalities: NDArray[np.int64], choices: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Decisions [B, D] as a column for each of their values."""
    starts = np.concatenate([[0], np.cumsum(cardinalities)[:-1]])
    columns = np.zeros((len(choices), int(cardinalities.sum())), np.float32)
    np.put_along_axis(columns, starts + choices.astype(np.int64), 1.0, axis=1)
    return columns


def products(columns: NDArray[np.float32], accelerator: int) -> NDArray[np.float32]:
    """The columns, and products of each with those of the accelerator, which are the last."""
    split = columns.shape[1] - accelerator
    own = columns[:, split:]
    first, second = np.triu_indices(accelerator, 1)
    crossed = (columns[:, :split, np.newaxis] * own[:, np.newaxis]).reshape(len(columns), -1)
    return np.concatenate([columns, crossed, own[:, first] * own[:, second]], axis=1)


def linear(encode: Callable[[NDArray[np.uint8]], NDArray[np.float32]]) -> Fit:
    """Ridge regression on encoded choices, by its normal equations."""

    def fit(choices: NDArray[np.uint8], logs: NDArray[np.float64]) -> Predict:
        mean = logs.mean(axis=0)
        width = encode(choices[:1]).shape[1]
        gram, right = np.eye(width) * RIDGE * len(choices) / width, np.zeros((width, 2))
        for rows in chunks(len(choices)):
            columns = encode(choices[rows])
            gram += columns.T @ columns
            right += columns.T @ (logs[rows] - mean)
        weights = np.linalg.solve(gram, right)
        return lambda asked: np.concatenate(
            [encode(asked[rows]) @ weights + mean for rows in chunks(len(asked))]
        )

    return fit


def trees(iterations: int) -> Fit:
    """Boosted trees for each cost, on the indices of values, which are in rising order."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    def fit(choices: NDArray[np.uint8], logs: NDArray[np.float64]) -> Predict:
        models = [
            HistGradientBoostingRegressor(
                max_iter=iterations, max_leaf_nodes=63, early_stopping=False, random_state=0
            ).fit(choices, logs[:, cost])
            for cost in range(2)
        ]
        return lambda asked: np.stack([model.predict(asked) for model in models], axis=1)

    return fit


def perceptron(joint: Any, data: Any, recipe: Any) -> Fit:
    """The cost model of `nahas train-costmodel`."""
    from nahas.costmodel.train import train

    def fit(_: NDArray[np.uint8], __: NDArray[np.float64]) -> Predict:
        model = train(joint, recipe, data=data)

        def predict(asked: NDArray[np.uint8]) -> NDArray[np.float64]:
            costs = model.predict(asked.astype(np.int64))
            return np.log(np.stack([costs.latency_ms, costs.energy_mj], axis=1))

        return predict

    return fit


def of_layers(joint: Any, pairs: int, epochs: int) -> Fit:
    """The model of layers, which never sees these designs."""
    from nahas.costmodel.layerwise import LayerRecipe, train

    def fit(_: NDArray[np.uint8], __: NDArray[np.float64]) -> Predict:
        model = train(LayerRecipe(pairs=pairs, epochs=epochs))

        def predict(asked: NDArray[np.uint8]) -> NDArray[np.float64]:
            return np.log(np.stack(model.predict_choices(joint, asked.astype(np.int64)), axis=1))

        return predict

    return fit


def chunks(count: int) -> Iterator[slice]:
    """Slices of at most CHUNK rows."""
    return (slice(start, start + CHUNK) for start in range(0, count, CHUNK))


def measured(name: str, fit: Fit, data: Any, most: int) -> dict[str, Any]:
    """Errors by part, seconds of fitting and predictions per second; printed as they come."""
    from nahas.costmodel.held_out import errors_of

    samples, can_run = data.samples, data.samples.reason == 0
    logs = samples.logs[:, :2].astype(np.float64)
    rows = data.parts.train[can_run[data.parts.train]]
    begun = time.perf_counter()
    predict = fit(samples.choices[rows], logs[rows])
    row: dict[str, Any] = {"model": name, "fit_seconds": time.perf_counter() - begun, "errors": {}}
    tested = {part: getattr(data.parts, part) for part in PARTS}
    tested = {part: of[can_run[of]][:most] for part, of in tested.items()}
    every = samples.choices[np.concatenate(list(tested.values()))]
    predict(every)
    begun = time.perf_counter()
    predict(every)
    row["predictions_per_second"] = len(every) / (time.perf_counter() - begun)
    for part, of in tested.items():
        predicted = predict(samples.choices[of])
        row["errors"][part] = {
            cost: errors_of(predicted[:, place], logs[of, place])
            for place, cost in enumerate(COSTS)
        }
        mapes = [f"{row['errors'][part][cost]['mape']:.2f}" if len(of) else "-" for cost in COSTS]
        rest = (f"{row['fit_seconds']:.1f}", f"{row['predictions_per_second']:,.0f}")
        print(ROW.format(name if part == "random" else "", part, *mapes, *rest))
    return row


def simulated(joint: Any, choices: NDArray[np.uint8]) -> dict[str, Any]:
    """Designs per second of the simulator itself."""
    from nahas.spaces.simulated import simulate_choices

    simulate_choices(joint, choices[:64].astype(np.int64))
    begun = time.perf_counter()
    simulate_choices(joint, choices.astype(np.int64))
    rate = len(choices) / (time.perf_counter() - begun)
    print(ROW.format("simulator", "", "0.00", "0.00", "0.0", f"{rate:,.0f}"))
    return {"model": "simulator", "predictions_per_second": rate}


def main() -> None:
    """Print the table."""
    from nahas.costmodel.recipe import Recipe
    from nahas.costmodel.train import labelled
    from nahas.spaces.joint import JointSpace
    from nahas.spaces.named import named

    chosen = options()
    joint = JointSpace(named(chosen.space))
    recipe = Recipe(samples=chosen.samples, epochs=chosen.epochs)
    data = labelled(joint, recipe)
    sizes = joint.space.cardinalities
    accelerator = int(joint.accelerator.cardinalities.sum())
    print(ROW.format("model", "held out", "latency %", "energy %", "fit s", "predictions/s"))
    rivals: dict[str, Callable[[], Fit]] = {
        "linear": lambda: linear(lambda asked: one_hot(sizes, asked)),
        "linear, products with accelerators": lambda: linear(
            lambda asked: products(one_hot(sizes, asked), accelerator)
        ),
        "boosted trees": lambda: trees(chosen.iterations),
        "perceptron": lambda: perceptron(joint, data, recipe),
        "layers": lambda: of_layers(joint, chosen.pairs, chosen.layer_epochs),
    }
    told = {name: value for name, value in vars(chosen).items() if name != "save"}
    rows: list[dict[str, Any]] = []

    def keep(row: dict[str, Any]) -> None:
        rows.append(row)
        if chosen.save:
            write_text(RESULTS, json_text({"options": {**told, "seed": recipe.seed}, "rows": rows}))

    for name, make in rivals.items():
        try:
            keep(measured(name, make(), data, chosen.most))
        except ModuleNotFoundError as problem:
            if problem.name != "sklearn":
                raise
            print(f"{name}: scikit-learn is not installed, pip install 'nahas[bench]'")
        except NahasError as problem:
            print(f"{name}: {problem}")
    keep(simulated(joint, data.samples.choices[: 3 * chosen.most]))


def positive(text: str) -> int:
    """A whole number above 0."""
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"is {text}: it must be at least 1")
    return number


def options() -> argparse.Namespace:
    """What the command line says."""
    from nahas.spaces.named import NAMES

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--space", default="s1", choices=NAMES)
    parser.add_argument(
        "--samples", type=positive, default=100_000, help="designs, drawn and split"
    )
    parser.add_argument("--epochs", type=positive, default=60, help="of the perceptron")
    parser.add_argument(
        "--pairs", type=positive, default=500_000, help="the model of layers learns"
    )
    parser.add_argument("--layer-epochs", type=positive, default=30)
    parser.add_argument("--iterations", type=positive, default=1000, help="trees for each cost")
    parser.add_argument("--most", type=positive, default=5_000, help="designs tested, of each part")
    parser.add_argument("--save", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
