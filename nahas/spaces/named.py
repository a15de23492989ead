"""Network spaces by the name that users type."""

from __future__ import annotations

from difflib import get_close_matches

from nahas.errors import SpaceError
from nahas.spaces import macro, mnasnet, s1, s2, s3
from nahas.spaces.networks import NetworkSpace

_SPACES = {
    "mnasnet": mnasnet.network_space,
    "macro": macro.network_space,
    "s1": s1.network_space,
    "s2": s2.network_space,
    "s3": s3.network_space,
    "s3-groups": s3.with_groups,
    "s3-scaled": s3.scaled,
}

NAMES = tuple(_SPACES)


def named(name: str) -> NetworkSpace:
    """The network space of this name, or a SpaceError that lists them."""
    if name not in _SPACES:
        near = get_close_matches(name, NAMES, 1)
        hint = f"did you mean '{near[0]}'? " if near else ""
        raise SpaceError(f"unknown space '{name}': {hint}known are {', '.join(NAMES)}")
    return _SPACES[name]()
