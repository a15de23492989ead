"""Network spaces by the name that users type."""

from __future__ import annotations

from difflib import get_close_matches

from nahas.errors import SpaceError
from nahas.spaces import macro, mnasnet, s1, s2, s3
from nahas.spaces.from_file import in_file, space_in_file
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
    """The network space of this name.

    `name` is one of NAMES, or `FILE.py:NAME` of one's own (`nahas.spaces.own`).

    Raises:
        SpaceError: when there is none; it lists them, or says what the file lacks.
    """
    if in_file(name):
        own = space_in_file(name)
        if own.name in NAMES:
            raise SpaceError(
                f"{own.file}: is called '{own.name}', as a space of nahas: give it another name=..."
            )
        return own
    if name not in _SPACES:
        near = get_close_matches(name, NAMES, 1)
        hint = f"did you mean '{near[0]}'? " if near else ""
        raise SpaceError(
            f"unknown space '{name}': {hint}known are {', '.join(NAMES)}, "
            "or FILE.py:NAME of your own"
        )
    return _SPACES[name]()
