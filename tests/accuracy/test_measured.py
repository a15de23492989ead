"""Tables of our own measurements: what they say, how they grow, what they refuse."""

import math
import subprocess
import sys

import numpy as np
import pytest

from nahas.accuracy.measured import (
    COLUMNS,
    Measured,
    TableCard,
    append_measured,
    load_measured,
    read_measured,
)
from nahas.errors import AccuracyError
from nahas.spaces import macro
from nahas.spaces.named import named

CARD = TableCard(
    space="macro",
    accuracy="fashion-mnist top-1 % of the 2-epoch proxy at 28 px",
    dataset="fashion-mnist",
    task={"height": 28, "width": 28, "channels": 1, "classes": 10},
    recipe={"epochs": 2, "seed": 0},
    command="nahas train-child macro:00000000 --table FILE",
    versions={"nahas": "0.1.0"},
)
ROWS = (
    Measured(network="macro:00000000", accuracy_percent=81.25, test_percent=80.5, epochs=2),
    Measured(network="macro:11111111", accuracy_percent=85.0, epochs=2, seconds=3.5),
    Measured(network="macro:11111111", accuracy_percent=86.0, epochs=2, seed=1),
    Measured(network="macro:22222222", accuracy_percent=math.nan, reason="not finite, at step 7"),
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "measured.csv"


@pytest.fixture
def table(path):
    append_measured(path, CARD, ROWS)
    return path


class TestFile:
    def test_says_what_was_written(self, table):
        read = read_measured(table)
        assert read.card == CARD
        assert repr(read.rows) == repr(ROWS)  # NaN is not equal to itself

    def test_is_a_table_for_any_reader(self, table):
        lines = [line for line in table.read_text().splitlines() if not line.startswith("#")]
        assert lines[0] == ",".join(COLUMNS)
        assert lines[1] == "macro:00000000,81.25,80.5,2,0,,"
        assert lines[4] == 'macro:22222222,,,0,0,,"not finite, at step 7"'

    def test_grows_by_what_is_new(self, table):
        before = table.read_bytes()
        other = Measured(network="macro:00000000", accuracy_percent=1.0)
        assert append_measured(table, CARD, [other, *ROWS]) == 0
        assert table.read_bytes() == before
        new = Measured(network="macro:00000001", accuracy_percent=70.0)
        assert append_measured(table, CARD, [new, new, other]) == 1
        assert repr(read_measured(table).rows) == repr((*ROWS, new))
        assert [path.name for path in table.parent.iterdir()] == [table.name]

    def test_seeds_of_one_recipe_share_a_table(self, table):
        other = TableCard(**{**vars(CARD), "recipe": {"epochs": 2, "seed": 7}})
        row = Measured(network="macro:00000000", accuracy_percent=80.0, seed=7)
        assert append_measured(table, other, [row]) == 1

    def test_a_training_that_did_not_come_to_its_end_counts_as_failed(self, path):
        ended = Measured(network="macro:00000000", accuracy_percent=91.0)
        early = Measured(
            network="macro:00000000", accuracy_percent=11.0, seed=1, reason="time limit"
        )
        given_up = Measured(network="macro:00000001", accuracy_percent=30.0, reason="stopped early")
        append_measured(path, CARD, [ended, early, given_up])
        read = read_measured(path)
        assert read.mean() == pytest.approx(
            {"macro:00000000": 91.0, "macro:00000001": math.nan}, nan_ok=True
        )
        assert read.seeds == 1

    @pytest.mark.parametrize("column", ["epochs", "seed"])
    @pytest.mark.parametrize("value", ["nan", "inf", "1e400", "-1", "2.5", "few"])
    def test_counts_are_whole_numbers(self, path, column, value):
        path.write_text(f"network,accuracy_percent,{column}\nmacro:00000000,91,{value}\n")
        with pytest.raises(AccuracyError, match=rf"csv:2: {column} is '?{value}'?, "):
            read_measured(path)

    def test_its_card_may_be_there_before_any_row(self, path):
        assert append_measured(path, CARD, ()) == 0
        assert read_measured(path).card == CARD
        with pytest.raises(AccuracyError, match="holds no networks"):
            load_measured(path, macro.network_space())

    @pytest.mark.parametrize(
        ("field", "value", "said"),
        [
            ("space", "s1", '"macro", not "s1"'),
            ("accuracy", "cifar10 top-1 %", 'not "cifar10 top-1 %"'),
            ("recipe", {"epochs": 3}, 'recipe {"epochs": 2}, not {"epochs": 3}'),
            ("task", {"height": 32}, 'not {"height": 32}'),
        ],
    )
    def test_other_accuracies_do_not_enter(self, table, field, value, said):
        before = table.read_bytes()
        with pytest.raises(AccuracyError, match="name another file") as refused:
            append_measured(table, TableCard(**{**vars(CARD), field: value}), ROWS)
        assert said in str(refused.value)
        assert table.read_bytes() == before

    def test_networks_that_were_changed_do_not_enter(self, path):
        space, row = macro.network_space(), ROWS[0]
        now = TableCard(**{**vars(CARD), "networks_sha256": space.networks_sha256})
        before = TableCard(**{**vars(CARD), "networks_sha256": "0" * 64})
        append_measured(path, before, [row])
        for refused in (
            lambda: append_measured(path, now, ROWS),
            lambda: load_measured(path, space),
        ):
            with pytest.raises(AccuracyError, match="networks of space 'macro' were others"):
                refused()
        append_measured(path, CARD, ROWS)  # nothing is known of these

    def test_a_full_disk_leaves_what_was_there(self, table, monkeypatch):
        def full(*_):
            raise OSError(28, "No space left on device")

        before = table.read_bytes()
        monkeypatch.setattr("os.fsync", full)
        with pytest.raises(OSError, match="No space left"):
            append_measured(table, CARD, [Measured(network="macro:00000001", accuracy_percent=7.0)])
        assert table.read_bytes() == before

    def test_processes_take_turns(self, path):
        program = """
import sys
from pathlib import Path
from tests.accuracy.test_measured import CARD, Measured, append_measured
for i in range(10):
    seed = i + int(sys.argv[2])
    row = Measured(network=f"macro:0000000{i % 3}", accuracy_percent=50.0, seed=seed)
    append_measured(Path(sys.argv[1]), CARD, [row])
"""
        command = [sys.executable, "-c", program, str(path)]
        children = [subprocess.Popen([*command, first]) for first in ("0", "100")]
        assert [child.wait() for child in children] == [0, 0]
        assert len(read_measured(path).rows) == 20


class TestWrongFiles:
    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("", "has no column network"),
            ("network,top1\na,1\n", "has no column accuracy_percent"),
            ("network,accuracy_percent\nmacro:00000000,101\n", ":2: accuracy_percent is 101"),
            ("network,accuracy_percent\nmacro:00000000,high\n", ":2: .* 'high', .* no number"),
            ("network,accuracy_percent\nmacro:00000000,\n", ":2: .* nor a reason"),
            ("network,accuracy_percent\n,50\n", ":2: has no network"),
            ("network,accuracy_percent\na,50\na,51\n", ":3: network 'a' with seed 0 stands twice"),
            ("# schema_version: 1\nnetwork,accuracy_percent\na,150\n", ":3: accuracy_percent"),
            ("# schema_version: 2\nnetwork,accuracy_percent\n", "schema_version is 2"),
            ("# by hand\nnetwork,accuracy_percent\n", ":1: '# by hand' is not a key"),
            ("# schema_version: 1\nnetwork,accuracy_percent\n", "space is missing"),
            ("network,accuracy_percent,seed\na,50,x\n", ":2: seed is 'x'"),
        ],
    )
    def test_are_refused_in_a_sentence(self, path, text, said):
        path.write_text(text)
        with pytest.raises(AccuracyError, match=said) as refused:
            read_measured(path)
        assert str(path) in str(refused.value)

    def test_missing_and_binary_ones_too(self, path):
        with pytest.raises(AccuracyError, match="cannot be read"):
            read_measured(path)
        path.write_bytes(b"\xff\xfe\x00")
        with pytest.raises(AccuracyError, match="is not a CSV file"):
            read_measured(path)

    def test_a_table_that_says_nothing_of_itself_is_read_but_not_added_to(self, path):
        path.write_text("network,accuracy_percent\nmacro:00000000,50\n")
        assert load_measured(path, macro.network_space()).label == (
            "accuracy % of measured.csv, measured"
        )
        with pytest.raises(AccuracyError, match="does not say how"):
            append_measured(path, CARD, ROWS)


class TestBackend:
    def test_gives_means_over_seeds_and_nan_for_failures(self, table):
        backend = load_measured(table, macro.network_space())
        found = backend.accuracy(np.array([[0], [1], [2]]))
        np.testing.assert_array_equal(found, [81.25, 85.5, np.nan])
        assert backend.label == f"{CARD.accuracy}, measured, mean of up to 2 seeds"

    def test_its_space_is_what_was_measured(self, table):
        backend, space = load_measured(table, macro.network_space()), macro.network_space()
        assert backend.space.space.size == 3
        ours = backend.space.network(backend.choice_named("macro:11111111"))
        assert ours == space.network(space.choice_named("macro:11111111"))

    def test_of_all_networks_its_space_is_the_whole(self, path):
        space = macro.network_space()
        names = ["macro:" + "".join(map(str, key)) for key in np.ndindex(*[3] * 8)]
        append_measured(path, CARD, [Measured(network=n, accuracy_percent=9.0) for n in names])
        backend = load_measured(path, space)
        assert backend.space.space == space.space
        assert backend.accuracy(space.space.sample(5, np.random.default_rng(0))).tolist() == [9] * 5

    def test_what_was_not_measured_is_refused_with_a_way_out(self, table):
        backend = load_measured(table, macro.network_space())
        with pytest.raises(AccuracyError, match=r"no accuracy of 'macro:12121212': .*train-child"):
            backend.choice_named("macro:12121212")
        with pytest.raises(AccuracyError, match=r"has no such network: .* index 3"):
            backend.accuracy(np.array([[3]]))

    def test_networks_of_another_space_are_refused(self, table, path):
        with pytest.raises(AccuracyError, match="of space 'macro', not 's1'"):
            load_measured(table, named("s1"))
        path.write_text("network,accuracy_percent\nmacro:00000000,50\n")
        with pytest.raises(AccuracyError, match="'macro:00000000' is not a network of space 's1'"):
            load_measured(path, named("s1"))
