"""How much each decision of the accelerator matters: a variance decomposition of what was tried.

The model. Of a metric y (costs: their logarithm) of the designs that can run, ridge regression
fits y = c + sum_d w_d[x_d] + sum_{d<e} W_de[x_d, x_e] + sum_n v_n[z_n] with one weight for every
value of the accelerator's decisions x, for every pair of these, and for every value of the
network's decisions z. The functional ANOVA of such a sum is exact and needs no sampling: over
all accelerators alike, centring W_de in both arguments leaves the pair's own part; what
centring takes away belongs to the two decisions. The variances of all parts add up to the
variance of the model's accelerator part, as the parts are orthogonal.

Its uncertainty. The designs fall into `FOLDS` parts, drawn once. Leaving out one at a time gives
the delete-a-group jackknife's standard errors of all shares, and predictions of designs that were
not learned from: the part of variance that these explain is told beside the shares.
The errors leave out the bias of the ridge, which draws all weights towards 0, and what is
explained is so among designs of the kind that the search tried, not of all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.spaces.space import ChoiceArray, Space

FOLDS = 8
STRENGTH = 10.0
"""Of the ridge: as many designs' worth of evidence for no effect. Of 1, 3, 10 and 30 it explained
most, or within 0.04 of it, in searches of 400 and of 20,000 trials."""

LEAST_DESIGNS = 50
"""Of fewer designs nothing is told."""

MOST_DESIGNS = 4000
"""Of more designs every n-th is learned from: the shares' errors are small enough then."""

Matrix = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Importance:
    """Shares of the variance over all accelerators, one metric's.

    Attributes:
        decisions: [A] names.
        alone: [A] what the decision decides by itself.
        together: [A] what it decides with one other; half of each pair's.
        error: [A] standard error of the sum of the two.
        effects: of each decision the mean effect of each of its values, in the metric's unit as
            the model saw it; NaN for values that no design has.
        explained: part of the variance of designs not learned from that the model explains.
        network: the network's variance over that of network and accelerator.
        designs: how many designs there were.
    """

    decisions: tuple[str, ...]
    alone: Matrix
    together: Matrix
    error: Matrix
    effects: tuple[Matrix, ...]
    explained: float
    network: float
    designs: int


@dataclass(frozen=True)
class _Model:
    """The columns of some designs, and where the blocks of weights end."""

    space: Space
    columns: Matrix
    own: int
    tried: tuple[NDArray[np.int64], ...]

    @property
    def sizes(self) -> list[int]:
        return [len(decision.values) for decision in self.space.decisions]

    @property
    def pairs(self) -> list[tuple[int, int]]:
        return list(combinations(range(len(self.sizes)), 2))

    def parts(self, weights: Matrix) -> tuple[list[Matrix], list[Matrix]]:
        """The centred mean effects of each decision's values, and each pair's own part."""
        sizes = self.sizes
        ends = np.cumsum([*sizes, *(sizes[a] * sizes[b] for a, b in self.pairs)])
        blocks = np.split(weights[: self.own], ends[:-1])
        mains = [block.copy() for block in blocks[: len(sizes)]]
        joint = []
        for (a, b), block in zip(self.pairs, blocks[len(sizes) :], strict=True):
            table = block.reshape(sizes[a], sizes[b])
            rows, columns = table.mean(axis=1), table.mean(axis=0)
            mains[a] += rows
            mains[b] += columns
            joint.append(table - rows[:, None] - columns[None, :] + table.mean())
        return [main - main.mean() for main in mains], joint

    def shares(self, weights: Matrix) -> tuple[Matrix, Matrix, float]:
        """[A] what decisions decide alone, [A] with others, and the variance of all of it."""
        mains, joint = self.parts(weights)
        alone = np.array([np.mean(main**2) for main in mains])
        together = np.zeros(len(mains))
        for (a, b), table in zip(self.pairs, joint, strict=True):
            together[[a, b]] += np.mean(table**2) / 2
        own = float(alone.sum() + together.sum())
        return alone / (own or 1.0), together / (own or 1.0), own

    def effects(self, weights: Matrix) -> tuple[Matrix, ...]:
        """The mean effects, NaN for values that no design has."""
        return tuple(
            np.where(np.isin(np.arange(len(main)), tried), main, np.nan)
            for main, tried in zip(self.parts(weights)[0], self.tried, strict=True)
        )


def importances(
    accelerators: ChoiceArray, networks: ChoiceArray, space: Space, metrics: Mapping[str, Matrix]
) -> dict[str, Importance]:
    """The decomposition of every metric; none of a metric that all designs have alike.

    Args:
        accelerators: [N, A] choices.
        networks: [N, D] choices; -1 where a decision does not apply.
        space: of the accelerators.
        metrics: [N] each, finite.
    """
    some = np.arange(len(accelerators))[:: -(-len(accelerators) // MOST_DESIGNS) or 1]
    told = {name: metric[some] for name, metric in metrics.items() if np.ptp(metric[some]) > 0}
    if len(some) < LEAST_DESIGNS or not told:
        return {}
    model = _model(accelerators[some], networks[some], space)
    sought = np.stack(list(told.values()), axis=1)
    sought = (sought - sought.mean(axis=0)) / sought.std(axis=0)
    fits = _fits(model.columns, sought)
    found = {}
    for m, (name, metric) in enumerate(told.items()):
        found[name] = _importance(model, fits, m, float(metric.std()))
    return found


@dataclass(frozen=True)
class _Fits:
    """Weights [C, M] from all designs and [F, C, M] from all but a fold; what is explained [M]."""

    whole: Matrix
    parts: Matrix
    explained: Matrix


def _fits(columns: Matrix, sought: Matrix) -> _Fits:
    """Ridge regressions of metrics [N, M] of mean 0 and variance 1.

    With fewer designs than columns they are solved for the designs' weights, else for the
    columns': the two give the same.
    """
    fold = np.random.default_rng(0).permutation(len(columns)) % FOLDS
    wide = len(columns) < columns.shape[1]
    folds = [] if wide else [columns[fold == part] for part in range(FOLDS)]
    own = [part.T @ part for part in folds]
    gram = columns @ columns.T if wide else np.sum(own, axis=0)

    def without(part: int) -> Matrix:
        kept = fold != part
        if wide:
            weights: Matrix = columns[kept].T @ _solved(gram[np.ix_(kept, kept)], sought[kept])
            return weights
        less = gram - own[part] if part >= 0 else gram
        return _solved(less, columns[kept].T @ sought[kept])

    parts = np.stack([without(part) for part in range(FOLDS)])
    told = np.empty_like(sought)
    for part, weights in enumerate(parts):
        told[fold == part] = columns[fold == part] @ weights
    return _Fits(without(-1), parts, 1 - ((told - sought) ** 2).mean(axis=0))


def _solved(system: Matrix, side: Matrix) -> Matrix:
    from scipy.linalg import cho_factor, cho_solve

    solution: Matrix = cho_solve(cho_factor(system + STRENGTH * np.eye(len(system))), side)
    return solution


def _importance(model: _Model, fits: _Fits, metric: int, scale: float) -> Importance:
    weights = fits.whole[:, metric]
    alone, together, own = model.shares(weights)
    again = [model.shares(part[:, metric]) for part in fits.parts]
    totals = np.array([by_itself + with_another for by_itself, with_another, _ in again])
    spread = (FOLDS - 1) / FOLDS * ((totals - totals.mean(axis=0)) ** 2).sum(axis=0)
    network = float(np.var(model.columns[:, model.own :] @ weights[model.own :]))
    return Importance(
        decisions=tuple(decision.name for decision in model.space.decisions),
        alone=alone,
        together=together,
        error=np.sqrt(spread),
        effects=tuple(scale * effect for effect in model.effects(weights)),
        explained=float(fits.explained[metric]),
        network=network / ((network + own) or 1.0),
        designs=len(model.columns),
    )


def _model(accelerators: ChoiceArray, networks: ChoiceArray, space: Space) -> _Model:
    sizes = [len(decision.values) for decision in space.decisions]
    columns = [_one_hot(column, size) for column, size in zip(accelerators.T, sizes, strict=True)]
    for a, b in combinations(range(len(sizes)), 2):
        pair = accelerators[:, a] * sizes[b] + accelerators[:, b]
        columns.append(_one_hot(pair, sizes[a] * sizes[b]))
    own = sum(column.shape[1] for column in columns)
    columns += [_one_hot(column, int(column.max()) + 1) for column in networks.T]
    tried = tuple(np.unique(column) for column in accelerators.T)
    return _Model(space, np.concatenate(columns, axis=1), own, tried)


def importance_document(of: Importance, space: Space, *, logarithm: bool) -> dict[str, Any]:
    """An importance in JSON's types, the greatest first; effects on costs are factors."""
    order = np.argsort(-(of.alone + of.together), kind="stable")
    return {
        "explained": round(of.explained, 4),
        "network": round(of.network, 4),
        "designs": of.designs,
        "decisions": [
            {
                "name": of.decisions[d],
                "alone": round(float(of.alone[d]), 5),
                "together": round(float(of.together[d]), 5),
                "error": round(float(of.error[d]), 5),
                **_ends(of.effects[d], space.decisions[d].values, logarithm),
            }
            for d in order.tolist()
        ],
    }


def _ends(effects: Matrix, values: Sequence[Any], logarithm: bool) -> dict[str, Any]:
    """The values that make a metric least and most, and how they change it on average."""
    told = np.exp(effects) if logarithm else effects
    least, most = int(np.nanargmin(told)), int(np.nanargmax(told))
    return {
        "least": [values[least], round(float(told[least]), 4)],
        "most": [values[most], round(float(told[most]), 4)],
    }


def _one_hot(column: NDArray[np.int64], size: int) -> Matrix:
    """[N, size] a 1 where a design has a value; none where the value is -1."""
    hot: Matrix = (column[:, None] == np.arange(size)).astype(np.float64)
    return hot
