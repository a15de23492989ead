"""The variance decomposition: against enumeration, against a known truth, and its honesty."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from nahas.report import importance
from nahas.report.importance import importance_document, importances
from nahas.spaces.space import Decision, Space

SPACE = Space(
    "toy", (Decision("a", (1, 2, 4)), Decision("b", (0.5, 1, 2, 4)), Decision("c", (8, 16)))
)
WHOLE = np.array(list(product(range(3), range(4), range(2))))


def drawn(count: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    return SPACE.sample(count, rng), rng.integers(0, 3, (count, 2)), rng


def enumerated(values):
    """Shares of a function on the whole space, by averaging over all else, as the definition is."""
    table = values.reshape(3, 4, 2) - values.mean()
    axes = range(3)
    mains = [table.mean(axis=tuple(other for other in axes if other != d)) for d in axes]
    alone = np.array([np.mean(main**2) for main in mains])
    together = np.zeros(3)
    for d, e in ((0, 1), (0, 2), (1, 2)):
        (rest,) = {0, 1, 2} - {d, e}
        pair = table.mean(axis=rest) - mains[d][:, None] - mains[e][None, :]
        together[[d, e]] += np.mean(pair**2) / 2
    return alone, together


@pytest.mark.parametrize("count", [60, 3000], ids=["more columns than designs", "fewer"])
def test_shares_are_what_enumerating_the_model_gives(count):
    accelerators, networks, rng = drawn(count)
    metric = accelerators @ [1.0, 0.5, 2.0] + accelerators[:, 0] * accelerators[:, 1]
    metric = metric + rng.normal(0, 0.3, count)
    model = importance._model(accelerators, networks, SPACE)
    sought = ((metric - metric.mean()) / metric.std())[:, None]
    weights = importance._fits(model.columns, sought).whole[:, 0]
    everywhere = importance._model(WHOLE, np.zeros((24, 2), np.int64), SPACE)
    alone, together = enumerated(everywhere.columns[:, : model.own] @ weights[: model.own])
    told = importances(accelerators, networks, SPACE, {"y": metric})["y"]
    assert told.alone == pytest.approx(alone / (alone.sum() + together.sum()), rel=1e-9)
    assert told.together == pytest.approx(together / (alone.sum() + together.sum()), abs=1e-9)
    assert (told.alone + told.together).sum() == pytest.approx(1)


def test_finds_the_shares_of_a_known_function_within_its_errors():
    accelerators, networks, rng = drawn(2000)

    def truth(x):
        return np.array([0.0, 1.0, 3.0])[x[:, 0]] + 1.5 * (x[:, 1] == 2) * (x[:, 2] == 1)

    metric = truth(accelerators) + 0.7 * networks[:, 0] + rng.normal(0, 0.2, 2000)
    told = importances(accelerators, networks, SPACE, {"y": metric})["y"]
    alone, together = enumerated(truth(WHOLE))
    shares = (alone + together) / (alone.sum() + together.sum())
    assert np.abs(told.alone + told.together - shares).max() < 0.02
    assert (np.abs(told.alone + told.together - shares) < 4 * told.error + 0.005).all()
    variances = np.var(truth(accelerators)), np.var(0.7 * networks[:, 0])
    assert told.network == pytest.approx(variances[1] / sum(variances), abs=0.03)
    assert told.explained > 0.95
    said = importance_document(told, SPACE, logarithm=False)
    assert said["decisions"][0]["name"] == "a"
    assert said["decisions"][0]["least"][0] == 1
    assert said["decisions"][0]["most"][0] == 4
    assert said["decisions"][0]["most"][1] == pytest.approx(3 - 4 / 3, abs=0.05)


def test_of_noise_it_says_that_it_explains_nothing():
    accelerators, networks, rng = drawn(400)
    told = importances(accelerators, networks, SPACE, {"y": rng.normal(size=400)})["y"]
    assert told.explained < 0.05
    assert told.error.max() > 0.02


def test_effects_are_told_of_values_that_were_tried_alone():
    accelerators, networks, rng = drawn(400)
    accelerators[accelerators[:, 0] == 2, 0] = 1
    told = importances(accelerators, networks, SPACE, {"y": accelerators[:, 0] + rng.random(400)})
    assert np.isnan(told["y"].effects[0][2])
    said = importance_document(told["y"], SPACE, logarithm=True)
    assert {said["decisions"][0][end][0] for end in ("least", "most")} == {1, 2}


def test_too_few_designs_or_all_alike_tell_nothing():
    accelerators, networks, _ = drawn(importance.LEAST_DESIGNS - 1)
    metric = np.arange(len(accelerators), dtype=float)
    assert importances(accelerators, networks, SPACE, {"y": metric}) == {}
    accelerators, networks, _ = drawn(200)
    assert importances(accelerators, networks, SPACE, {"y": np.ones(200)}) == {}
