"""`nahas map`: a loop nest and its counts, and errors of one sentence."""

from __future__ import annotations

import json

import pytest

from nahas.cli.map import DATAFLOWS
from nahas.vocabulary import Dataflow

LAYER = ("k=8", "c=4", "p=6", "q=6", "r=3", "s=3")


def test_it_prints_the_loop_nest_and_its_cost(nahas):
    out = nahas("map", *LAYER, "--template", "eyeriss").out
    assert "parallel for r in 0..2 over LANE_ARRAY" in out
    assert "cycles" in out
    assert "REGISTER_FILE" in out


def test_json_has_counts_of_every_level_that_keeps(nahas):
    document = json.loads(nahas("map", *LAYER, "--template", "nvdla", "--json").out)
    assert document["cycles"] >= document["bound_cycles"]
    assert {(row["level"], row["tensor"]) for row in document["words"]} == {
        ("DRAM", "weights"),
        ("DRAM", "inputs"),
        ("DRAM", "outputs"),
        ("LOCAL_MEMORY", "weights"),
        ("LOCAL_MEMORY", "inputs"),
        ("REGISTER_FILE", "outputs"),
    }


def test_a_dataflow_is_asked_for_and_named(nahas):
    document = json.loads(nahas("map", *LAYER, "--dataflow", "output", "--json").out)
    assert document["dataflow"] == "output"
    assert document["bypassed"] == {}
    assert "Dataflow: row (rows of the window and" in nahas("map", *LAYER).out


def test_every_dataflow_is_explained(nahas):
    assert set(DATAFLOWS) == {dataflow.name.lower() for dataflow in Dataflow}
    out = nahas("map", "g=64").out
    assert "Dataflow: any (the innermost loop above the register file leaves no tensor" in out


def test_ragged_loops_are_marked_and_explained(nahas):
    out = nahas("map", "k=20", "c=3", "p=15", "q=15").out
    assert "parallel for p in 0..3 over LANE_ARRAY (edge: 0..2)\n" in out
    assert "\nedge: the steps that a loop has in the last tile of its dim" in out
    assert "edge" not in nahas("map", "k=8", "c=4").out


def test_counts_are_whole_numbers(nahas):
    document = json.loads(nahas("map", *LAYER, "--json").out)
    whole = ("cycles", "compute_cycles", "assignments", "members", "counted")
    assert all(type(document[key]) is int for key in whole)


def test_what_bypasses_a_level_is_named(nahas, tmp_path):
    from nahas.datafiles import packaged

    path = tmp_path / "mine.yaml"
    text = packaged("template_eyeriss.yaml").read_text()
    free = "LOCAL_MEMORY:\n    {may_bypass: [weights], capacity"
    path.write_text(text.replace("LOCAL_MEMORY:\n    {capacity", free))
    out = nahas("map", *LAYER, "--template", str(path), "--objective", "energy").out
    assert "weights bypass LOCAL_MEMORY" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("m=8",), "'m=8' names no dim of a layer"),
        (("k=0",), "k must be a whole number above 0"),
        (("k=8", "k=9"), "k stands twice"),
        (("K=8",), "did you mean 'k'"),
        (("k=8", "--template", "eyeris"), "did you mean 'eyeriss'"),
        (("k=8", "--template", "coral"), "is 'coral', a --hardware of 'nahas simulate'"),
    ],
)
def test_errors_are_one_sentence(nahas, arguments, message):
    result = nahas("map", *arguments)
    assert result.code == 2
    assert message in result.err


def test_export_is_the_mapping_that_is_printed(nahas, tmp_path):
    from nahas.interop.timeloop_v4 import read_timeloop

    folder = tmp_path / "out"
    arguments = ("map", *LAYER, "--template", "nvdla")
    out = nahas(*arguments, "--export", f"timeloop:{folder}").out
    assert out == nahas(*arguments).out
    (written,) = folder.iterdir()
    layer, mapping = read_timeloop(written)
    assert (layer.k, layer.c, layer.p, layer.r) == (8, 4, 6, 3)
    assert mapping.drawing() in out


def test_export_of_what_a_tool_cannot_express_is_an_error(nahas, tmp_path):
    folder = tmp_path / "out"
    ran = nahas("map", "k=32", "c=32", "p=8", "q=8", "--export", f"zigzag:{folder}")
    assert ran.code == 2
    assert "the factors of C do not multiply to its extent, but ZigZag's loops do" in ran.err
    assert not folder.exists()
