"""docs/cli.md says what `--help` says and names tests that exist; docs/json.md knows every key."""

from __future__ import annotations

import json
import os
import re
from importlib.metadata import version
from pathlib import Path

import click
import pytest

from nahas.cli import main

ROOT = Path(__file__).resolve().parent.parent.parent
DOCS = ROOT / "docs"
MARK = "<!-- help -->\n"

# Click lays help out, and differently in every minor version.
LAID_OUT_BY = "8.5"


def help_texts() -> str:
    parts = []
    with click.Context(main.nahas, info_name="nahas", terminal_width=80) as group:
        parts.append(("nahas", main.nahas.get_help(group)))
        for name, command in main.nahas.commands.items():
            with click.Context(command, group, name, terminal_width=80) as context:
                parts.append((f"nahas {name}", command.get_help(context)))
    return "\n".join(f"### {name}\n\n```text\n{text.rstrip()}\n```\n" for name, text in parts)


@pytest.mark.skipif(
    not version("click").startswith(LAID_OUT_BY),
    reason=f"docs/cli.md is laid out by click {LAID_OUT_BY}",
)
def test_help_in_the_docs_is_current():
    path = DOCS / "cli.md"
    before, mark, shown = path.read_text().partition(MARK)
    assert mark
    current = "\n" + help_texts()
    if os.environ.get("NAHAS_WRITE_DOCS"):
        path.write_text(before + MARK + current)
    else:
        assert shown == current


def test_tests_of_conventions_exist():
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (DOCS / "cli.md").read_text())
    assert len(named) > 20
    missing = [
        f"{path}::{name}"
        for path, name in named
        if not re.search(rf"def {name}\(", (ROOT / path).read_text())
    ]
    assert missing == []


def test_every_convention_has_a_test():
    rows = re.findall(r"^\| (\d+) \|.*`tests/.*\|$", (DOCS / "cli.md").read_text(), re.MULTILINE)
    assert [int(number) for number in rows] == list(range(1, 21))


def keys_in(document: object) -> set[str]:
    if isinstance(document, dict):
        return set(document).union(*map(keys_in, document.values()))
    if isinstance(document, list):
        return set().union(*map(keys_in, document))
    return set()


@pytest.mark.parametrize(
    ("arguments", "free"),
    [
        (("simulate", "mobilenet-v2"), ("hardware", "energy_by_component_mj")),
        (("tile-bench", "--pairs", "50", "--verify", "1"), ()),
        (("doctor", "--no-gpu"), ("versions", "threads", "simd", "extras", "plugins")),
        (
            ("cosearch", "--controller", "random", "--trials", "20", "--run-dir", "run"),
            ("options", "hardware"),
        ),
        (("cosearch", "--controller", "random", "--dry-run"), ()),
    ],
    ids=lambda value: value[0] if value else "none",
)
def test_every_key_of_a_document_is_documented(nahas, tmp_path, monkeypatch, arguments, free):
    monkeypatch.chdir(tmp_path)
    document = json.loads(nahas(*arguments, "--json").out)

    def without(part: object) -> object:
        if isinstance(part, dict):
            return {k: None if k in free else without(v) for k, v in part.items()}
        return [without(item) for item in part] if isinstance(part, list) else part

    text = (DOCS / "json.md").read_text()
    assert sorted(key for key in keys_in(without(document)) if f"`{key}`" not in text) == []


def test_nothing_asks():
    asking = re.compile(r"click\.(prompt|confirm|pause|edit)|prompt=True|\binput\(|getpass")
    files = [*(ROOT / "nahas" / "cli").glob("*.py"), *(ROOT / "nahas").glob("*.py")]
    assert [path.name for path in files if asking.search(path.read_text())] == []
