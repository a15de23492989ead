"""The page in a real browser: it draws without an error, and what it offers does what it says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from nahas.report.groups import grouped
from nahas.report.page import write_page
from nahas.strategies import Search, joint
from tests.browser import Browser, browser
from tests.report.conftest import TARGETS, in_pareto_mode, in_phases, made_up


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for all tests: starting it takes longest."""
    with browser(tmp_path_factory.mktemp("profile")) as made:
        yield made


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a real search, whose designs' layers can be simulated again."""
    result = joint(Search(controller="random", trials=120, latency="1.2x"))
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_page(grouped([result]), path)
    return path


def texts(window: Browser, column: int) -> list[str]:
    rows = "[...document.querySelectorAll('#designs tbody tr')]"
    return window.run(f"{rows}.map(row => row.cells[{column}].textContent)")


def click(window: Browser, selector: str) -> None:
    window.run(f"document.querySelector({selector!r}).click()")


def write(window: Browser, selector: str, text: str) -> None:
    window.run(
        f"(f => {{ f.value = {text!r}; f.dispatchEvent(new Event('input')); }})"
        f"(document.querySelector({selector!r}))"
    )


def lines(window: Browser, kind: str) -> int:
    """How many designs the parallel coordinates draw so."""
    return window.run(
        f"[...document.querySelectorAll('#parallel path.{kind}')]"
        ".reduce((sum, p) => sum + (p.getAttribute('d') ?? '').split('M').length - 1, 0)"
    )


def test_draws_from_a_file_without_errors_and_asks_for_nothing_else(window, page):
    for scheme in ("light", "dark"):
        window.scheme(scheme)
        window.open(page)
        assert window.errors == []
        assert window.requests == [page.as_uri()]
        assert window.run("document.documentElement.dataset.drawn") == "yes"
        assert window.run("document.querySelectorAll('#fronts svg').length") == 3
        assert window.run("document.querySelectorAll('.target').length") == 2
        back = window.run("getComputedStyle(document.body).backgroundColor")
        assert (back == "rgb(246, 247, 249)") == (scheme == "light")


def test_fits_a_narrow_window(window, page):
    window.open(page, width=390)
    assert window.run("document.documentElement.scrollWidth") <= 390
    assert window.errors == []


def test_table_sorts_and_filters(window, page):
    window.open(page)
    click(window, "#only-best")
    assert "of 120 designs" in window.run("document.getElementById('count').textContent")
    latency = next(
        i
        for i, name in enumerate(
            window.run("[...document.querySelectorAll('#designs th')].map(h => h.textContent)")
        )
        if name.startswith("latency")
    )
    click(window, f"#designs th:nth-child({latency + 1}) button")
    values = [float(text) for text in texts(window, latency)]
    assert values == sorted(values)
    assert len(values) == 25
    click(window, f"#designs th:nth-child({latency + 1}) button")
    values = [float(text) for text in texts(window, latency)]
    assert values == sorted(values, reverse=True)
    click(window, "#on")
    assert float(texts(window, latency)[0]) <= values[-1]
    click(window, "#only-met")
    assert set(
        texts(window, -1 + window.run("document.querySelectorAll('#designs th').length"))
    ) == {"met"}
    first = texts(window, 2)[0].partition(",")[0]
    write(window, "#filter", f"{first.upper()} gb/s")
    shown = texts(window, 2)
    assert shown
    assert all(text.startswith(first) for text in shown)
    write(window, "#filter", "nothing is called so")
    assert texts(window, 0) == []
    assert window.errors == []


def test_brushing_an_axis_hides_lines_and_rows(window, page):
    window.open(page)
    click(window, "#only-best")
    whole = lines(window, "kept")
    assert lines(window, "rest") == 0
    window.run("document.getElementById('parallel').scrollIntoView({behavior: 'instant'})")
    box = window.run(
        "(b => [b.x + b.width / 2, b.y, b.height])"
        "(document.querySelector('[data-axis=pes_x] .axis-hit').getBoundingClientRect())"
    )
    window.press("mousePressed", box[0], box[1] + 1)
    window.press("mouseMoved", box[0], box[1] + box[2] / 3)
    window.press("mouseReleased", box[0], box[1] + box[2] / 3)
    kept = lines(window, "kept")
    assert 0 < kept < whole
    assert kept + lines(window, "rest") == whole
    assert f"of {kept} designs" in window.run("document.getElementById('count').textContent")
    assert {text[0] for text in texts(window, 2)} <= {"6", "8"}
    click(window, "#free")
    assert lines(window, "kept") == whole
    window.run("document.querySelector('[data-axis=pes_x]').focus()")
    window.key("ArrowUp")
    assert lines(window, "kept") < whole
    label = "document.querySelector('[data-axis=pes_x]').getAttribute('aria-label')"
    assert "kept from" in window.run(label)
    window.key("Escape")
    assert lines(window, "kept") == whole
    assert window.errors == []


def test_opening_a_design_shows_its_layers(window, page):
    window.open(page)
    dots = "document.querySelectorAll('#layers svg circle').length"
    assert window.run(dots) > 10
    first = window.run("document.querySelector('#layers p').textContent")
    click(window, "#designs tbody tr:nth-child(2) button")
    second = window.run("document.querySelector('#layers p').textContent")
    assert second != first
    assert texts(window, 1)[1] in second
    selected = "document.querySelector('#designs tr[aria-selected=true]').rowIndex"
    assert window.run(selected) == 2
    assert window.run(dots) > 10
    rows = window.run("document.querySelectorAll('#layers table tbody tr').length")
    assert rows > 20
    click(window, "#only-best")
    click(window, "#designs tbody tr:nth-child(25)")
    assert "none of them" in window.run("document.getElementById('layers').textContent")
    window.run("document.querySelector('#fronts svg').focus()")
    window.key("ArrowRight")
    assert window.run(dots) > 10
    assert window.errors == []


def test_the_command_is_there_to_be_copied(window, page):
    window.open(page)
    text = window.run("document.querySelector('.copy code').textContent")
    assert text.startswith("nahas cosearch --space mnasnet")
    click(window, ".copy button")
    assert window.errors == []


def test_several_studies_share_a_page_and_can_be_switched_off(window, tmp_path):
    def of(seed: int, controller: str):
        trials = made_up(80, TARGETS)
        return replace(trials, seed=seed, options={**trials.options, "controller": controller})

    path = tmp_path / "several.html"
    write_page(grouped([of(seed, name) for name in ("ppo", "random") for seed in (0, 1, 2)]), path)
    window.open(path)
    assert window.run("document.querySelectorAll('#legend button').length") == 2
    assert window.run("document.querySelectorAll('#rewards .band').length") == 2
    click(window, "#legend button")
    assert window.run("document.querySelectorAll('#rewards .band').length") == 1
    click(window, "#only-best")
    assert "of 240 designs" in window.run("document.getElementById('count').textContent")
    assert "seed 0" in window.run("document.getElementById('made').textContent")
    assert window.errors == []


def test_twenty_thousand_designs_are_drawn(window, tmp_path):
    path = tmp_path / "large.html"
    write_page(grouped([made_up(20_000, TARGETS)]), path)
    window.open(path)
    click(window, "#only-best")
    told = window.run("document.getElementById('count').textContent")
    assert "of 19,999 designs" in told  # of 20,000 that were drawn two are the same
    assert window.run("document.querySelectorAll('*').length") < 5000
    assert window.errors == []


def test_no_trials_are_no_error(window, result, tmp_path):
    path = tmp_path / "none.html"
    write_page(grouped([replace(result, trials=result.trials[:0])]), path)
    window.open(path)
    assert window.run("document.documentElement.dataset.drawn") == "yes"
    assert window.errors == []


def test_pareto_mode_shows_the_hypervolume_and_the_front(window, tmp_path):
    path = tmp_path / "front.html"
    result = in_pareto_mode(made_up(200, {}))
    write_page(grouped([result]), path)
    window.open(path)
    assert "hypervolume" in window.run("document.getElementById('tiles').textContent")
    assert window.run("document.querySelectorAll('#rewards .curve').length") == 1
    assert window.run("document.querySelectorAll('#fronts .star').length") == 0
    count = window.run("document.getElementById('count').textContent")
    assert f"of {len(result.front.rows)} designs" in count
    assert {row.split(" ")[0] for row in texts(window, 0)} <= set(
        map(str, result.front.rows.tolist())
    )
    click(window, "#rewards-choice button:nth-child(2)")
    assert window.run("document.querySelectorAll('#rewards .curve').length") == 1
    assert window.errors == []


def test_a_line_stands_between_phases(window, result, tmp_path):
    path = tmp_path / "phases.html"
    write_page(grouped([in_phases(result)]), path)
    window.open(path)
    assert window.run("document.querySelectorAll('#rewards .phase').length") == 1
    assert "from here the network" in window.run("document.getElementById('rewards').textContent")
    assert window.errors == []
