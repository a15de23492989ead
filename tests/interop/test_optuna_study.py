"""Every trial of a study as Optuna's, read back by Optuna."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from nahas.errors import InteropError, UsageError
from nahas.interop import optuna_rows
from nahas.interop.optuna_study import write_study
from tests.report.conftest import LABEL, TARGETS, made_up

CREATED = 1_700_000_000.0


@pytest.fixture
def optuna():
    return pytest.importorskip("optuna", reason="needs the extra search")


@pytest.fixture
def result():
    """Sixty trials a second apart; some cannot run, one has no accuracy."""
    made = made_up(60, TARGETS)
    accuracy = np.where(made.trials.number == 7, np.nan, made.trials.accuracy)
    unable = np.isin(made.trials.number, (5, 11))
    changed = {
        "accuracy": accuracy,
        "time": CREATED + 1.0 + made.trials.number,
        "reason": np.where(unable, 2, 0),
        "satisfied": made.trials.satisfied & ~unable,
        "latency_ms": np.where(unable, np.inf, made.trials.latency_ms),
        "energy_mj": np.where(unable, np.inf, made.trials.energy_mj),
    }
    return replace(made, trials=replace(made.trials, **changed))


def read(optuna, path, name="one"):
    storage = optuna.storages.RDBStorage(f"sqlite:///{path}")
    try:
        return optuna.load_study(study_name=name, storage=storage), optuna.get_all_study_names(
            storage
        )
    finally:
        storage.remove_session()


def told(trial):
    """All that a trial says."""
    return (
        trial.number,
        trial.state,
        trial.values,
        trial.params,
        trial.distributions,
        trial.user_attrs,
        trial.system_attrs,
        trial.datetime_start,
        trial.datetime_complete,
    )


def test_trials_are_those_of_the_study(optuna, result, tmp_path):
    made = write_study(result, CREATED, str(tmp_path / "o.db"), "one")
    assert made == {
        "storage": f"sqlite:///{tmp_path / 'o.db'}",
        "name": "one",
        "trials": 60,
        "values": ["reward"],
    }
    study, _ = read(optuna, tmp_path / "o.db")
    trials, of = study.get_trials(deepcopy=False), result.trials
    assert [trial.value for trial in trials] == of.reward.tolist()
    assert [trial.params for trial in trials] == [
        result.joint.space.values(choice) for choice in of.choices
    ]
    assert study.direction.name == "MAXIMIZE"
    assert study.user_attrs["accuracy_label"] == LABEL
    assert study.user_attrs["controller"] == "ppo"
    assert [trial.duration.total_seconds() for trial in trials] == [1.0] * 60
    reasons = [trial.user_attrs["reason"] for trial in trials]
    assert [row for row, reason in enumerate(reasons) if reason != "ok"] == [5, 11]
    assert reasons[5] == "local_memory"
    assert trials[5].user_attrs["latency_ms"] is None


def test_constraints_say_what_is_feasible(optuna, result, tmp_path):
    write_study(result, CREATED, str(tmp_path / "o.db"), "one")
    study, _ = read(optuna, tmp_path / "o.db")
    constraints = [trial.system_attrs["constraints"] for trial in study.trials]
    assert {len(each) for each in constraints} == {1 + len(TARGETS)}
    met = [all(value <= 0 for value in each) for each in constraints]
    known = np.isfinite(result.trials.accuracy)
    assert met == (result.trials.satisfied & known).tolist()
    best = np.where(met, result.trials.reward, -np.inf).argmax()
    assert study.best_trial.number == best


def test_all_at_once_is_what_optuna_itself_writes(optuna, result, tmp_path, monkeypatch):
    write_study(result, CREATED, str(tmp_path / "quick.db"), "one")
    monkeypatch.setattr("nahas.interop.optuna_study.is_known", lambda _: False)
    few = replace(result, trials=result.trials[:12])
    write_study(few, CREATED, str(tmp_path / "slow.db"), "one")
    quick, slow = (read(optuna, tmp_path / name)[0] for name in ("quick.db", "slow.db"))
    assert [told(t) for t in quick.trials[:12]] == [told(t) for t in slow.trials]
    assert quick.user_attrs == slow.user_attrs
    assert quick.metric_names == slow.metric_names == ["reward"]
    assert quick.directions == slow.directions


def test_the_tables_of_this_optuna_are_known(optuna, tmp_path):
    optuna.storages.RDBStorage(f"sqlite:///{tmp_path / 'o.db'}").remove_session()
    assert optuna_rows.is_storage(tmp_path / "o.db")
    assert optuna_rows.is_known(tmp_path / "o.db")


def test_in_pareto_mode_the_objectives_are_the_values(optuna, result, tmp_path):
    pareto = replace(result, targets={}, options={**result.options, "reward": "pareto"})
    write_study(pareto, CREATED, str(tmp_path / "o.db"), "one")
    study, _ = read(optuna, tmp_path / "o.db")
    assert [each.name for each in study.directions] == ["MAXIMIZE", *["MINIMIZE"] * 3]
    assert study.metric_names == ["accuracy", "latency_ms", "energy_mj", "area_mm2"]
    runs = result.trials.feasible & np.isfinite(result.trials.accuracy)
    assert [trial.state.name == "COMPLETE" for trial in study.trials] == runs.tolist()
    row = int(np.flatnonzero(runs)[0])
    assert study.trials[row].values == [
        getattr(result.trials, name)[row] for name in study.metric_names
    ]
    assert all(runs[trial.number] for trial in study.best_trials)


def test_a_name_that_is_taken_is_replaced_only_when_asked(optuna, result, tmp_path):
    path = str(tmp_path / "o.db")
    write_study(result, CREATED, path, "one")
    write_study(replace(result, trials=result.trials[:5]), CREATED, path, "two")
    with pytest.raises(UsageError, match="there is a study 'one' already: replace it with --force"):
        write_study(result, CREATED, path, "one")
    write_study(replace(result, trials=result.trials[:9]), CREATED, path, "one", replace=True)
    study, names = read(optuna, path)
    assert (len(study.trials), sorted(names)) == (9, ["one", "two"])
    assert len(read(optuna, path, "two")[0].trials) == 5
    with closing(sqlite3.connect(path)) as database:
        (orphans,) = database.execute(
            "SELECT COUNT(*) FROM trial_params WHERE trial_id NOT IN (SELECT trial_id FROM trials)"
        ).fetchone()
    assert orphans == 0


def test_a_file_that_is_something_else_is_left_as_it_is(optuna, result, tmp_path):
    for name, content in (("a.db", b"letter"), ("b.db", b"")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UsageError, match=r"is no storage of Optuna, and is left as it is"):
            write_study(result, CREATED, str(tmp_path / name), "one")
        assert (tmp_path / name).read_bytes() == content


def test_a_new_file_is_whole_or_not_there(optuna, result, tmp_path, monkeypatch):
    def fail(*_):
        raise InteropError("the disk is full")

    monkeypatch.setattr("nahas.interop.optuna_study.insert", fail)
    with pytest.raises(InteropError, match="the disk is full"):
        write_study(result, CREATED, str(tmp_path / "o.db"), "one")
    assert [path.name for path in tmp_path.iterdir()] == []


def test_a_study_that_fails_half_way_leaves_the_former(optuna, result, tmp_path, monkeypatch):
    path = str(tmp_path / "o.db")
    write_study(result, CREATED, path, "one")

    def rows(*_):
        yield from original[:10]
        raise KeyboardInterrupt

    from nahas.interop.optuna_study import rows_of

    original = list(rows_of(result, CREATED, ("reward",)))
    monkeypatch.setattr("nahas.interop.optuna_study.rows_of", rows)
    with pytest.raises(KeyboardInterrupt):
        write_study(result, CREATED, path, "one", replace=True)
    study, names = read(optuna, path)
    assert (len(study.trials), names) == (60, ["one"])


def test_an_empty_study_and_a_storage_that_is_none(optuna, result, tmp_path):
    empty = replace(result, trials=result.trials[:0])
    write_study(empty, CREATED, str(tmp_path / "o.db"), "one")
    assert read(optuna, tmp_path / "o.db")[0].trials == []
    with pytest.raises(InteropError, match="cannot be used as a storage"):
        write_study(result, CREATED, "nothing://here", "one")


def test_trials_of_a_batch_begin_and_end_together(optuna, result, tmp_path):
    time = CREATED + 2.0 + 2.0 * (result.trials.number // 20)
    batches = replace(result, trials=replace(result.trials, time=time))
    write_study(batches, CREATED, str(tmp_path / "o.db"), "one")
    study, _ = read(optuna, tmp_path / "o.db")
    assert {trial.duration.total_seconds() for trial in study.trials} == {2.0}


def test_a_clock_that_went_back_gives_no_negative_duration(optuna, result, tmp_path):
    time = result.trials.time.copy()
    time[30:] -= 3600.0
    odd = replace(result, trials=replace(result.trials, time=time))
    write_study(odd, CREATED, str(tmp_path / "o.db"), "one")
    study, _ = read(optuna, tmp_path / "o.db")
    assert min(trial.duration.total_seconds() for trial in study.trials) == 0.0
