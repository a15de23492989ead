"""Spaces that users wrote, by the file and the name that they have in it: `FILE.py:NAME`."""

from __future__ import annotations

import hashlib
import re
import sys
from dataclasses import replace
from difflib import get_close_matches
from functools import lru_cache
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType

from nahas.errors import SpaceError
from nahas.spaces.networks import NetworkSpace

_PLACE = re.compile(r"(?P<file>.*\.py)(?::(?P<name>[^:]*))?")


def in_file(name: str) -> bool:
    """Whether a space's name says in which file it is."""
    return _PLACE.fullmatch(name) is not None


def absolute(name: str) -> str:
    """The same name from any folder."""
    found = _PLACE.fullmatch(name)
    if found is None:
        return name
    return str(Path(found["file"]).absolute()) + name[found.end("file") :]


def without_file(network: str) -> str:
    """A network's name without the file of its space."""
    return network.rpartition(".py:")[2]


def space_in_file(name: str) -> NetworkSpace:
    """The space that a file holds; the file is run to get it, once in a process.

    Args:
        name: `FILE.py:NAME`.

    Raises:
        SpaceError: when there is no such file, it raises, or the name in it is no network space
            or not the space's own.
    """
    found = _PLACE.fullmatch(name)
    if found is None or not found["name"]:
        raise SpaceError(f"'{name}' does not say which space: write FILE.py:NAME")
    path = Path(found["file"]).absolute()
    try:
        changed = path.stat().st_mtime_ns
    except OSError as error:
        raise SpaceError(f"{path}: cannot be read ({error.strerror or error})") from error
    module = _module(path, changed)
    held = getattr(module, found["name"], None)
    spaces = [key for key, value in vars(module).items() if isinstance(value, NetworkSpace)]
    if held is None:
        near = get_close_matches(found["name"], spaces, 1)
        hint = f"did you mean '{near[0]}'? " if near else ""
        raise SpaceError(
            f"{path}: holds no '{found['name']}': {hint}"
            f"its spaces are {', '.join(spaces) or 'none'}"
        )
    if not isinstance(held, NetworkSpace):
        kind = type(held).__name__
        article = "an" if kind[0] in "aeiou" else "a"
        raise SpaceError(
            f"{path}: '{found['name']}' is {article} {kind}, no network space: make one of "
            "a function with @nahas.spaces.own.network_space"
        )
    if held.name != found["name"]:
        raise SpaceError(
            f"{path}: the space in '{found['name']}' is called '{held.name}': give it one name"
        )
    return replace(held, file=str(path))


class _ReadAnew(SourceFileLoader):
    """Compiles the file as it is.

    Python tells the bytecode that it keeps of a file from that of a later edit by the file's
    length and the second of the edit alone.
    """

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        code: CodeType = self.source_to_code(self.get_data(path), path)
        return code


@lru_cache
def _module(path: Path, _changed: int) -> ModuleType:
    # Named by its path: two files of one name are two modules.
    name = f"nahas_space_{hashlib.sha256(str(path).encode()).hexdigest()[:16]}"
    spec = spec_from_file_location(name, path, loader=_ReadAnew(name, str(path)))
    if spec is None or spec.loader is None:
        raise SpaceError(f"{path}: cannot be run as Python")
    module = module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except SpaceError as error:
        raise SpaceError(f"{path}: {error}") from error
    except Exception as error:
        line = _line_in(path, error)
        raise SpaceError(
            f"{path}{line}: cannot be run ({type(error).__name__}: {error})"
        ) from error
    return module


def _line_in(path: Path, error: Exception) -> str:
    """`:LINE` of the file where an error came from; nothing where it does not show."""
    if isinstance(error, SyntaxError):
        return f":{error.lineno}" if error.lineno else ""
    lines, step = [], error.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_filename == str(path):
            lines.append(step.tb_lineno)
        step = step.tb_next
    return f":{lines[-1]}" if lines else ""
