"""What a cost model sees of a design: its decisions, one-hot."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from nahas.spaces.joint import JointSpace
from nahas.spaces.space import ChoiceArray, Space

FeatureArray = NDArray[np.float32]


def width(space: Space) -> int:
    """Number of features of a design: one per value of each decision."""
    return int(space.cardinalities.sum())


def features(joint: JointSpace, choices: ChoiceArray) -> FeatureArray:
    """One-hot decisions [B, width] of choices [B, D].

    A decision that changes nothing in a design gives zeros, so that designs that are the same
    look the same.

    Raises:
        SpaceError: when the choices are not of this space.
    """
    applicable = joint.applicable(choices)
    starts = np.concatenate(([0], np.cumsum(joint.space.cardinalities)[:-1]))
    encoded = np.zeros((len(choices), width(joint.space)), dtype=np.float32)
    np.put_along_axis(encoded, starts + choices, applicable.astype(np.float32), axis=1)
    return encoded


def space_fingerprint(space: Space) -> str:
    """Sixteen hex digits of the space's name, decisions and values, in order."""
    content = repr((space.name, [(d.name, d.values) for d in space.decisions]))
    return hashlib.sha256(content.encode()).hexdigest()[:16]
