"""Optuna drives a space."""

import sys

import numpy as np
import pytest

from nahas.controllers.allowed import allowed_values
from nahas.errors import SpaceError, StudyError, UsageError
from nahas.interop.optuna import choice_of, controller, distributions, params_of, tpe
from nahas.spaces.space import Decision, Space

SPACE = Space(
    "mixed",
    (Decision("kernel", (3, 5, 7)), Decision("wide", (False, True)), Decision("kind", ("a", "b"))),
)


def test_without_optuna_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    for use in (lambda: distributions(SPACE), lambda: tpe(SPACE, np.random.default_rng(0), None)):
        with pytest.raises(UsageError, match=r"pip install 'nahas\[search\]'"):
            use()


class TestWithOptuna:
    @pytest.fixture(autouse=True)
    def _optuna(self):
        self.optuna = pytest.importorskip("optuna", reason="needs the extra search")

    def test_a_study_of_ones_own_has_the_values(self):
        study = self.optuna.create_study(sampler=self.optuna.samplers.RandomSampler(seed=0))
        for _ in range(10):
            params = study.ask(distributions(SPACE)).params
            choice = choice_of(SPACE, params)
            assert params_of(SPACE, choice) == params
        with pytest.raises(SpaceError, match="no value for decisions"):
            choice_of(SPACE, {"kernel": 3})

    def test_some_values_may_be_all_that_is_allowed(self):
        found = distributions(SPACE, allowed_values(SPACE, {"wide": True}))
        assert [tuple(d.choices) for d in found.values()] == [(3, 5, 7), (True,), ("a", "b")]

    def test_any_sampler_is_a_controller_that_is_restored(self):
        def make(seed):
            return self.optuna.samplers.NSGAIISampler(seed=seed, population_size=8)

        first = controller(SPACE, np.random.default_rng(0), make)
        for size in (8, 8, 5):
            choices = first.ask(size)
            first.tell(choices, choices.sum(axis=1).astype(float))
        other = controller(SPACE, np.random.default_rng(9), make)
        other.restore(first.state())
        assert other.ask(8).tolist() == first.ask(8).tolist()

    def test_one_that_proposes_otherwise_is_not_restored(self):
        first = tpe(SPACE, np.random.default_rng(0), None)
        choices = first.ask(8)
        first.tell(choices, np.zeros(8))
        state = {**first.state(), "choices": (choices + 1) % SPACE.cardinalities}
        with pytest.raises(StudyError, match="does not propose again what it proposed"):
            first.restore(state)

    def test_the_last_round_may_be_told_in_part(self):
        made = tpe(SPACE, np.random.default_rng(0), None)
        choices = made.ask(8)
        made.tell(choices[:3], np.zeros(3))
        assert made.state()["rounds"].tolist() == [8, -3]

    def test_nothing_is_said(self, capfd):
        tpe(SPACE, np.random.default_rng(0), None).ask(1)
        assert capfd.readouterr().err == ""
