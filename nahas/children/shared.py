"""The third reader of a network function: one network at a time, with weights all share.

A weight belongs to a part of a link of the space, and all networks that have the part use it.
It is stored at the largest shape that any of them needs; a narrower layer takes the first
channels of it, as TuNAS masks them, but nothing that a network lacks is computed. Kernels of
another size, or of other groups, are weights of their own, as in TuNAS and ProxylessNAS: the
centre of a 7x7 filter that is trained as such is a poor 3x3 filter unless it learns to be one,
and depthwise filters are 2 % of the weights of space `s1`, so that they cost little to have.

Batch normalisation uses the mean and variance of the batch at hand, in training and evaluation
alike: averages would mix the statistics of all networks (paper notes, section 6.2).
"""

from __future__ import annotations

import itertools
import math
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nahas.children.operations import Operations, Rates
from nahas.spaces.builder import Feature, LayerBuilder, check_pool_mode
from nahas.spaces.networks import Link, NetworkSpace, Values
from nahas.spaces.space import Decision
from nahas.spaces.task import Shrunk

MOST_READINGS = 4096
"""Combinations of a link's decisions that are all read to find the largest shapes. Beyond, those
are read that differ from the first or the last values in one decision, and some at random."""

RANDOM_READINGS = 64

Shapes = dict[str, tuple[int, ...]]


class Use(NamedTuple):
    """A layer of a network that has weights.

    Attributes:
        weights: names of its weights.
        shapes: what it takes of each.
        positions: of its output, each of which multiplies the first weight once.
    """

    weights: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    positions: int

    @property
    def parameters(self) -> int:
        """Trained numbers that it uses."""
        return sum(math.prod(shape) for shape in self.shapes)

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one image."""
        return math.prod(self.shapes[0]) * self.positions


class _Parts:
    """Names the weights of a network while its links are read one after the other.

    A name says the link, the part, its turn among equal parts of the link, and what the weights
    are of: `03.depthwise0.depthwise5.kernel`.
    """

    def __init__(self) -> None:
        self._link = -1
        self._turns: Counter[str] = Counter()

    def enter(self, link: int) -> None:
        """Begin to read a link."""
        self._link = link
        self._turns.clear()

    def conv(  # a convolution has as many
        self, part: str, *, kernel: int, groups: int, channels: int, filters: int, normalize: bool
    ) -> Shapes:
        """Weights of a convolution, kernel first."""
        kind = f"conv{kernel}" + (f"of{groups}" if groups > 1 else "")
        shape = (kernel, kernel, channels // groups, filters)
        more = {"scale": (filters,), "offset": (filters,)} if normalize else {"bias": (filters,)}
        return self._named(part or "conv", kind, {"kernel": shape, **more})

    def depthwise(self, part: str, *, kernel: int, channels: int) -> Shapes:
        """Weights of a depthwise convolution, kernel first."""
        shapes = {"kernel": (kernel, kernel, channels, 1), "scale": (channels,)}
        kind = f"depthwise{kernel}"
        return self._named(part or "depthwise", kind, {**shapes, "offset": (channels,)})

    def dense(self, *, channels: int, units: int) -> Shapes:
        """Weights of a fully connected layer, kernel first."""
        return self._named("dense", "dense", {"kernel": (channels, units), "bias": (units,)})

    def _named(self, part: str, kind: str, shapes: Mapping[str, tuple[int, ...]]) -> Shapes:
        prefix = f"{self._link:02d}.{part}{self._turns[part]}.{kind}"
        self._turns[part] += 1
        return {f"{prefix}.{what}": shape for what, shape in shapes.items()}


class _Survey:
    """A builder over the layer reading that notes the largest shape of every weight."""

    def __init__(self) -> None:
        self.largest: Shapes = {}
        self._on = LayerBuilder("survey")
        self._parts = _Parts()

    def enter(self, link: int) -> None:
        self._parts.enter(link)

    def _note(self, shapes: Shapes) -> None:
        for name, shape in shapes.items():
            self.largest[name] = _outer(self.largest.get(name, shape), shape)

    def input(self, height: int, width: int, channels: int) -> Feature:
        return self._on.input(height, width, channels)

    def channels(self, x: Feature) -> int:
        return x.channels

    def conv(
        self, x: Feature, filters: int, *, kernel: int = 1, groups: int = 1, **how: Any
    ) -> Feature:
        part, normalize = how.pop("part", ""), how.get("normalize", True)
        size = {"channels": x.channels, "filters": filters, "normalize": normalize}
        self._note(self._parts.conv(part, kernel=kernel, groups=groups, **size))
        return self._on.conv(x, filters, kernel=kernel, groups=groups, **how)

    def depthwise(self, x: Feature, *, kernel: int, part: str = "", **how: Any) -> Feature:
        self._note(self._parts.depthwise(part, kernel=kernel, channels=x.channels))
        return self._on.depthwise(x, kernel=kernel, **how)

    def dense(self, x: Feature, units: int) -> Feature:
        self._note(self._parts.dense(channels=x.channels, units=units))
        return self._on.dense(x, units)

    def pool(self, x: Feature, *, kernel: int, stride: int, mode: str = "max") -> Feature:
        return self._on.pool(x, kernel=kernel, stride=stride, mode=mode)

    def global_pool(self, x: Feature) -> Feature:
        return self._on.global_pool(x)

    def add(self, x: Feature, y: Feature) -> Feature:
        return self._on.add(x, y)

    def scale(self, x: Feature, gate: Feature) -> Feature:
        return self._on.scale(x, gate)

    def activation(self, x: Feature, name: str) -> Feature:
        return self._on.activation(x, name)


def survey(space: NetworkSpace) -> Shapes:
    """The largest shape of every weight that networks of a space share.

    Link by link, for every number of channels that may enter it, its combinations of values are
    read. Where they are too many the result may lack some; `SharedWeights` then grows.

    Raises:
        NetworkError: when a network of the space cannot be built.
    """
    on, decisions = _Survey(), {d.name: d for d in space.space.decisions}
    entering: list[Any] = [None]
    for number, link in enumerate(space.links):
        leaving: dict[int, Any] = {}
        for values in _readings([decisions[name] for name in link.decisions]):
            for x in entering:
                on.enter(number)
                made = link.build(on, x, values)
                kept = leaving.setdefault(on.channels(_bare(made)), made)
                if _bare(made).height > _bare(kept).height:
                    leaving[on.channels(_bare(made))] = made
        entering = list(leaving.values())
    return on.largest


def _readings(decisions: Sequence[Decision]) -> Iterable[dict[str, Any]]:
    """Values of decisions: all combinations, or the edges of too many."""
    names = [decision.name for decision in decisions]
    lists = [decision.values for decision in decisions]
    if math.prod(map(len, lists)) <= MOST_READINGS:
        return [dict(zip(names, row, strict=True)) for row in itertools.product(*lists)]
    rows = [[values[end] for values in lists] for end in (0, -1)]
    for ends in tuple(rows):
        for i, values in enumerate(lists):
            rows += [[*ends[:i], value, *ends[i + 1 :]] for value in values]
    rng = np.random.default_rng(0)
    rows += [
        [values[int(rng.integers(len(values)))] for values in lists] for _ in range(RANDOM_READINGS)
    ]
    return [dict(zip(names, row, strict=True)) for row in rows]


class SharedWeights:
    """The weights of all networks of a space, and what their training remembers of them.

    Args:
        space: read for the task of the images.
        on: the operations that hold them.
        seed: of the initial values; a weight's depend on the seed and its name alone.
        arrays: by name, to begin with; None draws them.

    Attributes:
        variables: by name.
        slots: by name, what the optimiser keeps of a variable; none before its first update.
    """

    def __init__(
        self,
        space: NetworkSpace,
        on: Operations,
        seed: int = 0,
        arrays: Mapping[str, NDArray[Any]] | None = None,
    ) -> None:
        self.on = on
        self.seed = seed
        self.variables: dict[str, Any] = {}
        self.slots: dict[str, tuple[Any, ...]] = {}
        if arrays is None:
            shapes = survey(space)
            arrays = {name: self._initial(name, shape) for name, shape in shapes.items()}
        self.assign(arrays)

    @property
    def parameters(self) -> int:
        """Numbers stored."""
        return sum(math.prod(tuple(variable.shape)) for variable in self.variables.values())

    def cut(self, name: str, shape: tuple[int, ...]) -> Any:
        """The part of a weight that a layer takes; a weight that is too small grows."""
        stored = self.variables.get(name)
        if stored is None or _outer(tuple(stored.shape), shape) != tuple(stored.shape):
            self._grow(name, shape)
        return self.on.cut(self.variables[name], shape)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All weights by name."""
        return {name: self.on.array(variable) for name, variable in self.variables.items()}

    def assign(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take the place of all weights, and forget their slots."""
        self.variables = {name: self.on.variable(array) for name, array in arrays.items()}
        self.slots = {}

    def slot_arrays(self) -> dict[str, NDArray[Any]]:
        """All slots, numbered by name."""
        return {
            f"{name}.{number}": self.on.array(slot)
            for name, slots in self.slots.items()
            for number, slot in enumerate(slots)
        }

    def assign_slots(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """The reverse of `slot_arrays`."""
        kept: dict[str, list[Any]] = {}
        for numbered in sorted(arrays):
            kept.setdefault(numbered.rpartition(".")[0], []).append(
                self.on.variable(arrays[numbered])
            )
        self.slots = {name: tuple(slots) for name, slots in kept.items()}

    def update(
        self, taken: Iterable[tuple[str, tuple[int, ...]]], gradients: Sequence[Any], rates: Rates
    ) -> None:
        """Change what a network has taken, by its gradients.

        Args:
            taken: names and shapes, as in `SharedBuilder.taken`.
            gradients: of each; None where the loss does not depend on it, as of an operation
                that a mixture leaves out because what it gives has another shape.
            rates: how.
        """
        by_name: dict[str, list[Any]] = {}
        for (name, _), gradient in zip(taken, gradients, strict=True):
            if gradient is not None:
                by_name.setdefault(name, []).append(gradient)
        self.on.update(
            [self.variables[name] for name in by_name],
            [self._together(parts) for parts in by_name.values()],
            [self._slots_of(name, 1 if rates.decay is None else 2) for name in by_name],
            rates,
        )

    def _together(self, gradients: Sequence[Any]) -> Any:
        """One gradient of a weight that the operations of a mixture take different parts of."""
        if len(gradients) == 1:
            return gradients[0]
        shapes = [tuple(gradient.shape) for gradient in gradients]
        return self.on.summed(gradients, tuple(map(max, *shapes)))

    def _slots_of(self, name: str, count: int) -> tuple[Any, ...]:
        if name not in self.slots:
            zeros = np.zeros(tuple(self.variables[name].shape), np.float32)
            self.slots[name] = tuple(self.on.variable(zeros) for _ in range(count))
        return self.slots[name]

    def _grow(self, name: str, shape: tuple[int, ...]) -> None:
        """Make room for a layer that the survey has not met; what was there stays."""
        stored = self.variables.get(name)
        larger = shape if stored is None else _outer(tuple(stored.shape), shape)
        whole = self._initial(name, larger)
        if stored is not None:
            whole[_corner(stored.shape)] = self.on.array(stored)
        self.variables[name] = self.on.variable(whole)
        grown = []
        for slot in self.slots.pop(name, ()):
            zeros = np.zeros(larger, np.float32)
            zeros[_corner(slot.shape)] = self.on.array(slot)
            grown.append(self.on.variable(zeros))
        if grown:
            self.slots[name] = tuple(grown)

    def _initial(self, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """He's normal draw, as stand-alone children have it; Glorot's for the last layer."""
        what = name.rpartition(".")[2]
        if what != "kernel":
            return np.full(shape, 1.0 if what == "scale" else 0.0, np.float32)
        rng = np.random.default_rng([self.seed, zlib.crc32(name.encode())])
        depthwise = ".depthwise" in name and shape[-1] == 1
        inputs = math.prod(shape[:2]) if depthwise else math.prod(shape[:-1])
        deviation = math.sqrt(2.0 / (sum(shape) if len(shape) == 2 else inputs))
        return (deviation * rng.standard_normal(shape)).astype(np.float32)


class SharedBuilder:
    """Runs one network on a batch of images, with shared weights.

    Attributes:
        uses: every layer with weights, in order.
        taken: what it has taken of weights, by name and shape.
    """

    def __init__(self, weights: SharedWeights, images: Any) -> None:
        self.uses: list[Use] = []
        self.taken: dict[tuple[str, tuple[int, ...]], Any] = {}
        self._weights = weights
        self._on = weights.on
        self._images = images
        self._parts = _Parts()

    def enter(self, link: int) -> None:
        """Begin to read a link."""
        self._parts.enter(link)

    def _taken(self, shapes: Shapes) -> list[Any]:
        for key in shapes.items():
            if key not in self.taken:
                self.taken[key] = self._weights.cut(*key)
        return [self.taken[key] for key in shapes.items()]

    def _note(self, shapes: Shapes, made: Any) -> None:
        height, width, _ = self._on.shape(made)
        self.uses.append(Use(tuple(shapes), tuple(shapes.values()), height * width))

    def input(self, height: int, width: int, channels: int) -> Any:  # noqa: ARG002  # the images have as many
        """The images, resized where the network reads another size."""
        return self._on.images(self._images, height, width)

    def channels(self, x: Any) -> int:
        """Channels of a tensor."""
        return self._on.shape(x)[2]

    def conv(  # noqa: PLR0913  # a convolution has as many
        self,
        x: Any,
        filters: int,
        *,
        kernel: int = 1,
        stride: int = 1,
        groups: int = 1,
        dilation: int = 1,
        normalize: bool = True,
        part: str = "",
    ) -> Any:
        """Convolution with its normalisation or bias."""
        shapes = self._parts.conv(
            part,
            kernel=kernel,
            groups=groups,
            channels=self.channels(x),
            filters=filters,
            normalize=normalize,
        )
        weights = self._taken(shapes)
        y = self._on.conv(x, weights[0], stride=stride, groups=groups, dilation=dilation)
        self._note(shapes, y)
        return self._on.normalize(y, *weights[1:]) if normalize else self._on.bias(y, weights[1])

    def depthwise(
        self, x: Any, *, kernel: int, stride: int = 1, dilation: int = 1, part: str = ""
    ) -> Any:
        """Depthwise convolution with its normalisation."""
        shapes = self._parts.depthwise(part, kernel=kernel, channels=self.channels(x))
        weights = self._taken(shapes)
        y = self._on.depthwise(x, weights[0], stride=stride, dilation=dilation)
        self._note(shapes, y)
        return self._on.normalize(y, *weights[1:])

    def dense(self, x: Any, units: int) -> Any:
        """Fully connected layer with bias: logits [B, units]."""
        shapes = self._parts.dense(channels=self.channels(x), units=units)
        self.uses.append(Use(tuple(shapes), tuple(shapes.values()), 1))
        return self._on.dense(x, *self._taken(shapes))

    def pool(self, x: Any, *, kernel: int, stride: int, mode: str = "max") -> Any:
        """Max or average pooling."""
        check_pool_mode(mode)
        return self._on.pool(x, kernel=kernel, stride=stride, mode=mode)

    def global_pool(self, x: Any) -> Any:
        """Average over all positions."""
        return self._on.global_pool(x)

    def add(self, x: Any, y: Any) -> Any:
        """Elementwise sum."""
        return x + y

    def scale(self, x: Any, gate: Any) -> Any:
        """Channelwise product with a gate of one position."""
        return x * gate

    def activation(self, x: Any, name: str) -> Any:
        """An activation alone."""
        return x if name == "linear" else self._on.activation(x, name)

    def mean(self, made: Sequence[Any]) -> Any:
        """Elementwise mean of those tensors that have the first one's shape."""
        first = made[0]
        alike = [_bare(x) for x in made if _bare(x).shape == _bare(first).shape]
        if len(alike) == 1:
            return first
        mean = self._on.mean(alike)
        return first._replace(x=mean) if isinstance(first, Shrunk) else mean


def run_links(on: SharedBuilder, links: Sequence[Link], values: Sequence[Sequence[Values]]) -> Any:
    """Logits [B, classes] of a network, link by link.

    Args:
        on: what runs it.
        links: of the space.
        values: for each link those of its decisions. Where there are several, the link runs with
            each, and what it gives is their mean.
    """
    x: Any = None
    for number, (link, mixed) in enumerate(zip(links, values, strict=True)):
        made = []
        for own in mixed:
            on.enter(number)
            made.append(link.build(on, x, own))
        x = on.mean(made)
    return _bare(x)


def _bare(x: Any) -> Any:
    """The builder's own tensor, without what a reading for a task adds."""
    return x.x if isinstance(x, Shrunk) else x


def _outer(first: tuple[int, ...], second: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(map(max, first, second))


def _corner(shape: Iterable[int]) -> tuple[slice, ...]:
    return tuple(slice(length) for length in shape)
