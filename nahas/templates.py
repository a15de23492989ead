"""Accelerator templates: what each level stores, and what the way down from it can share."""

from __future__ import annotations

from dataclasses import dataclass

from nahas.errors import MappingError
from nahas.vocabulary import Level, Tensor

ALL = frozenset(Tensor)


@dataclass(frozen=True, kw_only=True)
class Template:
    """A hierarchy of three levels with a spatial fan-out below each.

    Attributes:
        name: what documents call it.
        keep: what each level stores [3], in the order of `Level`; DRAM stores every tensor. A
            tensor that a level does not store passes it by.
        exact_multicast: whether a word that several children ask for in one step is read once
            even where their tiles overlap only in part. Otherwise only children that ask for
            the identical slab share a read: Timeloop's rule, and so the default.

    Raises:
        MappingError: when DRAM does not store every tensor.
    """

    name: str
    keep: tuple[frozenset[Tensor], frozenset[Tensor], frozenset[Tensor]] = (ALL, ALL, ALL)
    exact_multicast: bool = False

    def __post_init__(self) -> None:
        if self.keep[Level.DRAM] != ALL:
            raise MappingError(f"template '{self.name}': DRAM must store every tensor")


REFERENCE = Template(name="reference")
"""Timeloop's reference hierarchy: one shared buffer, PEs below it, a register file in each."""

EDGE = Template(name="edge", keep=(ALL, ALL, frozenset({Tensor.WEIGHTS, Tensor.OUTPUTS})))
"""The paper's accelerator: a local memory per PE, a register file per lane. Inputs go from local
memory straight to the datapath, broadcast over its SIMD units."""
