"""Files are whole or absent; JSON is what every parser takes."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from nahas.files import (
    folder_written_whole,
    json_text,
    npz_bytes,
    plain,
    write_text,
    written_whole,
)
from nahas.vocabulary import Reason


def test_write_makes_folders_and_replaces(tmp_path):
    path = tmp_path / "a" / "b.txt"
    write_text(path, "one\n")
    write_text(path, "two é\n")
    assert path.read_bytes() == "two é\n".encode()
    assert [p.name for p in path.parent.iterdir()] == ["b.txt"]


def fill_half(path: Path) -> None:
    with written_whole(path) as temporary:
        temporary.write_text("half")
        raise OSError(28, "No space left on device")


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "b.txt"
    write_text(path, "old")
    with pytest.raises(OSError, match="No space left"):
        fill_half(path)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["b.txt"]


def test_a_folder_that_cannot_be_written_is_named_not_the_temporary_file(tmp_path, monkeypatch):
    def refuse(path: Path, *_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "write_text", refuse)
    with pytest.raises(PermissionError) as raised:
        write_text(tmp_path / "b.txt", "new")
    assert raised.value.filename == str(tmp_path)


@dataclass
class Pair:
    left: float
    right: Reason


def test_plain_takes_what_the_search_hands_out():
    value = {
        "pair": Pair(float("-inf"), Reason.LOCAL_MEMORY),
        "array": np.array([[1, 2], [3, 4]], dtype=np.int32),
        "path": Path("a/b"),
        "set": {3},
        Reason.OK: (True, None),
        "float32": np.float32(0.5),
        "nan64": np.float64("nan"),
    }
    assert plain(value) == {
        "pair": {"left": None, "right": "local_memory"},
        "array": [[1, 2], [3, 4]],
        "path": "a/b",
        "set": [3],
        "ok": [True, None],
        "float32": 0.5,
        "nan64": None,
    }


def test_json_text_is_strict():
    text = json_text({"a": [float("nan")]})
    assert text.endswith("}\n")
    assert json.loads(text, parse_constant=pytest.fail) == {"a": [None]}


class TestFolder:
    def test_it_is_there_whole(self, tmp_path):
        with folder_written_whole(tmp_path / "deep" / "out") as temporary:
            (temporary / "a").mkdir()
            (temporary / "a" / "b").write_text("c")
            assert not (tmp_path / "deep" / "out").exists()
        assert (tmp_path / "deep" / "out" / "a" / "b").read_text() == "c"
        assert [path.name for path in (tmp_path / "deep").iterdir()] == ["out"]

    def test_or_not_at_all(self, tmp_path):
        def fail():
            with folder_written_whole(tmp_path / "out") as temporary:
                (temporary / "a").write_text("b")
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fail()
        assert list(tmp_path.iterdir()) == []

    def test_a_folder_with_something_in_it_stays(self, tmp_path):
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "mine").write_text("kept")
        with pytest.raises(OSError, match="out"), folder_written_whole(tmp_path / "out"):
            pass
        assert (tmp_path / "out" / "mine").read_text() == "kept"
        assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_arrays_are_bytes_that_numpy_reads_and_never_pickles():
    arrays = {"one": np.arange(6).reshape(2, 3), "text": np.array("a"), "none": np.zeros(0)}
    made = npz_bytes(arrays)
    assert made == npz_bytes(arrays)
    with np.load(io.BytesIO(made), allow_pickle=False) as kept:
        assert kept.files == list(arrays)
        assert all(np.array_equal(kept[name], array) for name, array in arrays.items())
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        npz_bytes({"object": np.array([{}])})
