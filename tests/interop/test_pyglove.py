"""PyGlove drives a space."""

import sys

import numpy as np
import pytest

from nahas.controllers.allowed import allowed_values
from nahas.errors import SpaceError, UsageError
from nahas.interop.pyglove import choice_of, controller, dna_of, dna_spec, evolution
from nahas.spaces.space import Decision, Space

SPACE = Space(
    "mixed",
    (Decision("kernel", (3, 5, 7)), Decision("wide", (False, True)), Decision("kind", ("a", "b"))),
)
ONE = Space("one", (Decision("kernel", (3, 5, 7)),))


def test_without_pyglove_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyglove", None)
    for use in (lambda: dna_spec(SPACE), lambda: evolution(SPACE, np.random.default_rng(0), None)):
        with pytest.raises(UsageError, match=r"pip install 'nahas\[pyglove\]'"):
            use()


class TestWithPyglove:
    @pytest.fixture(autouse=True)
    def _pyglove(self):
        self.pyglove = pytest.importorskip("pyglove", reason="needs the extra pyglove")

    @pytest.mark.parametrize("space", [SPACE, ONE], ids=lambda space: space.name)
    def test_a_dna_is_a_choice(self, space):
        for choice in space.sample(5, np.random.default_rng(0)):
            assert choice_of(space, dna_of(space, choice)).tolist() == choice.tolist()

    def test_a_spec_names_decisions_and_values(self):
        dna = dna_of(SPACE, np.array([1, 1, 0]))
        assert dna["kernel"].value == 1
        assert "5" in dna.to_dict(value_type="literal")["kernel"]
        assert dna_spec(SPACE).space_size == SPACE.size == 12

    @pytest.mark.parametrize("space", [SPACE, ONE], ids=lambda space: space.name)
    def test_generators_are_controllers(self, space):
        for generator in (self.pyglove.geno.Random, None):
            make = generator and (lambda seed, of=generator: of(seed=seed))
            made = controller(space, np.random.default_rng(0), make)
            choices = made.ask(3)
            space.check(choices)
            made.tell(choices, np.arange(3.0))

    def test_all_of_them_by_sweeping_and_then_a_sentence(self):
        allowed = allowed_values(SPACE, {"wide": True})
        made = controller(
            SPACE, np.random.default_rng(0), lambda _: self.pyglove.geno.Sweeping(), allowed
        )
        assert len(np.unique(made.ask(6), axis=0)) == 6
        with pytest.raises(UsageError, match="the generator Sweeping has no more proposals"):
            made.ask(1)

    def test_a_dna_of_another_space_is_refused(self):
        with pytest.raises(SpaceError, match="is not of it: see dna_spec"):
            choice_of(SPACE, dna_of(ONE, np.array([2])))
