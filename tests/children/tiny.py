"""A space of small networks that learn Fashion-MNIST in seconds."""

from __future__ import annotations

from nahas.spaces.blocks import Bottleneck, conv, ibn
from nahas.spaces.networks import Link, NetworkSpace
from nahas.spaces.space import Decision, Space

DECISIONS = tuple(
    decision
    for block in (0, 1)
    for decision in (
        Decision(f"e{block}", (1, 3), widths=True),
        Decision(f"k{block}", (3, 5)),
        Decision(f"f{block}", (12, 24), widths=True),
    )
)


def _stem(on, _, _values):
    return conv(on, on.input(32, 32, 3), 12, 3, 2)


def _block(block):
    def build(on, x, values):
        shape = Bottleneck(
            filters=values[f"f{block}"],
            kernel=values[f"k{block}"],
            expansion=values[f"e{block}"],
            stride=2,
        )
        return ibn(on, x, shape)

    return Link((f"e{block}", f"k{block}", f"f{block}"), build)


def _head(on, x, _values):
    return on.dense(on.global_pool(x), 1000)


def tiny_space(name="tiny"):
    """Sixty-four networks of a stem and two bottlenecks."""
    links = (Link((), _stem), _block(0), _block(1), Link((), _head))
    space = Space(name, DECISIONS)

    def spell(values):
        return "-".join(str(space.choice(values)[i]) for i in range(len(DECISIONS)))

    def read(text):
        digits = text.split("-")
        if len(digits) != len(DECISIONS) or not set(digits) <= {"0", "1"}:
            return None
        return {d.name: d.values[int(i)] for d, i in zip(DECISIONS, digits, strict=True)}

    return NetworkSpace(space, links, spell, read)
