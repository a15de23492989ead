"""What the benchmark that searches by simulator and model concludes from its rows."""

import runpy
from dataclasses import replace
from itertools import product
from math import isclose
from pathlib import Path

import pytest

from nahas.problem import Search
from nahas.strategies import searched
from tests.fakes import predicted_problem

BENCHMARK = runpy.run_path(
    str(Path(__file__).parents[2] / "benchmarks" / "costmodel_use.py"), run_name="costmodel_use"
)
RATES = {"simulated": 5000.0}


def rows(won, lost):
    row = {"seconds": 10.0, "distinct": 900, "promised": 5, "broken": 1, "satisfied": True}
    for seed in range(won + lost):
        true, guessed = (50.0, 51.0) if seed < won else (51.0, 50.0)
        yield row | {"costs_by": "simulator", "reward": true, "cost_seconds": 5.0}
        yield row | {"costs_by": "model", "reward": guessed, "cost_seconds": 1.0}


@pytest.mark.parametrize(("won", "lost"), [(0, 0), (3, 2), (5, 0), (0, 6), (7, 1), (9, 1)])
def test_the_sign_test_counts_outcomes_of_fair_coins(won, lost):
    count, gap = won + lost, abs(won - lost)
    uneven = [abs(2 * sum(coins) - count) >= gap for coins in product((0, 1), repeat=count)]
    assert isclose(BENCHMARK["sign_test"](won, lost), sum(uneven) / len(uneven))


@pytest.mark.parametrize(
    ("won", "lost", "said"),
    [
        (2, 3, "Neither is shown to find better designs (sign test p = 1.00)"),
        (0, 5, "Neither is shown to find better designs (sign test p = 0.06)"),
        (1, 9, "The simulator finds the better designs (sign test p = 0.021)"),
        (6, 0, "The model finds the better designs (sign test p = 0.031)"),
    ],
)
def test_a_few_seeds_that_disagree_decide_nothing(won, lost, said):
    assert BENCHMARK["verdict"](list(rows(won, lost)), RATES, 10_000)[-1].startswith(said)


def test_a_search_in_which_nothing_runs_has_a_row(capsys):
    result = searched(predicted_problem(), Search(space="macro", controller="random", trials=20))
    row = BENCHMARK["searched_row"](replace(result, best=()), "model", 1.0)
    assert (row["network"], row["reward"], row["satisfied"]) == (None, 0.0, False)
    assert row["latency_ms"] is None
    BENCHMARK["print_search"](row)
    assert "missed" in capsys.readouterr().out
