"""Listing studies: what is found, in which state, and what cannot be read."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest

from nahas.errors import StudyError
from nahas.problem import Search
from nahas.report.studies import SORTS, listed, studies
from nahas.strategies import searched
from nahas.study.lock import WriterLock, writer_of
from nahas.study.origin import Origin
from nahas.study.store import Study
from tests.fakes import fake_problem


@pytest.fixture
def made(result, tmp_path):
    """Writes a study of the made-up search below the folder."""

    def make(name, count=20, *, ended=None, **options):
        origin = Origin(
            space=result.joint.space,
            seed=options.pop("seed", 0),
            options={"space": "macro", "controller": "ppo", **options},
            notes={
                "accuracy": result.accuracy_label,
                "targets": dict(result.targets),
                "baseline": asdict(replace(result.baseline, latency_ms=0.5)),
                **({"ended": ended} if ended else {}),
            },
        )
        path = tmp_path / name
        with Study.create(path, origin, 1e9 + count) as study:
            if count:
                study.keep(result.trials[:count], 0, None)
        return path

    return make


def test_says_what_the_study_holds(made, result):
    of = listed(made("a/study.db", 30, strategy="phase", seed=4))
    trials = result.trials[:30]
    assert (of.space, of.strategy, of.controller, of.seed) == ("macro", "phase", "ppo", 4)
    assert (of.trials, of.satisfied) == (30, int(trials.satisfied.sum()))
    assert of.best_reward == trials.reward.max()
    assert (of.begun, of.last) == (1e9 + 30, trials.time[-1])
    assert of.bytes == of.path.stat().st_size
    assert of.hypervolume is None


def test_hypervolume_is_told_of_pareto_searches(tmp_path):
    path = tmp_path / "study.db"
    search = Search(space="macro", controller="random", pareto=True, trials=40, study=path)
    found = searched(fake_problem(), search)
    of = listed(path)
    assert of.hypervolume == pytest.approx(found.front.hypervolume)
    assert of.best_reward is None


@pytest.mark.parametrize(
    ("ended", "state"),
    [
        ({"by": "trials", "trials": 20}, "finished"),
        ({"by": "time", "trials": 20}, "finished"),
        ({"by": "interrupt", "trials": 20}, "interrupted"),
        ({"by": "trials", "trials": 10}, "interrupted"),
        (None, "interrupted"),
    ],
)
def test_state_follows_from_how_the_search_ended(made, ended, state):
    assert listed(made("study.db", 20, ended=ended)).state == state


def test_an_older_study_is_finished_when_it_has_what_was_asked_for(made):
    path = made("study.db", 20)
    for trials, state in ((20, "finished"), (40, "interrupted")):
        (path.parent / "options.toml").write_text(f"[cosearch]\ntrials = {trials}\n")
        assert (listed(path).state, listed(path).wanted) == (state, trials)


def test_a_study_that_is_written_runs_and_says_by_whom(made):
    path = made("study.db", 20, ended={"by": "trials", "trials": 20})
    lock = WriterLock(path)
    of = listed(path)
    lock.release()
    assert (of.state, of.pid) == ("running", lock_owner())
    lock.path.write_text("123\n")  # left behind by a kill: no lock
    assert writer_of(path) is None
    assert listed(path).state == "finished"


def lock_owner():
    import os

    return os.getpid()


def test_sorted_with_the_greatest_first_where_that_is_meant(made):
    for name, count in (("b.db", 5), ("a/study.db", 20), ("c/study.db", 0)):
        made(name, count)
    folder = made("d/study.db", 10).parent.parent
    for sort in SORTS:
        found, unreadable = studies(folder, sort)
        assert len(found) == 4
        assert unreadable == []
    names = [of.path.relative_to(folder).as_posix() for of in studies(folder)[0]]
    assert names == ["a/study.db", "b.db", "c/study.db", "d/study.db"]
    assert [of.trials for of in studies(folder, "trials")[0]] == [20, 10, 5, 0]
    assert studies(folder, "best_reward")[0][-1].best_reward is None


def test_what_cannot_be_read_is_named_with_the_reason(made, tmp_path):
    whole = made("a/study.db").read_bytes()
    (tmp_path / "study.db").write_text("no study")
    (tmp_path / "cut.db").write_bytes(whole[:5000])
    (tmp_path / "newer").mkdir()
    newer = bytearray(whole)
    newer[60:64] = (99).to_bytes(4, "big")  # SQLite's header field of the schema's version
    (tmp_path / "newer" / "study.db").write_bytes(newer)
    (tmp_path / "other.db").write_text("nobody says that this is a study")
    found, unreadable = studies(tmp_path)
    assert [of.path.parent.name for of in found] == ["a"]
    reasons = {of.path.relative_to(tmp_path).as_posix(): of.reason for of in unreadable}
    assert set(reasons) == {"study.db", "cut.db", "newer/study.db"}
    assert "is not a study" in reasons["study.db"]
    assert "damaged" in reasons["cut.db"]
    assert "install a newer nahas" in reasons["newer/study.db"]


def test_no_folder_is_a_sentence(tmp_path):
    with pytest.raises(StudyError, match="give one that holds studies"):
        studies(tmp_path / "none")
