"""Where accuracy comes from: one protocol for tables, surrogates and training."""

from __future__ import annotations

from typing import Protocol

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
