"""How far predictions are from the simulator on designs that were held out, and where most."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.costmodel.perceptron import HEADS, VALIDITY
from nahas.energy import Tables
from nahas.spaces.joint import JointSpace
from nahas.spaces.space import ChoiceArray
from nahas.vocabulary import Objective

Errors = dict[str, dict[str, dict[str, float | None]]]
"""By split, by head: the measures of `errors_of` or `validity_of`; None where not defined."""

Explain = Callable[[ChoiceArray], dict[str, float]]
"""Shares of the latency of a choice [D] by what bounds the layers it is spent in."""

Floats = NDArray[np.floating[Any]]

UNDEFINED: dict[str, float | None] = dict.fromkeys(
    ("mape", "median", "within_10", "spearman", "kendall")
)


def errors_of(predicted: Floats, true: Floats) -> dict[str, float | None]:
    """How far predicted logarithms [B] are from the true ones [B].

    Returns:
        By name: `mape` and `median`, of the absolute relative errors of the costs themselves, in
        percent; `within_10`, the share of designs whose cost is off by at most 10 %, in percent;
        `spearman`, the rank correlation, and `kendall`, tau-b, which are None where a side is
        constant. All are None where there is no design.
    """
    from scipy.stats import kendalltau, spearmanr

    if not len(true):
        return dict(UNDEFINED)
    off = 100 * np.abs(np.expm1(predicted - true))
    ranked = len(true) > 1 and np.ptp(true) > 0 and np.ptp(predicted) > 0
    return {
        "mape": float(off.mean()),
        "median": float(np.median(off)),
        "within_10": 100 * float((off <= 10).mean()),
        "spearman": float(spearmanr(predicted, true).statistic) if ranked else None,
        "kendall": float(kendalltau(predicted, true).statistic) if ranked else None,
    }


def validity_of(probability: Floats, can_run: NDArray[np.bool_]) -> dict[str, float | None]:
    """How well probabilities [B] tell designs that can run from those that cannot.

    Returns:
        By name: `auc`, the chance that a design that can run has a higher probability than one
        that cannot, ties counting half, or None where all are of one kind; `accuracy`, the share
        of designs on the right side of 0.5 in percent, or None where there is none.
    """
    from scipy.stats import rankdata

    runs, count = int(can_run.sum()), len(can_run)
    auc = None
    if 0 < runs < count:
        ranks = rankdata(probability)[can_run].sum()
        auc = float((ranks - runs * (runs + 1) / 2) / (runs * (count - runs)))
    right = 100 * float(((probability >= 0.5) == can_run).mean()) if count else None
    return {"auc": auc, "accuracy": right}


@dataclass(frozen=True)
class HeldOut:
    """Samples with what a model says of them, and the rows that it has not learned from.

    Attributes:
        joint: the space.
        choices: [N, D] designs.
        logs: [N, 3] true logarithms, in the order of `HEADS`.
        can_run: [N] whether a design can run.
        predicted: outputs [N] by head.
        train: rows that were learned from.
        parts: rows that were not, by the name of their split.
    """

    joint: JointSpace
    choices: NDArray[np.uint8]
    logs: Floats
    can_run: NDArray[np.bool_]
    predicted: Mapping[str, Floats]
    train: NDArray[np.int64]
    parts: Mapping[str, NDArray[np.int64]]

    @property
    def errors(self) -> Errors:
        """Errors of every part: latency and energy of what can run, area and validity of all."""
        errors: Errors = {}
        for part, rows in self.parts.items():
            errors[part] = {}
            for column, head in enumerate(HEADS):
                counted = rows if head == "log_area_mm2" else rows[self.can_run[rows]]
                errors[part][head] = errors_of(
                    self.predicted[head][counted], self.logs[counted, column]
                )
            if VALIDITY in self.predicted:
                errors[part][VALIDITY] = validity_of(
                    self.predicted[VALIDITY][rows], self.can_run[rows]
                )
        return errors

    @property
    def calibration(self) -> dict[str, dict[str, dict[str, float]]]:
        """Mean signed error in percent by accelerator parameter, value and cost.

        Of latency and energy, over the designs of all parts that can run.
        """
        rows = np.concatenate(list(self.parts.values()))
        rows = rows[self.can_run[rows]]
        off = {head: self._off(head, rows) for head in HEADS[:2]}
        return {
            decision.name: {
                str(value): {head: float(errors[here].mean()) for head, errors in off.items()}
                for number, value in enumerate(decision.values)
                if (here := self.choices[rows, column] == number).any()
            }
            for column, decision in enumerate(
                self.joint.accelerator.decisions, start=self._network_decisions
            )
        }

    def worst(self, count: int, explain: Explain | None) -> list[dict[str, Any]]:
        """The designs whose latency or energy is predicted worst, the worst first, and why.

        Args:
            count: how many.
            explain: gives what the latency of a design is spent on; None leaves that out.

        Returns:
            For each: `split`, `cost`, its `true` and `predicted` value, `error_percent`, the values
            of the `network` and `hardware` decisions, `training_rows_on_accelerator`, and
            `latency_share` by what bounds the layers.
        """
        names = np.repeat(list(self.parts), [len(rows) for rows in self.parts.values()])
        rows = np.concatenate(list(self.parts.values()))
        names, rows = names[self.can_run[rows]], rows[self.can_run[rows]]
        off = np.abs([self._off(head, rows) for head in HEADS[:2]])
        order = np.argsort(-off.max(axis=0), kind="stable")[:count]
        return [
            {"split": str(names[i]), **self._case(int(rows[i]), HEADS[off[:, i].argmax()], explain)}
            for i in order
        ]

    def _case(self, row: int, head: str, explain: Explain | None) -> dict[str, Any]:
        choice, first = self.choices[row].astype(np.int64), self._network_decisions
        values = list(self.joint.space.values(choice).items())
        same = (self.choices[self.train, first:] == self.choices[row, first:]).all(axis=1)
        return {
            "cost": head.removeprefix("log_"),
            "true": float(np.exp(self.logs[row, HEADS.index(head)])),
            "predicted": float(np.exp(self.predicted[head][row])),
            "error_percent": float(self._off(head, np.array([row]))[0]),
            "network": dict(values[:first]),
            "hardware": dict(values[first:]),
            "training_rows_on_accelerator": int(same.sum()),
            "latency_share": explain(choice) if explain else None,
        }

    def _off(self, head: str, rows: NDArray[np.int64]) -> Floats:
        """Signed relative errors in percent."""
        true = self.logs[rows, HEADS.index(head)]
        return np.asarray(100 * np.expm1(self.predicted[head][rows] - true))

    @property
    def _network_decisions(self) -> int:
        return len(self.joint.network_space.space.decisions)


def bounds(joint: JointSpace, objective: Objective, tables: Tables | None) -> Explain:
    """The simulator as an explanation: shares of a design's cycles by what bounds its layers."""
    from nahas.simulate import simulate
    from nahas.vocabulary import Bound

    def explain(choice: ChoiceArray) -> dict[str, float]:
        (network,), (accelerator,) = joint.designs(choice[None])
        cost = simulate(network, accelerator, objective, tables)
        shares = {
            bound.name.lower(): sum(layer.cycles for layer in cost.layers if layer.bound is bound)
            for bound in Bound
        }
        shares["waiting"] = cost.startup_cycles + cost.drain_cycles
        return {name: float(cycles / cost.cycles) for name, cycles in shares.items()}

    return explain
