"""Designs: trials told with names, for people and files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.spaces.joint import JointSpace
from nahas.spaces.networks import NetworkSpace
from nahas.spaces.space import ChoiceArray, codes
from nahas.study.trials import Trials
from nahas.vocabulary import Reason


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What a search that asked a cost model was told of a design; as the fields of `Design`."""

    latency_ms: float
    energy_mj: float
    area_mm2: float
    reward: float
    feasible: bool
    satisfied: bool


@dataclass(frozen=True, kw_only=True)
class Design:
    """A network on an accelerator, and what is known of the two.

    Attributes:
        trial: number of the trial that first proposed it; None where none did.
        accuracy: in percent; what accuracy it is, the search's label says.
        accuracy_deviation: standard deviation of that in percentage points, where its back-end
            knows one and the search has ended; else None.
        latency_ms: one inference, batch 1; inf where infeasible.
        energy_mj: one inference, DRAM included; inf where infeasible.
        area_mm2: of the accelerator.
        parameters: trained numbers of the network.
        reward: what the search made of these numbers.
        network: the network's name, from which its space finds it again.
        network_values: the named decisions of the network.
        hardware: the seven parameters of the accelerator.
        feasible: whether the accelerator can run the network.
        satisfied: feasible and within every target.
        reason: why it is infeasible; 'ok' where it is not.
        further_accelerators: where it is the best design of its network, how many other
            accelerators that run the network were tried with it; else None.
        predicted: what the search was told instead, where it asked a cost model; all else here
            is simulated.
    """

    trial: int | None
    accuracy: float
    latency_ms: float
    energy_mj: float
    area_mm2: float
    parameters: int
    reward: float
    network: str
    network_values: Mapping[str, Any]
    hardware: Mapping[str, Any]
    feasible: bool
    satisfied: bool
    reason: str
    further_accelerators: int | None = None
    predicted: Prediction | None = None
    accuracy_deviation: float | None = None


def design(joint: JointSpace, trials: Trials, row: int) -> Design:
    """The design of one row of trials."""
    networks, accelerators = joint.split(trials.choices[row : row + 1])
    return described(
        joint.network_space, networks[0], joint.accelerator.values(accelerators[0]), trials[[row]]
    )


def described(
    space: NetworkSpace, network: ChoiceArray, hardware: Mapping[str, Any], trial: Trials
) -> Design:
    """The design of a network choice [D] on an accelerator, with the measures of one trial.

    A trial with a negative number is one that no search proposed.
    """
    values = space.space.values(network)
    number = int(trial.number[0])
    return Design(
        trial=number if number >= 0 else None,
        accuracy=float(trial.accuracy[0]),
        latency_ms=float(trial.latency_ms[0]),
        energy_mj=float(trial.energy_mj[0]),
        area_mm2=float(trial.area_mm2[0]),
        parameters=int(trial.parameters[0]),
        reward=float(trial.reward[0]),
        network=space.network_name(values),
        network_values=values,
        hardware=dict(hardware),
        feasible=bool(trial.feasible[0]),
        satisfied=bool(trial.satisfied[0]),
        reason=Reason(int(trial.reason[0])).name.lower(),
    )


def best_designs(
    joint: JointSpace,
    trials: Trials,
    count: int,
    predicted: Trials | None = None,
    deviations: Mapping[str, float] = MappingProxyType({}),
) -> list[Design]:
    """The designs of `best_rows`.

    Args:
        joint: the space.
        trials: with simulated costs.
        count: the most designs to give.
        predicted: where the search asked a cost model, all its trials.
        deviations: of accuracies, by name of network, as far as they are known.
    """
    rows, further = best_rows(joint, trials, count)
    best = designs_of(joint, trials, rows, predicted, deviations)
    return [
        replace(of, further_accelerators=others)
        for of, others in zip(best, further.tolist(), strict=True)
    ]


def designs_of(
    joint: JointSpace,
    trials: Trials,
    rows: NDArray[np.int64],
    predicted: Trials | None = None,
    deviations: Mapping[str, float] = MappingProxyType({}),
) -> list[Design]:
    """The designs of rows [N] of trials; the other arguments are those of `best_designs`."""
    found = [deviating(design(joint, trials, row), deviations) for row in rows.tolist()]
    if predicted is None:
        return found
    told = np.searchsorted(predicted.number, trials.number[rows])
    return [
        replace(of, predicted=_prediction(predicted, int(row)))
        for of, row in zip(found, told, strict=True)
    ]


def deviating(of: Design, deviations: Mapping[str, float]) -> Design:
    """The same design, with the deviation of its accuracy where it is known."""
    return replace(of, accuracy_deviation=deviations.get(of.network))


def _prediction(trials: Trials, row: int) -> Prediction:
    return Prediction(
        latency_ms=float(trials.latency_ms[row]),
        energy_mj=float(trials.energy_mj[row]),
        area_mm2=float(trials.area_mm2[row]),
        reward=float(trials.reward[row]),
        feasible=bool(trials.feasible[row]),
        satisfied=bool(trials.satisfied[row]),
    )


def best_rows(
    joint: JointSpace, trials: Trials, count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of the best feasible designs of distinct networks, best first.

    Those within every target come first, then by reward; of equal rewards (one network on
    several accelerators that all meet hard targets) by lower energy, then area, then the earlier
    trial. A list of designs would show one network on one accelerator after the other.

    Returns:
        The rows [N <= count], and for each [N] on how many further accelerators of those that
        were tried its network runs.
    """
    designs = _ranked_rows(joint, trials)
    if not designs.size:
        return designs, designs
    networks = _alike(joint, trials.choices[designs])[:, : len(joint.network_space.space.decisions)]
    _, first, accelerators = np.unique(codes(networks), return_index=True, return_counts=True)
    best = np.argsort(first)[:count]
    return designs[first[best]], accelerators[best] - 1


def _ranked_rows(joint: JointSpace, trials: Trials) -> NDArray[np.int64]:
    """Rows of the feasible trials, best first in the order of `best_rows`, each design once."""
    feasible = np.flatnonzero(trials.feasible)
    if not feasible.size:
        return feasible
    some = trials[feasible]
    keys = (some.number, some.area_mm2, some.energy_mj, -some.reward, ~some.satisfied)
    order = feasible[np.lexsort(keys)]
    return order[np.sort(distinct_rows(joint, trials[order]))]


def distinct_designs(joint: JointSpace, trials: Trials) -> int:
    """How many different designs the trials are of, whether they can run or not."""
    return len(distinct_rows(joint, trials))


def distinct_rows(joint: JointSpace, trials: Trials) -> NDArray[np.int64]:
    """Rows where each different design comes first, in no order."""
    if not len(trials):
        return np.zeros(0, np.int64)
    _, first = np.unique(codes(_alike(joint, trials.choices)), return_index=True)
    return first


def _alike(joint: JointSpace, choices: ChoiceArray) -> ChoiceArray:
    """Choices [B, D] that are equal where they differ only in decisions that do not apply."""
    return np.where(joint.applicable(choices), choices, -1)
