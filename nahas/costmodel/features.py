"""What a cost model sees of a design: its decisions, one-hot."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.spaces.joint import JointSpace
from nahas.spaces.space import ChoiceArray, Space

FeatureArray = NDArray[np.float32]


def width(space: Space) -> int:
    """Number of features of a design: one per value of each decision."""
    return int(space.cardinalities.sum())


def canonical(joint: JointSpace, choices: ChoiceArray) -> NDArray[np.uint8]:
    """Choices [B, D] in which a decision that changes nothing has its first value.

    So designs that differ in nothing else look the same.

    Raises:
        SpaceError: when the choices are not of this space.
    """
    return np.where(joint.applicable(choices), choices, 0).astype(np.uint8)


def features(joint: JointSpace, choices: ChoiceArray) -> FeatureArray:
    """One-hot decisions [B, width] of choices [B, D], as `canonical` gives them.

    Raises:
        SpaceError: when the choices are not of this space.
    """
    chosen = canonical(joint, choices)
    starts = np.concatenate(([0], np.cumsum(joint.space.cardinalities)[:-1]))
    encoded = np.zeros((len(choices), width(joint.space)), dtype=np.float32)
    np.put_along_axis(encoded, starts + chosen, np.float32(1), axis=1)
    return encoded


def encoder(space: Space) -> Any:
    """A function of TensorFlow: choices [B, D] of any integer type to features [B, width].

    The product with a matrix of zeros and ones copies every choice under the values of its
    decision, where it is compared with each. It is exact, and by `benchmarks/costmodel.py
    --speed` quicker than `tf.one_hot` decision by decision.
    """
    import tensorflow as tf

    decision = np.repeat(np.arange(len(space.decisions)), space.cardinalities)
    copies = np.zeros((len(space.decisions), len(decision)), dtype=np.float32)
    copies[decision, np.arange(len(decision))] = 1
    values = np.concatenate([np.arange(n, dtype=np.float32) for n in space.cardinalities])

    def encode(choices: Any) -> Any:
        return tf.cast(
            tf.equal(tf.matmul(tf.cast(choices, tf.float32), copies), values), tf.float32
        )

    return encode


def space_fingerprint(space: Space) -> str:
    """Sixteen hex digits of the space's name, decisions and values, in order."""
    content = repr((space.name, [(d.name, d.values) for d in space.decisions]))
    return hashlib.sha256(content.encode()).hexdigest()[:16]
