"""Which samples are learned from, and which are held out, in three ways."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from nahas.costmodel.samples import LISTED, Samples, networks_of
from nahas.errors import CostModelError
from nahas.spaces.joint import JointSpace
from nahas.vocabulary import Reason

HELD = 0.04
"""Of the networks, and of the accelerators, held out whole."""

SHARE = 0.02
"""Of the other rows, held out at random; as many again for validation."""

LEAST_ROWS = 20
"""Of a part of rows held out at random, where there are enough."""

LEAST_SAMPLES = 400
"""From which no part of an ordinary space is empty."""

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """Row numbers of samples, each in rising order, no row in two parts.

    The network of every row outside `networks`, and the accelerator of every row outside
    `hardware`, is one that `train` has too.

    Attributes:
        train: to learn from.
        validation: to stop learning by; nothing of it is reported.
        random: held out at random: a new pair of a known network and a known accelerator.
        hardware: on accelerators that are held out whole.
        networks: of networks that are held out whole.
    """

    train: Rows
    validation: Rows
    random: Rows
    hardware: Rows
    networks: Rows


def split(joint: JointSpace, samples: Samples, rng: np.random.Generator) -> Split:
    """Divide samples into the parts of a `Split`.

    Rows of a held-out network on a held-out accelerator are in no part, since they would ask both
    at once; nor are the few whose network or accelerator no row to learn from has.

    Raises:
        CostModelError: when no sample of a part can run, with a number of samples to draw.
    """
    decisions = len(joint.network_space.space.decisions)
    network = _numbered(samples.choices[:, :decisions])
    accelerator = _numbered(samples.choices[:, decisions:])
    new_network = np.isin(network, _held(network, "network", rng))
    new_accelerator = np.isin(accelerator, _held(accelerator, "accelerator", rng))
    others = rng.permutation(np.flatnonzero(~new_network & ~new_accelerator))
    few = max(round(SHARE * len(others)), min(LEAST_ROWS, len(others) // 4))
    train = np.sort(others[2 * few :])
    known_network = np.isin(network, network[train])
    known_accelerator = np.isin(accelerator, accelerator[train])
    known = known_network & known_accelerator
    return _checked(
        Split(
            train=train,
            validation=_among(others[:few], known),
            random=_among(others[few : 2 * few], known),
            hardware=np.flatnonzero(new_accelerator & known_network),
            networks=np.flatnonzero(new_network & known_accelerator),
        ),
        samples,
        joint,
    )


def _numbered(choices: NDArray[np.uint8]) -> Rows:
    """A number [N] for each of choices [N, D], equal where these are."""
    rows = np.ascontiguousarray(choices).view(f"S{choices.shape[1]}")  # sorts as strings: quick
    return np.unique(rows, return_inverse=True)[1].reshape(-1)


def _held(number: Rows, what: str, rng: np.random.Generator) -> Rows:
    """Some of the different numbers."""
    different = int(number.max(initial=-1)) + 1
    if different < 2:
        raise CostModelError(
            f"{len(number):,} samples are of {different} {what}, of which none can be held out: "
            f"draw at least {LEAST_SAMPLES}, from a space of several {what}s"
        )
    return rng.permutation(different)[: max(1, round(HELD * different))]


def _among(rows: Rows, allowed: NDArray[np.bool_]) -> Rows:
    return np.sort(rows[allowed[rows]])


def _checked(parts: Split, samples: Samples, joint: JointSpace) -> Split:
    if not (samples.reason == Reason.OK).any():
        raise CostModelError(
            f"none of the {len(samples):,} designs drawn can run: there is nothing to learn"
        )
    for field in fields(parts):
        if not (samples.reason[getattr(parts, field.name)] == Reason.OK).any():
            raise CostModelError(
                f"of {len(samples):,} samples none that can run is in the part '{field.name}': "
                f"{_advice(len(samples), joint)}"
            )
    return parts


def _advice(drawn: int, joint: JointSpace) -> str:
    """What to do where so many samples are too few."""
    space = joint.network_space
    networks = space.space.size
    if networks <= LISTED:  # those that differ
        networks = len(networks_of(space, networks, np.random.default_rng(0)))
    designs = networks * joint.accelerator.size
    if drawn >= designs:
        return (
            f"they are all of space '{joint.space.name}', whose {networks:,} networks on "
            f"{joint.accelerator.size:,} accelerators are too few to hold some of each out; "
            "take a larger space"
        )
    return f"draw at least {min(designs, max(LEAST_SAMPLES, 2 * drawn)):,}"
