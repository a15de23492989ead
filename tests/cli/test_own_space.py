"""`FILE.py:NAME` on the command line."""

import json

import pytest

from nahas.cli.cosearch import _folder
from nahas.cli.search_options import with_absolute_paths
from tests.spaces.test_from_file import SPACE


@pytest.fixture
def file(tmp_path, monkeypatch):
    path = tmp_path / "spaces.py"
    path.write_text(SPACE)
    monkeypatch.chdir(tmp_path)
    return path


def test_simulate_takes_a_network_of_it(nahas, file):
    ran = nahas("simulate", "spaces.py:mine:kernel=3", "--json")
    assert ran.code == 0, ran.err
    document = json.loads(ran.out)
    assert document["network"] == "spaces.py:mine:kernel=3"
    assert len(document["layers"]) == 3


@pytest.mark.parametrize("command", ["cosearch", "train-costmodel"])
def test_what_is_wrong_is_one_line(nahas, file, command):
    ran = nahas(command, "--space", "spaces.py:mein")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.splitlines()[-1].endswith("did you mean 'mine'? its spaces are mine, s1, other")


def test_a_run_is_named_by_the_space_and_finds_the_file_from_anywhere(file):
    given = {"space": "spaces.py:mine", "seed": 3, "run_dir": None}
    assert str(_folder(given)) == "runs/mine-3"
    names = ("table", "tables", "cost_model", "surrogate", "supernet", "data", "accelerator")
    others = {"baseline": "edge-baseline", **dict.fromkeys(names)}
    assert with_absolute_paths(given | others)["space"] == f"{file}:mine"
