"""Objects of another tool's JSON, read key by key; every message names the place and the key."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from reprlib import Repr
from typing import Any

from nahas.datafiles import nearest
from nahas.errors import InteropError

NUMBER = (int, float)
MISSING = object()
MOST = 2**53
"""Larger counts would not be exact in the file's own arithmetic."""

LEAST_AMOUNT, MOST_AMOUNT = 1e-100, 1e100
"""Beyond these, products and quotients with counts would leave the range of a double."""

_SPOKEN: dict[type, str] = {
    dict: "an object",
    list: "a list",
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
}

_REPR = Repr()
_REPR.maxstring = _REPR.maxother = 60


@dataclass(frozen=True)
class Record:
    """A JSON object of the file, and where it stands, for messages."""

    where: str
    value: dict[str, Any]

    def read(self, key: str, *types: type, default: Any = MISSING) -> Any:
        """The value of `key`, which must be of one of the types.

        Raises:
            InteropError: when it is missing and has no default, or is of another type.
        """
        value = self.value.get(key, default)
        if value is MISSING:
            raise InteropError(f"{self.where}: '{key}' is missing")
        # In Python true is an int too; null says the same as leaving an optional key out.
        right = isinstance(value, types) and (bool in types or not isinstance(value, bool))
        if right or value is default:
            return value
        wanted = " or ".join(_SPOKEN[kind] for kind in types)
        raise self.wrong(key, value, wanted)

    def wrong(self, key: str, value: Any, wanted: str) -> InteropError:
        """The error that says what `key` is and what it must be."""
        return InteropError(f"{self.where}: '{key}' is {shown(value)}, but it must be {wanted}")

    def only(self, known: Iterable[str]) -> Record:
        """This object, which must have no key but the known: any other would be passed over.

        Raises:
            InteropError: for the first key that is not known.
        """
        names = tuple(known)
        for key in self.value:
            if key not in names:
                hint = nearest(key, names) or f"; known are {', '.join(names)}"
                raise InteropError(f"{self.where}: the key {shown(key)} is unknown{hint}")
        return self

    def part(self, key: str) -> Record:
        """The object under `key`."""
        return Record(f"{self.where}: {key}", self.read(key, dict))

    def parts(self, keys: Iterable[str]) -> dict[str, Record]:
        """The objects under those of the keys that are there; there may be no other keys."""
        names = tuple(keys)
        self.only(names)
        there = (key for key in names if self.read(key, dict, default=None) is not None)
        return {key: self.part(key) for key in there}

    def count(self, key: str, *, least: int = 0, default: Any = MISSING) -> int:
        """The whole number under `key`, at least `least`."""
        value = self.read(key, int, default=default)
        if not least <= value <= MOST:
            raise self.wrong(key, value, f"a whole number from {least} to {MOST}")
        return int(value)

    def amount(self, key: str, *, least: float = 0.0) -> float:
        """The number under `key`, at least `least` and at most `MOST_AMOUNT`."""
        return float(self._number(key, least))

    def numbers(self, keys: Iterable[str]) -> dict[str, float]:
        """The numbers under those of the keys that are there; whole ones stay whole."""
        there = [key for key in keys if self.read(key, *NUMBER, default=None) is not None]
        return {key: self._number(key, 0.0) for key in there}

    def _number(self, key: str, least: float) -> float:
        value: float = self.read(key, *NUMBER)
        # Compared as they are: a whole number may be too long for a double; NaN fails both.
        if not least <= value <= MOST_AMOUNT:
            raise self.wrong(key, value, f"a number from {least:g} to {MOST_AMOUNT:g}")
        return value


def shown(value: Any) -> str:
    """A value as messages show it: on one line, cut where it is long or deep."""
    return _REPR.repr(value)


def read_object(path: Path) -> Record:
    """The JSON object that a file holds.

    Raises:
        InteropError: when the file cannot be read or holds anything else.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InteropError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise InteropError(f"{path}: is not JSON: {error}") from error
    except RecursionError as error:
        raise InteropError(f"{path}: lists or objects are nested too deeply to be read") from error
    if not isinstance(document, dict):
        raise InteropError(f"{path}: holds no object with 'cases'")
    return Record(str(path), document)
