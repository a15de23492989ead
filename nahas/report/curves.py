"""How a search got better: best and mean reward over trials, with a band over seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.strategies import SearchResult
from nahas.study.trials import Trials

MOST_POINTS = 200
"""Trials at which a curve is told."""

WINDOWS = 25
"""The mean is over so many windows' worth of the longest study."""

QUARTILES = (0.25, 0.5, 0.75)


def window(trials: int) -> int:
    """Trials that a mean is over."""
    return max(1, trials // WINDOWS)


def reward_curves(studies: Sequence[Trials]) -> dict[str, Any]:
    """Quartiles over seeds of the best reward so far, and of the mean of a window.

    A seed counts as far as it has come; `seeds` says how many have come so far.

    Args:
        studies: trials of the seeds of one search.

    Returns:
        `trials` [N], counts of trials; `seeds` [N]; `best` and `mean` [3, N], quartiles; the
        window of the mean; all JSON's types.
    """
    longest = max((len(trials) for trials in studies), default=0)
    if not longest:
        return {"trials": [], "seeds": [], "best": [[]] * 3, "mean": [[]] * 3, "window": 1}
    at = _points(longest)
    over = window(longest)
    best = np.stack([_sampled(best_so_far(trials.reward), at) for trials in studies])
    mean = np.stack([_sampled(running_mean(trials.reward, over), at) for trials in studies])
    return {
        "trials": at.tolist(),
        "seeds": np.isfinite(best).sum(axis=0).tolist(),
        "best": np.nanquantile(best, QUARTILES, axis=0).round(5).tolist(),
        "mean": np.nanquantile(mean, QUARTILES, axis=0).round(5).tolist(),
        "window": over,
    }


def volume_curve(results: Sequence[SearchResult]) -> list[list[float]]:
    """[3, N] quartiles over seeds of the hypervolume, at the trials of `reward_curves`.

    It is known after a batch, so it rises at the batches' ends.

    Args:
        results: of the seeds of one search in Pareto mode.
    """
    so_far = [volume_so_far(result) for result in results]
    longest = max((len(volumes) for volumes in so_far), default=0)
    if not longest:
        return [[]] * 3
    at = _points(longest)
    volumes = np.stack([_sampled(of, at) for of in so_far])
    quartiles: list[list[float]] = np.nanquantile(volumes, QUARTILES, axis=0).round(5).tolist()
    return quartiles


def volume_so_far(result: SearchResult) -> NDArray[np.float64]:
    """[T] the hypervolume of the whole batches up to each trial, at the last trial of all."""
    assert result.front is not None
    volumes = np.concatenate([[0.0], result.front.after_batch])
    count = len(result.trials)
    batches = np.arange(1, count + 1) // int(result.options["batch"])
    batches[-1:] = len(volumes) - 1
    whole = np.minimum(batches, len(volumes) - 1)
    told: NDArray[np.float64] = volumes[whole]
    return told


def best_so_far(reward: NDArray[np.float64]) -> NDArray[np.float64]:
    """[T] the greatest reward up to each trial."""
    return np.maximum.accumulate(reward)


def running_mean(reward: NDArray[np.float64], over: int) -> NDArray[np.float64]:
    """[T] the mean of the last `over` trials, of fewer where there are not so many yet."""
    sums = np.concatenate([[0.0], np.cumsum(reward)])
    upto = np.arange(1, len(reward) + 1)
    since = np.maximum(upto - over, 0)
    means: NDArray[np.float64] = (sums[upto] - sums[since]) / (upto - since)
    return means


def _points(longest: int) -> NDArray[np.int64]:
    return np.unique(np.linspace(1, longest, min(longest, MOST_POINTS)).round().astype(np.int64))


def _sampled(values: NDArray[np.float64], at: NDArray[np.int64]) -> NDArray[np.float64]:
    """The values after so many trials; NaN where a study has not come so far."""
    told = np.full(len(at), np.nan)
    there = at <= len(values)
    told[there] = values[at[there] - 1]
    return told
