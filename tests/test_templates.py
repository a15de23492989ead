"""Template files: what they say is what is mapped on, and what is wrong is one sentence."""

from __future__ import annotations

import pytest
import yaml

from nahas.datafiles import packaged
from nahas.errors import HardwareError
from nahas.templates import ALL, BUILT_IN, accelerator_from, load_accelerator
from nahas.vocabulary import Dim, Level, Slot, Tensor


@pytest.fixture
def content():
    return yaml.safe_load(packaged("template_eyeriss.yaml").read_text())


@pytest.fixture
def written(tmp_path):
    def write(content):
        path = tmp_path / "mine.yaml"
        path.write_text(yaml.safe_dump(content))
        return path

    return write


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_templates_name_themselves_and_their_source(name):
    accelerator = accelerator_from(name)
    assert accelerator.name == name
    assert accelerator.source
    assert accelerator.template.keep[Level.DRAM] == ALL


def test_eyeriss_is_the_published_array():
    accelerator = accelerator_from("eyeriss")
    assert accelerator.macs_per_cycle == 168
    assert accelerator.memories[Level.LOCAL_MEMORY].capacity_bytes == 108 * 1024
    assert accelerator.axes[0].dims[0] is Dim.R
    assert accelerator.axes[0].slot is Slot.LANE_ARRAY


def test_systolic_keeps_weights_alone_in_its_pes_and_nvdla_sums():
    registers = Level.REGISTER_FILE
    assert accelerator_from("systolic").memories[registers].keeps == {Tensor.WEIGHTS}
    assert accelerator_from("nvdla").memories[registers].keeps == {Tensor.OUTPUTS}


def test_a_file_reads_as_it_was_written(content, written):
    content["name"] = "mine"
    content["memories"]["LOCAL_MEMORY"]["tensor_bytes"] = {"weights": 1024}
    accelerator = accelerator_from(str(written(content)))
    assert accelerator.name == "mine"
    assert accelerator.memories[1].tensor_bytes == {Tensor.WEIGHTS: 1024}


def put(content, path, value):
    for key in path[:-1]:
        content = content[key]
    content[path[-1]] = value


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["schema_version"], 2, "schema_version is 2, but this nahas reads 1"),
        (["schema_version"], None, "has no schema_version, but this nahas reads schema_version 1"),
        (["nname"], "x", "nname is not known; did you mean 'name'"),
        (["mac_pj"], -1, "mac_pj is -1, but it must be a number above 0"),
        (["weight_bits"], 5, "weight_bits is 5, but it must be one of 4, 8, 16"),
        (["weight_bits"], "8", "weight_bits is '8', but it must be a whole number"),
        (["partial_sum_bits"], 8, "partial_sum_bits is 8, but it must be at least"),
        (["exact_multicast"], 1, "exact_multicast is 1, but it must be true or false"),
        (["memories", "DRAM"], None, "memories.DRAM is None, but it must be a mapping"),
        (["memories", "DRAM", "keeps"], ["weights"], "memories.DRAM.keeps must name every tensor"),
        (
            ["memories", "LOCAL_MEMORY", "keeps"],
            ["psums"],
            "holds 'psums', but it may hold weights",
        ),
        (["memories", "DRAM", "may_bypass"], ["weights"], "DRAM.may_bypass holds weights, but"),
        (["memories", "LOCAL_MEMORY", "may_bypass"], ["sums"], "may_bypass holds 'sums', but it"),
        (["memories", "REGISTER_FILE", "capacity_bytes"], 0, "capacity_bytes is 0, but"),
        (["axes"], 3, "axes is 3, but it must be a list"),
        (["axes", 0, "slot"], "DRAM", "slot is 'DRAM', but it must be one of PE_ARRAY"),
        (["axes", 0, "size"], 0, "size is 0, but it must be from 1 to 65536"),
        (["axes", 0, "dims"], ["X"], "dims holds 'X', but it may hold G, K, C, P, Q, R, S"),
    ],
)
def test_what_is_wrong_is_named_with_its_key_value_and_what_is_allowed(
    content, written, path, value, message
):
    put(content, path, value)
    file = written(content)
    with pytest.raises(HardwareError) as error:
        load_accelerator(file)
    assert message in str(error.value)
    assert str(error.value).startswith(str(file))


def test_what_is_missing_is_named(content, written):
    del content["memories"]["DRAM"]["read_pj_per_byte"]
    with pytest.raises(HardwareError, match=r"DRAM\.read_pj_per_byte is missing"):
        load_accelerator(written(content))


def test_a_key_that_stands_twice_is_named_with_its_lines(tmp_path):
    path = tmp_path / "mine.yaml"
    text = packaged("template_eyeriss.yaml").read_text()
    lines = text.splitlines()
    (first,) = (i for i, line in enumerate(lines, 1) if line.strip().startswith("REGISTER_FILE:"))
    path.write_text(text.replace("{capacity_bytes:", "{capacity_bytes: 1, capacity_bytes:"))
    with pytest.raises(HardwareError, match=r"mine.yaml:\d+: capacity_bytes stands twice"):
        load_accelerator(path)
    again = [*lines[:first], "  REGISTER_FILE: {}", *lines[first:]]
    path.write_text("\n".join(again))
    said = rf":{first + 1}: REGISTER_FILE stands twice, first in line {first}: remove one of them$"
    with pytest.raises(HardwareError, match=said):
        load_accelerator(path)


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(HardwareError, match="unknown template 'eyeris'; did you mean 'eyeriss'"):
        accelerator_from("eyeris")
