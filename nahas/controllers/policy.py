"""The recurrent policy: weights, what is drawn from them, and steps up PPO's objective.

The kernels are `nahas.kernels.recurrent`; nothing here loads TensorFlow.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from nahas.controllers.allowed import Allowed
from nahas.kernels.recurrent import Sizes, ascend, sample, slopes_of

Arrays = Mapping[str, NDArray[np.generic]]


class Policy:
    """Samples choices, and climbs PPO's clipped objective.

    Args:
        allowed: [D, K] the values each decision may take.
        rng: draws the initial weights.
        hidden: width of the memory.
        learning_rate: Adam's.
    """

    def __init__(
        self, allowed: Allowed, rng: np.random.Generator, *, hidden: int, learning_rate: float
    ) -> None:
        steps, width = allowed.shape
        counts = np.where(allowed, np.arange(1, width + 1), 0).max(axis=1)
        first = 1 + np.concatenate([[0], np.cumsum(counts)[:-1]])
        self._values = (first, allowed)
        self._sizes: Sizes = (1 + int(counts.sum()), hidden, steps, width)
        self._rate = learning_rate
        self._weights = _initial(rng, self._sizes)
        self._moments = np.zeros((2, self._weights.size), np.float32)
        self._steps = 0

    def sample(
        self, uniforms: NDArray[np.float64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Choices [B, D] from uniform draws [B, D], and the log-probability of each decision."""
        choices = np.empty(uniforms.shape, np.int64)
        logs = np.empty(uniforms.shape, np.float32)
        sample(self._weights, self._sizes, self._values, uniforms, choices, logs)
        return choices, logs

    def logs(self, choices: NDArray[np.int64]) -> NDArray[np.float32]:
        """The log-probability [B, D] of each decision of choices [B, D], given those before."""
        logs = np.empty(choices.shape, np.float32)
        given = np.full(choices.shape, -1.0)
        sample(self._weights, self._sizes, self._values, given, choices.copy(), logs)
        return logs

    def improve(
        self,
        drawn: tuple[NDArray[np.int64], NDArray[np.float32]],
        advantages: NDArray[np.float64],
        used: NDArray[np.bool_],
        knobs: tuple[float, float, int],
    ) -> None:
        """Take some steps up PPO's objective.

        Args:
            drawn: what `sample` gave, perhaps before other lessons: [B, D] both.
            advantages: [B] how much better than expected each choice was.
            used: [B, D] which decisions mattered; others leave the log-probability.
            knobs: the clip range, the entropy's weight, and the number of epochs.
        """
        clip, entropy_weight, epochs = knobs
        shares = (used / max(int(used.sum()), 1)).astype(np.float32)
        batch = (*drawn, advantages.astype(np.float32), shares)
        slopes = np.empty_like(self._weights)
        for _ in range(epochs):
            of = (float(clip), float(entropy_weight))
            slopes_of(self._weights, self._sizes, self._values, batch, of, slopes)
            self._steps += 1
            ascend(self._weights, slopes, self._moments, self._rate, self._steps)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Weights and Adam's variables, by name."""
        return {
            "weights": self._weights.copy(),
            "moments": self._moments.copy(),
            "steps": np.array(self._steps),
        }

    def assign(self, arrays: Arrays) -> None:
        """Set what `arrays` gave.

        Raises:
            KeyError, ValueError: when a name is missing or a shape is another.
        """
        weights, moments = (np.array(arrays[n], np.float32) for n in ("weights", "moments"))
        if weights.shape != self._weights.shape or moments.shape != self._moments.shape:
            raise ValueError(f"{weights.size} weights, not {self._weights.size}")
        self._weights, self._moments = weights, moments
        self._steps = int(arrays["steps"])


def _initial(rng: np.random.Generator, sizes: Sizes) -> NDArray[np.float32]:
    tokens, hidden, steps, width = sizes
    bound = hidden**-0.5
    table = rng.uniform(-3.0 * bound, 3.0 * bound, (tokens, 4, hidden))
    table[:, 1] += 1.0  # open forget gates
    recurrent = rng.uniform(-bound, bound, hidden * 4 * hidden)
    # Small heads: the first proposals are almost uniform over the allowed values.
    heads = rng.uniform(-0.1 * bound, 0.1 * bound, steps * hidden * width)
    biases = np.zeros(steps * width)
    return np.concatenate([table.ravel(), recurrent, heads, biases]).astype(np.float32)
