"""What the documents tell a reader to type works, in the order in which they say it."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import click
import pytest

from nahas.cli import main

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PROSE = [*DOCUMENTS, ROOT / "CONTRIBUTING.md", ROOT / "benchmarks" / "README.md"]


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text(), re.MULTILINE | re.DOTALL)


def commands(path: Path) -> list[list[str]]:
    """The words of every `nahas` command that a document shows after a prompt."""
    text = "".join(blocks(path, "console")).replace("\\\n", " ")
    typed = [line[2:] for line in text.splitlines() if line.startswith("$ ")]
    parts = [part.strip() for line in typed for part in line.split("&&")]
    names = re.compile(r"^(\.venv/bin/)?nahas\b")
    return [shlex.split(names.sub("", part), comments=True) for part in parts if names.match(part)]


SHOWN = [
    pytest.param(words, id=f"{path.name}: {' '.join(words)}")
    for path in DOCUMENTS
    for words in commands(path)
]


@pytest.mark.parametrize("words", SHOWN)
def test_shown_commands_parse(words: list[str]) -> None:
    if not words or words[0].startswith("-"):
        return
    command = main.nahas.commands[words[0]]
    command.make_parser(click.Context(command, resilient_parsing=True)).parse_args(
        [word for word in words[1:] if word not in (">", "|")]
    )


def test_quick_start_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for words in commands(ROOT / "docs" / "quickstart.md"):
        code = main.run(words)
        said = capsys.readouterr()
        assert code == 0, f"nahas {' '.join(words)}: {said.err}"
        assert said.out.strip()
    assert (tmp_path / "runs" / "first" / "report.html").is_file()


def test_quick_start_python_runs(capsys: pytest.CaptureFixture[str]) -> None:
    for block in blocks(ROOT / "docs" / "quickstart.md", "python"):
        exec(compile(block, "quickstart.md", "exec"), {})  # what a reader would paste
    assert "0_conv_3x3" in capsys.readouterr().out


@pytest.mark.parametrize("path", PROSE, ids=lambda path: path.name)
def test_links_to_files_lead_somewhere(path: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", path.read_text())
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_files_named_in_contributing_exist() -> None:
    named = set(
        re.findall(r"`((?:tests|docs|nahas)/[\w./]+)`", (ROOT / "CONTRIBUTING.md").read_text())
    )
    assert len(named) > 10
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_every_promise_of_robustness_names_a_test_that_is_there() -> None:
    text = (ROOT / "docs" / "robustness.md").read_text()
    named = re.findall(r"`(tests/[\w/]+\.py)((?:::\w+)+)`", text)
    assert len(named) > 20
    for path, names in named:
        source = (ROOT / path).read_text()
        for name in names.split("::")[1:]:
            assert re.search(rf"^ *(class|def) {name}\b", source, re.MULTILINE), f"{path}::{name}"
    rows = [line for line in text.splitlines() if re.match(r"\| (?!what|---)", line)]
    assert [row for row in rows if "`tests/" not in row and "SQLite's own" not in row] == []


def test_readme_quotes_the_search_that_is_committed() -> None:
    found = json.loads((ROOT / "docs" / "figures" / "cosearch.json").read_text())
    readme = (ROOT / "README.md").read_text()
    for name, design in (("best found", found["best"][0]), ("baseline", found["baseline"])):
        row = next(line for line in readme.splitlines() if line.startswith(f"| {name} |"))
        cells = [cell.strip() for cell in row.split("|")]
        assert cells[2:6] == [
            f"{design['accuracy']:.2f}",
            f"{design['latency_ms']:.3f}",
            f"{design['energy_mj']:.3f}",
            f"{design['area_mm2']:.1f}",
        ]
    assert found["accuracy_label"] in readme
    assert f"{found['trials']:,} trials of {found['distinct_designs']:,} distinct designs" in readme


def test_readme_quotes_the_benchmark_that_is_committed() -> None:
    measured = json.loads((ROOT / "benchmarks" / "results" / "search.json").read_text())
    gains = [row["ppo_reward"] - row["random_reward"] for row in measured["rows"]]
    readme = (ROOT / "README.md").read_text()
    assert f"{measured['wins']} of {len(gains)} seeds" in readme
    assert f"by {min(gains):.1f} to {max(gains):.1f} points" in readme


def test_readme_quotes_the_speed_that_is_committed() -> None:
    measured = json.loads((ROOT / "benchmarks" / "results" / "kernels.json").read_text())
    readme = (ROOT / "README.md").read_text()
    speed = measured["objectives"]["latency"]["pairs_per_second"]
    assert f"{speed / 1e6:.1f} million pairs solved" in readme
    assert f"({measured['enumeration']['members_per_pair']:.0f} members)" in readme


def test_readme_quotes_the_cost_model_that_is_committed() -> None:
    measured = json.loads((ROOT / "benchmarks" / "results" / "costmodel.json").read_text())
    readme = " ".join((ROOT / "README.md").read_text().split())
    most = measured["rows"][-1]
    latency, energy, area = (
        most["errors"]["hardware"][f"log_{cost}"]
        for cost in ("latency_ms", "energy_mj", "area_mm2")
    )
    assert f"Learned from {most['training_designs']:,} designs" in readme
    assert (
        f"{latency['mape']:.2f} % in latency, {energy['mape']:.2f} % in energy and "
        f"{area['mape']:.2f} % in area"
    ) in readme
    assert f"Kendall correlation of {latency['kendall']:.3f}" in readme
    assert most["errors"]["networks"]["log_latency_ms"]["mape"] <= latency["mape"]
