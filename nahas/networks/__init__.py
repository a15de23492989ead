"""Fixed networks, written with the same builder as the spaces, by the names users type."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

from nahas.errors import NetworkError
from nahas.network import Network
from nahas.networks.autoseg import autoseg_edgetpu_m, autoseg_edgetpu_s, autoseg_edgetpu_xs
from nahas.networks.edgetpu import (
    efficientnet_edgetpu_l,
    efficientnet_edgetpu_m,
    efficientnet_edgetpu_s,
    mobilenet_edgetpu,
)
from nahas.networks.efficientnet import (
    efficientnet_b0,
    efficientnet_b1,
    efficientnet_b2,
    efficientnet_b3,
)
from nahas.networks.mobilenet import mobilenet_v2, mobilenet_v3_large
from nahas.networks.resnet import resnet_50
from nahas.spaces import named as spaces
from nahas.spaces.builder import Builder, read_layers
from nahas.spaces.from_file import in_file

NetworkFunction = Callable[[Builder[Any]], object]

_FUNCTIONS: dict[str, NetworkFunction] = {
    "mobilenet-v2": mobilenet_v2,
    "mobilenet-v3-large": mobilenet_v3_large,
    "mobilenet-edgetpu": mobilenet_edgetpu,
    "efficientnet-b0": efficientnet_b0,
    "efficientnet-b1": efficientnet_b1,
    "efficientnet-b2": efficientnet_b2,
    "efficientnet-b3": efficientnet_b3,
    "efficientnet-edgetpu-s": efficientnet_edgetpu_s,
    "efficientnet-edgetpu-m": efficientnet_edgetpu_m,
    "efficientnet-edgetpu-l": efficientnet_edgetpu_l,
    "autoseg-edgetpu-xs": autoseg_edgetpu_xs,
    "autoseg-edgetpu-s": autoseg_edgetpu_s,
    "autoseg-edgetpu-m": autoseg_edgetpu_m,
    "resnet-50": resnet_50,
}

NAMES = tuple(_FUNCTIONS)
"""The fixed networks. EfficientNets have no squeeze-and-excitation and ReLU for swish."""


def function(name: str) -> NetworkFunction:
    """The builder function of a network.

    `name` is one of NAMES, or a network of a space as a search prints it, such as
    `macro:22212220`; one of a space of one's own has its file before it:
    `FILE.py:NAME:width=16,depth=2`.

    Raises:
        NetworkError: when there is no such network; it offers the nearest name.
        SpaceError: when the name is of a space, but the rest of it means nothing there.
    """
    space, _, text = name.rpartition(":")
    if space in spaces.NAMES or in_file(space):
        of_space = spaces.named(space)
        return of_space.function(of_space.choice_named(f"{of_space.name}:{text}"))
    if name not in _FUNCTIONS:
        near = get_close_matches(name.lower(), NAMES, 1, cutoff=0.5)
        hint = f"did you mean '{near[0]}'? " if near else ""
        raise NetworkError(f"unknown network '{name}': {hint}known are {', '.join(NAMES)}")
    return _FUNCTIONS[name]


def named(name: str) -> Network:
    """The network of a name that `function` knows, as layers."""
    return read_layers(name, function(name))
