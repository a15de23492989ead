"""`nahas simulate`: the table, the document, and that both are what the Python API says."""

from __future__ import annotations

import json
from dataclasses import MISSING, asdict, fields, replace

import pytest

from nahas.hardware import PRESETS, Hardware, preset, save_hardware
from nahas.layers import Layer
from nahas.mapping import Loop, Mapping
from nahas.networks import NAMES, named
from nahas.report.network import (
    COUNTS,
    UNUSUAL,
    hardware_text,
    layers_table,
    network_document,
    shape_text,
)
from nahas.simulate import simulate
from nahas.vocabulary import Dim, Slot, Tensor

TINY = Hardware(
    pes_x=1,
    pes_y=1,
    simd_units=1024,
    compute_lanes=1,
    local_memory_mb=0.015625,
    register_file_kb=32,
    io_gb_per_s=5,
)
"""16 KB are too few for a block of 1,024 channels, and enough for fewer."""

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


def test_fused_groups_are_told(nahas, tmp_path, root):
    path = tmp_path / "small.yaml"
    chip = replace(preset("edge-baseline"), pes_x=2, pes_y=2, local_memory_mb=0.125)
    save_hardware(chip, path)
    arguments = ("simulate", "mobilenet-v2", "--hardware", path)
    fused = json.loads(nahas(*arguments, "--fusion", "--json").out)
    alone = json.loads(nahas(*arguments, "--json").out)
    assert fused["total"]["latency_ms"] < alone["total"]["latency_ms"]
    assert all(layer["fused"] is None for layer in alone["layers"])
    plans = [layer["fused"] for layer in fused["layers"] if layer["fused"]]
    assert plans
    text = (root / "docs" / "json.md").read_text()
    assert all(f"`{key}`" in text for plan in plans for key in plan)
    out = nahas(*arguments, "--fusion").out
    groups = sum(plan["stage"] == 1 for plan in plans)
    assert out.count("halo") + out.count("in one tile") == groups
    assert "fused" not in nahas(*arguments).out


def test_what_cannot_run_exits_with_3(nahas, tmp_path):
    path = tmp_path / "tiny.yaml"
    save_hardware(TINY, path)
    ran = nahas("simulate", "resnet-50", "--hardware", path)
    assert ran.code == 3
    assert "cannot run" in ran.out
    assert "nan" not in ran.out
    assert "inf" not in ran.out


def test_numbers_of_what_cannot_run_are_null(nahas, tmp_path):
    path = tmp_path / "tiny.yaml"
    save_hardware(TINY, path)
    ran = nahas("simulate", "resnet-50", "--hardware", path, "--json")
    assert ran.code == 3
    document = json.loads(ran.out)
    total = document["total"]
    told = {"area_mm2", "macs", "parameters", "layers", "peak_tops", "feasible", "reason"}
    assert {key for key, value in total.items() if value is not None} == {
        *told,
        "energy_by_component_mj",
    }
    assert set(total["energy_by_component_mj"].values()) == {None}
    assert total["feasible"] is False
    assert total["reason"] == "local_memory"
    stuck = [layer for layer in document["layers"] if layer["reason"] != "ok"]
    works = [layer for layer in document["layers"] if layer["reason"] == "ok"]
    assert stuck
    assert works
    described = {"name", "kind", "shape", "macs", "parameters"}
    described |= {"input_on_chip", "output_on_chip", "weights_on_chip"}
    for layer in stuck:
        assert {key for key, value in layer.items() if value is not None} == described | {"reason"}
    for layer in works:
        assert layer["cycles"] > 0
        assert layer["energy_pj"] > 0


def test_cycles_and_energies_add_up(nahas):
    document = json.loads(nahas("simulate", "mobilenet-v2", "--json").out)
    total, layers = document["total"], document["layers"]
    waited = total["startup_cycles"] + total["drain_cycles"]
    assert waited > 0
    assert sum(layer["cycles"] for layer in layers) + waited == total["cycles"]
    assert total["latency_ms"] == pytest.approx(
        total["cycles"] / document["hardware"]["clock_mhz"] / 1e3
    )
    parts = total["energy_by_component_mj"]
    assert sum(parts.values()) == pytest.approx(total["energy_mj"])
    assert total["energy_without_dram_mj"] == pytest.approx(total["energy_mj"] - parts["dram"])
    assert total["power_mw"] == pytest.approx(1e3 * total["energy_mj"] / total["latency_ms"])
    assert total["edp_mj_ms"] == pytest.approx(total["energy_mj"] * total["latency_ms"])


def test_totals_in_text_say_where_the_cycles_go(nahas, cost):
    out = nahas("simulate", "mobilenet-v2").out
    layers = sum(of.cycles for of in cost.layers)
    assert (
        f"layers {layers:,.0f}, start-up {cost.startup_cycles:,.0f}, drain {cost.drain_cycles:,.0f}"
    ) in out
    for said in ("mJ without DRAM", "mW on average", "EDP "):
        assert said in out


def test_activations_that_stay_on_chip_are_marked(cost):
    table = layers_table(cost)
    (marks,) = (list(column.cells) for column in table.columns if column.header == "on\nchip")
    assert set(marks) >= {"in out"}
    for mark, of in zip(marks, cost.layers, strict=True):
        assert ("in" in mark.split()) == of.input_on_chip
        assert ("out" in mark.split()) == of.output_on_chip


def test_a_mapping_can_be_fed_back(nahas, cost):
    document = json.loads(nahas("simulate", "mobilenet-v2", "--json").out)
    for told, of in zip(document["layers"], cost.layers, strict=True):
        if of.mapping is None:
            assert told["loops"] is None
            assert told["keep"] is None
            continue
        loops = [Loop(Slot[s["slot"]], Dim[s["dim"]], s["count"]) for s in told["loops"]]
        dram, local, register = (frozenset(Tensor[name] for name in kept) for kept in told["keep"])
        assert Mapping(tuple(loops), (dram, local, register)) == of.mapping
        assert told["mapping"] == str(of.mapping)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (Layer(name="x", k=8, c=4, p=7, q=7, r=3, s=3), "4→8 7x7 3x3"),
        (Layer(name="x", k=8, c=4, p=7, q=7, stride_p=2, stride_q=2), "4→8 7x7 /2"),
        (Layer(name="x", k=8, c=4, p=7, q=7, stride_p=2), "4→8 7x7 /2x1"),
        (Layer(name="x", k=8, c=4, p=7, q=7, stride_q=2), "4→8 7x7 /1x2"),
        (Layer(name="x", c=4, p=7, r=3, dilation_r=2, dilation_s=2), "4→1 7x1 3x1 dilation 2"),
        (Layer(name="x", c=4, p=7, r=3, dilation_r=2), "4→1 7x1 3x1 dilation 2x1"),
        (Layer(name="x", g=2, k=8, c=4), "8→16 1x1 2 groups"),
        (Layer(name="x", g=8, p=7, stride_p=2, stride_q=3), "8 depthwise 7x1 /2x3"),
    ],
)
def test_shape_names_both_strides_where_they_differ(layer, shape):
    assert shape_text(layer) == shape


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("mobilenet-v3",), "did you mean 'mobilenet-v2'?"),
        (("mobilenet-v2", "--hardware", "edge-basline"), "did you mean 'edge-baseline'?"),
        (("mobilenet-v2", "--hardware", "none.yaml"), "none.yaml"),
        (("none.keras",), "none.keras"),
        (("none.tflite",), "none.tflite: no such file"),
        (("some/model.pt",), "its name must end in .keras, .onnx or .tflite"),
        (("mobilenet-v2", "--export", "timelop:out"), "did you mean 'timeloop'?"),
        (("mobilenet-v2", "--export", "zigzag"), "is no export: give timeloop:DIR"),
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


def test_export_writes_a_folder_for_every_mapped_layer(nahas, cost, tmp_path):
    folder = tmp_path / "out"
    ran = nahas("simulate", "mobilenet-v2", "--export", f"timeloop:{folder}")
    assert ran.code == 0
    assert "wrote 53 layers for timeloop" in ran.err
    mapped = [of for of in cost.layers if of.mapping is not None]
    assert len(list(folder.iterdir())) == len(mapped)
    again = nahas("simulate", "mobilenet-v2", "--export", f"timeloop:{folder}")
    assert again.code == 2
    assert "is there already: export to a new folder" in again.err


def test_layers_that_a_format_cannot_express_are_warned_of(nahas, tmp_path):
    folder = tmp_path / "out"
    ran = nahas("simulate", "mobilenet-v2", "--export", f"zigzag:{folder}", "--json")
    document = json.loads(ran.out)
    (warning,) = document["warnings"]
    assert warning.startswith("zigzag cannot express 36 of 53 layers, which are left out")
    assert "the first: layer '6_pointwise': the factors of P do not" in warning
    assert len(warning) < 300
    left_out = document["export"]["left_out"]
    assert len(left_out) == 36
    assert sorted(document["export"]["written"]) == sorted(map(str, folder.iterdir()))
    said = nahas("simulate", "mobilenet-v2", "--export", f"zigzag:{tmp_path / 'two'}", "-v").err
    assert all(f"left out: {reason}\n" in said for reason in left_out)


def test_it_says_what_was_minimised_where_and_whether_fused(nahas):
    chosen = ("--objective", "edp", "--space", "full", "--dataflow", "output")
    document = json.loads(nahas("simulate", "mobilenet-v2", *chosen, "--json").out)
    assert [document[key] for key in ("objective", "space", "fusion")] == [
        *("edp", "full_output", False)
    ]
    out = nahas("simulate", "mobilenet-v2", *chosen).out
    assert "objective edp, mapspace full_output, fusion off" in out
    out = nahas("simulate", "mobilenet-v2", "--fusion").out
    assert "objective latency, mapspace dataflows, fusion on" in out


def test_an_accelerator_is_told_with_what_is_not_the_default():
    usual = preset("edge-baseline")
    assert hardware_text(usual) == "4x4 PEs, 4 lanes, 64 SIMD, 2 MB, 32 KB, 20 GB/s at 800 MHz"
    words = replace(usual, weight_bits=4, partial_sum_bits=16, parameter_memory_mb=0.5)
    assert hardware_text(words) == (
        f"{hardware_text(usual)}, weights of 4 bits, sums of 16 bits, parameter memory 0.5 MB"
    )


def test_no_parameter_of_an_accelerator_goes_unsaid():
    seven = {field.name for field in fields(Hardware) if field.default is MISSING}
    assert {*seven, "clock_mhz", "technology_nm", *UNUSUAL} == set(asdict(TINY))


@pytest.mark.parametrize("fusion", [False, True])
def test_counts_are_whole_numbers(fusion):
    chip = replace(preset("edge-baseline"), local_memory_mb=0.0625, io_gb_per_s=5, weight_bits=4)
    cost = simulate(named("mobilenet-v2"), chip, fusion=fusion)
    assert any(of.fused for of in cost.layers) == fusion
    document = network_document(cost)
    for told, of in zip(document["layers"], cost.layers, strict=True):
        assert all(type(told[name]) is int for name in COUNTS)
        assert [told[name] for name in COUNTS] == [getattr(of, name) for name in COUNTS]
    for name in ("cycles", "startup_cycles", "drain_cycles"):
        assert type(document["total"][name]) is int
        assert document["total"][name] == getattr(cost, name)


def test_help_names_every_network_and_every_preset(nahas):
    text = " ".join(nahas("simulate", "--help").out.split()).replace("- ", "-")
    assert all(f" {name}" in text for name in NAMES)
    assert all(f" {name}" in text for name in PRESETS)


def test_an_onnx_file_is_simulated_like_its_network(nahas, cost, tmp_path):
    onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install 'nahas[onnx]'")
    from nahas import networks
    from tests.interop.onnx_graphs import OnnxBuilder

    builder = OnnxBuilder()
    networks.function("mobilenet-v2")(builder)
    path = tmp_path / "mine.onnx"
    onnx.save(builder.model(), path)
    document = json.loads(nahas("simulate", path, "--json").out)
    assert document["total"]["latency_ms"] == cost.latency_ms
    assert document["total"]["parameters"] == 3_504_872
    assert {"operator", "calls", "layers", "became", "macs_share"} == set(document["operators"][0])
    assert "52 Conv (99.6% of MACs)" in nahas("simulate", path).err
