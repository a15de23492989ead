"""Which values a controller may propose: the space's own, or fewer where some are fixed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.errors import SpaceError
from nahas.spaces.space import Space

Allowed = NDArray[np.bool_]
"""[D, K] whether decision d may take its value k; K is the largest number of values."""


def allowed_values(space: Space, fixed: Mapping[str, Any] | None = None) -> Allowed:
    """Every value of the space [D, K], but for `fixed` decisions only the named value.

    Raises:
        SpaceError: when a fixed decision or its value is not of the space.
    """
    fixed = fixed or {}
    names = [decision.name for decision in space.decisions]
    for name in fixed:
        if name not in names:
            raise SpaceError(
                f"space '{space.name}' has no decision '{name}' to fix: it has {names}"
            )
    allowed = np.arange(space.cardinalities.max()) < space.cardinalities[:, None]
    for row, decision in enumerate(space.decisions):
        if decision.name in fixed:
            allowed[row] = False
            allowed[row, decision.index(fixed[decision.name])] = True
    return allowed


def checked(space: Space, allowed: Allowed | None) -> Allowed:
    """`allowed`, or every value of the space where it is None.

    Raises:
        SpaceError: when it has another shape, allows what is no value, or leaves a decision none.
    """
    every = allowed_values(space)
    if allowed is None:
        return every
    if allowed.shape != every.shape or (allowed & ~every).any() or not allowed.any(axis=1).all():
        raise SpaceError(
            f"space '{space.name}': allowed values must be a mask of shape {every.shape} that "
            "leaves every decision at least one of its values"
        )
    return allowed
