"""Some networks of a space, and no others: one decision between those in a list."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from nahas.spaces.builder import Builder
from nahas.spaces.networks import Link, NetworkSpace, Values
from nahas.spaces.space import Decision, Space

DECISION = "network"
"""Its one decision, whose values are names of networks."""


def listed(space: NetworkSpace, names: Iterable[str]) -> NetworkSpace:
    """The networks of `space` with these names.

    The space keeps its name, and its networks theirs.

    Raises:
        SpaceError: when a name is not one of the space, or there is none, or one twice.
    """
    values_of = {name: space.space.values(space.choice_named(name)) for name in names}

    def chosen(link: Link) -> Link:
        def build(on: Builder[Any], x: Any, values: Values) -> Any:
            own = values_of[values[DECISION]]
            return link.build(on, x, {name: own[name] for name in link.decisions})

        return Link((DECISION,), build) if link.decisions else link

    def spell(values: Values) -> str:
        return str(values[DECISION]).partition(":")[2]

    def read(text: str) -> Values | None:
        name = f"{space.name}:{text}"
        return {DECISION: name} if name in values_of else None

    decision = Decision(DECISION, tuple(values_of))
    return NetworkSpace(
        Space(space.name, (decision,)), tuple(map(chosen, space.links)), spell, read
    )


def listed_as(space: NetworkSpace, kept: Space) -> NetworkSpace:
    """`space` itself, or those of its networks that the kept decisions of a study list."""
    first = kept.decisions[0]
    return listed(space, first.values) if first.name == DECISION else space
