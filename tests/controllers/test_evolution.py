"""Evolution's own behaviour, and local search's, beyond what every controller does."""

import numpy as np
import pytest

from nahas.controllers.evolution import Evolution, EvolutionHyperparameters, mutated
from nahas.controllers.local import LocalSearch, neighbours
from nahas.errors import UsageError
from nahas.spaces.space import Decision, Space

SPACE = Space("toy", tuple(Decision(f"d{i}", tuple(range(n))) for i, n in enumerate((3, 1, 4, 2))))


def second_half_only(choices):
    """The last two decisions matter where the first is 0; the first two always."""
    return np.stack([choices[:, 0] >= 0] * 2 + [choices[:, 0] == 0] * 2, axis=1)


def evolution(seed=0, applicable=None, **knobs):
    rng = np.random.default_rng(seed)
    return Evolution(SPACE, rng, applicable, EvolutionHyperparameters(**knobs))


class TestMutated:
    def test_changes_one_decision_that_matters_to_each_other_value_equally_often(self):
        parents = np.repeat([[0, 0, 1, 1]], 6000, axis=0)
        children = mutated(parents, SPACE, np.random.default_rng(0), second_half_only)
        assert ((children != parents).sum(axis=1) == 1).all()
        SPACE.check(children)
        for column, others in ((0, 2), (2, 3), (3, 1)):
            changed = children[children[:, column] != parents[:, column], column]
            assert len(changed) == pytest.approx(2000, abs=150)
            values, counts = np.unique(changed, return_counts=True)
            assert len(values) == others
            assert counts == pytest.approx(2000 / others, abs=120)

    def test_leaves_what_does_not_matter(self):
        parents = np.repeat([[1, 0, 1, 1]], 500, axis=0)
        children = mutated(parents, SPACE, np.random.default_rng(0), second_half_only)
        assert (children[:, 1:] == parents[:, 1:]).all()
        assert set(children[:, 0]) == {0, 2}

    def test_of_a_parent_without_a_choice_is_the_parent(self):
        parents = np.array([[1, 0, 1, 1]])
        none = mutated(parents, SPACE, np.random.default_rng(0), lambda c: c < 0)
        assert none.tolist() == parents.tolist()


class TestEvolution:
    def test_the_best_of_a_tournament_of_all_is_the_parent(self):
        made = evolution(population=30, tournament=1000)
        choices = made.ask(30)
        rewards = np.random.default_rng(1).random(30)
        made.tell(choices, rewards)
        parent = choices[rewards.argmax()]
        assert ((made.ask(50) != parent).sum(axis=1) == 1).all()

    def test_the_oldest_leave_however_good_they_are(self):
        made = evolution(population=20, tournament=1000)
        made.tell(made.ask(20), np.full(20, 9.0))
        last = made.ask(20)
        made.tell(last, np.arange(20.0) / 100)
        assert made.state()["population"].tolist() == last.tolist()
        assert ((made.ask(50) != last[-1]).sum(axis=1) == 1).all()

    def test_draws_while_nothing_was_told(self):
        made = evolution(population=10)
        assert len(np.unique(made.ask(40), axis=0)) > 10

    @pytest.mark.parametrize("name", ["population", "tournament"])
    def test_refuses_what_means_nothing(self, name):
        with pytest.raises(UsageError, match=f"evolution: {name} is 0, but it must be at least 1"):
            EvolutionHyperparameters(**{name: 0})


class TestLocalSearch:
    def test_neighbours_differ_in_one_decision_that_matters(self):
        near = neighbours(np.array([0, 0, 1, 1]), SPACE, second_half_only)
        assert len(np.unique(near, axis=0)) == len(near) == 2 + 0 + 3 + 1
        assert ((near != [0, 0, 1, 1]).sum(axis=1) == 1).all()
        assert len(neighbours(np.array([1, 0, 1, 1]), SPACE, second_half_only)) == 2

    def test_climbs_from_the_first_better_neighbour(self):
        made = LocalSearch(SPACE, np.random.default_rng(0))
        here = made.ask(1)
        made.tell(here, np.array([1.0]))
        first = made.ask(1)
        assert (first != here).sum() == 1
        made.tell(first, np.array([0.5]))
        second = made.ask(1)
        assert (second != here).sum() == 1
        assert second.tolist() != first.tolist()
        made.tell(second, np.array([2.0]))
        assert (made.ask(1) != second).sum() == 1

    def test_begins_again_when_no_neighbour_is_better(self):
        made = LocalSearch(SPACE, np.random.default_rng(0))
        top = made.ask(1)
        made.tell(top, np.array([1.0]))
        near = made.ask(6)
        made.tell(near, np.zeros(6))
        fresh = made.ask(20)  # nothing to climb from: all are drawn
        made.tell(fresh, np.arange(20.0) / 100)
        assert len(np.unique(fresh, axis=0)) > 10
        assert ((made.ask(6) != fresh[-1]).sum(axis=1) == 1).all()

    def test_what_fills_a_batch_begins_the_next_climb(self):
        made = LocalSearch(SPACE, np.random.default_rng(0))
        made.tell(made.ask(1), np.array([1.0]))
        batch = made.ask(10)  # six neighbours and four drawn
        made.tell(batch, np.array([0.0] * 6 + [0.1, 0.4, 0.2, 0.3]))
        assert ((made.ask(6) != batch[7]).sum(axis=1) == 1).all()

    def test_a_neighbour_in_flight_may_still_be_better(self):
        made = LocalSearch(SPACE, np.random.default_rng(0))
        made.tell(made.ask(1), np.array([1.0]))
        batches = made.ask(3), made.ask(3), made.ask(2)
        made.tell(batches[0], np.zeros(3))
        made.tell(batches[1], np.array([0.0, 5.0, 0.0]))
        assert ((made.ask(6) != batches[1][1]).sum(axis=1) == 1).all()

    def test_finds_the_best_of_a_space_without_local_optima(self):
        made = LocalSearch(SPACE, np.random.default_rng(0))
        found = 0.0
        for _ in range(6):
            choices = made.ask(10)
            made.tell(choices, choices.sum(axis=1).astype(float))
            found = max(found, choices.sum(axis=1).max())
        assert found == (SPACE.cardinalities - 1).sum()
