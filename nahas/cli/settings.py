"""The settings file: options of commands in TOML, one table per command."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from nahas.datafiles import nearest
from nahas.errors import UsageError


def read_settings(
    path: Path, command: str, keys: Iterable[str], commands: Iterable[str]
) -> dict[str, Any]:
    """The options that the table `[command]` of a settings file holds, by parameter name.

    Raises:
        UsageError: when the file cannot be read, or names a command or option that does not
            exist; the message holds file, line and key.
    """
    text, tables = _parse(path)
    known = sorted(commands)
    for name, table in tables.items():
        if name not in known:
            raise UsageError(
                f"{path}:{line_of(text, None, name)}: unknown command '{name}'"
                f"{did_you_mean(name, known)}"
            )
        if not isinstance(table, dict):
            raise UsageError(f"{path}:{line_of(text, None, name)}: '{name}' must be a table")
    allowed = sorted(key.replace("_", "-") for key in keys)
    found = {}
    for key, value in tables.get(command, {}).items():
        if key.replace("_", "-") not in allowed:
            raise UsageError(
                f"{path}:{line_of(text, command, key)}: unknown option '{key}' of "
                f"'{command}'{did_you_mean(key, allowed)}"
            )
        found[key.replace("-", "_")] = value
    return found


def _parse(path: Path) -> tuple[str, dict[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the settings file '{path}': {error}") from error
    try:
        return text, tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: not TOML: {error}") from error


def line_of(text: str, table: str | None, key: str) -> int:
    """The line, from 1, where a key of a table stands; for no table, where a table begins."""
    inside = None
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if stripped.startswith("["):
            inside = stripped.strip("[] ")
            if table is None and inside == key:
                return number
        elif inside == table and stripped.partition("=")[0].strip(" \"'") == key:
            return number
    return 1


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of a message: the nearest known word, or all that are known."""
    known = sorted(known)
    return nearest(word, known) or f"; known are {', '.join(known)}"


def settings_text(command: str, options: Mapping[str, Any]) -> str:
    """A settings file with these options of a command; reading it gives them back."""
    lines = [f"[{command}]"]
    for name, value in options.items():
        key = name.replace("_", "-")
        lines.append(f"# {key} is not set" if value is None else f"{key} = {_toml(value)}")
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
