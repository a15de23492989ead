"""Studies that one page shows together: seeds of the same search, beside other searches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nahas.errors import UsageError
from nahas.files import json_text
from nahas.strategies import SearchResult

BARE = ("strategy", "controller")
"""Options whose value alone names a search."""

OF_OLD = {"strategy": "joint"}
"""What a study searched that says nothing of an option, as the option did not exist."""

SAID_BY = {
    "limits": "targets",
    "reward_exponents": "reward",
    "reward_reference": "reward",
    "strategy_first_trials": "strategy_share",
}
"""Options that are not told where another is that says as much."""


@dataclass(frozen=True)
class Group:
    """Studies of one search that differ in their seeds alone.

    Attributes:
        label: what sets it apart from the other groups.
        results: at least one.
    """

    label: str
    results: tuple[SearchResult, ...]


def grouped(results: Sequence[SearchResult]) -> list[Group]:
    """The results as groups, in the order in which they are given.

    Raises:
        UsageError: when two results are not of one space and one kind of accuracy, or are the
            same search with the same seed.
    """
    for other in results[1:]:
        _check_alike(results[0], other)
    found: dict[str, list[SearchResult]] = {}
    for result in results:
        same = found.setdefault(json_text(_asked(result)), [])
        for twin in same:
            if twin.seed == result.seed:
                raise UsageError(
                    f"{_name(twin)} and {_name(result)} are of the same search and seed "
                    f"{result.seed}: give one of them"
                )
        same.append(result)
    labels = _labels([_asked(same[0]) for same in found.values()])
    return [Group(label, tuple(same)) for label, same in zip(labels, found.values(), strict=True)]


def option(result: SearchResult, name: str) -> Any:
    """An option of a study, as it was where the study is older than the option."""
    return result.options.get(name, OF_OLD.get(name))


def _asked(result: SearchResult) -> dict[str, Any]:
    return {**OF_OLD, **result.options, "limits": dict(result.targets)}


def _check_alike(first: SearchResult, other: SearchResult) -> None:
    spaces = [
        [(decision.name, decision.values) for decision in result.joint.space.decisions]
        for result in (first, other)
    ]
    if spaces[0] != spaces[1]:
        names = [
            f"{result.joint.network_space.name} networks on {result.joint.hardware_space} "
            "accelerators"
            for result in (first, other)
        ]
        raise UsageError(
            f"{_name(first)} searched {names[0]}, {_name(other)} {names[1]}: "
            "a page shows studies of one space, so draw them apart"
        )
    if first.accuracy_label != other.accuracy_label:
        raise UsageError(
            f"accuracy is {first.accuracy_label} in {_name(first)}, but {other.accuracy_label} "
            f"in {_name(other)}: these cannot be compared, so draw the studies apart"
        )


def _name(result: SearchResult) -> str:
    return f"study {result.study}" if result.study else f"the search with seed {result.seed}"


def _labels(asked: Sequence[Mapping[str, Any]]) -> list[str]:
    """What each group was asked that not every group was; of one group, who searched."""
    names = list(dict.fromkeys(name for of in asked for name in of))
    unlike = [name for name in names if any(of.get(name) != asked[0].get(name) for of in asked)]
    for name, besides in SAID_BY.items():
        if name in unlike and besides in unlike:
            unlike.remove(name)
    told = [name for name in BARE if len(asked) == 1 or name in unlike]
    told += [name for name in unlike if name not in told and not _follows(name, asked)]
    return [
        ", ".join(_said(name, of.get(name)) for name in told if of.get(name) is not None)
        for of in asked
    ]


def _follows(name: str, asked: Sequence[Mapping[str, Any]]) -> bool:
    """Whether an option is a controller's own knobs, which its name stands for."""
    return any(name == of.get("controller") for of in asked)


def _said(name: str, value: Any) -> str:
    if isinstance(value, Mapping):
        value = " ".join(f"{key} {item}" for key, item in value.items()) or "none"
    return str(value) if name in BARE else f"{name.replace('_', ' ')} {value}"
