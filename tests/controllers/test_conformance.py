"""What every controller does: one line in CONTROLLERS gives a new one the whole suite."""

import numpy as np
import pytest

from nahas.controllers.allowed import allowed_values
from nahas.controllers.base import MultiObjective
from nahas.controllers.evolution import Evolution, EvolutionHyperparameters
from nahas.controllers.local import LocalSearch
from nahas.controllers.named import CONTROLLERS as NAMES
from nahas.controllers.named import controller_of
from nahas.controllers.ppo import Ppo, PpoHyperparameters
from nahas.controllers.random import Random
from nahas.controllers.reinforce import Reinforce
from nahas.controllers.within import Within
from nahas.errors import SpaceError, StudyError
from nahas.spaces.space import Decision, Space

SPACE = Space("toy", tuple(Decision(f"d{i}", tuple(range(n))) for i, n in enumerate((3, 1, 5, 2))))


def small_ppo(space, rng, allowed=None):
    knobs = PpoHyperparameters(hidden=16, learning_rate=5e-3, entropy_trials=200)
    return Ppo(space, rng, allowed, hyperparameters=knobs)


def within(make):
    """A controller that knows no masks, behind one where there is a mask."""

    def masked(space, rng, allowed=None):
        if allowed is None:
            return make(space, rng)
        return Within(space, allowed, lambda part, _: make(part, rng))

    masked.__name__ = make.__name__
    return masked


@within
def evolution(space, rng):
    knobs = EvolutionHyperparameters(population=40, tournament=10)
    return Evolution(space, rng, hyperparameters=knobs)


@within
def local(space, rng):
    return LocalSearch(space, rng)


@within
def nsga2(space, rng):
    optuna = pytest.importorskip("optuna", reason="needs the extra search")
    from nahas.interop.optuna import controller

    def sampler(seed):
        return optuna.samplers.NSGAIISampler(population_size=20, seed=seed)

    return controller(space, rng, sampler, objectives=4)


def optuna_tpe(space, rng, allowed=None):
    pytest.importorskip("optuna", reason="needs the extra search")
    from nahas.interop.optuna import controller

    return controller(space, rng, allowed=allowed)


def pyglove_evolution(space, rng, allowed=None):
    pyglove = pytest.importorskip("pyglove", reason="needs the extra pyglove")
    from nahas.interop.pyglove import controller

    def evolution(seed):
        mutator = pyglove.evolution.mutators.Uniform(seed=seed)
        return pyglove.evolution.regularized_evolution(mutator, 40, 5, seed=seed)

    return controller(space, rng, evolution, allowed)


SETTLERS = [small_ppo, Reinforce, nsga2, optuna_tpe, pyglove_evolution]
"""Those that propose the best again and again in the end; others leave it to look around."""

CONTROLLERS = [*SETTLERS, evolution, local, Random]


def separable(choices):
    """Each decision adds its own part; the best choice is the last value of each."""
    return (choices / (SPACE.cardinalities - 1).clip(1)).sum(axis=1)


def rounds(controller, count, size=10):
    """Choices of some rounds of ask and tell, stacked."""
    asked = []
    for _ in range(count):
        choices = controller.ask(size)
        controller.tell(choices, separable(choices))
        asked.append(choices)
    return np.concatenate(asked)


def ahead(controller, count, window=3, size=10, reward=separable):
    """The same where `window` rounds are asked for before the first of them is told.

    Returns:
        The choices, and those of each round that is not told yet.
    """
    asked, told = [], 0
    for _ in range(count):
        asked.append(controller.ask(size))
        if len(asked) - told == window:
            controller.tell(asked[told], reward(asked[told]))
            told += 1
    return np.concatenate(asked), asked[told:]


@pytest.mark.parametrize("make", CONTROLLERS)
class TestController:
    def test_proposes_choices_of_the_space(self, make):
        controller = make(SPACE, np.random.default_rng(0))
        for count in (1, 7, 20):
            choices = controller.ask(count)
            assert choices.shape == (count, 4)
            assert choices.dtype == np.int64
            SPACE.check(choices)

    def test_proposes_every_value_at_first(self, make):
        choices = make(SPACE, np.random.default_rng(0)).ask(200)
        for column, count in enumerate(SPACE.cardinalities):
            assert set(choices[:, column]) == set(range(count))

    def test_same_seed_same_proposals(self, make):
        first, second = (rounds(make(SPACE, np.random.default_rng(3)), 4) for _ in range(2))
        assert first.tolist() == second.tolist()

    def test_other_seed_other_proposals(self, make):
        first, second = (rounds(make(SPACE, np.random.default_rng(s)), 4) for s in (0, 1))
        assert first.tolist() != second.tolist()

    def test_state_restores_the_same_proposals_in_a_new_instance(self, make):
        controller = make(SPACE, np.random.default_rng(0))
        rounds(controller, 3)
        state = {name: array.copy() for name, array in controller.state().items()}
        expected = rounds(controller, 4)
        other = make(SPACE, np.random.default_rng(99))
        other.restore(state)
        assert rounds(other, 4).tolist() == expected.tolist()
        final, reached = controller.state(), other.state()
        assert final.keys() == reached.keys()
        for name in final:
            assert np.array_equal(final[name], reached[name]), name

    def test_restores_what_was_asked_for_and_not_told_yet(self, make):
        controller = make(SPACE, np.random.default_rng(0))
        _, flying = ahead(controller, 12)
        state = {name: array.copy() for name, array in controller.state().items()}
        other = make(SPACE, np.random.default_rng(99))
        other.restore(state)
        for choices in flying:
            for one in (controller, other):
                one.tell(choices, separable(choices))
        assert rounds(other, 3).tolist() == rounds(controller, 3).tolist()

    def test_refuses_the_state_of_another_controller(self, make):
        if make is Random:
            pytest.skip("it needs no more than the generator, which every state has")
        with pytest.raises(StudyError, match="the kept controller state is"):
            make(SPACE, np.random.default_rng(0)).restore({"rng": np.zeros(6, np.uint64)})

    def test_state_is_plain_arrays(self, make):
        for name, array in make(SPACE, np.random.default_rng(0)).state().items():
            assert isinstance(name, str)
            assert isinstance(array, np.ndarray)
            assert array.dtype.kind in "iuf"

    def test_leaves_the_global_generator_alone(self, make):
        np.random.seed(0)  # noqa: NPY002 - what is tested is that nobody draws from it
        before = np.random.get_state()[1].copy()  # noqa: NPY002 - as above
        rounds(make(SPACE, np.random.default_rng(0)), 2)
        assert (np.random.get_state()[1] == before).all()  # noqa: NPY002 - as above

    def test_never_proposes_what_is_not_allowed(self, make):
        allowed = allowed_values(SPACE, {"d3": 0})
        allowed[2] = [False, True, False, True, False]
        choices = rounds(make(SPACE, np.random.default_rng(0), allowed), 10, 20)
        assert set(choices[:, 3]) == {0}
        assert set(choices[:, 2]) == {1, 3}

    @pytest.mark.parametrize("spoil", [lambda a: a[:, :2], lambda a: a & False, lambda a: a | True])
    def test_refuses_a_mask_that_means_nothing(self, make, spoil):
        with pytest.raises(SpaceError, match="at least one of its values"):
            make(SPACE, np.random.default_rng(0), spoil(allowed_values(SPACE)))

    def test_a_flat_reward_teaches_nothing_harmful(self, make):
        controller = make(SPACE, np.random.default_rng(0))
        for value in (0.0, 0.0, 70.0, 70.0):
            choices = controller.ask(8)
            controller.tell(choices, np.full(8, value))
        SPACE.check(controller.ask(8))
        for array in controller.state().values():
            assert np.isfinite(array).all()


@pytest.mark.parametrize("make", SETTLERS)
def test_learns_a_separable_space_better_than_random(make):
    last = separable(rounds(make(SPACE, np.random.default_rng(0)), 40)[-50:]).mean()
    drawn = separable(rounds(Random(SPACE, np.random.default_rng(0)), 40)[-50:]).mean()
    assert drawn == pytest.approx(1.5, abs=0.3)
    assert last > 2.5


def total(choices):
    return choices.sum(axis=1).astype(float)


@pytest.mark.parametrize("window", [1, 3])
@pytest.mark.parametrize("make", [Reinforce, evolution, local, nsga2])
def test_finds_better_than_random_in_as_many_trials(make, window):
    """In a space of 4**10 choices, where 300 draws are nowhere near the best."""
    space = Space("wide", tuple(Decision(f"d{i}", (0, 1, 2, 3)) for i in range(10)))
    found, drawn = (
        ahead(maker(space, np.random.default_rng(1)), 30, window, reward=total)[0]
        for maker in (make, Random)
    )
    assert total(found).max() > total(drawn).max()


class TestNamed:
    @pytest.mark.parametrize("name", [*NAMES, "nsga2", "optuna-tpe", "pyglove-evolution"])
    def test_every_name_keeps_to_what_is_allowed(self, name):
        for extra in {"nsga2": ["optuna"], "optuna-tpe": ["optuna"]}.get(name, []):
            pytest.importorskip(extra, reason="needs the extra search")
        if name == "pyglove-evolution":
            pytest.importorskip("pyglove", reason="needs the extra pyglove")
        allowed = allowed_values(SPACE, {"d3": 0})
        allowed[2] = [False, True, False, True, False]
        seen = []

        def applicable(choices):
            seen.append(choices)
            return choices >= 0

        controller = controller_of(name, SPACE, np.random.default_rng(0), applicable, allowed)
        choices = rounds(controller, 12)
        assert set(choices[:, 3]) == {0}
        assert set(choices[:, 2]) == {1, 3}
        assert set(choices[:, 0]) == {0, 1, 2}
        for shown in seen:  # choices of the whole space, within the mask
            assert set(shown[:, 2]) <= {1, 3}
            assert set(shown[:, 3]) <= {0}

    def test_a_space_without_a_choice_has_one_proposal(self):
        allowed = allowed_values(SPACE, {"d0": 2, "d2": 4, "d3": 1})
        for name in ("reinforce", "evolution", "local", "random"):
            controller = controller_of(name, SPACE, np.random.default_rng(0), None, allowed)
            assert (rounds(controller, 3) == [2, 0, 4, 1]).all()

    def test_behind_a_mask_objectives_are_told_to_who_wants_them(self):
        allowed = allowed_values(SPACE, {"d3": 0})
        made = nsga2(SPACE, np.random.default_rng(0), allowed)
        assert isinstance(made, MultiObjective)
        assert not isinstance(evolution(SPACE, np.random.default_rng(0), allowed), MultiObjective)
        for _ in range(20):
            choices = made.ask(10)
            made.tell_objectives(choices, 3.0 - np.repeat(separable(choices)[:, None], 4, axis=1))
        assert separable(made.ask(40)).mean() > 1.3  # 1.0 by chance


class TestAllowedValues:
    def test_pads_to_the_most_values(self):
        assert allowed_values(SPACE).sum(axis=1).tolist() == [3, 1, 5, 2]

    def test_of_an_unknown_decision(self):
        with pytest.raises(SpaceError, match="no decision 'd9' to fix"):
            allowed_values(SPACE, {"d9": 1})

    def test_of_an_unknown_value(self):
        with pytest.raises(SpaceError, match="'d0' is 8: allowed are"):
            allowed_values(SPACE, {"d0": 8})
