"""Where accuracy comes from: one protocol for tables, surrogates, training and shared weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from nahas.spaces.space import ChoiceArray


class AccuracyBackend(Protocol):
    """Gives the accuracy of networks by their choices."""

    @property
    def label(self) -> str:
        """What this accuracy is, for every place that shows it, e.g. 'top-1 % ..., predicted'."""
        ...

    def accuracy(self, choices: ChoiceArray) -> NDArray[np.float64]:
        """Accuracy in percent [B] of network choices [B, D]. NaN is a failed measurement."""
        ...


@runtime_checkable
class Uncertain(Protocol):
    """A back-end that knows how sure it is."""

    def deviation(self, choices: ChoiceArray) -> NDArray[np.float64]:
        """Standard deviation of the accuracy [B] of network choices, in percentage points."""
        ...


@runtime_checkable
class Slow(Protocol):
    """A back-end that takes seconds for a network, so none is measured unless it is proposed."""

    @property
    def label(self) -> str:
        """As of every back-end."""
        ...

    @property
    def identity(self) -> Mapping[str, Any]:
        """What makes its accuracies these and no others, in JSON's types; measures nothing."""
        ...


@runtime_checkable
class Early(Protocol):
    """A back-end that begins to measure networks before anyone waits for them, with workers."""

    def begin(self, choices: ChoiceArray) -> None:
        """Begin to measure network choices [B, D]; `accuracy` of them waits for the end."""
        ...

    def failures(self, choices: ChoiceArray) -> NDArray[np.int64]:
        """`vocabulary.Reason` [B] of network choices that could not be measured, else 0."""
        ...

    def close(self) -> None:
        """End all workers."""
        ...
