"""The measured table of the macro space: what it says, and what it refuses."""

import copy
import hashlib
import http.client
import io
import itertools
import json
import urllib.error

import numpy as np
import pytest

from nahas.accuracy import table as tables
from nahas.accuracy.table import LABEL, SHA256, cached_table, download_table, load_table
from nahas.errors import AccuracyError
from nahas.spaces.macro import network_space

NAS_BENCH_MACRO = "data/nas-bench-macro/nas-bench-macro_cifar10.json"
KEYS = ["".join(digits) for digits in itertools.product("012", repeat=8)]


def made(key):
    """An accuracy that tells every network apart."""
    return 50.0 + int(key, 3) / 1000.0


@pytest.fixture
def content():
    return {key: {"mean_acc": made(key), "std": 0.1} for key in KEYS}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "macro.json"


def test_every_network_has_its_own_accuracy(path, content):
    path.write_text(json.dumps(content))
    choices = np.array([[int(digit) for digit in key] for key in KEYS])
    np.testing.assert_array_equal(load_table(path).accuracy(choices), [made(key) for key in KEYS])


def test_the_order_of_the_file_does_not_matter(path, content):
    path.write_text(json.dumps(dict(reversed(content.items()))))
    one = np.array([[0, 1, 2, 0, 1, 2, 0, 1]])
    assert load_table(str(path)).accuracy(one).tolist() == [made("01201201")]


def test_label_says_what_it_is(path, content):
    path.write_text(json.dumps(content))
    assert load_table(path).label == LABEL
    assert LABEL == "CIFAR-10 top-1 %, measured (NAS-Bench-Macro, mean of 3 seeds)"


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        (np.array([[0, 0, 0, 3, 0, 0, 0, 0]]), "index 3 of decision 'block3' is outside 0 to 2"),
        (np.array([[-1, 0, 0, 0, 0, 0, 0, 0]]), "index -1 of decision 'block0'"),
        (np.zeros((1, 28), dtype=np.int64), "has 8 decisions"),
    ],
)
def test_choices_outside_the_space_are_refused(path, content, choices, message):
    path.write_text(json.dumps(content))
    table = load_table(path)
    with pytest.raises(AccuracyError, match=f"the table has no such network: .*{message}"):
        table.accuracy(choices)


def test_a_missing_file_is_named(path):
    with pytest.raises(AccuracyError, match=r"macro\.json: cannot be read \(No such file"):
        load_table(path)


@pytest.mark.parametrize("text", ["", "{", "00000000,91.2\n", "\xff", "[" * 100_000])
def test_what_is_not_json_is_refused(path, text):
    path.write_text(text, encoding="latin-1")
    with pytest.raises(AccuracyError, match=r"macro\.json: is not a JSON file"):
        load_table(path)


def test_a_list_is_refused(path):
    path.write_text("[1, 2]")
    with pytest.raises(AccuracyError, match="holds a list, but a mapping of networks is needed"):
        load_table(path)


def test_another_number_of_networks_is_refused(path, content):
    del content["00000000"]
    path.write_text(json.dumps(content))
    with pytest.raises(AccuracyError, match="has 6,560 networks, but NAS-Bench-Macro has 6,561"):
        load_table(path)


def test_a_missing_network_is_named(path, content):
    content["22222223"] = content.pop("21212121")
    path.write_text(json.dumps(content))
    with pytest.raises(AccuracyError, match="network '21212121' is missing"):
        load_table(path)


@pytest.mark.parametrize(
    ("entry", "shown"),
    [
        ({"mean_acc": float("nan")}, "nan"),
        ({"mean_acc": float("inf")}, "inf"),
        ({"mean_acc": -1}, "-1"),
        ({"mean_acc": 9120}, "9120"),
        ({"mean_acc": "91.2"}, "'91.2'"),
        ({"mean_acc": True}, "True"),
        ({"mean_acc": None}, "None"),
        ({}, "None"),
        (91.2, "None"),
    ],
)
def test_an_accuracy_that_is_none_names_its_network(path, content, entry, shown):
    content = copy.copy(content)
    content["00000012"] = entry
    path.write_text(json.dumps(content))
    with pytest.raises(AccuracyError, match=f"network '00000012': mean_acc is {shown}, but a numb"):
        load_table(path)


def test_the_published_table_is_read_whole(shared):
    table = load_table(shared / NAS_BENCH_MACRO)
    space = network_space().space
    everything = np.array(list(itertools.product(range(3), repeat=8)))
    accuracy = table.accuracy(everything)
    assert accuracy.shape == (space.size,)
    assert (round(accuracy.min(), 1), round(accuracy.max(), 2)) == (45.4, 93.13)
    # An identity without stride is nothing, wherever in its stage it stands: one network, two keys.
    best = everything[accuracy == accuracy.max()]
    assert best.tolist() == [[2, 2, 2, 1, 2, 2, 0, 2], [2, 2, 2, 1, 2, 2, 2, 0]]


def test_the_pinned_hash_is_that_of_the_given_copy(shared):
    assert hashlib.sha256((shared / NAS_BENCH_MACRO).read_bytes()).hexdigest() == SHA256


@pytest.fixture
def served(path, content, monkeypatch):
    """A file address, and the pinned hash made to be that of what lies there."""
    path.write_text(json.dumps(content))
    monkeypatch.setattr(tables, "SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    return path.as_uri()


def test_a_download_is_the_table(served, tmp_path):
    to = tmp_path / "deep" / "er" / "table.json"
    assert download_table(to, served) == to
    assert load_table(to).accuracy(np.zeros((1, 8), dtype=np.int64)).tolist() == [50.0]
    assert [file.name for file in to.parent.iterdir()] == ["table.json"]


def test_what_is_there_already_is_not_fetched_again(served, tmp_path):
    to = download_table(tmp_path / "table.json", served)
    assert download_table(to, "file:///nowhere") == to


def test_a_damaged_copy_is_replaced(served, tmp_path):
    to = tmp_path / "table.json"
    to.write_text("{")
    download_table(to, served)
    assert len(json.loads(to.read_text())) == 6561


def test_another_file_at_the_address_is_refused_and_not_kept(served, path, tmp_path):
    path.write_text(path.read_text() + " ")
    to = tmp_path / "to" / "table.json"
    with pytest.raises(AccuracyError, match=r"is not the table that nahas knows \(SHA-256 \w{64}"):
        download_table(to, served)
    assert not to.parent.exists()


@pytest.mark.parametrize(
    "problem",
    [
        urllib.error.URLError("no route to host"),
        TimeoutError("no route to host"),
        http.client.IncompleteRead(b"no route to host"),
        urllib.error.HTTPError("https://x", 404, "no route to host", None, io.BytesIO()),
    ],
)
def test_without_a_network_one_sentence_says_what_to_do(monkeypatch, tmp_path, problem):
    def refuse(address, timeout):
        assert 0 < timeout <= 60
        raise problem

    monkeypatch.setattr(tables.urllib.request, "urlopen", refuse)
    with pytest.raises(AccuracyError, match=r"61a2bfc.* cannot be down.* with --table") as said:
        download_table(tmp_path / "table.json")
    assert "\n" not in str(said.value)
    assert list(tmp_path.iterdir()) == []


def test_an_address_that_is_none_is_refused(tmp_path):
    with pytest.raises(AccuracyError, match="nowhere: cannot be downloaded"):
        download_table(tmp_path / "table.json", "nowhere")


def test_an_endless_answer_is_cut(monkeypatch, tmp_path):
    class Endless(io.RawIOBase):
        def read(self, size=-1):
            assert 0 < size <= 10_000_000
            return b" " * size

    monkeypatch.setattr(tables.urllib.request, "urlopen", lambda *_, **__: Endless())
    with pytest.raises(AccuracyError, match="is not the table"):
        download_table(tmp_path / "table.json")


def test_the_cache_is_where_the_user_keeps_caches(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cached_table() == tmp_path / "nahas" / "nas-bench-macro_cifar10.json"
    monkeypatch.setenv("HOME", str(tmp_path))
    for unusable in ("relative/folder", ""):
        monkeypatch.setenv("XDG_CACHE_HOME", unusable)
        assert cached_table() == tmp_path / ".cache" / "nahas" / "nas-bench-macro_cifar10.json"


def test_a_download_goes_to_the_cache_unless_told_otherwise(served, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert download_table(address=served) == cached_table()
    assert cached_table().is_file()
