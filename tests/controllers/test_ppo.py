"""PPO's own behaviour, beyond what every controller does."""

import subprocess
import sys

import numpy as np
import pytest

from nahas.controllers.generator import generator_array, set_generator
from nahas.controllers.ppo import ADVANTAGES, Ppo, PpoHyperparameters, ranked
from nahas.errors import StudyError, UsageError
from nahas.kernels.recurrent import parts
from nahas.spaces.space import Decision, Space

SPACE = Space("toy", tuple(Decision(f"d{i}", tuple(range(n))) for i, n in enumerate((3, 4, 2))))


def ppo(seed=0, applicable=None, **knobs):
    knobs = {"hidden": 16, "learning_rate": 5e-3} | knobs
    return Ppo(
        SPACE,
        np.random.default_rng(seed),
        applicable=applicable,
        hyperparameters=PpoHyperparameters(**knobs),
    )


@pytest.fixture(scope="module")
def policy():
    return ppo()._policy


def every_choice():
    return np.array([[i, j, k] for i in range(3) for j in range(4) for k in range(2)])


def log_probabilities(policy, choices):
    return policy.logs(choices)


def heads_of(controller):
    policy = controller._policy
    return parts(policy.arrays()["weights"], policy._sizes)[2]


class TestPolicy:
    def test_is_a_distribution_over_the_space(self, policy):
        total = np.exp(log_probabilities(policy, every_choice()).sum(axis=1)).sum()
        assert total == pytest.approx(1.0, abs=1e-5)

    def test_samples_by_its_own_probabilities(self):
        controller = ppo()
        for _ in range(6):  # move it away from uniform first
            choices = controller.ask(10)
            controller.tell(choices, choices[:, 0] * (choices[:, 1] == 2) + 0.1 * choices[:, 2])
        cells = every_choice()
        expected = np.exp(log_probabilities(controller._policy, cells).sum(axis=1))
        drawn = controller.ask(20_000)
        flat = np.ravel_multi_index(drawn.T, (3, 4, 2))
        found = np.bincount(flat, minlength=24) / len(drawn)
        assert expected.max() > 1.5 / 24
        assert np.abs(found - expected).max() < 0.012

    def test_stays_in_range_at_the_edges_of_the_unit_interval(self, policy):
        edges = np.array([[0.0] * 3, [np.nextafter(1.0, 0.0)] * 3, [1.0] * 3])
        choices, _ = policy.sample(edges)
        SPACE.check(choices)
        assert choices.tolist() == [[0, 0, 0], [2, 3, 1], [2, 3, 1]]

    def test_depends_on_what_was_chosen_before(self):
        controller = ppo(learning_rate=1e-2)
        for _ in range(60):  # the second decision should copy the first
            choices = controller.ask(20)
            controller.tell(choices, (choices[:, 0] == choices[:, 1]).astype(float))
        drawn = controller.ask(200)
        assert (drawn[:, 0] == drawn[:, 1]).mean() > 0.9


class TestLearning:
    def test_follows_the_ratio_no_further_than_the_clip(self):
        """Many epochs on one batch settle it without a clip; with one they stop early."""
        choices = every_choice()
        reached = []
        for clip in (0.1, 100.0):
            controller = ppo(epochs=200, clip=clip, entropy_first=1e-9, entropy_last=1e-9)
            before = log_probabilities(controller._policy, choices)
            controller.tell(choices, (choices[:, 0] == 1).astype(float))
            ratio = np.exp(log_probabilities(controller._policy, choices) - before)[:, 0]
            reached.append(ratio[choices[:, 0] == 1].mean())
        assert 1.05 < reached[0] < 1.8  # Adam's momentum carries it past 1.1
        assert reached[1] > 2.5  # the most is 3: from one third to one

    def test_decisions_that_do_not_apply_are_not_learnt_from(self):
        def second_unused(choices):
            used = np.ones(choices.shape, np.bool_)
            used[:, 1] = False
            return used

        controller = ppo(applicable=second_unused)
        heads = heads_of(controller)
        choices = controller.ask(20)
        controller.tell(choices, choices.sum(axis=1).astype(float))
        moved = np.abs(heads_of(controller) - heads).max(axis=(1, 2))
        # Entropy is of used decisions too, so the unused head gets no gradient at all.
        assert moved[1] == 0.0
        assert moved[0] > 0
        assert moved[2] > 0

    def test_the_baseline_is_a_moving_average_from_the_first_batch_on(self):
        controller = ppo(baseline_decay=0.9)
        choices = controller.ask(4)
        controller.tell(choices, np.full(4, 50.0))
        assert controller.state()["baseline"] == pytest.approx(50.0)
        controller.tell(choices, np.full(4, 60.0))
        kept = 0.9**4  # a decay of 0.9 over each of four trials
        assert controller.state()["baseline"] == pytest.approx(kept * 50.0 + (1 - kept) * 60.0)

    def test_entropy_counts_less_and_less_then_stays(self):
        controller = ppo(entropy_first=0.01, entropy_last=0.001, entropy_trials=40)
        weights = []
        for _ in range(4):
            weights.append(controller._entropy_weight())
            choices = controller.ask(20)
            controller.tell(choices, np.ones(20))
        assert weights == pytest.approx([0.01, 0.01 * 0.1**0.5, 0.001, 0.001])

    def test_an_entropy_weight_keeps_the_policy_from_settling(self):
        spreads = []
        for weight in (1e-9, 1.0):
            controller = ppo(entropy_first=weight, entropy_last=weight)
            for _ in range(30):
                choices = controller.ask(20)
                controller.tell(choices, choices.sum(axis=1).astype(float))
            spreads.append(len(np.unique(controller.ask(200), axis=0)))
        assert spreads[0] < spreads[1]


def test_a_search_on_a_surrogate_loads_no_tensorflow():
    program = (
        "import sys; from nahas.strategies import Search, joint; joint(Search(trials=20)); "
        "print(*[name for name in ('tensorflow', 'keras') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""


class TestFlight:
    def test_lessons_come_rounds_after_the_proposals(self):
        """Two rounds in flight: each lesson goes by the probabilities at its own proposal."""
        controller = ppo()
        first, second = controller.ask(10), controller.ask(10)
        before = controller._flight[1][1].copy()
        controller.tell(first, first[:, 0].astype(float))
        assert len(controller._flight) == 1
        assert (controller._landed(second)[1] == before).all()
        assert (controller._policy.logs(second) != before).any()

    def test_a_state_with_rounds_in_flight_continues_bit_for_bit(self):
        controller = ppo()
        asked = [controller.ask(count) for count in (8, 5)]
        state = {name: array.copy() for name, array in controller.state().items()}
        ends = []
        for each in (controller, ppo(seed=9)):
            each.restore(state)
            for choices in asked:
                each.tell(choices, choices.sum(axis=1).astype(float))
            ends.append(each.state())
        assert not len(ends[0]["flight_rows"])
        for name in ends[0]:
            assert np.array_equal(ends[0][name], ends[1][name]), name

    def test_a_round_that_is_left_out_does_not_come(self):
        controller = ppo()
        controller.ask(6)
        later = controller.ask(6)
        controller.tell(later, np.arange(6.0))
        assert controller._flight == []


class TestAdvantages:
    def test_of_ranks_have_mean_0_and_variance_1(self):
        advantages = ranked(np.random.default_rng(0).random(1000))
        assert advantages.mean() == pytest.approx(0.0, abs=1e-12)
        assert advantages.var() == pytest.approx(1.0, rel=1e-5)

    def test_of_ranks_follow_the_order_alone(self):
        rewards = np.array([63.1, 0.0, 63.2, 41.0])
        assert ranked(rewards).argsort().tolist() == [1, 3, 0, 2]
        assert ranked(rewards).tolist() == ranked(np.exp(rewards)).tolist()

    def test_of_equal_rewards_are_equal(self):
        assert ranked(np.full(5, 7.0)).tolist() == [0.0] * 5
        advantages = ranked(np.array([1.0, 2.0, 2.0, 3.0]))
        assert advantages[1] == advantages[2] == pytest.approx(0.0)

    def test_of_one_reward_alone_is_its_rank_beside_the_moving_average(self):
        controller = ppo(learning_rate=1e-2)
        for _ in range(250):
            choices = controller.ask(1)
            controller.tell(choices, choices[:, 0].astype(float))
        assert controller.ask(100)[:, 0].mean() > 1.5

    @pytest.mark.parametrize("advantage", ADVANTAGES)
    def test_of_either_kind_teach(self, advantage):
        controller = ppo(advantage=advantage, learning_rate=1e-2)
        for _ in range(25):
            choices = controller.ask(20)
            controller.tell(choices, choices[:, 0].astype(float))
        assert controller.ask(100)[:, 0].mean() > 1.5

    def test_of_another_kind_are_refused(self):
        with pytest.raises(UsageError, match=r"no advantage 'gae': allowed are rank, baseline"):
            ppo(advantage="gae")


class TestState:
    def test_of_another_policy_is_refused(self):
        with pytest.raises(StudyError, match="of another policy"):
            ppo().restore(ppo(hidden=24).state())

    def test_that_lacks_an_array_is_refused(self):
        state = dict(ppo().state())
        del state["moments"]
        with pytest.raises(StudyError, match="of another policy"):
            ppo().restore(state)


class TestGenerator:
    def test_state_as_an_array_continues_the_draws(self):
        rng = np.random.default_rng(5)
        rng.integers(0, 2**31, dtype=np.uint32)  # leaves half a draw behind
        array = generator_array(rng)
        other = np.random.default_rng(0)
        set_generator(other, array)
        drawn = [
            (g.integers(0, 100, 9, dtype=np.int32).tolist(), g.random(3).tolist())
            for g in (rng, other)
        ]
        assert drawn[0] == drawn[1]

    def test_of_another_kind_is_refused(self):
        with pytest.raises(ValueError, match="MT19937: use"):
            generator_array(np.random.Generator(np.random.MT19937(0)))
