"""The evolved space: EfficientNet-B0's skeleton, each block fused or not, and as wide as suits.

Each of the 16 blocks chooses its type (IBN, or fused IBN with the stride on the expansion), its
expansion (3, 6), kernel (3, 5) and output channels (0.5, 0.75, 1 or 1.5 times B0's, rounded to a
multiple of four): 32**16 = 1.2e24 networks. Lists: paper notes, section 4.3, with middling
certainty. They were decoded from the searched Autoseg-EdgeTPU backbones in tensorflow/models,
which a co-author of the paper published; `nahas.networks.autoseg` has these themselves.

`s3-groups` adds the number of groups (1, 2, 4) of a fused expansion; a block that is not fused
has no such convolution, and the decision does not apply there. 64**16 = 7.9e28 networks.

`s3-scaled` adds EfficientNet's compound scaling to `s3`. Width (1, 1.1, 1.2), depth (1, 1.2, 1.4)
and resolution (224, 240, 260, 300) are those of B0 to B3; B1's depth 1.1 is left out, because it
rounds to the repeats of 1.2. A stage that is deeper repeats its last block. 4.4e25 networks.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Any, TypeVar

from nahas.spaces.blocks import Bottleneck, classifier, conv, fused_ibn, ibn
from nahas.spaces.builder import Builder
from nahas.spaces.conditions import Condition, Conditions
from nahas.spaces.networks import Link, NetworkSpace, Values
from nahas.spaces.scaling import rounded_filters, scaled_repeats
from nahas.spaces.skeletons import EFFICIENTNET_B0, HEAD, STEM, Stage, one_by_one
from nahas.spaces.space import Decision, Space

T = TypeVar("T")

RESOLUTION = 224
CLASSES = 1000
TYPES = ("ibn", "fused")
EXPANSIONS = (3, 6)
KERNELS = (3, 5)
MULTIPLIERS = (0.5, 0.75, 1.0, 1.5)
GROUPS = (1, 2, 4)
DIVISOR = 4
"""Channels are a multiple of it, so that they have as many groups."""

WIDTH = Decision("width", (1.0, 1.1, 1.2), widths=True)
DEPTH = Decision("depth", (1.0, 1.2, 1.4))
RESOLUTIONS = Decision("resolution", (RESOLUTION, 240, 260, 300))

BLOCKS = one_by_one(EFFICIENTNET_B0)

_BLOCK = re.compile(r"(f?)e(\d+)k(\d+)(?:x(\d+(?:\.\d+)?))?(?:g(\d+))?", re.ASCII)
_SCALE = re.compile(r"w(\d+(?:\.\d+)?)d(\d+(?:\.\d+)?)r(\d+)", re.ASCII)


def network_space() -> NetworkSpace:
    """The space `s3`: 64 decisions, 1.2e24 networks."""
    return _space("s3")


def with_groups() -> NetworkSpace:
    """The space `s3-groups`: 80 decisions, 7.9e28 networks."""
    return _space("s3-groups", grouped=True)


def scaled() -> NetworkSpace:
    """The space `s3-scaled`: 67 decisions, 4.4e25 networks."""
    return _space("s3-scaled", scale=(WIDTH, DEPTH, RESOLUTIONS))


def _space(name: str, *, grouped: bool = False, scale: tuple[Decision, ...] = ()) -> NetworkSpace:
    of_blocks = [_decisions(block, grouped) for block in range(len(BLOCKS))]
    own = [tuple(decision.name for decision in decisions) for decisions in of_blocks]
    width = tuple(decision.name for decision in scale if decision is WIDTH)
    links, block = [Link(tuple(d.name for d in scale if d is not DEPTH), _stem)], 0
    for stage in EFFICIENTNET_B0:
        for _ in range(stage.repeats):
            links.append(Link((*width, *own[block]), partial(_block, block)))
            block += 1
        if scale:
            last = (*width, DEPTH.name, *own[block - 1])
            most = scaled_repeats(stage.repeats, max(DEPTH.values))
            links += [
                Link(last, partial(_repeat, block - 1, stage, repeat))
                for repeat in range(stage.repeats, most)
            ]
    links.append(Link(width, _head))
    space = Space(name, (*scale, *(d for decisions in of_blocks for d in decisions)))
    groups_of_fused = (
        Condition(f"block{i}_groups", f"block{i}_type", ("fused",)) for i in range(len(BLOCKS))
    )
    return NetworkSpace(
        space=space,
        links=tuple(links),
        spell=_spell,
        read=partial(_read, grouped, bool(scale)),
        applies=Conditions(space, tuple(groups_of_fused)) if grouped else None,
    )


def _decisions(block: int, grouped: bool) -> tuple[Decision, ...]:
    always = (
        Decision(f"block{block}_type", TYPES),
        Decision(f"block{block}_e", EXPANSIONS, widths=True),
        Decision(f"block{block}_k", KERNELS),
        Decision(f"block{block}_filters", MULTIPLIERS, widths=True),
    )
    return (*always, Decision(f"block{block}_groups", GROUPS)) if grouped else always


def _filters(filters: float, values: Values) -> int:
    return rounded_filters(filters * values.get("width", 1.0), DIVISOR)


def _stem(on: Builder[T], _: None, values: Values) -> T:
    side = values.get("resolution", RESOLUTION)
    return conv(on, on.input(side, side, 3), _filters(STEM, values), 3, 2)


def _block(i: int, on: Builder[T], x: T, values: Values) -> T:
    return _bottleneck(on, x, i, BLOCKS[i].stride, values)


def _repeat(i: int, stage: Stage, repeat: int, on: Builder[T], x: T, values: Values) -> T:
    """Block `i` once more, where its stage has more than `repeat` blocks."""
    there = scaled_repeats(stage.repeats, values["depth"]) > repeat
    return _bottleneck(on, x, i, 1, values) if there else x


def _bottleneck(on: Builder[T], x: T, i: int, stride: int, values: Values) -> T:
    shape = Bottleneck(
        filters=_filters(BLOCKS[i].filters * values[f"block{i}_filters"], values),
        kernel=values[f"block{i}_k"],
        expansion=values[f"block{i}_e"],
        stride=stride,
        groups=values.get(f"block{i}_groups", 1),
    )
    return fused_ibn(on, x, shape) if values[f"block{i}_type"] == "fused" else ibn(on, x, shape)


def _head(on: Builder[T], x: T, values: Values) -> T:
    return classifier(on, x, _filters(HEAD, values), CLASSES)


def _spell(values: Values) -> str:
    """Named values as text: `e6k3-fe3k5x1.5-...`, a block each, after the scale, if any.

    `f` is a fused block, `x` multiplies its output channels, `g` are its groups; where both are
    1 they are not written.
    """
    blocks = [_spelled_block(i, values) for i in range(len(BLOCKS))]
    if "width" in values:
        blocks.insert(0, "w{width:g}d{depth:g}r{resolution}".format_map(values))
    return "-".join(blocks)


def _spelled_block(i: int, values: Values) -> str:
    fused = values[f"block{i}_type"] == "fused"
    filters, groups = values[f"block{i}_filters"], values.get(f"block{i}_groups", 1)
    return (
        f"{'f' if fused else ''}e{values[f'block{i}_e']}k{values[f'block{i}_k']}"
        + (f"x{filters:g}" if filters != 1 else "")
        + (f"g{groups}" if fused and groups != 1 else "")
    )


def _read(grouped: bool, is_scaled: bool, text: str) -> Values | None:
    """The named values of `_spell`'s text; None where it has another form."""
    parts = text.split("-")
    values: dict[str, Any] = {}
    if is_scaled:
        match = _SCALE.fullmatch(parts.pop(0))
        if match is None:
            return None
        width, depth, side = match.groups()
        values |= {"width": float(width), "depth": float(depth), "resolution": int(side)}
    if len(parts) != len(BLOCKS):
        return None
    for i, part in enumerate(parts):
        match = _BLOCK.fullmatch(part)
        if match is None:
            return None
        fused, expansion, kernel, filters, groups = match.groups()
        values[f"block{i}_type"] = "fused" if fused else "ibn"
        values |= {f"block{i}_e": int(expansion), f"block{i}_k": int(kernel)}
        values[f"block{i}_filters"] = float(filters or 1)
        if grouped:
            values[f"block{i}_groups"] = int(groups or 1)
    return values if _spell(values) == text else None
