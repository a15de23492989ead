"""Latencies of FPGA accelerators: the fit finds what made them; held-out networks count."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest

from nahas.errors import AccuracyError
from nahas.simulate import simulate_networks
from nahas.spaces import mnasnet
from nahas.trust import dpu
from nahas.trust.dpu import compare_with_dpus
from nahas.vocabulary import LayerKind


@pytest.fixture(scope="module")
def drawn():
    """Sixty networks: their choices, simulated latency and the words that gates multiply."""
    space = mnasnet.network_space()
    choices = space.space.sample(60, np.random.default_rng(1))
    choices[::3, 3::4] = 0  # without squeeze-excitation
    networks = [space.network(choice) for choice in choices]
    simulated = simulate_networks(networks, [dpu.dpu()]).latency_ms[:, 0]
    gates = np.array(
        [
            sum(layer.output_words for layer in network.layers if layer.kind is LayerKind.SCALE)
            for network in networks
        ]
    )
    return [space.space.values(choice) for choice in choices], simulated, gates


@pytest.fixture
def folder(tmp_path, drawn, monkeypatch):
    """Measurements that follow the formula exactly, and one network that was not measured."""
    monkeypatch.setattr(dpu, "CALIBRATED", 12)
    values, simulated, gates = drawn
    names = list(values[0])
    lines = [",".join(["id", *names, "val_top1", *dpu.BOARDS.values()])]
    for i, value in enumerate(values):
        made = [2.0 * simulated[i] + 3e-6 * gates[i], simulated[i] + 0.5]
        measured = [repr(float(each)) for each in made] if i != 59 else ["", ""]
        lines.append(",".join([str(i), *(str(value[n]) for n in names), "60.0", *measured]))
    (tmp_path / "measured.csv.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    splits = {"train": list(range(30)), "val": list(range(30, 45)), "test": list(range(45, 60))}
    (tmp_path / "splits.json").write_text(json.dumps(splits))
    return tmp_path


def test_constants_that_made_the_latencies_are_found(folder):
    zcu102, vck190 = compare_with_dpus(folder).boards
    assert (zcu102.kendall, vck190.kendall) == pytest.approx((1.0, 1.0))
    assert (zcu102.scale, zcu102.gate_ns_per_word) == pytest.approx((2.0, 3.0))
    assert zcu102.constant_ms == pytest.approx(0.0, abs=1e-6)
    assert (vck190.scale, vck190.constant_ms) == pytest.approx((1.0, 0.5))
    assert vck190.gate_ns_per_word == pytest.approx(0.0, abs=1e-6)
    assert zcu102.kendall_plain == pytest.approx(1.0)
    assert zcu102.macs_kendall_plain < 1.0


def test_only_networks_held_out_and_measured_are_compared(folder):
    board = compare_with_dpus(folder).boards[0]
    assert board.networks == 29  # of thirty, one of which was not measured
    assert board.plain == 10 - (59 % 3 == 0)


def test_a_column_that_is_not_there_is_named(folder):
    table = folder / "measured.csv.gz"
    content = gzip.decompress(table.read_bytes()).replace(b"latency_vck190_mean", b"other")
    table.write_bytes(gzip.compress(content))
    with pytest.raises(AccuracyError, match="no column latency_vck190_mean"):
        compare_with_dpus(folder)


def test_the_document_holds_both_boards(folder):
    document = json.loads(json.dumps(compare_with_dpus(folder).document()))
    assert document["calibrated"] == 12
    assert [board["board"] for board in document["boards"]] == ["zcu102", "vck190"]
