"""`nahas tile-bench`: its options, its file, a kill and a resume, another mapper beside it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time

import pytest

from nahas import networks
from nahas.hardware import preset, save_hardware
from nahas.kernels.records import LayerRow
from nahas.vocabulary import LayerKind
from tests.cli.conftest import command_line


def test_networks_and_accelerators_by_name(nahas, tmp_path):
    save_hardware(preset("coral"), tmp_path / "chip.yaml")
    ran = nahas(
        *("tile-bench", "--network", "mobilenet-v2", "--network", "resnet-50", "--json"),
        *("--hardware", "edge-baseline", "--hardware", tmp_path / "chip.yaml", "--threads", 1),
    )
    told = json.loads(ran.out)
    drawn = [networks.named(name) for name in ("mobilenet-v2", "resnet-50")]
    layers = {tuple(layer.row) for network in drawn for layer in network.layers}
    kind = LayerRow._fields.index("kind")
    mapped = [row for row in layers if row[kind] == LayerKind.CONVOLUTION]
    assert (told["distinct_layers"], told["distinct_accelerators"]) == (len(mapped), 2)
    assert told["pairs"] == 2 * len(mapped)
    assert told["threads"] == 1


def test_the_size_of_the_mapspace_is_told_without_verifying(nahas):
    told = json.loads(nahas("tile-bench", "--pairs", 30, "--json").out)
    assert (told["mapspace_pairs"], told["verified"], told["optimal"]) == (30, 0, False)
    assert 1 <= told["mapspace_mean"] <= told["mapspace_max"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--resume",), "--resume goes on with a file: name it with --out"),
        (("--compare", "zigzag", "--verify", "1"), "leave --out and --verify out"),
        (("--compare", "zigzag", "--out", "t"), "leave --out and --verify out"),
        (("--network", "mobilenet-v3"), "unknown network 'mobilenet-v3'"),
        (("--hardware", "corral"), "unknown hardware preset 'corral'; did you mean 'coral'"),
        (("--network", "resnet-50", "--hardware", "coral", "--pairs", "99"), "there are 1 to"),
        (("--out", "t", "--resume"), "there is no t.partial to resume: leave --resume out"),
    ],
)
def test_what_cannot_be_is_one_sentence(nahas, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    ran = nahas("tile-bench", *arguments)
    assert ran.code == 2
    assert message in ran.err
    assert ran.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


# The file


def test_a_file_is_written_and_not_replaced(nahas, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet", reason="the extra 'data' is not installed")
    path = tmp_path / "new" / "pairs.parquet"
    arguments = ("tile-bench", "--network", "mobilenet-v2", "--pairs", 40, "--out", path)
    told = json.loads(nahas(*arguments, "--json").out)
    assert told["out"] == str(path)
    assert parquet.ParquetFile(path).metadata.num_rows == told["pairs"] == 40
    again = nahas(*arguments)
    assert again.code == 2
    assert "exists already: name another file, or remove it" in again.err


def test_a_killed_run_goes_on_with_its_own_options(nahas, tmp_path):
    """kill -9 as soon as the first of two parts is there; the options are not said again."""
    pytest.importorskip("pyarrow.parquet", reason="the extra 'data' is not installed")
    said = ("tile-bench", "--network", "mobilenet-v2", "--pairs", 150_000, "--objective", "energy")
    killed, unbroken = tmp_path / "killed.parquet", tmp_path / "unbroken.parquet"
    child = subprocess.Popen(command_line(*said, "--out", killed), stderr=subprocess.PIPE)
    parts = tmp_path / "killed.parquet.partial"
    deadline = time.monotonic() + 120
    while not list(parts.glob("part-*")) and child.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.002)
    os.kill(child.pid, signal.SIGKILL)
    child.communicate()
    assert child.returncode == -signal.SIGKILL
    assert not killed.exists()
    refused = nahas(*said, "--out", killed)
    assert refused.code == 2
    assert "go on with --resume" in refused.err
    told = json.loads(nahas("tile-bench", "--out", killed, "--resume", "--json").out)
    assert (told["pairs"], told["objective"]) == (150_000, "energy")
    assert nahas(*said, "--out", unbroken).code == 0
    assert killed.read_bytes() == unbroken.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == [killed.name, unbroken.name]


def test_an_interrupt_says_how_to_go_on(nahas, tmp_path, monkeypatch):
    pytest.importorskip("pyarrow.parquet", reason="the extra 'data' is not installed")
    from nahas.tile_bench import Dataset

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Dataset, "write", interrupted)
    path = tmp_path / "t.parquet"
    ran = nahas("tile-bench", "--network", "mobilenet-v2", "--pairs", 20, "--out", path)
    assert ran.code == 130
    assert f"go on with: nahas tile-bench --out {path} --resume" in ran.err
    assert not path.exists()


# Another mapper

FAKE_ZIGZAG = {
    "zigzag/__init__.py": "",
    "zigzag/parser/__init__.py": "",
    "zigzag/parser/mapping_validator.py": """
class MappingValidator:
    SCHEMA_SINGLE = {"spatial_mapping_hint": {"schema": {"D4": 1}}}
""",
    "zigzag/api.py": """
import time, yaml
def get_hardware_performance_zigzag(workload, accelerator, mapping, *, opt, **_):
    print("talk that is no answer")
    layer, = yaml.safe_load(open(workload))
    array = yaml.safe_load(open(accelerator))
    assert list(array["memories"]) == ["register_file", "local_memory", "dram"]
    assert yaml.safe_load(open(mapping))[0]["spatial_mapping_hint"]["D5"] == ["C"]
    macs = 1
    for size in layer["loop_sizes"]:
        macs *= size
    {what}
    return 2.0 * macs, 3.0 * macs, []
""",
}


@pytest.fixture
def fake_zigzag(tmp_path, monkeypatch):
    """Install a mapper whose answers follow from the multiply-accumulates."""

    def install(what="pass"):
        for name, text in FAKE_ZIGZAG.items():
            path = tmp_path / "site" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.replace("{what}", what))
        monkeypatch.syspath_prepend(tmp_path / "site")
        before = os.environ.get("PYTHONPATH")
        both = [str(tmp_path / "site"), *([before] if before else [])]
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(both))

    return install


COMPARE = ("tile-bench", "--network", "mobilenet-v2", "--hardware", "coral", "--compare", "zigzag")


def test_another_mapper_is_set_beside_ours(nahas, fake_zigzag):
    fake_zigzag()
    told = json.loads(nahas(*COMPARE, "--pairs", 2, "--json").out)
    assert len(told["pairs"]) == 2
    for pair in told["pairs"]:
        macs = 1
        for dim in "ngkcpqrs":
            macs *= pair["layer"][dim]
        assert (pair["theirs"]["energy_pj"], pair["theirs"]["cycles"]) == (2 * macs, 3 * macs)
        assert pair["ratios"]["cycles"] == pytest.approx(3 * macs / pair["ours"]["cycles"])
        assert pair["hardware"]["leakage_pj_per_cycle"] == 0
        assert pair["ours"]["seconds"] > 0
        assert 0 < pair["bound_cycles"] <= pair["ours"]["cycles"]
    assert told["ratios"]["cycles"] > 1


def test_the_table_of_a_comparison_names_pairs_and_ratios(nahas, fake_zigzag):
    fake_zigzag()
    ran = nahas(*COMPARE, "--pairs", 1)
    assert ran.code == 0
    assert "zigzag over ours, geometric means of 1 pairs: cycles" in ran.out


def test_a_mapper_that_takes_too_long_is_ended(nahas, fake_zigzag):
    fake_zigzag("time.sleep(60)")
    begun = time.monotonic()
    told = json.loads(nahas(*COMPARE, "--pairs", 1, "--time-limit", "0.2s", "--json").out)
    assert time.monotonic() - begun < 50
    assert told["pairs"][0]["theirs"]["note"] == "no answer in 0.2 s"
    assert told["ratios"] == {"cycles": None, "energy_pj": None, "seconds": None}


def test_a_mapper_that_fails_is_quoted(nahas, fake_zigzag):
    fake_zigzag("raise ValueError('no loop ordering fits')")
    told = json.loads(nahas(*COMPARE, "--pairs", 1, "--json").out)
    assert told["pairs"][0]["theirs"]["note"] == "failed: ValueError: no loop ordering fits"


@pytest.mark.parametrize("name", ["zigzag", "accelforge"])
def test_a_mapper_that_is_not_installed_is_named(nahas, monkeypatch, name):
    monkeypatch.setattr("nahas.trust.compare.find_spec", lambda _: None)
    ran = nahas("tile-bench", "--compare", name)
    assert ran.code == 2
    assert f"--compare {name} needs {name}, which is not installed here: pip install" in ran.err
    assert ran.err.count("\n") == 1
