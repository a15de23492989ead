"""YAML whose mappings may carry a tag, as Timeloop's and AccelForge's do: ``!Component``."""

from __future__ import annotations

from typing import Any

import yaml

from nahas.errors import InteropError


class Tagged(dict[str, Any]):
    """A mapping and its tag, without the exclamation mark."""

    def __init__(self, tag: str, content: dict[str, Any]) -> None:
        super().__init__(content)
        self.tag = tag


class Row(list[Any]):
    """A list that is written on one line."""


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - of PyYAML's interface
        """Write a value again rather than point to it."""
        return True


class _Loader(yaml.SafeLoader):
    pass


_Dumper.add_representer(
    Tagged, lambda dumper, data: dumper.represent_mapping(f"!{data.tag}", dict(data).items())
)
_Dumper.add_representer(
    Row, lambda dumper, data: dumper.represent_sequence("tag:yaml.org,2002:seq", data, True)
)
_Loader.add_multi_constructor(
    "!", lambda loader, tag, node: Tagged(tag, loader.construct_mapping(node, deep=True))
)


def tagged_text(content: Any, comments: tuple[str, ...] = ()) -> str:
    """YAML of nested plain values, below lines of comment."""
    text = yaml.dump(content, Dumper=_Dumper, sort_keys=False, default_flow_style=False, width=100)
    return "".join(f"# {line}\n" for line in comments) + text


def read_tagged(path: Any) -> Any:
    """What a YAML file holds, its tagged mappings as `Tagged`; nothing in it is run.

    Raises:
        InteropError: when the file is missing or no YAML.
    """
    try:
        loader = _Loader(path.read_text(encoding="utf-8"))
        return loader.get_single_data()
    except OSError as problem:
        raise InteropError(f"{path}: cannot be read ({problem.strerror or problem})") from problem
    except (UnicodeDecodeError, yaml.YAMLError) as problem:
        reason = " ".join(str(problem).split())
        raise InteropError(f"{path}: is not a YAML text file ({reason})") from problem
