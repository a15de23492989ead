"""Exports: folders whole or absent, and what AccelForge and ZigZag are given."""

from __future__ import annotations

import re
from dataclasses import replace
from math import prod

import pytest
from hypothesis import given

from nahas.cli.options import EXPORTS
from nahas.errors import InteropError
from nahas.hardware import preset
from nahas.interop import export as exports
from nahas.interop.accelforge_out import accelforge_files
from nahas.interop.export import FORMATS, export, points_of
from nahas.interop.nest import MappedPoint, edge_accelerator, merged, ragged_dims
from nahas.interop.tagged import Tagged, read_tagged, tagged_text
from nahas.interop.timeloop_v4 import read_timeloop
from nahas.interop.zigzag_out import DIMS, zigzag_files
from nahas.layers import Layer
from nahas.mapper import map_layer
from nahas.mapping import Loop, Mapping, evaluate, extent_of, last_counts
from nahas.networks import named
from nahas.simulate import simulate
from nahas.templates import accelerator_from
from nahas.vocabulary import Access, Dim, Level, Slot, Tensor
from tests.interop.points import point_of, points


@pytest.fixture(scope="module")
def mobilenet():
    return points_of(simulate(named("mobilenet-v2"), preset("edge-baseline")))


def loaded(files, tmp_path):
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    return {name.removesuffix(".yaml"): read_tagged(tmp_path / name) for name in files}


class TestFolders:
    def test_a_folder_for_each_layer(self, mobilenet, tmp_path):
        made = export(mobilenet, "timeloop", tmp_path / "out")
        assert len(made.written) == len(mobilenet) == 53
        assert made.left_out == ()
        assert made.written[0].name == "000_0_conv_3x3"
        for folder, point in zip(made.written, mobilenet, strict=True):
            layer, mapping = read_timeloop(folder)
            assert layer == replace(point.layer, parameters=0)
            assert prod(loop.count for loop in mapping.loops) > 1

    @pytest.mark.parametrize("tool", ["accelforge", "zigzag"])
    def test_what_a_tool_cannot_express_is_left_out_and_named(self, mobilenet, tmp_path, tool):
        made = export(mobilenet, tool, tmp_path / "out")
        ragged = [p for p in mobilenet if ragged_dims(p.layer, merged(p))]
        assert len(made.written) + len(made.left_out) == len(mobilenet)
        assert len(made.left_out) >= len(ragged) > 0
        assert f"layer '{ragged[0].layer.name}': the factors of" in "".join(made.left_out)

    def test_words_are_as_wide_as_the_accelerators(self):
        widths = {"weight_bits": 4, "activation_bits": 16, "partial_sum_bits": 24}
        edge = edge_accelerator(replace(preset("edge-baseline"), **widths))
        assert {name: getattr(edge, name) for name in widths} == widths

    def test_nothing_to_write_is_an_error(self, tmp_path):
        loops = (Loop(Slot.DRAM, Dim.K, 3), Loop(Slot.REGISTER_FILE, Dim.K, 2))
        ragged = point_of(Layer(name="odd", k=5), Mapping(loops))
        with pytest.raises(InteropError, match="layer 'odd': the factors of K do not multiply"):
            export([ragged], "zigzag", tmp_path / "out")
        with pytest.raises(InteropError, match="no mapped layer"):
            export([], "timeloop", tmp_path / "out")
        assert list(tmp_path.iterdir()) == []

    def test_a_folder_that_is_there_is_not_touched(self, mobilenet, tmp_path):
        with pytest.raises(InteropError, match="is there already: export to a new folder"):
            export(mobilenet, "timeloop", tmp_path)

    def test_another_tool(self, mobilenet, tmp_path):
        with pytest.raises(
            InteropError, match="'maestro' is no format of exports: use one of time"
        ):
            export(mobilenet, "maestro", tmp_path / "out")

    def test_a_disk_that_fills_leaves_nothing(self, mobilenet, tmp_path, monkeypatch):
        def full(point):
            raise_at.append(point)
            return {"a.yaml": "text", "no/such/folder.yaml": "text"}

        raise_at: list[object] = []
        monkeypatch.setitem(exports.FORMATS, "timeloop", full)
        with pytest.raises(InteropError, match="out: cannot be written"):
            export(mobilenet, "timeloop", tmp_path / "out")
        assert raise_at
        assert list(tmp_path.iterdir()) == []

    def test_the_command_line_offers_every_format(self):
        assert tuple(FORMATS) == EXPORTS


class TestNest:
    @given(points)
    def test_merging_changes_no_count(self, point):
        try:
            made = merged(point)
        except InteropError:
            return
        ours, theirs = evaluate(point.layer, point.mapping), evaluate(point.layer, made)
        assert (ours.counts == theirs.counts).all()
        assert ours.compute_cycles == theirs.compute_cycles

    @given(points)
    def test_last_counts_spell_the_last_point(self, point):
        made, last = point.mapping, last_counts(point.layer, point.mapping)
        for dim in Dim:
            reached = sum(
                (count - 1) * step
                for loop, step, count in zip(made.loops, made.steps(), last, strict=True)
                if loop.dim is dim
            )
            assert reached == extent_of(point.layer, dim) - 1
        assert all(0 < count <= loop.count for loop, count in zip(made.loops, last, strict=True))

    def test_the_edge_accelerator_is_the_hardware(self):
        hardware = preset("edge-baseline")
        made = edge_accelerator(hardware)
        assert made.macs_per_cycle == hardware.macs_per_cycle
        local = made.memories[Level.LOCAL_MEMORY]
        assert local.capacity_bytes == hardware.local_memory_bytes
        assert made.memories[Level.DRAM].bytes_per_cycle == hardware.io_bytes_per_cycle
        assert made.template.keep[Level.REGISTER_FILE] == {Tensor.WEIGHTS, Tensor.OUTPUTS}

    def test_axes_of_equal_names_get_names_of_their_own(self):
        accelerator = accelerator_from("eyeriss")
        same = tuple(replace(axis, name="row axis") for axis in accelerator.axes)
        layer = Layer(name="conv", k=16, c=8, p=12, q=12, r=3, s=3)
        point = MappedPoint(
            accelerator=replace(accelerator, axes=same),
            layer=layer,
            mapping=map_layer(layer, accelerator).mapping,
        )
        names = re.findall(r"lane_array_\w+", FORMATS["timeloop"](point)["architecture.yaml"])
        assert len(set(names)) == len(names) == len(same)


LAYERS = (
    Layer(name="conv", k=16, c=8, p=12, q=12, r=3, s=3),
    Layer(name="depthwise", g=32, p=8, q=8, r=3, s=3, stride_p=2, stride_q=2),
    Layer(name="pointwise", k=32, c=32, p=8, q=8),
)


@pytest.fixture(scope="module")
def found():
    made = []
    for template in ("eyeriss", "nvdla"):
        accelerator = accelerator_from(template)
        for layer in LAYERS:
            mapping = map_layer(layer, accelerator).mapping
            made.append(MappedPoint(accelerator=accelerator, layer=layer, mapping=mapping))
    return [point for point in made if not ragged_dims(point.layer, point.mapping)]


class TestAccelForge:
    def test_every_loop_is_there_with_the_tile_below_it(self, found, tmp_path):
        assert len(found) >= 4
        for point in found:
            nodes = loaded(accelforge_files(point), tmp_path)["mapping"]["mapping"]["nodes"]
            loops = [node for node in nodes if node.tag in ("Temporal", "Spatial")]
            left = {dim.name.lower(): extent_of(point.layer, dim) for dim in Dim}
            steps = 1
            for loop in loops:
                name, tile = loop["rank_variable"], loop["tile_shape"]
                assert left[name] % tile == 0
                steps *= left[name] // tile
                left[name] = tile
            assert set(left.values()) == {1}
            assert steps == point.layer.macs
            assert nodes[-1].tag == "Compute"

    def test_storage_stands_outside_loops_that_leave_its_tile_in_place(self, tmp_path):
        loops = (
            Loop(Slot.LOCAL_MEMORY, Dim.P, 4),
            Loop(Slot.LOCAL_MEMORY, Dim.C, 3),
            Loop(Slot.LANE_ARRAY, Dim.K, 2),
        )
        point = point_of(Layer(name="x", p=4, c=3, k=2), Mapping(loops))
        nodes = loaded(accelforge_files(point), tmp_path)["mapping"]["mapping"]["nodes"]
        said = [node.get("rank_variable") or " ".join(node.get("tensors", ())) for node in nodes]
        outputs = max(i for i, text in enumerate(said) if text == "Outputs")
        assert said[outputs - 1 : outputs + 2] == ["k", "Outputs", "c"]

    def test_sizes_energies_and_widths(self, found, tmp_path):
        point = found[0]
        nodes = loaded(accelforge_files(point), tmp_path)["architecture"]["arch"]["nodes"]
        local = next(node for node in nodes if node["name"] == "LOCAL_MEMORY")
        memory = point.accelerator.memories[Level.LOCAL_MEMORY]
        assert local["size"] == memory.capacity_bytes * 8
        assert local["actions"][0]["energy"] == pytest.approx(memory.read_pj_per_byte * 1e-12)
        assert nodes[-1].tag == "Compute"


class TestZigZag:
    def test_loops_multiply_to_the_layer(self, found, tmp_path):
        for point in found:
            documents = loaded(zigzag_files(point), tmp_path)
            nest = documents["mapping"][0]
            counts = dict.fromkeys(DIMS.values(), 1)
            for name, count in nest["temporal_ordering"]:
                counts[name] *= count
            for texts in nest["spatial_mapping"].values():
                for text in texts:
                    name, count = text.split(", ")
                    counts[name] *= int(count)
            (layer,) = documents["workload"]
            assert counts == dict(zip(layer["loop_dims"], layer["loop_sizes"], strict=True))

    def test_the_innermost_loop_comes_first(self, tmp_path):
        loops = (Loop(Slot.DRAM, Dim.K, 2), Loop(Slot.LOCAL_MEMORY, Dim.P, 3))
        point = point_of(Layer(name="x", k=2, p=3), Mapping(loops))
        nest = loaded(zigzag_files(point), tmp_path)["mapping"][0]
        assert nest["temporal_ordering"] == [["OY", 3], ["K", 2]]

    def test_a_memory_serves_the_axes_below_it(self, found, tmp_path):
        point = next(p for p in found if p.accelerator.name == "nvdla")
        accelerator = loaded(zigzag_files(point), tmp_path)["accelerator"]
        served = {n: m["served_dimensions"] for n, m in accelerator["memories"].items()}
        assert served == {
            "REGISTER_FILE": ["D2"],
            "LOCAL_MEMORY": ["D1", "D2"],
            "DRAM": ["D1", "D2"],
        }
        assert list(served) == ["REGISTER_FILE", "LOCAL_MEMORY", "DRAM"]

    def test_five_axes_become_four(self, mobilenet, tmp_path):
        point = next(p for p in mobilenet if not ragged_dims(p.layer, merged(p)))
        array = loaded(zigzag_files(point), tmp_path)["accelerator"]["operational_array"]
        assert array["sizes"] == [4, 4, 4, 256]

    def test_more_axes_than_fit_are_refused(self):
        loops = tuple(Loop(Slot.LANE_ARRAY, Dim.K, 2) for _ in range(5))
        with pytest.raises(InteropError, match="ZigZag has 4 dimensions of the array"):
            zigzag_files(point_of(Layer(name="x", k=32), Mapping(loops)))


def test_tags_come_back(tmp_path):
    content = {"a": [Tagged("Container", {"name": "x", "spatial": {"meshX": 2}})]}
    (tmp_path / "a.yaml").write_text(tagged_text(content, ("said", "twice")))
    assert read_tagged(tmp_path / "a.yaml") == content
    assert read_tagged(tmp_path / "a.yaml")["a"][0].tag == "Container"


def test_no_python_object_is_made_of_a_file(tmp_path):
    (tmp_path / "a.yaml").write_text("!!python/object/apply:os.system ['true']")
    with pytest.raises(InteropError, match="is not a YAML text file"):
        read_tagged(tmp_path / "a.yaml")


def test_words_moved_are_those_of_the_mapping(found):
    """What the exported nests stand for: counted once here so that peers can be compared."""
    for point in found:
        counts = evaluate(point.layer, point.mapping, point.accelerator.template)
        assert counts.of(Level.DRAM, Tensor.WEIGHTS, Access.READS) >= point.layer.weight_words
