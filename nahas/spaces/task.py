"""Networks for other images: the proxy task that a child is trained on.

A space describes networks for 224-pixel images of 1000 classes. On small images the same
network is read with the strides of its first layers left out, so that the last map does not
shrink to nothing, as is usual on CIFAR. What is simulated stays the network for large images.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from nahas.errors import NetworkError, SpaceError
from nahas.spaces.builder import Builder, LayerBuilder
from nahas.spaces.networks import Link, NetworkOfSpace, NetworkSpace, Values

NetworkFunction = Callable[[Builder[Any]], Any]


@dataclass(frozen=True, kw_only=True)
class Task:
    """The images that a network classifies.

    Attributes:
        height, width, channels: of an image.
        classes: 2 or more.
        least_map: side of the last feature map before pooling, at least: strides are left out,
            those of the first layers first, until it is reached.

    Raises:
        NetworkError: naming the field, its value and what is allowed.
    """

    height: int
    width: int
    channels: int
    classes: int
    least_map: int = 2

    def __post_init__(self) -> None:
        least = {"height": 1, "width": 1, "channels": 1, "classes": 2, "least_map": 1}
        for name, lowest in least.items():
            value = getattr(self, name)
            if value < lowest:
                raise NetworkError(f"task: {name} is {value}, but it must be at least {lowest}")
        if min(self.height, self.width) < self.least_map:
            raise NetworkError(
                f"task: images of {self.height} x {self.width} pixels are smaller than the last "
                f"feature map of at least {self.least_map} x {self.least_map}: give larger images"
            )


def for_task(space: NetworkSpace, task: Task) -> NetworkSpace:
    """The same space, its networks read for a task.

    All networks of a space must shrink the image alike from link to link, as all of nahas do,
    or so little that the same strides are left out of each alone. Where that is not so, building
    a network of the space raises a SpaceError.
    """
    on, survey = LayerBuilder(space.name), _Survey()
    values = space.space.values(np.zeros(len(space.space.decisions), dtype=np.int64))
    strides, x = [1], None
    for link in space.links:
        own = {name: values[name] for name in link.decisions}
        made = link.build(_Reader(on, survey), Shrunk(x, strides[-1]), own)
        x = made.x
        strides.append(made.stride)
    change = survey.change(task)
    links = (
        Link(link.decisions, _changed(space.name, link.build, change, around))
        for link, around in zip(space.links, pairwise(strides), strict=True)
    )
    return replace(space, links=tuple(links))


def function_for_task(function: NetworkFunction, task: Task) -> NetworkFunction:
    """The same network, read for a task.

    A network of a space reads images as large as it does where `for_task` reads the space: those
    of the task, or larger ones where it reads larger ones than the space's first network.
    """
    survey = _surveyed(function)
    if isinstance(function, NetworkOfSpace):
        decisions = function.space.space.decisions
        first = _surveyed(function.space.function(np.zeros(len(decisions), dtype=np.int64)))
        survey.height, survey.width = first.height, first.width
    change = survey.change(task)
    return lambda on: function(_Reader(on, _Survey(), change)).x


def _surveyed(function: NetworkFunction) -> _Survey:
    survey = _Survey()
    function(_Reader(LayerBuilder("network"), survey))
    return survey


@dataclass
class _Survey:
    """What a reading of the unchanged network has met so far.

    Attributes:
        height, width: of the image.
        classes: units of the last fully connected layer.
        stride: by how much the image has shrunk.
    """

    height: int = 0
    width: int = 0
    classes: int = 0
    stride: int = 1

    def change(self, task: Task) -> _Change:
        """How to read the network for a task."""
        return _Change(task, self.height, self.width, self.classes, self.stride)


@dataclass(frozen=True)
class _Change:
    """How a network is read otherwise.

    Attributes:
        task: what it is read for.
        height, width: of the image that the space's first network reads; another network of the
            space that reads a larger one gets a larger one of the task, too.
        classes: fully connected layers of so many units get as many as the task has classes.
        shrinks: by how much the surveyed network shrinks the image.
    """

    task: Task
    height: int
    width: int
    classes: int
    shrinks: int

    @cached_property
    def left_out(self) -> int:
        """A layer whose input has shrunk by less than this has no stride."""
        side, left_out = min(self.task.height, self.task.width), 1
        while left_out < self.shrinks and -(-side * left_out // self.shrinks) < self.task.least_map:
            left_out *= 2
        return left_out

    def leaves_alike(self, surveyed: int, other: int) -> bool:
        """Whether the same strides are left out where a link shrinks by another amount."""
        alone = replace(self, shrinks=self.shrinks * other // surveyed)
        return alone.left_out == self.left_out <= min(surveyed, other)


class Shrunk(NamedTuple):
    """A tensor, and by how much the unchanged network has shrunk the image there."""

    x: Any
    stride: int


def _changed(
    space: str,
    build: Callable[[Builder[Any], Any, Values], Any],
    change: _Change,
    around: tuple[int, int],
) -> Callable[[Builder[Any], Any, Values], Any]:
    """A link that is read for a task; `around` it the surveyed network has shrunk by so much."""
    before, after = around

    def changed(on: Builder[Any], x: Any, values: Values) -> Any:
        made = build(_Reader(on, _Survey(), change), Shrunk(x, before), values)
        if made.stride != after and not change.leaves_alike(after, made.stride):
            raise SpaceError(
                f"space '{space}': a choice makes it shrink images {made.stride} times instead of "
                f"{after}, so on images of {change.task.height} x {change.task.width} pixels other "
                "strides are left out of some networks, and they cannot share weights: give larger "
                "images, a smaller least_map, or train its networks alone"
            )
        return made.x

    return changed


class _Reader:
    """A builder of shrunk tensors over another builder: surveys, and changes what it is told to."""

    def __init__(self, on: Builder[Any], survey: _Survey, change: _Change | None = None) -> None:
        self._on = on
        self._survey = survey
        self._change = change

    def input(self, height: int, width: int, channels: int) -> Shrunk:
        self._survey.height, self._survey.width = height, width
        if self._change is None:
            return Shrunk(self._on.input(height, width, channels), 1)
        task = self._change.task
        size = (task.height * height / self._change.height, task.width * width / self._change.width)
        return Shrunk(self._on.input(round(size[0]), round(size[1]), task.channels), 1)

    def channels(self, x: Shrunk) -> int:
        return self._on.channels(x.x)

    def conv(self, x: Shrunk, filters: int, *, stride: int = 1, **how: Any) -> Shrunk:
        made = self._on.conv(x.x, filters, stride=self._stride(x, stride), **how)
        return self._shrunk(made, x.stride * stride)

    def depthwise(self, x: Shrunk, *, stride: int = 1, **how: Any) -> Shrunk:
        made = self._on.depthwise(x.x, stride=self._stride(x, stride), **how)
        return self._shrunk(made, x.stride * stride)

    def pool(self, x: Shrunk, *, stride: int, **how: Any) -> Shrunk:
        made = self._on.pool(x.x, stride=self._stride(x, stride), **how)
        return self._shrunk(made, x.stride * stride)

    def dense(self, x: Shrunk, units: int) -> Shrunk:
        self._survey.classes = units
        if self._change is not None and units == self._change.classes:
            units = self._change.task.classes
        return Shrunk(self._on.dense(x.x, units), x.stride)

    def global_pool(self, x: Shrunk) -> Shrunk:
        return Shrunk(self._on.global_pool(x.x), x.stride)

    def add(self, x: Shrunk, y: Shrunk) -> Shrunk:
        return Shrunk(self._on.add(x.x, y.x), x.stride)

    def scale(self, x: Shrunk, gate: Shrunk) -> Shrunk:
        return Shrunk(self._on.scale(x.x, gate.x), x.stride)

    def activation(self, x: Shrunk, name: str) -> Shrunk:
        return Shrunk(self._on.activation(x.x, name), x.stride)

    def _stride(self, x: Shrunk, stride: int) -> int:
        left_out = self._change is not None and x.stride < self._change.left_out
        return 1 if left_out else stride

    def _shrunk(self, x: Any, stride: int) -> Shrunk:
        self._survey.stride = max(self._survey.stride, stride)
        return Shrunk(x, stride)
