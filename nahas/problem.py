"""What to search, and what to measure designs with."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.accuracy.backend import AccuracyBackend, Early, Slow
from nahas.accuracy.measured import MeasuredTable
from nahas.accuracy.named import Source, backend_of, weights_to_train
from nahas.controllers.named import check_name
from nahas.cost import DesignCosts
from nahas.energy import Tables
from nahas.files import json_text
from nahas.hardware import Hardware, hardware_from
from nahas.network import Network
from nahas.reward import Limit, Reward, Target
from nahas.spaces.accelerator import accelerator_space
from nahas.spaces.joint import JointSpace
from nahas.spaces.named import named
from nahas.spaces.networks import NetworkSpace
from nahas.spaces.space import ChoiceArray, codes
from nahas.study.file import check_exists
from nahas.vocabulary import Objective
from nahas.workers.named import Workers
from nahas.workers.pool import RETRIES

_B0 = "-".join(f"e6k{kernel}" for kernel in (3, 3, 5, 5, 3, 3, 3, 5, 5, 5, 5, 5, 5, 5, 3))

REFERENCES = {
    "mnasnet": "mnasnet:e1k3l1-e6k3l2-e6k3l3-e6k3l3-e6k3l3-e6k3l3-e6k3l1",
    "macro": "macro:11111111",
    "s1": "s1:" + "-".join(["k3", *["e6k3"] * 16]),
    "s2": f"s2:k3-{_B0}",
    "s3": f"s3:e3k3-{_B0}",
    "s3-groups": f"s3-groups:e3k3-{_B0}",
    "s3-scaled": f"s3-scaled:w1d1r224-e3k3-{_B0}",
}
"""The network of each space that a search sets out from: MobileNetV2-like in expansions, kernel
and layers as far as the space has them, and EfficientNet-B0 (in `s3` but for the expansion of its
first block, which has none) in those around it. A space that is not here has a `reference`
itself. With the baseline accelerator it is what relative targets are multiples of."""

_PROBES = 32


@dataclass(frozen=True, kw_only=True)
class Search:
    """What to search, for what, and for how long. The defaults are `nahas cosearch`'s.

    A target is a number in the metric's unit ('0.3') or a multiple of the baseline design's
    metric ('0.8x'); None sets none.

    Attributes:
        space: name of the network space; `FILE.py:NAME` for one's own.
        hardware_space: name of the space of accelerators.
        accuracy: where accuracies come from: 'surrogate', 'table', 'train' or 'one-shot'; None
            is what `table`, `surrogate`, `supernet` or `data` speak of, else the packaged
            surrogate of the space.
        table, surrogate, supernet, data, image_size, proxy_images, proxy_epochs, proxy_halving:
            the fields of `nahas.accuracy.named.Source`.
        strategy: a key of `phases.STRATEGIES`: what is searched together, one after the other, or
            not at all.
        network: name of the network that 'fixed-network' keeps and 'phase' sets out from; None is
            the reference of the space.
        accelerator: the same of 'fixed-accelerator' and 'phase-network': a preset, a file or
            values, see `spaces.accelerator.accelerator_named`; None is `baseline`.
        phase_share: of the trials, for the first of two phases.
        controller: a name of `nahas.controllers.named.CONTROLLERS`, or of a plug-in
            (`nahas.plugins`).
        seed: of all randomness.
        trials: end of the search, counted over the whole study.
        batch: trials between two lessons of the controller.
        time_limit_s: end of the search after the batch in flight; None is none.
        latency, energy, area, parameters: the targets.
        pareto: search the front of accuracy, latency, energy and area (`nahas.pareto`); then
            targets and reward are not read.
        reward: preset of `reward.PRESETS`.
        reward_p, reward_q: exponents, or weights, instead of the preset's; None takes the preset's.
        baseline: the baseline accelerator, a preset's name or a file.
        objective: what the mapper minimises in every layer.
        tables: folder of the user's energy and area tables.
        cost_model: file of a learned cost model that takes the simulator's place until the
            designs that were tried are simulated again; None searches by the simulator.
        study: file that keeps the trials; None keeps none.
        resume: continue that study instead of starting it.
        best: number of designs to report.
        ahead: batches that are proposed before the lesson of the one before them, so that workers
            never wait for it; trials depend on it.
        workers: processes that train networks at the same time; None trains in this one.
        ray: address of a Ray cluster that trains them, 'local' to start one here.
        child_cpus, child_gpus: cores, and on a cluster GPUs, of each training.
        child_time_limit_s: after which a training is killed, and its trial kept as failed.
        child_retries: how often a training is given to another worker after one was lost.
    """

    space: str = "mnasnet"
    hardware_space: str = "paper"
    accuracy: str | None = None
    table: Path | None = None
    surrogate: Path | None = None
    supernet: Path | None = None
    data: str | None = None
    image_size: int | None = None
    proxy_images: int | None = None
    proxy_epochs: int | None = None
    proxy_halving: bool | None = None
    strategy: str = "joint"
    network: str | None = None
    accelerator: str | None = None
    phase_share: float = 0.5
    controller: str = "ppo"
    seed: int = 0
    trials: int = 2500
    batch: int = 20
    time_limit_s: float | None = None
    latency: str | float | None = "1x"
    energy: str | float | None = None
    area: str | float | None = "1x"
    parameters: str | float | None = None
    pareto: bool = False
    reward: str = "hard"
    reward_p: float | None = None
    reward_q: float | None = None
    baseline: str = "edge-baseline"
    objective: Objective = Objective.LATENCY
    tables: Path | None = None
    cost_model: Path | None = None
    study: Path | None = None
    resume: bool = False
    best: int = 10
    ahead: int = 0
    workers: int | None = None
    ray: str | None = None
    child_cpus: int | None = None
    child_gpus: float = 0.0
    child_time_limit_s: float | None = None
    child_retries: int = RETRIES

    @property
    def limits(self) -> dict[str, Limit]:
        """The targets by metric; none in Pareto mode."""
        if self.pareto:
            return {}
        asked = {
            "latency_ms": self.latency,
            "energy_mj": self.energy,
            "area_mm2": self.area,
            "parameters": self.parameters,
        }
        return {name: Limit.parse(text) for name, text in asked.items() if text is not None}

    @property
    def source(self) -> Source:
        """Where accuracies come from; what is trained is kept beside the study."""
        others = ("kind", "folder", "workers")
        own = [part.name for part in fields(Source) if part.name not in others]
        folder = self.study.parent if self.study else None
        named_so = {name: getattr(self, name) for name in own}
        return Source(kind=self.accuracy, folder=folder, workers=self.hired, **named_so)

    @property
    def hired(self) -> Workers | None:
        """The workers that train networks; None trains them in this process."""
        hired = Workers(
            processes=self.workers,
            ray=self.ray,
            cpus=self.child_cpus,
            gpus=self.child_gpus,
            time_limit_s=self.child_time_limit_s,
            retries=self.child_retries,
        )
        return None if hired == Workers(retries=self.child_retries) else hired


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What a search measures designs with.

    Attributes:
        joint: the space.
        accuracy: of network choices.
        cost: of choices [B, D] by the simulator: what the search measures and a report says.
        simulate: the same of B networks on B accelerators, also outside the space: the baseline.
        reference: [D] the network choice of the baseline design.
        baseline: its accelerator.
        fingerprints: hashes of what computes costs, by name.
        predict: of choices [B, D] by a cost model, what the search measures instead; None where
            it measures `cost`.
        cost_model: the hash of the model's weights where there is one.
        objective: what the mapper minimises in every layer where `cost` is the simulator's; None
            where costs come from elsewhere.
        tables: energy and area tables of the simulator; the packaged ones when None.
    """

    joint: JointSpace
    accuracy: AccuracyBackend
    cost: Callable[[ChoiceArray], DesignCosts]
    simulate: Callable[[Sequence[Network], Sequence[Hardware]], DesignCosts]
    reference: ChoiceArray
    baseline: Hardware
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    predict: Callable[[ChoiceArray], DesignCosts] | None = None
    cost_model: str | None = None
    objective: Objective | None = None
    tables: Tables | None = None

    def accuracies(self, choices: ChoiceArray) -> NDArray[np.float64]:
        """Accuracies in percent [B] of choices [B, D], each network measured once."""
        networks = self.joint.split(choices)[0]
        _, first, of = np.unique(codes(networks), return_index=True, return_inverse=True)
        return self.accuracy.accuracy(networks[first])[of.reshape(-1)]

    def network(self, name: str) -> ChoiceArray:
        """The choice [D] of a network by its name.

        Raises:
            SpaceError, AccuracyError: when it is not of the space, or was not measured.
        """
        if isinstance(self.accuracy, MeasuredTable):
            return self.accuracy.choice_named(name)
        return self.joint.network_space.choice_named(name)

    def begin(self, choices: ChoiceArray) -> None:
        """Begin to measure accuracies of choices [B, D], where workers do."""
        if isinstance(self.accuracy, Early):
            self.accuracy.begin(np.unique(self.joint.split(choices)[0], axis=0))

    def measured_cost(self, choices: ChoiceArray) -> DesignCosts:
        """What a search is told of choices [B, D] whose accuracies it has asked for."""
        return self.failed(choices, (self.predict or self.cost)(choices))

    def failed(self, choices: ChoiceArray, costs: DesignCosts) -> DesignCosts:
        """The costs of choices [B, D]; infeasible too where an accuracy could not be measured."""
        if not isinstance(self.accuracy, Early):
            return costs
        failures = self.accuracy.failures(self.joint.split(choices)[0])
        reason = np.where(costs.reason != 0, costs.reason, failures)
        lost = reason != 0
        return replace(
            costs,
            latency_ms=np.where(lost, np.inf, costs.latency_ms),
            energy_mj=np.where(lost, np.inf, costs.energy_mj),
            reason=reason,
        )

    def __enter__(self) -> Problem:
        return self

    def __exit__(self, *_: object) -> None:
        """End the workers, where there are any."""
        if isinstance(self.accuracy, Early):
            self.accuracy.close()

    def probed(self) -> dict[str, str]:
        """The fingerprints, and hashes of accuracies and simulated costs of some fixed designs.

        The latter notice what no list of sources would: another table of accuracies, a block
        built otherwise. A back-end that trains says itself what its accuracies follow from.
        """
        choices = self.joint.space.sample(_PROBES, np.random.default_rng(0))
        costs = self.cost(choices)
        columns = (costs.latency_ms, costs.energy_mj, costs.area_mm2)
        return {
            **self.fingerprints,
            "accuracies": self._accuracy_fingerprint(self.joint.split(choices)[0]),
            "costs": _hashed(np.concatenate(columns)),
        }

    def _accuracy_fingerprint(self, choices: ChoiceArray) -> str:
        if isinstance(self.accuracy, Slow):
            return _hash(json_text(self.accuracy.identity))
        return _hashed(self.accuracy.accuracy(choices))


def check_words(search: Search) -> None:
    """Refuse what can be seen to be wrong before anything is loaded, compiled or measured.

    Raises:
        NahasError: for an unknown controller, reward, target, space or baseline, or a study to be
            resumed that is not there.
    """
    check_name(search.controller)
    reward_of(search, [Target(name, 1.0) for name in search.limits])
    accelerator_space(search.hardware_space)
    hardware_from(search.baseline)
    named(search.space)
    if search.study is not None and search.resume:
        check_exists(search.study)


def reward_of(search: Search, targets: Sequence[Target]) -> Reward:
    """The reward that the options ask for, with its targets in the metrics' units."""
    reward = Reward.preset(search.reward, targets)
    return replace(
        reward,
        p=reward.p if search.reward_p is None else search.reward_p,
        q=reward.q if search.reward_q is None else search.reward_q,
    )


def problem_of(
    search: Search,
    accuracy: AccuracyBackend | None = None,
    network_space: NetworkSpace | None = None,
) -> Problem:
    """The problem that the options name.

    Args:
        search: the options.
        accuracy: where accuracies come from, in place of what they name.
        network_space: a space to search in place of the one that they name.

    Raises:
        NahasError: for an unknown space, hardware, controller or table, or a cost model that
            learned other costs.
    """
    check_words(search)
    from nahas.energy import load_tables, packaged_tables
    from nahas.kernels._jit import kernel_fingerprint
    from nahas.simulate import simulate_designs
    from nahas.spaces.simulated import simulate_choices

    network_space = network_space or named(search.space)
    reference = _reference(network_space)
    searched = network_space
    if accuracy is None and search.strategy == "one-shot":
        accuracy = weights_to_train(search.source, search.trials, search.seed)
    if accuracy is None:
        searched, accuracy = backend_of(search.source, network_space)
    if isinstance(accuracy, MeasuredTable):
        name = network_space.network_name(network_space.space.values(reference))
        reference = accuracy.choice_named(name)
    tables = load_tables(search.tables) if search.tables else packaged_tables()
    joint = JointSpace(searched, accelerator_space(search.hardware_space))
    problem = Problem(
        joint=joint,
        accuracy=accuracy,
        cost=partial(simulate_choices, joint, objective=search.objective, tables=tables),
        simulate=partial(simulate_designs, objective=search.objective, tables=tables),
        reference=reference,
        baseline=hardware_from(search.baseline),
        fingerprints={"kernels": kernel_fingerprint(), "energy tables": tables.fingerprint},
        objective=search.objective,
        tables=tables,
    )
    if search.cost_model is None:
        return problem
    return _predicted(problem, search.cost_model, search.objective, tables)


def _predicted(problem: Problem, path: Path, objective: Objective, tables: Tables) -> Problem:
    """The same problem, searched by what a cost model predicts."""
    from nahas.costmodel.predicted import load_for, predicted_costs

    model = load_for(path, problem.joint, objective, tables)
    return replace(
        problem,
        predict=partial(predicted_costs, model),
        cost_model=model.card.weights_sha256,
    )


def _reference(space: NetworkSpace) -> ChoiceArray:
    if space.name in REFERENCES:
        return space.choice_named(REFERENCES[space.name])
    return space.reference_choice


def unmeasured(problem: Problem) -> Problem:
    """The same problem where nothing is trained: a slow back-end's accuracies are NaN."""
    if not isinstance(problem.accuracy, Slow):
        return problem
    slow = problem.accuracy
    return replace(problem, accuracy=_Unmeasured(slow.label, slow.identity))


@dataclass(frozen=True)
class _Unmeasured:
    label: str
    identity: Mapping[str, Any]

    def accuracy(self, choices: ChoiceArray) -> NDArray[np.float64]:
        return np.full(len(choices), np.nan)


def _hashed(numbers: Iterable[float]) -> str:
    # Nine digits: the last bits of a matrix product differ between processors.
    return _hash(" ".join(f"{number:.9g}" for number in numbers))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
