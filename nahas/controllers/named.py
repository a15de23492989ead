"""Controllers by the names that users type."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from nahas import plugins
from nahas.controllers.allowed import Allowed
from nahas.controllers.base import Applicable, Controller
from nahas.controllers.evolution import Evolution, EvolutionHyperparameters
from nahas.controllers.local import LocalSearch
from nahas.controllers.ppo import Ppo, PpoHyperparameters
from nahas.controllers.random import Random
from nahas.controllers.reinforce import Reinforce, ReinforceHyperparameters
from nahas.controllers.within import Within
from nahas.datafiles import nearest
from nahas.errors import UsageError
from nahas.spaces.space import Space

CONTROLLERS = ("ppo", "reinforce", "evolution", "local", "random")
"""Those of nahas itself; others, Optuna's and PyGlove's among them, are plug-ins."""


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
        allowed: [D, K] the values that may be proposed; None is all. Whatever the controller, it
            decides among these alone (`nahas.controllers.within`).

    Raises:
        UsageError: when a plug-in cannot be loaded or made.
        SpaceError: when the mask means nothing.
    """

    def make(space: Space, applicable: Applicable | None) -> Controller:
        return _made(name, space, rng, applicable)

    return make(space, applicable) if allowed is None else Within(space, allowed, make, applicable)


def _made(
    name: str, space: Space, rng: np.random.Generator, applicable: Applicable | None
) -> Controller:
    if name == "random":
        return Random(space, rng)
    if name == "ppo":
        return Ppo(space, rng, applicable=applicable)
    if name == "reinforce":
        return Reinforce(space, rng, applicable=applicable)
    if name == "evolution":
        return Evolution(space, rng, applicable)
    if name == "local":
        return LocalSearch(space, rng, applicable)
    made: Controller = plugins.plugin(plugins.CONTROLLERS, name)(space, rng, applicable)
    return made


def knobs(name: str) -> dict[str, Any]:
    """What else the proposals of a controller follow from, in JSON's types, by its name."""
    if name == "ppo":
        return {"ppo": asdict(PpoHyperparameters())}
    if name == "reinforce":
        return {"reinforce": asdict(ReinforceHyperparameters())}
    if name == "evolution":
        return {"evolution": asdict(EvolutionHyperparameters())}
    return {}
