"""Controllers, trackers and energy tables of other distributions, found by entry points.

A distribution offers one in its own metadata, for example in setup.cfg::

    [options.entry_points]
    nahas.controllers =
        annealing = my_package.annealing:make

What an entry point of each group is:

* `nahas.controllers`: a function (space, rng, applicable) -> `controllers.base.Controller`;
  `rng` is a `numpy.random.Generator`, `applicable` says which decisions matter.
* `nahas.trackers`: a function (search: `problem.Search`) -> function of every batch of
  `study.trials.Trials`, or an object with `begin` and `end` besides: `trackers.told`. What it
  raises while a search runs is warned of, and the search goes on without it.
* `nahas.energy_tables`: a function () -> path of a folder of energy and area tables.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

from nahas.errors import UsageError

CONTROLLERS = "nahas.controllers"
TRACKERS = "nahas.trackers"
ENERGY_TABLES = "nahas.energy_tables"

GROUPS = (CONTROLLERS, TRACKERS, ENERGY_TABLES)


def names(group: str) -> tuple[str, ...]:
    """Names of the installed plug-ins of a group, sorted."""
    return tuple(sorted({entry.name for entry in entry_points(group=group)}))


def plugin(group: str, name: str) -> Any:
    """The plug-in of this name.

    Raises:
        UsageError: when there is none, or it cannot be imported; names the distribution.
    """
    for entry in entry_points(group=group, name=name):
        try:
            return entry.load()
        except Exception as error:
            owner = entry.dist.name if entry.dist else "its distribution"
            raise UsageError(
                f"plug-in '{name}' of {owner} cannot be loaded ({error}): mend or remove {owner}"
            ) from error
    known = ", ".join(names(group)) or "none"
    raise UsageError(f"there is no plug-in '{name}' in group {group}: installed are {known}")
