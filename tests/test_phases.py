"""Searches in phases: what is fixed, what is set out from, budgets, and resuming anywhere."""

from dataclasses import fields, replace

import numpy as np
import pytest

from nahas.controllers.random import Random
from nahas.cosearch import Stop
from nahas.designs import best_rows
from nahas.errors import SpaceError, StudyError, UsageError
from nahas.hardware import preset, save_hardware
from nahas.phases import Phase, phases_in, plan_of
from nahas.problem import Search
from nahas.spaces.accelerator import accelerator_named, accelerator_space
from nahas.strategies import check, recall, searched
from nahas.study.trials import Trials
from tests.fakes import fake_problem, predicted_problem

BLOCKS = 8
"""Decisions of networks of space macro; the other seven are the accelerator's."""

QUICK = Search(space="macro", controller="reinforce", trials=120, batch=10)
PAIRS = ("phase", "phase-network")


def same_but_time(a, b):
    return all(
        np.array_equal(getattr(a, f.name), getattr(b, f.name))
        for f in fields(Trials)
        if f.name != "time"
    )


def halves(trials):
    """How many different networks, and how many different accelerators."""
    networks, accelerators = trials.choices[:, :BLOCKS], trials.choices[:, BLOCKS:]
    return len(np.unique(networks, axis=0)), len(np.unique(accelerators, axis=0))


def hardware_of(problem, trials, row=0):
    return problem.joint.accelerator.values(trials.choices[row, BLOCKS:])


class TestOneFixed:
    @pytest.mark.parametrize("controller", ["random", "reinforce"])
    def test_accelerator(self, controller):
        problem = fake_problem()
        search = replace(QUICK, strategy="fixed-accelerator", controller=controller)
        trials = searched(problem, search).trials
        networks, accelerators = halves(trials)
        assert (len(trials), accelerators) == (120, 1)
        assert networks > 30
        hardware = hardware_of(problem, trials)
        assert hardware == {name: getattr(problem.baseline, name) for name in hardware}

    @pytest.mark.parametrize("controller", ["random", "reinforce"])
    def test_network(self, controller):
        problem = fake_problem()
        search = replace(QUICK, strategy="fixed-network", controller=controller)
        result = searched(problem, search)
        networks, accelerators = halves(result.trials)
        assert (len(result.trials), networks) == (120, 1)
        assert accelerators > 30
        assert (result.trials.choices[0, :BLOCKS] == problem.reference).all()
        assert [design.network for design in result.best] == ["macro:11111111"]

    def test_those_that_are_named(self):
        problem = fake_problem()
        small = replace(QUICK, strategy="fixed-accelerator", accelerator="pes_x=2, simd_units=32")
        hardware = hardware_of(problem, searched(problem, small).trials)
        assert (hardware["pes_x"], hardware["simd_units"]) == (2, 32)
        assert (hardware["pes_y"], hardware["local_memory_mb"]) == (4, 2)
        other = replace(QUICK, strategy="fixed-network", network="macro:22222222")
        assert searched(problem, other).best[0].network == "macro:22222222"

    def test_reward_targets_and_evaluation_are_those_of_the_joint_search(self):
        joint = searched(fake_problem(), QUICK)
        for strategy in ("fixed-accelerator", "fixed-network", *PAIRS):
            result = searched(fake_problem(), replace(QUICK, strategy=strategy))
            assert result.targets == joint.targets
            assert result.baseline == joint.baseline
            assert result.accuracy_label == joint.accuracy_label
            assert len(result.trials) == len(joint.trials)

    def test_random_joint_is_the_joint_strategy_drawn(self):
        result = searched(fake_problem(), replace(QUICK, controller="random"))
        networks, accelerators = halves(result.trials)
        assert min(networks, accelerators) > 100


class TestPhases:
    @pytest.mark.parametrize("controller", ["random", "reinforce"])
    @pytest.mark.parametrize("strategy", PAIRS)
    def test_the_second_keeps_the_best_of_the_first(self, strategy, controller):
        problem = fake_problem()
        search = replace(QUICK, strategy=strategy, controller=controller)
        result = searched(problem, search)
        first, second = result.trials[:60], result.trials[60:]
        assert result.trials.number.tolist() == list(range(120))
        open_halves = (halves(first), halves(second))
        if strategy == "phase":
            assert (open_halves[0][0], open_halves[1][1]) == (1, 1)
            kept = slice(BLOCKS, None)
            assert (first.choices[0, :BLOCKS] == problem.reference).all()
        else:
            assert (open_halves[0][1], open_halves[1][0]) == (1, 1)
            kept = slice(0, BLOCKS)
        best = best_rows(problem.joint, first, 1)[0][0]
        assert (second.choices[:, kept] == first.choices[best, kept]).all()
        assert phases_in(result.options) == (
            Phase(searches="accelerator" if strategy == "phase" else "network", start=0, end=60),
            Phase(searches="network" if strategy == "phase" else "accelerator", start=60, end=None),
        )

    @pytest.mark.parametrize(
        ("trials", "batch", "share", "first"),
        [
            (120, 10, 0.5, 60),
            (125, 10, 0.5, 60),
            (125, 10, 0.3, 40),
            (11, 10, 0.5, 10),
            (100, 10, 0.99, 90),
            (100, 10, 0.001, 10),
            (2500, 20, 0.5, 1240),
            (3, 1, 0.7, 2),
        ],
    )
    def test_the_budget_is_divided_in_whole_batches(self, trials, batch, share, first):
        search = replace(QUICK, trials=trials, batch=batch, phase_share=share, strategy="phase")
        plan = plan_of(fake_problem(), search)
        assert [(phase.start, phase.end) for phase in plan.phases] == [(0, first), (first, None)]
        if trials < 200:
            sizes = []
            searched(
                fake_problem(),
                replace(search, controller="random"),
                lambda batch_of: sizes.append(len(batch_of)),
            )
            assert sum(sizes) == trials
            assert set(sizes[:-1]) <= {batch}

    def test_where_nothing_can_run_the_first_trial_is_set_out_from(self):
        problem = fake_problem()
        plan = plan_of(problem, replace(QUICK, strategy="phase"))
        trials = searched(problem, QUICK).trials
        nothing = replace(trials, reason=np.full(120, 2))
        fixed = plan.fixed_in(1, problem.joint, nothing)
        assert fixed == hardware_of(problem, trials)

    def test_a_cost_models_word_is_taken_in_between(self):
        result = searched(predicted_problem(), replace(QUICK, strategy="phase"))
        best = best_rows(result.joint, result.trials[:60], 1)[0][0]
        assert (result.trials.choices[60:, BLOCKS:] == result.trials.choices[best, BLOCKS:]).all()
        assert result.simulated is not None

    def test_controllers_are_seeded_by_seed_and_phase(self):
        problem = fake_problem()
        plan = plan_of(problem, replace(QUICK, strategy="phase"))
        before = searched(problem, QUICK).trials
        draws = [
            plan.controller(number, replace(QUICK, seed=seed), problem.joint, before).ask(20)
            for number in (0, 1)
            for seed in (0, 1)
        ]
        for a in range(4):
            for b in range(a):
                assert not np.array_equal(draws[a], draws[b])

    def test_a_time_limit_ends_them_all(self):
        search = replace(QUICK, strategy="phase", time_limit_s=1e-6)
        result = searched(fake_problem(), search)
        assert result.stop is Stop.TIME
        assert len(result.trials) in (0, 10)

    def test_fixed_decisions_do_not_matter_to_the_controller(self, monkeypatch):
        seen = []

        def spy(name, space, rng, applicable=None, allowed=None):
            seen.append((applicable(space.sample(4, rng)), allowed.sum(axis=1)))
            return Random(space, rng, allowed)

        monkeypatch.setattr("nahas.phases.controller_of", spy)
        searched(fake_problem(), replace(QUICK, strategy="phase"))
        for matters, values in seen:
            assert (matters == (values > 1)).all()
        assert [(values > 1).tolist() for _, values in seen] == [
            [False] * BLOCKS + [True] * 7,
            [True] * BLOCKS + [False] * 7,
        ]


class TestStudy:
    @pytest.fixture
    def search(self, tmp_path):
        return replace(QUICK, strategy="phase", study=tmp_path / "study.db")

    @pytest.mark.parametrize("strategy", [*PAIRS, "fixed-network"])
    def test_resumed_at_every_batch_equals_unbroken(self, search, tmp_path, strategy):
        search = replace(search, strategy=strategy)
        unbroken = searched(fake_problem(), replace(search, study=tmp_path / "other.db"))
        for batches in range(12):

            def stop(trials, last=10 * batches):
                if trials.number[0] == last:
                    raise ZeroDivisionError

            resume = search.study.exists()
            with pytest.raises(ZeroDivisionError):
                searched(fake_problem(), replace(search, resume=resume), stop)
        resumed = searched(fake_problem(), replace(search, resume=True))
        assert same_but_time(unbroken.trials, resumed.trials)
        assert unbroken.best == resumed.best
        assert same_but_time(recall(search.study).trials, unbroken.trials)

    def test_a_policy_goes_on_within_the_second_phase(self, search, tmp_path):
        search = replace(search, controller="ppo", trials=60)
        unbroken = searched(fake_problem(), replace(search, study=tmp_path / "other.db"))
        assert halves(unbroken.trials[:30])[0] == halves(unbroken.trials[30:])[1] == 1

        def stop(trials):
            if trials.number[0] == 40:
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            searched(fake_problem(), search, stop)
        resumed = searched(fake_problem(), replace(search, resume=True))
        assert same_but_time(unbroken.trials, resumed.trials)

    def test_more_trials_lengthen_the_last_phase(self, search):
        short = searched(fake_problem(), search)
        longer = searched(fake_problem(), replace(search, resume=True, trials=200))
        assert longer.options["strategy_first_trials"] == 60
        assert len(longer.trials) == 200
        assert same_but_time(longer.trials[:120], short.trials)
        accelerators = np.unique(longer.trials.choices[60:, BLOCKS:], axis=0)
        assert len(accelerators) == 1

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"strategy": "phase-network"}, "strategy = 'phase', not 'phase-network'"),
            ({"strategy": "joint"}, "strategy = 'phase', not 'joint'"),
            ({"phase_share": 0.7}, r"strategy_share = 0\.5, not 0\.7"),
            ({"network": "macro:00000000"}, "strategy_from = 'macro:11111111', not 'macro:0"),
        ],
    )
    def test_another_strategy_does_not_continue_it(self, search, change, message):
        searched(fake_problem(), search)
        for function in (check, searched):
            with pytest.raises(StudyError, match=message):
                function(fake_problem(), replace(search, resume=True, **change))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"strategy": "phases"}, UsageError, "no strategy 'phases': .*did you mean 'phase'"),
        ({"strategy": "phase", "phase_share": 1.0}, UsageError, r"share is 1\.0, but it must be"),
        ({"strategy": "phase", "trials": 10}, UsageError, "trials is 10, but strategy 'phase'"),
        ({"network": "macro:0"}, UsageError, "--network goes with --strategy fixed-network or ph"),
        (
            {"strategy": "phase", "accelerator": "coral"},
            UsageError,
            "--accelerator goes with --strategy fixed-accelerator or phase-network, .* is 'phase'",
        ),
        (
            {"strategy": "fixed-network", "network": "mnasnet:e1"},
            SpaceError,
            "'mnasnet:e1' is not a network of space 'macro'",
        ),
        (
            {"strategy": "fixed-accelerator", "accelerator": "edgetpu-v1"},
            SpaceError,
            r"'edgetpu-v1' is no point of hardware space 'paper': its io_gb_per_s is 17, but",
        ),
        ({"strategy": "one-shot", "latency": None, "area": None}, UsageError, "needs a target"),
    ],
)
def test_bad_options_are_named(change, error, message):
    for function in (check, searched):
        with pytest.raises(error, match=message):
            function(fake_problem(), replace(QUICK, **change))


class TestAccelerator:
    SPACE = accelerator_space()

    def test_a_preset_a_file_or_values(self, tmp_path):
        baseline = accelerator_named("edge-baseline", self.SPACE)
        assert (accelerator_named("pes_x=4", self.SPACE) == baseline).all()
        save_hardware(preset("edge-baseline"), tmp_path / "a=b.yaml")
        assert (accelerator_named(str(tmp_path / "a=b.yaml"), self.SPACE) == baseline).all()
        values = self.SPACE.values(accelerator_named("local_memory_mb=0.5,pes_y=8", self.SPACE))
        assert (values["local_memory_mb"], values["pes_y"], values["pes_x"]) == (0.5, 8, 4)

    def test_another_clock_is_another_accelerator(self, tmp_path):
        path = tmp_path / "quick.yaml"
        save_hardware(replace(preset("edge-baseline"), clock_mhz=1000), path)
        with pytest.raises(SpaceError, match=r"its clock_mhz is 1000, but the space has 800"):
            accelerator_named(str(path), self.SPACE)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("pes_z=4", "'pes_z' is no parameter .*did you mean"),
            ("pes_x=3", "pes_x is 3, but hardware space 'paper' has 1, 2, 4, 6, 8"),
            ("pes_x=", "pes_x is nothing, but"),
        ],
    )
    def test_values_that_are_not_there(self, text, message):
        with pytest.raises(SpaceError, match=message):
            accelerator_named(text, self.SPACE)
