"""Our optimum beside other mappers': read from a file of their form, and never worse."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from nahas.errors import InteropError
from nahas.trust.peers import Theirs, compare_with_peers

QUICK = ("L10", "L13")


@pytest.fixture
def workload(tmp_path):
    """A file of one small layer and one accelerator, to be changed and written."""
    content = {
        "layers": [
            {"id": "L0", "kind": "conv", "N": 1, "K": 8, "C": 4, "P": 5, "Q": 5, "R": 3, "S": 3}
            | {"stride": 1, "dilation": 1}
        ],
        "hardware": [
            {"id": "H", "pe_y": 4, "pe_x": 4, "simd": 2, "lanes": 1, "word_bits": 8}
            | {"rf_bytes_per_pe": 64, "buffer_bytes": 2048, "dram_bytes_per_cycle": 4}
            | {"buffer_bytes_per_cycle": 32}
        ],
        "energy_pj_per_word": {"H": {"DRAM": 100.0, "buffer": 6.0, "rf": 1.0, "mac": 0.2}},
    }

    def write(**changes):
        content["hardware"][0].update(changes)
        path = tmp_path / "workload.json"
        path.write_text(json.dumps(content))
        return path

    return write


def test_a_pair_is_mapped_with_the_files_energies(workload):
    (pair,) = compare_with_peers(workload())
    assert pair.hardware == "H"
    assert pair.ours.cycles >= pair.ours.bound_cycles
    assert pair.never_worse
    assert pair.document()["theirs"] == []


def test_it_says_where_another_mapper_is_better(workload):
    (pair,) = compare_with_peers(workload())
    cycles, energy = pair.ours.cycles, pair.ours.energy_pj
    assert replace(pair, theirs=(Theirs("t", cycles - 0.5, energy),)).never_worse
    assert not replace(pair, theirs=(Theirs("t", cycles - 2, None),)).never_worse
    assert not replace(pair, theirs=(Theirs("t", cycles, energy * 0.9),)).never_worse
    assert replace(pair, theirs=(Theirs("t", cycles + 9, energy * 0.9),)).never_worse


def test_an_unknown_tensor_is_named(workload):
    with pytest.raises(InteropError, match="rf_keeps"):
        list(compare_with_peers(workload(rf_keeps=["X"])))


def test_never_worse_on_pairs_that_are_quick(shared, tmp_path):
    content = json.loads((shared / "reference" / "peer_workload.json").read_text())
    content["layers"] = [layer for layer in content["layers"] if layer["id"] in QUICK]
    path = tmp_path / "quick.json"
    path.write_text(json.dumps(content))
    pairs = list(compare_with_peers(path))
    assert len(pairs) == 6
    assert all(pair.theirs and pair.never_worse for pair in pairs)
