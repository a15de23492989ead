"""Spaces by the file that holds them."""

import os
import re

import numpy as np
import pytest

from nahas import networks
from nahas.errors import SpaceError
from nahas.spaces.from_file import absolute, in_file, without_file
from nahas.spaces.named import named

SPACE = """
from dataclasses import dataclass

from nahas.spaces.own import network_space


@dataclass
class Stage:
    filters: int


@network_space
def mine(on, choose):
    x = on.conv(on.input(8, 8, 3), Stage(4).filters, kernel=choose("kernel", (1, 3)))
    return on.dense(on.global_pool(x), 10)


s1 = network_space(lambda on, choose: on.input(8, 8, choose("c", (1, 3))), name="s1")

other = mine
number = 3


def plain(on, choose):
    return on.input(8, 8, 3)
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "spaces.py"
    path.write_text(SPACE)
    return path


def test_a_space_is_found_and_knows_where(file, monkeypatch):
    monkeypatch.chdir(file.parent)
    space = named("spaces.py:mine")
    assert space.name == "mine"
    assert space.place == f"{file}:mine"
    assert named(space.place).space == space.space
    assert named(space.place).links is space.links, "the file is run once"
    (choice,) = space.space.sample(1, np.random.default_rng(0))
    full = space.full_name(space.space.values(choice))
    assert networks.named(full).layers == space.network(choice).layers
    assert without_file(full) == space.network(choice).name
    assert without_file("mnasnet:e1") == "mnasnet:e1"


def test_a_changed_file_is_read_again(file):
    assert named(f"{file}:mine").space.size == 2
    file.write_text(SPACE.replace("(1, 3))", "(1, 3, 5))"))
    os.utime(file, ns=(1, 1))
    assert named(f"{file}:mine").space.size == 3


def test_its_networks_have_names(file):
    network = networks.named(f"{file}:mine:kernel=3")
    assert [layer.r for layer in network.layers] == [3, 8, 1]
    with pytest.raises(SpaceError, match="its names look like 'mine:kernel=1'"):
        networks.named(f"{file}:mine:kernel=4")


def test_names_of_files():
    assert in_file("a/b.py:mine")
    assert in_file("b.py")
    assert not in_file("mnasnet")
    assert absolute("mnasnet") == "mnasnet"
    assert absolute("a/b.py:mine") == f"{os.getcwd()}/a/b.py:mine"  # noqa: PTH109  # as text


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("none.py:mine", "none.py: cannot be read (No such file or directory)"),
        ("spaces.py", "does not say which space: write FILE.py:NAME"),
        ("spaces.py:", "does not say which space: write FILE.py:NAME"),
        ("spaces.py:mien", "holds no 'mien': did you mean 'mine'? its spaces are mine, s1, other"),
        ("spaces.py:plain", "'plain' is a function, no network space: make one of a function"),
        ("spaces.py:number", "'number' is an int, no network space"),
        ("spaces.py:other", "the space in 'other' is called 'mine': give it one name"),
        ("spaces.py:s1", "is called 's1', as a space of nahas: give it another name=..."),
    ],
)
def test_what_is_wrong_with_a_name(file, monkeypatch, name, sentence):
    monkeypatch.chdir(file.parent)
    with pytest.raises(SpaceError, match=re.escape(sentence)):
        named(name)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("x = 1\ny = x / 0\n", "wrong.py:2: cannot be run (ZeroDivisionError: "),
        ("x = 1\n\n)\n", "wrong.py:3: cannot be run (SyntaxError: "),
        ("import no_such_thing\n", "wrong.py:1: cannot be run (ModuleNotFoundError: "),
        (
            SPACE.replace("(1, 3))", "(1, 0))").replace("Stage(4)", "Stage"),
            "wrong.py: space 'mine'",
        ),
    ],
)
def test_what_is_wrong_with_a_file(tmp_path, text, sentence):
    (tmp_path / "wrong.py").write_text(text)
    with pytest.raises(SpaceError, match=re.escape(sentence)):
        named(f"{tmp_path / 'wrong.py'}:mine")
