"""What every controller does: one line in CONTROLLERS gives a new one the whole suite."""

import numpy as np
import pytest

from nahas.controllers.allowed import allowed_values
from nahas.controllers.ppo import Ppo, PpoHyperparameters
from nahas.controllers.random import Random
from nahas.controllers.reinforce import Reinforce
from nahas.errors import SpaceError
from nahas.spaces.space import Decision, Space

SPACE = Space("toy", tuple(Decision(f"d{i}", tuple(range(n))) for i, n in enumerate((3, 1, 5, 2))))


def small_ppo(space, rng, allowed=None):
    knobs = PpoHyperparameters(hidden=16, learning_rate=5e-3, entropy_trials=200)
    return Ppo(space, rng, allowed, hyperparameters=knobs)


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


CONTROLLERS = [Random, small_ppo, Reinforce, optuna_tpe, pyglove_evolution]
LEARNERS = [small_ppo, Reinforce, optuna_tpe, pyglove_evolution]


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


@pytest.mark.parametrize("make", LEARNERS)
def test_learns_a_separable_space_better_than_random(make):
    last = separable(rounds(make(SPACE, np.random.default_rng(0)), 40)[-50:]).mean()
    drawn = separable(rounds(Random(SPACE, np.random.default_rng(0)), 40)[-50:]).mean()
    assert drawn == pytest.approx(1.5, abs=0.3)
    assert last > 2.5


class TestAllowedValues:
    def test_pads_to_the_most_values(self):
        assert allowed_values(SPACE).sum(axis=1).tolist() == [3, 1, 5, 2]

    def test_of_an_unknown_decision(self):
        with pytest.raises(SpaceError, match="no decision 'd9' to fix"):
            allowed_values(SPACE, {"d9": 1})

    def test_of_an_unknown_value(self):
        with pytest.raises(SpaceError, match="'d0' is 8: allowed are"):
            allowed_values(SPACE, {"d0": 8})
