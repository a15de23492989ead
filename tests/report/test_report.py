"""Reports of a made-up search: words, table, pictures, page, exports."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from rich.console import Console

from nahas.errors import UsageError
from nahas.files import json_text
from nahas.report import export
from nahas.report.figures import pareto_figure, rewards_figure, write_figures
from nahas.report.groups import grouped
from nahas.report.page import page_document
from nahas.report.page import page_text as text_of
from nahas.report.summary import (
    best_designs,
    checked,
    counted,
    document,
    further_text,
    heading,
    significant,
    target_text,
    verdict,
)
from nahas.report.table import designs_table
from nahas.report.write import write_report
from nahas.study.front import front_rows
from tests.report.conftest import LABEL, TARGETS


def page_text(result):
    return text_of(page_document(grouped([result])))


PNG = b"\x89PNG\r\n\x1a\n"


class TestSummary:
    def test_front_is_what_comparing_all_pairs_finds(self, result):
        trials = result.trials
        met = [i for i in range(len(trials)) if trials.satisfied[i]]

        def dominates(a: int, b: int) -> bool:
            at_least = (
                trials.accuracy[a] >= trials.accuracy[b]
                and trials.latency_ms[a] <= trials.latency_ms[b]
            )
            better = (
                trials.accuracy[a] > trials.accuracy[b]
                or trials.latency_ms[a] < trials.latency_ms[b]
            )
            return bool(at_least and better)

        expected = {i for i in met if not any(dominates(j, i) for j in met)}
        assert set(front_rows(trials).tolist()) == expected

    def test_front_of_nothing_is_empty(self, make_result):
        assert front_rows(make_result(50, {"latency_ms": 1e-6}).trials).size == 0

    def test_verdict_says_what_is_missed_by_how_much(self, result):
        best = best_designs(result, 1)[0]
        assert verdict(best, TARGETS) == "met"
        slow = replace(best, latency_ms=0.6, area_mm2=99.0, satisfied=False)
        assert verdict(slow, TARGETS) == "latency +20.0%, area +10.0%"
        stuck = replace(best, feasible=False, satisfied=False, reason="local_memory")
        assert verdict(stuck, TARGETS) == "cannot run: local memory"
        unknown = replace(best, accuracy=float("nan"), satisfied=False)
        assert verdict(unknown, TARGETS) == "no accuracy"

    @pytest.mark.parametrize(
        ("value", "text"),
        [(0.2871, "0.287"), (3.1415, "3.14"), (87.64, "87.6"), (1204.4, "1,204")],
    )
    def test_significant(self, value, text):
        assert significant(value) == text

    def test_targets_in_words(self):
        assert target_text(TARGETS) == "latency ≤ 0.5 ms, area ≤ 90 mm²"
        assert target_text({}) == "none"

    def test_document_has_the_promised_keys_best_first(self, result):
        told = json.loads(json_text(document(result, 4)))
        assert [d["rank"] for d in told["best"]] == [1, 2, 3, 4]
        rewards = [d["reward"] for d in told["best"]]
        assert rewards == sorted(rewards, reverse=True)
        for key in ("accuracy", "latency_ms", "energy_mj", "area_mm2", "network", "hardware"):
            assert key in told["best"][0]
        assert told["best"][0]["feasible"] is True
        assert told["accuracy_label"] == LABEL
        assert told["targets"] == TARGETS
        assert told["feasible_trials"] == int(result.trials.satisfied.sum())

    def test_trials_and_distinct_designs_are_told_apart(self, result):
        same = result.trials[np.repeat(np.arange(3), 100)]
        repeated = replace(result, trials=same)
        assert document(repeated, 4)["trials"] == 300
        assert document(repeated, 4)["distinct_designs"] == 3
        for text in (heading(repeated), counted(repeated), page_text(repeated)):
            assert "300 trials of 3 distinct designs" in text
        assert "300 trials of 3 distinct designs" in pareto_figure(repeated).axes[0].get_title(
            "left"
        )

    def test_a_network_is_listed_once_with_its_further_accelerators(self, result):
        choices = result.trials.choices.copy()
        choices[:, :8] = 0
        choices[:100, 0] = 1
        trials = replace(result.trials, choices=choices)
        told = document(replace(result, trials=trials), 10)["best"]
        assert len(told) == 2
        assert len({d["network"] for d in told}) == 2
        for row, blocks in enumerate((choices[:100], choices[100:])):
            (found,) = (d for d in told if (d["trial"] < 100) == (row == 0))
            runs = trials.feasible[:100] if row == 0 else trials.feasible[100:]
            accelerators = np.unique(blocks[runs][:, 8:], axis=0)
            assert found["further_accelerators"] == len(accelerators) - 1

    def test_further_accelerators_in_words(self, result):
        best = best_designs(result, 1)[0]
        words = [further_text(replace(best, further_accelerators=n)) for n in (None, 0, 1, 1234)]
        assert words[:2] == ["", ""]
        assert words[2:] == ["and on 1 further accelerator", "and on 1,234 further accelerators"]

    def test_feasible_in_documents_means_every_target_is_met(self, make_result):
        told = document(make_result(50, {"latency_ms": 1e-6}), 3)
        assert [d["feasible"] for d in told["best"]] == [False] * 3
        assert [d["runs"] for d in told["best"]] == [True] * 3


class TestTable:
    def printed(self, result, count=3):
        console = Console(width=160, no_color=True, record=True, quiet=True)
        with console.capture() as captured:
            console.quiet = False
            console.print(designs_table(result, count))
        return captured.get()

    def test_shows_designs_against_their_targets(self, result):
        text = self.printed(result)
        best = best_designs(result, 1)[0]
        assert best.network in text
        assert f"{best.accuracy:.2f}" in text
        assert "ms ≤ 0.5" in text
        assert "mm² ≤ 90" in text
        assert "base" in text

    def test_says_what_is_missed(self, make_result):
        assert "latency +" in self.printed(make_result(50, {"latency_ms": 1e-6}))


class TestFigures:
    def test_png_and_svg_are_written_and_repeat(self, result, tmp_path):
        paths = write_figures(grouped([result]), tmp_path / "new")
        assert [p.name for p in paths] == ["pareto.png", "pareto.svg", "rewards.png", "rewards.svg"]
        assert paths[0].read_bytes().startswith(PNG)
        first = paths[1].read_bytes()
        assert b"<svg" in first
        write_figures(grouped([result]), tmp_path / "new")
        assert paths[1].read_bytes() == first

    def test_pareto_names_accuracy_targets_and_best(self, result):
        axes = pareto_figure(result).axes[0]
        texts = " ".join(text.get_text() for text in axes.texts)
        legend = axes.get_legend()
        assert legend is not None
        labels = [text.get_text() for text in legend.get_texts()]
        assert LABEL in texts
        assert f"{best_designs(result, 1)[0].accuracy:.2f} %" in texts
        assert "latency target, 0.5 ms" in labels
        assert "baseline design" in labels
        assert "area ≤ 90 mm²" in axes.get_xlabel()

    def test_rewards_show_the_running_best(self, result):
        axes = rewards_figure(result).axes[0]
        best = axes.lines[-1].get_ydata()
        assert np.all(np.diff(best) >= 0)
        assert best[-1] == result.trials.reward.max()

    @pytest.mark.parametrize("count", [0, 1, 2])
    def test_few_trials_can_be_drawn(self, make_result, result, count, tmp_path):
        few = replace(result, trials=result.trials[:count])
        assert len(write_report([few], tmp_path)) == 5

    def test_nothing_feasible_can_be_drawn(self, make_result, tmp_path):
        write_report([make_result(40, {"latency_ms": 1e-6})], tmp_path)
        nothing = make_result(40, TARGETS)
        dead = replace(nothing.trials, reason=np.full(40, 2), satisfied=np.zeros(40, np.bool_))
        write_report([replace(nothing, trials=dead)], tmp_path)


class Links(HTMLParser):
    """Collects what a page would load, and its open elements."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.scripts = 0

    def handle_starttag(self, tag, attrs):
        self.scripts += tag == "script"
        self.loaded += [str(value) for name, value in attrs if name in ("src", "href", "srcset")]


class TestPage:
    def test_loads_nothing(self, result):
        text = page_text(result)
        reader = Links()
        reader.feed(text)
        assert reader.loaded == []
        # The name of SVG is no address.
        assert set(re.findall(r"https?://[^\s\"']+", text)) == {"http://www.w3.org/2000/svg"}
        assert not re.search(r"@import|url\(|fetch\(|XMLHttpRequest", text)
        assert "default-src 'none'" in text
        assert reader.scripts == 2

    def test_everything_from_outside_is_escaped(self, result):
        evil = "</script><script>alert(1)</script>&"
        text = page_text(replace(result, accuracy_label=evil, options={"controller": evil}))
        assert evil not in text
        reader = Links()
        reader.feed(text)
        assert reader.scripts == 2

    def test_data_is_the_document(self, result):
        found = re.search(r'id="data">(.*?)</script>', page_text(result), re.DOTALL)
        assert found
        told = json.loads(found[1])
        assert told["accuracy_label"] == LABEL
        assert told["groups"][0]["targets"] == TARGETS
        assert told["designs"]["trial"] == list(range(300))

    def test_light_and_dark(self, result):
        assert "light-dark(" in page_text(result)


class TestPredicted:
    """Searches by a cost model: simulated costs are told, the predicted ones beside them."""

    def test_designs_are_those_simulated_again_by_their_true_costs(self, predicted_result):
        best = best_designs(predicted_result, 100)
        again = predicted_result.simulated
        assert len(best) <= len(again)
        for of in best:
            row = np.flatnonzero(again.number == of.trial)[0]
            assert of.latency_ms == again.latency_ms[row]
            assert of.predicted.latency_ms == predicted_result.trials.latency_ms[of.trial]
        assert [of.satisfied for of in best] == sorted((of.satisfied for of in best), reverse=True)

    def test_counted_in_words_and_in_the_document(self, predicted_result):
        again = predicted_result.simulated
        promised = predicted_result.trials.satisfied[again.number]
        told = document(predicted_result, 3)
        assert told["cost_model"] == {
            "weights_sha256": "0123456789abcdef" * 4,
            "simulated_again": 60,
            "predicted_feasible": int(promised.sum()),
            "truly_feasible": int((promised & again.satisfied).sum()),
            "feasible": int(again.satisfied.sum()),
        }
        kept, others = (int((of & again.satisfied).sum()) for of in (promised, ~promised))
        assert promised.sum() > kept > others > 0
        said = checked(predicted_result)
        assert "cost model 0123456789ab;" in said
        assert "60 of 300 designs were simulated again" in said
        assert f"of {promised.sum()} predicted to meet every target {kept} do" in said
        assert f" do, and {others} others;" in said
        assert "trials are predicted to meet every target" in counted(predicted_result)
        assert heading(predicted_result).endswith("costs predicted")
        assert set(told["best"][0]["predicted"]) == {
            "latency_ms",
            "energy_mj",
            "area_mm2",
            "reward",
            "feasible",
            "runs",
        }

    def test_both_numbers_stand_in_the_table_and_in_the_page(self, predicted_result):
        of = next(d for d in best_designs(predicted_result, 300) if not d.satisfied)
        text = TestTable().printed(predicted_result, 300)
        assert "(predicted)" in text
        assert f"({significant(of.predicted.latency_ms)})" in text
        assert "(predicted met)" in text
        told = page_document(grouped([predicted_result]))
        row = told["designs"]["trial"].tolist().index(of.trial)
        assert len(told["designs"]["trial"]) == 60
        assert told["designs"]["latency_ms"][row] == pytest.approx(of.latency_ms, rel=1e-4)
        predicted = told["designs"]["predicted"]["latency_ms"][row]
        assert predicted == pytest.approx(of.predicted.latency_ms, rel=1e-4)
        assert "60 of 300 designs were simulated again" in told["studies"][0]["checked"]
        assert "costs predicted</title>" in page_text(predicted_result)

    def test_the_front_is_of_simulated_designs(self, predicted_result):
        axes = pareto_figure(predicted_result).axes[0]
        (front,) = (line for line in axes.lines if line.get_label() == "Pareto front (simulated)")
        rows = front_rows(predicted_result.simulated)
        assert front.get_xdata().tolist() == predicted_result.simulated.latency_ms[rows].tolist()
        assert "meets every target (predicted)" in axes.get_legend_handles_labels()[1]

    def test_none_simulated_yet_lists_no_design(self, unchecked_result, tmp_path):
        assert best_designs(unchecked_result, 5) == []
        assert "no design was simulated again yet" in checked(unchecked_result)
        assert len(write_report([unchecked_result], tmp_path)) == 5
        assert document(unchecked_result, 5)["best"] == []

    def test_rows_say_whose_costs_they_hold(self, result, predicted_result):
        assert {row["costs"] for row in export.rows(result)} == {"simulated"}
        assert {row["costs"] for row in export.rows(predicted_result)} == {"predicted"}

    def test_simulated_searches_say_nothing_of_models(self, result):
        assert checked(result) == ""
        assert document(result, 1)["cost_model"] is None
        assert document(result, 1)["best"][0]["predicted"] is None
        assert "predicted" not in TestTable().printed(result)


class TestExport:
    def test_rows_are_flat_with_an_entry_per_trial(self, result):
        rows = export.rows(result)
        assert [row["trial"] for row in rows] == list(range(len(result.trials)))
        stuck = next(row for row in rows if not row["runs"])
        assert stuck["latency_ms"] is None
        assert stuck["feasible"] is False
        assert all(not isinstance(value, dict | list) for row in rows for value in row.values())

    def test_csv_and_json_agree(self, result, tmp_path):
        export.write_csv([result], tmp_path / "t.csv")
        export.write_json([result], tmp_path / "t.json")
        with (tmp_path / "t.csv").open(newline="") as file:
            table = list(csv.DictReader(file))
        document = json.loads((tmp_path / "t.json").read_text())
        assert document["schema_version"] == export.SCHEMA_VERSION
        assert len(table) == len(document["trials"]) == len(result.trials)
        for told, row in zip(table, document["trials"], strict=True):
            assert told["network"] == row["network"]
            latency = float(told["latency_ms"]) if told["latency_ms"] else None
            assert latency == row["latency_ms"]
            assert told["accuracy_label"] == row["accuracy_label"] == LABEL

    def test_parquet_holds_the_rows(self, result, tmp_path):
        parquet = pytest.importorskip("pyarrow.parquet", reason="the extra 'data' is not installed")
        export.write_parquet([result], tmp_path / "t.parquet")
        assert parquet.read_table(tmp_path / "t.parquet").to_pylist() == export.rows(result)

    def test_parquet_without_pyarrow_is_a_sentence(self, result, tmp_path, monkeypatch):
        monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
        with pytest.raises(UsageError, match=r"pip install nahas\[data\]"):
            export.write_parquet([result], tmp_path / "t.parquet")

    def test_no_trials(self, result, tmp_path):
        none = replace(result, trials=result.trials[:0])
        export.write_csv([none], tmp_path / "t.csv")
        assert (tmp_path / "t.csv").read_text() == ""

    def test_unknown_export_is_refused_before_anything_is_written(self, result, tmp_path):
        with pytest.raises(UsageError, match="allowed are csv, json, parquet"):
            write_report([result], tmp_path / "new", ["xlsx"])
        assert not (tmp_path / "new").exists()

    def test_a_full_disk_leaves_no_half_file(self, result, tmp_path, monkeypatch):
        def full(*arguments: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("os.fsync", full)
        with pytest.raises(OSError, match="No space left"):
            write_report([result], tmp_path)
        assert list(tmp_path.iterdir()) == []
