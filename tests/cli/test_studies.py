"""`nahas studies`, `nahas report` of several studies, and the command that a page gives."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from nahas.report.page import page_document
from nahas.study.store import Study

QUICK = ("cosearch", "--controller", "random", "--trials", "40", "--latency", "none")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two seeds of one search, and one of another, without pictures."""
    from nahas.cli.main import run

    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nahas.report.write.write_figures", lambda *_: [])
        for name, more in (
            ("a", ("--seed", "0")),
            ("b", ("--seed", "1")),
            ("c", ("--reward", "soft")),
        ):
            assert run([*QUICK, *more, "--run-dir", str(folder / name), "--quiet"]) == 0
    return folder


@pytest.fixture(autouse=True)
def undrawn(monkeypatch):
    monkeypatch.setattr("nahas.report.write.write_figures", lambda *_: [])


def told(ran):
    assert ran.code == 0, ran.err
    return json.loads(ran.out)


class TestStudies:
    def test_lists_what_lies_below_a_folder(self, nahas, runs):
        document = told(nahas("studies", runs, "--json"))
        assert [Path(of["path"]).parent.name for of in document["studies"]] == ["a", "b", "c"]
        for of in document["studies"]:
            assert of["state"] == "finished"
            assert of["pid"] is None
            assert (of["trials"], of["wanted"]) == (40, 40)
            assert (of["space"], of["strategy"]) == ("mnasnet", "joint")
        ran = nahas("studies", runs)
        assert ran.code == 0
        assert ran.out.count("finished") == 3
        assert ran.out.count("joint,") == 3

    def test_sorts_both_ways(self, nahas, runs):
        for sort, key in (("best-reward", "best_reward"), ("begun", "begun")):
            values = [
                of[key] for of in told(nahas("studies", runs, "--sort", sort, "--json"))["studies"]
            ]
            assert values == sorted(values, reverse=True)
            back = told(nahas("studies", runs, "--sort", sort, "--reverse", "--json"))
            assert [of[key] for of in back["studies"]] == values[::-1]

    def test_names_what_cannot_be_read(self, nahas, tmp_path):
        (tmp_path / "study.db").write_bytes(b"SQLite format 3\x00" + bytes(200))
        ran = nahas("studies", tmp_path, "--json")
        assert told(ran)["studies"] == []
        assert "not a study of nahas" in told(ran)["unreadable"][0]["reason"]
        ran = nahas("studies", tmp_path)
        assert ran.code == 0
        assert "no studies below" in ran.out
        assert "study.db cannot be read" in ran.err

    def test_no_folder_is_a_sentence(self, nahas):
        ran = nahas("studies", "nowhere")
        assert (ran.code, ran.out) == (2, "")
        assert "there is no folder 'nowhere'" in ran.err


class TestReportOfSeveral:
    def test_share_a_page_in_the_folder_above(self, nahas, runs):
        ran = nahas("report", *(runs / name for name in "abc"), "--json")
        document = told(ran)
        assert [of["seed"] for of in document["studies"]] == [0, 1, 0]
        assert document["files"] == [str(runs / "report.html")]
        text = (runs / "report.html").read_text()
        shown = json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1])
        assert [group["label"] for group in shown["groups"]] == [
            "reward hard",
            "reward soft",
        ]
        assert "reward" not in shown["importance"]

    def test_table_has_a_line_each(self, nahas, runs, tmp_path):
        ran = nahas("report", runs / "a", runs / "b", "--out", tmp_path, "--export", "csv")
        assert ran.code == 0
        assert ran.out.count("joint, random") == 2
        lines = (tmp_path / "trials.csv").read_text().splitlines()
        assert lines[0].startswith("study,seed,trial,")
        assert len(lines) == 81

    def test_unlike_ones_are_refused(self, nahas, runs):
        ran = nahas("report", runs / "a", runs / "a")
        assert ran.code == 2
        assert "are of the same search and seed 0: give one of them" in ran.err


class TestCommand:
    def shown(self, folder):
        from nahas.report.groups import grouped
        from nahas.strategies import recall

        return page_document(grouped([recall(folder / "study.db")]))["studies"][0]["command"]

    @pytest.mark.parametrize("kept", [True, False], ids=["saved options", "the study alone"])
    def test_searches_the_same_trials_again(self, nahas, runs, tmp_path, monkeypatch, kept):
        monkeypatch.chdir(tmp_path)
        folder = tmp_path / "moved"
        folder.mkdir()
        for name in ("study.db", *(["options.toml"] if kept else [])):
            (folder / name).write_bytes((runs / "c" / name).read_bytes())
        words = shlex.split(self.shown(folder))
        assert words[0] == "nahas"
        assert nahas(*words[1:], "--quiet").code == 0
        with (
            Study.read(folder / "study.db") as first,
            Study.read(tmp_path / "moved-again" / "study.db") as again,
        ):
            assert np.array_equal(first.trials().choices, again.trials().choices)
            assert np.array_equal(first.trials().reward, again.trials().reward)
            again.origin.check_continues(first.origin, folder)
