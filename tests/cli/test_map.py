"""`nahas map`: a loop nest and its counts, and errors of one sentence."""

from __future__ import annotations

import json

import pytest

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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("m=8",), "'m=8' names no dim of a layer"),
        (("k=0",), "k must be a whole number above 0"),
        (("k=8", "k=9"), "k stands twice"),
        (("k=8", "--template", "eyeris"), "did you mean 'eyeriss'"),
    ],
)
def test_errors_are_one_sentence(nahas, arguments, message):
    result = nahas("map", *arguments)
    assert result.code == 2
    assert message in result.err
