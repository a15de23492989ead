"""What is written for Timeloop is read back as the same nest with the same counts."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given

from nahas.errors import InteropError
from nahas.hardware import preset
from nahas.interop.nest import MappedPoint, edge_accelerator, merged, ragged_dims
from nahas.interop.tagged import read_tagged
from nahas.interop.timeloop_v4 import read_timeloop, timeloop_files
from nahas.layers import Layer
from nahas.mapping import Loop, Mapping, evaluate
from nahas.networks import named
from nahas.simulate import simulate
from nahas.templates import BUILT_IN, accelerator_from
from nahas.vocabulary import Dim, Slot
from tests.interop.points import point_of, points

LAYER = Layer(name="conv", k=4, c=2, p=6, r=3, stride_p=2)
MAPPING = Mapping(
    (
        Loop(Slot.DRAM, Dim.K, 2),
        Loop(Slot.PE_ARRAY, Dim.P, 3),
        Loop(Slot.LOCAL_MEMORY, Dim.C, 2),
        Loop(Slot.LOCAL_MEMORY, Dim.P, 2),
        Loop(Slot.LANE_ARRAY, Dim.K, 2),
        Loop(Slot.REGISTER_FILE, Dim.R, 3),
    )
)


def written(point, folder):
    for name, text in timeloop_files(point).items():
        (folder / name).write_text(text)
    return folder


def normal(mapping):
    """Spatial loops of a slot in the order of their dims: theirs changes nothing."""
    order = sorted(
        enumerate(mapping.loops),
        key=lambda pair: (pair[1].slot, pair[1].dim if pair[1].is_spatial else 0, pair[0]),
    )
    return tuple(loop for _, loop in order)


def agree(point, folder):
    layer, mapping = read_timeloop(written(point, folder))
    assert layer == replace(point.layer, parameters=0)
    assert mapping.keep == point.mapping.keep
    assert normal(mapping) == normal(merged(point))
    template = point.accelerator.template
    ours, theirs = (evaluate(layer, each, template) for each in (point.mapping, mapping))
    assert np.array_equal(ours.counts, theirs.counts)
    assert ours.compute_cycles == theirs.compute_cycles
    assert np.array_equal(ours.first_touches, theirs.first_touches)
    assert np.array_equal(ours.tile_words, theirs.tile_words)


@given(points)
def test_any_nest_comes_back_with_its_counts(tmp_path_factory, point):
    try:
        merged(point)
    except InteropError as refused:
        assume("stand twice" not in str(refused))
    agree(point, tmp_path_factory.mktemp("timeloop"))


@pytest.mark.parametrize("name", ["mobilenet-v2", "resnet-50"])
def test_every_layer_of_a_network_comes_back(tmp_path, name):
    hardware = preset("edge-baseline")
    accelerator, ragged = edge_accelerator(hardware), 0
    for of in simulate(named(name), hardware).layers:
        if of.mapping is not None:
            point = MappedPoint(accelerator=accelerator, layer=of.layer, mapping=of.mapping)
            agree(point, tmp_path)
            ragged += bool(ragged_dims(of.layer, of.mapping))
    assert ragged > 10


@pytest.mark.parametrize("template", BUILT_IN)
def test_what_the_general_mapper_finds_comes_back(tmp_path, template):
    from nahas.mapper import map_layer

    accelerator = accelerator_from(template)
    for layer in (
        Layer(name="conv", k=48, c=40, p=14, q=14, r=3, s=3),
        Layer(name="depthwise", g=96, p=14, q=14, r=3, s=3, stride_p=2, stride_q=2),
        Layer(name="dense", k=100, c=70),
    ):
        mapping = map_layer(layer, accelerator).mapping
        agree(MappedPoint(accelerator=accelerator, layer=layer, mapping=mapping), tmp_path)


def test_ragged_factors_are_written_as_timeloop_checks_them(tmp_path):
    """Timeloop's own check: ((last - 1) * count + ...) + 1 of the inner loops is the extent."""
    layer = Layer(name="ragged", k=11)
    slots = (Slot.DRAM, Slot.LOCAL_MEMORY, Slot.REGISTER_FILE)
    loops = tuple(Loop(slot, Dim.K, count) for slot, count in zip(slots, (2, 3, 2), strict=True))
    written(point_of(layer, Mapping(loops)), tmp_path)
    texts = [
        factor
        for each in read_tagged(tmp_path / "mapping.yaml")["mapping"]
        for factor in each.get("factors", ())
        if factor.startswith("K=")
    ]
    assert texts == ["K=2", "K=3", "K=2,1"]
    product = 0
    for text in texts:  # outermost first
        count, _, last = text[2:].partition(",")
        product = product * int(count) + int(last or count) - 1
    assert product + 1 == 11


def test_the_files_of_one_layer(tmp_path):
    written(point_of(LAYER, MAPPING), tmp_path)
    nodes = read_tagged(tmp_path / "architecture.yaml")["architecture"]["nodes"]
    assert [(node.tag, node["name"]) for node in nodes] == [
        ("Container", "system"),
        ("Component", "DRAM"),
        ("Container", "pe_array_axis_1"),
        ("Component", "LOCAL_MEMORY"),
        ("Container", "lane_array_axis_4"),
        ("Component", "REGISTER_FILE"),
        ("Component", "MAC"),
    ]
    problem = read_tagged(tmp_path / "problem.yaml")["problem"]
    assert (problem["instance"]["K"], problem["instance"]["stride_p"]) == (4, 2)
    local = read_tagged(tmp_path / "mapping.yaml")["mapping"][4]
    assert (local["target"], local["type"]) == ("LOCAL_MEMORY", "temporal")
    assert local["permutation"][-2:] == ["P", "C"]  # the innermost first, so C stands outside
    tables = {
        table["name"]: {action["name"]: action["energy"] for action in table["actions"]}
        for table in read_tagged(tmp_path / "energies.yaml")["ERT"]["tables"]
    }
    assert tables["LOCAL_MEMORY"] == {"read": 1.0, "write": 2.0, "update": 2.0, "leak": 0.0}
    assert tables["MAC"]["compute"] == 0.5


def test_sizes_and_bandwidths_are_in_words(tmp_path):
    accelerator = edge_accelerator(preset("edge-baseline"))
    written(replace(point_of(LAYER, MAPPING), accelerator=accelerator), tmp_path)
    nodes = read_tagged(tmp_path / "architecture.yaml")["architecture"]["nodes"]
    local = next(node for node in nodes if node["name"] == "LOCAL_MEMORY")["attributes"]
    assert local["depth"] == 2 * 2**20
    assert local["shared_bandwidth"] == 128
    assert local["per_dataspace_bandwidth_consumption_scale"] == {"Outputs": 4.0}
    assert local["global_cycle_seconds"] == pytest.approx(1.25e-9)


def test_a_dim_twice_at_a_level_is_refused_by_name():
    loops = tuple(Loop(Slot.DRAM, dim, 2) for dim in (Dim.K, Dim.C, Dim.K))
    point = point_of(Layer(name="twice", k=4, c=2), Mapping(loops))
    with pytest.raises(InteropError, match="layer 'twice': loops over K stand twice in DRAM"):
        timeloop_files(point)


def test_loops_that_no_axis_spreads_are_refused_by_name():
    point = point_of(LAYER, MAPPING)
    bare = replace(point, accelerator=replace(point.accelerator, axes=()))
    with pytest.raises(InteropError, match="the loops P3 of PE_ARRAY cannot be told apart by axis"):
        timeloop_files(bare)


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("problem.yaml", "[[K]]", "[[R]]", "the data spaces are not those of a convolution"),
        ("problem.yaml", "K: 4", "K: 5", "cover 4 of 5"),
        ("mapping.yaml", "K=2", "K=two", "'K=two' is no factor"),
        ("mapping.yaml", "R=3", "'R=3,2'", "has 2 steps, but the layer leaves 3"),
        ("mapping.yaml", "target: DRAM", "target: L2", "KeyError"),
        ("architecture.yaml", "nodes", "knots", "KeyError"),
        ("architecture.yaml", "!Container", "[", "is not a YAML text file"),
    ],
)
def test_damaged_folders_are_sentences(tmp_path, name, old, new, said):
    written(point_of(LAYER, MAPPING), tmp_path)
    text = (tmp_path / name).read_text()
    assert re.search(re.escape(old), text), text
    (tmp_path / name).write_text(text.replace(old, new))
    with pytest.raises(InteropError, match=re.escape(said)):
        read_timeloop(tmp_path)


def test_a_missing_folder(tmp_path):
    with pytest.raises(InteropError, match="cannot be read"):
        read_timeloop(tmp_path / "none")
