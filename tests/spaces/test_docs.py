"""docs/spaces.md has the sizes that the spaces and networks have."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from nahas import networks
from nahas.problem import REFERENCES
from nahas.spaces.named import NAMES, named

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "spaces.md"


def table(*rows: tuple[object, ...]) -> str:
    head, *others = [f"| {' | '.join(map(str, row))} |" for row in rows]
    return "\n".join([head, "|" + " --- |" * len(rows[0]), *others]) + "\n"


def millions(count: int) -> str:
    return f"{count / 1e6:.1f}" if count >= 1e8 else f"{count / 1e6:.2f}"


def of_spaces() -> str:
    rows = []
    for name in NAMES:
        space, reference = named(name), networks.named(REFERENCES[name])
        size = space.space.size
        choices = f"{size:,}" if size < 1e6 else f"{size:.2e}".replace("e+", "e")
        sizes = (millions(reference.macs), millions(reference.parameters))
        rows.append((f"`{name}`", len(space.space.decisions), choices, *sizes))
    heads = ("space", "decisions", "choices", "M multiply-accumulates", "M parameters")
    return table(heads, *rows)


def of_decisions() -> str:
    """Decisions whose names differ in a number alone stand in one row where their values agree."""
    rows = []
    for name in NAMES:
        found: dict[tuple[object, ...], list[str]] = {}
        for decision in named(name).space.decisions:
            kind = re.sub(r"\d+", "*", decision.name)
            values = ", ".join(
                f"{v:g}" if isinstance(v, float) else str(v) for v in decision.values
            )
            found.setdefault((kind, values, decision.widths), []).append(decision.name)
        for (_, values, widths), names in found.items():
            which = f"`{names[0]}`" + (f" to `{names[-1]}`" if len(names) > 1 else "")
            rows.append((f"`{name}`", which, len(names), values, "slices" if widths else ""))
    return table(("space", "decisions", "how many", "values", ""), *rows)


def of_networks() -> str:
    rows = []
    for name in networks.NAMES:
        network = networks.named(name)
        side, classes = 2 * network.layers[0].p, network.layers[-1].k
        sizes = (millions(network.macs), millions(network.parameters))
        rows.append((f"`{name}`", side, classes, len(network.layers), *sizes))
    heads = ("network", "pixels", "classes", "layers", "M multiply-accumulates", "M parameters")
    return table(heads, *rows)


@pytest.mark.parametrize(
    ("mark", "made"),
    [("spaces", of_spaces), ("decisions", of_decisions), ("networks", of_networks)],
)
def test_tables_are_current(mark: str, made: Callable[[], str]) -> None:
    page = PAGE.read_text()
    begin, end = f"<!-- {mark} -->\n", "<!-- end -->\n"
    before, found, rest = page.partition(begin)
    assert found
    shown, found, after = rest.partition(end)
    assert found
    if os.environ.get("NAHAS_WRITE_DOCS"):
        PAGE.write_text(f"{before}{begin}\n{made()}\n{end}{after}")
    else:
        assert shown.strip() == made().strip()


def test_the_page_names_every_space() -> None:
    page = PAGE.read_text()
    assert [name for name in NAMES if f"\n`{name}`\n: " not in page] == []
