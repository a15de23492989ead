"""Which pairs there are: every layer of a source on every accelerator of it, in a drawn order.

Layers are drawn from the networks of the search spaces and from the fixed networks,
accelerators from the paper's 50,000 points, unless networks or accelerators are named. No pair
stands twice. Half of all inputs and half of all outputs are on chip, by coin flips, and take no
room beside the tiles.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields

import numpy as np
from numpy.typing import NDArray

from nahas import networks
from nahas.energy import Tables
from nahas.errors import UsageError
from nahas.hardware import Hardware
from nahas.kernels.records import HardwareRow, LayerRow, ResidencyRow
from nahas.network import Network
from nahas.sequence import hardware_rows
from nahas.spaces import accelerator, macro, mnasnet
from nahas.vocabulary import LayerKind, Mapspace

DEFAULT_PAIRS = 1_000_000
NETWORKS = (
    "mobilenet-v2",
    "efficientnet-b0",
    "efficientnet-edgetpu-s",
    "mobilenet-edgetpu",
    "resnet-50",
    "mobilenet-v3-large",
)
"""Fixed networks whose layers are drawn from. Not all that there are: a network that is added must
not change which pairs a seed stands for."""

NETWORKS_PER_SPACE = 200
ROUNDS = 4
"""Of the Feistel network; three suffice for its order to pass as random."""

HARDWARE_FIELDS = tuple(f.name for f in fields(Hardware))


@dataclass(frozen=True)
class Pairs:
    """Some pairs, N of them.

    Attributes:
        layers: [L, 14] records.LAYER, of the whole source.
        points: [H, 23] records.HARDWARE; rows of accelerators that no pair has used yet are NaN.
        pairs: [N, 2] the rows of `layers` and `points` to combine.
        stays: [N, 4] records.RESIDENCY.
        space: where they are mapped.
    """

    layers: NDArray[np.int64]
    points: NDArray[np.float64]
    pairs: NDArray[np.int64]
    stays: NDArray[np.float64]
    space: Mapspace = Mapspace.DATAFLOWS


@dataclass(frozen=True, kw_only=True)
class Source:
    """Layers and accelerators, each with each.

    Attributes:
        seed: of the order of the pairs and of what stays on chip.
        layers: [L, 14] distinct mapped layers.
        hardware_of: gives accelerator `i` of `accelerators`. They are made when a pair first
            needs them: 50,000 take seconds.
        names: what the layers and the accelerators are of, for reports.
        fingerprint: sixteen hex digits of all that decides which pairs come in which order.
        space: where the pairs are mapped.
        tables: energy tables; the packaged ones when None.
    """

    seed: int
    layers: NDArray[np.int64]
    accelerators: int
    hardware_of: Callable[[int], Hardware]
    names: tuple[str, str]
    fingerprint: str
    space: Mapspace = Mapspace.DATAFLOWS
    tables: Tables | None = None
    points: NDArray[np.float64] = field(init=False)
    parameters: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        for name, width in (("points", HardwareRow._fields), ("parameters", HARDWARE_FIELDS)):
            object.__setattr__(self, name, np.full((self.accelerators, len(width)), np.nan))

    @property
    def size(self) -> int:
        """Distinct pairs."""
        return len(self.layers) * self.accelerators

    @property
    def used(self) -> int:
        """Accelerators that a pair has needed."""
        return int((~np.isnan(self.points[:, 0])).sum())

    @property
    def default_pairs(self) -> int:
        """A million, or all where there are fewer."""
        return min(DEFAULT_PAIRS, self.size)

    def checked(self, count: int) -> int:
        """`count` itself, if there are so many pairs.

        Raises:
            UsageError: otherwise.
        """
        if not 1 <= count <= self.size:
            raise UsageError(f"pairs is {count}, but there are 1 to {self.size:,} distinct pairs")
        return count

    def pairs(self, start: int, stop: int) -> Pairs:
        """The pairs at places `start` to `stop` of the order; the same whatever came before."""
        place = np.arange(start, stop, dtype=np.int64)
        layer, point = np.divmod(shuffled(place, self.size, self.seed), self.accelerators)
        self._make(np.unique(point))
        flips = _mixed(place.astype(np.uint64), _keys(self.seed, 1)[0])
        stays = np.zeros((len(place), len(ResidencyRow._fields)))
        stays[:, 0], stays[:, 1] = flips & np.uint64(1), (flips >> np.uint64(1)) & np.uint64(1)
        chosen = np.stack([layer, point], axis=1)
        return Pairs(self.layers, self.points, chosen, stays, self.space)

    def _make(self, used: NDArray[np.int64]) -> None:
        missing = used[np.isnan(self.points[used, 0])]
        if len(missing):
            made = [self.hardware_of(int(index)) for index in missing]
            self.points[missing] = hardware_rows(made, self.tables)
            self.parameters[missing] = [
                [getattr(each, name) for name in HARDWARE_FIELDS] for each in made
            ]


def source_of(
    seed: int = 0,
    *,
    named_networks: Sequence[Network] = (),
    hardware: Sequence[Hardware] = (),
    space: Mapspace = Mapspace.DATAFLOWS,
) -> Source:
    """The layers of these networks, or drawn ones; on these accelerators, or the paper's 50,000.

    Raises:
        UsageError: when the networks have no layer that is mapped.
        NetworkError: when a layer cannot be simulated.
    """
    if named_networks:
        layers = mapped_layers(named_networks)
    else:
        layers = distinct_layers(np.random.default_rng(seed))
    if not len(layers):
        names = ", ".join(network.name for network in named_networks)
        raise UsageError(f"no layer of {names} is mapped: there is nothing to pair")
    points = tuple(dict.fromkeys(hardware))
    accelerators = accelerator.accelerator_space()
    cardinalities = tuple(accelerators.cardinalities)

    def of_space(index: int) -> Hardware:
        digits = np.array(np.unravel_index(index, cardinalities))
        return accelerator.hardware(accelerators.values(digits))

    content = repr((seed, points or (accelerators.decisions, of_space(0))))
    return Source(
        seed=seed,
        layers=layers,
        accelerators=len(points) or accelerators.size,
        hardware_of=points.__getitem__ if points else of_space,
        names=(
            ", ".join(n.name for n in named_networks) or "drawn networks",
            f"{len(points)} named" if points else f"space '{accelerators.name}'",
        ),
        fingerprint=hashlib.sha256(content.encode() + layers.tobytes()).hexdigest()[:16],
        space=space,
    )


def draw(count: int, seed: int) -> Pairs:
    """The first pairs of drawn layers on the paper's accelerators.

    Raises:
        UsageError: when more pairs are asked for than there are.
    """
    source = source_of(seed)
    return source.pairs(0, source.checked(count))


def distinct_layers(rng: np.random.Generator) -> NDArray[np.int64]:
    """Every distinct mapped layer of `NETWORKS` and of drawn ones: [L, 14]."""
    drawn = [networks.named(name) for name in NETWORKS]
    for space in (mnasnet.network_space(), macro.network_space()):
        drawn += [space.network(c) for c in space.space.sample(NETWORKS_PER_SPACE, rng)]
    return mapped_layers(drawn)


def mapped_layers(of: Sequence[Network]) -> NDArray[np.int64]:
    """Every distinct mapped layer of these networks: [L, 14], sorted."""
    rows = np.concatenate([network.table.rows for network in of])
    kind = rows[:, LayerRow._fields.index("kind")]
    return np.unique(rows[kind == LayerKind.CONVOLUTION], axis=0)


def shuffled(place: NDArray[np.int64], size: int, seed: int) -> NDArray[np.int64]:
    """What stands at each place [N] of a shuffled 0..size - 1, without making a table of it.

    A Feistel network permutes the numbers of the fewest bits, an even number, that hold `size`:
    every round is undone by itself, whatever its function. A number that lands at `size` or
    beyond goes through it again; its cycle leads back below `size`, so that the numbers below
    are permuted among themselves. (Black and Rogaway, CT-RSA 2002, section 3.)
    """
    half = np.uint64(max(1, ((size - 1).bit_length() + 1) // 2))
    mask = np.uint64((1 << int(half)) - 1)
    keys = _keys(seed, 0)
    value = place.astype(np.uint64)
    left_over = np.arange(len(value))
    while len(left_over):
        left, right = value[left_over] >> half, value[left_over] & mask
        for key in keys:
            left, right = right, left ^ (_mixed(right, key) & mask)
        value[left_over] = (left << half) | right
        left_over = left_over[value[left_over] >= size]
    return value.astype(np.int64)


def _keys(seed: int, purpose: int) -> NDArray[np.uint64]:
    return np.random.default_rng((seed, purpose)).integers(
        0, np.iinfo(np.uint64).max, size=ROUNDS, dtype=np.uint64
    )


def _mixed(value: NDArray[np.uint64], key: np.uint64) -> NDArray[np.uint64]:
    """64 bits that depend on all bits of the value: the last steps of SplitMix64."""
    mixed = value ^ key
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return mixed ^ (mixed >> np.uint64(31))
