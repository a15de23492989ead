"""A user's own space, searched and read back."""

from dataclasses import replace

import numpy as np
import pytest

from nahas.errors import AccuracyError, SpaceError, StudyError
from nahas.problem import Search, problem_of
from nahas.strategies import recall, searched
from tests.fakes import FakeAccuracy
from tests.spaces.test_from_file import SPACE

DEEPER = SPACE.replace(
    "return on.dense", 'x = on.conv(x, choose("width", (8, 16)))\n    return on.dense'
)


@pytest.fixture
def search(tmp_path):
    file = tmp_path / "spaces.py"
    file.write_text(DEEPER)
    return Search(
        space=f"{file}:mine", controller="random", trials=8, batch=4, study=tmp_path / "study.db"
    )


def problem(search):
    return problem_of(search, accuracy=FakeAccuracy())


def test_a_study_is_continued_and_recalled(search, tmp_path):
    first = searched(problem(search), search)
    assert first.baseline.network == "mine:kernel=1,width=8"
    longer = searched(problem(search), replace(search, trials=16, resume=True))
    assert np.array_equal(longer.trials.choices[:8], first.trials.choices)
    assert recall(search.study).best == longer.best
    moved = tmp_path / "elsewhere.py"
    (tmp_path / "spaces.py").rename(moved)
    again = replace(search, space=f"{moved}:mine", trials=16, resume=True)
    assert searched(problem(again), again).best == longer.best
    assert recall(search.study).best == longer.best
    moved.unlink()
    with pytest.raises(SpaceError, match="cannot be read"):
        recall(search.study)


def test_a_study_of_a_space_that_has_changed_is_refused(search, tmp_path):
    searched(problem(search), search)
    (tmp_path / "spaces.py").write_text(DEEPER.replace("(8, 16)", "(8, 32)"))
    with pytest.raises(StudyError, match="when it had other decisions"):
        recall(search.study)
    with pytest.raises(StudyError, match="as it was when the study began"):
        searched(problem(search), replace(search, resume=True))


def test_a_space_may_be_given_itself(search):
    from nahas.spaces.named import named

    space = replace(named(search.space), reference={"width": 16})
    given = problem_of(Search(), network_space=space, accuracy=FakeAccuracy())
    assert given.reference.tolist() == [0, 1]


def test_accuracies_must_come_from_somewhere(search):
    with pytest.raises(AccuracyError, match=f"--space {search.space} --sample 100"):
        problem_of(search)
