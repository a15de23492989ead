"""Solved pairs as Parquet: what the file holds, how it grows, how it goes on after a kill."""

import json
from dataclasses import replace

import numpy as np
import pytest

from nahas import networks
from nahas.energy import packaged_tables
from nahas.errors import UsageError
from nahas.hardware import preset
from nahas.kernels._jit import kernel_fingerprint
from nahas.kernels.records import CostRow, HardwareRow, LayerRow, MappingRow
from nahas.parts_file import parts_of
from nahas.sequence import hardware_rows
from nahas.tile_bench import Dataset, bench, run, source_of
from nahas.tile_bench.dataset import NAMES
from nahas.tile_bench.solve import room, solve_part
from nahas.vocabulary import Objective, Reason

parquet = pytest.importorskip("pyarrow.parquet", reason="the extra 'data' is not installed")

NETWORK = "mobilenet-v2"


@pytest.fixture
def source():
    points = [preset("edge-baseline"), preset("coral")]
    return source_of(5, named_networks=[networks.named(NETWORK)], hardware=points)


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch):
    monkeypatch.setattr(bench, "BATCH", 16)


def written(path, source, *, objective=Objective.LATENCY, **options):
    dataset = Dataset(path, source, source.size, objective, **options)
    run(source, source.size, objective=objective, dataset=dataset)
    return parquet.ParquetFile(path)


def test_a_row_holds_the_pair_its_optimum_and_its_mapping(source, tmp_path):
    table = written(tmp_path / "t.parquet", source, objective=Objective.EDP).read()
    assert table.num_rows == source.size
    pairs = source.pairs(0, source.size)
    costs, mappings, _, _ = solve_part(pairs, slice(None), Objective.EDP, room(source.size))
    groups = (
        ("layer", LayerRow, pairs.layers[pairs.pairs[:, 0]]),
        ("hardware", HardwareRow, pairs.points[pairs.pairs[:, 1]]),
        ("cost", CostRow, costs),
        ("mapping", MappingRow, mappings),
    )
    compared = 0
    for group, row, values in groups:
        for j, field in enumerate(row._fields):
            if f"{group}_{field}" not in table.column_names:
                continue
            found = table[f"{group}_{field}"].to_pylist()
            if field in NAMES:
                found = [NAMES[field][name.upper()] for name in found]
            assert np.array_equal(found, values[:, j]), field
            compared += 1
    assert compared == 12 + 16 + len(CostRow._fields) + len(MappingRow._fields)
    assert table["layer_index"].to_pylist() == pairs.pairs[:, 0].tolist()
    assert table["residency_input_on_chip"].to_pylist() == pairs.stays[:, 0].tolist()


def test_an_accelerator_can_be_made_again_from_its_columns(source, tmp_path):
    row = written(tmp_path / "t.parquet", source).read().slice(3, 1).to_pylist()[0]
    names = [name.removeprefix("hardware_") for name in row if name.startswith("hardware_")]
    made = {name: row[f"hardware_{name}"] for name in names if name != "io_bytes_per_cycle"}
    chosen = preset(("edge-baseline", "coral")[row["accelerator_index"]])
    known = {name: made.pop(name) for name in list(made) if hasattr(chosen, name)}
    assert type(chosen)(**known) == chosen
    point = dict(zip(HardwareRow._fields, hardware_rows([chosen])[0], strict=True))
    assert made == {name: point[name] for name in made}


def test_units_end_the_names_of_figures(source, tmp_path):
    names = written(tmp_path / "t.parquet", source).schema_arrow.names
    for name in names:
        if name.startswith("cost_") and name not in ("cost_bound", "cost_reason"):
            assert name.endswith(("cycles", "_pj", "_bytes")), name


def test_metadata_say_what_made_the_file(source, tmp_path):
    file = written(tmp_path / "t.parquet", source, objective=Objective.ENERGY)
    found = {k.decode(): v.decode() for k, v in file.schema_arrow.metadata.items()}
    assert found["nahas_schema_version"] == "1"
    assert found["nahas_seed"] == "5"
    assert found["nahas_pairs"] == str(source.size)
    assert found["nahas_objective"] == "energy"
    assert found["nahas_layers"] == NETWORK
    assert found["nahas_simulator_fingerprint"] == kernel_fingerprint()
    assert found["nahas_constants_fingerprint"] == packaged_tables().fingerprint
    assert found["nahas_source_fingerprint"] == source.fingerprint


def test_what_does_not_fit_has_a_reason_and_no_optimum(tmp_path):
    small = replace(preset("edge-baseline"), simd_units=65_536, register_file_kb=8)
    source = source_of(named_networks=[networks.named(NETWORK)], hardware=[small])
    rows = written(tmp_path / "t.parquet", source).read().to_pylist()
    bad = [row for row in rows if row["cost_reason"] != Reason.OK.name.lower()]
    assert 0 < len(bad) < len(rows)
    for row in bad:
        optimum = {v for k, v in row.items() if k.startswith(("cost_", "mapping_"))}
        assert optimum == {None, row["cost_reason"]}


def test_a_batch_is_a_row_group_and_nothing_else_stays(source, tmp_path):
    file = written(tmp_path / "t.parquet", source)
    rows = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
    assert rows == [16] * (source.size // 16) + [source.size % 16] * (source.size % 16 > 0)
    assert [path.name for path in tmp_path.iterdir()] == ["t.parquet"]


class Killed(BaseException):
    """What ends a run as kill -9 does: nothing of it runs on."""


@pytest.mark.parametrize("whole_parts", [0, 1, 2])
def test_a_resumed_run_writes_the_bytes_of_an_unbroken_one(source, tmp_path, whole_parts):
    written(tmp_path / "unbroken.parquet", source)
    path = tmp_path / "killed.parquet"

    def kill(done):
        if done >= 16 * (whole_parts + 1):
            raise Killed

    dataset = Dataset(path, source, source.size, Objective.LATENCY)
    with pytest.raises(Killed):
        run(source, source.size, dataset=dataset, progress=kill, threads=1)
    assert not path.exists()
    (parts_of(path) / "part-000000000099.parquet.tmp").write_bytes(b"half a part")
    told = []
    again = Dataset(path, source, source.size, Objective.LATENCY, resume=True)
    assert again.done == 16 * (whole_parts + 1)
    found = run(source, source.size, dataset=again, progress=told.append)
    assert told[0] > again.done - source.size
    assert told[-1] == source.size
    assert found.pairs_per_second > 0
    assert path.read_bytes() == (tmp_path / "unbroken.parquet").read_bytes()
    assert not parts_of(path).exists()


def test_a_run_killed_at_the_very_end_has_nothing_left_to_solve(source, tmp_path, monkeypatch):
    path = tmp_path / "t.parquet"
    dataset = Dataset(path, source, source.size, Objective.LATENCY)
    monkeypatch.setattr(dataset, "finish", lambda: None)
    run(source, source.size, dataset=dataset)
    again = Dataset(path, source, source.size, Objective.LATENCY, resume=True)
    found = run(source, source.size, dataset=again)
    assert (found.pairs_per_second, found.mappings_per_second) == (None, None)
    assert parquet.ParquetFile(path).metadata.num_rows == source.size


def test_a_gap_in_the_parts_is_filled(source, tmp_path, monkeypatch):
    written(tmp_path / "unbroken.parquet", source)
    path = tmp_path / "t.parquet"
    dataset = Dataset(path, source, source.size, Objective.LATENCY)
    monkeypatch.setattr(dataset, "finish", lambda: None)
    run(source, source.size, dataset=dataset)
    (parts_of(path) / f"part-{16:012d}.parquet").unlink()
    again = Dataset(path, source, source.size, Objective.LATENCY, resume=True)
    assert again.done == 16
    run(source, source.size, dataset=again)
    assert path.read_bytes() == (tmp_path / "unbroken.parquet").read_bytes()


# What is refused


def test_a_file_is_not_replaced(source, tmp_path):
    path = tmp_path / "t.parquet"
    path.write_text("mine")
    for resume in (False, True):
        with pytest.raises(UsageError, match=r"t\.parquet exists already: name another file"):
            Dataset(path, source, 10, Objective.LATENCY, resume=resume)
    assert path.read_text() == "mine"


def test_parts_are_not_replaced_and_none_are_not_resumed(source, tmp_path):
    path = tmp_path / "t.parquet"
    with pytest.raises(UsageError, match=r"no .*t\.parquet\.partial to resume: leave --resume out"):
        Dataset(path, source, 10, Objective.LATENCY, resume=True)
    Dataset(path, source, 10, Objective.LATENCY)
    with pytest.raises(UsageError, match=r"holds a part of .*t\.parquet: go on with --resume"):
        Dataset(path, source, 10, Objective.LATENCY)


def test_parts_of_something_else_are_not_mixed_in(source, tmp_path):
    path = tmp_path / "t.parquet"
    Dataset(path, source, 10, Objective.LATENCY)
    with pytest.raises(UsageError, match="whose pairs is 10, but now it is 11"):
        Dataset(path, source, 11, Objective.LATENCY, resume=True)
    with pytest.raises(UsageError, match="whose objective is latency, but now it is edp"):
        Dataset(path, source, 10, Objective.EDP, resume=True)
    about = parts_of(path) / "about.json"
    kept = json.loads(about.read_text())
    about.write_text(json.dumps(kept | {"simulator_fingerprint": "0123"}))
    with pytest.raises(UsageError, match="whose simulator fingerprint is 0123, but now it is"):
        Dataset(path, source, 10, Objective.LATENCY, resume=True)
    about.write_text("{")
    with pytest.raises(UsageError, match=r"about\.json cannot be read"):
        Dataset(path, source, 10, Objective.LATENCY, resume=True)


def test_without_pyarrow_a_sentence_says_what_to_install(source, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r"run pip install 'nahas\[data\]'"):
        Dataset(tmp_path / "t.parquet", source, 10, Objective.LATENCY)
    assert list(tmp_path.iterdir()) == []
