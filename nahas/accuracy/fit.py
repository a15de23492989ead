"""Fits the surrogate on measured networks, and measures it on networks held out."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nahas.accuracy.baselines import Predictor, perceptron, ridge
from nahas.accuracy.gaussian import Floats, Process, condition, likeliest
from nahas.accuracy.measurements import PARTS, Measurements, read_measurements, read_seeds
from nahas.accuracy.stages import features
from nahas.accuracy.surrogate import SCHEMA_VERSION, Surrogate, card_path, schema
from nahas.files import json_text, write_text, written_whole
from nahas.manifest import versions
from nahas.spaces import mnasnet
from nahas.spaces.space import ChoiceArray

SOURCE = {
    "source": "Accel-NASBench: ImageNet top-1 of MnasNet-like networks, 16-epoch recipe, one seed",
    "repository": "https://github.com/afzalxo/Accel-NASBench",
    "commit": "4260357",
    "paper": "https://arxiv.org/abs/2404.08005",
    "licence": "Apache-2.0",
}

LABEL = "ImageNet top-1 % of the 16-epoch recipe, predicted"

DRAWS = 20_000
"""Random networks whose predictions are looked at for what lies outside the measurements."""

CLIMBS = 16
"""Hill climbs that look for the networks of highest prediction."""

Progress = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How the surrogate is fitted; the same recipe on the same data gives the same weights.

    Attributes:
        seed: of the rows of the first stage, the perceptron, and the random draws.
        first_rows: training rows of the first stage, which finds the scales roughly.
        first_steps: L-BFGS steps of the first stage.
        steps: L-BFGS steps on all training rows.
    """

    seed: int = 0
    first_rows: int = 1500
    first_steps: int = 60
    steps: int = 12


def fit_surrogate(
    folder: Path, recipe: Recipe | None = None, progress: Progress | None = None
) -> tuple[Surrogate, dict[str, Any]]:
    """Fit on the `train` ids of a folder and measure on `val` and `test`.

    Args:
        folder: with `measured.csv.gz`, `splits.json` and, if it has them, `seeds/`.
        recipe: how; None is the one that made the packaged surrogate.
        progress: told what is done next.

    Returns:
        The surrogate and its card, without the hash of the weights.

    Raises:
        AccuracyError: when the measurements cannot be used.
    """
    recipe, tell = recipe or Recipe(), progress or (lambda _: None)
    tell("reading the measurements")
    measured = read_measurements(folder)
    surrogate = fit(measured, recipe, tell)
    tell("measuring on held-out networks")
    rng = np.random.default_rng([recipe.seed, 1])
    card: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "label": LABEL,
        "space": "mnasnet",
        "features": "stages",
        **SOURCE,
        "data_sha256": dict(measured.sha256),
        "command": f"nahas fit-surrogate --data DIR --seed {recipe.seed}",
        "recipe": {
            "model": "Gaussian process, squared-exponential covariance, one length per feature; "
            "amplitude, noise and lengths maximise the likelihood of the train ids",
            **asdict(recipe),
        },
        "amplitude_pp": surrogate.amplitude,
        "noise_pp": surrogate.noise,
        "sizes": {part: len(measured.parts[part]) for part in PARTS},
        "also_in_train": {part: measured.repeated(part) for part in PARTS[1:]},
        "held_out": {
            name: {part: agreement(predict, *measured.part(part)) for part in PARTS[1:]}
            for name, predict in predictors(surrogate, measured, recipe).items()
        },
        "calibration": {part: calibration(surrogate, *measured.part(part)) for part in PARTS[1:]},
        "seeds": _seeds(folder, surrogate),
        "range": _range(surrogate, measured, rng),
        "decisions": schema(surrogate.space),
        "versions": fitting_versions(),
    }
    return surrogate, card


def fitting_versions() -> dict[str, str | None]:
    """Of the programs that a fit depends on."""
    known = versions()
    return {name: known.get(name) for name in ("nahas", "python", "numpy", "scipy")}


def fit(measured: Measurements, recipe: Recipe, tell: Progress) -> Surrogate:
    """Fit on the `train` part alone."""
    choices, accuracy = measured.part("train")
    raw, offset = features(choices), float(accuracy.mean())
    centre, spread = raw.mean(axis=0), np.maximum(raw.std(axis=0), 1e-9)
    inputs, targets = (raw - centre) / spread, accuracy - offset
    rng = np.random.default_rng([recipe.seed, 0])
    rows = rng.permutation(len(inputs))[: recipe.first_rows]
    width = inputs.shape[1]
    start = Process(np.full(width, 0.5 / np.sqrt(width)), float(accuracy.std()), 0.4)
    tell(f"fitting lengths on {len(rows):,} networks")
    rough = likeliest(inputs[rows], targets[rows], start, recipe.first_steps)
    tell(f"fitting lengths on {len(inputs):,} networks")
    process = likeliest(inputs, targets, rough, recipe.steps)
    return Surrogate(
        space=mnasnet.network_space(),
        label=LABEL,
        features=features,
        support=choices,
        weights=condition(process, inputs, targets),
        centre=centre,
        scales=process.scales / spread,
        amplitude=process.amplitude,
        noise=process.noise,
        offset=offset,
    )


def predictors(
    surrogate: Surrogate, measured: Measurements, recipe: Recipe
) -> dict[str, Predictor]:
    """The surrogate, and plain predictors fitted on the same rows."""
    train, val = measured.part("train"), measured.part("val")
    cardinalities = mnasnet.network_space().space.cardinalities
    rng = np.random.default_rng([recipe.seed, 2])
    return {
        "surrogate": surrogate.accuracy,
        "mlp_64x64": perceptron(train, val, cardinalities, rng),
        "ridge": ridge(train, val, cardinalities),
    }


def agreement(predict: Predictor, choices: ChoiceArray, measured: Floats) -> dict[str, float]:
    """Kendall's tau-b, Spearman's rho, and RMSE and MAE in percentage points."""
    return compare(predict(choices), measured)


def compare(predicted: Floats, measured: Floats) -> dict[str, float]:
    """The four measures of `agreement` of two rows of numbers."""
    from scipy.stats import kendalltau, spearmanr

    error = predicted - measured
    return {
        "kendall": float(kendalltau(predicted, measured).statistic),
        "spearman": float(spearmanr(predicted, measured).statistic),
        "rmse_pp": float(np.sqrt((error**2).mean())),
        "mae_pp": float(np.abs(error).mean()),
    }


def calibration(surrogate: Surrogate, choices: ChoiceArray, measured: Floats) -> dict[str, float]:
    """How often a measurement lies within one and two deviations of its prediction.

    A normal distribution has 0.683 and 0.954. The deviation is of one measurement: of the
    prediction and of the seed together. A search picks what is predicted highest, so the mean
    error of the tenth of highest prediction is there too: above 0 it is predicted too low.
    """
    predicted = surrogate.accuracy(choices)
    spread = np.hypot(surrogate.deviation(choices), surrogate.noise)
    units = np.abs(measured - predicted) / spread
    top = np.argsort(-predicted, kind="stable")[: max(1, len(predicted) // 10)]
    return {
        "within_1": float((units < 1.0).mean()),
        "within_2": float((units < 2.0).mean()),
        "rms": float(np.sqrt((units**2).mean())),
        "top_tenth_measured_minus_predicted_pp": float((measured - predicted)[top].mean()),
    }


def _seeds(folder: Path, surrogate: Surrogate) -> dict[str, Any] | None:
    """What seeds alone change, and how well the mean over seeds is predicted."""
    found = read_seeds(folder)
    if found is None:
        return None
    choices, top1 = found
    pairs = [(i, j) for i in range(len(top1)) for j in range(i)]
    between = [compare(top1[i], top1[j]) for i, j in pairs]
    return {
        "networks": len(choices),
        "seeds": len(top1),
        "deviation_pp": float(np.sqrt(top1.var(axis=0, ddof=1).mean())),
        "kendall_between_seeds": float(np.mean([pair["kendall"] for pair in between])),
        "rmse_between_seeds_pp": float(np.mean([pair["rmse_pp"] for pair in between])),
        "surrogate_against_mean": agreement(surrogate.accuracy, choices, top1.mean(axis=0)),
    }


def _range(
    surrogate: Surrogate, measured: Measurements, rng: np.random.Generator
) -> dict[str, Any]:
    """Where predictions lie over the space, and what an optimiser can make of them."""
    network_space = mnasnet.network_space()
    drawn = network_space.space.sample(DRAWS, rng)
    predicted = surrogate.accuracy(drawn)
    top = climb(surrogate, drawn[np.argsort(-predicted, kind="stable")[:CLIMBS]])
    best = int(measured.accuracy.argmax())
    at_best = measured.choices[best : best + 1]
    return {
        "measured_lowest": float(measured.accuracy.min()),
        "measured_highest": float(measured.accuracy[best]),
        "measured_highest_predicted": float(surrogate.accuracy(at_best)[0]),
        "draws": DRAWS,
        "drawn_lowest": float(predicted.min()),
        "drawn_highest": float(predicted.max()),
        "drawn_deviation_mean_pp": float(surrogate.deviation(drawn[:2000]).mean()),
        "space_highest": float(surrogate.accuracy(top)[0]),
        "space_highest_deviation_pp": float(surrogate.deviation(top)[0]),
        "space_highest_network": network_space.network_name(network_space.space.values(top[0])),
    }


def climb(surrogate: Surrogate, starts: ChoiceArray) -> ChoiceArray:
    """The choice [1, D] of highest prediction that single changes reach from any start."""
    cardinalities = mnasnet.network_space().space.cardinalities
    best, best_value = starts[:1], -np.inf
    for start in starts:
        here, value = start, -np.inf
        while True:
            near = np.array(
                [
                    [*here[:column], other, *here[column + 1 :]]
                    for column, count in enumerate(cardinalities)
                    for other in range(count)
                ]
            )
            values = surrogate.accuracy(near)
            if values.max() <= value:
                break
            here, value = near[values.argmax()], float(values.max())
        if value > best_value:
            best, best_value = here[None, :], value
    return best


def save_surrogate(surrogate: Surrogate, card: dict[str, Any], path: Path) -> dict[str, Any]:
    """Write weights and, beside them, the card with their hash; return that card.

    Raises:
        OSError: when the folder cannot be written or the disk is full.
    """
    arrays = {
        "support": surrogate.support.astype(np.min_scalar_type(int(surrogate.support.max()))),
        "weights": surrogate.weights,
        "centre": surrogate.centre,
        "scales": surrogate.scales,
        "amplitude": np.float64(surrogate.amplitude),
        "noise": np.float64(surrogate.noise),
        "offset": np.float64(surrogate.offset),
    }
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]  # its stub takes the names for options
    content = stream.getvalue()
    with written_whole(path) as temporary:
        temporary.write_bytes(content)
    card = {**card, "weights_sha256": hashlib.sha256(content).hexdigest()}
    write_text(card_path(path), json_text(card))
    return card
