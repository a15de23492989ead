"""REINFORCE's own behaviour: its gradient against plain Python, baseline, rates, what it learns."""

import math

import numpy as np
import pytest

from nahas.controllers.allowed import allowed_values
from nahas.controllers.reinforce import EPSILON, Reinforce, ReinforceHyperparameters
from nahas.errors import StudyError, UsageError
from nahas.spaces.space import Decision, Space

SPACE = Space("toy", tuple(Decision(f"d{i}", tuple(range(n))) for i, n in enumerate((3, 4, 2))))
OPTIMUM = np.array([1, 2, 0])


def reinforce(seed=0, *, space=SPACE, allowed=None, applicable=None, **knobs):
    hyperparameters = ReinforceHyperparameters(**knobs)
    return Reinforce(space, np.random.default_rng(seed), allowed, applicable, hyperparameters)


def second_where_first_is_zero(choices):
    """The second decision matters where the first is 0; the others always do."""
    used = np.ones(choices.shape, np.bool_)
    used[:, 1] = choices[:, 0] == 0
    return used


def beginning(controller, logits, baseline):
    """Put a controller where it has these logits and this baseline, after one trial."""
    controller.restore(
        {
            **controller.state(),
            "logits": np.array(logits),
            "told": np.array(1),
            "baseline": np.array(baseline),
        }
    )
    return controller


def objective(logits, allowed, trials, entropy_weight):
    """What is climbed, in plain Python: mean of (reward - baseline) log p, and the entropy.

    `trials` has (choice, which of its decisions apply, reward - baseline).
    """
    tables = []
    for row, may in zip(logits, allowed, strict=True):
        total = math.fsum(math.exp(x) for x, ok in zip(row, may, strict=True) if ok)
        tables.append([x - math.log(total) if ok else None for x, ok in zip(row, may, strict=True)])
    climbed = 0.0
    for choice, used, advantage in trials:
        log_probability = math.fsum(tables[d][value] for d, value in enumerate(choice) if used[d])
        climbed += advantage * log_probability / len(trials)
    entropy = -math.fsum(math.exp(x) * x for table in tables for x in table if x is not None)
    return climbed + entropy_weight * entropy


def slopes(logits, *how):
    """The gradient of `objective` [D][K], by central differences."""
    found = []
    for d, row in enumerate(logits):
        found.append([])
        for k in range(len(row)):
            ends = []
            for step in (1e-5, -1e-5):
                moved = [list(other) for other in logits]
                moved[d][k] += step
                ends.append(objective(moved, *how))
            found[-1].append((ends[0] - ends[1]) / 2e-5)
    return found


class TestGradient:
    LOGITS = ((0.3, -0.5, 0.1, 0.0), (0.2, 0.4, -0.1, 0.6), (-0.3, 0.2, 0.0, 0.0))

    @pytest.mark.parametrize("entropy_weight", [0.0, 0.7])
    @pytest.mark.parametrize("applicable", [None, second_where_first_is_zero])
    def test_is_that_of_log_probabilities_of_applicable_decisions(self, applicable, entropy_weight):
        controller = reinforce(applicable=applicable, entropy_weight=entropy_weight)
        beginning(controller, self.LOGITS, baseline=50.0)
        choices = controller.ask(7)
        assert {0, 1} <= set(choices[:, 0]), "the second decision applies in some of them alone"
        rewards = np.linspace(40.0, 63.0, 7)
        used = np.ones_like(choices) if applicable is None else applicable(choices)
        trials = list(zip(choices.tolist(), used.tolist(), (rewards - 50.0).tolist(), strict=True))
        allowed = allowed_values(SPACE).tolist()
        expected = slopes(self.LOGITS, allowed, trials, entropy_weight)
        controller.tell(choices, rewards)
        state = controller.state()
        # Adam's first step: the second moment is the gradient's square, with its bias corrected.
        corrected = state["squares"] / (1 - 0.999)
        assert np.sqrt(corrected) == pytest.approx(np.abs(expected), abs=1e-6)
        rate = 0.15 * 10.0 ** (1 / 2000)
        climbed = rate * np.array(expected) / (np.abs(expected) + EPSILON)
        known = np.abs(expected) > 1e-6
        moved = state["logits"] - self.LOGITS
        assert moved[known] == pytest.approx(climbed[known], rel=1e-3)
        assert moved[~known] == pytest.approx(0.0, abs=1e-9)

    def test_never_reaches_a_decision_that_does_not_apply(self):
        def without_the_second(choices):
            return np.tile([True, False, True], (len(choices), 1))

        controller = reinforce(applicable=without_the_second)
        for _ in range(5):
            choices = controller.ask(10)
            controller.tell(choices, choices.sum(axis=1).astype(float))
        logits = controller.state()["logits"]
        assert (logits[1] == 0).all()
        assert (logits[[0, 2]] != 0).any(axis=1).all()


class TestBaseline:
    def test_is_a_moving_average_over_trials_from_the_first_rewards_on(self):
        controller = reinforce(baseline_decay=0.9)
        choices = controller.ask(4)
        controller.tell(choices, np.array([40.0, 50.0, 50.0, 60.0]))
        assert controller.state()["baseline"] == pytest.approx(50.0)
        controller.tell(choices, np.full(4, 60.0))
        expected = 50.0
        for _ in range(4):
            expected = 0.9 * expected + 0.1 * 60.0
        assert controller.state()["baseline"] == pytest.approx(expected)

    def test_rewards_that_equal_it_teach_nothing(self):
        controller = reinforce()
        for _ in range(3):
            controller.tell(controller.ask(1), np.array([70.0]))
        assert (controller.state()["logits"] == 0).all()
        assert controller.state()["lessons"] == controller.state()["told"] == 3


def test_the_rate_grows_geometrically_then_stays():
    knobs = {"learning_rate": 0.01, "growth": 100.0, "growth_trials": 4}
    # Without a memory of squares, Adam moves a logit by the rate itself.
    controller = reinforce(second_moment_decay=0.0, **knobs)
    moved = []
    for reward in (1.0, 5.0, 25.0, 125.0, 625.0, 3125.0, 15625.0):
        before = controller.state()["logits"]
        controller.tell(controller.ask(1), np.array([reward]))
        moved.append(np.abs(controller.state()["logits"] - before).max())
    assert moved[0] == 0.0  # its own reward is the baseline of the first trial
    expected = [0.01 * 100 ** (told / 4) for told in (1, 2, 3)] + [1.0] * 3
    assert moved[1:] == pytest.approx(expected, rel=1e-5)


class TestLearning:
    @pytest.mark.parametrize("size", [1, 10])
    def test_finds_the_optimum(self, size):
        controller = reinforce(learning_rate=0.02)
        for _ in range(2000 // size):
            choices = controller.ask(size)
            controller.tell(choices, (choices == OPTIMUM).sum(axis=1).astype(float))
        assert controller.best().tolist() == OPTIMUM.tolist()
        assert controller.probabilities[np.arange(3), OPTIMUM].min() > 0.9

    def test_finds_the_optimum_of_rare_rewards(self):
        """One design of 24 is worth something."""
        controller = reinforce(learning_rate=0.02)
        for _ in range(200):
            choices = controller.ask(20)
            controller.tell(choices, (choices == OPTIMUM).all(axis=1).astype(float))
        assert controller.best().tolist() == OPTIMUM.tolist()

    def test_an_entropy_weight_keeps_it_from_settling(self):
        shares = []
        for weight in (0.0, 3.0):
            controller = reinforce(entropy_weight=weight)
            for _ in range(60):
                choices = controller.ask(20)
                controller.tell(choices, (choices == OPTIMUM).sum(axis=1).astype(float))
            shares.append(controller.probabilities.max(axis=1).mean())
        assert shares[1] < 0.8 < 0.95 < shares[0]


class TestProposals:
    def test_are_as_frequent_as_their_probabilities(self):
        controller = beginning(reinforce(), TestGradient.LOGITS, 0.0)
        drawn = controller.ask(20_000)
        for column, shares in enumerate(controller.probabilities):
            found = np.bincount(drawn[:, column], minlength=4) / len(drawn)
            assert found == pytest.approx(shares, abs=0.015)

    def test_of_equals_the_first_that_is_allowed_is_best(self):
        allowed = allowed_values(SPACE)
        allowed[1, 0] = False
        controller = reinforce(allowed=allowed)
        assert controller.best().tolist() == [0, 1, 0]
        assert controller.probabilities[1].tolist() == pytest.approx([0, 1 / 3, 1 / 3, 1 / 3])


class TestState:
    def test_goes_through_a_file_to_the_same_lessons(self, tmp_path):
        def taught(controller, count):
            for _ in range(count):
                choices = controller.ask(3)
                controller.tell(choices, (choices == OPTIMUM).sum(axis=1).astype(float))
            return controller

        controller = taught(reinforce(5), 10)
        np.savez(tmp_path / "state.npz", **controller.state())
        expected = taught(controller, 10).state()
        with np.load(tmp_path / "state.npz") as kept:
            other = reinforce(99)
            other.restore(dict(kept))
        reached = taught(other, 10).state()
        assert {name: array.tolist() for name, array in reached.items()} == {
            name: array.tolist() for name, array in expected.items()
        }

    def test_is_a_copy(self):
        controller = reinforce()
        controller.state()["logits"][:] = 7.0
        assert (controller.state()["logits"] == 0).all()

    def test_that_lacks_an_array_is_refused(self):
        state = dict(reinforce().state())
        del state["squares"]
        with pytest.raises(StudyError, match="the kept controller state is not of reinforce"):
            reinforce().restore(state)

    def test_of_another_space_is_refused(self):
        other = Space("other", (Decision("d", (0, 1)),))
        with pytest.raises(StudyError, match="is of 1 decisions, but the space has 3"):
            reinforce().restore(reinforce(space=other).state())


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("learning_rate", 0.0, "above 0"),
        ("growth", -1.0, "above 0"),
        ("growth_trials", 0, "at least 1"),
        ("baseline_decay", 1.0, "from 0 to below 1"),
        ("second_moment_decay", -0.1, "from 0 to below 1"),
        ("entropy_weight", -1.0, "0 or more"),
    ],
)
def test_refuses_knobs_that_mean_nothing(name, value, allowed):
    with pytest.raises(UsageError, match=f"reinforce: {name} is {value}, but it must be {allowed}"):
        reinforce(**{name: value})
