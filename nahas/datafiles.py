"""Reading what people write: packaged data files and YAML, with one-sentence errors."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Any

from nahas.errors import NahasError


def packaged(name: str) -> Path:
    """The path of a data file that ships with nahas."""
    return Path(str(files("nahas") / "data" / name))


def read_mapping(path: str | Path, error: type[NahasError] = NahasError) -> dict[str, Any]:
    """The mapping that a YAML file holds.

    Raises:
        NahasError: of the kind `error`, when the file is missing, no YAML, or no mapping.
    """
    import yaml

    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as problem:
        raise error(f"{path}: cannot be read ({problem.strerror or problem})") from problem
    except (UnicodeDecodeError, yaml.YAMLError) as problem:
        reason = " ".join(str(problem).split())
        raise error(f"{path}: is not a YAML text file ({reason})") from problem
    if not isinstance(content, dict):
        raise error(
            f"{path}: holds a {type(content).__name__}, but a mapping of names to values is needed"
        )
    return {str(key): value for key, value in content.items()}


def nearest(name: str, names: Iterable[str]) -> str:
    """The hint "; did you mean ...?" with the closest of `names`, or nothing if none is close."""
    near = get_close_matches(name, list(names), 1)
    return f"; did you mean '{near[0]}'?" if near else ""
