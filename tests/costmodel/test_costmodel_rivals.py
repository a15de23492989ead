"""The rivals of the cost model: linear ones learn what is linear, and one refusal ends no run."""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from nahas.errors import CostModelError

FILE = Path(__file__).parents[2] / "benchmarks" / "costmodel_rivals.py"
SIZES = np.array([3, 4, 2, 5])


@pytest.fixture(scope="module")
def rivals():
    spec = importlib.util.spec_from_file_location("costmodel_rivals", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_linear_model_learns_sums_and_with_products_what_depends_on_both(rivals):
    rng = np.random.default_rng(0)
    choices = rng.integers(0, SIZES, (3_000, 4)).astype(np.uint8)
    of_each = [rng.normal(size=size) for size in SIZES]
    total = sum(values[choices[:, place]] for place, values in enumerate(of_each))
    both = rng.normal(size=(4, 5))[choices[:, 1], choices[:, 3]]  # a network's with the last
    logs = np.stack([total, total + both], axis=1)

    def encoded(asked):
        return rivals.one_hot(SIZES, asked)

    def crossed(asked):
        return rivals.products(encoded(asked), 7)  # the last two decisions are the accelerator's

    assert encoded(choices).sum(axis=1).tolist() == [4] * 3_000
    plain, with_products = (
        np.abs(rivals.linear(encode)(choices[:2_000], logs[:2_000])(choices[2_000:]) - logs[2_000:])
        for encode in (encoded, crossed)
    )
    assert plain[:, 0].max() < 0.02
    assert plain[:, 1].mean() > 0.3
    assert with_products.max() < 0.02


def test_a_rival_that_refuses_is_told_and_the_rest_is_kept(rivals, monkeypatch, tmp_path, capsys):
    def refused(*_):
        raise CostModelError("g of a layer is 1536, but the model learned 1 to 999")

    def absent(_):
        raise ModuleNotFoundError("No module named 'sklearn'", name="sklearn")

    monkeypatch.setattr(rivals, "of_layers", refused)
    monkeypatch.setattr(rivals, "perceptron", refused)
    monkeypatch.setattr(rivals, "trees", absent)
    monkeypatch.setattr(rivals, "RESULTS", tmp_path / "rivals.json")
    options = ["--space", "macro", "--samples", "400", "--most", "20", "--save"]
    monkeypatch.setattr(sys, "argv", ["costmodel_rivals.py", *options])
    rivals.main()
    told = capsys.readouterr().out
    assert "layers: g of a layer is 1536, but" in told
    assert "boosted trees: scikit-learn is not installed" in told
    kept = json.loads((tmp_path / "rivals.json").read_text())
    assert [row["model"] for row in kept["rows"]][-1] == "simulator"
    assert len(kept["rows"]) == 3
    assert kept["options"]["samples"] == 400
    assert set(kept["rows"][0]["errors"]) == {"random", "hardware", "networks"}


def test_no_size_is_below_one(rivals, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["costmodel_rivals.py", "--most", "0"])
    with pytest.raises(SystemExit):
        rivals.main()
    assert "--most: is 0: it must be at least 1" in capsys.readouterr().err
