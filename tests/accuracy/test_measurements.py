"""Reading the benchmark's files, and what is said of files that are not."""

import gzip
import json
import shutil

import numpy as np
import pytest

from nahas.accuracy.measurements import read_measurements, read_seeds
from nahas.errors import AccuracyError
from tests.accuracy.conftest import NOISE, SIZES, law

ACCEL_NASBENCH = "data/accel-nasbench"


@pytest.fixture
def copy(world, tmp_path):
    return shutil.copytree(world, tmp_path / "copy")


def rewrite(folder, change):
    path = folder / "measured.csv.gz"
    path.write_bytes(gzip.compress(change(gzip.decompress(path.read_bytes()))))


def test_parts_have_the_rows_that_their_ids_name(world):
    measured = read_measurements(world)
    assert {part: len(rows) for part, rows in measured.parts.items()} == SIZES
    assert measured.parts["val"][0] == SIZES["train"]
    assert not set(measured.parts["train"]) & set(measured.parts["test"])


def test_choices_are_those_that_were_measured(world):
    measured = read_measurements(world)
    error = measured.accuracy - law(measured.choices)
    assert np.sqrt((error**2).mean()) == pytest.approx(NOISE, rel=0.15)


def test_a_network_that_is_also_in_train_is_counted(world):
    measured = read_measurements(world)
    assert measured.repeated("val") == 0
    measured.choices[measured.parts["val"][:2]] = measured.choices[measured.parts["train"][:2]]
    assert measured.repeated("val") == 2


def test_hashes_follow_the_content(world, copy):
    before = read_measurements(copy).sha256
    assert before == read_measurements(world).sha256
    rewrite(copy, lambda text: text + b"\n")
    after = read_measurements(copy).sha256
    assert after["measured.csv.gz"] != before["measured.csv.gz"]
    assert after["splits.json"] == before["splits.json"]


@pytest.mark.parametrize("name", ["measured.csv.gz", "splits.json"])
def test_a_missing_file_is_named(copy, name):
    (copy / name).unlink()
    with pytest.raises(AccuracyError, match=rf"{name}: cannot be read \(No such file"):
        read_measurements(copy)


@pytest.mark.parametrize("content", [b"id,val_top1\n", b"", b"\x1f\x8b\x08cut"])
def test_what_is_not_gzipped_csv_is_refused(copy, content):
    (copy / "measured.csv.gz").write_bytes(content)
    with pytest.raises(AccuracyError, match=r"measured\.csv\.gz: (is not a gzipped|has no rows)"):
        read_measurements(copy)


def test_a_table_of_something_else_is_refused(copy):
    rewrite(copy, lambda _: b"a,b\n1,2\n")
    with pytest.raises(AccuracyError, match="has no rows with the columns id and val_top1"):
        read_measurements(copy)


def test_a_value_outside_the_space_names_network_and_decision(copy):
    rewrite(copy, lambda text: text.replace(b"\n0,", b"\n0,9", 1))
    with pytest.raises(AccuracyError, match=r"network 0: block0_e is '9\d', allowed are \['1', "):
        read_measurements(copy)


@pytest.mark.parametrize("top1", [b"nan", b"-1", b"101", b"soon", b""])
def test_an_accuracy_that_is_none_names_the_network(copy, top1):
    def change(text):
        first, row, rest = text.split(b"\r\n", 2)
        return b"\r\n".join([first, row.rsplit(b",", 1)[0] + b"," + top1, rest])

    rewrite(copy, change)
    with pytest.raises(AccuracyError, match=r"network 0: val_top1 is .*, not 0 to 100 percent"):
        read_measurements(copy)


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "train is missing"),
        ('{"train": [0, 10], "val": 5}', "val is missing: a list of ids"),
        ('{"train": [0, 10], "val": [20], "test": [30, 40]}', "val names fewer than 2"),
    ],
)
def test_splits_that_are_none_are_refused(copy, splits, message):
    (copy / "splits.json").write_text(splits)
    with pytest.raises(AccuracyError, match=rf"splits\.json:? ?{message}"):
        read_measurements(copy)


def seed_line(choice, space, top1):
    values = space.values(choice)
    kinds = [[values[f"block{i}_{kind}"] for i in range(7)] for kind in ("e", "k", "l", "se")]
    cells = [0, 1, 5, 0, top1, 0, 0, 0, 0, *(value for kind in kinds for value in kind)]
    return ",".join(map(str, cells))


def write_seeds(folder, space, choices, top1s):
    (folder / "seeds").mkdir()
    for number, top1 in enumerate(top1s, start=1):
        lines = [seed_line(c, space, t) for c, t in zip(choices, top1, strict=True)]
        (folder / "seeds" / f"proxified-seed{number}.csv").write_text("\n".join(lines))


def test_seeds_are_read_network_by_network(copy, space):
    assert read_seeds(copy) is None
    choices = space.sample(5, np.random.default_rng(1))
    top1 = np.array([[60.0, 61, 62, 63, 64], [60.5, 61, 62, 63, 64]])
    write_seeds(copy, space, choices, top1)
    found = read_seeds(copy)
    assert found is not None
    np.testing.assert_array_equal(found[0], choices)
    np.testing.assert_array_equal(found[1], top1)


def test_seeds_of_different_networks_are_refused(copy, space):
    choices = space.sample(2, np.random.default_rng(1))
    write_seeds(copy, space, choices, [[60.0, 61.0]])
    lines = [seed_line(c, space, 60.0) for c in choices[::-1]]
    (copy / "seeds" / "proxified-seed2.csv").write_text("\n".join(lines))
    with pytest.raises(AccuracyError, match="list different networks"):
        read_seeds(copy)


def test_a_row_of_another_form_is_refused(copy):
    (copy / "seeds").mkdir()
    (copy / "seeds" / "proxified-seed1.csv").write_text("1,2,3\n")
    with pytest.raises(AccuracyError, match="a row has 3 columns"):
        read_seeds(copy)


def test_the_benchmark_is_read_whole(shared):
    folder = shared / ACCEL_NASBENCH
    measured = read_measurements(folder)
    assert len(measured.accuracy) == 4738
    assert {part: len(rows) for part, rows in measured.parts.items()} == {
        "train": 4100,
        "val": 512,
        "test": 112,
    }
    assert (measured.accuracy.min(), measured.accuracy.max()) == pytest.approx((42.85, 67.052))
    first = json.loads((folder / "splits.json").read_text())["train"][0]
    assert isinstance(first, int)
    choices, top1 = read_seeds(folder)
    assert top1.shape == (3, 117)
    assert len(choices) == 117
