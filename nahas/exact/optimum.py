"""The best design of a joint space, known because every design was costed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nahas.cosearch import rewarded
from nahas.cost import DesignCosts
from nahas.designs import Design, design
from nahas.errors import UsageError
from nahas.exact.check import check_close
from nahas.exact.costs import Block, JointCosts
from nahas.exact.every import Progress, costs_of, walk
from nahas.kernels.exact import ACCELERATOR, AREA, ENERGY, REWARD, TIES, judge
from nahas.problem import Problem
from nahas.reward import LOWEST, Reward
from nahas.spaces.space import ChoiceArray
from nahas.study.trials import Trials

CLOSE = 1e-9
"""How far a reward may be from the simulator's and the reward's own, as a part of it."""


@dataclass(frozen=True, kw_only=True)
class Exact:
    """What is true of all designs of a space under one reward.

    Attributes:
        reward: that is meant.
        best: the best designs of distinct networks, each on its best accelerator, best first, in
            the order of `nahas.designs.best_rows`: those within every target, then by reward, less
            energy, less area; then the earlier accelerator and network.
        highest: the design of the highest reward, whether it meets the targets or not.
        ties: designs within every target that earn as much as the first of `best` (of all
            designs, where none meets every target).
        designs: how many were costed: all.
        feasible: how many can run, and have an accuracy.
        satisfied: how many of those meet every target.
        pairs: mappings of a layer on an accelerator that were solved for it.
        seconds: that it took, all rewards of the pass together.
    """

    reward: Reward
    best: tuple[Design, ...]
    highest: Design | None
    ties: int
    designs: int
    feasible: int
    satisfied: int
    pairs: int
    seconds: float

    @property
    def optimum(self) -> Design | None:
        """The best design; None where none can run. `satisfied` of it says if targets are met."""
        return self.best[0] if self.best else None


def exact_optimum(
    problem: Problem, reward: Reward, *, best: int = 10, progress: Progress = lambda *_: None
) -> Exact:
    """`exact_optima` of one reward."""
    return exact_optima(problem, [reward], best=best, progress=progress)[0]


def exact_optima(
    problem: Problem,
    rewards: Sequence[Reward],
    *,
    best: int = 10,
    progress: Progress = lambda *_: None,
) -> list[Exact]:
    """The best designs under several rewards, in one pass over all designs.

    What is reported is simulated and rewarded again by the problem itself.

    Args:
        problem: costed by the simulator; not of a cost model.
        rewards: of which the best designs are sought.
        best: distinct networks to report of each.
        progress: told after every block.

    Raises:
        UsageError: when there are too many designs, or accuracies or costs come from something
            that cannot be asked about all of them, or a listed design lies on the energy target
            to the last bits.
    """
    begun = time.monotonic()
    costs = costs_of(problem)
    judging = Judging(costs, problem.accuracy.accuracy(costs.networks), rewards)
    walk(costs, judging.take, progress)
    answers = [judging.answer(problem, i, best) for i in range(len(rewards))]
    seconds = time.monotonic() - begun
    return [replace(answer, seconds=seconds) for answer in answers]


class Judging:
    """Finds the best designs under several rewards, block by block.

    Args:
        costs: that the blocks are of.
        accuracy: [N] in percent; NaN where it is not known.
        rewards: R of them.
    """

    def __init__(
        self, costs: JointCosts, accuracy: NDArray[np.float64], rewards: Sequence[Reward]
    ) -> None:
        self._costs, self._accuracy, self._rewards = costs, accuracy, rewards
        self._goals = np.array([goal(reward) for reward in rewards])
        parameters = costs.joint.network_tables.sizes(costs.networks).parameters.sum(axis=1)
        parts = [of_networks(reward, accuracy, parameters) for reward in rewards]
        self._networks = np.array([part[0] for part in parts]), np.array([p[1] for p in parts])
        self._best = np.zeros((len(rewards), 2, len(accuracy), 5))
        self._best[..., REWARD] = -np.inf
        self._met = np.zeros((len(rewards), len(accuracy)), np.int64)
        self._feasible = 0

    def take(self, block: Block) -> None:
        """Judge the designs of a block."""
        costs = (block.latency_ms, block.energy_mj, block.area_mm2)
        judge(costs, self._networks, block.accelerators, self._goals, self._best, self._met)
        known = np.isfinite(self._accuracy)
        self._feasible += int(np.isfinite(block.latency_ms[known]).sum())

    def answer(self, problem: Problem, i: int, best: int) -> Exact:
        """What is true of all designs that were taken, under reward `i`."""
        met, all_of = self._best[i]
        is_met = np.isfinite(met[:, REWARD])
        chosen = np.where(is_met[:, np.newaxis], met, all_of)
        ranked = _ranked(chosen, ~is_met)
        designs = self._designs(problem, i, ranked[:best], chosen)
        _check_met(designs, is_met[ranked[:best]])
        highest = self._designs(problem, i, _ranked(all_of)[:1], all_of)
        alike = is_met == is_met[ranked[0]] if ranked.size else is_met
        equal = alike & (chosen[:, REWARD] == chosen[ranked[:1], REWARD].sum())
        return Exact(
            reward=self._rewards[i],
            best=tuple(designs),
            highest=highest[0] if highest else None,
            ties=int(chosen[equal, TIES].sum()),
            designs=len(self._costs),
            feasible=self._feasible,
            satisfied=int(self._met[i].sum()),
            pairs=self._costs.pairs,
            seconds=0.0,
        )

    def _designs(
        self, problem: Problem, i: int, networks: NDArray[np.int64], found: NDArray[np.float64]
    ) -> list[Design]:
        """Networks on the accelerators that were found best, simulated."""
        if not networks.size:
            return []
        accelerators = found[networks, ACCELERATOR].astype(np.int64)
        trials = simulated(problem, self._rewards[i], self._costs.choices(networks, accelerators))
        for name, seen in (("reward", REWARD), ("energy_mj", ENERGY), ("area_mm2", AREA)):
            check_close(name, found[networks, seen], getattr(trials, name), CLOSE)
        return [design(problem.joint, trials, row) for row in range(len(trials))]


def _check_met(designs: Sequence[Design], met: NDArray[np.bool_]) -> None:
    """Stop where the last bits of an energy decide whether a listed design meets its target.

    Raises:
        UsageError: naming such a design.
    """
    for of, within in zip(designs, met, strict=True):
        if of.satisfied != within:
            raise UsageError(
                f"the energy of {of.network} is {of.energy_mj} mJ, which is the target but for the "
                "rounding of a sum, so nobody can say whether it meets it: give an energy target "
                "that is a little higher or lower"
            )


def simulated(problem: Problem, reward: Reward, choices: ChoiceArray) -> Trials:
    """Choices [B, D] as the problem itself measures and rewards them, as trials without numbers."""
    trials = rewarded(
        choices, (problem.accuracies(choices), problem.cost(choices)), reward, first=0
    )
    return replace(trials, number=np.full(len(choices), -1))


def of_networks(
    reward: Reward, accuracy: NDArray[np.float64], parameters: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """What networks earn by accuracy [N] and parameters [N], and which meet a target of those."""
    part = replace(reward, targets=tuple(t for t in reward.targets if t.metric == "parameters"))
    some = np.ones(len(accuracy))
    costs = DesignCosts(
        latency_ms=some,
        energy_mj=some,
        area_mm2=some,
        parameters=parameters,
        reason=np.zeros(len(accuracy), np.int64),
    )
    worth = np.where(np.isfinite(accuracy), part.of(accuracy, costs), np.nan)
    return worth, part.satisfied(accuracy, costs)


def goal(reward: Reward) -> list[float]:
    """A reward as `kernels.exact.judge` reads it: what is left to earn by the other metrics."""
    limits = {target.metric: target.limit for target in reward.targets}
    least = LOWEST if reward.adds else -np.inf
    limited = [limits.get(metric, np.inf) for metric in ("latency_ms", "energy_mj", "area_mm2")]
    return [*limited, reward.p, reward.q, float(reward.adds), least]


def _ranked(found: NDArray[np.float64], *before: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Networks that have a design, best first; those for which a mask of `before` holds, last."""
    keys = (found[:, AREA], found[:, ENERGY], -found[:, REWARD], *before)
    order = np.lexsort(keys)
    ranked: NDArray[np.int64] = order[np.isfinite(found[order, REWARD])]
    return ranked
