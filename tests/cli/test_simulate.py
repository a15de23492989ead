"""`nahas simulate`: the table, the document, and that both are what the Python API says."""

from __future__ import annotations

import json

import pytest

from nahas.hardware import Hardware, preset, save_hardware
from nahas.networks import named
from nahas.simulate import simulate

COMPONENTS = ("mac_pj", "register_file_pj", "local_memory_pj", "dram_pj", "leakage_pj")


@pytest.fixture(scope="module")
def cost():
    return simulate(named("mobilenet-v2"), preset("edge-baseline"))


def test_document_is_what_the_api_says(nahas, cost):
    ran = nahas("simulate", "mobilenet-v2", "--json")
    assert ran.code == 0
    document = json.loads(ran.out)
    assert document["total"]["latency_ms"] == cost.latency_ms
    assert document["total"]["energy_mj"] == cost.energy_mj
    assert document["total"]["area_mm2"] == cost.area_mm2
    assert document["total"]["macs"] == 300_774_272
    assert document["total"]["parameters"] == 3_504_872
    assert document["hardware"]["pes_x"] == 4
    for told, of in zip(document["layers"], cost.layers, strict=True):
        assert told["name"] == of.layer.name
        assert told["macs"] == of.layer.macs
        assert told["cycles"] == of.cycles
        assert told["energy_pj"] == pytest.approx(sum(told[name] for name in COMPONENTS))
        assert told["bound"] in ("compute", "local_memory", "io")
        assert (told["mapping"] is None) == of.layer.kind.is_vector
        assert 0 <= told["utilisation"] <= 1


def test_table_has_every_layer_and_the_totals(nahas, cost):
    ran = nahas("simulate", "mobilenet-v2")
    assert ran.code == 0
    for of in cost.layers:
        assert f" {of.layer.name} " in ran.out
    assert "300.77 million MACs, 3,504,872 parameters" in ran.out
    for word in ("latency", "TOPS", "mm²", "weights", "activations", "bound by", "DATAPATH"):
        assert word in ran.out


def test_a_narrow_terminal_cuts_no_number(nahas, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    assert "…" not in nahas("simulate", "mobilenet-v2").out


def test_hardware_file_and_objective(nahas, tmp_path):
    path = tmp_path / "mine.yaml"
    save_hardware(preset("edgetpu-v3"), path)
    by_file = nahas(
        "simulate", "mobilenet-v2", "--hardware", path, "--objective", "energy", "--json"
    )
    by_name = nahas(
        "simulate", "mobilenet-v2", "--hardware", "edgetpu-v3", "--objective", "energy", "--json"
    )
    assert by_file.out == by_name.out
    assert json.loads(by_name.out)["total"]["energy_mj"] != pytest.approx(
        json.loads(nahas("simulate", "mobilenet-v2", "--json").out)["total"]["energy_mj"]
    )


def test_what_cannot_run_exits_with_3(nahas, tmp_path):
    tiny = Hardware(
        pes_x=1,
        pes_y=1,
        simd_units=16,
        compute_lanes=1,
        local_memory_mb=0.001,
        register_file_kb=1,
        io_gb_per_s=5,
    )
    path = tmp_path / "tiny.yaml"
    save_hardware(tiny, path)
    ran = nahas("simulate", "mobilenet-v2", "--hardware", path, "--json")
    assert ran.code in (2, 3)
    if ran.code == 3:
        total = json.loads(ran.out)["total"]
        assert total["feasible"] is False
        assert total["latency_ms"] is None
        assert "cannot run" in nahas("simulate", "mobilenet-v2", "--hardware", path).out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("mobilenet-v3",), "did you mean 'mobilenet-v2'?"),
        (("mobilenet-v2", "--hardware", "edge-basline"), "did you mean 'edge-baseline'?"),
        (("mobilenet-v2", "--hardware", "none.yaml"), "none.yaml"),
        (("none.keras",), "none.keras"),
        (("mobilenet-v2", "--workers", "999"), "--workers is 999"),
        (("mobilenet-v2", "--objective", "speed"), "'speed' is not one of"),
        ((), "Missing argument 'NETWORK'"),
    ],
)
def test_wrong_input_is_a_sentence_with_exit_2(nahas, arguments, said):
    ran = nahas("simulate", *arguments)
    assert ran.code == 2
    assert said in ran.err
    assert ran.out == ""
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("pes_x", "0", "pes_x is 0"),
        ("io_gb_per_s", "-5", "io_gb_per_s is -5"),
        ("clock_mhz", ".nan", "clock_mhz is nan"),
        ("pes_z", "1", "pes_z"),
    ],
)
def test_a_bad_hardware_file_names_the_field(nahas, tmp_path, field, value, said):
    path = tmp_path / "mine.yaml"
    save_hardware(preset("coral"), path)
    lines = [line for line in path.read_text().splitlines() if not line.startswith(f"{field}:")]
    path.write_text("\n".join([*lines, f"{field}: {value}"]))
    ran = nahas("simulate", "mobilenet-v2", "--hardware", path)
    assert ran.code == 2
    assert said in ran.err
    assert str(path) in ran.err


def test_json_on_a_terminal_is_json_alone(terminal):
    # Kernels run here: Numba would let colorama write an escape sequence at exit.
    assert json.loads(terminal(["simulate", "mobilenet-v2", "--json"]).out)["layers"]
