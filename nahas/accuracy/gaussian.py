"""A Gaussian process on features: its covariance, its likelihood, and what it predicts.

The covariance of two networks with features a, b is::

    k(a, b) = amplitude**2 * exp(-|s * (a - b)|**2 / 2)        + noise**2 where they are one row

with one scale s per feature, the inverse of its length. All of them maximise the likelihood of
the measurements, whose gradient is equation 5.9 of Rasmussen and Williams, "Gaussian Processes
for Machine Learning" (2006); prediction is their algorithm 2.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BOUNDS = {"amplitude": (0.05, 400.0), "noise": (0.01, 20.0), "scale": (1e-4, 3.0)}
"""Where a parameter may lie: wide, so that only a feature of no use meets its bound."""


@dataclass(frozen=True)
class Process:
    """The parameters of a Gaussian process.

    Attributes:
        scales: [F] inverse lengths of the features.
        amplitude: standard deviation of the function, in units of the target.
        noise: standard deviation of one measurement, in units of the target.
    """

    scales: Floats
    amplitude: float
    noise: float


def lengths(scaled: Floats) -> Floats:
    """Squared lengths [A] of scaled features [A, F]."""
    squares: Floats = (scaled * scaled).sum(axis=1)
    return squares


def covariance(a: Floats, b: Floats, amplitude: float, b_lengths: Floats | None = None) -> Floats:
    """Covariance [A, B] of features that are already scaled, [A, F] and [B, F].

    `b_lengths` are the `lengths` of the second, where they are known.
    """
    squares: Floats = lengths(a)[:, None] + (lengths(b) if b_lengths is None else b_lengths)
    squares -= 2.0 * (a @ b.T)
    np.maximum(squares, 0.0, out=squares)  # rounding may leave -1e-15 on the diagonal
    squares *= -0.5
    np.exp(squares, out=squares)
    squares *= amplitude**2
    return squares


def condition(process: Process, features: Floats, targets: Floats) -> Floats:
    """The weights [N] of N measurements: a prediction is covariance times weights."""
    from scipy.linalg import cho_factor, cho_solve

    scaled = features * process.scales
    k = covariance(scaled, scaled, process.amplitude)
    k[np.diag_indices_from(k)] += process.noise**2
    return np.asarray(cho_solve(cho_factor(k, lower=True, overwrite_a=True), targets))


def loss(logs: Floats, features: Floats, targets: Floats) -> tuple[float, Floats]:
    """Negative log likelihood per measurement, and its gradient.

    Args:
        logs: [2 + F] natural logarithms of amplitude, noise and scales.
        features: [N, F].
        targets: [N], of mean 0.

    Returns:
        The loss without its constant, and its gradient [2 + F].
    """
    from scipy.linalg import cho_factor, cho_solve
    from scipy.linalg.lapack import dpotri

    count = len(targets)
    amplitude, noise = np.exp(logs[:2])
    scaled = features * np.exp(logs[2:])
    k = covariance(scaled, scaled, amplitude)
    noisy = k.copy()
    noisy[np.diag_indices_from(noisy)] += noise**2
    factor = cho_factor(noisy, lower=True, overwrite_a=True)
    weights = cho_solve(factor, targets)
    value = 0.5 * targets @ weights + np.log(np.diag(factor[0])).sum()
    # d loss / d K, element by element. potri inverts from the factor in a third of the
    # operations of a solve, and fills the lower triangle alone.
    slope, _ = dpotri(factor[0], lower=1, overwrite_c=1)
    slope = np.tril(slope) + np.tril(slope, -1).T
    slope -= np.outer(weights, weights)
    slope *= 0.5
    gradient = np.empty_like(logs)
    gradient[1] = 2.0 * noise**2 * np.trace(slope)
    slope *= k
    gradient[0] = 2.0 * slope.sum()
    # dk/dlog s_f = -k (a_f - b_f)^2: summed over pairs without forming the N x N differences
    rows = slope.sum(axis=1)
    gradient[2:] = -2.0 * (rows @ scaled**2 - ((slope @ scaled) * scaled).sum(axis=0))
    return value / count, gradient / count


def likeliest(
    features: Floats,
    targets: Floats,
    start: Process,
    steps: int,
    kinds: NDArray[np.int64] | None = None,
) -> Process:
    """The process that explains the targets best, from `start` by at most `steps` of L-BFGS.

    Args:
        features: [N, F].
        targets: [N], of mean 0.
        start: where to begin.
        steps: the most to take.
        kinds: [F] numbers from 0: features of one kind share a scale. None is a scale for each.
    """
    from scipy.optimize import minimize

    kind_of = np.arange(features.shape[1]) if kinds is None else kinds
    count = int(kind_of.max()) + 1

    def tied(logs: Floats) -> tuple[float, Floats]:
        value, slope = loss(np.concatenate([logs[:2], logs[2:][kind_of]]), features, targets)
        return value, np.concatenate([slope[:2], np.bincount(kind_of, slope[2:], count)])

    first = [int(np.argmax(kind_of == kind)) for kind in range(count)]
    logs = np.log(np.concatenate([[start.amplitude, start.noise], start.scales[first]]))
    bounds = [BOUNDS["amplitude"], BOUNDS["noise"], *[BOUNDS["scale"]] * count]
    found: Any = minimize(
        tied,
        logs,
        jac=True,
        method="L-BFGS-B",
        bounds=np.log(bounds),
        options={"maxiter": steps},
    )
    amplitude, noise, *scales = np.exp(found.x)
    return Process(np.array(scales)[kind_of], float(amplitude), float(noise))


def left_out(process: Process, features: Floats, targets: Floats) -> tuple[Floats, Floats]:
    """What is predicted of each measurement from all others: mean and deviation, [N] both.

    Equation 5.12 of Rasmussen and Williams: no process is conditioned N times. The deviation is
    that of a measurement, its noise included.
    """
    scaled = features * process.scales
    k = covariance(scaled, scaled, process.amplitude)
    k[np.diag_indices_from(k)] += process.noise**2
    inverse = np.linalg.inv(k)
    variance = 1.0 / np.diag(inverse)
    return targets - (inverse @ targets) * variance, np.sqrt(variance)
