"""What a study is of: all that its sequence of trials follows from."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nahas.errors import StudyError
from nahas.spaces.space import Decision, Space
from nahas.study.schema import SCHEMA_VERSION

_NOTES = {"accuracy": str, "targets": dict, "baseline": dict}
"""What every study notes, and in which of JSON's types."""

_ONCE = {"hardware_space": "paper", "strategy": "joint"}
"""Options that came later: a study that does not name one was searched so."""


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Two studies of equal space, seed, options and fingerprints hold the same trials.

    Attributes:
        space: the joint space, with every value, so that the file explains itself.
        seed: of the controller's random generator.
        options: what else the search was asked, in JSON's types.
        fingerprints: hashes of what computes costs and accuracies, by name.
        versions: of the programs at work; kept, not compared.
        notes: what reports want to know besides, in JSON's types; not compared. A study that is
            read holds `accuracy` (its label), `targets` (limits by metric) and `baseline` (a
            design); one whose search has ended also `ended`: how, and after how many trials.
    """

    space: Space
    seed: int
    options: Mapping[str, Any] = field(default_factory=dict)
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)

    def row(self, created: float) -> tuple[object, ...]:
        """The row of table `study`, without its id."""
        texts = (self.options, self.fingerprints, self.versions, self.notes)
        return (SCHEMA_VERSION, _space_text(self.space), self.seed, *map(_text, texts), created)

    @property
    def notes_text(self) -> str:
        """The notes as the file has them."""
        return _text(self.notes)

    @classmethod
    def read(cls, row: sqlite3.Row) -> Origin:
        """The reverse of `row`.

        Raises:
            StudyError: when a part is missing or of another type.
        """
        if row is None:
            raise StudyError("it says nothing of its search")
        texts = {
            name: _mapping(name, row[name])
            for name in ("options", "fingerprints", "versions", "notes")
        }
        for name, kind in _NOTES.items():
            if not isinstance(texts["notes"].get(name), kind):
                raise StudyError(f"its notes have no '{name}'")
        return cls(space=_space(row["space"]), seed=row["seed"], **texts)

    def check_continues(self, kept: Origin, path: Path) -> None:
        """Raise a StudyError unless a search of this origin may continue the study of `kept`."""
        if _space_text(self.space) != _space_text(kept.space):
            raise StudyError(
                f"study {path} searches the space '{kept.space.name}' as it was when the study "
                f"began, not today's '{self.space.name}': continue it with that space, "
                "or name another study"
            )
        if self.seed != kept.seed:
            raise StudyError(
                f"study {path} has seed {kept.seed}, not {self.seed}: "
                f"continue it with seed {kept.seed}, or name another study"
            )
        mine, theirs = _ONCE | json.loads(_text(self.options)), _ONCE | dict(kept.options)
        for name in sorted(mine.keys() | theirs.keys()):
            if mine.get(name) != theirs.get(name):
                raise StudyError(
                    f"study {path} was searched with {name} = {theirs.get(name)!r}, "
                    f"not {mine.get(name)!r}: continue it with the former, or name another study"
                )
        for name in sorted(self.fingerprints.keys() | kept.fingerprints.keys()):
            if self.fingerprints.get(name) != kept.fingerprints.get(name):
                raise StudyError(
                    f"study {path} was searched with other {name} "
                    f"({kept.fingerprints.get(name)}, now {self.fingerprints.get(name)}), so its "
                    "trials cannot be compared with new ones: install nahas "
                    f"{kept.versions.get('nahas', 'of that time')} again, or name another study"
                )


def _text(value: object) -> str:
    return json.dumps(value, sort_keys=True)


def _mapping(name: str, text: str) -> dict[str, Any]:
    read = json.loads(text)
    if not isinstance(read, dict):
        raise StudyError(f"its {name} are no mapping")
    return read


def _space_text(space: Space) -> str:
    return _text({"name": space.name, "decisions": [[d.name, d.values] for d in space.decisions]})


def _space(text: str) -> Space:
    read = json.loads(text)
    decisions = tuple(Decision(name, tuple(values)) for name, values in read["decisions"])
    return Space(read["name"], decisions)
