"""Errors are what they are called; the worst cases are the worst, with what may be the reason."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nahas.costmodel.held_out import HeldOut, bounds, errors_of, validity_of
from nahas.costmodel.perceptron import HEADS, VALIDITY
from nahas.spaces.joint import JointSpace
from nahas.spaces.named import named
from nahas.vocabulary import Objective

from .fake import tiny_joint

JOINT = tiny_joint()


def test_errors_are_what_they_are_called():
    true = np.log([1.0, 2.0, 4.0, 8.0])
    off = np.log([1.05, 0.8, 1.0, 1.0])
    errors = errors_of(true + off, true)
    assert errors["mape"] == pytest.approx(100 * (0.05 + 0.2) / 4)
    assert errors["median"] == pytest.approx(2.5)
    assert errors["within_10"] == 75
    assert errors["spearman"] == errors["kendall"] == pytest.approx(1)
    swapped = errors_of(true[[1, 0, 2, 3]], true)
    assert swapped["kendall"] == pytest.approx(4 / 6)
    assert swapped["spearman"] == pytest.approx(0.8)
    assert errors_of(np.ones(3), np.arange(3.0))["kendall"] is None
    nothing = errors_of(np.zeros(0), np.zeros(0))
    assert set(nothing) == set(errors)
    assert set(nothing.values()) == {None}


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=30))
def test_auc_is_the_chance_of_the_right_order(rows):
    probability = np.array([p / 5 for p, _ in rows])
    can_run = np.array([runs for _, runs in rows], dtype=bool)
    told = validity_of(probability, can_run)
    pairs = [(p > q) + (p == q) / 2 for p in probability[can_run] for q in probability[~can_run]]
    if pairs:
        assert told["auc"] == pytest.approx(np.mean(pairs))
    else:
        assert told["auc"] is None
    if rows:
        right = np.mean([(p >= 0.5) == runs for p, runs in zip(probability, can_run, strict=True)])
        assert told["accuracy"] == pytest.approx(100 * right)
    else:
        assert told["accuracy"] is None


@pytest.fixture
def held_out():
    rng = np.random.default_rng(0)
    choices = JOINT.space.sample(300, rng).astype(np.uint8)
    choices[200:220, 2:] = choices[0, 2:]  # rows to learn from on the accelerator of row 0
    logs = rng.normal(size=(300, 3)).astype(np.float32)
    can_run = np.arange(300) % 5 > 0
    logs[~can_run, :2] = np.nan
    can_run[0], logs[0] = True, (0.5, 0.2, 0.1)
    predicted = {head: logs[:, i] + np.float32(0.01) for i, head in enumerate(HEADS)}
    predicted["log_latency_ms"][0] += 1  # the worst
    predicted["log_energy_mj"][101] -= 0.3  # the second
    predicted["log_area_mm2"][7] += 9  # not asked about
    return HeldOut(
        joint=JOINT,
        choices=choices,
        logs=logs,
        can_run=can_run,
        predicted={**predicted, VALIDITY: can_run * 0.9},
        train=np.arange(200, 300),
        parts={"random": np.arange(100), "hardware": np.arange(100, 150)},
    )


def test_every_part_and_head_has_its_errors(held_out):
    errors = held_out.errors
    assert set(errors) == {"random", "hardware"}
    assert errors["hardware"]["log_area_mm2"]["mape"] == pytest.approx(100 * np.expm1(0.01), 1e-3)
    assert errors["random"]["log_area_mm2"]["mape"] > 1000
    assert errors["random"][VALIDITY] == {"auc": 1.0, "accuracy": 100.0}
    runs = int(held_out.can_run[:100].sum())
    assert errors["random"]["log_latency_ms"]["within_10"] == pytest.approx(100 - 100 / runs)


def test_the_worst_cases_are_the_worst_in_order_and_decoded(held_out):
    asked = []

    def explain(choice):
        asked.append(choice)
        return {"io": 1.0}

    first, second, *rest = held_out.worst(20, explain)
    assert len(rest) == 18
    assert (first["split"], first["cost"]) == ("random", "latency_ms")
    assert first["true"] == pytest.approx(np.exp(0.5))
    assert first["error_percent"] == pytest.approx(100 * np.expm1(1.01), rel=1e-4)
    assert first["predicted"] == pytest.approx(np.exp(1.51))
    assert first["network"] | first["hardware"] == JOINT.space.values(
        held_out.choices[0].astype(int)
    )
    assert list(first["network"]) == ["depth", "kernel"]
    assert first["training_rows_on_accelerator"] >= 20
    assert first["latency_share"] == {"io": 1.0}
    assert np.array_equal(asked[0], held_out.choices[0])
    assert (second["split"], second["cost"]) == ("hardware", "energy_mj")
    assert second["error_percent"] < -20
    assert held_out.worst(1, None)[0]["latency_share"] is None


def test_calibration_is_the_mean_error_by_value(held_out):
    told = held_out.calibration
    assert set(told) == {decision.name for decision in JOINT.accelerator.decisions}
    rows = np.flatnonzero(held_out.can_run[:150])
    column = [d.name for d in JOINT.space.decisions].index("pes_x")
    here = rows[held_out.choices[rows, column] == 1]
    off = held_out.predicted["log_latency_ms"][here] - held_out.logs[here, 0]
    value = str(JOINT.accelerator.decisions[0].values[1])
    assert told["pes_x"][value]["log_latency_ms"] == pytest.approx(100 * np.expm1(off).mean())


def test_the_simulator_says_what_the_latency_is_spent_on():
    joint = JointSpace(named("macro"))
    choice = joint.space.sample(1, np.random.default_rng(0))[0]
    shares = bounds(joint, Objective.LATENCY, None)(choice)
    assert set(shares) == {"compute", "local_memory", "io", "waiting"}
    assert sum(shares.values()) == pytest.approx(1)
    assert min(shares.values()) >= 0
