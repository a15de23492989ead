"""Controllers by the names that users type."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas import plugins
from nahas.controllers.allowed import Allowed
from nahas.controllers.base import Controller
from nahas.controllers.narrowed import Narrowed
from nahas.controllers.ppo import Ppo, PpoHyperparameters
from nahas.controllers.random import Random
from nahas.controllers.reinforce import Reinforce, ReinforceHyperparameters
from nahas.datafiles import nearest
from nahas.errors import UsageError
from nahas.spaces.space import ChoiceArray, Space

CONTROLLERS = ("ppo", "reinforce", "random")

Applicable = Callable[[ChoiceArray], NDArray[np.bool_]]


def check_name(name: str) -> None:
    """Raise a UsageError unless there is a controller or a plug-in of this name."""
    if name not in (known := (*CONTROLLERS, *plugins.names(plugins.CONTROLLERS))):
        raise UsageError(
            f"there is no controller '{name}': allowed are {', '.join(known)}{nearest(name, known)}"
        )


def controller_of(
    name: str,
    space: Space,
    rng: np.random.Generator,
    applicable: Applicable | None = None,
    allowed: Allowed | None = None,
) -> Controller:
    """The controller of a name.

    Args:
        name: of `CONTROLLERS`, or of a plug-in.
        space: what to choose from.
        rng: the source of all its randomness.
        applicable: tells of choices [B, D] which decisions matter [B, D].
        allowed: [D, K] the values that may be proposed; None is all. A plug-in is shown a
            space of these alone.

    Raises:
        UsageError: when a plug-in cannot be loaded or made.
    """
    if name == "random":
        return Random(space, rng, allowed)
    if name == "ppo":
        return Ppo(space, rng, allowed, applicable)
    if name == "reinforce":
        return Reinforce(space, rng, allowed, applicable)
    make = plugins.plugin(plugins.CONTROLLERS, name)
    if allowed is not None:
        return Narrowed(space, allowed, lambda some, rest: make(some, rng, rest), applicable)
    made: Controller = make(space, rng, applicable)
    return made


def knobs(name: str) -> dict[str, Any]:
    """What else the proposals of a controller follow from, in JSON's types, by its name."""
    if name == "ppo":
        return {"ppo": asdict(PpoHyperparameters())}
    if name == "reinforce":
        return {"reinforce": asdict(ReinforceHyperparameters())}
    return {}
