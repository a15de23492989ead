"""Reading what people write: packaged data files and YAML, with one-sentence errors."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nahas.errors import NahasError

if TYPE_CHECKING:
    import yaml


def packaged(name: str) -> Path:
    """The path of a data file that ships with nahas."""
    return Path(str(files("nahas") / "data" / name))


def read_mapping(path: str | Path, error: type[NahasError] = NahasError) -> dict[str, Any]:
    """The mapping that a YAML file holds.

    Numbers are those of YAML 1.2, so `1e-2` is one. A key may stand once in its mapping, as the
    YAML specification says and PyYAML does not check.

    Raises:
        NahasError: of the kind `error`, when the file is missing, no YAML, or no mapping, and
            for a key that stands twice.
    """
    import yaml

    try:
        loader = _loader()(Path(path).read_text(encoding="utf-8"))
        root = loader.get_single_node()
        for node in _nodes(root):
            _refuse_repeated_keys(node, path, error)
        content = None if root is None else loader.construct_document(root)
    except OSError as problem:
        raise error(f"{path}: cannot be read ({problem.strerror or problem})") from problem
    except yaml.MarkedYAMLError as problem:
        line = f"{problem.problem_mark.line + 1}: " if problem.problem_mark else " "
        raise error(f"{path}:{line}is not a YAML text file ({problem.problem})") from problem
    except (UnicodeDecodeError, yaml.YAMLError) as problem:
        reason = " ".join(str(problem).split())
        raise error(f"{path}: is not a YAML text file ({reason})") from problem
    if not isinstance(content, dict):
        held = "nothing" if content is None else f"a {type(content).__name__}"
        raise error(f"{path}: holds {held}, but a mapping of names to values is needed")
    return {str(key): value for key, value in content.items()}


@cache
def _loader() -> type[yaml.SafeLoader]:
    """The safe loader, with the floats of YAML 1.2: PyYAML's need a dot and a signed exponent."""
    import yaml

    class Loader(yaml.SafeLoader):
        pass

    pattern = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)[eE][-+]?[0-9]+$")
    Loader.add_implicit_resolver("tag:yaml.org,2002:float", pattern, list("-+.0123456789"))
    return Loader


def _nodes(root: yaml.Node | None) -> Iterator[yaml.Node]:
    """Every node of a document, once: an alias is the node that it names, even inside of it."""
    import yaml

    waiting, seen = [root], set()
    while waiting:
        node = waiting.pop()
        if node is None or id(node) in seen:
            continue
        seen.add(id(node))
        yield node
        if isinstance(node, yaml.MappingNode):
            waiting += [part for pair in node.value for part in pair]
        elif isinstance(node, yaml.SequenceNode):
            waiting += node.value


def _refuse_repeated_keys(node: yaml.Node, path: str | Path, error: type[NahasError]) -> None:
    import yaml

    if not isinstance(node, yaml.MappingNode):
        return
    lines: dict[str, int] = {}
    for key, _ in node.value:
        line = key.start_mark.line + 1
        if str(key.value) in lines:
            raise error(
                f"{path}:{line}: {key.value} stands twice, first in line {lines[key.value]}: "
                "remove one of them"
            )
        lines[str(key.value)] = line


def check_schema_version(
    content: Mapping[str, Any], path: str | Path, reads: int, error: type[NahasError]
) -> None:
    """Refuse a file of another schema version, or that does not say which it has.

    Raises:
        NahasError: of the kind `error`.
    """
    version = content.get("schema_version")
    if version is None:
        raise error(f"{path}: has no schema_version, but this nahas reads schema_version {reads}")
    if version != reads:
        raise error(f"{path}:schema_version is {version!r}, but this nahas reads {reads}")


def nearest(name: str, names: Iterable[str]) -> str:
    """The hint "; did you mean ...?" with the closest of `names`, or nothing if none is close."""
    near = get_close_matches(name, list(names), 1)
    return f"; did you mean '{near[0]}'?" if near else ""
