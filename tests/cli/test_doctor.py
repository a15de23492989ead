"""`nahas doctor` and the colours and documents of a real command on a real terminal."""

from __future__ import annotations

import json
import os

import pytest

from nahas import doctor
from nahas.kernels import _jit


def test_document(nahas):
    ran = nahas("doctor", "--no-gpu", "--json")
    document = json.loads(ran.out)
    assert ran.code == 0
    assert document["command"] == "doctor"
    assert document["versions"]["numba"]
    assert document["threads"]["simulator"] >= 1
    assert set(document["cache"]) == {"folder", "files", "megabytes", "writable"}
    assert document["gpus"] is None
    assert document["problems"] == []


def test_table(nahas):
    ran = nahas("doctor", "--no-gpu")
    for word in ("numba", "threads", "SIMD", "kernel cache", "GPUs", "not asked", "extra test"):
        assert word in ran.out
    for extra in ("data", "search", "pyglove", "onnx", "export"):
        assert f"extra {extra}" in ran.out


def test_absent_requirement_is_a_problem_with_exit_1(nahas, monkeypatch):
    monkeypatch.setattr(
        doctor, "versions", lambda: dict.fromkeys((*doctor.REQUIRED, *doctor.FOR_SEARCH))
    )
    ran = nahas("doctor")
    assert ran.code == 1
    assert "problem: numba is not installed: run 'pip install nahas'" in ran.out


def test_absent_tensorflow_is_a_note(monkeypatch):
    found = {**doctor.versions(), "tensorflow": None, "keras": None}
    monkeypatch.setattr(doctor, "versions", lambda: found)
    diagnosis = doctor.diagnose()
    assert diagnosis.gpus is None
    assert diagnosis.problems == []
    assert any("the simulator works" in note for note in diagnosis.notes)


def test_unwritable_cache_is_a_note(monkeypatch, tmp_path):
    monkeypatch.setattr(_jit, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everywhere
    assert any("NUMBA_CACHE_DIR" in note for note in doctor.diagnose(ask_for_gpus=False).notes)


def test_absent_cache_folder_is_a_note(monkeypatch, tmp_path):
    monkeypatch.setattr(_jit, "cache_folder", lambda: tmp_path / "none")
    assert any("NUMBA_CACHE_DIR" in note for note in doctor.diagnose(ask_for_gpus=False).notes)


def test_a_crash_while_asking_for_gpus_is_survived(monkeypatch):
    monkeypatch.setattr(doctor, "_ASK_FOR_GPUS", "import os; os.abort()")
    assert doctor.diagnose().gpus is None


def test_gpus_are_read_past_other_talk(monkeypatch):
    monkeypatch.setattr(doctor, "_ASK_FOR_GPUS", "print('hello'); print('gpu:/device:GPU:0')")
    assert doctor.diagnose().gpus == ["/device:GPU:0"]


@pytest.fixture
def no_extra_colour(monkeypatch):
    monkeypatch.delenv("COLUMNS")


def test_terminal_has_colours(terminal, no_extra_colour):
    ran = terminal(["doctor", "--no-gpu"])
    assert ran.code == 0
    assert "\x1b[" in ran.out


def test_no_color_and_pipes_have_no_control_characters(terminal, process, no_extra_colour):
    plain = terminal(["doctor", "--no-gpu"], NO_COLOR="1").out
    piped = process("doctor", "--no-gpu").out
    assert "\x1b" not in plain
    assert "\x1b" not in piped
    assert [line.split() for line in plain.splitlines()][3:8] == [
        line.split() for line in piped.splitlines()
    ][3:8]


def test_force_color_colours_a_pipe(process):
    assert "\x1b[" in process("doctor", "--no-gpu", FORCE_COLOR="1").out


def test_json_on_a_terminal_is_json_alone(terminal):
    ran = terminal(["doctor", "--no-gpu", "--json"])
    assert json.loads(ran.out)["command"] == "doctor"
