"""Latencies of Edge TPUs: what is compared with what, and how well the presets rank."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import pytest

from nahas import networks
from nahas.datafiles import packaged
from nahas.errors import InteropError
from nahas.hardware import preset
from nahas.network import stacked
from nahas.sequence import hardware_rows, solve_layers
from nahas.simulate import simulate
from nahas.trust.devices import DEVICES, compare_with_devices
from nahas.trust.layer_lists import read_layer_lists
from nahas.vocabulary import Objective

CONV = {"op": "conv", "cin": 3, "cout": 8, "k": 3, "s": 2, "groups": 1, "h_out": 16}
DEPTHWISE = CONV | {"op": "dw", "cin": 8, "s": 1, "groups": 8}
POINTWISE = CONV | {"cin": 8, "k": 1, "s": 1}
ADD = {"op": "add", "cin": 8, "cout": 8}
CLASSIFIER = {"op": "fc", "cin": 8, "cout": 10}
NAMES = ("mobilenet_v1_1.0_224", "efficientnet_edgetpu_S", "efficientnet_edgetpu_M")


@pytest.fixture
def folder(tmp_path):
    """Three networks, ever more layers, measured on Coral; one more of which nothing is known."""
    nets = {
        name: {"layers": [CONV, *[DEPTHWISE, POINTWISE, ADD] * i, CLASSIFIER]}
        for i, name in enumerate(NAMES)
    }
    (tmp_path / "nets_layers.json").write_text(json.dumps({"nets": nets}))
    lines = ["net,device,latency_ms"]
    for device in DEVICES:
        lines += [f"{name},{device},{ms}" for name, ms in zip(NAMES, (1.5, 2, 3), strict=True)]
        lines.append(f"unheard_of,{device},9")
    lines.append(f"{NAMES[0]},pixel4_cpu,7")
    (tmp_path / "measured_latency.csv").write_text("\n".join(lines))
    return tmp_path


def test_a_sum_adds_the_input_of_its_block(folder):
    network = read_layer_lists(folder)[NAMES[2]]
    assert [layer.name.partition("_")[2] for layer in network.layers] == [
        *("conv", "dw", "conv", "add", "dw", "conv", "add", "pool", "dense")
    ]
    assert network.inputs[3] == (1, 2)  # of one shape, the latest: here inside the block
    assert network.layers[1].is_depthwise
    assert network.layers[-1].macs == 80


def test_lists_are_the_networks_that_builders_make(shared):
    path = shared / "data" / "edge-devices"
    if not path.is_dir():
        pytest.skip(f"{path} is not there")
    listed = read_layer_lists(path)
    names = {
        "efficientnet-b0": "efficientnet_lite0",
        "efficientnet-edgetpu-s": "efficientnet_edgetpu_S",
        "mobilenet-edgetpu": "mobilenet_edgetpu_v1_1",
    }
    for ours, theirs in names.items():
        assert networks.named(ours).inputs == listed[theirs].inputs
        assert networks.named(ours).macs == listed[theirs].macs
    document = json.loads((path / "nets_layers.json").read_text())["nets"]
    assert {name: network.macs for name, network in listed.items()} == {
        name: net["macs"] for name, net in document.items()
    }


def test_each_device_is_its_preset_and_nothing_is_fitted(folder):
    found = {device.device: device for device in compare_with_devices(folder).devices}
    assert list(found) == list(DEVICES)
    pixel = found["pixel4_edgetpu"]
    network = read_layer_lists(folder)[NAMES[0]]
    assert pixel.networks[0].simulated_ms == simulate(network, preset("pixel-4")).latency_ms
    assert [each.measured_ms for each in pixel.networks] == [1.5, 2, 3]
    assert pixel.kendall == pytest.approx(1.0)
    assert pixel.missing == ("unheard_of",)


def test_published_latencies_are_compared_too_and_those_of_the_folder_count(folder):
    coral = compare_with_devices(folder).devices[0]
    measured = {each.network: each.measured_ms for each in coral.networks}
    assert measured["vgg16_224"] == 296
    assert measured["mobilenet_v1_1.0_224"] == 1.5
    assert "deeplabv3_mv2_513" in coral.missing


def test_the_document_is_json(folder):
    document = json.loads(json.dumps(compare_with_devices(folder).document()))
    assert [device["device"] for device in document["devices"]] == list(DEVICES)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([CONV, {"op": "warp"}], r"layers\[1\]: 'op' is 'warp', but it must be"),
        ([CONV | {"cout": 0}], r"layers\[0\]: 'cout' is 0, but it must be a whole number"),
        ([CONV, ADD], "nothing of the shape of the layer before"),
        ([CONV | {"groups": 16}], "k is 0, but it must be"),
        ([3], r"layers\[0\] is no object"),
    ],
)
def test_a_damaged_list_gets_one_sentence(tmp_path, rows, message):
    (tmp_path / "nets_layers.json").write_text(json.dumps({"nets": {"n": {"layers": rows}}}))
    with pytest.raises(InteropError, match=message):
        read_layer_lists(tmp_path)


def test_a_damaged_table_is_named_with_its_line(folder):
    (folder / "measured_latency.csv").write_text("net,device,latency_ms\na,pixel4_edgetpu,x\n")
    with pytest.raises(InteropError, match=r"measured_latency.csv:2: device, net and latency_ms"):
        compare_with_devices(folder)
    (folder / "measured_latency.csv").unlink()
    with pytest.raises(InteropError, match="cannot be read"):
        compare_with_devices(folder)


@pytest.mark.parametrize("name", ["edge_latencies.csv", "sister_runtimes.csv"])
def test_every_published_number_has_a_source(name):
    with packaged(name).open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    assert rows
    assert all(len(row["source"]) > 20 for row in rows)


def room_for_weights_mib(network):
    """What activations leave of Coral's parameter memory."""
    coral = preset("coral")
    streaming = hardware_rows([replace(coral, parameter_memory_mb=0)])
    held = solve_layers(stacked([network.table]), streaming, Objective.LATENCY).stays[:, 2].max()
    return coral.pes * (coral.parameter_memory_bytes - held) / 2**20


def test_coral_leaves_weights_nearly_the_room_that_its_compiler_reports(shared):
    assert room_for_weights_mib(networks.named("resnet-50")) == pytest.approx(5.70, abs=0.01)
    path = shared / "data" / "edge-devices"
    if not path.is_dir():
        pytest.skip(f"{path} is not there")
    mobilenet = read_layer_lists(path)["mobilenet_v1_1.0_224"]
    assert room_for_weights_mib(mobilenet) == pytest.approx(6.85, abs=0.01)
