"""The rules of CONTRIBUTING.md that ruff and mypy do not hold."""

from __future__ import annotations

import ast
import csv
import json
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MOST_FILE_LINES = 500
MOST_FUNCTION_LINES = 50
MOST_KERNEL_LINES = 40
TEXT = {".py", ".md", ".cfg", ".toml", ".ini", ".yaml", ".yml", ".json", ".csv", ".cff", ".in", ""}


@cache
def tracked() -> tuple[Path, ...]:
    """Files that git tracks, or what lies here where there is no git (an unpacked sdist)."""
    done = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode == 0:
        names = [ROOT / name for name in done.stdout.split("\0") if name]
        return tuple(path for path in names if path.is_file())
    folders = ("nahas", "tests", "docs", "examples", "benchmarks")
    return tuple(
        path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()
    )


def sources(*folders: str) -> list[Path]:
    chosen = folders or ("nahas", "tests", "examples", "benchmarks")
    return [
        path
        for path in tracked()
        if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in chosen
    ]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_no_file_is_longer_than_an_idea() -> None:
    long = {name_of(path): len(path.read_text().splitlines()) for path in sources()}
    assert {name: lines for name, lines in long.items() if lines > MOST_FILE_LINES} == {}


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its docstring: an argument may be long."""
    first = function.body[0]
    text = ast.get_docstring(function, clean=False)
    assert function.end_lineno is not None
    whole = function.end_lineno - function.lineno + 1
    if text is None or first.end_lineno is None:
        return whole
    return whole - (first.end_lineno - first.lineno + 1)


def test_no_function_is_longer_than_a_screen() -> None:
    long = {}
    for path in sources("nahas"):
        most = MOST_KERNEL_LINES if path.parent.name == "kernels" else MOST_FUNCTION_LINES
        for function in functions(path):
            if lines_of(function) > most:
                long[f"{name_of(path)}:{function.lineno} {function.name}"] = lines_of(function)
    assert long == {}


def test_parallel_loops_are_in_kernels_alone() -> None:
    outside = [
        name_of(path)
        for path in sources("nahas")
        if path.parent.name != "kernels" and re.search(r"\bn?jit\(|\bprange\(", path.read_text())
    ]
    assert outside == []


FORBIDDEN = {
    "pickle": r"import pickle|\bpickle\.\w|\ballow_pickle\s*=\s*True|\bsafe_mode\s*=\s*False",
    "a global seed": r"\b(np|numpy)\.random\.seed\b|\brandom\.seed\(",
    "fork": r"get_context\(\s*['\"]fork['\"]|\bos\.fork\(",
    "an unsafe load": r"\byaml\.(load|unsafe_load|full_load)\(",
    "a shell": r"shell\s*=\s*True",
    "XLA": r"jit_compile\s*=\s*True",
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_sources_are_free_of(what: str) -> None:
    found = [
        name_of(path) for path in sources("nahas") if re.search(FORBIDDEN[what], path.read_text())
    ]
    assert found == []


def test_every_suppression_says_why() -> None:
    bare = re.compile(
        r"#\s*(type:\s*ignore(\[[^]]*])?|noqa(:[A-Z0-9, ]+)?|pragma:\s*no cover)\s*$", re.IGNORECASE
    )
    found = [
        f"{name_of(path)}:{number}"
        for path in sources("nahas", "examples", "benchmarks")
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if bare.search(line)
    ]
    assert found == []


def test_no_path_of_one_machine_is_committed() -> None:
    # Written in halves, so that this file does not find itself.
    home = re.compile("(?<![\\w.])/(" + "|".join(("wor" + "k", "roo" + "t", "hom" + "e")) + ")/\\w")
    found = [
        f"{name_of(path)}:{number}"
        for path in tracked()
        if path.suffix in TEXT and path.stat().st_size < 2_000_000
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), start=1)
        if home.search(line)
    ]
    assert found == []


DATA = [path for path in tracked() if path.is_relative_to(ROOT / "nahas" / "data")]
TABLES = [path for path in DATA if path.suffix == ".csv"]


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(line for line in file if not line.startswith("#")))


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.name)
def test_every_number_of_a_table_has_a_source(path: Path) -> None:
    rows = rows_of(path)
    assert rows, "an empty table"
    assert "source" in rows[0], f"columns are {list(rows[0])}"
    assert [row for row in rows if not (row["source"] or "").strip()] == []


@pytest.mark.parametrize(
    "path", [path for path in DATA if path.suffix in {".json", ".yaml"}], ids=lambda path: path.name
)
def test_every_data_document_names_its_source(path: Path) -> None:
    assert re.search(r"\bsource", path.read_text()), "no field named source"
    if path.suffix == ".json":
        json.loads(path.read_text())


def test_tests_are_not_fewer_than_what_they_test() -> None:
    def lines(folder: str) -> int:
        return sum(len(path.read_text().splitlines()) for path in sources(folder))

    ratio = lines("tests") / lines("nahas")
    assert ratio >= 0.6, f"{ratio:.2f} lines of tests for a line of source"
