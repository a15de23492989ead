"""Samples as Parquet: read back exactly, resumed after a kill, refused where anything is off."""

from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nahas.costmodel import parquet as files
from nahas.costmodel.origin import origin_here
from nahas.costmodel.parquet import KIND, About, read, read_about, write
from nahas.costmodel.samples import draw, label
from nahas.errors import CostModelError, UsageError
from nahas.parts_file import parts_of
from nahas.vocabulary import Objective

from .fake import fake_costs, tiny_joint

arrow = pytest.importorskip("pyarrow", reason="the extra 'data' is not installed")
parquet = pytest.importorskip("pyarrow.parquet", reason="the extra 'data' is not installed")

JOINT = tiny_joint()
COSTS = fake_costs(JOINT)
ORIGIN = origin_here(JOINT, None, COSTS)
ABOUT = About(origin=ORIGIN, samples=250, seed=5, objective=Objective.LATENCY)
CHUNK = 100


@pytest.fixture(autouse=True, scope="module")
def _small_chunks():
    before, files.CHUNK = files.CHUNK, CHUNK
    yield
    files.CHUNK = before


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A file as `write` leaves it; not to be changed."""
    path = tmp_path_factory.mktemp("samples") / "whole.parquet"
    write(path, JOINT, ABOUT, COSTS)
    return path


def same(one, other):
    return all(
        np.array_equal(getattr(one, name), getattr(other, name), equal_nan=name == "logs")
        for name in ("choices", "logs", "reason")
    )


# What is written


def test_what_is_read_is_what_was_drawn_and_labelled(whole):
    samples = read(whole, JOINT, ORIGIN)
    fresh = label(draw(JOINT, 250, np.random.default_rng(5)), COSTS)
    assert same(samples, fresh)
    assert [getattr(samples, name).dtype for name in ("choices", "logs", "reason")] == [
        np.uint8,
        np.float32,
        np.uint8,
    ]
    assert samples.choices.flags.c_contiguous
    assert 0 < (samples.reason != 0).sum() < 250


def test_columns_are_decisions_costs_and_the_reason(whole):
    table = parquet.read_table(whole)
    names = [decision.name for decision in JOINT.space.decisions]
    assert table.column_names == [*names, "latency_ms", "energy_mj", "area_mm2", "reason"]
    for name in table.column_names:
        is_cost = name.endswith(("_ms", "_mj", "_mm2"))
        assert table.schema.field(name).type == (arrow.float32() if is_cost else arrow.uint8())
    for row in table.to_pylist():
        absent = {name for name, value in row.items() if value is None}
        assert absent == ({"latency_ms", "energy_mj"} if row["reason"] else set())


def test_metadata_say_what_made_the_file(whole):
    metadata = parquet.ParquetFile(whole).schema_arrow.metadata
    found = {k.decode().removeprefix("nahas_"): v.decode() for k, v in metadata.items()}
    assert found["kind"] == KIND
    assert (found["schema_version"], found["samples"], found["seed"]) == ("2", "250", "5")
    assert (found["hardware_space"], found["objective"]) == ("paper", "latency")
    assert {name: found[name] for name in asdict(ORIGIN)} == asdict(ORIGIN)
    assert read_about(whole) == ABOUT


def test_a_chunk_is_a_row_group_and_nothing_else_stays(whole):
    file = parquet.ParquetFile(whole)
    assert [file.metadata.row_group(i).num_rows for i in range(3)] == [100, 100, 50]
    assert [path.name for path in whole.parent.iterdir()] == [whole.name]


class Killed(BaseException):
    """What ends a run as kill -9 does: nothing of it runs on."""


@pytest.mark.parametrize("parts", [0, 1, 2, 3])
def test_a_resumed_run_writes_the_bytes_of_an_unbroken_one(whole, tmp_path, parts):
    path = tmp_path / "killed.parquet"
    labelled = []

    def costs(choices):
        if len(labelled) == parts:
            raise Killed
        labelled.append(len(choices))
        return COSTS(choices)

    def killed_at_the_end(done):
        if done == 250:
            raise Killed

    with pytest.raises(Killed):
        write(path, JOINT, ABOUT, costs, progress=killed_at_the_end)
    assert not path.exists()
    told = []
    write(path, JOINT, ABOUT, COSTS, resume=True, progress=told.append)
    assert told == [200, 250][max(0, parts - 1) :] if parts else told == [100, 200, 250]
    assert path.read_bytes() == whole.read_bytes()
    assert not parts_of(path).exists()


# What is refused


def test_a_file_is_not_replaced_and_parts_of_something_else_are_not_mixed_in(tmp_path):
    path = tmp_path / "s.parquet"
    path.write_text("mine")
    with pytest.raises(UsageError, match=r"s\.parquet exists already"):
        write(path, JOINT, ABOUT, COSTS)
    assert path.read_text() == "mine"
    path.unlink()

    def kill(done):
        raise Killed

    with pytest.raises(Killed):
        write(path, JOINT, ABOUT, COSTS, progress=kill)
    for other, message in (
        (replace(ABOUT, seed=6), "whose seed is 5, but now it is 6"),
        (replace(ABOUT, samples=260), "whose samples is 250, but now it is 260"),
        (
            replace(ABOUT, origin=replace(ORIGIN, tables_fingerprint="0")),
            "whose tables fingerprint is .*, but now it is 0",
        ),
    ):
        with pytest.raises(UsageError, match=message):
            write(path, JOINT, other, COSTS, resume=True)
    part = parts_of(path) / f"part-{0:012d}.parquet"
    part.write_bytes(part.read_bytes()[:50])
    with pytest.raises(UsageError, match=r"part-0+\.parquet cannot be read .*: remove .*partial"):
        write(path, JOINT, ABOUT, COSTS, resume=True)


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("hardware_space", r"another hardware space \('paper', here 'x'\)"),
        ("space", r"another space \('tiny\+accelerator', here 'x'\)"),
        ("space_fingerprint", r"another version of space 'tiny\+accelerator'"),
        ("kernels_fingerprint", r"another version of the simulator's kernels"),
        ("tables_fingerprint", r"another set of energy and area tables"),
        ("probes_fingerprint", r"another simulator: the costs of fixed designs differ"),
    ],
)
def test_samples_of_something_else_are_refused(whole, field, message):
    with pytest.raises(CostModelError, match=message + r".*; draw and label its samples again"):
        read(whole, JOINT, replace(ORIGIN, **{field: "x"}))


def rewritten(whole, path, edit, metadata=None):
    """The file with an edited table and metadata, as another program might write it."""
    table = parquet.read_table(whole)
    kept = dict(table.schema.metadata)
    kept.update({f"nahas_{k}".encode(): v.encode() for k, v in (metadata or {}).items()})
    parquet.write_table(edit(table).replace_schema_metadata(kept), path)


def with_cell(name, row, value):
    def edit(table):
        values = table[name].to_pylist()
        values[row] = value
        place = table.column_names.index(name)
        return table.set_column(place, name, arrow.array(values, table.schema.field(name).type))

    return edit


def as_type(name, kind):
    def edit(table):
        place = table.column_names.index(name)
        return table.set_column(place, name, table[name].cast(kind))

    return edit


def unchanged(table):
    return table


@pytest.mark.parametrize(
    ("edit", "metadata", "message"),
    [
        (lambda t: t.drop_columns(["pes_x"]), {}, "has no column 'pes_x'"),
        (lambda t: t.drop_columns(["energy_mj"]), {}, "has no column 'energy_mj'"),
        (
            lambda t: t.append_column("depth", t["depth"]),
            {},
            "has 2 columns 'depth'",
        ),
        (as_type("depth", arrow.int32()), {}, "column 'depth' is int32, but it must be uint8"),
        (as_type("area_mm2", arrow.float64()), {}, "'area_mm2' is double, but it must be float"),
        (with_cell("depth", 3, 3), {}, "row 3: depth is 3, but it must be 0 to 2"),
        (with_cell("reason", 4, 9), {}, "row 4: reason is 9, but it must be 0 to 2"),
        (with_cell("depth", 3, None), {}, "column 'depth' lacks values"),
        (lambda t: t.slice(0, 0), {}, "has no rows: there is nothing to learn"),
        (lambda t: t.slice(0, 249), {}, "is damaged: it does not hold what was written"),
        (lambda t: t.take(list(range(249, -1, -1))), {}, "it does not hold what was written"),
        (unchanged, {"schema_version": "1"}, ":schema_version is 1, but this nahas reads 2"),
        (unchanged, {"kind": "pairs"}, "is not a file of samples that nahas wrote"),
        (unchanged, {"seed": "5x"}, "its metadata are damaged"),
        (unchanged, {"objective": "speed"}, "its metadata are damaged"),
        (unchanged, {"seed": "6"}, "it does not hold what was written"),
        (unchanged, {"digest": "0"}, "it does not hold what was written"),
    ],
)
def test_a_file_that_is_not_as_written_is_refused(whole, tmp_path, edit, metadata, message):
    path = tmp_path / "s.parquet"
    rewritten(whole, path, edit, metadata)
    with pytest.raises(CostModelError, match=message) as refused:
        read(path, JOINT, ORIGIN)
    assert str(refused.value).startswith(str(path))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf"), None])
@pytest.mark.parametrize("name", ["latency_ms", "energy_mj", "area_mm2"])
def test_a_cost_that_is_no_number_above_0_is_refused(whole, tmp_path, name, value):
    path = tmp_path / "s.parquet"
    can_run = np.flatnonzero(read(whole, JOINT, ORIGIN).reason == 0)
    rewritten(whole, path, with_cell(name, can_run[7], value))
    with pytest.raises(
        CostModelError, match=rf"row {can_run[7]}: {name} is .*, but it must be a number above 0"
    ):
        read(path, JOINT, ORIGIN)


def test_a_cost_of_what_cannot_run_is_refused(whole, tmp_path):
    path = tmp_path / "s.parquet"
    row = np.flatnonzero(read(whole, JOINT, ORIGIN).reason)[0]
    rewritten(whole, path, with_cell("energy_mj", row, 1.0))
    with pytest.raises(CostModelError, match=rf"row {row}: energy_mj is 1.0, .* must be absent"):
        read(path, JOINT, ORIGIN)


def test_what_is_missing_or_no_parquet_is_refused(tmp_path):
    path = tmp_path / "s.parquet"
    for look in (lambda: read(path, JOINT, ORIGIN), lambda: read_about(path)):
        with pytest.raises(CostModelError, match=r"s\.parquet: cannot be read \(No such file"):
            look()
    with pytest.raises(CostModelError, match=r"cannot be read \(Is a directory"):
        read(tmp_path, JOINT, ORIGIN)
    for content in (b"", b"PAR1", b"latency,energy\n1,2\n"):
        path.write_bytes(content)
        with pytest.raises(CostModelError, match="is not a Parquet file, or a damaged one"):
            read(path, JOINT, ORIGIN)
    parquet.write_table(arrow.table({"depth": [1, 2]}), path)
    with pytest.raises(CostModelError, match="is not a file of samples that nahas wrote"):
        read(path, JOINT, ORIGIN)


def is_refused(path, content, good):
    """Whether a damaged file is refused, in one line; if not, it holds what was written."""
    path.write_bytes(content)
    try:
        samples = read(path, JOINT, ORIGIN)
    except CostModelError as refused:
        return "\n" not in str(refused)
    assert same(samples, good)
    return False


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_truncated_file_is_refused(whole, tmp_path, data):
    content = whole.read_bytes()
    kept = data.draw(st.integers(0, len(content) - 1))
    assert is_refused(tmp_path / "s.parquet", content[:kept], None)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_flipped_bytes_are_refused_or_change_nothing(whole, tmp_path, data):
    content = bytearray(whole.read_bytes())
    places = st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=3, unique=True)
    for place in data.draw(places):
        content[place] ^= data.draw(st.integers(1, 255))
    good = read(whole, JOINT, ORIGIN)
    is_refused(tmp_path / "s.parquet", bytes(content), good)


def test_a_flip_in_the_name_of_a_column_is_refused(whole, tmp_path):
    content, good = whole.read_bytes(), read(whole, JOINT, ORIGIN)
    start, refused = 0, []
    while (start := content.find(b"pes_y", start) + 1) > 0:
        damaged = bytearray(content)
        damaged[start] ^= 1
        refused.append(is_refused(tmp_path / "s.parquet", bytes(damaged), good))
    assert any(refused)  # a name stands more than once, and not all of them are read


def test_a_flip_in_the_values_of_any_column_is_refused(whole, tmp_path):
    content = whole.read_bytes()
    metadata = parquet.ParquetFile(whole).metadata
    for column in range(metadata.num_columns):
        chunk = metadata.row_group(1).column(column)
        start = chunk.dictionary_page_offset or chunk.data_page_offset
        damaged = bytearray(content)
        damaged[start + chunk.total_compressed_size - 2] ^= 0x55
        assert is_refused(tmp_path / "s.parquet", bytes(damaged), None)


def test_without_pyarrow_a_sentence_says_what_to_install(whole, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r"run pip install 'nahas\[data\]'"):
        read(whole, JOINT, ORIGIN)
    with pytest.raises(UsageError, match=r"run pip install 'nahas\[data\]'"):
        write(tmp_path / "t.parquet", JOINT, ABOUT, COSTS)
    assert list(tmp_path.iterdir()) == []
