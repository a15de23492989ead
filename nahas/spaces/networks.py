"""A network space: decisions, and the network that a choice of them describes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from nahas.errors import SpaceError
from nahas.network import Network
from nahas.spaces.builder import Builder, read_layers
from nahas.spaces.fingerprint import networks_hash
from nahas.spaces.space import ChoiceArray, Space

T = TypeVar("T")

Values = Mapping[str, Any]

HASHED = 8
"""Networks drawn for `NetworkSpace.networks_sha256`, beside the reference, first and last one."""


@dataclass(frozen=True)
class Link:
    """One link of the chain that a network is.

    Attributes:
        decisions: names of those it depends on, and of no others.
        build: adds it to a tensor of a builder, given named values. The first link of a network
            gets None for the tensor: it makes the input.
    """

    decisions: tuple[str, ...]
    build: Callable[[Builder[Any], Any, Values], Any]


@dataclass(frozen=True)
class NetworkSpace:
    """A space whose choices are networks.

    Attributes:
        space: the named decisions.
        links: the networks, each link reading the tensor that the one before made; the one
            description of them. What a link adds depends on its decisions and on the shape of
            that tensor alone, so links of many networks are read once (`nahas.spaces.tables`).
        spell: writes named values as a short text, unique in the space; decisions that do not
            apply leave no trace in it.
        read: the reverse of `spell`; None where the text means nothing. Decisions that do not
            apply have their first value.
        applies: says of choices [B, D] which decisions change the network [B, D], such as
            `nahas.spaces.conditions.Conditions`; None where every decision always does.
        reference: values of the network that relative targets of a search go by; of decisions
            that are not named, the first value.
        file: that a space of one's own was read from, by `nahas.spaces.named.named`.
    """

    space: Space
    links: tuple[Link, ...]
    spell: Callable[[Values], str]
    read: Callable[[str], Values | None]
    applies: Callable[[ChoiceArray], NDArray[np.bool_]] | None = None
    reference: Values = field(default_factory=dict)
    file: str | None = None

    @property
    def name(self) -> str:
        """What users call the space."""
        return self.space.name

    @property
    def place(self) -> str:
        """Its name, after its file where it has one, for `nahas.spaces.named.named`."""
        return f"{self.file}:{self.name}" if self.file else self.name

    @cached_property
    def networks_sha256(self) -> str:
        """What its networks are, as far as a few of them tell: `networks_hash`.

        Whatever keeps accuracies of a space keeps this beside its name, since a function of
        one's own may be edited.
        """
        drawn = self.space.sample(HASHED, np.random.default_rng(0))
        ends = [np.zeros_like(self.space.cardinalities), self.space.cardinalities - 1]
        choices = [self.reference_choice, *ends, *drawn]
        return networks_hash(self.function(choice) for choice in choices)

    def full_name(self, values: Values) -> str:
        """The network's name, after the file of its space, for `nahas.networks.function`."""
        return f"{self.place}:{self.spell(values)}"

    def network_name(self, values: Values) -> str:
        """The network's name, from which `choice_named` finds it again."""
        return f"{self.name}:{self.spell(values)}"

    def choice_named(self, name: str) -> ChoiceArray:
        """The choice [D] of a network name, or a SpaceError."""
        prefix, _, text = name.partition(":")
        values = self.read(text) if prefix == self.name else None
        if values is None:
            raise SpaceError(
                f"'{name}' is not a network of space '{self.name}': "
                f"its names look like '{self.network_name(self._first())}'"
            )
        return self.space.choice(values)

    def function(self, choice: ChoiceArray) -> NetworkOfSpace:
        """The network of a choice [D] as a function of a builder."""
        return NetworkOfSpace(self, self.space.values(choice))

    def build(self, on: Builder[T], values: Values) -> T:
        """The network of named values on any builder."""
        x: Any = None
        for link in self.links:
            x = link.build(on, x, {name: values[name] for name in link.decisions})
        made: T = x
        return made

    def network(self, choice: ChoiceArray) -> Network:
        """The network of a choice [D]."""
        return read_layers(self.network_name(self.space.values(choice)), self.function(choice))

    def applicable(self, choices: ChoiceArray) -> NDArray[np.bool_]:
        """[B, D] whether a decision changes the network."""
        self.space.check(choices)
        if self.applies is not None:
            return self.applies(choices)
        return np.ones(choices.shape, dtype=np.bool_)

    @property
    def reference_choice(self) -> ChoiceArray:
        """The choice [D] of the reference network."""
        return self.space.choice({**self._first(), **self.reference})

    def _first(self) -> Values:
        return {decision.name: decision.values[0] for decision in self.space.decisions}


@dataclass(frozen=True, eq=False)
class NetworkOfSpace:
    """One network of a space as a function of a builder, which still knows the space.

    Attributes:
        space: that it is of.
        values: of all decisions.
    """

    space: NetworkSpace
    values: Values

    def __call__(self, on: Builder[T]) -> T:
        """The network on any builder."""
        return self.space.build(on, self.values)
