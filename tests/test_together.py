"""Parts of a search together: phases, a window of batches in flight, a front, and resuming."""

from dataclasses import replace

import numpy as np
import pytest

from nahas.errors import UsageError
from nahas.pareto import ParetoReward
from nahas.problem import Search
from nahas.strategies import check, recall, searched
from tests.fakes import fake_problem
from tests.test_phases import BLOCKS, same_but_time

QUICK = Search(space="macro", controller="reinforce", trials=60, batch=10)


def broken_at_every_batch(search):
    """The search, killed after each of its batches and resumed; the times are not compared."""
    for first in range(0, search.trials, search.batch):

        def stop(trials, first=first):
            if trials.number[0] == first:
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            searched(fake_problem(), replace(search, resume=search.study.exists()), stop)
    return searched(fake_problem(), replace(search, resume=True))


@pytest.mark.parametrize(
    "options",
    [
        {"strategy": "phase", "ahead": 2},
        {"strategy": "phase-network", "ahead": 1, "controller": "evolution"},
        {"controller": "ppo", "ahead": 2},
        {"controller": "local", "ahead": 2},
        {"controller": "evolution", "ahead": 2, "pareto": True},
        {"strategy": "phase", "ahead": 2, "pareto": True},
        {"strategy": "phase-network", "pareto": True, "controller": "local"},
    ],
    ids=lambda options: " ".join(map(str, options.values())),
)
def test_resumed_at_every_batch_equals_unbroken(tmp_path, options):
    search = replace(QUICK, **options)
    unbroken = searched(fake_problem(), replace(search, study=tmp_path / "unbroken.db"))
    resumed = broken_at_every_batch(replace(search, study=tmp_path / "broken.db"))
    assert same_but_time(unbroken.trials, resumed.trials)
    assert unbroken.best == resumed.best == recall(tmp_path / "broken.db").best


@pytest.mark.parametrize("ahead", [0, 2])
def test_a_phase_of_a_pareto_search_keeps_what_alone_dominates_most(ahead):
    problem = fake_problem()
    result = searched(problem, replace(QUICK, strategy="phase", pareto=True, ahead=ahead))
    reward = ParetoReward.beside(
        problem.accuracy.accuracy(problem.reference[None]),
        problem.simulate(
            [problem.joint.network_space.network(problem.reference)], [problem.baseline]
        ),
    )
    first, second = result.trials[:30], result.trials[30:]
    best = int(np.argmax(reward.alone(first)))
    assert (second.choices[:, BLOCKS:] == first.choices[best, BLOCKS:]).all()
    assert result.front.hypervolume == pytest.approx(result.trials.reward.clip(0).sum())


def test_a_search_at_once_has_no_front():
    search = replace(QUICK, strategy="one-shot", pareto=True)
    for function in (check, searched):
        with pytest.raises(UsageError, match="one-shot search ends with one design"):
            function(fake_problem(), search)
