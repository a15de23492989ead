"""Results on stdout, talk on stderr; colours; JSON that is nothing but JSON."""

from __future__ import annotations

import io
import json
import sys

import numpy as np
import pytest

from nahas.cli import output
from nahas.cli.output import Output, table, wants_colour
from nahas.vocabulary import Bound


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def streams(monkeypatch):
    """Make stdout or stderr a terminal, or not."""

    def make(out: bool, err: bool) -> tuple[io.StringIO, io.StringIO]:
        pair = tuple(Screen() if terminal else io.StringIO() for terminal in (out, err))
        monkeypatch.setattr(sys, "stdout", pair[0])
        monkeypatch.setattr(sys, "stderr", pair[1])
        monkeypatch.setenv("TERM", "xterm-256color")
        return pair

    return make


@pytest.mark.parametrize(
    ("terminal", "environment", "coloured"),
    [
        (True, {}, True),
        (False, {}, False),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"NO_COLOR": ""}, True),
        (False, {"FORCE_COLOR": "1"}, True),
        (False, {"FORCE_COLOR": "0"}, False),
        (True, {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
        (True, {"TERM": "dumb"}, False),
    ],
)
def test_when_colours_are_wanted(monkeypatch, terminal, environment, coloured):
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert wants_colour(Screen() if terminal else io.StringIO()) is coloured


def test_json_is_one_document_with_a_header(capsys):
    Output("tell", json=True).show({"value": 1.5}, "never printed")
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert document["schema_version"] == output.SCHEMA_VERSION
    assert document["command"] == "tell"
    assert document["value"] == 1.5
    assert document["warnings"] == []
    assert err == ""


def test_json_has_null_for_nan_and_names_for_enums(capsys):
    values = {"a": float("nan"), "b": np.array([1.0, np.inf]), "c": Bound.IO, "d": np.int64(3)}
    Output("tell", json=True).show(values)
    document = json.loads(capsys.readouterr().out)
    assert [document[key] for key in "abcd"] == [None, [1.0, None], "io", 3]


def test_warnings_go_into_the_document(capsys):
    out = Output("tell", json=True)
    out.warn("slow")
    out.show({})
    printed = capsys.readouterr()
    assert json.loads(printed.out)["warnings"] == ["slow"]
    assert printed.err == ""


def test_talk_goes_to_stderr_and_quiet_silences_it(capsys):
    for verbosity, expected in (
        (-1, ""),
        (0, "said\nwarning: hot\n"),
        (1, "said\nmore\nwarning: hot\n"),
    ):
        out = Output("tell", verbosity=verbosity)
        out.say("said")
        out.detail("more")
        out.warn("hot")
        out.show({}, "result")
        assert capsys.readouterr() == ("result\n", expected)


@pytest.mark.parametrize(
    ("out_terminal", "err_terminal", "talks"),
    [(False, False, False), (False, True, True), (True, True, False), (True, False, False)],
)
def test_json_talks_only_where_it_cannot_mix(streams, out_terminal, err_terminal, talks):
    streams(out_terminal, err_terminal)
    assert Output("tell", json=True).talks is talks


def test_plain_output_has_no_control_characters_and_no_cut(streams, monkeypatch):
    monkeypatch.delenv("COLUMNS")
    stdout, _ = streams(False, False)
    Output("tell").show({}, table(("name", ">n"), [("x" * 200, 1), (None, 2)]))
    assert "x" * 200 in stdout.getvalue()
    assert "\x1b" not in stdout.getvalue()


def test_a_terminal_gets_colours_and_no_color_takes_them(streams, monkeypatch):
    stdout, _ = streams(True, True)
    Output("tell").show({}, table(("name",), [("x",)], title="t"))
    assert "\x1b[" in stdout.getvalue()
    monkeypatch.setenv("NO_COLOR", "1")
    stdout, _ = streams(True, True)
    Output("tell").show({}, table(("name",), [("x",)], title="t"))
    assert "\x1b[" not in stdout.getvalue()


def test_markup_in_names_is_printed_as_it_is(capsys):
    Output("tell").show({}, "[bold]x[/bold] :smile:", table(("[a]",), [("[b]",)]))
    out = capsys.readouterr().out
    assert "[bold]x[/bold] :smile:" in out
    assert "[a]" in out
    assert "[b]" in out


def test_progress_is_a_bar_on_a_terminal(streams):
    _, stderr = streams(False, True)
    with Output("tell").progress("searching", 10) as progress:
        progress.update(4, "best 62.1")
    assert "searching" in stderr.getvalue()


def test_progress_is_a_line_now_and_then_elsewhere(streams, monkeypatch):
    monkeypatch.setattr(output, "SECONDS_BETWEEN_LINES", -1.0)
    stdout, stderr = streams(False, False)
    with Output("tell").progress("searching", 10) as progress:
        progress.update(4, "best 62.1")
    assert stderr.getvalue().startswith("searching: 4 of 10, ")
    assert stderr.getvalue().endswith(", best 62.1\n")
    assert stdout.getvalue() == ""


@pytest.mark.parametrize("quiet", [Output("t", verbosity=-1), Output("t", json=True)])
def test_progress_is_silent_when_asked(streams, monkeypatch, quiet):
    monkeypatch.setattr(output, "SECONDS_BETWEEN_LINES", -1.0)
    _, stderr = streams(False, False)
    with quiet.progress("searching", 10) as progress:
        progress.update(4)
    assert stderr.getvalue() == ""


@pytest.mark.parametrize(
    ("done", "shown"),
    [(30, "searching: 31 of 100, 15/s,"), (1, "searching: 2 of 100, 2.0 s each,")],
)
def test_progress_tells_the_rate_of_quick_and_of_slow_jobs(streams, monkeypatch, done, shown):
    monkeypatch.setattr(output, "SECONDS_BETWEEN_LINES", 1.0)
    clock = iter([0.0, 0.0, 2.0])
    monkeypatch.setattr(output.time, "monotonic", lambda: next(clock))
    _, stderr = streams(False, False)
    with Output("tell").progress("searching", 100) as progress:
        progress.update(1)
        progress.update(1 + done, "best 62.1")
    assert stderr.getvalue().startswith(shown)
